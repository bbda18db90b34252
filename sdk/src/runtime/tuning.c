/* tuning.c — see tuning.h. A cache is {"device", "driver", "latentwalk", "choices": {SHAPE: {"algorithm":
 * NAME, "ms": {NAME: MILLISECONDS}}}}; a record has the same form. */
#include "runtime/tuning.h"

#include "base/clock.h"
#include "base/folder.h"
#include "latentwalk/image.h"
#include "runtime/cache.h"
#include "runtime/program.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_RUNS = 8, KEY = 160 };
static const double WORTH_TRYING = 2.5; /* times the least estimate */
static const double ENOUGH = 0.03;      /* seconds of measuring one algorithm */
static const double BETTER = 0.95;      /* of its time, to take the place of the estimate's choice */

struct lwi_tuning {
    lw_device *device; /* which owns this */
    char *cache, *record;
    json_t *known, *used; /* choices by shape: of the cache; of the record, which were given or are in use */
    bool measured;        /* something that the cache lacks */
};

/* --- files -------------------------------------------------------------------------------------- */
static json_t *document(const lw_device_info *info, json_t *choices)
{
    return json_pack("{s:s, s:s, s:s, s:O}", "device", info->name, "driver", info->driver, "latentwalk",
                     LW_VERSION, "choices", choices);
}

/* Takes `root`. */
static lw_status save(json_t *root, const char *path)
{
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(6)) : NULL;
    lw_status status = text ? lw_file_write(path, text, strlen(text)) : lw_fail(LW_MEMORY, "out of memory");
    json_decref(root);
    free(text);
    return status;
}

static bool is_algorithm(const char *name, lwi_algorithm *algorithm)
{
    for (int a = 0; name && a < LWI_ALGORITHMS; a++)
        if (strcmp(name, lwi_algorithm_name((lwi_algorithm)a)) == 0) {
            *algorithm = (lwi_algorithm)a;
            return true;
        }
    return false;
}

static lw_status save_record(const lwi_tuning *t)
{
    json_t *root = document(&t->device->info, t->used);
    if (t->device->backend == &lwi_clblast)
        json_object_set_new(root, "clblast", lwi_clblast_record(t->device));
    return save(root, t->record);
}

/* Of a record: the settings of CLBlast, where it has such. */
static lw_status restore(lw_device *device, const char *path, char **note)
{
    json_t *root = json_load_file(path, 0, NULL), *settings = json_object_get(root, "clblast");
    lw_status status = LW_OK;
    if (settings && device->backend == &lwi_clblast)
        status = lwi_clblast_restore(device, settings, note);
    json_decref(root);
    return status == LW_OK ? status : lw_wrap("'%s' cannot be used", path);
}

/* The choices of a file; NULL where it holds none, `why` saying what is wrong. */
static json_t *load(const char *path, const char **why)
{
    const char *key;
    json_t *value;
    lwi_algorithm algorithm;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    json_t *choices = json_object_get(root, "choices");
    *why = !root ? "it is no JSON" : !json_is_object(choices) ? "it has no choices" : NULL;
    json_object_foreach (choices, key, value)
        if (!is_algorithm(json_string_value(json_object_get(value, "algorithm")), &algorithm))
            *why = "it names an algorithm that does not exist";
    choices = *why ? NULL : json_incref(choices);
    json_decref(root);
    return choices;
}

char *lwi_tuning_path(const lw_device_info *info)
{
    char name[sizeof info->name + sizeof info->driver + 2];
    snprintf(name, sizeof name, "%s-%s", info->name, info->driver);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.+", *c))
            *c = '-';
    char *file = lw_format("tuning-%s-%s.json", name, LW_VERSION);
    char *path = file ? lwi_cache_path(file) : NULL;
    lw_free(file);
    return path;
}

lw_status lwi_tuning_start(lw_device *device, const char *given, const char *record, char **note)
{
    const char *why = NULL;
    *note = NULL;
    if (device->none)
        return LW_OK;
    lwi_tuning *t = lw_alloc(1, sizeof *t);
    if (!t)
        return LW_MEMORY;
    t->device = device;
    t->cache = lwi_tuning_path(&device->info);
    t->record = record ? lw_strdup(record) : NULL;
    t->used = given ? load(given, &why) : json_object();
    if (why) {
        lwi_tuning_close(t);
        return lw_fail(LW_INVALID, "'%s' is no record of tuning: %s", given, why);
    }
    struct stat info;
    t->known = t->cache && stat(t->cache, &info) == 0 ? load(t->cache, &why) : NULL;
    if (why)
        *note = lw_format("'%s' is measured anew: %s", t->cache, why);
    if (!t->known)
        t->known = json_object();
    device->target.tuning = t;
    if (given)
        LW_TRY(restore(device, given, note));
    return record ? save_record(t) : LW_OK;
}

/* Another process may have saved since: its choices stay, ours are added. */
void lwi_tuning_close(lwi_tuning *t)
{
    if (!t)
        return;
    if (t->measured && t->cache) {
        const char *why;
        json_t *now = load(t->cache, &why);
        if (now)
            json_object_update_missing(t->known, now);
        json_decref(now);
        if (lwi_make_folders_above(t->cache) != LW_OK ||
            save(document(&t->device->info, t->known), t->cache) != LW_OK)
            lw_error_clear(); /* a cache only saves time */
    }
    json_decref(t->known);
    json_decref(t->used);
    lw_free(t->cache);
    lw_free(t->record);
    lw_free(t);
}

/* --- measuring ---------------------------------------------------------------------------------- */
/* A program of nothing but this convolution, on memory that nobody has written. */
static lw_program *only(lw_device *device, lwi_algorithm algorithm, const lwi_conv *c)
{
    lw_program *p = lwi_program_create(device);
    lwi_lowering *l = p ? lw_alloc(1, sizeof *l) : NULL;
    if (!l) {
        lw_program_destroy(p);
        return NULL;
    }
    p->lowered = l;
    l->target = device->target;
    l->target.tuning = NULL;
    l->backend = device->backend;
    l->alignment = device->alignment;
    lwi_buffer_add(l, &(lwi_buffer_info){.count = 1});
    const lwi_buffer x = lwi_scratch(l, (size_t)c->n * (size_t)c->h * (size_t)c->w * (size_t)c->c);
    const lwi_buffer w = lwi_scratch(l, (size_t)c->k * (size_t)c->c * (size_t)c->r * (size_t)c->s);
    const lwi_buffer y = lwi_scratch(l, (size_t)c->n * (size_t)c->oh * (size_t)c->ow * (size_t)c->k);
    if (l->status != LW_OK || lwi_conv_by(l, algorithm, c, x, w, y, NULL) != LW_OK || l->status != LW_OK ||
        lwi_plan_memory(l) != LW_OK || lwi_prepare(p) != LW_OK || lwi_bind_arena(p) != LW_OK) {
        lw_program_destroy(p);
        return NULL;
    }
    return p;
}

static lw_status enqueue(lw_program *p, bool packs)
{
    for (int s = 0; s < p->lowered->step_count; s++) {
        const lwi_launch *launch = &p->lowered->step[s].launch;
        if (packs || strncmp(launch->kernel, "pack", 4) != 0)
            LW_TRY(lwi_cl(clEnqueueNDRangeKernel(p->device->queue, p->enqueue[s].kernel, 3, NULL,
                                                 launch->global, launch->local, 0, NULL, NULL),
                          "measure a kernel"));
    }
    return lwi_cl(clFinish(p->device->queue), "measure a kernel");
}

/* Seconds of the fastest of a few runs, without the packing that is done once where the filter is
 * constant. */
static lw_status measure(lw_device *device, lwi_algorithm algorithm, const lwi_conv *c, double *seconds)
{
    lw_program *p = only(device, algorithm, c);
    lw_status status = p ? enqueue(p, true) : lw_error_status();
    double sum = 0;
    for (int run = 0; status == LW_OK && run < MOST_RUNS && sum < ENOUGH; run++) {
        const double from = lwi_clock();
        status = enqueue(p, c->varies);
        const double took = lwi_clock() - from;
        *seconds = run == 0 || took < *seconds ? took : *seconds;
        sum += took;
    }
    lw_program_destroy(p);
    return status;
}

/* What was measured, or NULL where nothing could be. */
static json_t *choose(lwi_tuning *t, const lwi_lowering *l, const lwi_conv *c)
{
    const lwi_algorithm expected = lwi_cheapest(l, c);
    const double least = lwi_conv_cost(l, expected, c);
    json_t *ms = json_object();
    double best = 0, seconds;
    const char *name = NULL;
    for (int i = 0; i < LWI_ALGORITHMS; i++) {
        const lwi_algorithm a = (lwi_algorithm)i;
        if (!lwi_conv_can(a, c) || lwi_conv_cost(l, a, c) > WORTH_TRYING * least)
            continue;
        if (measure(t->device, a, c, &seconds) != LW_OK) {
            lw_error_clear(); /* it may need more memory than there is */
            continue;
        }
        json_object_set_new(ms, lwi_algorithm_name(a), json_real((double)(int64_t)(seconds * 1e6) / 1e3));
        seconds *= a == expected ? BETTER : 1;
        if (!name || seconds < best)
            best = seconds, name = lwi_algorithm_name(a);
    }
    json_t *choice = name ? json_pack("{s:s, s:O}", "algorithm", name, "ms", ms) : NULL;
    json_decref(ms);
    return choice;
}

/* "forward 1x32x32x512 to 32x32x512 by 3x3 stride 1 padding 1" */
static void key_of(const lwi_conv *c, char *key)
{
    static const char *const kinds[] = {"forward", "transpose", "filter"};
    snprintf(key, KEY, "%s %dx%dx%dx%d to %dx%dx%d by %dx%d stride %d padding %d%s", kinds[c->kind], c->n,
             c->h, c->w, c->c, c->oh, c->ow, c->k, c->r, c->s, c->stride, c->padding,
             c->varies ? ", filter varies" : "");
}

static int ways(const lwi_lowering *l, const lwi_conv *c)
{
    const double least = lwi_conv_cost(l, lwi_cheapest(l, c), c);
    int count = 0;
    for (int a = 0; a < LWI_ALGORITHMS; a++)
        count += lwi_conv_can((lwi_algorithm)a, c) &&
                 lwi_conv_cost(l, (lwi_algorithm)a, c) <= WORTH_TRYING * least;
    return count;
}

/* A choice that names what cannot be done, written by hand perhaps, is passed over. */
static void use(const json_t *choice, const lwi_conv *c, lwi_algorithm *algorithm)
{
    lwi_algorithm chosen;
    if (is_algorithm(json_string_value(json_object_get(choice, "algorithm")), &chosen) &&
        lwi_conv_can(chosen, c))
        *algorithm = chosen;
}

lwi_algorithm lwi_tuned(lwi_tuning *t, const lwi_lowering *l, const lwi_conv *c)
{
    char key[KEY];
    lwi_algorithm algorithm = lwi_cheapest(l, c);
    key_of(c, key);
    json_t *choice = json_object_get(t->used, key);
    if (choice) {
        use(choice, c, &algorithm);
        return algorithm;
    }
    choice = json_incref(json_object_get(t->known, key));
    if (!choice && ways(l, c) > 1) {
        choice = choose(t, l, c);
        if (choice && json_object_set(t->known, key, choice) == 0)
            t->measured = true;
    }
    if (!choice)
        return algorithm;
    use(choice, c, &algorithm);
    json_object_set_new(t->used, key, choice);
    if (t->record && save_record(t) != LW_OK)
        lw_error_clear();
    return algorithm;
}
