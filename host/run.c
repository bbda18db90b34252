/* run.c — going through the steps: inputs in, plugin run, results kept, state told. */
#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "folder.h"
#include "model/model.h"
#include "profile.h"
#include "runtime/profile.h"
#include "step/runtime.h"

/* --- cancelling ------------------------------------------------------------------------------------- */
static atomic_bool cancelled;

/* A thread of its own waits for the signals, which all other threads block: LLVM inside an OpenCL compiler
 * takes a handler of ours as the end of the program, and removes the files it is working on. */
static void *wait_for_signals(void *set)
{
    int number;
    while (sigwait(set, &number) == 0)
        if (atomic_exchange(&cancelled, true))
            _exit(LWH_CANCELLED);
    return NULL;
}

lw_status lwh_catch_signals(void)
{
    static sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        pthread_create(&thread, NULL, wait_for_signals, &set) != 0)
        return lw_fail(LW_INTERNAL, "cannot start the thread that waits for Ctrl-C");
    pthread_detach(thread);
    return LW_OK;
}

bool lwh_is_cancelled(void *unused)
{
    (void)unused;
    return atomic_load(&cancelled);
}

/* --- the log ------------------------------------------------------------------------------------------ */
static void write_log(lwh_run *run, json_t *event)
{
    char now[LWH_TIME_TEXT];
    json_object_set_new(event, "time", json_string(lwh_now(now)));
    if (run->log && event) {
        json_dumpf(event, run->log, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', run->log);
        fflush(run->log);
    }
    json_decref(event);
}

static lw_status save_state(lwh_run *run, const char *state)
{
    char now[LWH_TIME_TEXT];
    if (run->dry)
        return LW_OK;
    json_object_set_new(run->state, "state", json_string(state));
    json_object_set_new(run->state, "updated", json_string(lwh_now(now)));
    char *path = lw_format("%s/run.json", run->folder);
    lw_status status = path ? lwh_write_json(path, run->state, 6) : LW_MEMORY;
    lw_free(path);
    return status;
}

/* --- the runtime's questions ---------------------------------------------------------------------------- */
static void on_progress(void *user, lw_step *step, int64_t iteration, int64_t total)
{
    lwh_run *run = user;
    lwh_progress_tick(&run->progress, step, iteration, total);
    double now = lwi_clock();
    if (now - run->logged < 1 && iteration < total)
        return;
    run->logged = now;
    json_t *event = lwh_progress_event(step, iteration, total);
    write_log(run, event);
}

static void on_note(void *user, lw_step *step, const char *text)
{
    lwh_run *run = user;
    if (!run->dry)
        lwh_progress_note(&run->progress, lw_step_id(step), text);
    write_log(run, json_pack("{s:s, s:s, s:s}", "event", "note", "step", lw_step_id(step), "text", text));
}

static lw_model *on_model(void *user, const char *name)
{
    lwh_run *run = user;
    lwh_model *model = lwh_find_model(run->pipeline, name);
    return model ? model->model : NULL;
}

/* --- one step --------------------------------------------------------------------------------- */
/* The inputs with the tensors that earlier steps made, and the bindings their real shapes give. */
static lw_status gather_inputs(lwh_run *run, const lwh_step *step, lwi_step_input *inputs, int *count,
                               lwi_bindings *bindings)
{
    const lwh_pipeline *p = run->pipeline;
    lwi_bindings_init(bindings, step->id, step->args, step->model ? lwi_model_dims(step->model) : NULL,
                      step->model ? lw_model_name(step->model) : NULL);
    for (int i = 0; i < step->input_count; i++)
        for (int k = 0; k < step->inputs[i].count; k++) {
            const lwh_result *from = &run->results[step->inputs[i].from[k].index];
            const lw_plugin *plugin = p->steps[step->inputs[i].from[k].index].plugin;
            uint32_t output = 0;
            while (strcmp(lwi_output_at(plugin, output)->name, step->inputs[i].from[k].output) != 0)
                output++;
            lwi_step_input *input = &inputs[(*count)++];
            *input = (lwi_step_input){.port = step->inputs[i].port,
                                      .space = from->types[output].space,
                                      .tensor = from->outputs[output],
                                      .dataset = from->datasets[output]};
            input->name = lwh_arena_format(p->arena, "%s.%s", step->inputs[i].from[k].step,
                                           step->inputs[i].from[k].output);
            if (!input->name)
                return LW_MEMORY;
            lwi_port_type actual =
                lwi_port_of_shape(input->space, from->types[output].model, from->shapes[output]);
            LW_TRY(lwi_unify(bindings, lwi_input_find(step->plugin, input->port), &actual, input->name));
        }
    return LW_OK;
}

static lw_status make_result(lwh_result *result, const lwh_step *step)
{
    uint32_t count = step->plugin->output_count;
    result->outputs = lw_alloc(count + 1, sizeof(*result->outputs));
    result->datasets = lw_alloc(count + 1, sizeof(*result->datasets));
    result->shapes = lw_alloc(count + 1, sizeof(*result->shapes));
    result->types = lw_alloc(count + 1, sizeof(*result->types));
    return result->outputs && result->datasets && result->shapes && result->types ? LW_OK : LW_MEMORY;
}

static lw_status resolve_types(lwh_result *result, const lwh_step *step, lwi_bindings *bindings)
{
    for (uint32_t i = 0; i < step->plugin->output_count; i++)
        LW_TRY(lwi_resolve(bindings, lwi_output_at(step->plugin, i), &result->types[i]));
    return LW_OK;
}

/* Adds to the history what is not the step's own to know. */
static void remember(lwh_run *run, const lwh_step *step, json_t *told)
{
    json_t *seconds = json_object_get(json_object_get(run->state, "seconds"), step->id);
    json_object_set_new(told, "with", lwh_args_json(step->args));
    json_object_set(told, "seconds", seconds);
    json_array_append_new(run->steps, told);
}

/* Models whose weights the step has changed are needed by later steps after a resume. */
static lw_status save_changed_models(lwh_run *run, const lwh_step *step, char before[][17])
{
    for (int i = 0; i < run->pipeline->model_count; i++)
        if (strcmp(before[i], lw_model_identity(run->pipeline->models[i].model)) != 0)
            LW_TRY(lwh_save_model(run, step, &run->pipeline->models[i]));
    return LW_OK;
}

/* What the step has made now belongs to the run. */
static void hand_over(lwh_result *result, lw_step *running)
{
    for (int i = 0; i < running->output_count; i++) {
        lwi_step_output *output = &running->outputs[i];
        result->outputs[i] = output->tensor;
        result->datasets[i] = output->dataset;
        result->shapes[i] = output->tensor ? output->tensor->shape : lw_dataset_shape(output->dataset);
        output->tensor = NULL;
        output->dataset = NULL;
    }
}

/* step.json is written last: where it is, the step is done. */
static lw_status keep_step(lwh_run *run, int index, lw_step *running, double seconds, char before[][17])
{
    const lwh_step *step = &run->pipeline->steps[index];
    hand_over(&run->results[index], running);
    json_t *told = lwi_step_describe(running);
    if (!told)
        return LW_MEMORY;
    json_object_set_new(json_object_get(run->state, "seconds"), step->id, json_real(seconds));
    lw_status status = LW_OK;
    if (!run->dry) {
        char *path = lw_format("%s/steps/%s/step.json", run->folder, step->id);
        char *checkpoint = lw_format("%s/steps/%s/checkpoint.safetensors", run->folder, step->id);
        status = path && checkpoint ? lwh_save_outputs(run, index) : LW_MEMORY;
        if (status == LW_OK)
            status = save_changed_models(run, step, before);
        if (status == LW_OK)
            status = lwh_write_json(path, told, 17);
        if (status == LW_OK)
            unlink(checkpoint);
        lw_free(path);
        lw_free(checkpoint);
    }
    remember(run, step, told);
    if (status == LW_OK && !run->dry)
        status = lwh_save_metrics(run);
    return status == LW_OK ? save_state(run, "running") : status;
}

/* What a dry run tells of a program: its memory and arithmetic, and how often it would run. */
typedef struct telling {
    const lwh_run *run;
    const char *step;
    int count;
    const char *about; /* before the number of runs: "", "~", ">=" */
} telling;

static void print_program(void *user, const char *name, lw_program *program, double runs)
{
    telling *t = user;
    lw_program_stats stats;
    if (lw_program_describe(program, &stats) != LW_OK)
        return;
    t->count++;
    double peak = (double)(stats.arena_bytes + stats.parameter_bytes + stats.constant_bytes + stats.io_bytes);
    if (t->run->options->json)
        printf("{\"event\":\"program\",\"step\":\"%s\",\"program\":\"%s\",\"peak_bytes\":%.0f,\"flops\":%"
               ".0f,\"runs\":%.0f,\"exact\":%s,\"kernels\":%u}\n",
               t->step, name, peak, stats.flops, runs, *t->about ? "false" : "true", stats.kernels);
    else
        printf("  %-20s %-20s %9.1f MiB %10.3f GFLOP x %s%-8.0f = %12.1f GFLOP  %4u kernels\n", t->step, name,
               peak / 1048576, stats.flops * 1e-9, t->about, runs, runs * stats.flops * 1e-9, stats.kernels);
}

/* The step's own programs, and those by which it made images of models: at least so often, where a loop that
 * may have made some was not gone through whole. */
static void print_programs(const lwh_run *run, const lw_step *running)
{
    telling t = {run, lw_step_id(running), 0, running->estimated ? "~" : ""};
    for (int i = 0; i < running->program_count; i++) {
        const lwi_step_program *p = &running->programs[i];
        lw_program_stats stats;
        if (lw_program_describe(p->program, &stats) == LW_OK)
            print_program(&t, p->name, p->program, (double)stats.runs + p->estimated);
    }
    t.about = running->estimated ? ">=" : "";
    for (int i = 0; i < run->pipeline->model_count; i++)
        lwi_model_tell_programs(run->pipeline->models[i].model, print_program, &t);
    if (run->options->json)
        return;
    if (!t.count)
        printf("  %-20s (compiles nothing)\n", t.step);
    if (running->estimated)
        printf("  %-20s (~: too many iterations to go through all; the others are taken to be alike)\n",
               t.step);
}

static lw_status run_plugin(lwh_run *run, int index, const lwi_step_setup *setup)
{
    const lwh_pipeline *p = run->pipeline;
    char(*before)[17] = lw_alloc((size_t)p->model_count + 1, sizeof(*before));
    if (!before)
        return LW_MEMORY;
    for (int i = 0; i < p->model_count; i++)
        snprintf(before[i], sizeof(before[i]), "%s", lw_model_identity(p->models[i].model));
    if (run->options->profile && lwi_profile_begin(run->device, setup->id) != LW_OK) {
        lw_free(before);
        return lw_error_status();
    }
    double began = lwi_clock();
    lw_step *running = lwi_step_create(setup, run->resume);
    lw_status status = running ? lwi_step_run(running) : lw_error_status();
    if (status == LW_OK && run->dry)
        print_programs(run, running);
    if (status == LW_OK)
        status = resolve_types(&run->results[index], &p->steps[index], setup->bindings);
    if (status == LW_OK)
        status = keep_step(run, index, running, lwi_clock() - began, before);
    lwi_step_destroy(running);
    lw_free(before);
    return status;
}

/* Where a step is done already, its results are taken from the folder. */
static lw_status take_up(lwh_run *run, int index, const char *folder, bool *done)
{
    const lwh_step *step = &run->pipeline->steps[index];
    char *path = lw_format("%s/step.json", folder);
    *done = path && run->resume && !lwh_makes_dataset(step) && access(path, F_OK) == 0;
    lw_status status = path ? LW_OK : LW_MEMORY;
    if (*done) {
        json_t *told = lwh_read_json(path);
        status = told ? lwh_load_outputs(run, index) : lw_error_status();
        if (status == LW_OK)
            status = lwh_load_models(run, step);
        if (status == LW_OK)
            remember(run, step, told);
        else
            json_decref(told);
    }
    lw_free(path);
    return status;
}

static lw_status run_step(lwh_run *run, int index)
{
    lwh_step *step = &run->pipeline->steps[index];
    int most = 1, count = 0;
    for (int i = 0; i < step->input_count; i++)
        most += step->inputs[i].count;
    char *folder = lwh_step_folder(run, step);
    lwi_step_input *inputs = lw_alloc((size_t)most, sizeof(*inputs));
    lwi_bindings bindings;
    bool done = false;
    lw_status status = folder && inputs ? lwi_make_folder(folder) : LW_MEMORY;
    if (status == LW_OK)
        status = make_result(&run->results[index], step);
    if (status == LW_OK)
        status = gather_inputs(run, step, inputs, &count, &bindings);
    if (status == LW_OK)
        status = take_up(run, index, folder, &done);
    if (!run->dry)
        lwh_progress_step(&run->progress, step->id, step->uses, done);
    if (status == LW_OK && !done) {
        write_log(run, json_pack("{s:s, s:s, s:s}", "event", "step", "step", step->id, "uses", step->uses));
        lwi_step_setup setup = {
            .id = step->id,
            .uses = step->uses,
            .plugin = step->plugin,
            .args = step->args,
            .seed = run->pipeline->seed,
            .device = run->device,
            .inputs = inputs,
            .input_count = count,
            .bindings = &bindings,
            .folder = folder,
            .run_folder = run->folder,
            .checkpoint_every = run->options->checkpoint_every,
            .dry = run->dry,
            .hooks = {run, lwh_is_cancelled, on_progress, on_note, on_model, lwh_history}};
        status = run_plugin(run, index, &setup);
    }
    if (status == LW_OK && done)
        status = resolve_types(&run->results[index], step, &bindings);
    double seconds = json_real_value(json_object_get(json_object_get(run->state, "seconds"), step->id));
    if (status == LW_OK && !done && !run->dry) {
        lwh_progress_done(&run->progress, step->id, seconds);
        write_log(run,
                  json_pack("{s:s, s:s, s:f}", "event", "step_done", "step", step->id, "seconds", seconds));
    }
    lw_free(inputs);
    lw_free(folder);
    return status;
}

/* --- all steps -------------------------------------------------------------------------------- */
static lw_status run_steps(lwh_run *run)
{
    const lwh_pipeline *p = run->pipeline;
    char *folder = lw_format("%s/steps", run->folder);
    lw_status status = folder ? lwi_make_folder(folder) : LW_MEMORY;
    lw_free(folder);
    run->results = status == LW_OK ? lw_alloc((size_t)p->step_count + 1, sizeof(*run->results)) : NULL;
    if (!run->results)
        return lw_error_status();
    for (int i = 0; i < p->step_count; i++) {
        if (lwh_is_cancelled(NULL))
            return lw_fail(LW_CANCELLED, "cancelled");
        status = run_step(run, i);
        if (status != LW_OK && status != LW_CANCELLED)
            return lw_wrap("step '%s' (%s) failed", p->steps[i].id, p->steps[i].uses);
        LW_TRY(status);
        lwh_drop_datasets(run, i);
    }
    return LW_OK;
}

lw_status lwh_execute(lwh_run *run)
{
    run->began = lwi_clock();
    run->steps = json_array();
    if (!json_object_get(run->state, "seconds"))
        json_object_set_new(run->state, "seconds", json_object());
    lwh_progress_init(&run->progress, run->options, run->pipeline->step_count);
    LW_TRY(save_state(run, "running"));
    write_log(run, json_pack("{s:s, s:s, s:s}", "event", run->resume ? "resume" : "run", "device",
                             run->info.name, "blas", run->info.blas));
    if (run->options->profile)
        LW_TRY(lwi_profile_start(run->device));
    lw_status status = run_steps(run);
    lwh_progress_clear(&run->progress);
    if (run->options->profile && (status == LW_OK || status == LW_CANCELLED)) {
        lw_status written = lwh_profile_write(run->device, run->options, run->folder);
        status = written == LW_OK ? status : written;
    }
    const char *state = status == LW_OK ? "done" : status == LW_CANCELLED ? "cancelled" : "failed";
    char *error = status == LW_OK || status == LW_CANCELLED ? NULL : lw_strdup(lw_error_text());
    if (error)
        json_object_set_new(run->state, "error", json_string(error));
    else
        json_object_del(run->state, "error");
    write_log(run, json_pack("{s:s, s:f, s:s*}", "event", state, "seconds", lwi_clock() - run->began, "error",
                             error));
    lw_status saved = save_state(run, state);
    if (error && saved == LW_OK && lw_error_status() == LW_OK) /* saving must not have lost the message */
        lw_fail(status, "%s", error);
    lw_free(error);
    return status == LW_OK ? saved : status;
}

void lwh_run_clear(lwh_run *run)
{
    for (int i = 0; run->results && i < run->pipeline->step_count; i++) {
        const lw_plugin *plugin = run->pipeline->steps[i].plugin;
        for (uint32_t k = 0; run->results[i].types && k < plugin->output_count; k++) {
            lw_tensor_destroy(run->results[i].outputs[k]);
            lw_dataset_destroy(run->results[i].datasets[k]);
        }
        lw_free(run->results[i].outputs);
        lw_free(run->results[i].datasets);
        lw_free(run->results[i].shapes);
        lw_free(run->results[i].types);
    }
    lw_free(run->results);
    json_decref(run->steps);
    json_decref(run->state);
    if (run->log)
        fclose(run->log);
    for (int i = 0; i < run->pipeline->model_count; i++)
        if (run->pipeline->models[i].model)
            lwi_model_drop_programs(run->pipeline->models[i].model);
    lw_device_close(run->device);
}
