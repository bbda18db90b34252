/* models.c — the `models:` of a pipeline: understanding the entries, and opening the models. */
#include <string.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "model/model.h"
#include "pipeline.h"
#include "plugin/args.h"
#include "step/runtime.h"

static const char *const model_keys[] = {"generator", "discriminator", "network", "weights", "prefix", NULL};
static const char *const part_keys[] = {"uses", "with", NULL};
static const char *const part_names[] = {"generator", "discriminator", "network", NULL};

/* --- understanding ------------------------------------------------------------------------------ */
/* `generator: dcgan`, or `generator: {uses: generator/dcgan, with: {…}}`. */
static void parse_part(lwh_pipeline *p, lwh_model *model, lw_part part, lwh_yaml *node)
{
    lwh_part *spec = &model->parts[part];
    spec->uses_node = node->kind == LWH_MAP ? lwh_yaml_get(node, "uses") : node;
    if (lwh_yaml_is_null(spec->uses_node) || spec->uses_node->kind != LWH_SCALAR) {
        lwh_report(p->diagnostics, node->place,
                   lwh_arena_format(p->arena, "as in: %s: dcgan, or %s: {uses: %s/dcgan, with: {...}}",
                                    part_names[part], part_names[part], part_names[part]),
                   "the %s of '%s' does not say which plugin it uses", part_names[part], model->name);
        model->broken = true;
        return;
    }
    if (node->kind == LWH_MAP) {
        lwh_unknown_keys(p, node, part_keys, part_names[part]);
        spec->with = lwh_yaml_get(node, "with");
    }
    spec->uses = strchr(spec->uses_node->text, '/')
                     ? spec->uses_node->text
                     : lwh_arena_format(p->arena, "%s/%s", part_names[part], spec->uses_node->text);
}

/* One text for all parts, or a mapping from parts to texts: of `weights` and `prefix`. */
static lwh_yaml *for_part(lwh_pipeline *p, lwh_model *model, const char *key, lw_part part)
{
    lwh_yaml *node = lwh_yaml_get(model->node, key);
    if (lwh_yaml_is_null(node))
        return NULL;
    if (node->kind == LWH_MAP) {
        lwh_unknown_keys(p, node, part_names, key);
        node = lwh_yaml_get(node, part_names[part]);
    }
    if (lwh_yaml_is_null(node))
        return NULL;
    if (node->kind == LWH_SCALAR)
        return node;
    lwh_report(p->diagnostics, node->place, "one text, or {generator: TEXT, discriminator: TEXT}",
               "`%s` of '%s' is %s", key, model->name, lwh_yaml_kind_name(node));
    model->broken = true;
    return NULL;
}

static void parse_files(lwh_pipeline *p, lwh_model *model, lw_part part)
{
    lwh_part *spec = &model->parts[part];
    spec->prefix_node = for_part(p, model, "prefix", part);
    spec->prefix = spec->prefix_node ? spec->prefix_node->text : NULL;
    spec->weights = for_part(p, model, "weights", part);
    if (!spec->weights)
        return;
    spec->file = lwh_resolve_path(p->arena, spec->weights->place, spec->weights->text);
    if (spec->file && access(spec->file, R_OK) == 0)
        return;
    lwh_report(p->diagnostics, spec->weights->place,
               "relative paths start at the folder of the file they are written in",
               "model '%s': there is no readable file '%s'", model->name,
               spec->file ? spec->file : spec->weights->text);
    model->broken = true;
}

static void parse_model(lwh_pipeline *p, lwh_model *model, lwh_yaml *node)
{
    model->node = node;
    if (node->kind != LWH_MAP) {
        lwh_report(p->diagnostics, node->place, "as in: {generator: dcgan, weights: faces.safetensors}",
                   "model '%s' must be a mapping, this is %s", model->name, lwh_yaml_kind_name(node));
        model->broken = true;
        return;
    }
    lwh_unknown_keys(p, node, model_keys, "a model");
    int parts = 0;
    for (int part = 0; part < LWI_PART_COUNT; part++) {
        lwh_yaml *spec = lwh_yaml_get(node, part_names[part]);
        if (lwh_yaml_is_null(spec))
            continue;
        parts++;
        parse_part(p, model, (lw_part)part, spec);
        parse_files(p, model, (lw_part)part);
    }
    if (parts)
        return;
    lwh_report(p->diagnostics, node->place,
               "a generator, a discriminator or a network, as in: generator: dcgan",
               "model '%s' has no parts", model->name);
    model->broken = true;
}

void lwh_parse_models(lwh_pipeline *p, lwh_yaml *node)
{
    if (lwh_yaml_is_null(node))
        return;
    if (node->kind != LWH_MAP) {
        lwh_report(p->diagnostics, node->place,
                   "as in: models: {faces: {generator: dcgan, weights: faces.safetensors}}",
                   "`models` maps names to models, this is %s", lwh_yaml_kind_name(node));
        return;
    }
    p->models = lwh_arena_alloc(p->arena, (size_t)node->count * sizeof(*p->models) + 1);
    for (int i = 0; p->models && i < node->count; i++) {
        lwh_model *model = &p->models[p->model_count];
        const char *name = node->key[i]->text;
        size_t plain = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        if (!plain || name[plain] || plain >= LWI_NAME_BYTES) {
            lwh_report(p->diagnostics, node->key[i]->place,
                       "letters, digits, '_' and '-', at most 63 of them", "not a name for a model");
            continue;
        }
        model->name = name;
        model->place = node->key[i]->place;
        parse_model(p, model, node->value[i]);
        p->model_count++;
    }
}

/* --- opening ------------------------------------------------------------------------------------ */
const lw_plugin *lwh_load_plugin(lwh_pipeline *p, const char *id, lwh_place place, const char *const *kinds)
{
    size_t length = strcspn(id, "/");
    bool fits = false;
    const char *accepted = kinds[0];
    for (int i = 0; kinds[i]; i++) {
        fits = fits || (strlen(kinds[i]) == length && strncmp(kinds[i], id, length) == 0 && id[length]);
        accepted = i && accepted ? lwh_arena_format(p->arena, "%s, %s", accepted, kinds[i]) : accepted;
    }
    if (!fits) {
        lwh_report(p->diagnostics, place,
                   lwh_arena_format(p->arena, "KIND/NAME, where KIND is %s%s", kinds[1] ? "one of " : "",
                                    accepted ? accepted : ""),
                   "'%s' cannot be used here", id);
        return NULL;
    }
    const lw_plugin *plugin = lwi_registry_load(p->registry, id);
    if (!plugin)
        lwh_report(p->diagnostics, place, "`latentwalk plugins` lists what there is", "%s", lw_error_text());
    return plugin;
}

/* The store of a file, loaded once per model. */
static lw_store *load_weights(lwh_pipeline *p, lwh_model *model, lw_part part, lw_store **loaded)
{
    const lwh_part *spec = &model->parts[part];
    for (int i = 0; i < (int)part; i++)
        if (loaded[i] && strcmp(model->parts[i].file, spec->file) == 0)
            return loaded[i];
    loaded[part] = lwi_weights_load(spec->file);
    if (!loaded[part])
        lwh_report(p->diagnostics, spec->weights->place, NULL, "model '%s': %s", model->name,
                   lw_error_text());
    return loaded[part];
}

/* The part's plugin with its arguments; NULL when they do not fit, which is then reported. */
static lw_args *open_args(lwh_pipeline *p, const lwh_model *model, lw_part part, const lw_plugin **plugin)
{
    const lwh_part *spec = &model->parts[part];
    const char *kinds[] = {part_names[part], NULL};
    *plugin = lwh_load_plugin(p, spec->uses, spec->uses_node->place, kinds);
    lw_args *args = *plugin ? lwi_args_create(*plugin) : NULL;
    bool swapped = lwh_is_swapped(spec->uses_node);
    if (args && lwh_fill_args(p, args, spec->with, swapped) &&
        (spec->weights || lwh_complete(p, args, spec->with, model->place)))
        return args;
    lwi_args_destroy(args);
    return NULL;
}

static bool open_part(lwh_pipeline *p, lwh_model *model, lw_part part, lw_store **loaded)
{
    const lwh_part *spec = &model->parts[part];
    const lw_plugin *plugin;
    lw_args *args = open_args(p, model, part, &plugin);
    lw_store *weights = args && spec->file ? load_weights(p, model, part, loaded) : NULL;
    if (!args || (spec->file && !weights)) {
        lwi_args_destroy(args);
        return false;
    }
    uint64_t seed = lwi_mix_seed(lwi_mix_seed(p->seed, model->name), part_names[part]);
    if (lwi_model_set_part(model->model, part, plugin, args, weights, spec->prefix, seed) == LW_OK)
        return true;
    lwh_report(p->diagnostics, spec->weights ? spec->weights->place : spec->uses_node->place, NULL, "%s",
               lw_error_text());
    return false;
}

static void open_model(lwh_pipeline *p, lwh_model *model)
{
    lw_store *loaded[LWI_PART_COUNT] = {NULL};
    model->model = lwi_model_create(model->name);
    if (!model->model)
        lwh_report(p->diagnostics, model->place, NULL, "%s", lw_error_text());
    bool good = model->model != NULL;
    for (int part = 0; model->model && part < LWI_PART_COUNT; part++)
        if (model->parts[part].uses)
            good = open_part(p, model, (lw_part)part, loaded) && good;
    for (int part = 0; part < LWI_PART_COUNT; part++)
        lw_store_destroy(loaded[part]);
    model->broken = !good;
}

/* Of a model that cannot be opened: what else is wrong with it. */
static void check_parts(lwh_pipeline *p, const lwh_model *model)
{
    const lw_plugin *plugin;
    for (int part = 0; part < LWI_PART_COUNT; part++)
        if (model->parts[part].uses)
            lwi_args_destroy(open_args(p, model, (lw_part)part, &plugin));
}

void lwh_open_models(lwh_pipeline *p)
{
    for (int i = 0; i < p->model_count; i++)
        if (p->models[i].broken)
            check_parts(p, &p->models[i]);
        else
            open_model(p, &p->models[i]);
}
