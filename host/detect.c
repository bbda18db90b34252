/* detect.c — which plugins take a file's weights. */
#include "detect.h"

#include <stdio.h>
#include <string.h>

#include "common.h"
#include "model/internal.h"

static json_t *sizes_json(const lw_dims *dims)
{
    json_t *object = json_object();
    for (int i = 0; i < dims->count; i++)
        json_object_set_new(object, dims->entry[i].name, json_integer(dims->entry[i].value));
    return object;
}

/* Gives a model the part under `prefix`: LW_UNSUPPORTED where the plugin does not recognise it, else `match`
 * says whether it fits. */
static lw_status try_prefix(const lw_plugin *plugin, lw_part part, lw_store *weights, const char *prefix,
                            lwh_match *match)
{
    lw_model *model = lwi_model_create("file");
    lw_args *args = model ? lwi_args_create(plugin) : NULL;
    lw_status status = args ? lwi_model_set_part(model, part, plugin, args, weights, prefix, 0) : LW_MEMORY;
    if (status == LW_UNSUPPORTED || status == LW_MEMORY) {
        lwi_model_destroy(model);
        return status;
    }
    *match = (lwh_match){.id = lw_strdup(lwi_plugin_id(plugin)), .prefix = lw_strdup(prefix)};
    if (status == LW_OK) {
        match->args = lwh_args_json(lwi_model_args(model, part));
        match->sizes = sizes_json(lwi_model_dims(model));
    } else {
        match->problem = lw_strdup(lw_error_text());
    }
    lwi_model_destroy(model);
    return match->id && match->prefix ? LW_OK : LW_MEMORY;
}

/* With the plugin's own prefixes, in its order, then with that of a shipped file; stops at the first that
 * fits. */
static lw_status try_plugin(lwi_registry *registry, const char *id, lw_part part, lw_store *weights,
                            lwh_match *match)
{
    static const char *const none[] = {"", NULL};
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin)
        return lw_error_status();
    lw_status status = LW_UNSUPPORTED;
    const char *const *own = plugin->prefixes ? plugin->prefixes : none;
    for (; *own && status == LW_UNSUPPORTED; own++)
        status = try_prefix(plugin, part, weights, *own, match);
    if (status == LW_UNSUPPORTED)
        status = try_prefix(plugin, part, weights, lwi_part_prefix(part), match);
    return status;
}

int lwh_detect(lwi_registry *registry, lw_store *weights, const char *id, lwh_match *matches)
{
    int count = 0;
    if (id && !lwi_registry_find(registry, id))
        return -1;
    for (size_t i = 0; i < lwi_registry_count(registry) && count < LWH_MOST_MATCHES; i++) {
        const lwi_entry *entry = lwi_registry_at(registry, i);
        bool generator = entry->kind == LW_KIND_GENERATOR,
             wanted = !id || (entry->id && strcmp(entry->id, id) == 0);
        if (entry->refused || !wanted || !(generator || entry->kind == LW_KIND_DISCRIMINATOR))
            continue;
        lw_part part = generator ? LW_PART_GENERATOR : LW_PART_DISCRIMINATOR;
        lw_status status = try_plugin(registry, entry->id, part, weights, &matches[count]);
        if (status == LW_OK)
            count++;
        else if (status == LW_MEMORY || id) {
            lwh_matches_free(matches, count);
            return -1;
        }
    }
    return count;
}

void lwh_matches_free(lwh_match *matches, int count)
{
    for (int i = 0; i < count; i++) {
        lw_free(matches[i].id);
        lw_free(matches[i].prefix);
        lw_free(matches[i].problem);
        json_decref(matches[i].args);
        json_decref(matches[i].sizes);
    }
}
