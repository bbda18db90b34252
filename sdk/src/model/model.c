/* model.c — lw_model: its parts, sizes and identity. */
#include "model/internal.h"

#include <stdio.h>
#include <string.h>

const char *lwi_part_name(lw_part part)
{
    switch (part) {
#define X(name, value, text) \
    case LW_PART_##name: return text;
        LW_PART_MAP(X)
#undef X
    }
    return "part";
}

lw_kind lwi_part_kind(lw_part part)
{
    return part == LW_PART_GENERATOR       ? LW_KIND_GENERATOR
           : part == LW_PART_DISCRIMINATOR ? LW_KIND_DISCRIMINATOR
                                           : LW_KIND_NETWORK;
}

const char *lwi_part_prefix(lw_part part)
{
    static const char *const prefixes[LWI_PART_COUNT] = {"G.", "D.", "N."};
    return prefixes[part];
}

lw_model *lwi_model_create(const char *name)
{
    lw_model *model = lw_alloc(1, sizeof *model);
    if (!model)
        return NULL;
    model->name = lw_strdup(name);
    if (model->name)
        return model;
    lwi_model_destroy(model);
    return NULL;
}

static void clear_part(lwi_part *part)
{
    lwi_args_destroy(part->args);
    lw_store_destroy(part->store);
    lw_free(part->scope);
    lw_free(part->prefix);
    memset(part, 0, sizeof *part);
}

void lwi_model_destroy(lw_model *model)
{
    if (!model)
        return;
    lwi_model_drop_programs(model); /* before the stores they use */
    for (int i = 0; i < LWI_PART_COUNT; i++)
        clear_part(&model->part[i]);
    lw_free(model->name);
    lw_free(model);
}

/* --- parts ---------------------------------------------------------------------------------- */

lw_status lwi_part_dims(lwi_part *part)
{
    memset(&part->dims, 0, sizeof part->dims);
    if (part->plugin->prefix.kind == LW_KIND_GENERATOR)
        ((const lw_generator *)part->plugin->functions)->dims(part->args, &part->dims);
    else
        ((const lw_network *)part->plugin->functions)->dims(part->args, &part->dims);
    if (part->dims.failed)
        return lw_fail(LW_INVALID,
                       "%s: dims sets a size that is not positive, a name of more than 31 characters, or "
                       "more than %d sizes",
                       lwi_plugin_id(part->plugin), LWI_MAX_DIMS);
    return LW_OK;
}

static lw_status create_weights(lwi_part *part, lw_part which, uint64_t seed)
{
    LW_TRY(lwi_part_dims(part));
    part->store = lw_store_create();
    lw_graph *g = part->store ? lw_graph_create() : NULL;
    if (!g)
        return LW_MEMORY;
    /* Tensors of the same name in different parts must not start from the same numbers. */
    lwi_part_build(g, part, which, true, seed + (uint64_t)which * 0x9e3779b97f4a7c15u);
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

static void collect_dims(lw_model *model)
{
    static const lw_part order[] = {LW_PART_GENERATOR, LW_PART_NETWORK, LW_PART_DISCRIMINATOR};
    memset(&model->dims, 0, sizeof model->dims);
    for (int k = 0; k < LWI_PART_COUNT; k++) {
        const lw_dims *dims = &model->part[order[k]].dims;
        for (int i = 0; i < dims->count; i++)
            if (!lwi_dims_get(&model->dims, dims->entry[i].name))
                lw_dims_set(&model->dims, dims->entry[i].name, dims->entry[i].value);
    }
}

/* A discriminator looks at the generator's pictures: their sizes must be the same. */
static lw_status check_pair(const lw_model *model)
{
    static const char *const sizes[] = {"channels", "height", "width"};
    const lwi_part *g = &model->part[LW_PART_GENERATOR], *d = &model->part[LW_PART_DISCRIMINATOR];
    for (int i = 0; g->plugin && d->plugin && i < 3; i++) {
        int64_t made = lwi_dims_get(&g->dims, sizes[i]), taken = lwi_dims_get(&d->dims, sizes[i]);
        if (made && taken && made != taken)
            return lw_fail(LW_SHAPE, "%s makes images with %s %lld, but %s takes %lld",
                           lwi_plugin_id(g->plugin), sizes[i], (long long)made, lwi_plugin_id(d->plugin),
                           (long long)taken);
    }
    return LW_OK;
}

static lw_status fill_part(lw_model *model, lw_part which, lw_store *weights, const char *prefix,
                           uint64_t seed)
{
    lwi_part *part = &model->part[which];
    if (part->plugin->prefix.kind != (uint32_t)lwi_part_kind(which))
        return lw_fail(LW_INVALID, "%s is no %s", lwi_plugin_id(part->plugin), lwi_part_name(which));
    part->scope = lw_format("%s.%s", model->name, lwi_part_name(which));
    if (!part->scope)
        return LW_MEMORY;
    LW_TRY(weights ? lwi_part_load(part, which, weights, prefix) : create_weights(part, which, seed));
    LW_TRY(lwi_labels_check(model));
    return check_pair(model);
}

lw_status lwi_model_set_part(lw_model *model, lw_part which, const lw_plugin *plugin, lw_args *args,
                             lw_store *weights, const char *prefix, uint64_t seed)
{
    lwi_part *part = &model->part[which];
    lwi_model_drop_programs(model);
    clear_part(part);
    part->plugin = plugin;
    part->args = args;
    lw_status status = fill_part(model, which, weights, prefix, seed);
    if (status != LW_OK) {
        lw_wrap("model '%s', %s", model->name, lwi_part_name(which));
        clear_part(part);
    }
    collect_dims(model);
    lw_model_changed(model);
    return status;
}

const lw_plugin *lwi_model_plugin(const lw_model *model, lw_part part)
{
    return model->part[part].plugin;
}
const lw_args *lwi_model_args(const lw_model *model, lw_part part)
{
    return model->part[part].args;
}
const char *lwi_model_prefix(const lw_model *model, lw_part part)
{
    return model->part[part].prefix;
}
const lw_dims *lwi_model_dims(const lw_model *model)
{
    return &model->dims;
}

/* --- questions ------------------------------------------------------------------------------ */

const char *lw_model_name(const lw_model *model)
{
    return model->name;
}

int64_t lw_model_dim(const lw_model *model, const char *name)
{
    return lwi_dims_get(&model->dims, name);
}

lw_store *lw_model_store(lw_model *model, lw_part part)
{
    return (unsigned)part < LWI_PART_COUNT ? model->part[part].store : NULL;
}

bool lw_model_has(const lw_model *model, const char *capability)
{
    for (int i = 0; i < LWI_PART_COUNT; i++) {
        const lw_plugin *plugin = model->part[i].plugin;
        if (plugin && (strcmp(capability, lwi_part_name((lw_part)i)) == 0 ||
                       lwi_list_has(plugin->provides, capability)))
            return true;
    }
    return false;
}

void lw_model_changed(lw_model *model)
{
    model->identity_known = false;
}

const char *lw_model_identity(lw_model *model)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a over each part's name and hash */
    for (int i = 0; i < LWI_PART_COUNT && !model->identity_known; i++) {
        char text[64], store_hash[17] = "";
        if (!model->part[i].plugin)
            continue;
        if (lw_store_hash(model->part[i].store, store_hash) != LW_OK)
            return NULL;
        snprintf(text, sizeof text, "%s=%s;", lwi_part_name((lw_part)i), store_hash);
        for (const char *c = text; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    }
    if (!model->identity_known)
        snprintf(model->identity, sizeof model->identity, "%016llx", (unsigned long long)hash);
    model->identity_known = true;
    return model->identity;
}
