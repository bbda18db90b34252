/* density.c — see density.h. */
#include "density.h"

#include "layers.h"

#define LEAST_SLOPE 1e-6
#define TINY 1e-16
enum { RESTORING_STEPS = 4 }; /* a norm of 22 comes back to one of 10 within 1e-5 in a Gaussian */

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

static lw_value squares(lw_graph *g, lw_value x)
{
    return lw_affine(g, lw_sum(g, lw_square(g, x), LW_AXIS(1), true), 1, TINY);
}

lw_value density_restore(lw_graph *g, const density *f, lw_value x, lw_value level, lw_value reach)
{
    const lw_shape column = lw_shape_of(g, reach);
    for (int i = 0; i < RESTORING_STEPS; i++) {
        lw_value here = density_log(g, density_slope(g, f, x, true)), uphill;
        if (lw_gradient(g, here, (lw_value){0}, &x, 1, &uphill) != LW_OK)
            return x;
        lw_value missing = lw_reshape(g, lw_sub(g, level, here), column);
        lw_value step = lw_mul(g, uphill, lw_div(g, missing, squares(g, uphill)));
        lw_value longest = lw_div(g, reach, lw_sqrt(g, squares(g, step)));
        x = lw_add(g, x, lw_mul(g, step, lw_minimum(g, longest, lw_scalar(g, 1))));
    }
    return x;
}
