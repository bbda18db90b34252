/* objective.c — see objective.h. */
#include "objective.h"

#include "../great-circle-walk/sphere.h"

lw_value realism_between(lw_graph *g, lw_value z, lw_value proto, lw_value sigma)
{
    return sphere_projected(g, lw_add(g, z, lw_mul(g, sigma, lw_sub(g, proto, z))));
}

lw_value realism_objective(lw_graph *g, lw_model *model, double target, double spread, lw_value z)
{
    lw_value score = lw_discriminate(g, model, lw_generate(g, model, z));
    lw_value loss = lw_mean(g, lw_square(g, lw_affine(g, score, 1, -target)), LW_ALL_AXES, false);
    if (spread == 0)
        return loss;
    return lw_add(g, loss, lw_affine(g, lw_variance(g, score, LW_ALL_AXES, false, true), spread, 0));
}
