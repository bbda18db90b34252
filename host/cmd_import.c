/* cmd_import.c — latentwalk import: any checkpoint to .safetensors, checked against the plugin that will use
 * it. */
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "common.h"
#include "detect.h"

/* Of what was detected, the plugins that fit, or those that do not. */
static int tell_matches(const lwh_options *options, const lwh_match *matches, int count)
{
    const lwh_match *wrong = NULL;
    int fit = 0;
    for (int i = 0; i < count; i++) {
        const lwh_match *match = &matches[i];
        fit += match->args != NULL;
        if (match->problem && !match->absent)
            wrong = match;
        if (match->absent && !options->json)
            fprintf(stderr, "%s; its tensors are written unchecked\n", match->problem);
        if (match->args && !options->json)
            fprintf(stderr, "%s fits%s%s%s\n", match->id, *match->prefix ? " under '" : "", match->prefix,
                    *match->prefix ? "'" : "");
    }
    if (fit || !wrong)
        return LWH_FINE;
    lw_fail(LW_SHAPE, "'%s' is not imported: %s", options->argument, wrong->problem);
    return lwh_tell_error(options, LWH_RUN_FAILED);
}

/* What the file now holds, for the next command line. */
static void tell_written(const lwh_options *options, lw_store *store, const lwh_match *matches, int count)
{
    if (!options->json) {
        printf("%s: %zu tensors\n", options->out, lw_store_count(store));
        return;
    }
    json_t *detected = json_array();
    for (int i = 0; i < count; i++)
        if (matches[i].args)
            json_array_append_new(detected, json_string(matches[i].id));
    json_t *line = json_pack("{s:s, s:s, s:I, s:o}", "event", "done", "file", options->out, "tensors",
                             (json_int_t)lw_store_count(store), "detected", detected);
    json_dumpf(line, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(line);
}

/* "generator/NAME", or a bare NAME of a generator. */
static char *architecture(const lwh_options *options)
{
    if (!options->arch)
        return NULL;
    return lw_format("%s%s", strchr(options->arch, '/') ? "" : "generator/", options->arch);
}

/* What --store asks for; false, told, when it is none of the three. */
static bool read_storage(const lwh_options *options, lw_storage *storage)
{
    static const char *const names[] = {"f32", "f16", "f8", NULL};
    for (int i = 0; names[i]; i++)
        if (strcmp(options->store ? options->store : "f32", names[i]) == 0) {
            *storage = (lw_storage)i;
            return true;
        }
    fprintf(stderr, "latentwalk: --store takes f32, f16 or f8, not '%s'\n", options->store);
    return false;
}

static int import(const lwh_options *options, lwi_registry *registry, lw_store *store, lw_storage storage)
{
    lwh_match matches[LWH_MOST_MATCHES];
    char *arch = architecture(options);
    int count = lwh_detect(registry, store, arch, matches);
    int code = LWH_RUN_FAILED;
    if (count < 0) {
        if (arch)
            lw_wrap("'%s' is not imported as %s", options->argument, arch);
        lwh_tell_error(options, 0);
    } else {
        code = tell_matches(options, matches, count);
        if (code == LWH_FINE && lw_store_save(store, options->out, storage) != LW_OK)
            code = lwh_tell_error(options, LWH_RUN_FAILED);
        else if (code == LWH_FINE)
            tell_written(options, store, matches, count);
    }
    if (code == LWH_FINE && count == 0 && !options->json)
        fprintf(stderr, "no plugin recognises these tensors; they are written as they are\n");
    lwh_matches_free(matches, count);
    lw_free(arch);
    return code;
}

int lwh_cmd_import(const lwh_options *options)
{
    if (!options->out) {
        fprintf(stderr, "latentwalk: import needs --out FILE\ntry: latentwalk import --help\n");
        return LWH_USAGE;
    }
    lw_storage storage;
    if (!read_storage(options, &storage))
        return LWH_USAGE;
    lwi_registry *registry = lwh_find_plugins(options);
    lwi_checkpoint *file = registry ? lwi_checkpoint_open(options->argument) : NULL;
    lw_store *store = file ? lwi_checkpoint_store(file, options->network) : NULL;
    int code = store ? import(options, registry, store, storage) : LWH_RUN_FAILED;
    if (registry && !store)
        lwh_tell_error(options, 0);
    lw_store_destroy(store);
    lwi_checkpoint_close(file);
    lwi_registry_destroy(registry);
    return code;
}
