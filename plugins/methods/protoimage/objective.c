/* objective.c — see objective.h. */
#include "objective.h"

#include "../great-circle-walk/sphere.h"

static lw_value dot(lw_graph *g, lw_value a, lw_value b)
{
    return lw_sum(g, lw_mul(g, a, b), LW_AXIS(1), true);
}

lw_value proto_step(lw_graph *g, lw_value before, lw_value at, lw_value q)
{
    lw_value d = lw_sub(g, at, before);
    /* a walk that stands still has d = 0, and stays */
    lw_value squares = lw_maximum(g, dot(g, d, d), lw_scalar(g, 1e-30));
    return sphere_projected(g, lw_add(g, at, lw_mul(g, lw_div(g, dot(g, q, d), squares), d)));
}

/* x [B, 1] -> mean_weight * mean + spread_weight * deviation */
static lw_value summary(lw_graph *g, lw_value x, double mean_weight, double spread_weight)
{
    lw_value mean = lw_affine(g, lw_mean(g, x, LW_ALL_AXES, false), mean_weight, 0);
    if (spread_weight == 0) /* its slope is not finite where all x are alike */
        return mean;
    lw_value spread = lw_sqrt(g, lw_variance(g, x, LW_ALL_AXES, false, true));
    return lw_add(g, mean, lw_affine(g, spread, spread_weight, 0));
}

lw_value proto_objective(lw_graph *g, lw_model *model, proto_weights weights, lw_value z, lw_value z0)
{
    lw_value score = lw_discriminate(g, model, lw_generate(g, model, z));
    lw_value lengths = lw_sqrt(g, lw_mul(g, dot(g, z, z), dot(g, z0, z0)));
    lw_value cosine = lw_div(g, dot(g, z, z0), lengths);
    return lw_add(g, summary(g, score, 1, weights.score_spread),
                  summary(g, cosine, weights.cosine, weights.cosine_spread));
}
