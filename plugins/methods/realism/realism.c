/* realism.c — more realistic images: latents moved towards their protoimages, each as far as its image needs,
 * or all by a share of one's choice. */
#include "../great-circle-walk/sphere.h"
#include "../latent-recovery/descent.h"
#include "../protoimage/variety.h"
#include "objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const needs[] = {"synthesize", "discriminator", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs,
     .doc = "The model whose latents they are, with the critic that decides."},
    {"sigma", LW_PARAM_FLOAT, NULL, "", 0, 1, NULL,
     "Share of the way to the protoimage, the same for all (eq. 8); absent: each image's own (eq. 9)."},
    {"start", LW_PARAM_FLOAT, NULL, "0.7", 0, 1, NULL,
     "Where the search for sigma starts (section 4: 0.7; official code: 0.6)."},
    {"minimum", LW_PARAM_FLOAT, NULL, "0", 0, 1, NULL,
     "Least sigma (section 3.4: 0; appendix D: bounds of one's choice; official code: PGAN on CelebA 0.5)."},
    {"maximum", LW_PARAM_FLOAT, NULL, "1", 0, 1, NULL,
     "Largest sigma (section 3.4: 1; official code: PGAN on CelebA 0.75)."},
    {"target", LW_PARAM_FLOAT, NULL, "0", -1e9, 1e9, NULL,
     "The critic's middle ground between real images and bad ones (eq. 9: 0; official code: WGAN-GP -1)."},
    {"spread", LW_PARAM_FLOAT, NULL, "0", 0, 1e9, NULL,
     "Weight of the variance of the batch's scores (official code: WGAN-GP 1, others 0)."},
    DESCENT_PARAMS("16", "100", "0.01", "section 4: 0.01", "50", "1e-5", "official code: 1e-5"),
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Latents of the originals."},
    {"proto", "z[P, z_dim]",
     .doc = "The latent of each one's protoimage, or one for all (method/protoimage)."},
};
static const lw_port outputs[] = {
    {"z", "z[N, z_dim]", .doc = "The latents moved, on the sphere."},
    {"sigma", "scores[N]", .doc = "How far each went."},
};

typedef struct realism {
    lw_step *step;
    lw_model *model;
    lw_tensor *z, *proto; /* [N, z_dim], [N or 1, z_dim], on the sphere */
} realism;

static const float *proto_of(const realism *r, int64_t n)
{
    return r->proto->data + (r->proto->shape.dim[0] == 1 ? 0 : n * r->proto->shape.dim[1]);
}

/* --- eq. 9: a sigma for each ------------------------------------------------------------------ */
static lw_value build(descent *d, lw_graph *g, lw_value *latents)
{
    const realism *r = d->self;
    const lw_args *args = lw_step_args(d->step);
    const lw_shape shape = LW_SHAPE(d->batch, r->z->shape.dim[1]);
    lw_value sigma = descent_variable(d, g, "sigma", LW_SHAPE(d->batch, 1));
    *latents = realism_between(g, lw_input(g, "z", shape), lw_input(g, "proto", shape), sigma);
    return realism_objective(g, r->model, lw_float(args, "target"), lw_float(args, "spread"), *latents);
}

static lw_status write(descent *d)
{
    const realism *r = d->self;
    const int64_t size = r->z->shape.dim[1];
    lw_tensor *proto = lw_tensor_create(LW_SHAPE(d->batch, size));
    if (!proto)
        return LW_MEMORY;
    for (int64_t k = 0; k < d->batch; k++)
        memcpy(proto->data + k * size, proto_of(r, d->first + k), (size_t)size * sizeof *proto->data);
    lw_status status = lw_program_write(d->program, "proto", proto->data, (size_t)(d->batch * size));
    lw_tensor_destroy(proto);
    return status != LW_OK
               ? status
               : lw_program_write(d->program, "z", r->z->data + d->first * size, (size_t)(d->batch * size));
}

static lw_status start(descent *d)
{
    lw_tensor *sigma = lw_tensor_create(LW_SHAPE(d->batch, 1));
    if (!sigma)
        return LW_MEMORY;
    for (int64_t k = 0; k < d->batch; k++)
        sigma->data[k] = (float)lw_float(lw_step_args(d->step), "start");
    lw_status status = lw_store_set(d->variables, "sigma", sigma->shape, sigma->data);
    lw_tensor_destroy(sigma);
    return status;
}

/* Puts the sigmas back within their bounds. */
static lw_status stepped(descent *d)
{
    const lw_args *args = lw_step_args(d->step);
    const float low = (float)lw_float(args, "minimum"), high = (float)lw_float(args, "maximum");
    lw_tensor *sigma = lw_tensor_copy(lw_store_get(d->variables, "sigma"));
    if (!sigma)
        return lw_error_status();
    for (int64_t k = 0; k < d->batch; k++)
        sigma->data[k] = sigma->data[k] < low ? low : sigma->data[k] > high ? high : sigma->data[k];
    lw_status status = lw_store_set(d->variables, "sigma", sigma->shape, sigma->data);
    lw_tensor_destroy(sigma);
    return status;
}

static lw_status take(descent *d, const float *latents, float *rows)
{
    (void)latents;
    memcpy(rows, lw_store_get(d->variables, "sigma")->data, (size_t)d->batch * sizeof *rows);
    return LW_OK;
}

static lw_status check(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    if (lw_float(args, "minimum") <= lw_float(args, "maximum"))
        return LW_OK;
    return lw_fail(LW_INVALID, "minimum: %g is more than the maximum, %g", lw_float(args, "minimum"),
                   lw_float(args, "maximum"));
}

static lw_status search(realism *r, lw_tensor *sigma)
{
    const lw_args *args = lw_step_args(r->step);
    const int64_t count = sigma->shape.dim[0],
                  batch = lw_int(args, "batch") < count ? lw_int(args, "batch") : count;
    bool seen;
    LW_TRY(check(r->step));
    if (lw_float(args, "spread") != 0 && batch < 2)
        return lw_fail(LW_INVALID,
                       "spread weighs the variance over a batch, which must hold at least 2 latents");
    LW_TRY(variety_is_seen(r->step, r->model, r->z->data, batch, &seen));
    if (!seen && !lw_step_is_dry(r->step))
        variety_note(r->step, r->model, "nothing but the bounds keeps sigma from giving up variety");
    descent d = {.step = r->step, .count = count, .self = r};
    const descent_task task = {.program = "sigma",
                               .width = 1,
                               .build = build,
                               .write = write,
                               .start = start,
                               .stepped = stepped,
                               .take = take};
    return descent_run(&d, &task, sigma);
}

/* --- results ---------------------------------------------------------------------------------- */
/* Equation 8, of all. */
static lw_tensor *move(const realism *r, const lw_tensor *sigma)
{
    const int64_t count = r->z->shape.dim[0], size = r->z->shape.dim[1];
    lw_tensor *moved = lw_tensor_create(r->z->shape);
    for (int64_t n = 0; moved && n < count; n++)
        for (int64_t i = 0; i < size; i++) {
            const float z = r->z->data[n * size + i];
            moved->data[n * size + i] = z + sigma->data[n] * (proto_of(r, n)[i] - z);
        }
    if (moved)
        sphere_project(moved->data, count, size);
    return moved;
}

typedef struct scored {
    float score, sigma;
} scored;

static int by_score(const void *a, const void *b)
{
    const float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

#define GROUPS 10
/* Appendix G: how far images went, by how real they looked to the critic before, from the worst tenth to the
 * best. */
static lw_status tell_by_quality(const realism *r, const lw_tensor *sigma)
{
    const int64_t count = sigma->shape.dim[0];
    lw_tensor *scores = NULL;
    LW_TRY(lw_model_images(r->model, lw_step_device(r->step), "z", r->z,
                           lw_int(lw_step_args(r->step), "batch"), NULL, &scores));
    scored *all = lw_alloc((size_t)count, sizeof *all);
    for (int64_t n = 0; all && n < count; n++)
        all[n] = (scored){scores->data[n], sigma->data[n]};
    lw_tensor_destroy(scores);
    if (!all)
        return LW_MEMORY;
    qsort(all, (size_t)count, sizeof *all, by_score);
    lw_status status = LW_OK;
    const int64_t groups = count < GROUPS ? count : GROUPS;
    for (int64_t k = 0; status == LW_OK && k < groups; k++) {
        const int64_t first = k * count / groups, last = (k + 1) * count / groups;
        double sum = 0;
        for (int64_t n = first; n < last; n++)
            sum += (double)all[n].sigma;
        status = lw_step_log_at(r->step, "sigma by the critic's rank of the original, in percent",
                                100 * first / count, sum / (double)(last - first));
    }
    lw_free(all);
    return status;
}

static lw_status tell(const realism *r, const lw_tensor *sigma)
{
    const int64_t count = sigma->shape.dim[0];
    lw_spread spread = {0};
    double low = 1, high = 0;
    for (int64_t n = 0; n < count; n++) {
        lw_spread_add(&spread, (double)sigma->data[n]);
        low = fmin(low, (double)sigma->data[n]);
        high = fmax(high, (double)sigma->data[n]);
    }
    LW_TRY(lw_step_metric(r->step, "sigma", "mean", lw_spread_mean(&spread)));
    LW_TRY(lw_step_metric(r->step, "sigma", "deviation", lw_spread_deviation(&spread)));
    LW_TRY(lw_step_metric(r->step, "sigma", "least", low));
    LW_TRY(lw_step_metric(r->step, "sigma", "largest", high));
    return tell_by_quality(r, sigma);
}

static lw_status improve(realism *r, lw_tensor *sigma)
{
    const lw_args *args = lw_step_args(r->step);
    const int64_t count = r->z->shape.dim[0], protos = r->proto->shape.dim[0];
    if (protos != count && protos != 1)
        return lw_fail(LW_SHAPE,
                       "there are %lld protoimages for %lld latents; give one for each, or one for all",
                       (long long)protos, (long long)count);
    if (!lw_is_set(args, "sigma")) {
        LW_TRY(search(r, sigma));
        return tell(r, sigma);
    }
    for (int64_t n = 0; n < count; n++)
        sigma->data[n] = (float)lw_float(args, "sigma");
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    realism r = {.step = step,
                 .model = lw_step_model(step, "model"),
                 .z = sphere_copy(lw_step_input(step, "z", 0)),
                 .proto = sphere_copy(lw_step_input(step, "proto", 0))};
    lw_tensor *moved = NULL, *sigma = r.z && r.proto ? lw_tensor_create(LW_SHAPE(r.z->shape.dim[0])) : NULL;
    lw_status status = sigma ? improve(&r, sigma) : lw_error_status();
    if (status == LW_OK && !(moved = move(&r, sigma)))
        status = LW_MEMORY;
    lw_tensor_destroy(r.z);
    lw_tensor_destroy(r.proto);
    if (status != LW_OK) {
        lw_tensor_destroy(sigma);
        return status;
    }
    status = lw_step_output(step, "z", moved);
    lw_status told = lw_step_output(step, "sigma", sigma);
    return status != LW_OK ? status : told;
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "realism", "1.0.0", "More realistic images, by a step towards their protoimages",
          .source = "Wen et al., Diamond in the rough (2021), section 3.4, eq. 8-9, appendix D; "
                    "diamondintherough d90ff185",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
