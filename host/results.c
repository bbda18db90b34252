/* results.c — what a finished step leaves in the run folder, and taking it up again. */
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "folder.h"
#include "model/model.h"
#include "run.h"

char *lwh_step_folder(const lwh_run *run, const lwh_step *step)
{
    return lw_format("%s/steps/%s", run->folder, step->id);
}

/* --- outputs --------------------------------------------------------------------------------------- */
static char *output_path(const lwh_run *run, const lwh_step *step, const char *port)
{
    return lw_format("%s/steps/%s/outputs/%s.safetensors", run->folder, step->id, port);
}

static lw_status save_output(lwh_run *run, int index, uint32_t output)
{
    const lwh_step *step = &run->pipeline->steps[index];
    const char *port = lwi_output_at(step->plugin, output)->name;
    const lw_tensor *tensor = run->results[index].outputs[output];
    if (!tensor) /* a dataset */
        return LW_OK;
    const lwi_port_type *type = &run->results[index].types[output];
    lw_store *store = lw_store_create();
    char *path = output_path(run, step, port);
    lw_status status = store && path ? lw_store_set(store, port, tensor->shape, tensor->data) : LW_MEMORY;
    if (status == LW_OK)
        status = lw_store_set_metadata(store, "latentwalk.space", type->space);
    if (status == LW_OK && type->model[0])
        status = lw_store_set_metadata(store, "latentwalk.model", type->model);
    if (status == LW_OK)
        status = lw_store_save(store, path, LW_STORE_F32);
    lw_store_destroy(store);
    lw_free(path);
    return status;
}

lw_status lwh_save_outputs(lwh_run *run, int index)
{
    const lwh_step *step = &run->pipeline->steps[index];
    if (step->plugin->output_count == 0)
        return LW_OK;
    char *folder = lw_format("%s/steps/%s/outputs", run->folder, step->id);
    lw_status status = folder ? lwi_make_folder(folder) : LW_MEMORY;
    lw_free(folder);
    for (uint32_t i = 0; status == LW_OK && i < step->plugin->output_count; i++)
        status = save_output(run, index, i);
    return status;
}

lw_status lwh_load_outputs(lwh_run *run, int index)
{
    const lwh_step *step = &run->pipeline->steps[index];
    for (uint32_t i = 0; i < step->plugin->output_count; i++) {
        const char *port = lwi_output_at(step->plugin, i)->name;
        char *path = output_path(run, step, port);
        lw_store *store = path ? lw_store_load(path) : NULL;
        const lw_tensor *tensor = store ? lw_store_get(store, port) : NULL;
        if (store && !tensor)
            lw_fail(LW_FORMAT, "'%s' holds no tensor '%s'", path, port);
        run->results[index].outputs[i] = tensor ? lw_tensor_copy(tensor) : NULL;
        if (tensor)
            run->results[index].shapes[i] = tensor->shape;
        lw_store_destroy(store);
        lw_free(path);
        if (!run->results[index].outputs[i])
            return lw_wrap("cannot take up what step '%s' has made", step->id);
    }
    return LW_OK;
}

/* --- datasets ----------------------------------------------------------------------------------------- */
bool lwh_makes_dataset(const lwh_step *step)
{
    for (uint32_t i = 0; i < step->plugin->output_count; i++)
        if (strncmp(lwi_output_at(step->plugin, i)->type, "dataset[", 8) == 0)
            return true;
    return false;
}

static bool is_needed_after(const lwh_pipeline *p, int maker, int index)
{
    for (int i = index + 1; i < p->step_count; i++)
        for (int k = 0; k < p->steps[i].input_count; k++)
            for (int j = 0; j < p->steps[i].inputs[k].count; j++)
                if (p->steps[i].inputs[k].from[j].index == maker)
                    return true;
    return false;
}

void lwh_drop_datasets(lwh_run *run, int index)
{
    for (int maker = 0; maker <= index; maker++) {
        const lwh_step *step = &run->pipeline->steps[maker];
        if (is_needed_after(run->pipeline, maker, index))
            continue;
        for (uint32_t i = 0; run->results[maker].datasets && i < step->plugin->output_count; i++) {
            lw_dataset_destroy(run->results[maker].datasets[i]);
            run->results[maker].datasets[i] = NULL;
        }
    }
}

/* --- models changed in place -------------------------------------------------------------------------- */
static const char *const part_prefix[] = {"G.", "D.", "N."};

lw_status lwh_save_model(lwh_run *run, const lwh_step *step, const lwh_model *model)
{
    char *folder = lw_format("%s/steps/%s/models", run->folder, step->id);
    lw_status status = folder ? lwi_make_folder(folder) : LW_MEMORY;
    char *path = status == LW_OK ? lw_format("%s/%s.safetensors", folder, model->name) : NULL;
    status = path ? lw_model_save(model->model, path, LW_STORE_F32) : lw_error_status();
    lw_free(folder);
    lw_free(path);
    return status;
}

static lw_status load_model(const lwh_model *model, const char *path)
{
    lw_store *store = lw_store_load(path);
    lw_status status = store ? LW_OK : lw_error_status();
    for (int part = 0; status == LW_OK && part < LWI_PART_COUNT; part++)
        if (model->parts[part].uses)
            status = lw_store_merge(lw_model_store(model->model, (lw_part)part), store, part_prefix[part]);
    lw_store_destroy(store);
    lw_model_changed(model->model);
    return status;
}

lw_status lwh_load_models(lwh_run *run, const lwh_step *step)
{
    for (int i = 0; i < run->pipeline->model_count; i++) {
        const lwh_model *model = &run->pipeline->models[i];
        char *path = lw_format("%s/steps/%s/models/%s.safetensors", run->folder, step->id, model->name);
        lw_status status = path ? LW_OK : LW_MEMORY;
        if (path && access(path, F_OK) == 0)
            status = load_model(model, path);
        lw_free(path);
        LW_TRY(status);
    }
    return LW_OK;
}

/* --- what was measured --------------------------------------------------------------------------------- */
/* {step: {"uses", "table", "last": {series: value}}}: no times, so that equal runs give equal bytes. */
lw_status lwh_save_metrics(lwh_run *run)
{
    json_t *metrics = json_object(), *step;
    size_t i;
    json_array_foreach (run->steps, i, step) {
        const char *name;
        json_t *points, *last = json_object();
        json_object_foreach (json_object_get(step, "series"), name, points) {
            json_t *point = json_array_get(points, json_array_size(points) - 1);
            json_object_set(last, name, json_array_get(point, 1));
        }
        json_object_set_new(metrics, json_string_value(json_object_get(step, "id")),
                            json_pack("{s:O, s:O, s:o}", "uses", json_object_get(step, "uses"), "table",
                                      json_object_get(step, "table"), "last", last));
    }
    char *path = lw_format("%s/metrics.json", run->folder);
    lw_status status = path ? lwh_write_json(path, metrics, 9) : LW_MEMORY;
    json_decref(metrics);
    lw_free(path);
    return status;
}

static json_t *model_history(const lwh_model *model)
{
    json_t *object = json_pack("{s:s}", "identity", lw_model_identity(model->model));
    for (int part = 0; part < LWI_PART_COUNT; part++) {
        const lwh_part *spec = &model->parts[part];
        if (!spec->uses)
            continue;
        json_t *entry =
            json_pack("{s:s, s:o, s:s*}", "uses", spec->uses, "with",
                      lwh_args_json(lwi_model_args(model->model, (lw_part)part)), "weights", spec->file);
        json_object_set_new(object, lwi_part_name((lw_part)part), entry);
    }
    return object;
}

json_t *lwh_history(void *user)
{
    lwh_run *run = user;
    json_t *models = json_object();
    for (int i = 0; i < run->pipeline->model_count; i++)
        json_object_set_new(models, run->pipeline->models[i].name, model_history(&run->pipeline->models[i]));
    return json_pack(
        "{s:s, s:O, s:I, s:{s:s, s:s, s:s, s:s, s:s, s:I}, s:o, s:O}", "latentwalk", LW_VERSION, "pipeline",
        json_object_get(run->state, "pipeline"), "seed", (json_int_t)run->pipeline->seed, "device", "name",
        run->info.name, "platform", run->info.platform, "version", run->info.version, "type", run->info.type,
        "blas", run->info.blas, "units", (json_int_t)run->info.units, "models", models, "steps", run->steps);
}
