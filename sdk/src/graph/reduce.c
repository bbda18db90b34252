/* reduce.c — sums, means, maxima over axes, and what is made of them. */
#include "graph/build.h"

/* The set of axes without those past the rank; false with an error for an axis there is not. */
static bool reduced_axes(lw_graph *g, const char *op, lw_value x, unsigned axes, unsigned *out)
{
    if (!lwi_usable(g, op, &x, 1))
        return false;
    lw_shape shape = lwi_node_of(g, x)->shape;
    unsigned all = (1u << shape.rank) - 1;
    *out = axes == LW_ALL_AXES ? all : axes;
    if ((*out & ~all) == 0)
        return true;
    char text[LW_SHAPE_TEXT];
    lwi_error(g, LW_SHAPE, op, &x, 1, "the set of axes 0x%x names one that %s does not have", axes,
              lw_shape_text(shape, text));
    return false;
}

static lw_shape reduced_shape(lw_shape shape, unsigned axes, bool keep)
{
    lw_shape out = {0};
    for (int i = 0; i < shape.rank; i++)
        if (!(axes & LW_AXIS(i)))
            out.dim[out.rank++] = shape.dim[i];
        else if (keep)
            out.dim[out.rank++] = 1;
    return out;
}

/* x [d0, d1, …] -> [the same, 1 on the axes reduced], or without them */
static lw_value reduce(lw_graph *g, lwi_op op, lw_value x, unsigned axes, bool keep)
{
    float fill;
    if (!reduced_axes(g, lwi_op_name(op), x, axes, &axes))
        return (lw_value){0};
    lw_shape shape = lwi_node_of(g, x)->shape, kept = reduced_shape(shape, axes, true);
    lw_value v = x;
    if (!lw_shape_equal(kept, shape)) {
        int64_t merged = lw_shape_count(shape) / lw_shape_count(kept);
        if (lwi_private_fill(g, x, &fill))
            v = lw_fill(g, kept, (double)fill * (op == LWI_SUM ? (double)merged : 1));
        else
            v = lwi_make(g, &(lwi_node){.op = op, .shape = kept, .in = &x, .in_count = 1, .i = {axes}});
    }
    return keep ? v : lw_reshape(g, v, reduced_shape(shape, axes, false));
}

lw_value lw_sum(lw_graph *g, lw_value x, unsigned axes, bool keep)
{
    return reduce(g, LWI_SUM, x, axes, keep);
}

lw_value lw_max(lw_graph *g, lw_value x, unsigned axes, bool keep)
{
    return reduce(g, LWI_MAX, x, axes, keep);
}

/* How many elements meet in one of the result. */
static double reduced_count(lw_graph *g, lw_value x, unsigned axes)
{
    lw_shape shape = lwi_node_of(g, x)->shape;
    return (double)lw_shape_count(shape) / (double)lw_shape_count(reduced_shape(shape, axes, true));
}

lw_value lw_mean(lw_graph *g, lw_value x, unsigned axes, bool keep)
{
    if (!reduced_axes(g, "mean", x, axes, &axes))
        return (lw_value){0};
    return lw_affine(g, lw_sum(g, x, axes, keep), 1 / reduced_count(g, x, axes), 0);
}

lw_value lw_variance(lw_graph *g, lw_value x, unsigned axes, bool keep, bool unbiased)
{
    if (!reduced_axes(g, "variance", x, axes, &axes))
        return (lw_value){0};
    double count = reduced_count(g, x, axes);
    if (unbiased && count < 2)
        return lwi_error(g, LW_SHAPE, "variance", &x, 1,
                         "the unbiased variance of one element does not exist");
    lw_value centred = lw_sub(g, x, lw_mean(g, x, axes, true));
    return lw_affine(g, lw_sum(g, lw_square(g, centred), axes, keep), 1 / (count - unbiased), 0);
}

lw_value lw_softmax(lw_graph *g, lw_value x, int axis)
{
    if (!lwi_usable(g, "softmax", &x, 1) || (axis = lwi_axis(g, "softmax", x, axis)) < 0)
        return (lw_value){0};
    /* The shift by the maximum cancels, so no gradient need flow through it. */
    lw_value e = lw_exp(g, lw_sub(g, x, lw_stop_gradient(g, lw_max(g, x, LW_AXIS(axis), true))));
    return lw_div(g, e, lw_sum(g, e, LW_AXIS(axis), true));
}

lw_value lwi_unbroadcast(lw_graph *g, lw_value v, lw_shape shape)
{
    if (!lwi_usable(g, "unbroadcast", &v, 1))
        return (lw_value){0};
    lw_shape from = lwi_node_of(g, v)->shape;
    unsigned axes = 0;
    for (int i = 0; i < from.rank; i++) {
        int to = i - (from.rank - shape.rank);
        if (from.dim[i] > 1 && (to < 0 || shape.dim[to] == 1))
            axes |= LW_AXIS(i);
    }
    return lw_reshape(g, axes ? lw_sum(g, v, axes, true) : v, shape);
}
