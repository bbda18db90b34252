/* descent.c — see descent.h. */
#include "descent.h"

#include <math.h>
#include <string.h>

/* --- tensors ---------------------------------------------------------------------------------- */
lw_value descent_variable(descent *d, lw_graph *g, const char *name, lw_shape shape)
{
    const lw_scope scope = {.size = sizeof scope,
                            .plugin = "descent",
                            .model = "descent",
                            .prefix = "",
                            .store = d->variables,
                            .create = true};
    lw_scope_push(g, &scope);
    lw_value variable = lw_weight(g, shape, lw_init_constant(0), "%s", name);
    lw_scope_pop(g);
    return variable;
}

lw_value descent_state(descent *d, lw_graph *g, const char *name, lw_shape shape)
{
    if (!lw_store_has(d->path, name) && lw_store_set(d->path, name, shape, NULL) != LW_OK)
        return lw_graph_fail(g, LW_MEMORY, "out of memory");
    return lw_parameter(g, d->path, name);
}

/* --- one batch -------------------------------------------------------------------------------- */
typedef enum progress { LOSS, STOPPED, PROGRESS } progress; /* of kept "progress" */

static lw_status tell(descent *d, double loss, bool stopped)
{
    return lw_store_set(d->kept, "progress", LW_SHAPE(PROGRESS),
                        (const float[PROGRESS]){(float)loss, stopped});
}

/* Variables and optimiser as at the start of the batch. The official code compares the first loss with 0. */
static lw_status restart(descent *d, const descent_task *task)
{
    LW_TRY(lw_store_clear(d->variables));
    LW_TRY(lw_store_clear(d->path));
    LW_TRY(lw_store_clear(d->adam));
    LW_TRY(tell(d, 0, false));
    return task->start(d);
}

/* Writes what is worth keeping of a run that failed, and says where. */
static lw_status give_up(descent *d, int64_t iteration, float loss, bool has_good)
{
    char *path = has_good ? lw_step_path(d->step, "last-good.safetensors") : NULL;
    lw_store *file = path ? lw_store_create() : NULL;
    const lw_tensor *rows = lw_store_get(d->kept, "rows");
    const int64_t width = rows->shape.dim[1];
    lw_status status =
        file ? lw_store_set(file, "latents", LW_SHAPE(d->batch, d->size / d->batch), d->good) : LW_NOT_FOUND;
    if (status == LW_OK && d->first > 0)
        status = lw_store_set(file, "finished", LW_SHAPE(d->first, width), rows->data);
    if (status == LW_OK)
        status = lw_store_save(file, path, LW_STORE_F32);
    char *where = status == LW_OK ? lw_format("; the latents of the step before are kept in %s", path) : NULL;
    lw_store_destroy(file);
    lw_free(path);
    lw_fail(LW_NUMERIC,
            "the loss of latents %lld to %lld is %s at step %lld%s; a lower learning_rate may help",
            (long long)d->first, (long long)(d->first + d->batch - 1),
            isnan(loss) ? "not a number" : "infinite", (long long)iteration, where ? where : "");
    lw_free(where);
    return LW_NUMERIC;
}

/* One step. *has_good: whether d->good holds latents of this batch. */
static lw_status advance(descent *d, const descent_task *task, int64_t iteration, bool *has_good)
{
    const lw_args *args = lw_step_args(d->step);
    const float previous = lw_store_get(d->kept, "progress")->data[LOSS];
    const double falls = (double)(iteration / lw_int(args, "decay_every"));
    float loss, rate = (float)(lw_float(args, "learning_rate") * pow(0.1, falls));
    LW_TRY(lw_program_write(d->program, "rate", &rate, 1));
    LW_TRY(lw_program_run(d->program));
    LW_TRY(lw_program_read(d->program, "loss", &loss, 1));
    LW_TRY(lw_program_read(d->program, "latents", d->latents, (size_t)d->size));
    if (!isfinite(loss))
        return give_up(d, iteration, loss, *has_good);
    memcpy(d->good, d->latents, (size_t)d->size * sizeof *d->good);
    *has_good = true;
    if (task->stepped)
        LW_TRY(task->stepped(d));
    bool still = fabsf(loss - previous) < (float)lw_float(args, "tolerance") && !lw_step_is_dry(d->step);
    if (still || iteration % 10 == 0 || iteration == lw_int(args, "iterations") - 1)
        LW_TRY(lw_step_log(d->step, "loss", (double)loss));
    return tell(d, (double)loss, still);
}

/* Results of the batch to where a resumed run finds them. */
static lw_status finish(descent *d, const descent_task *task)
{
    lw_tensor *rows = lw_tensor_copy(lw_store_get(d->kept, "rows"));
    if (!rows)
        return LW_MEMORY;
    lw_status status = task->take(d, d->latents, rows->data + d->first * task->width);
    for (int64_t i = d->first * task->width; status == LW_OK && i < (d->first + d->batch) * task->width; i++)
        if (!isfinite(rows->data[i]))
            status =
                lw_fail(LW_NUMERIC,
                        "latent %lld is no longer finite after its last step; a lower learning_rate may help",
                        (long long)(i / task->width));
    if (status == LW_OK)
        status = lw_store_set(d->kept, "rows", rows->shape, rows->data);
    lw_tensor_destroy(rows);
    return status;
}

/* --- all of them ------------------------------------------------------------------------------ */
static lw_program *compile(descent *d, const descent_task *task)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value latents = {0}, loss = task->build(d, g, &latents);
    lw_output(g, "loss", loss);
    lw_output(g, "latents", latents);
    d->size = lw_is_null(latents) ? 0 : d->batch * lw_dim(g, latents, 1);
    lw_adam(g, loss, d->variables, d->adam, .rate = lw_input(g, "rate", LW_SCALAR), .beta1 = 0.9f);
    return lw_step_compile(d->step, g, task->program);
}

static lw_status open(descent *d, const descent_task *task)
{
    const int64_t batch = lw_int(lw_step_args(d->step), "batch");
    d->batch = batch < d->count ? batch : d->count;
    d->variables = lw_step_store(d->step, "variables");
    d->path = lw_step_store(d->step, "path");
    d->adam = lw_step_store(d->step, "adam");
    d->kept = lw_step_store(d->step, "descent");
    if (!d->variables || !d->path || !d->adam || !d->kept || !(d->program = compile(d, task)))
        return lw_error_status();
    d->latents = lw_alloc((size_t)d->size, sizeof *d->latents);
    d->good = lw_alloc((size_t)d->size, sizeof *d->good);
    if (!d->latents || !d->good)
        return LW_MEMORY;
    if (lw_store_has(d->kept, "rows")) /* resumed */
        return LW_OK;
    LW_TRY(lw_store_set(d->kept, "rows", LW_SHAPE(d->count, task->width), NULL));
    return tell(d, 0, false);
}

static lw_status go_through(descent *d, const descent_task *task)
{
    const int64_t steps = lw_int(lw_step_args(d->step), "iterations");
    const int64_t batches = (d->count + d->batch - 1) / d->batch;
    int64_t entered = -1;
    bool has_good = false;
    for (int64_t i; lw_next(d->step, batches * steps, &i);) {
        const int64_t batch = i / steps, iteration = i % steps;
        d->first = lw_batch_first(batch, d->batch, d->count);
        if (batch != entered)
            LW_TRY(task->write(d));
        if (iteration == 0) {
            LW_TRY(restart(d, task));
            has_good = false;
        }
        entered = batch;
        if (lw_store_get(d->kept, "progress")->data[STOPPED] != 0)
            continue;
        LW_TRY(advance(d, task, iteration, &has_good));
        if (iteration == steps - 1 || lw_store_get(d->kept, "progress")->data[STOPPED] != 0)
            LW_TRY(finish(d, task));
    }
    return lw_step_finish(d->step);
}

lw_status descent_run(descent *d, const descent_task *task, lw_tensor *result)
{
    lw_status status = open(d, task);
    if (status == LW_OK)
        status = go_through(d, task);
    if (status == LW_OK)
        memcpy(result->data, lw_store_get(d->kept, "rows")->data,
               (size_t)lw_shape_count(result->shape) * sizeof(float));
    lw_free(d->latents);
    lw_free(d->good);
    return status;
}
