/* synthesis.c — the network (Karras et al. 2018, table 2): pixel norm before every layer, nearest up-sampling
 * before every block but the first, and images blended between levels of detail. */
#include "pggan.h"

#include <math.h>

/* Everything the blocks need to know. */
typedef struct network {
    lw_graph *g;
    const lw_args *args;
    pggan_layout layout;
    int blocks;
    bool fused, scaled;
    double leak;
} network;

/* x [N, C, ..] -> the same with unit mean square over C at every place; eps 1e-8 (section 4.2) */
static lw_value pixel_norm(lw_graph *g, lw_value x)
{
    lw_value square = lw_mean(g, lw_square(g, x), LW_AXIS(1), true);
    return lw_mul(g, x, lw_rsqrt(g, lw_affine(g, square, 1, 1e-8)));
}

/* z [N, z_dim] -> [N, z_dim + classes]: labels, or a constant row of `class`, after the latent. */
static lw_value join_labels(const network *n, lw_value z)
{
    lw_graph *g = n->g;
    int64_t classes = lw_int(n->args, "classes"), chosen = lw_int(n->args, "class");
    if (classes == 0)
        return z;
    lw_value labels = lw_labels(g);
    if (lw_is_null(labels)) {
        if (chosen >= classes)
            return lw_graph_fail(g, LW_INVALID, "class %lld is none of the model's 0 … %lld",
                                 (long long)chosen, (long long)classes - 1);
        lw_value row = lw_equal(g, lw_iota(g, classes), lw_scalar(g, (double)chosen));
        labels =
            lw_broadcast(g, lw_reshape(g, row, LW_SHAPE(1, classes)), LW_SHAPE(lw_dim(g, z, 0), classes));
    }
    if (n->layout == PGGAN_GENFORCE) /* which normalises the latent alone first, then both */
        z = pixel_norm(g, z);
    return lw_concat(g, (const lw_value[]){z, labels}, 2, 1);
}

static int64_t width(const network *n, int block)
{
    return lw_list_int(n->args, "widths", block);
}

static pggan_layer layer_at(const network *n, int number)
{
    return (pggan_layer){n->layout, number, .fused = n->fused && number >= 2 && number % 2 == 0,
                         .blocks = n->blocks};
}

/* [N, in] -> [N, out, 4, 4], before the activation */
static lw_value first_layer(const network *n, lw_value x, pggan_kernel k)
{
    bool zoo = pggan_is_zoo(n->layout);
    int64_t out = width(n, 0);
    x = lw_unflatten(n->g, lw_linear(n->g, x, k.weight, zoo ? k.bias : (lw_value){0}), 4, 4);
    return zoo ? x : lw_add(n->g, x, lw_reshape(n->g, k.bias, LW_SHAPE(1, out, 1, 1)));
}

/* Layer `number` on x [N, C, s, s] (the first: [N, z_dim + classes]) -> [N, width, s, s], or twice as large
 * for the first layer of a block. `skip`: only its weights are asked for. */
static lw_value apply_layer(const network *n, lw_value x, int number, bool skip)
{
    lw_graph *g = n->g;
    pggan_layer layer = layer_at(n, number);
    int block = number / 2;
    int64_t in = number % 2    ? width(n, block)
                 : number == 0 ? lw_int(n->args, "z_dim") + lw_int(n->args, "classes")
                               : width(n, block - 1);
    pggan_kernel k = pggan_fetch(g, layer, in, width(n, block), n->scaled);
    if (skip)
        return x;
    x = pixel_norm(g, x);
    if (number == 0)
        x = lw_tap(g, first_layer(n, lw_tap(g, x, "latent"), k), "affine0");
    else if (layer.fused)
        x = lw_conv_transpose2d(g, x, k.weight, .stride = 2, .padding = 1, .bias = k.bias);
    else
        x = lw_conv2d(g, number % 2 ? x : lw_upsample_nearest2d(g, x, 2), k.weight, .padding = 1,
                      .bias = k.bias);
    if (pggan_is_zoo(n->layout) && number >= 2)
        x = lw_tap(g, x, "scale%d_conv%d_preact", block - 1, number % 2);
    return lw_tap(g, lw_leaky_relu(g, x, n->leak), "layer%d", number);
}

/* x [N, width, s, s] -> [N, channels, s, s]; null x: only the weights are asked for */
static lw_value to_rgb(const network *n, lw_value x, int block)
{
    pggan_layer layer = {n->layout, block, .rgb = true, .blocks = n->blocks};
    pggan_kernel k = pggan_fetch(n->g, layer, width(n, block), lw_int(n->args, "channels"), n->scaled);
    return lw_is_null(x) ? x : lw_conv2d(n->g, pixel_norm(n->g, x), k.weight, .bias = k.bias);
}

/* Weight of a block's own image against the enlarged one of the block below: 1 up to its level of detail,
 * then falling to 0 within one level. pytorch_GAN_zoo's alpha is the same with lod = alpha. */
static double own_share(double lod, int level)
{
    return fmin(fmax(level + 1 - lod, 0), 1);
}

/* image of the blocks below [N, channels, s/2, s/2] (null at first), x [N, width, s, s] -> [N, channels, s,
 * s] */
static lw_value add_level(const network *n, lw_value image, lw_value x, int block, double lod)
{
    lw_graph *g = n->g;
    int level = n->blocks - 1 - block;
    double share = own_share(lod, level);
    bool shown = share > 0 && lod > level - 1; /* does the image still depend on it? */
    lw_value own = {0};
    if (n->layout != PGGAN_DISCOVERY || level == 0) /* which keeps the last toRGB layer only */
        own = to_rgb(n, shown ? x : (lw_value){0}, block);
    if (share == 1)
        return own;
    lw_value below = lw_upsample_nearest2d(g, image, 2);
    if (share == 0)
        return below;
    return lw_add(g, lw_affine(g, own, share, 0), lw_affine(g, below, 1 - share, 0));
}

/* The network still growing, as far as images of this side: what its last block adds is faded in. */
static lw_value grow(const network *n, lw_value x, int64_t side)
{
    lw_graph *g = n->g;
    lw_value fade = lw_fade(g), below = {0};
    int last = 0;
    while (last + 1 < n->blocks && (4 << last) < side)
        last++;
    if ((4 << last) != side || n->layout == PGGAN_DISCOVERY)
        return lw_graph_fail(
            g, LW_UNSUPPORTED,
            "this network does not grow to images of %lld px: it has blocks for %d, each with "
            "its toRGB layer but in layout discovery, from 4 px on",
            (long long)side, n->blocks);
    for (int block = 0; block <= last; block++) {
        x = apply_layer(n, apply_layer(n, x, 2 * block, false), 2 * block + 1, false);
        if (block == last - 1 && !lw_is_null(fade))
            below = lw_upsample_nearest2d(g, to_rgb(n, x, block), 2);
    }
    lw_value own = to_rgb(n, x, last);
    return lw_is_null(below) ? own : lw_add(g, below, lw_mul(g, fade, lw_sub(g, own, below)));
}

/* The whole network at its level of detail. */
static lw_value build_whole(const network *n, lw_value x, double lod)
{
    lw_value image = {0};
    for (int block = 0; block < n->blocks; block++) {
        bool grown = own_share(lod, n->blocks - 1 - block) > 0;
        x = apply_layer(n, x, 2 * block, !grown);
        x = apply_layer(n, x, 2 * block + 1, !grown);
        image = add_level(n, image, x, block, lod);
    }
    return image;
}

lw_value pggan_synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    network n = {g,
                 args,
                 pggan_layout_of(args),
                 lw_list_count(args, "widths"),
                 lw_bool(args, "fused"),
                 lw_bool(args, "scaled"),
                 lw_float(args, "leak")};
    double lod = lw_is_set(args, "lod") ? lw_float(args, "lod") : 0;
    if (lod > n.blocks - 1)
        return lw_graph_fail(g, LW_INVALID, "lod %g is more than the %d doublings of this model", lod,
                             n.blocks - 1);
    if (n.layout == PGGAN_DISCOVERY && lod > 0)
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "lod %g needs the toRGB layers of smaller images, which these weights "
                             "(layout discovery) do not have",
                             lod);
    if (n.layout ==
        PGGAN_INTERFACEGAN) /* which does not blend: the finest level that is at least partly grown */
        lod = floor(lod);
    if (lw_has_weight(g, "lod")) /* kept with the weights; detect has read it */
        lw_buffer(g, LW_SCALAR, lw_init_constant(0), "lod");
    lw_value x = join_labels(&n, z);
    int64_t side = lw_resolution(g);
    lw_value image = side ? grow(&n, x, side) : build_whole(&n, x, lod);
    const char *output = lw_text(args, "output");
    return *output == 't' ? lw_tanh(g, image) : *output == 'h' ? lw_clamp(g, image, -1, 1) : image;
}
