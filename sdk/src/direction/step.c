/* step.c — directions found by a step: latents to measure them on, and handing them over. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "direction/direction.h"
#include "step/runtime.h"

enum { BATCH = 256, SAMPLES = 5000 }; /* GANSpace measures on 5000 */

static lw_program *compile_map(lw_step *step, lw_model *model)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_output(g, "w", lw_map(g, model, lw_input(g, "z", LW_SHAPE(BATCH, lw_model_dim(model, "z_dim")))));
    return lw_step_compile(step, g, "map");
}

/* Rows first … first + BATCH - 1 of z and w; past the end of w they are dropped. */
static lw_status map_batch(lw_program *program, lw_stream stream, int64_t z_dim, float *room, lw_tensor *w,
                           int64_t first)
{
    const int64_t w_dim = w->shape.dim[1], left = w->shape.dim[0] - first,
                  count = left < BATCH ? left : BATCH;
    float *z = room, *out = room + BATCH * z_dim;
    lw_normal(stream, (uint64_t)(first * z_dim), (size_t)(BATCH * z_dim), z);
    LW_TRY(lw_program_write(program, "z", z, (size_t)(BATCH * z_dim)));
    LW_TRY(lw_program_run(program));
    LW_TRY(lw_program_read(program, "w", out, (size_t)(BATCH * w_dim)));
    memcpy(w->data + first * w_dim, out, (size_t)(count * w_dim) * sizeof *out);
    return LW_OK;
}

lw_tensor *lw_step_latents(lw_step *step, lw_model *model, const char *space, int64_t count,
                           const char *purpose)
{
    const lw_stream stream = {.seed = lw_step_seed(step), .purpose = lw_purpose(purpose)};
    const bool mapped = strcmp(space, "w") == 0;
    const int64_t z_dim = lw_model_dim(model, "z_dim"), size = mapped ? lw_model_dim(model, "w_dim") : z_dim;
    lw_tensor *latents = lw_tensor_create(LW_SHAPE(count, size));
    if (latents && !mapped)
        lw_normal(stream, 0, (size_t)(count * z_dim), latents->data);
    if (!latents || !mapped)
        return latents;
    lw_program *program = compile_map(step, model);
    float *room = program ? lw_alloc((size_t)(BATCH * (z_dim + size)), sizeof *room) : NULL;
    lw_status status = room ? LW_OK : lw_error_status();
    for (int64_t first = 0; status == LW_OK && first < count; first += BATCH)
        status = map_batch(program, stream, z_dim, room, latents, first);
    lw_free(room);
    if (status == LW_OK)
        return latents;
    lw_tensor_destroy(latents);
    return NULL;
}

lw_status lw_directions_measure(lw_directions *d, const lw_tensor *latents)
{
    const int64_t count = latents->shape.dim[0];
    if (latents->shape.rank != 2 || latents->shape.dim[1] != d->size || count < 2)
        return lw_fail(LW_SHAPE, "at least 2 latents of %lld elements are needed to measure deviations",
                       (long long)d->size);
    for (int64_t k = 0; k < d->count; k++) {
        double sum = 0, squares = 0;
        for (int64_t n = 0; n < count; n++) {
            double along = 0;
            for (int64_t i = 0; i < d->size; i++)
                along += (double)latents->data[n * d->size + i] * d->vectors[k * d->size + i];
            sum += along;
            squares += along * along;
        }
        double mean = sum / (double)count;
        d->deviations[k] = (float)sqrt(fmax(0, squares / (double)count - mean * mean));
    }
    return LW_OK;
}

static lw_status measure(lw_step *step, lw_model *model, lw_directions *d)
{
    lw_tensor *latents = lw_step_latents(step, model, d->space, SAMPLES, "deviations");
    lw_status status = latents ? lw_directions_measure(d, latents) : lw_error_status();
    lw_tensor_destroy(latents);
    return status;
}

static lw_status hand_over(lw_step *step, const char *port, lw_model *model, lw_directions *d, bool measured)
{
    const char *identity = lw_model_identity(model);
    if (!identity)
        return lw_error_status();
    snprintf(d->method, sizeof d->method, "%s", step->setup.uses);
    snprintf(d->model, sizeof d->model, "%s", identity);
    LW_TRY(lw_directions_fit(d, model, false));
    if (!step->setup.dry) /* where nothing is computed, directions are zeros */
        LW_TRY(lwi_directions_normalise(d));
    if (!measured && strcmp(d->space, "w") == 0) /* z is normal: 1 */
        LW_TRY(measure(step, model, d));
    char *path = step->setup.dry ? NULL : lw_step_path(step, "directions.safetensors");
    lw_status status = step->setup.dry ? LW_OK : path ? lw_directions_save(d, path) : lw_error_status();
    lw_free(path);
    return status == LW_OK ? lw_step_output(step, port, lw_directions_displacements(d, model)) : status;
}

lw_status lw_step_output_directions(lw_step *step, const char *port, lw_model *model, lw_directions *d,
                                    bool measured)
{
    lw_status status = d ? hand_over(step, port, model, d, measured) : lw_error_status();
    lw_directions_destroy(d);
    return status;
}
