/* values.c — from `with:` to a plugin's arguments, each mistake at its own place. */
#include <string.h>
#include <unistd.h>

#include "pipeline.h"
#include "plugin/args.h"

static const char *const loss_keys[] = {"uses", "weight", "with", "id", NULL};

bool lwh_is_override(lwh_place place)
{
    return place.file && strncmp(place.file, "--", 2) == 0;
}

bool lwh_is_swapped(const lwh_yaml *node)
{
    return node->varied || lwh_is_override(node->place);
}

lwh_place lwh_param_place(const lwh_yaml *with, const char *key, lwh_place fallback)
{
    const lwh_yaml *value = lwh_yaml_get(with, key);
    return value ? value->place : fallback;
}

static bool mistake(lwh_pipeline *p, const lwh_yaml *node)
{
    lwh_report(p->diagnostics, node->place, NULL, "%s", lw_error_text());
    return false;
}

static bool wrong_kind(lwh_pipeline *p, const lwh_yaml *node, const lw_param *param)
{
    char *accepts = lwi_param_accepts(param);
    bool text = node->kind == LWH_SCALAR;
    lwh_report(p->diagnostics, node->place, NULL, "parameter '%s' takes %s, this is %s", param->key,
               accepts ? accepts : "something else", text ? "text in quotes" : lwh_yaml_kind_name(node));
    lw_free(accepts);
    return false;
}

static const char **param_keys(lwh_pipeline *p, const lw_plugin *plugin)
{
    const char **keys = lwh_arena_alloc(p->arena, ((size_t)plugin->param_count + 1) * sizeof(*keys));
    for (uint32_t i = 0; keys && i < plugin->param_count; i++)
        keys[i] = lwi_param_at(plugin, i)->key;
    return keys;
}

/* --- single values and lists of them ----------------------------------------------------------- */
static bool set_scalar(lwh_pipeline *p, lw_args *args, const lw_param *param, const lwh_yaml *node)
{
    bool bare = param->type == LW_PARAM_INT || param->type == LW_PARAM_FLOAT || param->type == LW_PARAM_BOOL;
    if (node->kind != LWH_SCALAR || (bare && node->quoted))
        return wrong_kind(p, node, param);
    const char *text = lwh_yaml_is_null(node) ? "" : node->text;
    if (param->type == LW_PARAM_PATH && *text) {
        text = lwh_resolve_path(p->arena, node->place, text);
        if (text && access(text, R_OK) != 0) {
            lwh_report(p->diagnostics, node->place,
                       "relative paths start at the folder of the file they are written in",
                       "parameter '%s': there is no readable file or folder '%s'", param->key, text);
            return false;
        }
    }
    if (!text || lwi_args_set_text(args, param->key, text, true) != LW_OK)
        return mistake(p, node);
    return true;
}

static bool set_list(lwh_pipeline *p, lw_args *args, const lw_param *param, const lwh_yaml *node)
{
    if (lwh_yaml_is_null(node))
        return lwi_args_set_text(args, param->key, "", true) == LW_OK || mistake(p, node);
    if (node->kind != LWH_LIST)
        return wrong_kind(p, node, param);
    const char **items = lwh_arena_alloc(p->arena, ((size_t)node->count + 1) * sizeof(*items));
    for (int i = 0; items && i < node->count; i++) {
        const lwh_yaml *item = node->value[i];
        if (item->kind != LWH_SCALAR || (item->quoted && param->type != LW_PARAM_STRINGS))
            return wrong_kind(p, item, param);
        items[i] = item->text;
    }
    return (items && lwi_args_set_list(args, param->key, items, node->count, true) == LW_OK) ||
           mistake(p, node);
}

/* --- losses ------------------------------------------------------------------------------------ */
static double parse_weight(lwh_pipeline *p, const lwh_yaml *node, bool *good)
{
    static const lw_param weight = {.key = "weight", .type = LW_PARAM_FLOAT, .fallback = "1", .doc = ""};
    if (lwh_yaml_is_null(node))
        return 1;
    double value = 0;
    char rest;
    if (node->kind != LWH_SCALAR || node->quoted || lwi_param_check(&weight, node->text) != LW_OK ||
        sscanf(node->text, "%lf%c", &value, &rest) != 1) {
        lwh_report(p->diagnostics, node->place, "a number", "not a weight");
        *good = false;
    }
    return value;
}

static bool is_taken(const lw_args *args, const char *key, const char *id)
{
    for (int i = 0; i < lwi_args_loss_count(args, key); i++)
        if (strcmp(lwi_args_loss(args, key, i)->id, id) == 0)
            return true;
    return false;
}

/* The name of a loss in curves: its id, else the last part of its plugin, numbered where it is taken. */
static const char *loss_id(lwh_pipeline *p, const lw_args *args, const char *key, const lwh_yaml *node,
                           const char *uses)
{
    const lwh_yaml *given = lwh_yaml_get(node, "id");
    if (given && given->kind == LWH_SCALAR && *given->text) {
        if (is_taken(args, key, given->text))
            lwh_report(p->diagnostics, given->place, NULL, "two losses have the id '%s'", given->text);
        return given->text;
    }
    const char *name = strrchr(uses, '/') ? strrchr(uses, '/') + 1 : uses, *id = name;
    for (int n = 2; id && is_taken(args, key, id); n++)
        id = lwh_arena_format(p->arena, "%s-%d", name, n);
    return id;
}

static bool add_loss(lwh_pipeline *p, lw_args *args, const lw_param *param, const lwh_yaml *node)
{
    static const char *const kinds[] = {"loss", NULL};
    const lwh_yaml *uses = lwh_yaml_get(node, "uses"), *with = lwh_yaml_get(node, "with");
    if (node->kind != LWH_MAP || lwh_yaml_is_null(uses) || uses->kind != LWH_SCALAR) {
        lwh_report(p->diagnostics, node->place, "as in: {uses: loss/smoothness, weight: 0.1}",
                   "a loss is a mapping that says which plugin it uses");
        return false;
    }
    lwh_unknown_keys(p, node, loss_keys, "a loss");
    bool good = true;
    double weight = parse_weight(p, lwh_yaml_get(node, "weight"), &good);
    const lw_plugin *plugin = lwh_load_plugin(p, uses->text, uses->place, kinds);
    lw_args *child = plugin ? lwi_args_create(plugin) : NULL;
    if (!child)
        return plugin ? mistake(p, uses) : false;
    good = lwh_fill_args(p, child, with, false) && good;
    good = good && lwh_complete(p, child, with, with ? with->place : node->place);
    const char *id = loss_id(p, args, param->key, node, uses->text);
    if (!good || !id) {
        lwi_args_destroy(child);
        return false;
    }
    return lwi_args_add_loss(args, param->key, id, plugin, weight, child) == LW_OK || mistake(p, node);
}

static bool set_losses(lwh_pipeline *p, lw_args *args, const lw_param *param, const lwh_yaml *node)
{
    if (lwh_yaml_is_null(node))
        return true;
    if (node->kind != LWH_LIST)
        return wrong_kind(p, node, param);
    bool good = true;
    for (int i = 0; i < node->count; i++)
        good = add_loss(p, args, param, node->value[i]) && good;
    return good;
}

/* A default list of losses is written in the plugin's table as YAML, and read as if it stood in the file. */
static bool set_default_losses(lwh_pipeline *p, lw_args *args, const lw_param *param)
{
    const char *text = param->fallback;
    if (!text || !*text)
        return true;
    const char *name =
        lwh_arena_format(p->arena, "%s, default of '%s'", lwi_plugin_id(lwi_args_plugin(args)), param->key);
    const char *source = name ? lwh_diagnostics_source(p->diagnostics, name, text, strlen(text)) : NULL;
    lwh_yaml *list = source ? lwh_yaml_parse(p->arena, p->diagnostics, source, text, strlen(text)) : NULL;
    return list && set_losses(p, args, param, list);
}

/* --- all of them -------------------------------------------------------------------------------- */
/* Default paths are relative to the pipeline's folder, as given ones are. */
static void resolve_default_paths(lwh_pipeline *p, lw_args *args)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->type != LW_PARAM_PATH || !lw_is_set(args, param->key) || lw_is_given(args, param->key))
            continue;
        const char *path =
            lwh_resolve_path(p->arena, (lwh_place){.file = p->file}, lw_text(args, param->key));
        if (path)
            lwi_args_set_text(args, param->key, path, false);
    }
}

static void note_left_out(lwh_pipeline *p, const lw_plugin *plugin, const lwh_yaml *key)
{
    p->notes = lwh_arena_format(p->arena, "%s%s:%d:%d: '%s' is left out: %s has no such parameter\n",
                                p->notes ? p->notes : "", key->place.file, key->place.line, key->place.column,
                                key->text, lwi_plugin_id(plugin));
}

bool lwh_fill_args(lwh_pipeline *p, lw_args *args, const lwh_yaml *with, bool swapped)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    resolve_default_paths(p, args);
    bool good = true;
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->type == LW_PARAM_LOSSES && lwh_yaml_is_null(lwh_yaml_get(with, param->key)))
            good = set_default_losses(p, args, param) && good;
    }
    if (lwh_yaml_is_null(with))
        return good;
    if (with->kind != LWH_MAP) {
        lwh_report(p->diagnostics, with->place, "as in: with: {model: faces}",
                   "`with` maps parameters to values, this is %s", lwh_yaml_kind_name(with));
        return false;
    }
    const char **keys = param_keys(p, plugin);
    for (int i = 0; keys && i < with->count; i++) {
        const lwh_yaml *key = with->key[i], *value = with->value[i];
        const lw_param *param = lwi_param_find(plugin, key->text);
        if (!param && swapped && !lwh_is_swapped(value)) {
            note_left_out(p, plugin, key);
        } else if (!param) {
            lwh_report(p->diagnostics, key->place, lwh_suggest(p->arena, key->text, keys),
                       "%s has no parameter '%s'", lwi_plugin_id(plugin), key->text);
            good = false;
        } else if (param->type == LW_PARAM_LOSSES) {
            good = set_losses(p, args, param, value) && good;
        } else if (lwi_param_is_list(param)) {
            good = set_list(p, args, param, value) && good;
        } else {
            good = set_scalar(p, args, param, value) && good;
        }
    }
    return keys && good;
}

bool lwh_complete(lwh_pipeline *p, const lw_args *args, const lwh_yaml *with, lwh_place place)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    bool good = true;
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->fallback || lw_is_set(args, param->key))
            continue;
        good = false;
        if (lwh_yaml_get(with, param->key)) /* it was given, and what is wrong with it has been told */
            continue;
        char *accepts = lwi_param_accepts(param);
        lwh_report(p->diagnostics, place, param->doc, "%s must be given '%s' (%s)", lwi_plugin_id(plugin),
                   param->key, accepts ? accepts : "a value");
        lw_free(accepts);
    }
    return good;
}
