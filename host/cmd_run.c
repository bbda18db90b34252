/* cmd_run.c — latentwalk run, and latentwalk resume. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "model/model.h"
#include "run.h"
#include "tuning.h"

/* --- shared ------------------------------------------------------------------------------------------- */
static lw_status open_device(lwh_run *run, const char *select)
{
    run->device = lw_device_open(select, run->pipeline->blas);
    if (!run->device)
        return lw_error_status();
    if (!run->dry) {
        char *record = lw_format("%s/tuning.json", run->folder);
        lw_status status = record ? lwh_tune(run->device, run->pipeline->tuning, record) : LW_MEMORY;
        lw_free(record);
        LW_TRY(status);
    }
    return lw_device_describe(run->device, &run->info);
}

static lw_status open_log(lwh_run *run)
{
    char *path = lw_format("%s/log.jsonl", run->folder);
    if (!path)
        return LW_MEMORY;
    run->log = fopen(path, "a");
    lw_status status =
        run->log ? LW_OK : lw_fail(LW_IO, "cannot write the log '%s': %s", path, strerror(errno));
    lw_free(path);
    return status;
}

/* The thing to look at first: the report where there is one. */
static void tell_result(const lwh_run *run)
{
    char *report = lw_format("%s/report.html", run->folder);
    const char *shown = report && access(report, F_OK) == 0 ? report : run->folder;
    if (run->options->json)
        printf("{\"event\":\"done\",\"run\":\"%s\",\"see\":\"%s\"}\n", run->folder, shown);
    else
        printf("%s\n", shown);
    lw_free(report);
}

static int finish(const lwh_run *run, lw_status status)
{
    if (status == LW_OK) {
        tell_result(run);
        return LWH_FINE;
    }
    if (status != LW_CANCELLED)
        return lwh_tell_error(run->options, LWH_RUN_FAILED);
    if (run->options->json)
        printf("{\"event\":\"cancelled\",\"run\":\"%s\"}\n", run->folder);
    else
        fprintf(stderr, "cancelled; go on with: latentwalk resume %s\n", run->folder);
    return LWH_CANCELLED;
}

static json_t *device_json(const lw_device_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", info->name, "platform", info->platform,
                     "version", info->version, "driver", info->driver, "type", info->type, "blas",
                     info->blas);
}

/* --- run -------------------------------------------------------------------------------------- */
static json_t *new_state(const lwh_run *run)
{
    char now[LWH_TIME_TEXT];
    char *name = lwh_pipeline_name(run->pipeline->file);
    json_t *state = lwh_ingredients(run->pipeline);
    if (state && name) {
        json_object_set_new(state, "latentwalk", json_string(LW_VERSION));
        json_object_set_new(state, "pipeline", json_string(name));
        json_object_set_new(state, "seed", json_integer((json_int_t)run->pipeline->seed));
        json_object_set_new(state, "started", json_string(lwh_now(now)));
        json_object_set_new(state, "device", device_json(&run->info));
    }
    lw_free(name);
    return state;
}

static lw_status start(lwh_run *run)
{
    LW_TRY(open_device(run, run->dry ? "none" : run->pipeline->select));
    run->state = new_state(run);
    if (!run->state)
        return lw_error_status();
    if (!run->dry) {
        char *path = lw_format("%s/pipeline.yaml", run->folder);
        lw_status status = path ? lwh_write_effective(run->pipeline, run->info.blas, path) : LW_MEMORY;
        lw_free(path);
        LW_TRY(status);
        LW_TRY(open_log(run));
    }
    return lwh_execute(run);
}

static int run_real(lwh_run *run)
{
    char *folder = lwh_folder_create(run->pipeline->file, run->options->out);
    if (!folder)
        return lwh_tell_error(run->options, LWH_USAGE);
    run->folder = folder;
    int code = finish(run, start(run));
    lwh_run_clear(run);
    lw_free(folder);
    return code;
}

static int run_dry(lwh_run *run)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = lw_format("%s/latentwalk-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!folder || !mkdtemp(folder)) {
        if (folder)
            lw_fail(LW_IO, "cannot make a folder '%s': %s", folder, strerror(errno));
        lw_free(folder);
        return lwh_tell_error(run->options, LWH_RUN_FAILED);
    }
    run->folder = folder;
    run->dry = true;
    lw_status status = start(run);
    int code = status == LW_OK          ? LWH_FINE
               : status == LW_CANCELLED ? LWH_CANCELLED
                                        : lwh_tell_error(run->options, LWH_RUN_FAILED);
    lwh_run_clear(run);
    if (lwh_remove_tree(folder) != LW_OK)
        code = lwh_tell_error(run->options, LWH_RUN_FAILED);
    lw_free(folder);
    return code;
}

int lwh_cmd_run(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    lwh_pipeline *pipeline =
        registry ? lwh_load_checked(options, registry, options->argument, (const char *const *)options->sets)
                 : NULL;
    int code = LWH_USAGE;
    if (pipeline && options->dry_run && options->profile) {
        lw_fail(LW_INVALID, "--profile times what runs, and --dry-run runs nothing; give one of the two");
        lwh_tell_error(options, code);
    } else if (pipeline) {
        lwh_run run = {.options = options, .pipeline = pipeline};
        code = lwh_catch_signals() != LW_OK ? lwh_tell_error(options, LWH_RUN_FAILED)
               : options->dry_run           ? run_dry(&run)
                                            : run_real(&run);
    }
    lwh_pipeline_destroy(pipeline);
    lwi_registry_destroy(registry);
    return code;
}

/* --- resume ----------------------------------------------------------------------------------- */
static lw_status compare_device(const json_t *before, const lw_device_info *now)
{
    const char *name = json_string_value(json_object_get(before, "name"));
    const char *blas = json_string_value(json_object_get(before, "blas"));
    if (name && blas && strcmp(name, now->name) == 0 && strcmp(blas, now->blas) == 0)
        return LW_OK;
    return lw_fail(LW_INVALID, "the device was %s (%s), is now %s (%s)", name ? name : "unknown",
                   blas ? blas : "?", now->name, now->blas);
}

/* A run goes on with what it was begun with, or says what is different. */
static lw_status check_same(lwh_run *run)
{
    json_t *now = lwh_ingredients(run->pipeline);
    if (!now)
        return lw_error_status();
    lw_status status = lwh_compare_ingredients(run->state, now);
    json_decref(now);
    if (status == LW_OK)
        status = compare_device(json_object_get(run->state, "device"), &run->info);
    if (status == LW_OK)
        return LW_OK;
    if (!run->options->force)
        return lw_wrap("the run would not end as it began; start it anew, or go on with --force");
    json_t *forced = json_object_get(run->state, "forced");
    if (!forced) {
        forced = json_array();
        json_object_set_new(run->state, "forced", forced);
    }
    json_array_append_new(forced, json_string(lw_error_text()));
    lw_error_clear();
    return LW_OK;
}

static lw_status go_on(lwh_run *run)
{
    LW_TRY(open_device(run, run->pipeline->select));
    LW_TRY(check_same(run));
    LW_TRY(open_log(run));
    return lwh_execute(run);
}

static int resume_loaded(lwh_run *run)
{
    lw_status status = lwh_catch_signals();
    if (status == LW_OK)
        status = go_on(run);
    bool refused = status == LW_INVALID && !run->steps;
    int code = refused ? lwh_tell_error(run->options, LWH_USAGE) : finish(run, status);
    lwh_run_clear(run);
    return code;
}

int lwh_cmd_resume(const lwh_options *options)
{
    int code = LWH_USAGE;
    size_t length = strlen(options->argument);
    while (length > 1 && options->argument[length - 1] == '/')
        length--;
    char *folder = lw_format("%.*s", (int)length, options->argument);
    char *file = folder ? lw_format("%s/pipeline.yaml", folder) : NULL;
    char *state = folder ? lw_format("%s/run.json", folder) : NULL;
    lwh_run run = {.options = options, .folder = folder, .resume = true};
    run.state = state ? lwh_read_json(state) : NULL;
    const char *how = json_string_value(json_object_get(run.state, "state"));
    if (!how) {
        lw_fail(LW_NOT_FOUND,
                "'%s' is no run folder: it has no run.json that can be read; name the folder that "
                "`latentwalk run` made, as in runs/quickstart-20250101-120000",
                options->argument);
        lwh_tell_error(options, code);
    } else if (strcmp(how, "done") == 0) {
        lw_fail(LW_INVALID, "the run '%s' is done; to do it again: latentwalk run %s/pipeline.yaml", folder,
                folder);
        lwh_tell_error(options, code);
    } else {
        lwi_registry *registry = lwh_find_plugins(options);
        run.pipeline = registry ? lwh_load_checked(options, registry, file, NULL) : NULL;
        if (run.pipeline) {
            code = resume_loaded(&run);
            run.state = NULL;
        }
        lwh_pipeline_destroy(run.pipeline);
        lwi_registry_destroy(registry);
    }
    json_decref(run.state);
    lw_free(folder);
    lw_free(file);
    lw_free(state);
    return code;
}
