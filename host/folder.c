/* folder.c — making the run folder, and knowing what a run was made of. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/folder.h"
#include "common.h"
#include "plugin/args.h"

const char *lwh_now(char *buffer)
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(buffer, LWH_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return buffer;
}

/* --- folders -------------------------------------------------------------------------------------- */
static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

lw_status lwh_remove_tree(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return LW_OK;
    return lw_fail(LW_IO, "cannot remove '%s': %s", path, strerror(errno));
}

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT;
    bool empty = true;
    for (struct dirent *entry; (entry = readdir(folder));)
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(folder);
    return empty;
}

char *lwh_pipeline_name(const char *file)
{
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file, *dot = strrchr(name, '.');
    int length = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    return lw_format("%.*s", length > 100 ? 100 : length, name);
}

/* A name of its own under runs/, also when two runs begin in one second. */
static char *make_dated(const char *file)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &parts);
    char *name = lwh_pipeline_name(file);
    char *path = NULL;
    if (name && lwi_make_folder("runs") == LW_OK)
        for (int n = 1; n < 1000; n++) {
            path = n == 1 ? lw_format("runs/%s-%s", name, stamp) : lw_format("runs/%s-%s-%d", name, stamp, n);
            if (!path || mkdir(path, 0777) == 0)
                break;
            lw_fail(LW_IO, "cannot make the folder '%s': %s", path, strerror(errno));
            bool taken = errno == EEXIST;
            lw_free(path);
            path = NULL;
            if (!taken)
                break;
        }
    lw_free(name);
    return path;
}

char *lwh_folder_create(const char *pipeline_file, const char *out)
{
    if (!out)
        return make_dated(pipeline_file);
    if (!is_empty(out)) {
        lw_fail(LW_INVALID,
                "the folder '%s' is not empty; give another --out, or go on with: latentwalk resume %s", out,
                out);
        return NULL;
    }
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/')
        length--;
    char *path = lw_format("%.*s", (int)length, out);
    if (path && lwi_make_folders_above(path) == LW_OK && lwi_make_folder(path) == LW_OK)
        return path;
    lw_free(path);
    return NULL;
}

/* --- what a run is made of --------------------------------------------------------------------------- */
static lw_status add_plugin(const lwh_pipeline *p, json_t *plugins, const char *id)
{
    char hash[17];
    if (json_object_get(plugins, id))
        return LW_OK;
    const lwi_entry *entry = lwi_registry_find(p->registry, id);
    if (!entry)
        return lw_error_status();
    LW_TRY(lwh_hash_file(entry->path, hash));
    json_object_set_new(
        plugins, id,
        json_pack("{s:s, s:s, s:s}", "version", entry->version, "path", entry->path, "hash", hash));
    return LW_OK;
}

static lw_status add_losses(const lwh_pipeline *p, json_t *plugins, const lw_args *args)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->type == LW_PARAM_LOSSES)
            for (int k = 0; k < lwi_args_loss_count(args, param->key); k++)
                LW_TRY(add_plugin(p, plugins, lwi_plugin_id(lwi_args_loss(args, param->key, k)->plugin)));
    }
    return LW_OK;
}

static lw_status add_weights(json_t *weights, const lwh_model *model, int part)
{
    const lwh_part *spec = &model->parts[part];
    char hash[17], key[LWI_NAME_BYTES + 24];
    if (!spec->file)
        return LW_OK;
    LW_TRY(lwh_hash_file(spec->file, hash));
    snprintf(key, sizeof(key), "%s.%.*s", model->name, (int)strcspn(spec->uses, "/"), spec->uses);
    json_object_set_new(weights, key, json_pack("{s:s, s:s}", "path", spec->file, "hash", hash));
    return LW_OK;
}

static lw_status collect(const lwh_pipeline *p, json_t *plugins, json_t *weights)
{
    for (int i = 0; i < p->model_count; i++)
        for (int part = 0; part < LWI_PART_COUNT; part++)
            if (p->models[i].parts[part].uses) {
                LW_TRY(add_plugin(p, plugins, p->models[i].parts[part].uses));
                LW_TRY(add_weights(weights, &p->models[i], part));
            }
    for (int i = 0; i < p->step_count; i++) {
        LW_TRY(add_plugin(p, plugins, p->steps[i].uses));
        LW_TRY(add_losses(p, plugins, p->steps[i].args));
    }
    return LW_OK;
}

json_t *lwh_ingredients(const lwh_pipeline *p)
{
    json_t *plugins = json_object(), *weights = json_object();
    if (collect(p, plugins, weights) != LW_OK) {
        json_decref(plugins);
        json_decref(weights);
        return NULL;
    }
    return json_pack("{s:o, s:o}", "plugins", plugins, "weights", weights);
}

static char *compare_one(char *list, const char *what, const json_t *before, const json_t *now)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)now, key, value) {
        const char *old = json_string_value(json_object_get(json_object_get(before, key), "hash"));
        const char *fresh = json_string_value(json_object_get(value, "hash"));
        if (old && fresh && strcmp(old, fresh) == 0)
            continue;
        char *longer = lw_format("%s%s%s '%s' was %s, is now %s", list ? list : "", list ? "; " : "", what,
                                 key, old ? old : "not used", fresh ? fresh : "unknown");
        lw_free(list);
        list = longer;
    }
    return list;
}

lw_status lwh_compare_ingredients(const json_t *before, const json_t *now)
{
    char *list =
        compare_one(NULL, "plugin", json_object_get(before, "plugins"), json_object_get(now, "plugins"));
    list = compare_one(list, "weights", json_object_get(before, "weights"), json_object_get(now, "weights"));
    if (!list)
        return LW_OK;
    lw_fail(LW_INVALID, "%s", list);
    lw_free(list);
    return LW_INVALID;
}
