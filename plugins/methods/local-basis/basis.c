/* basis.c — see basis.h. */
#include "basis.h"

#include <math.h>

lw_local *basis_open(traversal *t)
{
    const lw_args *args = lw_step_args(t->step);
    int64_t batch = lw_int(args, "batch");
    return lw_step_local(t->step, t->model, .batch = batch < t->count ? batch : t->count,
                         .cutoff = (float)lw_float(args, "cutoff"));
}

static const float *left(const lw_local *local, int64_t index, int64_t which)
{
    return local->left + (index * local->k + which) * local->w_dim;
}

int64_t basis_most_similar(const lw_local *local, int64_t index, const float *to)
{
    int64_t best = -1;
    double most = -1;
    for (int64_t i = 0; i < local->rank[index]; i++) {
        double similar = fabs(traversal_dot(left(local, index, i), to, local->w_dim));
        if (similar > most) {
            most = similar;
            best = i;
        }
    }
    return best;
}

lw_status basis_named(const traversal *t, const lw_local *local, int64_t index, int64_t *which)
{
    *which = lw_int(lw_step_args(t->step), "basis");
    if (*which < local->rank[index])
        return LW_OK;
    if (local->rank[index] == 0) { /* as in a dry run */
        *which = -1;
        return LW_OK;
    }
    return lw_fail(
        LW_INVALID,
        "basis: vector %lld of the Local Basis was asked for (counted from 0), but only %lld of %lld have a "
        "singular value above the cutoff of %g",
        (long long)*which, (long long)local->rank[index], (long long)local->k,
        lw_float(lw_step_args(t->step), "cutoff"));
}

double basis_sign(const lw_local *local, int64_t index, int64_t which)
{
    const float *u = left(local, index, which);
    float most = 0;
    for (int64_t i = 0; i < local->w_dim; i++)
        most = fabsf(u[i]) > fabsf(most) ? u[i] : most;
    return most < 0 ? -1 : 1;
}
