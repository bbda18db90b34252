/* layers.c — see layers.h. Arithmetic of stylegan2-ada-pytorch d72cc7d0: training/networks.py,
 * torch_utils/ops. */
#include "layers.h"

#include <math.h>

lw_value sg2_clamp(lw_graph *g, lw_value x, double clamp)
{
    return clamp > 0 ? lw_clamp(g, x, -clamp, clamp) : x;
}

lw_value sg2_activate(lw_graph *g, lw_value x, double gain, double clamp)
{
    return sg2_clamp(g, lw_affine(g, lw_leaky_relu(g, x, 0.2), sqrt(2) * gain, 0), clamp * gain);
}

lw_value sg2_linear(lw_graph *g, lw_value x, const sg2_dense *layer, const char *weight, const char *bias)
{
    int64_t in = lw_dim(g, x, 1);
    double lr = layer->lr > 0 ? layer->lr : 1;
    lw_value w = lw_weight(g, LW_SHAPE(layer->out, in), lw_init_normal(0, 1 / lr), "%s", weight);
    lw_value b = lw_weight(g, LW_SHAPE(layer->out), lw_init_constant(layer->bias_start / lr), "%s", bias);
    w = lw_affine(g, w, lr / sqrt((double)in), 0);
    return lw_linear(g, x, w, lw_affine(g, b, lr, 0));
}

lw_value sg2_normalize(lw_graph *g, lw_value x)
{
    lw_value moment = lw_mean(g, lw_square(g, x), LW_AXIS(1), true);
    return lw_mul(g, x, lw_rsqrt(g, lw_affine(g, moment, 1, 1e-8)));
}

lw_value sg2_filter(lw_graph *g, lw_value x, int up, int down, int before, int after, double gain)
{
    lw_resample_options o = {
        .size = sizeof o, .up = up, .down = down, .before = before, .after = after, .tap_count = 4};
    static const float taps[4] = {0.125f, 0.375f, 0.375f, 0.125f};
    for (int i = 0; i < 4; i++)
        o.taps[i] = taps[i] * (float)gain;
    return lw_resample2d_with(g, x, &o);
}

lw_value sg2_labels(lw_graph *g, const lw_args *args, int64_t count)
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

lw_value sg2_draw(lw_graph *g, lw_value w, lw_value mean, double psi, int64_t cutoff, int64_t layers,
                  bool repeat)
{
    int64_t n = lw_dim(g, w, 0), size = lw_dim(g, w, 1), each = size / (repeat ? 1 : layers),
            kept = layers - cutoff;
    lw_value near = lw_add(g, mean, lw_affine(g, lw_sub(g, w, mean), psi, 0));
    if (kept <= 0)
        return near;
    lw_value first =
        repeat ? lw_broadcast(g, lw_reshape(g, near, LW_SHAPE(n, 1, size)), LW_SHAPE(n, cutoff, size))
               : lw_slice(g, near, 1, 0, cutoff * each, 1);
    lw_value last = repeat ? lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(n, 1, size)), LW_SHAPE(n, kept, size))
                           : lw_slice(g, w, 1, cutoff * each, kept * each, 1);
    return lw_concat(g, (const lw_value[]){first, last}, 2, 1);
}

lw_status sg2_found(lw_args *args, const char *key, double value)
{
    return lw_is_given(args, key) ? LW_OK : lw_args_set_float(args, key, value);
}

int64_t sg2_layer_count(const lw_args *args)
{
    return 2 * lw_list_count(args, "widths");
}

void sg2_dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)2 << lw_list_count(args, "widths"), layers = sg2_layer_count(args),
            w_dim = lw_int(args, "w_dim");
    bool repeat = lw_bool(args, "repeat_w");
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "w_dim", repeat ? w_dim : w_dim * layers);
    lw_dims_set(dims, "num_ws", repeat ? layers : 1);
    if (lw_int(args, "classes") > 0)
        lw_dims_set(dims, "classes", lw_int(args, "classes"));
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}
