/* deform.c — see deform.h. */
#include "deform.h"

#include <math.h>

static lw_value square(lw_graph *g, lw_value x)
{
    return lw_matmul(g, x, x);
}

/* Scaling and squaring (Higham, Functions of Matrices, section 10.3) around a Taylor polynomial: exp(x / 2^8)
 * to its tenth power, of which 1 / 11! is left out, squared 8 times. */
lw_value deform_exponential(lw_graph *g, lw_value x)
{
    enum { SQUARINGS = 8, TERMS = 10 };
    const int64_t n = lw_dim(g, x, 0);
    lw_value index = lw_iota(g, n);
    lw_value one = lw_equal(g, lw_reshape(g, index, LW_SHAPE(n, 1)), lw_reshape(g, index, LW_SHAPE(1, n)));
    lw_value small = lw_affine(g, x, ldexp(1, -SQUARINGS), 0), sum = one;
    for (int i = TERMS; i > 0; i--) /* Horner: 1 + x / i (1 + x / (i + 1) (…)) */
        sum = lw_add(g, one, lw_affine(g, lw_matmul(g, small, sum), 1.0 / i, 0));
    for (int i = 0; i < SQUARINGS; i++)
        sum = square(g, sum);
    return sum;
}

static lw_value orthogonal(lw_graph *g, int64_t size)
{
    lw_value half = lw_weight(g, LW_SHAPE(size, size), lw_init_normal(0, 1), "log_mat_half");
    return deform_exponential(g, lw_sub(g, half, lw_transpose(g, half, 0, 1)));
}

static lw_value linear(lw_graph *g, int64_t count, int64_t size)
{
    return lw_weight(g, LW_SHAPE(size, count), lw_init_normal(0, 0.1), "linear.weight");
}

static lw_value length(lw_graph *g, lw_value x)
{
    return lw_sqrt(g, lw_sum(g, lw_square(g, x), LW_AXIS(1), true));
}

lw_value deform(lw_graph *g, deform_kind kind, lw_value shifts, int64_t size)
{
    const int64_t count = lw_dim(g, shifts, 1);
    if (kind == DEFORM_ORTHO)
        return lw_matmul(g, shifts, deform_directions(g, kind, count, size));
    const double bound = 1 / sqrt((double)count);
    lw_value bias = lw_weight(g, LW_SHAPE(size), lw_init_uniform(-bound, bound), "linear.bias");
    lw_value y = lw_linear(g, shifts, linear(g, count, size), bias);
    return kind == DEFORM_LINEAR ? y : lw_mul(g, y, lw_div(g, length(g, shifts), length(g, y)));
}

lw_value deform_directions(lw_graph *g, deform_kind kind, int64_t count, int64_t size)
{
    lw_value columns = kind == DEFORM_ORTHO ? orthogonal(g, size) : linear(g, count, size);
    return lw_slice(g, lw_transpose(g, columns, 0, 1), 0, 0, count, 1);
}

lw_value deform_shifts(lw_graph *g, lw_value u, double scale, double least)
{
    lw_value shift = lw_affine(g, u, scale, 0);
    lw_value far = lw_maximum(g, lw_abs(g, shift), lw_scalar(g, least));
    return lw_where(g, lw_less(g, shift, lw_scalar(g, 0)), lw_neg(g, far), far);
}
