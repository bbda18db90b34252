/* detect.c — which plugins take a file's weights. */
#include "detect.h"

#include "common.h"
#include "network.h"
#include "plugin/prefix.h"

static json_t *sizes_json(const lw_dims *dims)
{
    json_t *object = json_object();
    for (int i = 0; i < dims->count; i++)
        json_object_set_new(object, dims->entry[i].name, json_integer(dims->entry[i].value));
    return object;
}

/* What the model's part, just set with this status, says of the plugin. */
static lw_status describe(const lw_model *model, lw_part part, const char *id, lw_status status,
                          lwh_match *match)
{
    *match = (lwh_match){.id = lw_strdup(id)};
    if (status == LW_OK) {
        match->prefix = lw_strdup(lwi_model_prefix(model, part));
        match->args = lwh_args_json(lwi_model_args(model, part));
        match->sizes = sizes_json(lwi_model_dims(model));
    } else {
        match->problem = lw_strdup(lw_error_text());
    }
    return match->id && (match->prefix || match->problem) && status != LW_MEMORY ? LW_OK : LW_MEMORY;
}

/* By the plugin that the file names, and no other. */
static lw_status detect_named(lw_model *model, lwi_registry *registry, lw_store *weights, lw_part part,
                              const char *id, lwh_match *matches, int *count)
{
    const bool absent = !lwh_network_named(registry, id);
    const lw_status status =
        absent ? lw_error_status() : lwh_network_part(model, registry, part, weights, id, NULL, NULL);
    if (!absent && status == LW_UNSUPPORTED) /* the part is in another file */
        return LW_OK;
    lwh_match *match = &matches[(*count)++];
    LW_TRY(describe(model, part, id, status, match));
    match->absent = absent;
    return LW_OK;
}

/* By each plugin that recognises them. */
static lw_status detect(lw_model *model, lwi_registry *registry, lw_store *weights, lw_part part,
                        lwh_match *matches, int *count)
{
    char named[LWI_ID_BYTES];
    const lwi_entry *entry;
    lw_status status;
    size_t at = 0;
    if (lwi_store_uses(weights, part, named))
        return detect_named(model, registry, weights, part, named, matches, count);
    if (part == LW_PART_NETWORK) /* what its outputs mean is not found from tensors */
        return LW_OK;
    while (*count < LWH_MOST_MATCHES - LWI_PART_COUNT &&
           (entry = lwh_network_next(model, registry, part, weights, NULL, &at, &status)))
        LW_TRY(describe(model, part, entry->id, status, &matches[(*count)++]));
    return LW_OK;
}

/* By this plugin, which must recognise them. */
static lw_status detect_as(lw_model *model, lwi_registry *registry, lw_store *weights, const char *id,
                           lwh_match *matches, int *count)
{
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin)
        return lw_error_status();
    lw_part part = LW_PART_GENERATOR;
    for (int i = 0; i < LWI_PART_COUNT; i++)
        if ((uint32_t)lwi_part_kind((lw_part)i) == plugin->prefix.kind)
            part = (lw_part)i;
    const lw_status status = lwh_network_part(model, registry, part, weights, id, NULL, NULL);
    return status == LW_UNSUPPORTED ? status : describe(model, part, id, status, &matches[(*count)++]);
}

int lwh_detect(lwi_registry *registry, lw_store *weights, const char *id, lwh_match *matches)
{
    int count = 0;
    lw_status status = LW_OK;
    for (int part = 0; part < (id ? 1 : LWI_PART_COUNT) && status == LW_OK; part++) {
        lw_model *model = lwi_model_create("file"); /* one for each part: they need not go together */
        status = !model ? LW_MEMORY
                 : id   ? detect_as(model, registry, weights, id, matches, &count)
                        : detect(model, registry, weights, (lw_part)part, matches, &count);
        lwi_model_destroy(model);
    }
    if (status == LW_OK)
        return count;
    lwh_matches_free(matches, count);
    return -1;
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
