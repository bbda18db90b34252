/* objective.c — see recovery.h. */
#include "recovery.h"

static lw_value mean_difference(lw_graph *g, lw_value a, lw_value b)
{
    return lw_mean(g, lw_abs(g, lw_sub(g, a, b)), LW_ALL_AXES, false);
}

lw_value recovery_objective(lw_graph *g, lw_model *model, const char *tap, recovery_weights weights,
                            lw_value z, lw_value target, lw_value features, lw_value *images)
{
    *images = lw_generate(g, model, z);
    lw_discriminate(g, model, *images);
    lw_value seen = lw_require_tap(g, model, LW_PART_DISCRIMINATOR, tap);
    lw_value pixels = mean_difference(g, *images, target);
    lw_value percept = mean_difference(g, lw_is_null(seen) ? seen : lw_flatten(g, seen, 1), features);
    return lw_add(g, lw_affine(g, pixels, weights.image, 0), lw_affine(g, percept, weights.features, 0));
}
