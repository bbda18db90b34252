/* checkpoint.c — one .safetensors file from which a step goes on: its stores ("store/NAME/TENSOR"), its
 * curves so far ("series/NAME", [n, 3]: iteration / 2^20, iteration % 2^20, value), and where the loop
 * was, with what the step has told, in the metadata. One file, renamed into place: never half of one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"

#define SPLIT (1 << 20)

static char *checkpoint_path(const lw_step *step)
{
    return lw_format("%s/checkpoint.safetensors", step->setup.folder);
}

/* --- saving ----------------------------------------------------------------------------------- */
static lw_status save_store(lw_store *file, const lwi_step_store *kept)
{
    for (size_t i = 0; i < lw_store_count(kept->store); i++) {
        const char *name = lw_store_name(kept->store, i);
        const lw_tensor *tensor = lw_store_get(kept->store, name);
        if (!tensor)
            return lw_error_status();
        char *full = lw_format("store/%s/%s", kept->name, name);
        lw_status status = full ? lw_store_set(file, full, tensor->shape, tensor->data) : LW_MEMORY;
        lw_free(full);
        LW_TRY(status);
    }
    return LW_OK;
}

static lw_status save_series(lw_store *file, const lwi_series *series)
{
    float *rows = lw_alloc(series->count * 3, sizeof(float));
    char *full = lw_format("series/%s", series->name);
    lw_status status = rows && full ? LW_OK : LW_MEMORY;
    for (size_t i = 0; status == LW_OK && i < series->count; i++) {
        rows[3 * i] = (float)(series->iteration[i] / SPLIT);
        rows[3 * i + 1] = (float)(series->iteration[i] % SPLIT);
        rows[3 * i + 2] = series->value[i];
    }
    if (status == LW_OK)
        status = lw_store_set(file, full, LW_SHAPE((int64_t)series->count, 3), rows);
    lw_free(rows);
    lw_free(full);
    return status;
}

static lw_status save_json(lw_store *file, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return lw_fail(LW_MEMORY, "out of memory");
    lw_status status = lw_store_set_metadata(file, key, text);
    free(text);
    return status;
}

static lw_status save_number(lw_store *file, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, value);
    return lw_store_set_metadata(file, key, text);
}

static lw_status fill(const lw_step *step, lw_store *file)
{
    for (int i = 0; i < step->store_count; i++)
        LW_TRY(save_store(file, &step->stores[i]));
    for (int i = 0; i < step->series_count; i++)
        if (step->series[i].count)
            LW_TRY(save_series(file, &step->series[i]));
    LW_TRY(save_number(file, "loop", step->loop));
    LW_TRY(save_number(file, "iteration", step->iteration));
    LW_TRY(save_json(file, "table", step->table));
    LW_TRY(save_json(file, "notes", step->notes));
    return save_json(file, "files", step->files);
}

lw_status lwi_checkpoint_save(lw_step *step)
{
    char *path = checkpoint_path(step);
    lw_store *file = path ? lw_store_create() : NULL;
    lw_status status = file ? fill(step, file) : LW_MEMORY;
    if (status == LW_OK)
        status = lw_store_save(file, path, LW_STORE_F32);
    if (status != LW_OK)
        status = lw_wrap("cannot write the checkpoint of step '%s'", step->setup.id);
    lw_store_destroy(file);
    lw_free(path);
    step->last_checkpoint = lwi_clock();
    return status;
}

/* --- loading ---------------------------------------------------------------------------------- */
static lw_status load_number(lw_store *file, const char *key, int64_t *value)
{
    const char *text = lw_store_metadata(file, key);
    char *rest = NULL;
    errno = 0;
    *value = text ? strtoll(text, &rest, 10) : -1;
    if (!text || rest == text || *rest || errno || *value < 0)
        return lw_fail(LW_FORMAT, "its '%s' is missing or not a count", key);
    return LW_OK;
}

/* Puts the stored value in place of *value, which tells the type that it must have. */
static lw_status load_json(lw_store *file, const char *key, json_t **value)
{
    const char *text = lw_store_metadata(file, key);
    json_t *loaded = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!loaded || json_typeof(loaded) != json_typeof(*value)) {
        json_decref(loaded);
        return lw_fail(LW_FORMAT, "its '%s' is missing or malformed", key);
    }
    json_decref(*value);
    *value = loaded;
    return LW_OK;
}

static lw_status load_series(lw_step *step, lw_store *file)
{
    for (size_t i = 0; i < lw_store_count(file); i++) {
        const char *name = lw_store_name(file, i);
        if (strncmp(name, "series/", 7) != 0)
            continue;
        const lw_tensor *rows = lw_store_get(file, name);
        if (!rows || rows->shape.rank != 2 || rows->shape.dim[1] != 3)
            return lw_fail(LW_FORMAT, "'%s' is not a curve", name);
        lwi_series *series = lwi_step_series(step, name + 7);
        if (!series)
            return lw_error_status();
        for (int64_t k = 0; k < rows->shape.dim[0]; k++) {
            const float *row = &rows->data[3 * k];
            LW_TRY(lwi_series_add(series, (int64_t)row[0] * SPLIT + (int64_t)row[1], row[2]));
        }
    }
    return LW_OK;
}

static lw_status take_up(lw_step *step)
{
    LW_TRY(load_number(step->resumed, "loop", &step->resumed_loop));
    LW_TRY(load_number(step->resumed, "iteration", &step->resumed_iteration));
    LW_TRY(load_json(step->resumed, "table", &step->table));
    LW_TRY(load_json(step->resumed, "notes", &step->notes));
    LW_TRY(load_json(step->resumed, "files", &step->files));
    return load_series(step, step->resumed);
}

lw_status lwi_checkpoint_load(lw_step *step)
{
    char *path = checkpoint_path(step);
    if (!path)
        return LW_MEMORY;
    lw_status status = LW_OK;
    if (access(path, F_OK) == 0) {
        step->resumed = lw_store_load(path);
        status = step->resumed ? take_up(step) : lw_error_status();
        if (status != LW_OK)
            status = lw_wrap("cannot go on from the checkpoint '%s'", path);
    }
    lw_free(path);
    return status;
}

/* --- what is kept ------------------------------------------------------------------------------ */
static lw_status keep(lw_step *step, const char *name, lw_store *store, bool owned)
{
    for (int i = 0; i < step->store_count; i++)
        if (strcmp(step->stores[i].name, name) == 0)
            return lw_fail(LW_INVALID, "step '%s' keeps two stores under the name '%s'", step->setup.id,
                           name);
    lwi_step_store *grown = lw_resize(step->stores, (size_t)step->store_count + 1, sizeof(*grown));
    if (!grown)
        return LW_MEMORY;
    step->stores = grown;
    char *copy = lw_strdup(name);
    if (!copy)
        return LW_MEMORY;
    grown[step->store_count++] = (lwi_step_store){copy, store, owned};
    if (!step->resumed)
        return LW_OK;
    char *prefix = lw_format("store/%s/", name);
    lw_status status = prefix ? lw_store_merge(store, step->resumed, prefix) : LW_MEMORY;
    lw_free(prefix);
    return status == LW_OK ? LW_OK : lw_wrap("cannot restore '%s' of step '%s'", name, step->setup.id);
}

lw_store *lw_step_store(lw_step *step, const char *name)
{
    for (int i = 0; i < step->store_count; i++)
        if (step->stores[i].owned && strcmp(step->stores[i].name, name) == 0)
            return step->stores[i].store;
    lw_store *store = lw_store_create();
    if (!store)
        return NULL;
    int before = step->store_count;
    if (keep(step, name, store, true) == LW_OK)
        return store;
    if (step->store_count == before)
        lw_store_destroy(store);
    return NULL;
}

lw_status lw_step_keep(lw_step *step, const char *name, lw_store *store)
{
    return keep(step, name, store, false);
}
