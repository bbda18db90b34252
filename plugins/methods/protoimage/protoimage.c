/* protoimage.c — where the great circle through a latent and its recovered twin meets a protoimage: one of
 * the images, all alike, that a critic scores low in a batch because the batch hardly varies. */
#include "../great-circle-walk/sphere.h"
#include "../latent-recovery/descent.h"
#include "objective.h"
#include "variety.h"

#include <string.h>

static const char *const needs[] = {"synthesize", "discriminator", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs,
     .doc = "The model whose Z is searched, and whose discriminator is the critic."},
    {"lambda", LW_PARAM_FLOAT, NULL, "3", 0, 1e9, NULL,
     "Weight of the cosine with the start, eq. 6 (appendix C: PGAN on CelebA 3, LSUN 5, CelebA-HQ and BigGAN "
     "100; WGAN-GP 0.2)."},
    {"gamma", LW_PARAM_FLOAT, NULL, "0", 0, 1e9, NULL,
     "Weight of the deviation of the batch's scores (appendix C: 0; WGAN-GP 1)."},
    {"delta", LW_PARAM_FLOAT, NULL, "0", 0, 1e9, NULL,
     "Weight of the deviation of the batch's cosines (appendix C: 0; WGAN-GP 3)."},
    {"steps", LW_PARAM_INT, NULL, "2", 0, 1000, NULL,
     "With a critic that does not look at how much a batch varies, and no gamma or delta: so many steps of "
     "the great-circle walk beyond the recovered latent are taken instead of a search (section 4.2: the "
     "user's choice; of faces64-dcgan, images are most alike after 2)."},
    DESCENT_PARAMS("16", "501", "0.1", "section 4: 0.1", "200", "1e-4", "official code: 1e-4"),
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Latents of the originals."},
    {"recovered", "z[N, z_dim]", .doc = "Other latents with about the same images (method/latent-recovery)."},
};
static const lw_port outputs[] = {
    {"z", "z[N, z_dim]", .doc = "The protoimages' latents, on the sphere."},
    {"mean", "z[1, z_dim]", .doc = "Their mean, put onto the sphere: one for everything (appendix D)."},
};

typedef struct protos {
    lw_model *model;
    lw_tensor *z, *recovered; /* [N, z_dim] on the sphere */
} protos;

static lw_value build(descent *d, lw_graph *g, lw_value *latents)
{
    const protos *p = d->self;
    const lw_args *args = lw_step_args(d->step);
    const lw_shape shape = LW_SHAPE(d->batch, p->z->shape.dim[1]);
    const proto_weights weights = {lw_float(args, "lambda"), lw_float(args, "gamma"),
                                   lw_float(args, "delta")};
    lw_value before = descent_state(d, g, "before", shape), at = descent_state(d, g, "at", shape);
    lw_value next = proto_step(g, before, at, descent_variable(d, g, "q", shape));
    lw_assign(g, before, at);
    lw_assign(g, at, next);
    *latents = next;
    return proto_objective(g, p->model, weights, next, lw_input(g, "z0", shape));
}

static const float *rows_of(const descent *d, const lw_tensor *tensor)
{
    return tensor->data + d->first * tensor->shape.dim[1];
}

static lw_status write(descent *d)
{
    const protos *p = d->self;
    return lw_program_write(d->program, "z0", rows_of(d, p->z), (size_t)(d->batch * p->z->shape.dim[1]));
}

/* The step vector q starts with ones (official code). */
static lw_status start(descent *d)
{
    const protos *p = d->self;
    const lw_shape shape = LW_SHAPE(d->batch, p->z->shape.dim[1]);
    lw_tensor *ones = lw_tensor_create(shape);
    if (!ones)
        return LW_MEMORY;
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        ones->data[i] = 1;
    lw_status status = lw_store_set(d->variables, "q", shape, ones->data);
    lw_tensor_destroy(ones);
    LW_TRY(status);
    LW_TRY(lw_store_set(d->path, "before", shape, rows_of(d, p->z)));
    return lw_store_set(d->path, "at", shape, rows_of(d, p->recovered));
}

static lw_status take(descent *d, const float *latents, float *rows)
{
    memcpy(rows, latents, (size_t)d->size * sizeof *rows);
    return LW_OK;
}

/* What is left where there is nothing to find protoimages by: `steps` of the walk. */
static void walk(const protos *p, int64_t steps, lw_tensor *found)
{
    const int64_t size = found->shape.dim[1];
    for (int64_t n = 0; n < found->shape.dim[0]; n++) {
        float *before = p->z->data + n * size, *at = p->recovered->data + n * size;
        for (int64_t k = 0; k < steps; k++) {
            sphere_step(before, at, before, size); /* the two take turns */
            float *next = before;
            before = at;
            at = next;
        }
        memcpy(found->data + n * size, at, (size_t)size * sizeof *at);
    }
}

static lw_status find(lw_step *step, protos *p, lw_tensor *found)
{
    const lw_args *args = lw_step_args(step);
    const int64_t count = found->shape.dim[0],
                  batch = lw_int(args, "batch") < count ? lw_int(args, "batch") : count;
    const bool spread = lw_float(args, "gamma") != 0 || lw_float(args, "delta") != 0;
    bool seen = false;
    if (spread && batch < 2)
        return lw_fail(LW_INVALID,
                       "gamma and delta weigh deviations over a batch, which must hold at least 2 latents");
    if (!spread)
        LW_TRY(variety_is_seen(step, p->model, p->z->data, batch, &seen));
    if (spread || seen || lw_step_is_dry(step)) {
        descent d = {.step = step, .count = count, .self = p};
        const descent_task task = {.program = "protoimages",
                                   .width = found->shape.dim[1],
                                   .build = build,
                                   .write = write,
                                   .start = start,
                                   .take = take};
        return descent_run(&d, &task, found);
    }
    variety_note(
        step, p->model,
        batch < 2
            ? "a batch of one image does not vary; the walk was followed for `steps` instead"
            : "protoimages cannot be searched for by equation 6; the walk was followed for `steps` instead "
              "(gamma and delta search without one)");
    walk(p, lw_int(args, "steps"), found);
    return LW_OK;
}

/* Mean over the rows, put onto the sphere: [1, size] */
static lw_tensor *mean_of(const lw_tensor *rows)
{
    const int64_t count = rows->shape.dim[0], size = rows->shape.dim[1];
    lw_tensor *mean = lw_tensor_create(LW_SHAPE(1, size));
    for (int64_t i = 0; mean && i < size; i++) {
        double sum = 0;
        for (int64_t n = 0; n < count; n++)
            sum += (double)rows->data[n * size + i];
        mean->data[i] = (float)(sum / (double)count);
    }
    if (mean)
        sphere_project(mean->data, 1, size);
    return mean;
}

static lw_status run(lw_step *step)
{
    protos p = {.model = lw_step_model(step, "model"),
                .z = sphere_copy(lw_step_input(step, "z", 0)),
                .recovered = sphere_copy(lw_step_input(step, "recovered", 0))};
    lw_tensor *mean = NULL, *found = p.z && p.recovered ? lw_tensor_create(p.z->shape) : NULL;
    lw_status status = found ? find(step, &p, found) : lw_error_status();
    if (status == LW_OK && !(mean = mean_of(found)))
        status = LW_MEMORY;
    lw_tensor_destroy(p.z);
    lw_tensor_destroy(p.recovered);
    if (status != LW_OK) {
        lw_tensor_destroy(found);
        return status;
    }
    status = lw_step_output(step, "z", found);
    lw_status averaged = lw_step_output(step, "mean", mean);
    return status != LW_OK ? status : averaged;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "protoimage", "1.0.0",
          "The protoimages that great circles through recovered latents lead to",
          .source = "Wen et al., Diamond in the rough (2021), section 3.3, algorithm 1, appendices C and D; "
                    "diamondintherough d90ff185",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
