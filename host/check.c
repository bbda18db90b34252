/* check.c — does it make sense? Plugins, arguments, capabilities, and what flows from step to step. */
#include <string.h>

#include "model/model.h"
#include "pipeline.h"
#include "plugin/args.h"
#include "step/runtime.h"

static const char *const step_kinds[] = {"method", "metric", "source", "sink", NULL};

/* --- models and what they can do ---------------------------------------------------------------- */
/* "generator/a, generator/b": the plugins that provide a capability. */
static const char *providers(lwh_pipeline *p, const char *capability)
{
    const char *list = NULL;
    for (size_t i = 0; i < lwi_registry_count(p->registry); i++) {
        const lwi_entry *entry = lwi_registry_at(p->registry, i);
        bool builds = entry->kind == LW_KIND_GENERATOR || entry->kind == LW_KIND_DISCRIMINATOR ||
                      entry->kind == LW_KIND_NETWORK;
        if (entry->refused || !builds)
            continue;
        const char *id = lwh_arena_strdup(p->arena, entry->id, strlen(entry->id));
        const lw_plugin *plugin = id ? lwi_registry_load(p->registry, id) : NULL;
        if (plugin && lwi_list_has(plugin->provides, capability))
            list = list ? lwh_arena_format(p->arena, "%s, %s", list, id) : id;
    }
    return list;
}

/* "generator/dcgan and discriminator/dcgan" */
static const char *made_of(lwh_pipeline *p, const lwh_model *model)
{
    const char *text = NULL;
    for (int part = 0; part < LWI_PART_COUNT; part++)
        if (model->parts[part].uses)
            text = text ? lwh_arena_format(p->arena, "%s and %s", text, model->parts[part].uses)
                        : model->parts[part].uses;
    return text ? text : "nothing";
}

static void lacks(lwh_pipeline *p, lwh_place place, const char *who, const lwh_model *model,
                  const char *capability)
{
    const char *others = providers(p, capability);
    const char *hint = others
                           ? lwh_arena_format(p->arena, "plugins that provide `%s`: %s", capability, others)
                           : lwh_arena_format(p->arena, "no plugin found provides `%s`", capability);
    lwh_report(p->diagnostics, place, hint, "%s needs a model with `%s`; '%s' (%s) has none", who, capability,
               model->name, made_of(p, model));
}

/* The models that `args` names exist, and can do what is asked. Returns the first. */
static lwh_model *check_models(lwh_pipeline *p, const lw_args *args, const lwh_yaml *with, lwh_place place,
                               bool *good)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    lwh_model *first = NULL;
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->type != LW_PARAM_MODEL || !lw_is_set(args, param->key))
            continue;
        const char *name = lw_text(args, param->key);
        lwh_place at = lwh_param_place(with, param->key, place);
        lwh_model *model = lwh_find_model(p, name);
        if (!model) {
            const char *const *names = lwh_model_names(p);
            lwh_report(p->diagnostics, at,
                       names[0] ? lwh_suggest(p->arena, name, names) : "the pipeline has no `models:`",
                       "there is no model '%s'", name);
        }
        if (!model || model->broken) {
            *good = false;
            continue;
        }
        for (int k = 0; param->choices && param->choices[k]; k++)
            if (!lw_model_has(model->model, param->choices[k])) {
                lacks(p, at, lwi_plugin_id(plugin), model, param->choices[k]);
                *good = false;
            }
        first = first ? first : model;
    }
    return first;
}

/* --- losses -------------------------------------------------------------------------------------- */
static const char *join(lwh_pipeline *p, const char *const *list)
{
    const char *text = list && list[0] ? list[0] : "nothing";
    for (int i = 1; list && list[0] && list[i]; i++)
        text = lwh_arena_format(p->arena, "%s, %s", text, list[i]);
    return text;
}

/* A need is met by a value that the method offers or by something the model can do. */
static bool check_loss(lwh_pipeline *p, const lwh_step *step, const lw_param *param,
                       const lwi_loss_item *item, const lwh_yaml *node, const lwh_model *model,
                       lwh_place place)
{
    bool good = true;
    const char *uses = lwi_plugin_id(item->plugin);
    lwh_model *own = check_models(p, item->args, lwh_yaml_get(node, "with"), place, &good);
    const lwh_model *target = own ? own : model;
    for (int i = 0; item->plugin->needs && item->plugin->needs[i]; i++) {
        const char *need = item->plugin->needs[i];
        if (lwi_list_has(param->choices, need) ||
            (target && target->model && lw_model_has(target->model, need)) ||
            (model && model->model && lw_model_has(model->model, need)))
            continue;
        if (target && !target->broken && providers(p, need))
            lacks(p, place, uses, target, need);
        else
            lwh_report(p->diagnostics, place,
                       lwh_arena_format(p->arena, "%s offers %s", step->uses, join(p, param->choices)),
                       "%s needs `%s`, which %s does not offer", uses, need, step->uses);
        good = false;
    }
    return good;
}

static bool check_losses(lwh_pipeline *p, lwh_step *step, const lwh_model *model)
{
    bool good = true;
    for (uint32_t i = 0; i < step->plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(step->plugin, i);
        const lwh_yaml *list = lwh_yaml_get(step->with, param->key);
        if (param->type != LW_PARAM_LOSSES)
            continue;
        for (int k = 0; k < lwi_args_loss_count(step->args, param->key); k++) {
            const lwh_yaml *node = list && list->kind == LWH_LIST && k < list->count ? list->value[k] : NULL;
            const lwi_loss_item *item = lwi_args_loss(step->args, param->key, k);
            good = check_loss(p, step, param, item, node, model, node ? node->place : step->place) && good;
        }
    }
    return good;
}

/* --- connections ---------------------------------------------------------------------------------- */
static const char **port_names(lwh_pipeline *p, const lw_plugin *plugin, bool inputs)
{
    uint32_t count = inputs ? plugin->input_count : plugin->output_count;
    const char **names = lwh_arena_alloc(p->arena, ((size_t)count + 1) * sizeof(*names));
    for (uint32_t i = 0; names && i < count; i++)
        names[i] = (inputs ? lwi_input_at(plugin, i) : lwi_output_at(plugin, i))->name;
    return names;
}

static int output_index(const lw_plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->output_count; i++)
        if (strcmp(lwi_output_at(plugin, i)->name, name) == 0)
            return (int)i;
    return -1;
}

static bool connect(lwh_pipeline *p, lwi_bindings *bindings, lwh_input *input, const lw_port *port)
{
    bool good = true;
    for (int i = 0; i < input->count; i++) {
        const lwh_step *from = &p->steps[input->from[i].index];
        if (!from->plugin) {
            good = false;
            continue;
        }
        int output = output_index(from->plugin, input->from[i].output);
        if (output < 0) {
            const char **names = port_names(p, from->plugin, false);
            lwh_report(p->diagnostics, input->from[i].place,
                       !from->plugin->output_count ? "it has no outputs at all"
                       : names                     ? lwh_suggest(p->arena, input->from[i].output, names)
                                                   : NULL,
                       "step '%s' (%s) has no output '%s'", from->id, from->uses, input->from[i].output);
            good = false;
            continue;
        }
        if (from->broken || !from->outputs) {
            good = false;
            continue;
        }
        char source[2 * LWI_NAME_BYTES];
        snprintf(source, sizeof(source), "%s.%s", from->id, input->from[i].output);
        if (lwi_unify(bindings, port, &from->outputs[output], source) != LW_OK) {
            lwh_report(p->diagnostics, input->from[i].place, NULL, "%s", lw_error_text());
            good = false;
        }
    }
    return good;
}

static bool check_inputs(lwh_pipeline *p, lwh_step *step, lwi_bindings *bindings)
{
    bool good = true;
    for (int i = 0; i < step->input_count; i++) {
        lwh_input *input = &step->inputs[i];
        const lw_port *port = lwi_input_find(step->plugin, input->port);
        if (!port) {
            const char **names = port_names(p, step->plugin, true);
            lwh_report(p->diagnostics, input->place,
                       !step->plugin->input_count ? "it has no inputs at all"
                       : names                    ? lwh_suggest(p->arena, input->port, names)
                                                  : NULL,
                       "%s has no input '%s'", step->uses, input->port);
            good = false;
        } else if (input->list && !port->many) {
            lwh_report(p->diagnostics, input->place, "one output, as in: start.z",
                       "input '%s' of %s takes no list", input->port, step->uses);
            good = false;
        } else {
            good = connect(p, bindings, input, port) && good;
        }
    }
    return good;
}

static bool check_required_inputs(lwh_pipeline *p, const lwh_step *step)
{
    bool good = true;
    for (uint32_t i = 0; i < step->plugin->input_count; i++) {
        const lw_port *port = lwi_input_at(step->plugin, i);
        bool given = port->optional != 0;
        for (int k = 0; k < step->input_count; k++)
            given = given || (strcmp(step->inputs[k].port, port->name) == 0 && step->inputs[k].count > 0);
        if (!given)
            lwh_report(p->diagnostics, step->place,
                       lwh_arena_format(p->arena, "it takes %s: %s", port->type, port->doc),
                       "the input '%s' of step '%s' (%s) is not connected", port->name, step->id, step->uses);
        good = good && given;
    }
    return good;
}

static bool resolve_outputs(lwh_pipeline *p, lwh_step *step, lwi_bindings *bindings)
{
    step->outputs = lw_alloc((size_t)step->plugin->output_count + 1, sizeof(*step->outputs));
    for (uint32_t i = 0; step->outputs && i < step->plugin->output_count; i++)
        if (lwi_resolve(bindings, lwi_output_at(step->plugin, i), &step->outputs[i]) != LW_OK) {
            lwh_report(p->diagnostics, step->place, NULL, "step '%s': %s", step->id, lw_error_text());
            return false;
        }
    return step->outputs != NULL;
}

/* --- what the plugin itself says ---------------------------------------------------------------- */
static bool never(void *user)
{
    (void)user;
    return false;
}

static lw_model *on_model(void *user, const char *name)
{
    lwh_model *model = lwh_find_model(user, name);
    return model ? model->model : NULL;
}

/* The step with its inputs, but no data. */
static lw_status check_by_plugin(lwh_pipeline *p, const lwh_step *step, lwi_bindings *bindings)
{
    int count = 0, all = 0;
    for (int i = 0; i < step->input_count; i++)
        all += step->inputs[i].count;
    lwi_step_input *inputs = lw_alloc((size_t)all + 1, sizeof *inputs);
    if (!inputs)
        return LW_MEMORY;
    for (int i = 0; i < step->input_count; i++)
        for (int k = 0; k < step->inputs[i].count; k++)
            inputs[count++] = (lwi_step_input){.port = step->inputs[i].port};
    lw_step *whole = lwi_step_create(&(lwi_step_setup){.id = step->id,
                                                       .uses = step->uses,
                                                       .plugin = step->plugin,
                                                       .args = step->args,
                                                       .seed = p->seed,
                                                       .inputs = inputs,
                                                       .input_count = count,
                                                       .bindings = bindings,
                                                       .folder = "",
                                                       .run_folder = "",
                                                       .dry = true,
                                                       .hooks = {p, never, .model = on_model}},
                                     false);
    lw_status status = whole ? lwi_step_check(whole) : lw_error_status();
    lwi_step_destroy(whole);
    lw_free(inputs);
    return status;
}

static void check_step(lwh_pipeline *p, lwh_step *step)
{
    if (!step->uses)
        return;
    step->plugin = lwh_load_plugin(p, step->uses, step->uses_node->place, step_kinds);
    step->args = step->plugin ? lwi_args_create(step->plugin) : NULL;
    if (!step->args) {
        step->broken = true;
        return;
    }
    lwh_place place = step->with ? step->with->place : step->place;
    bool good = lwh_fill_args(p, step->args, step->with, lwh_is_swapped(step->uses_node));
    good = lwh_complete(p, step->args, step->with, step->place) && good;
    bool models_good = true;
    lwh_model *model = check_models(p, step->args, step->with, place, &models_good);
    good = models_good && check_losses(p, step, model) && good;
    good = check_required_inputs(p, step) && good;
    step->model = model ? model->model : NULL;
    if (step->broken || !good) {
        step->broken = true;
        return;
    }
    lwi_bindings bindings;
    lwi_bindings_init(&bindings, step->id, step->args, model ? lwi_model_dims(model->model) : NULL,
                      model ? model->name : NULL);
    step->broken = !check_inputs(p, step, &bindings) || !resolve_outputs(p, step, &bindings);
    if (!step->broken && check_by_plugin(p, step, &bindings) != LW_OK) {
        lwh_report(p->diagnostics, place, NULL, "step '%s' (%s): %s", step->id, step->uses, lw_error_text());
        step->broken = true;
    }
}

lw_status lwh_check(lwh_pipeline *p)
{
    lwh_open_models(p);
    for (int i = 0; i < p->step_count; i++)
        check_step(p, &p->steps[i]);
    size_t count = lwh_diagnostics_count(p->diagnostics);
    return count ? lw_fail(LW_INVALID, "%s has %zu mistake%s", p->file, count, count == 1 ? "" : "s") : LW_OK;
}
