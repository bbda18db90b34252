/* features.c — what a network sees in pictures, for distances between them. */
#include "model/internal.h"

#include <stdio.h>
#include <string.h>

lw_value lw_features(lw_graph *g, lw_model *model, const char *tap, lw_value images)
{
    char name[512];
    lw_value value = lw_apply(g, model, images);
    if (strcmp(tap, "output") != 0) {
        snprintf(name, sizeof name, "%s.network/%s", lw_model_name(model), tap);
        lw_value tapped = lw_tap_value(g, name);
        if (!lw_is_null(value) && lw_is_null(tapped))
            return lw_graph_fail(
                g, LW_NOT_FOUND, "the network of model '%s' names no tap '%s'; its last one is '%s'",
                lw_model_name(model), tap, lw_tap_count(g) ? lw_tap_name(g, lw_tap_count(g) - 1) : "");
        value = tapped;
    }
    if (!lw_is_null(value) && lw_shape_of(g, value).rank == 4)
        value = lw_mean(g, value, LW_AXIS(2) | LW_AXIS(3), false);
    return lw_is_null(value) ? value : lw_flatten(g, value, 1);
}
