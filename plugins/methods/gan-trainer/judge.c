/* judge.c — see judge.h. */
#include "judge.h"

static lw_program *compile(judge *j)
{
    const trainer *t = j->t;
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    const lw_build_options averaged = {.size = sizeof averaged, .store = t->average};
    lw_value z = lw_input(g, "z", LW_SHAPE(t->image.dim[0], lw_model_dim(t->model, "z_dim")));
    lw_value features =
        lw_features(g, j->network, lw_text(t->args, "tap"), lw_generate_with(g, t->model, z, &averaged));
    lw_output(g, "features", features);
    j->size = lw_is_null(features) ? 0 : lw_dim(g, features, 1);
    return lw_step_compile(t->step, g, "features of samples");
}

/* All photographs, by a program of its own. */
static lw_status see_photographs(judge *j, const lw_dataset *photographs)
{
    const trainer *t = j->t;
    size_t batch = (size_t)t->image.dim[0], count = (size_t)lw_shape_count(t->image), real;
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lw_output(g, "features",
              lw_features(g, j->network, lw_text(t->args, "tap"), lw_input(g, "images", t->image)));
    lw_program *program = lw_step_compile(t->step, g, "features of photographs");
    float *images = program ? lw_alloc(count, sizeof *images) : NULL;
    lw_status status = images ? LW_OK : lw_error_status();
    for (size_t i = 0; status == LW_OK && (real = lw_dataset_range(photographs, i, batch, images)) > 0;
         i += batch) {
        status = lw_program_write(program, "images", images, count);
        if (status == LW_OK)
            status = lw_program_run(program);
        if (status == LW_OK)
            status = lw_program_read(program, "features", j->features, batch * (size_t)j->size);
        if (status == LW_OK)
            status = lw_gaussian_add(j->photographs, j->features, (int64_t)real);
    }
    lw_free(images);
    return status;
}

lw_status judge_open(judge *j, const trainer *t, const lw_dataset *photographs)
{
    *j = (judge){
        .t = t, .network = lw_step_model(t->step, "network"), .samples = lw_int(t->args, "judged_samples")};
    if (!j->network)
        return LW_OK;
    if (!photographs)
        return lw_fail(LW_INVALID,
                       "network: samples are compared with held-out images; connect `validation`");
    j->best = lw_step_store(t->step, "best");
    j->program = j->best ? compile(j) : NULL;
    j->photographs = j->program ? lw_gaussian_create(j->size) : NULL;
    if (!j->photographs)
        return lw_error_status();
    j->z = lw_alloc((size_t)(t->image.dim[0] * lw_model_dim(t->model, "z_dim")), sizeof(float));
    j->features = lw_alloc((size_t)(t->image.dim[0] * j->size), sizeof(float));
    return j->z && j->features ? see_photographs(j, photographs) : LW_MEMORY;
}

void judge_close(judge *j)
{
    lw_gaussian_destroy(j->photographs);
    lw_free(j->z);
    lw_free(j->features);
}

/* The same latents every time. */
static lw_status see_samples(judge *j, lw_gaussian *seen)
{
    const trainer *t = j->t;
    int64_t batch = t->image.dim[0], z_dim = lw_model_dim(t->model, "z_dim");
    lw_stream stream = {.seed = lw_step_seed(t->step), .purpose = lw_purpose("judged latents")};
    for (int64_t i = 0; i < j->samples; i += batch) {
        lw_normal(stream, (uint64_t)(i * z_dim), (size_t)(batch * z_dim), j->z);
        LW_TRY(lw_program_write(j->program, "z", j->z, (size_t)(batch * z_dim)));
        LW_TRY(lw_program_run(j->program));
        LW_TRY(lw_program_read(j->program, "features", j->features, (size_t)(batch * j->size)));
        LW_TRY(lw_gaussian_add(seen, j->features, j->samples - i < batch ? j->samples - i : batch));
    }
    return LW_OK;
}

static lw_status remember(judge *j, const char *name, double value)
{
    float rounded = (float)value;
    return lw_store_set(j->best, name, LW_SCALAR, &rounded);
}

static double remembered(judge *j, const char *name)
{
    const lw_tensor *value = lw_store_has(j->best, name) ? lw_store_get(j->best, name) : NULL;
    return value ? (double)value->data[0] : -1;
}

static lw_status keep(judge *j, double distance, int64_t iteration)
{
    char *path = lw_step_path(j->t->step, "best.safetensors");
    lw_storage storage = lw_bool(j->t->args, "half") ? LW_STORE_F16 : LW_STORE_F32;
    lw_status status =
        path ? lw_model_save_averaged(j->t->model, j->t->average, path, storage) : lw_error_status();
    lw_free(path);
    LW_TRY(status);
    LW_TRY(remember(j, "iteration", (double)iteration));
    return remember(j, "distance", distance);
}

lw_status judge_samples(judge *j, int64_t iteration)
{
    lw_frechet distance;
    if (!j->network)
        return LW_OK;
    lw_gaussian *seen = lw_gaussian_create(j->size);
    lw_status status = seen ? see_samples(j, seen) : LW_MEMORY;
    if (status == LW_OK)
        status = lw_frechet_distance(seen, j->photographs, &distance);
    lw_gaussian_destroy(seen);
    LW_TRY(status);
    double whole = distance.means + distance.covariances, best = remembered(j, "distance");
    LW_TRY(remember(j, "last", whole));
    LW_TRY(lw_step_log(j->t->step, "Fréchet distance", whole));
    return best < 0 || whole < best ? keep(j, whole, iteration) : LW_OK;
}

lw_status judge_report(judge *j)
{
    lw_step *step = j->t->step;
    if (!j->network || !lw_store_has(j->best, "distance"))
        return LW_OK;
    LW_TRY(lw_step_metric(step, "best.safetensors", "Fréchet distance", remembered(j, "distance")));
    LW_TRY(lw_step_metric(step, "best.safetensors", "iterations", remembered(j, "iteration")));
    LW_TRY(lw_step_metric(step, "model.safetensors", "Fréchet distance", remembered(j, "last")));
    return lw_step_metric(step, "model.safetensors", "iterations", (double)lw_int(j->t->args, "iterations"));
}
