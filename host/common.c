/* common.c — finding plugins, telling errors, loading pipelines, small JSON files. */
#include "common.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latentwalk/image.h"
#include "plugin/args.h"

#ifndef LWH_PLUGIN_DIR
#error "LWH_PLUGIN_DIR: the plugins' folder, relative to the folder of the program"
#endif

/* --- plugins ------------------------------------------------------------------------------------- */
/* The plugins lie beside the program, wherever both were put. */
static lw_status scan_installed(lwi_registry *registry)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length <= 0)
        return LW_OK;
    program[length] = 0;
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = 0;
    char *folder = lw_format("%s/%s", program, LWH_PLUGIN_DIR);
    char *plain = folder ? realpath(folder, NULL) : NULL;
    lw_status status = !folder ? LW_MEMORY : plain ? lwi_registry_scan(registry, plain) : LW_OK;
    lw_free(folder);
    free(plain);
    return status;
}

lwi_registry *lwh_find_plugins(const lwh_options *options)
{
    lwi_registry *registry = lwi_registry_create();
    if (registry && lwi_registry_scan_list(registry, options->plugin_path) == LW_OK &&
        lwi_registry_scan_list(registry, getenv("LATENTWALK_PLUGIN_PATH")) == LW_OK &&
        scan_installed(registry) == LW_OK)
        return registry;
    lwh_tell_error(options, 0);
    lwi_registry_destroy(registry);
    return NULL;
}

/* --- errors --------------------------------------------------------------------------------------- */
int lwh_tell_error(const lwh_options *options, int status)
{
    if (options->json) {
        json_t *line = json_pack("{s:s, s:s, s:s}", "event", "error", "status",
                                 lw_status_name(lw_error_status()), "message", lw_error_text());
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        json_decref(line);
        fputc('\n', stdout);
        fflush(stdout);
        return status;
    }
    fprintf(stderr, "latentwalk: %s\n", lw_error_message(0) ? lw_error_message(0) : "unknown error");
    for (int depth = 1; lw_error_message(depth); depth++)
        fprintf(stderr, "%*sbecause: %s\n", 2 * depth, "", lw_error_message(depth));
    return status;
}

lwh_pipeline *lwh_load_checked(const lwh_options *options, lwi_registry *registry, const char *file,
                               const char *const *sets)
{
    lwh_pipeline *pipeline = lwh_pipeline_load(registry, file, sets);
    if (!pipeline) {
        lwh_tell_error(options, 0);
        return NULL;
    }
    if (lwh_check(pipeline) == LW_OK) {
        if (pipeline->notes && !options->quiet && !options->json)
            fprintf(stderr, "%s", pipeline->notes);
        return pipeline;
    }
    if (options->json)
        lwh_diagnostics_print_json(pipeline->diagnostics, stdout);
    else
        lwh_diagnostics_print(pipeline->diagnostics, stderr);
    lwh_pipeline_destroy(pipeline);
    return NULL;
}

/* --- arguments as JSON ----------------------------------------------------------------------------- */
static json_t *list_json(const lw_args *args, const lw_param *param)
{
    json_t *list = json_array();
    for (int i = 0; i < lw_list_count(args, param->key); i++)
        if (param->type == LW_PARAM_INTS)
            json_array_append_new(list, json_integer(lw_list_int(args, param->key, i)));
        else if (param->type == LW_PARAM_FLOATS)
            json_array_append_new(list, json_real(lw_list_float(args, param->key, i)));
        else
            json_array_append_new(list, json_string(lw_list_text(args, param->key, i)));
    return list;
}

static json_t *losses_json(const lw_args *args, const char *key)
{
    json_t *list = json_array();
    for (int i = 0; i < lwi_args_loss_count(args, key); i++) {
        const lwi_loss_item *item = lwi_args_loss(args, key, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:o}", "id", item->id, "uses",
                                              lwi_plugin_id(item->plugin), "weight", item->weight, "with",
                                              lwh_args_json(item->args)));
    }
    return list;
}

static json_t *value_json(const lw_args *args, const lw_param *param)
{
    if (param->type == LW_PARAM_LOSSES)
        return losses_json(args, param->key);
    if (!lw_is_set(args, param->key))
        return json_null();
    if (lwi_param_is_list(param))
        return list_json(args, param);
    if (param->type == LW_PARAM_INT)
        return json_integer(lw_int(args, param->key));
    if (param->type == LW_PARAM_FLOAT)
        return json_real(lw_float(args, param->key));
    if (param->type == LW_PARAM_BOOL)
        return json_boolean(lw_bool(args, param->key));
    return json_string(lw_text(args, param->key));
}

json_t *lwh_args_json(const lw_args *args)
{
    json_t *object = json_object();
    const lw_plugin *plugin = lwi_args_plugin(args);
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        json_object_set_new(object, param->key, value_json(args, param));
    }
    return object;
}

/* --- files ------------------------------------------------------------------------------------------ */
lw_status lwh_hash_file(const char *path, char *hash)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return lw_fail(LW_IO, "cannot read '%s': %s", path, strerror(errno));
    uint64_t value = 0xcbf29ce484222325u;
    unsigned char block[65536];
    size_t count;
    while ((count = fread(block, 1, sizeof(block), file)) > 0)
        for (size_t i = 0; i < count; i++)
            value = (value ^ block[i]) * 0x100000001b3u;
    const bool failed = ferror(file);
    const int reason = errno;
    fclose(file);
    if (failed)
        return lw_fail(LW_IO, "cannot read '%s': %s", path, strerror(reason));
    snprintf(hash, 17, "%016llx", (unsigned long long)value);
    return LW_OK;
}

lw_status lwh_write_json(const char *path, const json_t *value, int digits)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(digits)) : NULL;
    if (!text)
        return lw_fail(LW_MEMORY, "out of memory");
    char *line = lw_format("%s\n", text);
    free(text);
    lw_status status = line ? lw_file_write(path, line, strlen(line)) : LW_MEMORY;
    lw_free(line);
    return status;
}

json_t *lwh_read_json(const char *path)
{
    json_error_t problem;
    uint8_t *data = NULL;
    size_t size = 0;
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        return NULL;
    json_t *value = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &problem);
    lw_free(data);
    if (!value)
        lw_fail(LW_FORMAT, "%s:%d:%d: %s", path, problem.line, problem.column, problem.text);
    return value;
}
