/* step.c — the life of a running step: what it was given, and what it hands on. */
#include <string.h>

#include "plugin/registry.h"
#include "runtime.h"

/* FNV-1a over the seed's bytes and the name. */
uint64_t lwi_mix_seed(uint64_t seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((seed >> (8 * i)) & 0xff)) * 0x100000001b3u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

lw_step *lwi_step_create(const lwi_step_setup *setup, bool resume)
{
    const lw_plugin *plugin = setup->plugin;
    lw_step *step = lw_alloc(1, sizeof(*step));
    if (!step)
        return NULL;
    step->setup = *setup;
    step->seed = lwi_mix_seed(setup->seed, setup->id);
    step->last_checkpoint = lwi_clock();
    step->table = json_object();
    step->notes = json_array();
    step->files = json_array();
    step->output_count = (int)plugin->output_count;
    step->outputs = lw_alloc((size_t)step->output_count + 1, sizeof(*step->outputs));
    if (!step->outputs || !step->table || !step->notes || !step->files) {
        lwi_step_destroy(step);
        lw_fail(LW_MEMORY, "out of memory");
        return NULL;
    }
    for (int i = 0; i < step->output_count; i++)
        step->outputs[i].port = lwi_output_at(plugin, (uint32_t)i);
    if (resume && lwi_checkpoint_load(step) != LW_OK) {
        lwi_step_destroy(step);
        return NULL;
    }
    return step;
}

void lwi_step_destroy(lw_step *step)
{
    if (!step)
        return;
    for (int i = 0; i < step->program_count; i++) {
        lw_program_destroy(step->programs[i].program);
        lw_free(step->programs[i].name);
    }
    for (int i = 0; i < step->store_count; i++) {
        if (step->stores[i].owned)
            lw_store_destroy(step->stores[i].store);
        lw_free(step->stores[i].name);
    }
    for (int i = 0; i < step->series_count; i++) {
        lw_free(step->series[i].name);
        lw_free(step->series[i].iteration);
        lw_free(step->series[i].value);
    }
    for (int i = 0; step->outputs && i < step->output_count; i++) {
        lw_tensor_destroy(step->outputs[i].tensor);
        lw_dataset_destroy(step->outputs[i].dataset);
    }
    lw_store_destroy(step->resumed);
    json_decref(step->table);
    json_decref(step->notes);
    json_decref(step->files);
    lw_free(step->programs);
    lw_free(step->stores);
    lw_free(step->series);
    lw_free(step->outputs);
    lw_free(step->history);
    lw_free(step->error);
    lw_free(step);
}

lw_status lwi_step_run(lw_step *step)
{
    const lw_runner *runner = step->setup.plugin->functions;
    lw_error_clear();
    lw_status status = runner->run(step);
    if (step->status != LW_OK) /* the loop's own error comes first, whatever was made of it */
        return lw_step_finish(step);
    if (status != LW_OK)
        return lw_error_status() == LW_OK ? lw_fail(status, "%s", lw_status_text(status)) : status;
    if (step->cancelled)
        return LW_CANCELLED;
    for (int i = 0; i < step->output_count; i++)
        if (!step->outputs[i].tensor && !step->outputs[i].dataset)
            return lw_fail(LW_INTERNAL,
                           "%s has ended without setting its output '%s'; this is a mistake of the plugin",
                           step->setup.uses, step->outputs[i].port->name);
    return LW_OK;
}

lw_status lwi_step_check(lw_step *step)
{
    const lw_runner *runner = step->setup.plugin->functions;
    lw_error_clear();
    bool checks = runner->size > offsetof(lw_runner, check) && runner->check;
    lw_status status = checks ? runner->check(step) : LW_OK;
    return status != LW_OK && lw_error_status() == LW_OK ? lw_fail(status, "%s", lw_status_text(status))
                                                         : status;
}

lw_status lwi_step_fail(lw_step *step)
{
    lw_status status = lw_error_status() == LW_OK ? LW_INTERNAL : lw_error_status();
    if (step->status == LW_OK) {
        step->status = status;
        step->error = lw_strdup(lw_error_text());
    }
    return status;
}

/* --- what the step was given ------------------------------------------------------------------ */
const char *lw_step_id(const lw_step *step)
{
    return step->setup.id;
}

const lw_args *lw_step_args(const lw_step *step)
{
    return step->setup.args;
}

uint64_t lw_step_seed(const lw_step *step)
{
    return step->seed;
}

uint64_t lw_step_shared_seed(const lw_step *step, const char *name)
{
    return lwi_mix_seed(step->setup.seed, name);
}

lw_device *lw_step_device(lw_step *step)
{
    return step->setup.device;
}

bool lw_step_is_dry(const lw_step *step)
{
    return step->setup.dry;
}

lw_model *lw_step_model(lw_step *step, const char *param)
{
    const char *name = lw_text(step->setup.args, param);
    return name && *name ? step->setup.hooks.model(step->setup.hooks.user, name) : NULL;
}

static const lwi_step_input *find_input(const lw_step *step, const char *port, int index)
{
    for (int i = 0; i < step->setup.input_count; i++)
        if (strcmp(step->setup.inputs[i].port, port) == 0 && index-- == 0)
            return &step->setup.inputs[i];
    return NULL;
}

int lw_step_input_count(const lw_step *step, const char *port)
{
    int count = 0;
    while (find_input(step, port, count))
        count++;
    return count;
}

static const lwi_step_input *declared_input(const lw_step *step, const char *port, int index)
{
    if (!lwi_input_find(step->setup.plugin, port)) {
        lw_fail(LW_INTERNAL, "%s asks for an input '%s' that it does not declare", step->setup.uses, port);
        return NULL;
    }
    return find_input(step, port, index);
}

const lw_tensor *lw_step_input(const lw_step *step, const char *port, int index)
{
    const lwi_step_input *input = declared_input(step, port, index);
    return input ? input->tensor : NULL;
}

lw_dataset *lw_step_input_dataset(const lw_step *step, const char *port, int index)
{
    const lwi_step_input *input = declared_input(step, port, index);
    return input ? input->dataset : NULL;
}

const char *lw_step_input_name(const lw_step *step, const char *port, int index)
{
    const lwi_step_input *input = find_input(step, port, index);
    return input ? input->name : NULL;
}

const char *lw_step_input_space(const lw_step *step, const char *port, int index)
{
    const lwi_step_input *input = find_input(step, port, index);
    return input ? input->space : NULL;
}

/* --- what it makes ---------------------------------------------------------------------------- */
/* Finds the output and checks that a value of this space and shape may be set there now. */
static lw_status open_output(lw_step *step, const char *port, bool dataset, lw_shape shape,
                             lwi_step_output **found)
{
    lwi_step_output *output = NULL;
    for (int i = 0; i < step->output_count; i++)
        if (strcmp(step->outputs[i].port->name, port) == 0)
            output = &step->outputs[i];
    if (!output)
        return lw_fail(LW_INTERNAL, "%s has no output '%s'", step->setup.uses, port);
    if (output->tensor || output->dataset)
        return lw_fail(LW_INTERNAL, "it is set twice");
    if (dataset != (strncmp(output->port->type, "dataset[", 8) == 0))
        return lw_fail(LW_INTERNAL, "%s declares %s and gives a %s", step->setup.uses, output->port->type,
                       dataset ? "dataset" : "tensor");
    *found = output;
    return lwi_check_output(step->setup.bindings, output->port, shape);
}

static lw_status no_value(const char *what)
{
    return lw_error_status() == LW_OK ? lw_fail(LW_INVALID, "no %s", what) : lw_error_status();
}

lw_status lw_step_output(lw_step *step, const char *port, lw_tensor *tensor)
{
    lwi_step_output *output = NULL;
    lw_status status = tensor ? open_output(step, port, false, tensor->shape, &output) : no_value("tensor");
    if (status != LW_OK) {
        lw_tensor_destroy(tensor);
        return lw_wrap("step '%s', output '%s'", step->setup.id, port);
    }
    output->tensor = tensor;
    return LW_OK;
}

lw_status lw_step_output_dataset(lw_step *step, const char *port, lw_dataset *dataset)
{
    lwi_step_output *output = NULL;
    lw_status status =
        dataset ? open_output(step, port, true, lw_dataset_shape(dataset), &output) : no_value("dataset");
    if (status != LW_OK) {
        lw_dataset_destroy(dataset);
        return lw_wrap("step '%s', output '%s'", step->setup.id, port);
    }
    output->dataset = dataset;
    return LW_OK;
}

lw_program *lw_step_compile(lw_step *step, lw_graph *graph, const char *name)
{
    lw_program *program = lw_compile(graph, step->setup.device);
    lw_graph_destroy(graph);
    if (!program) {
        lw_wrap("step '%s', program '%s'", step->setup.id, name);
        return NULL;
    }
    lwi_step_program *grown = lw_resize(step->programs, (size_t)step->program_count + 1, sizeof(*grown));
    if (grown)
        step->programs = grown;
    char *copy = grown ? lw_strdup(name) : NULL;
    if (!copy) {
        lw_program_destroy(program);
        return NULL;
    }
    grown[step->program_count++] = (lwi_step_program){.name = copy, .program = program};
    return program;
}

json_t *lwi_step_describe(const lw_step *step)
{
    json_t *series = json_object();
    for (int i = 0; series && i < step->series_count; i++) {
        const lwi_series *curve = &step->series[i];
        json_t *points = json_array();
        for (size_t k = 0; points && k < curve->count; k++)
            json_array_append_new(
                points, json_pack("[I,f]", (json_int_t)curve->iteration[k], (double)curve->value[k]));
        json_object_set_new(series, curve->name, points);
    }
    json_t *whole =
        json_pack("{s:s, s:s, s:o, s:O, s:O, s:O}", "id", step->setup.id, "uses", step->setup.uses, "series",
                  series, "table", step->table, "notes", step->notes, "files", step->files);
    if (!whole)
        lw_fail(LW_MEMORY, "out of memory");
    return whole;
}
