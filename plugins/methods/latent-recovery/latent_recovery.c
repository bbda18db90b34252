/* latent_recovery.c — inverts a generator: latents whose images look like given ones, to the pixel and to the
 * model's own discriminator. */
#include "recovery.h"

#include <string.h>

static const char *const needs[] = {"synthesize", "discriminator", NULL};
static const char *const offers[] = {"latents", "images", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that the latents are for."},
    {"candidates", LW_PARAM_INT, "latents", "1000", 1, 1000000, NULL,
     "Random latents among which each image's start is the nearest in the discriminator's features (section "
     "4: 1,000)."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc = "The discriminator's layer whose features are compared (official code: the last one)."},
    {"image_weight", LW_PARAM_FLOAT, NULL, "1", 0, 1e9, NULL,
     "Weight of the pixels' mean absolute difference, eq. 2 (official code: 2, with alpha 1)."},
    {"alpha", LW_PARAM_FLOAT, NULL, "2", 0, 1e9, NULL,
     "Weight of the features' mean absolute difference, eq. 3 (section 4: 2; appendix C: CelebA-HQ 10, "
     "BigGAN 15)."},
    {"losses", LW_PARAM_LOSSES, NULL, "[{uses: loss/hypersphere, weight: 1, with: {form: absolute}}]",
     .choices = offers,
     .doc = "What else a good latent is: losses on the latents [B, z_dim] and their images [B, C, H, W] (eq. "
            "4, with beta 1)."},
    DESCENT_PARAMS("64", "501", "0.01", "section 4: 0.01; official code: 0.1", "200", "1e-5",
                   "official code: 1e-4, at ten times the rate"),
};

static const lw_port inputs[] = {
    {"images", "image[N, channels, height, width]",
     .doc = "Images to find latents of: generated ones, or photographs."},
    {"starts", "z[N, z_dim]", .optional = 1, .doc = "Where to start, instead of searching (method/encode)."},
};
static const lw_port outputs[] = {
    {"z", "z[N, z_dim]",
     .doc = "A latent for each image, near the sphere of normal latents but not put onto it."},
};

typedef struct recovery {
    lw_model *model;
    const lw_tensor *images;
    lw_tensor *starts; /* [N, z_dim] */
    views views;
    float *features; /* [N, views.size] of the images */
} recovery;

static lw_value build(descent *d, lw_graph *g, lw_value *latents)
{
    recovery *r = d->self;
    const lw_args *args = lw_step_args(d->step);
    lw_shape shape = r->images->shape;
    shape.dim[0] = d->batch;
    lw_value z = descent_variable(d, g, "z", LW_SHAPE(d->batch, r->starts->shape.dim[1])), images;
    lw_value features = lw_input(g, "features", LW_SHAPE(d->batch, r->views.size));
    const recovery_weights weights = {lw_float(args, "image_weight"), lw_float(args, "alpha")};
    lw_value loss = recovery_objective(g, r->model, lw_text(args, "tap"), weights, z,
                                       lw_input(g, "target", shape), features, &images);
    const lw_named_value values[] = {{"latents", z}, {"images", images}};
    *latents = z;
    return lw_add(g, loss, lw_step_losses(d->step, g, "losses", r->model, values, 2, "loss"));
}

static lw_status write(descent *d)
{
    const recovery *r = d->self;
    const int64_t pixels = lw_shape_count(r->images->shape) / d->count, size = r->views.size;
    LW_TRY(lw_program_write(d->program, "target", r->images->data + d->first * pixels,
                            (size_t)(d->batch * pixels)));
    return lw_program_write(d->program, "features", r->features + d->first * size, (size_t)(d->batch * size));
}

static lw_status start(descent *d)
{
    const recovery *r = d->self;
    const int64_t size = r->starts->shape.dim[1];
    return lw_store_set(d->variables, "z", LW_SHAPE(d->batch, size), r->starts->data + d->first * size);
}

static lw_status take(descent *d, const float *latents, float *rows)
{
    (void)latents; /* of before the last step */
    const lw_tensor *z = lw_store_get(d->variables, "z");
    if (!z)
        return lw_error_status();
    memcpy(rows, z->data, (size_t)lw_shape_count(z->shape) * sizeof *rows);
    return LW_OK;
}

static lw_status recover(lw_step *step, recovery *r, lw_tensor *found)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *given = lw_step_input(step, "starts", 0);
    LW_TRY(views_open(&r->views, step, r->model, lw_text(args, "tap")));
    r->features = lw_alloc((size_t)(r->images->shape.dim[0] * r->views.size), sizeof *r->features);
    r->starts = given ? lw_tensor_copy(given) : lw_tensor_create(found->shape);
    if (!r->features || !r->starts)
        return LW_MEMORY;
    LW_TRY(views_see(&r->views, r->images, r->features));
    if (!given)
        LW_TRY(views_nearest(&r->views, step, r->features, lw_int(args, "candidates"), r->starts));
    descent d = {.step = step, .count = found->shape.dim[0], .self = r};
    const descent_task task = {.program = "recovery",
                               .width = found->shape.dim[1],
                               .build = build,
                               .write = write,
                               .start = start,
                               .take = take};
    return descent_run(&d, &task, found);
}

static lw_status run(lw_step *step)
{
    recovery r = {.model = lw_step_model(step, "model"), .images = lw_step_input(step, "images", 0)};
    lw_tensor *found = lw_tensor_create(LW_SHAPE(r.images->shape.dim[0], lw_model_dim(r.model, "z_dim")));
    lw_status status = found ? recover(step, &r, found) : lw_error_status();
    lw_tensor_destroy(r.starts);
    lw_free(r.features);
    if (status == LW_OK)
        return lw_step_output(step, "z", found);
    lw_tensor_destroy(found);
    return status;
}

/* Is there such a tap? */
static lw_status check(lw_step *step)
{
    return views_check(lw_step_model(step, "model"), lw_text(lw_step_args(step), "tap"));
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(
    METHOD, "latent-recovery", "1.0.0", "Inverts a generator: latents of given images",
    .source = "Wen et al., Diamond in the rough (2021), section 3.1, eq. 2-5; diamondintherough d90ff185",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
