/* layers.c — layers made of several ops. */
#include "graph/build.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct norm {
    lw_value weight, bias, mean, variance; /* [C] each */
    lw_shape shape;                        /* [1, C, 1, 1]: how they meet x */
    unsigned axes;                         /* all but 1 */
} norm;

/* The same layer may meet two batches in one step (a discriminator sees real and made images): the second
 * goes on from where the first will have left it. */
void lw_track(lw_graph *g, lw_value statistic, lw_value seen, double decay)
{
    if (!lwi_usable(g, "track", (lw_value[]){statistic, seen}, 2))
        return;
    lw_value kept = lw_affine(g, lwi_assigned(g, statistic), decay, 0);
    seen = lw_affine(g, lw_reshape(g, lw_stop_gradient(g, seen), lw_shape_of(g, statistic)), 1 - decay, 0);
    lwi_reassign(g, statistic, lw_add(g, kept, seen));
}

/* x [N, C, ..] -> the same, by the batch's own mean and variance */
static lw_value by_batch(lw_graph *g, lw_value x, const norm *n)
{
    double count = (double)(lw_shape_count(lw_shape_of(g, x)) / n->shape.dim[1]);
    if (count < 2)
        return lwi_error(g, LW_SHAPE, "batch_norm", (lw_value[]){x, n->weight}, 2,
                         "training needs more than one value per channel");
    lw_value mean = lw_mean(g, x, n->axes, true);
    lw_value centred = lw_sub(g, x, mean);
    lw_value variance = lw_mean(g, lw_square(g, centred), n->axes, true);
    lw_value scale =
        lw_mul(g, lw_reshape(g, n->weight, n->shape), lw_rsqrt(g, lw_affine(g, variance, 1, 1e-5)));
    lw_track(g, n->mean, mean, 0.9);
    lw_track(g, n->variance, lw_affine(g, variance, count / (count - 1), 0), 0.9);
    return lw_add(g, lw_mul(g, centred, scale), lw_reshape(g, n->bias, n->shape));
}

/* x [N, C, ..] -> x * scale + shift, [C] numbers that do not depend on x: they fold into a convolution */
static lw_value by_running_statistics(lw_graph *g, lw_value x, const norm *n)
{
    lw_value scale = lw_mul(g, n->weight, lw_rsqrt(g, lw_affine(g, n->variance, 1, 1e-5)));
    lw_value shift = lw_sub(g, n->bias, lw_mul(g, n->mean, scale));
    return lw_add(g, lw_mul(g, x, lw_reshape(g, scale, n->shape)), lw_reshape(g, shift, n->shape));
}

lw_value lw_batch_norm(lw_graph *g, lw_value x, const char *format, ...)
{
    char name[512];
    if (!lwi_usable(g, "batch_norm", &x, 1))
        return (lw_value){0};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    lw_shape shape = lwi_node_of(g, x)->shape;
    char text[LW_SHAPE_TEXT];
    if (shape.rank < 2)
        return lwi_error(g, LW_SHAPE, "batch_norm", &x, 1, "input %s of '%s' must be [N, C, ..]",
                         lw_shape_text(shape, text), name);
    const lw_shape channels = LW_SHAPE(shape.dim[1]);
    norm n = {.shape = {.rank = shape.rank}, .axes = ((1u << shape.rank) - 1) & ~LW_AXIS(1)};
    for (int i = 0; i < shape.rank; i++)
        n.shape.dim[i] = i == 1 ? shape.dim[1] : 1;
    n.weight = lw_weight(g, channels, lw_init_constant(1), "%s.weight", name);
    n.bias = lw_weight(g, channels, lw_init_constant(0), "%s.bias", name);
    n.mean = lw_buffer(g, channels, lw_init_constant(0), "%s.running_mean", name);
    n.variance = lw_buffer(g, channels, lw_init_constant(1), "%s.running_var", name);
    if (!lwi_usable(g, "batch_norm", &n.variance, 1))
        return (lw_value){0};
    return lw_is_training(g) ? by_batch(g, x, &n) : by_running_statistics(g, x, &n);
}

/* x / max(|x|, 1e-12), without a gradient */
static lw_value unit(lw_graph *g, lw_value x)
{
    lw_value length = lw_sqrt(g, lw_sum(g, lw_square(g, x), LW_ALL_AXES, false));
    return lw_stop_gradient(g, lw_div(g, x, lw_maximum(g, length, lw_scalar(g, 1e-12))));
}

lw_value lw_spectral_norm(lw_graph *g, lw_value weight, lw_value u)
{
    if (!lwi_usable(g, "spectral_norm", (lw_value[]){weight, u}, 2))
        return (lw_value){0};
    lw_value matrix = lw_flatten(g, weight, 1), turned = lw_transpose(g, matrix, 0, 1);
    lw_value v = unit(g, lw_matmul(g, lwi_assigned(g, u), matrix));
    lw_value next = unit(g, lw_matmul(g, v, turned));
    if (lw_is_training(g) && lwi_usable(g, "spectral_norm", &next, 1))
        lwi_reassign(g, u, next);
    return lw_sum(g, lw_mul(g, lw_matmul(g, v, turned), next), LW_ALL_AXES, false);
}
