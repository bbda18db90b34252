/* local_basis.c — straight on along one vector of the Local Basis at the start. */
#include "basis.h"

#include <string.h>

static const char *const needs[] = {"synthesize", "map", NULL};
static const lw_param params[] = {TRAVERSAL_PARAMS(needs), BASIS_PARAMS};
static const lw_port inputs[] = {TRAVERSAL_INPUTS};
static const lw_port outputs[] = {TRAVERSAL_OUTPUTS("w", "w_dim")};

/* The direction of walk n, at latent `index` of the geometry. */
static lw_status choose(traversal *t, const lw_local *local, int64_t n, int64_t index)
{
    float *unit = t->unit + n * t->size;
    const bool named = lw_is_set(lw_step_args(t->step), "basis");
    int64_t which = 0;
    for (int64_t i = 0; t->target && i < t->size; i++)
        unit[i] = t->target[n * t->size + i] - t->at[n * t->size + i];
    if (named)
        LW_TRY(basis_named(t, local, index, &which));
    else
        which = basis_most_similar(local, index, unit);
    if (which < 0)
        return LW_OK; /* nothing above the cutoff: straight on */
    const float *u = local->left + (index * local->k + which) * t->size;
    double sign = named ? basis_sign(local, index, which) : traversal_dot(u, unit, t->size) < 0 ? -1 : 1;
    for (int64_t i = 0; i < t->size; i++)
        unit[i] = (float)(sign * u[i]);
    return LW_OK;
}

static lw_status open(traversal *t, void *self)
{
    lw_local *local = basis_open(t);
    lw_status status = local ? LW_OK : lw_error_status();
    (void)self;
    for (int64_t first = 0; status == LW_OK && first < t->count; first += local->batch) {
        int64_t count = t->count - first < local->batch ? t->count - first : local->batch;
        status = lw_local_at(local, t->z + first * t->z_size, count);
        for (int64_t n = 0; status == LW_OK && n < count; n++)
            status = choose(t, local, first + n, n);
    }
    lw_local_destroy(local);
    lw_free(t->target); /* it has shown the way; the walk goes past it */
    t->target = NULL;
    return status;
}

static lw_status run(lw_step *step)
{
    return traversal_run(step, &(traversal_method){.open = open, .advance = traversal_straight}, NULL);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "local-basis", "1.0.0", "Walks straight along one of the directions W has at the start",
    .source = "Choi et al., Do Not Escape From the Manifold (Local Basis); isno0907/localbasis d53c477b",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
