/* features.c — what a network sees in pictures, for distances between them. */
#include "model/internal.h"

#include <string.h>

lw_value lw_features(lw_graph *g, lw_model *model, const char *tap, lw_value images)
{
    lw_value value = lw_apply(g, model, images);
    if (strcmp(tap, "output") != 0)
        value = lw_require_tap(g, model, LW_PART_NETWORK, tap);
    if (!lw_is_null(value) && lw_shape_of(g, value).rank == 4)
        value = lw_mean(g, value, LW_AXIS(2) | LW_AXIS(3), false);
    return lw_is_null(value) ? value : lw_flatten(g, value, 1);
}
