/* telling.c — curves, tables, notes, files and the history of a running step. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "runtime.h"

/* --- curves ----------------------------------------------------------------------------------- */
lwi_series *lwi_step_series(lw_step *step, const char *name)
{
    for (int i = 0; i < step->series_count; i++)
        if (strcmp(step->series[i].name, name) == 0)
            return &step->series[i];
    lwi_series *grown = lw_resize(step->series, (size_t)step->series_count + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    step->series = grown;
    char *copy = lw_strdup(name);
    if (!copy)
        return NULL;
    grown[step->series_count] = (lwi_series){.name = copy};
    return &grown[step->series_count++];
}

lw_status lwi_series_add(lwi_series *series, int64_t iteration, float value)
{
    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? series->capacity * 2 : 64;
        int64_t *iterations = lw_resize(series->iteration, capacity, sizeof(*iterations));
        if (!iterations)
            return LW_MEMORY;
        series->iteration = iterations;
        float *values = lw_resize(series->value, capacity, sizeof(*values));
        if (!values)
            return LW_MEMORY;
        series->value = values;
        series->capacity = capacity;
    }
    series->iteration[series->count] = iteration;
    series->value[series->count++] = value;
    return LW_OK;
}

static lw_status log_point(lw_step *step, const char *series, const char *axis, int64_t at, double value)
{
    if (step->setup.dry) /* nothing was computed: the value means nothing */
        return LW_OK;
    if (!isfinite((float)value)) {
        lw_fail(LW_NUMERIC, "step '%s': '%s' is %s at %s %" PRId64, step->setup.id, series,
                isnan(value) ? "not a number" : "infinite", axis, at);
        return lwi_step_fail(step);
    }
    lwi_series *curve = lwi_step_series(step, series);
    if (!curve || lwi_series_add(curve, at, (float)value) != LW_OK)
        return lwi_step_fail(step);
    return LW_OK;
}

lw_status lw_step_log(lw_step *step, const char *series, double value)
{
    return log_point(step, series, "iteration", step->iteration, value);
}

lw_status lw_step_log_at(lw_step *step, const char *series, int64_t at, double value)
{
    return log_point(step, series, "point", at, value);
}

/* --- tables and notes -------------------------------------------------------------------------- */
lw_status lw_step_metric(lw_step *step, const char *row, const char *column, double value)
{
    if (step->setup.dry)
        return LW_OK;
    if (!isfinite(value)) {
        lw_fail(LW_NUMERIC, "step '%s': the metric '%s' of '%s' is %s", step->setup.id, column, row,
                isnan(value) ? "not a number" : "infinite");
        return lwi_step_fail(step);
    }
    json_t *cells = json_object_get(step->table, row);
    if (!cells) {
        cells = json_object();
        if (json_object_set_new(step->table, row, cells) != 0)
            return lw_fail(LW_INVALID, "step '%s': '%s' cannot name a row", step->setup.id, row);
    }
    if (json_object_set_new(cells, column, json_real(value)) != 0)
        return lw_fail(LW_INVALID, "step '%s': '%s' cannot name a column", step->setup.id, column);
    return LW_OK;
}

void lw_step_note(lw_step *step, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < json_array_size(step->notes); i++)
        if (strcmp(json_string_value(json_array_get(step->notes, i)), text) == 0)
            return; /* told before the run was resumed */
    json_array_append_new(step->notes, json_string(text));
    if (step->setup.hooks.noted)
        step->setup.hooks.noted(step->setup.hooks.user, step, text);
}

/* --- files ------------------------------------------------------------------------------------- */
/* Files stay inside the run folder, whatever a plugin makes of its parameters. */
static bool leaves_folder(const char *file)
{
    if (*file == '/' || !*file)
        return true;
    for (const char *part = file; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strcmp(part, "..") == 0 || strncmp(part, "../", 3) == 0)
            return true;
    }
    return false;
}

static char *path_in(lw_step *step, const char *folder, const char *file, const char *listed_under)
{
    if (leaves_folder(file)) {
        lw_fail(LW_INVALID, "step '%s': the file name '%s' leaves the run folder", step->setup.id, file);
        return NULL;
    }
    char *path = lw_format("%s/%s", folder, file);
    char *listed = path ? lw_format("%s%s", listed_under, file) : NULL;
    if (!listed || lwi_make_folders_above(path) != LW_OK) {
        lw_free(path);
        lw_free(listed);
        return NULL;
    }
    bool known = false;
    for (size_t i = 0; i < json_array_size(step->files); i++)
        known = known || strcmp(json_string_value(json_array_get(step->files, i)), listed) == 0;
    if (!known)
        json_array_append_new(step->files, json_string(listed));
    lw_free(listed);
    return path;
}

char *lw_step_path(lw_step *step, const char *file)
{
    char under[256];
    snprintf(under, sizeof(under), "steps/%s/", step->setup.id);
    return path_in(step, step->setup.folder, file, under);
}

char *lw_step_run_path(lw_step *step, const char *file)
{
    return path_in(step, step->setup.run_folder, file, "");
}

const char *lw_step_history(lw_step *step)
{
    json_t *whole = step->setup.hooks.history ? step->setup.hooks.history(step->setup.hooks.user) : NULL;
    char *text = whole ? json_dumps(whole, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(whole);
    if (!text) {
        lw_fail(LW_MEMORY, "the history of the run cannot be told: out of memory");
        return NULL;
    }
    lw_free(step->history);
    step->history = lw_strdup(text);
    free(text);
    return step->history;
}
