/* layers.c — see layers.h. */
#include "layers.h"

#include <math.h>

static lw_value weight(lw_graph *g, lw_shape shape, int64_t in, const char *name, int index, const char *part,
                       bool fixed)
{
    const double bound = 1 / sqrt((double)in);
    lw_value w = lw_weight(g, shape, lw_init_uniform(-bound, bound), "%s.%d.%s", name, index, part);
    return fixed ? lw_stop_gradient(g, w) : w;
}

lw_value layers(lw_graph *g, lw_value x, const char *name, int count, int64_t width, int64_t out,
                lw_value (*activation)(lw_graph *g, lw_value x), bool fixed)
{
    for (int i = 0; i < count; i++) {
        const int64_t in = lw_dim(g, x, 1), units = i < count - 1 ? width : out;
        lw_value w = weight(g, LW_SHAPE(units, in), in, name, i, "weight", fixed);
        lw_value b = weight(g, LW_SHAPE(units), in, name, i, "bias", fixed);
        if (in == 1) /* an outer product: no matter for dense algebra */
            x = lw_add(g, lw_mul(g, x, lw_reshape(g, w, LW_SHAPE(1, units))), b);
        else
            x = lw_linear(g, x, w, b);
        if (i < count - 1)
            x = activation(g, x);
    }
    return x;
}
