/* views.c — see recovery.h. */
#include "recovery.h"

#include <math.h>
#include <string.h>

static lw_shape one_image(const lw_model *model)
{
    return LW_SHAPE(1, lw_model_dim(model, "channels"), lw_model_dim(model, "height"),
                    lw_model_dim(model, "width"));
}

/* image [1, C, H, W] -> features [1, size] */
static lw_value look(lw_graph *g, lw_model *model, lw_value image, const char *tap)
{
    lw_discriminate(g, model, lw_concat(g, (const lw_value[]){image, image}, 2, 0));
    lw_value seen = lw_require_tap(g, model, LW_PART_DISCRIMINATOR, tap);
    return lw_is_null(seen) ? seen : lw_slice(g, lw_flatten(g, seen, 1), 0, 0, 1, 1);
}

lw_status views_check(lw_model *model, const char *tap)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    look(g, model, lw_input(g, "image", one_image(model)), tap);
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

/* Of an image, or of what the generator makes of a latent. */
static lw_program *compile(views *v, lw_step *step, lw_model *model, const char *tap, bool latent)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value image = latent
                         ? lw_generate(g, model, lw_input(g, "z", LW_SHAPE(1, lw_model_dim(model, "z_dim"))))
                         : lw_input(g, "image", one_image(model));
    lw_value features = look(g, model, image, tap);
    v->size = lw_is_null(features) ? 0 : lw_dim(g, features, 1);
    lw_output(g, "features", features);
    return lw_step_compile(step, g, latent ? "features of candidates" : "features of images");
}

lw_status views_open(views *v, lw_step *step, lw_model *model, const char *tap)
{
    v->of_image = compile(v, step, model, tap, false);
    v->of_latent = v->of_image ? compile(v, step, model, tap, true) : NULL;
    return v->of_latent ? LW_OK : lw_error_status();
}

static lw_status see(lw_program *program, const char *input, const float *data, int64_t count,
                     float *features, int64_t size)
{
    LW_TRY(lw_program_write(program, input, data, (size_t)count));
    LW_TRY(lw_program_run(program));
    return lw_program_read(program, "features", features, (size_t)size);
}

lw_status views_see(const views *v, const lw_tensor *images, float *features)
{
    const int64_t count = images->shape.dim[0], pixels = lw_shape_count(images->shape) / count;
    for (int64_t n = 0; n < count; n++)
        LW_TRY(see(v->of_image, "image", images->data + n * pixels, pixels, features + n * v->size, v->size));
    return LW_OK;
}

static double squared_distance(const float *a, const float *b, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

/* Is this candidate nearer than those before? Then it is the start. `seen` its features. */
static lw_status compare(lw_store *kept, const float *candidate, const float *seen, const float *features,
                         int64_t size)
{
    lw_tensor *z = lw_tensor_copy(lw_store_get(kept, "z")),
              *best = lw_tensor_copy(lw_store_get(kept, "distance"));
    lw_status status = z && best ? LW_OK : LW_MEMORY;
    for (int64_t n = 0; status == LW_OK && n < z->shape.dim[0]; n++) {
        double distance = squared_distance(features + n * size, seen, size);
        if (!(distance < (double)best->data[n]))
            continue;
        best->data[n] = (float)distance;
        memcpy(z->data + n * z->shape.dim[1], candidate, (size_t)z->shape.dim[1] * sizeof *candidate);
    }
    if (status == LW_OK)
        status = lw_store_set(kept, "z", z->shape, z->data);
    if (status == LW_OK)
        status = lw_store_set(kept, "distance", best->shape, best->data);
    lw_tensor_destroy(z);
    lw_tensor_destroy(best);
    return status;
}

static lw_status forget(lw_store *kept, lw_shape shape)
{
    lw_tensor *z = lw_tensor_create(shape), *distance = lw_tensor_create(LW_SHAPE(shape.dim[0]));
    lw_status status = z && distance ? LW_OK : LW_MEMORY;
    for (int64_t n = 0; status == LW_OK && n < shape.dim[0]; n++)
        distance->data[n] = INFINITY;
    if (status == LW_OK)
        status = lw_store_set(kept, "z", z->shape, z->data);
    if (status == LW_OK)
        status = lw_store_set(kept, "distance", distance->shape, distance->data);
    lw_tensor_destroy(z);
    lw_tensor_destroy(distance);
    return status;
}

static lw_status search(const views *v, lw_step *step, const float *features, int64_t candidates,
                        lw_store *kept, int64_t z_dim, float *z, float *seen)
{
    const lw_stream stream = {.seed = lw_step_seed(step), .purpose = lw_purpose("starts")};
    for (int64_t i; lw_next(step, candidates, &i);) {
        lw_normal(stream, (uint64_t)(i * z_dim), (size_t)z_dim, z);
        LW_TRY(see(v->of_latent, "z", z, z_dim, seen, v->size));
        LW_TRY(compare(kept, z, seen, features, v->size));
    }
    return lw_step_finish(step);
}

lw_status views_nearest(const views *v, lw_step *step, const float *features, int64_t candidates,
                        lw_tensor *starts)
{
    const int64_t z_dim = starts->shape.dim[1];
    lw_store *kept = lw_step_store(step, "starts");
    float *z = lw_alloc((size_t)z_dim, sizeof *z), *seen = lw_alloc((size_t)v->size, sizeof *seen);
    lw_status status = kept && z && seen ? LW_OK : lw_error_status();
    if (status == LW_OK && !lw_store_has(kept, "z"))
        status = forget(kept, starts->shape);
    if (status == LW_OK)
        status = search(v, step, features, candidates, kept, z_dim, z, seen);
    if (status == LW_OK)
        memcpy(starts->data, lw_store_get(kept, "z")->data,
               (size_t)lw_shape_count(starts->shape) * sizeof(float));
    lw_free(z);
    lw_free(seen);
    return status;
}
