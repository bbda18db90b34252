/* synthesis.c — modulated convolutions, noise and the three architectures (Karras et al. 2020, figures 2 and
 * 7).
 *
 * A modulated convolution scales its input channels by the style, convolves with the weights as they are, and
 * scales the output channels by the demodulation: the same sum as with modulated weights, but the weights are
 * laid out once, and both scalings are done by kernels that run anyway. */
#include "synthesis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct net {
    lw_graph *g;
    const lw_args *args;
    const sg2_keys *keys;
    lw_value latent; /* [N, w_dim] or [N, num_ws, w_dim] */
    int blocks;
    double clamp; /* 0: none */
} net;

static int64_t width(const net *n, int block)
{
    return lw_list_int(n->args, "widths", block);
}

/* -> [N, w_dim] */
static lw_value w_of(const net *n, int index)
{
    if (lw_shape_of(n->g, n->latent).rank != 3)
        return n->latent;
    return lw_merge(n->g, lw_slice(n->g, n->latent, 1, index, 1, 1), 1, 2);
}

/* A buffer that stands in the file but whose values are known: the resampling filters. */
static void known(const net *n, lw_shape shape, const char *name, const char *suffix)
{
    if (lw_has_weight(n->g, "%s%s", name, suffix))
        lw_buffer(n->g, shape, lw_init_constant(0), "%s%s", name, suffix);
}

/* w -> the channels' scales [N, count]; tap style_b8_conv0, style_b8_torgb. */
static lw_value style(const net *n, const char *name, int w, int64_t count, int block, const char *tap)
{
    const sg2_keys *keys = n->keys;
    char weight[SG2_NAME + 32], bias[SG2_NAME + 32];
    snprintf(weight, sizeof weight, "%s%s", name, keys->style_weight);
    snprintf(bias, sizeof bias, "%s%s", name, keys->style_bias);
    const sg2_dense layer = {count, 1, keys->plus_one ? 0 : 1};
    lw_value s = sg2_linear(n->g, w_of(n, w), &layer, weight, bias);
    s = lw_tap(n->g, keys->plus_one ? lw_affine(n->g, s, 1, 1) : s, "style_b%d_%s", 4 << block, tap);
    if (strcmp(tap, "torgb") == 0 && w + 1 < sg2_layer_count(n->args))
        return s; /* shares its w with the convolution after it, which is the layer's */
    return lw_tap(n->g, s, "affine%d", w);
}

/* x [1 or N, C, H, W], s [N, C], kernel [O, C, k, k] -> [N, O, H, W], or [N, O, 2 H, 2 W]. */
static lw_value modulated(const net *n, lw_value x, lw_value s, lw_value kernel, bool up, bool demodulate)
{
    lw_graph *g = n->g;
    int k = (int)lw_dim(g, kernel, 2);
    x = lw_mul(g, x, lw_unflatten(g, s, 1, 1));
    x = up ? lw_conv_transpose2d(g, x, lw_transpose(g, kernel, 0, 1), .stride = 2)
           : lw_conv2d(g, x, kernel, .padding = k / 2);
    if (demodulate) {
        lw_value power = lw_sum(g, lw_square(g, kernel), LW_AXIS(2) | LW_AXIS(3), false); /* [O, C] */
        lw_value norm = lw_linear(g, lw_square(g, s), power, (lw_value){0});
        x = lw_mul(g, x, lw_unflatten(g, lw_rsqrt(g, lw_affine(g, norm, 1, 1e-8)), 1, 1));
    }
    return up ? sg2_filter(g, x, 1, 1, 1, 1, 2) : x;
}

/* x [N, C, H, W] + strength * noise, one plane for all channels. */
static lw_value add_noise(const net *n, lw_value x, int layer, const char *name)
{
    lw_graph *g = n->g;
    char buffer[SG2_NAME];
    const char *mode = lw_text(n->args, "noise_mode");
    int64_t side = lw_dim(g, x, 2), images = lw_dim(g, x, 0);
    lw_shape scalar = n->keys->strength_rank ? LW_SHAPE(1) : LW_SCALAR;
    lw_value strength = lw_weight(g, scalar, lw_init_constant(0), "%s%s", name, n->keys->strength),
             noise = {0};
    sg2_noise_name(n->keys, layer, buffer);
    bool stored = strcmp(n->keys->layout, "rosinality") != 0 || lw_has_weight(g, "%s", buffer);
    if (stored)
        noise = lw_buffer(g, n->keys->constant4 ? LW_SHAPE(1, 1, side, side) : LW_SHAPE(side, side),
                          lw_init_normal(0, 1), "%s", buffer);
    if (strcmp(mode, "none") == 0)
        return x;
    if (strcmp(mode, "random") == 0 || lw_is_training(g)) /* the official training draws it anew */
        noise = lw_random_normal(g, LW_SHAPE(images, 1, side, side), buffer);
    else if (!stored)
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "the weights hold no noise ('%s'); set noise_mode to none or random", buffer);
    return lw_add(g, x, lw_mul(g, noise, strength));
}

/* One layer: x -> [N, width, side, side]. `gain` is sqrt(1/2) where a residual follows. */
static lw_value convolve(const net *n, lw_value x, int layer, double gain)
{
    lw_graph *g = n->g;
    int block = (layer + 1) / 2;
    bool up = layer % 2 == 1;
    int64_t in = lw_dim(g, x, 1), out = width(n, block);
    char name[SG2_NAME], weight[SG2_NAME + 32], tap[16];
    sg2_layer_name(n->keys, layer, name);
    snprintf(weight, sizeof weight, "%s%s", name, n->keys->weight);
    snprintf(tap, sizeof tap, "conv%d", up ? 0 : 1);
    lw_value s = style(n, name, layer, in, block, tap);
    x = modulated(n, x, s, sg2_kernel(g, n->keys, weight, out, in, 3, up), up, true);
    x = add_noise(n, x, layer, name);
    lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s%s", name, n->keys->bias);
    x = sg2_activate(g, lw_add(g, x, lw_reshape(g, bias, LW_SHAPE(1, out, 1, 1))), gain, n->clamp);
    known(n, LW_SHAPE(4, 4), name, ".resample_filter");
    known(n, LW_SHAPE(4, 4), name, ".conv.blur.kernel");
    known(n, LW_SHAPE(1, 1, 4, 4), name, ".filter.kernel");
    return lw_tap(g, x, "b%d_%s", 4 << block, tap);
}

/* x [N, C, H, W] -> colours [N, channels, H, W]; modulated, not demodulated. */
static lw_value to_rgb(const net *n, lw_value x, int block)
{
    lw_graph *g = n->g;
    int64_t in = lw_dim(g, x, 1), channels = lw_int(n->args, "channels");
    char name[SG2_NAME], text[SG2_NAME + 32];
    sg2_rgb_name(n->keys, block, name);
    lw_value s = style(n, name, 2 * block + 1, in, block, "torgb");
    snprintf(text, sizeof text, "%s%s", name, n->keys->weight);
    lw_value kernel = sg2_kernel(g, n->keys, text, channels, in, 1, false);
    if (!n->keys->scaled)
        s = lw_affine(g, s, 1 / sqrt((double)in), 0);
    x = modulated(n, x, s, kernel, false, false);
    bool wide = n->keys->leading; /* rosinality keeps this bias as [1, channels, 1, 1], under its own name */
    lw_shape shape = wide ? LW_SHAPE(1, channels, 1, 1) : LW_SHAPE(channels);
    lw_value bias = lw_weight(g, shape, lw_init_constant(0), "%s%s", name, wide ? ".bias" : n->keys->bias);
    known(n, LW_SHAPE(4, 4), name, ".upsample.kernel");
    return sg2_clamp(g, lw_add(g, x, lw_reshape(g, bias, LW_SHAPE(1, channels, 1, 1))), n->clamp);
}

/* The residual branch: x [N, C, H, W] -> sqrt(1/2) * [N, width, 2 H, 2 W]; without bias, noise or style. */
static lw_value skip(const net *n, lw_value x, int block)
{
    lw_graph *g = n->g;
    int64_t in = lw_dim(g, x, 1);
    char name[SG2_NAME], weight[SG2_NAME + 32];
    snprintf(weight, sizeof weight, "%s.weight", sg2_skip_name(block, name));
    lw_value kernel = sg2_kernel(g, n->keys, weight, width(n, block), in, 1, false);
    x = lw_conv2d(g, x, lw_affine(g, kernel, sqrt(0.5) / sqrt((double)in), 0));
    known(n, LW_SHAPE(4, 4), name, ".resample_filter");
    return sg2_filter(g, x, 2, 1, 2, 1, 2);
}

/* Block `block`: x of half the side (the constant for block 0) -> [N, width, side, side]. */
static lw_value run_block(const net *n, lw_value x, int block)
{
    lw_graph *g = n->g;
    char name[SG2_NAME];
    snprintf(name, sizeof name, "synthesis.b%d", 4 << block);
    known(n, LW_SHAPE(4, 4), name, ".resample_filter");
    if (block == 0)
        return convolve(n, x, 0, 1);
    if (strcmp(lw_text(n->args, "architecture"), "resnet") != 0)
        return convolve(n, convolve(n, x, 2 * block - 1, 1), 2 * block, 1);
    lw_value residual = skip(n, x, block);
    return lw_add(g, residual, convolve(n, convolve(n, x, 2 * block - 1, 1), 2 * block, sqrt(0.5)));
}

lw_value sg2_synthesize(lw_graph *g, const lw_args *args, lw_value latent)
{
    const sg2_keys *keys = sg2_keys_of(lw_text(args, "layout"));
    net n = {g, args, keys, latent, lw_list_count(args, "widths"), 0};
    if (lw_is_set(args, "conv_clamp"))
        n.clamp = lw_float(args, "conv_clamp");
    bool all = strcmp(lw_text(args, "architecture"), "skip") == 0;
    int64_t first = width(&n, 0);
    lw_value x = lw_weight(g, keys->constant4 ? LW_SHAPE(1, first, 4, 4) : LW_SHAPE(first, 4, 4),
                           lw_init_normal(0, 1), "%s", keys->constant);
    lw_value image = {0};
    x = lw_reshape(g, x, LW_SHAPE(1, first, 4, 4));
    for (int block = 0; block < n.blocks; block++) {
        x = lw_tap(g, run_block(&n, x, block), "b%d_x", 4 << block);
        if (!all && block < n.blocks - 1)
            continue;
        lw_value colours = to_rgb(&n, x, block);
        if (all && block > 0)
            colours = lw_add(g, sg2_filter(g, image, 2, 1, 2, 1, 2), colours);
        image = lw_tap(g, colours, "b%d_img", 4 << block);
    }
    known(&n, LW_SHAPE(1, 1, 4, 4), "synthesis.upsample", ".kernel");
    return strcmp(lw_text(args, "output"), "tanh") == 0 ? lw_tanh(g, image) : image;
}
