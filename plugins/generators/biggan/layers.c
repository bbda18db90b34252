/* layers.c — see layers.h. */
#include "layers.h"

#include <stdio.h>

lw_value biggan_labels(lw_graph *g, const lw_args *args, int64_t count)
{
    int64_t classes = lw_int(args, "classes"), chosen = lw_int(args, "class");
    lw_value labels = lw_labels(g);
    if (!lw_is_null(labels))
        return labels;
    if (chosen >= classes)
        return lw_graph_fail(g, LW_INVALID, "there is no class %lld; the model has classes 0 to %lld",
                             (long long)chosen, (long long)classes - 1);
    lw_value row = lw_equal(g, lw_iota(g, classes), lw_scalar(g, (double)chosen));
    return lw_broadcast(g, lw_reshape(g, row, LW_SHAPE(1, classes)), LW_SHAPE(count, classes));
}

/* --- spectral norm -------------------------------------------------------------------------- */

lw_value biggan_weight(lw_graph *g, bool spectral, lw_shape shape, const char *name, const char *tap)
{
    lw_value weight = lw_weight(g, shape, lw_init_normal(0, 0.02), "%s.weight", name);
    if (!spectral)
        return weight;
    lw_value u0 = lw_buffer(g, LW_SHAPE(1, shape.dim[0]), lw_init_normal(0, 1), "%s.u0", name);
    lw_buffer(g, LW_SHAPE(1), lw_init_constant(1), "%s.sv0", name); /* a log of sigma; never read */
    lw_value sigma = lw_spectral_norm(g, weight, u0);
    if (tap)
        sigma = lw_tap(g, sigma, "sigma_used_%s", tap);
    weight = lw_div(g, weight, sigma);
    return tap ? lw_tap(g, weight, "sn_weight_%s", tap) : weight;
}

lw_value biggan_conv(lw_graph *g, bool spectral, lw_value x, int64_t channels, int kernel, const char *name,
                     const char *tap)
{
    lw_shape shape = LW_SHAPE(channels, lw_dim(g, x, 1), kernel, kernel);
    lw_value weight = biggan_weight(g, spectral, shape, name, tap);
    lw_value bias = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s.bias", name);
    return lw_conv2d(g, x, weight, .padding = kernel / 2, .bias = bias);
}

lw_value biggan_gather(lw_graph *g, lw_value so_far, lw_value affine)
{
    return lw_is_null(so_far) ? affine : lw_concat(g, (lw_value[]){so_far, affine}, 2, 1);
}

/* --- self-attention ------------------------------------------------------------------------- */

/* [N, C, H, W] -> [N, C, H*W/4], the largest of every 2x2 */
static lw_value pooled(lw_graph *g, lw_value x)
{
    x = lw_split(g, lw_split(g, x, 2, lw_dim(g, x, 2) / 2), 4, lw_dim(g, x, 3) / 2);
    return lw_flatten(g, lw_max(g, x, LW_AXIS(3) | LW_AXIS(5), false), 2);
}

lw_value biggan_attend(lw_graph *g, lw_value x, const biggan_attention *w)
{
    lw_value query = lw_flatten(g, lw_conv2d(g, x, w->theta), 2);                      /* [N, C/8, HW] */
    lw_value key = pooled(g, lw_conv2d(g, x, w->phi));                                 /* [N, C/8, HW/4] */
    lw_value value = pooled(g, lw_conv2d(g, x, w->g));                                 /* [N, C/2, HW/4] */
    lw_value beta = lw_softmax(g, lw_matmul(g, lw_transpose(g, query, 1, 2), key), 2); /* [N, HW, HW/4] */
    lw_value seen = lw_matmul(g, value, lw_transpose(g, beta, 1, 2));                  /* [N, C/2, HW] */
    seen = lw_unflatten(g, lw_flatten(g, seen, 1), lw_dim(g, x, 2), lw_dim(g, x, 3));
    return lw_add(g, lw_mul(g, lw_conv2d(g, seen, w->o), w->gamma), x);
}

lw_value biggan_attend_at(lw_graph *g, bool spectral, lw_value x, const char *name)
{
    static const char *const parts[] = {"theta", "phi", "g", "o"};
    int64_t c = lw_dim(g, x, 1);
    const lw_shape shapes[] = {LW_SHAPE(c / 8, c, 1, 1), LW_SHAPE(c / 8, c, 1, 1), LW_SHAPE(c / 2, c, 1, 1),
                               LW_SHAPE(c, c / 2, 1, 1)};
    lw_value w[4];
    for (int i = 0; i < 4; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s.%s", name, parts[i]);
        w[i] = biggan_weight(g, spectral, shapes[i], full, NULL);
    }
    lw_value gamma = lw_weight(g, LW_SCALAR, lw_init_constant(0), "%s.gamma", name);
    return biggan_attend(g, x, &(biggan_attention){w[0], w[1], w[2], w[3], gamma});
}
