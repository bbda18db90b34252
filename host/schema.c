/* schema.c — latentwalk schema: a JSON Schema (draft 2020-12) of pipelines, made from the tables of the
 * plugins found, for editors and validators. */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "plugin/args.h"

static json_t *schema_of_losses(void)
{
    return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "$ref", "#/$defs/loss");
}

static void add_range(json_t *schema, const lw_param *param)
{
    if (param->minimum == 0 && param->maximum == 0)
        return;
    json_object_set_new(schema, "minimum", json_real(param->minimum));
    json_object_set_new(schema, "maximum", json_real(param->maximum));
}

static json_t *schema_of_type(const lw_param *param)
{
    switch (param->type) {
    case LW_PARAM_INT:
    case LW_PARAM_INTS: return json_pack("{s:s}", "type", "integer");
    case LW_PARAM_FLOAT:
    case LW_PARAM_FLOATS: return json_pack("{s:s}", "type", "number");
    case LW_PARAM_BOOL: return json_pack("{s:s}", "type", "boolean");
    case LW_PARAM_LOSSES: return schema_of_losses();
    default: /* YAML's plain scalars: a text may look like a number */
        return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
    }
}

/* The default as a JSON value, where it has one. */
static json_t *default_json(const lw_param *param)
{
    if (!param->fallback || !*param->fallback || param->type == LW_PARAM_LOSSES)
        return NULL;
    bool text = param->type == LW_PARAM_STRING || param->type == LW_PARAM_CHOICE ||
                param->type == LW_PARAM_PATH || param->type == LW_PARAM_MODEL ||
                param->type == LW_PARAM_STRINGS;
    return text ? json_string(param->fallback) : json_loads(param->fallback, JSON_DECODE_ANY, NULL);
}

static json_t *schema_of_param(const lw_param *param)
{
    json_t *schema = schema_of_type(param);
    if (param->type == LW_PARAM_CHOICE) {
        json_t *choices = json_array();
        for (int i = 0; param->choices && param->choices[i]; i++)
            json_array_append_new(choices, json_string(param->choices[i]));
        json_object_del(schema, "type");
        json_object_set_new(schema, "enum", choices);
    }
    if (param->type != LW_PARAM_LOSSES)
        add_range(schema, param);
    if (lwi_param_is_list(param))
        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
    if (param->fallback && !*param->fallback) /* may be absent: null says so too */
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    json_object_set_new(schema, "description", json_string(param->doc));
    json_t *fallback = default_json(param);
    if (fallback)
        json_object_set_new(schema, "default", fallback);
    return schema;
}

/* What a step may write in place of a value: "${axis}", a value of the matrix. */
static json_t *or_matrix_value(json_t *schema)
{
    return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "$ref", "#/$defs/matrix-value");
}

/* The `with:` of a plugin. Parts of a model find their sizes in the weights, so nothing is required there. */
static json_t *schema_of_with(const lw_plugin *plugin, bool require)
{
    json_t *properties = json_object(), *required = json_array();
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        json_t *schema = schema_of_param(param);
        json_object_set_new(properties, param->key, require ? or_matrix_value(schema) : schema);
        if (require && !param->fallback)
            json_array_append_new(required, json_string(param->key));
    }
    return json_pack("{s:[s,s], s:o, s:o, s:b}", "type", "object", "null", "properties", properties,
                     "required", required, "additionalProperties", 0);
}

static json_t *schema_of_inputs(const lw_plugin *plugin)
{
    json_t *properties = json_object(), *required = json_array();
    for (uint32_t i = 0; i < plugin->input_count; i++) {
        const lw_port *port = lwi_input_at(plugin, i);
        json_t *schema = json_pack("{s:s}", "$ref", port->many ? "#/$defs/references" : "#/$defs/reference");
        char *doc = lw_format("%s: %s", port->type, port->doc ? port->doc : "");
        json_object_set_new(schema, "description", json_string(doc ? doc : ""));
        lw_free(doc);
        json_object_set_new(properties, port->name, schema);
        if (!port->optional)
            json_array_append_new(required, json_string(port->name));
    }
    return json_pack("{s:[s,s], s:o, s:o, s:b}", "type", "object", "null", "properties", properties,
                     "required", required, "additionalProperties", 0);
}

/* if uses is this plugin's then with and inputs are as its tables say. A step that takes over entries of a
 * matrix may have any of them from there, so it is left to `latentwalk check`. */
static json_t *rule_of(const lw_plugin *plugin, const char *id, bool has_inputs, bool require)
{
    bool needs_with = false, needs_inputs = false;
    for (uint32_t i = 0; i < plugin->param_count; i++)
        needs_with = needs_with || (require && !lwi_param_at(plugin, i)->fallback);
    for (uint32_t i = 0; has_inputs && i < plugin->input_count; i++)
        needs_inputs = needs_inputs || !lwi_input_at(plugin, i)->optional;
    json_t *properties = json_pack("{s:o}", "with", schema_of_with(plugin, require));
    if (has_inputs)
        json_object_set_new(properties, "inputs", schema_of_inputs(plugin));
    json_t *required = json_array();
    if (needs_with)
        json_array_append_new(required, json_string("with"));
    if (needs_inputs)
        json_array_append_new(required, json_string("inputs"));
    json_t *condition =
        json_pack("{s:{s:{s:s}}, s:[s]}", "properties", "uses", "const", id, "required", "uses");
    if (has_inputs)
        json_object_set_new(condition, "not", json_pack("{s:[s]}", "required", "matrix"));
    return json_pack("{s:o, s:{s:o, s:o}}", "if", condition, "then", "properties", properties, "required",
                     required);
}

static bool is_step(lw_kind kind)
{
    return kind == LW_KIND_METHOD || kind == LW_KIND_METRIC || kind == LW_KIND_SOURCE || kind == LW_KIND_SINK;
}

typedef struct builder {
    json_t *step_ids, *step_rules, *loss_ids, *loss_rules;
    json_t *part_ids[3], *part_rules[3];
} builder;

static void add_plugin(builder *b, const lw_plugin *plugin)
{
    const char *id = lwi_plugin_id(plugin);
    lw_kind kind = (lw_kind)plugin->prefix.kind;
    if (is_step(kind)) {
        json_array_append_new(b->step_ids, json_string(id));
        json_array_append_new(b->step_rules, rule_of(plugin, id, true, true));
    } else if (kind == LW_KIND_LOSS) {
        json_array_append_new(b->loss_ids, json_string(id));
        json_array_append_new(b->loss_rules, rule_of(plugin, id, false, true));
    } else {
        int part = kind == LW_KIND_GENERATOR ? 0 : kind == LW_KIND_DISCRIMINATOR ? 1 : 2;
        const char *names[] = {id, strchr(id, '/') + 1};
        for (int i = 0; i < 2; i++) {
            json_array_append_new(b->part_ids[part], json_string(names[i]));
            json_array_append_new(b->part_rules[part], rule_of(plugin, names[i], false, false));
        }
    }
}

/* --- the document --------------------------------------------------------------------------------------- */
static json_t *schema_of_step(builder *b)
{
    json_t *uses = or_matrix_value(json_pack("{s:o}", "enum", b->step_ids));
    return json_pack(
        "{s:s, s:{s:{s:s, s:s}, s:o, s:{s:s}, s:{s:[s,s]}, s:{s:[s,s]}}, s:[s], s:[{s:[s]}, {s:[s]}], "
        "s:b, s:o}",
        "type", "object", "properties", "id", "type", "string", "pattern", "^[A-Za-z0-9_$][A-Za-z0-9_${}-]*$",
        "uses", uses, "matrix", "type", "string", "with", "type", "object", "null", "inputs", "type",
        "object", "null", "required", "id", "anyOf", "required", "uses", "required", "matrix",
        "additionalProperties", 0, "allOf", b->step_rules);
}

static json_t *schema_of_loss(builder *b)
{
    return json_pack("{s:s, s:{s:{s:s}, s:{s:o}, s:{s:s}, s:{s:[s,s]}}, s:[s], s:b, s:o}", "type", "object",
                     "properties", "id", "type", "string", "uses", "enum", b->loss_ids, "weight", "type",
                     "number", "with", "type", "object", "null", "required", "uses", "additionalProperties",
                     0, "allOf", b->loss_rules);
}

/* `dcgan`, or {uses: generator/dcgan, with: {…}}. */
static json_t *schema_of_part(json_t *ids, json_t *rules)
{
    json_t *full = json_pack("{s:s, s:{s:{s:O}, s:{s:[s,s]}}, s:[s], s:b, s:o}", "type", "object",
                             "properties", "uses", "enum", ids, "with", "type", "object", "null", "required",
                             "uses", "additionalProperties", 0, "allOf", rules);
    return json_pack("{s:[{s:o}, o]}", "anyOf", "enum", ids, full);
}

static json_t *schema_of_model(builder *b)
{
    json_t *texts =
        json_loads("{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"object\", \"properties\": {"
                   "\"generator\": {\"type\": \"string\"}, \"discriminator\": {\"type\": \"string\"},"
                   "\"network\": {\"type\": \"string\"}}, \"additionalProperties\": false}]}",
                   0, NULL);
    return json_pack("{s:s, s:{s:o, s:o, s:o, s:O, s:o}, s:b, s:i}", "type", "object", "properties",
                     "generator", schema_of_part(b->part_ids[0], b->part_rules[0]), "discriminator",
                     schema_of_part(b->part_ids[1], b->part_rules[1]), "network",
                     schema_of_part(b->part_ids[2], b->part_rules[2]), "weights", texts, "prefix", texts,
                     "additionalProperties", 0, "minProperties", 1);
}

/* Models or steps alone are fine: a part that others include. */
static json_t *schema_of_pipeline(builder *b)
{
    const char *fixed =
        "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"A Latentwalk "
        "pipeline\","
        "\"type\": \"object\", \"required\": [\"latentwalk\"], \"additionalProperties\": false,"
        "\"properties\": {"
        "\"latentwalk\": {\"const\": 1, \"description\": \"version of this format\"},"
        "\"seed\": {\"type\": \"integer\", \"minimum\": 0, \"description\": \"of all random numbers; 0 by "
        "default\"},"
        "\"device\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"select\": {\"type\": [\"string\", \"number\"]}, \"blas\": {\"enum\": [\"auto\", \"native\", "
        "\"clblast\"]}, \"tuning\": {\"type\": \"string\", \"description\": \"algorithms: measure (the "
        "default), "
        "estimate, or the tuning.json of a run\"}}},"
        "\"include\": {\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": {\"type\": "
        "\"string\"}}]},"
        "\"matrix\": {\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": 8, "
        "\"description\": \"axes: steps that name \\\"${axis}\\\" run for every combination of values\", "
        "\"additionalProperties\": {\"anyOf\": [{\"type\": \"array\", \"minItems\": 1}, "
        "{\"type\": \"object\", \"minProperties\": 1}]}},"
        "\"models\": {\"type\": \"object\", \"additionalProperties\": {\"$ref\": \"#/$defs/model\"}},"
        "\"steps\": {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/step\"}}},"
        "\"$defs\": {\"matrix-value\": {\"type\": \"string\", \"pattern\": \"[$][{][^}]+[}]\"},"
        "\"reference\": {\"type\": \"string\", \"pattern\": \"^[^.]+[.].+$\"},"
        "\"references\": {\"anyOf\": [{\"$ref\": \"#/$defs/reference\"},"
        "{\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/reference\"}}]}}}";
    json_t *schema = json_loads(fixed, 0, NULL), *defs = json_object_get(schema, "$defs");
    json_object_set_new(defs, "model", schema_of_model(b));
    json_object_set_new(defs, "step", schema_of_step(b));
    json_object_set_new(defs, "loss", schema_of_loss(b));
    return schema;
}

int lwh_cmd_schema(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    if (!registry)
        return LWH_RUN_FAILED;
    int code = LWH_FINE;
    builder b = {json_array(), json_array(), json_array(), json_array(), {NULL}, {NULL}};
    for (int i = 0; i < 3; i++) {
        b.part_ids[i] = json_array();
        b.part_rules[i] = json_array();
    }
    for (size_t i = 0; i < lwi_registry_count(registry); i++) {
        const lwi_entry *entry = lwi_registry_at(registry, i);
        const lw_plugin *plugin = entry->refused ? NULL : lwi_registry_load(registry, entry->id);
        if (plugin)
            add_plugin(&b, plugin);
        else if (!entry->refused)
            code = lwh_tell_error(options, LWH_RUN_FAILED);
    }
    json_t *schema = schema_of_pipeline(&b); /* takes the lists over */
    json_dumpf(schema, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(schema);
    lwi_registry_destroy(registry);
    return code;
}
