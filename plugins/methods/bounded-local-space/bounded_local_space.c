/* bounded_local_space.c — each step stays where the mapping network maps densely: it is taken in Z, along the
 * Jacobian's singular vectors, no farther along each than alpha times its singular value. */
#include "../linear-traversal/traversal.h"
#include "bounds.h"

static const char *const needs[] = {"synthesize", "map", NULL};
static const lw_param params[] = {
    TRAVERSAL_PARAMS(needs),
    {"alpha", LW_PARAM_FLOAT, NULL, "1", 1e-6, 1e6, NULL,
     "Size of the space a step stays in, in singular values (eq. 4; section 4.1: 1)."},
    {"cutoff", LW_PARAM_FLOAT, NULL, "0.05", 0, 1e6, NULL,
     "Directions with a singular value up to this are left alone (supplement, section 1: 0.05)."},
    {"batch", LW_PARAM_INT, "latents", "16", 1, 1024, NULL, "Jacobians made at a time."},
};
static const lw_port inputs[] = {TRAVERSAL_INPUTS};
static const lw_port outputs[] = {TRAVERSAL_OUTPUTS("w", "w_dim")};

typedef struct bounded {
    lw_local *local;
    float *step; /* [z_dim] */
} bounded;

static lw_status open(traversal *t, void *self)
{
    bounded *b = self;
    const lw_args *args = lw_step_args(t->step);
    int64_t batch = lw_int(args, "batch");
    b->local = lw_step_local(t->step, t->model, .batch = batch < t->count ? batch : t->count,
                             .cutoff = (float)lw_float(args, "cutoff"));
    b->step = lw_alloc((size_t)t->z_size, sizeof *b->step);
    return b->local && b->step ? LW_OK : lw_error_status();
}

static lw_status advance(traversal *t, void *self)
{
    bounded *b = self;
    double alpha = lw_float(lw_step_args(t->step), "alpha");
    for (int64_t first = 0; first < t->count; first += b->local->batch) {
        int64_t count = t->count - first < b->local->batch ? t->count - first : b->local->batch;
        LW_TRY(lw_local_at(b->local, t->z + first * t->z_size, count));
        for (int64_t n = 0; n < count; n++) {
            bounded_step(b->local, n, t->aim + (first + n) * t->size, alpha, b->step, NULL);
            for (int64_t i = 0; i < t->z_size; i++)
                t->z[(first + n) * t->z_size + i] += b->step[i];
        }
    }
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    bounded b = {0};
    lw_status status =
        traversal_run(step, &(traversal_method){.open = open, .advance = advance, .moves_z = true}, &b);
    lw_local_destroy(b.local);
    lw_free(b.step);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "bounded-local-space", "1.0.0", "Walks within the space that the mapping network maps densely",
    .source = "Harada et al., Trained Latent Space Navigation to Prevent Lack of Photorealism in Generated "
              "Images on Style-based Models, eq. 1-9",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
