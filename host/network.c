/* network.c — see network.h. */
#include "network.h"
#include "tuning.h"

#include <string.h>

#include "plugin/args.h"
#include "plugin/prefix.h"

static lw_status set_args(lw_args *args, const char *const *with)
{
    for (; with && *with; with++) {
        const char *equals = strchr(*with, '=');
        char *key = lw_format("%.*s", (int)(equals ? equals - *with : 0), *with);
        lw_status status = !key      ? LW_MEMORY
                           : !equals ? lw_fail(LW_INVALID, "'%s' is not of the form key=value", *with)
                                     : lwi_args_set_text(args, key, equals + 1, true);
        lw_free(key);
        LW_TRY(status);
    }
    return LW_OK;
}

static lw_status set_part(lw_model *model, lw_part part, const lw_plugin *plugin, lw_store *weights,
                          const char *prefix, const char *const *with)
{
    lw_args *args = lwi_args_create(plugin);
    if (!args)
        return lw_error_status();
    lw_status status = set_args(args, with);
    if (status == LW_OK)
        return lwi_model_set_part(model, part, plugin, args, weights, prefix, 0);
    lwi_args_destroy(args);
    return status;
}

const lwi_entry *lwh_network_next(lw_model *model, lwi_registry *registry, lw_part part, lw_store *weights,
                                  const char *prefix, size_t *at, lw_status *status)
{
    while (*at < lwi_registry_count(registry)) {
        const lwi_entry *entry = lwi_registry_at(registry, (*at)++);
        if (entry->refused || entry->kind != lwi_part_kind(part))
            continue;
        const lw_plugin *plugin = lwi_registry_load(registry, entry->id);
        *status = plugin ? set_part(model, part, plugin, weights, prefix, NULL) : LW_UNSUPPORTED;
        if (*status != LW_UNSUPPORTED)
            return entry;
    }
    return NULL;
}

/* The plugin whose architecture the weights are: the first that takes them all, else the first that
 * recognises them (whose complaint is then the one to hear). NULL with an error. */
static const lw_plugin *detect(lw_model *model, lwi_registry *registry, lw_part part, lw_store *weights,
                               const char *prefix)
{
    const lwi_entry *entry, *first = NULL;
    lw_status status = LW_OK;
    size_t at = 0;
    do {
        entry = lwh_network_next(model, registry, part, weights, prefix, &at, &status);
        first = first ? first : entry;
    } while (entry && status != LW_OK);
    if (!first)
        lw_fail(LW_UNSUPPORTED,
                "no %s plugin recognises these %zu tensors ('%s', …); `latentwalk inspect` shows them all",
                lwi_part_name(part), lw_store_count(weights),
                lw_store_count(weights) ? lw_store_name(weights, 0) : "");
    return first ? lwi_registry_load(registry, (entry ? entry : first)->id) : NULL;
}

const lw_plugin *lwh_network_named(lwi_registry *registry, const char *id)
{
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin)
        lw_wrap("the file says that its plugin is %s", id);
    return plugin;
}

lw_status lwh_network_part(lw_model *model, lwi_registry *registry, lw_part part, lw_store *weights,
                           const char *id, const char *prefix, const char *const *with)
{
    char named[LWI_ID_BYTES];
    const lw_plugin *plugin = NULL;
    if (!id && lwi_store_uses(weights, part, named)) {
        plugin = lwh_network_named(registry, named);
    } else if (id) {
        char *full = strchr(id, '/') ? lw_strdup(id) : lw_format("%s/%s", lwi_part_name(part), id);
        plugin = full ? lwi_registry_load(registry, full) : NULL;
        lw_free(full);
    } else {
        plugin = detect(model, registry, part, weights, prefix);
        if (plugin && lwi_model_plugin(model, part) == plugin && !(with && *with))
            return LW_OK;
    }
    return plugin ? set_part(model, part, plugin, weights, prefix, with) : lw_error_status();
}

const char *lwh_set_value(const lwh_options *options, const char *path)
{
    const char *value = NULL;
    size_t length = strlen(path);
    for (int i = 0; i < options->set_count; i++)
        if (strncmp(options->sets[i], path, length) == 0 && options->sets[i][length] == '=')
            value = options->sets[i] + length + 1;
    return value;
}

lw_device *lwh_open_device(const lwh_options *options)
{
    lw_device *device =
        lw_device_open(lwh_set_value(options, "device.select"), lwh_set_value(options, "device.blas"));
    if (device && lwh_tune(device, lwh_default_tuning(), NULL) != LW_OK) {
        lw_device_close(device);
        return NULL;
    }
    return device;
}
