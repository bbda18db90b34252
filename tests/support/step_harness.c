/* step_harness.c — see step_harness.h. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "plugin/args.h"
#include "plugin/registry.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_ok(lw_status status)
{
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
}

const lw_plugin *harness_plugin(const char *id)
{
    char *path = lw_format("%s/%s.so", LW_PLUGIN_DIR, id);
    assert_non_null(path);
    *strrchr(path, '/') = '-';
    const lw_plugin *plugin = lwi_plugin_load(path);
    if (!plugin)
        fail_msg("%s: %s", path, lw_error_text());
    lw_free(path);
    return plugin;
}

void harness_open(harness *h, const char *id)
{
    *h = (harness){.folder = "/tmp/latentwalk-test-XXXXXX"};
    assert_non_null(mkdtemp(h->folder));
    h->plugin = harness_plugin(id);
    h->args = lwi_args_create(h->plugin);
    assert_non_null(h->args);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

void harness_close(harness *h)
{
    lwi_step_destroy(h->step);
    lwi_args_destroy(h->args);
    json_decref(h->history);
    nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void harness_set(harness *h, const char *key, const char *text)
{
    assert_ok(lwi_args_set_text(h->args, key, text, true));
}

void harness_input(harness *h, const char *port, const char *name, const char *space, const lw_tensor *tensor)
{
    assert_non_null(tensor);
    assert_true(h->input_count < HARNESS_INPUTS);
    h->inputs[h->input_count++] =
        (lwi_step_input){.port = port, .name = name, .space = space, .tensor = tensor};
}

void harness_input_dataset(harness *h, const char *port, const char *name, lw_dataset *dataset)
{
    assert_non_null(dataset);
    assert_true(h->input_count < HARNESS_INPUTS);
    h->inputs[h->input_count++] =
        (lwi_step_input){.port = port, .name = name, .space = "dataset", .dataset = dataset};
}

static bool never(void *user)
{
    (void)user;
    return false;
}

static lw_model *find_model(void *user, const char *name)
{
    (void)name;
    return ((harness *)user)->model;
}

static json_t *tell_history(void *user)
{
    harness *h = user;
    return h->history ? json_incref(h->history) : json_object();
}

lw_status harness_run(harness *h)
{
    const char *model = h->model ? lw_model_name(h->model) : NULL;
    lwi_bindings_init(&h->bindings, "test", h->args, h->model ? lwi_model_dims(h->model) : NULL, model);
    for (int i = 0; i < h->input_count; i++) {
        const lwi_step_input *input = &h->inputs[i];
        const lw_port *port = lwi_input_find(h->plugin, input->port);
        assert_non_null(port);
        lw_shape shape = input->tensor ? input->tensor->shape : lw_dataset_shape(input->dataset);
        lwi_port_type type = lwi_port_of_shape(input->space, model ? model : "", shape);
        LW_TRY(lwi_unify(&h->bindings, port, &type, input->name));
    }
    char own[96];
    snprintf(own, sizeof own, "%s/steps/test", h->folder);
    lwi_step_destroy(h->step);
    h->step = lwi_step_create(
        &(lwi_step_setup){
            .id = "test",
            .uses = lwi_plugin_id(h->plugin),
            .plugin = h->plugin,
            .args = h->args,
            .seed = 42,
            .device = h->device,
            .inputs = h->inputs,
            .input_count = h->input_count,
            .bindings = &h->bindings,
            .folder = own,
            .run_folder = h->folder,
            .checkpoint_every = 1e9,
            .hooks = {.user = h, .cancelled = never, .model = find_model, .history = tell_history}},
        false);
    assert_non_null(h->step);
    return lwi_step_run(h->step);
}

char *harness_path(const harness *h, const char *file)
{
    return lw_format("%s/steps/test/%s", h->folder, file);
}

static const lwi_step_output *find_output(const harness *h, const char *port)
{
    for (int i = 0; i < h->step->output_count; i++)
        if (strcmp(h->step->outputs[i].port->name, port) == 0)
            return &h->step->outputs[i];
    fail_msg("the plugin has no output '%s'", port);
    return NULL;
}

const lw_tensor *harness_output(const harness *h, const char *port)
{
    return find_output(h, port)->tensor;
}

const lw_dataset *harness_dataset(const harness *h, const char *port)
{
    return find_output(h, port)->dataset;
}

const lwi_series *harness_series(const harness *h, const char *name)
{
    for (int i = 0; i < h->step->series_count; i++)
        if (strcmp(h->step->series[i].name, name) == 0)
            return &h->step->series[i];
    fail_msg("there is no curve '%s'", name);
    return NULL;
}

double harness_metric(const harness *h, const char *row, const char *column)
{
    json_t *cell = json_object_get(json_object_get(h->step->table, row), column);
    return json_is_number(cell) ? json_number_value(cell) : NAN;
}
