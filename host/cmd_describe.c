/* cmd_describe.c — latentwalk describe: a plugin as its tables tell it. */
#include <string.h>

#include "common.h"
#include "plugin/args.h"

static void print_param(const lw_param *param)
{
    char *accepts = lwi_param_accepts(param);
    printf("    %s%s%s%s: %s\n", param->key, param->unit ? " [" : "", param->unit ? param->unit : "",
           param->unit ? "]" : "", accepts ? accepts : lwi_param_type_name(param->type));
    lw_free(accepts);
    printf("        %s\n", param->doc);
    if (!param->fallback)
        printf("        must be given\n");
    else if (*param->fallback)
        printf("        default: %s\n", param->fallback);
}

static void print_port(const lw_port *port)
{
    printf("    %s: %s%s%s\n        %s\n", port->name, port->type, port->many ? ", any number" : "",
           port->optional ? ", may be left out" : "", port->doc ? port->doc : "");
}

static void print_list(const char *title, const char *const *list)
{
    if (!list || !list[0])
        return;
    printf("  %s:", title);
    for (int i = 0; list[i]; i++)
        printf("%s %s", i ? "," : "", list[i]);
    printf("\n");
}

static void print_plugin(const lw_plugin *plugin)
{
    printf("%s %s — %s\n", lwi_plugin_id(plugin), plugin->prefix.version, plugin->prefix.summary);
    if (plugin->source)
        printf("  source: %s\n", plugin->source);
    print_list("provides", plugin->provides);
    print_list("needs", plugin->needs);
    if (plugin->param_count)
        printf("  parameters:\n");
    for (uint32_t i = 0; i < plugin->param_count; i++)
        print_param(lwi_param_at(plugin, i));
    if (plugin->input_count)
        printf("  inputs:\n");
    for (uint32_t i = 0; i < plugin->input_count; i++)
        print_port(lwi_input_at(plugin, i));
    if (plugin->output_count)
        printf("  outputs:\n");
    for (uint32_t i = 0; i < plugin->output_count; i++)
        print_port(lwi_output_at(plugin, i));
}

/* --- the same for programs ---------------------------------------------------------------------------- */
static json_t *list_json(const char *const *list)
{
    json_t *array = json_array();
    for (int i = 0; list && list[i]; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}

static json_t *ports_json(const lw_plugin *plugin, bool inputs)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < (inputs ? plugin->input_count : plugin->output_count); i++) {
        const lw_port *port = inputs ? lwi_input_at(plugin, i) : lwi_output_at(plugin, i);
        json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:b, s:s*}", "name", port->name, "type",
                                               port->type, "optional", port->optional != 0, "many",
                                               port->many != 0, "doc", port->doc));
    }
    return array;
}

static json_t *params_json(const lw_plugin *plugin)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        json_t *entry = json_pack("{s:s, s:s, s:s*, s:s*, s:b, s:s*, s:o}", "key", param->key, "type",
                                  lwi_param_type_name(param->type), "unit", param->unit, "default",
                                  param->fallback, "required", param->fallback == NULL, "doc", param->doc,
                                  "choices", list_json(param->choices));
        if (param->minimum != 0 || param->maximum != 0) {
            json_object_set_new(entry, "minimum", json_real(param->minimum));
            json_object_set_new(entry, "maximum", json_real(param->maximum));
        }
        json_array_append_new(array, entry);
    }
    return array;
}

static json_t *plugin_json(const lw_plugin *plugin)
{
    return json_pack("{s:s, s:s, s:s, s:s*, s:o, s:o, s:o, s:o, s:o}", "id", lwi_plugin_id(plugin), "version",
                     plugin->prefix.version, "summary", plugin->prefix.summary, "source", plugin->source,
                     "provides", list_json(plugin->provides), "needs", list_json(plugin->needs), "parameters",
                     params_json(plugin), "inputs", ports_json(plugin, true), "outputs",
                     ports_json(plugin, false));
}

static bool describe_one(const lwh_options *options, lwi_registry *registry, const char *id, json_t *list)
{
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin)
        return false;
    if (options->json)
        json_array_append_new(list, plugin_json(plugin));
    else
        print_plugin(plugin);
    return true;
}

int lwh_cmd_describe(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    if (!registry)
        return LWH_RUN_FAILED;
    int code = LWH_FINE;
    json_t *list = json_array();
    if (options->argument) {
        if (!describe_one(options, registry, options->argument, list))
            code = lwh_tell_error(options, LWH_USAGE);
    } else {
        for (size_t i = 0; i < lwi_registry_count(registry); i++) {
            if (lwi_registry_at(registry, i)->refused)
                continue;
            if (i && !options->json)
                printf("\n");
            if (!describe_one(options, registry, lwi_registry_at(registry, i)->id, list))
                code = lwh_tell_error(options, LWH_RUN_FAILED);
        }
    }
    if (options->json && code == LWH_FINE) {
        json_dumpf(options->argument ? json_array_get(list, 0) : list, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(list);
    lwi_registry_destroy(registry);
    return code;
}
