/* density.c — see density.h. */
#include "density.h"

#include "layers.h"

#define LEAST_SLOPE 1e-6

lw_value density_cdf(lw_graph *g, const density *f, lw_value x, bool fixed)
{
    lw_value column = lw_reshape(g, x, LW_SHAPE(-1, 1));
    lw_value y = lw_sigmoid(g, layers(g, column, "F", 3, f->width, 1, lw_tanh, fixed));
    return lw_reshape(g, y, lw_shape_of(g, x));
}

lw_value density_slope(lw_graph *g, const density *f, lw_value x, bool fixed)
{
    lw_value both = lw_stack(g, (lw_value[]){lw_affine(g, x, 1, f->increment), x}, 2, 0);
    lw_value y = density_cdf(g, f, both, fixed);
    lw_value rise = lw_sub(g, lw_slice(g, y, 0, 0, 1, 1), lw_slice(g, y, 0, 1, 1, 1));
    return lw_reshape(g, lw_affine(g, rise, 1 / f->increment, 0), lw_shape_of(g, x));
}

lw_value density_flatness(lw_graph *g, lw_value slope, double nu)
{
    return lw_sum(g, lw_relu(g, lw_affine(g, slope, -1, nu)), LW_AXIS(1), false);
}

lw_value density_log(lw_graph *g, lw_value slope)
{
    return lw_sum(g, lw_log(g, lw_maximum(g, slope, lw_scalar(g, LEAST_SLOPE))), LW_AXIS(1), false);
}
