/* synthesis.c — convolution, noise, leaky ReLU, adaptive instance normalisation (Karras et al. 2019, figure
 * 1), and the choice of the image by level of detail, which the network keeps from growing progressively. */
#include "synthesis.h"

#include <math.h>
#include <string.h>

typedef struct net {
    lw_graph *g;
    const lw_args *args;
    const sg1_keys *keys;
    lw_value latent; /* [N, w_dim] or [N, num_ws, w_dim] */
    int blocks;
} net;

lw_value sg1_linear(lw_graph *g, const sg1_keys *keys, lw_value x, const sg1_dense *layer, const char *weight,
                    const char *bias)
{
    int64_t in = lw_dim(g, x, 1);
    double scale = (keys->zoo ? sqrt(2) : layer->gain) * layer->lr / sqrt((double)in);
    lw_value w = lw_weight(g, LW_SHAPE(layer->out, in), lw_init_normal(0, 1 / layer->lr), "%s", weight);
    lw_value b = lw_weight(g, LW_SHAPE(layer->out), lw_init_constant(0), "%s", bias);
    return lw_linear(g, x, lw_affine(g, w, scale, 0), lw_affine(g, b, keys->zoo ? scale : layer->lr, 0));
}

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

/* Whether the enlarging layer convolves as the transpose of a strided convolution (TensorFlow's fused_scale),
 * which mirrors the kernel against enlarging first. */
static bool is_fused(const net *n, int block)
{
    const char *fused = lw_text(n->args, "fused_scale");
    return strcmp(fused, "true") == 0 || (strcmp(fused, "auto") == 0 && block >= 5); /* from 128 x 128 on */
}

/* The convolution of a layer as [out, in, 3, 3], scaled. InterFaceGAN keeps a fused one as [3, 3, in,
 * out]. */
static lw_value kernel_of(const net *n, int layer, int64_t out, int64_t in)
{
    lw_graph *g = n->g;
    char name[SG2_NAME];
    sg1_name(n->keys, SG1_WEIGHT, layer, name);
    bool columns = strcmp(n->keys->layout, "interfacegan") == 0 && layer % 2 == 0 && is_fused(n, layer / 2);
    lw_value w = columns ? lw_weight(g, LW_SHAPE(3, 3, in, out), lw_init_normal(0, 1),
                                     "synthesis.layer%d.weight", layer)
                         : lw_weight(g, LW_SHAPE(out, in, 3, 3), lw_init_normal(0, 1), "%s", name);
    if (columns)
        w = lw_permute(g, w, (const int[]){3, 2, 0, 1});
    return lw_affine(g, w, sqrt(2) / sqrt((double)(in * 9)), 0);
}

/* kernel [O, I, 3, 3] -> [O, I, 4, 4], each entry the sum of its neighbours: what a kernel sees of doubled
 * pixels. */
static lw_value spread(lw_graph *g, lw_value kernel)
{
    for (int axis = 2; axis < 4; axis++)
        kernel = lw_add(g, lw_pad(g, kernel, axis, 0, 1), lw_pad(g, kernel, axis, 1, 0));
    return kernel;
}

/* x [N, C, H, W] -> [N, O, 2 H, 2 W], then blurred by [1, 2, 1] (not in the zoo). Doubling the pixels and
 * convolving is the same as the transposed convolution with the mirrored kernel, spread: 4 products a pixel
 * instead of 9. */
static lw_value enlarge(const net *n, lw_value x, lw_value kernel, int block)
{
    lw_graph *g = n->g;
    if (!is_fused(n, block))
        kernel = lw_slice(g, lw_slice(g, kernel, 2, 2, 3, -1), 3, 2, 3, -1);
    x = lw_conv_transpose2d(g, x, lw_transpose(g, spread(g, kernel), 0, 1), .stride = 2, .padding = 1);
    if (n->keys->zoo)
        return x;
    return lw_resample2d(g, x, .before = 1, .after = 1, .tap_count = 3, .taps = {0.25f, 0.5f, 0.25f});
}

/* x [1 or N, C, H, W] + noise, weighted by channel (in the zoo by one number for the layer). */
static lw_value add_noise(const net *n, lw_value x, int layer)
{
    lw_graph *g = n->g;
    const char *mode = lw_text(n->args, "noise_mode");
    char name[SG2_NAME];
    int64_t channels = lw_dim(g, x, 1), side = lw_dim(g, x, 2), images = lw_dim(g, n->latent, 0);
    lw_shape shape = n->keys->zoo ? LW_SHAPE(1, 1, 1, 1) : LW_SHAPE(channels);
    sg1_name(n->keys, SG1_NOISE_WEIGHT, layer, name);
    lw_value weight = lw_weight(g, shape, lw_init_constant(0), "%s", name), noise = {0};
    bool stored = sg1_name(n->keys, SG1_NOISE, layer, name) != NULL;
    if (stored)
        noise = lw_buffer(g, LW_SHAPE(1, 1, side, side), lw_init_normal(0, 1), "%s", name);
    if (strcmp(mode, "none") == 0)
        return x;
    if (strcmp(mode, "random") == 0)
        noise = lw_random_normal(g, LW_SHAPE(images, 1, side, side), name);
    else if (!stored)
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "pytorch_GAN_zoo's files hold no noise; set noise_mode to none or random");
    int64_t count = n->keys->zoo ? 1 : channels;
    return lw_add(g, x, lw_mul(g, noise, lw_reshape(g, weight, LW_SHAPE(1, count, 1, 1))));
}

/* AdaIN: x [1 or N, C, H, W] -> each image's channels with mean 0 and deviation 1, then scaled and shifted as
 * w says. */
static lw_value stylize(const net *n, lw_value x, int layer)
{
    lw_graph *g = n->g;
    int64_t channels = lw_dim(g, x, 1);
    unsigned plane = LW_AXIS(2) | LW_AXIS(3);
    char weight[SG2_NAME], bias[SG2_NAME];
    const sg1_dense dense = {2 * channels, 1, 1};
    sg1_name(n->keys, SG1_STYLE_WEIGHT, layer, weight);
    sg1_name(n->keys, SG1_STYLE_BIAS, layer, bias);
    lw_value s = lw_tap(g, sg1_linear(g, n->keys, w_of(n, layer), &dense, weight, bias), "style%02d", layer);
    s = lw_tap(g, s, "affine%d", layer);
    lw_value scale = lw_unflatten(g, lw_slice(g, s, 1, 0, channels, 1), 1, 1);
    lw_value shift = lw_unflatten(g, lw_slice(g, s, 1, channels, channels, 1), 1, 1);
    lw_value norm = lw_rsqrt(g, lw_affine(g, lw_variance(g, x, plane, true, false), 1, 1e-8));
    scale = lw_mul(g, norm, n->keys->zoo ? scale : lw_affine(g, scale, 1, 1));
    x = lw_mul(g, lw_sub(g, x, lw_mean(g, x, plane, true)), scale);
    return lw_tap(g, lw_add(g, x, shift), "layer%d", layer);
}

/* One layer: x (null for the first, which starts from the constant) -> [N, width, side, side]. */
static lw_value run_layer(const net *n, lw_value x, int layer)
{
    lw_graph *g = n->g;
    int block = layer / 2;
    int64_t out = width(n, block), in = layer ? lw_dim(g, x, 1) : out;
    char name[SG2_NAME];
    if (layer == 0) {
        sg1_name(n->keys, SG1_WEIGHT, 0, name);
        x = lw_weight(g, LW_SHAPE(1, out, 4, 4), lw_init_constant(1), "%s", name);
    } else if (layer % 2 == 1) {
        x = lw_conv2d(g, x, kernel_of(n, layer, out, in), .padding = 1);
    } else {
        x = enlarge(n, x, kernel_of(n, layer, out, in), block);
        if (sg1_name(n->keys, SG1_KERNEL, layer, name) &&
            lw_has_weight(g, "%s", name)) /* known; none in a fresh model */
            lw_buffer(g, LW_SHAPE(out, 1, 3, 3), lw_init_constant(0), "%s", name);
    }
    x = add_noise(n, x, layer);
    if (sg1_name(n->keys, SG1_BIAS, layer, name)) {
        lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s", name);
        bias = lw_affine(g, bias, n->keys->zoo ? sqrt(2) / sqrt((double)(in * 9)) : 1, 0);
        x = lw_add(g, x, lw_reshape(g, bias, LW_SHAPE(1, out, 1, 1)));
    }
    return stylize(n, lw_leaky_relu(g, x, 0.2), layer);
}

/* x [N, C, H, W] -> colours [N, channels, H, W], or null where the block has none (the zoo's first). */
static lw_value to_rgb(const net *n, lw_value x, int block)
{
    lw_graph *g = n->g;
    int64_t in = lw_dim(g, x, 1), channels = lw_int(n->args, "channels");
    double scale = (n->keys->zoo ? sqrt(2) : 1) / sqrt((double)in);
    char name[SG2_NAME];
    if (!sg1_name(n->keys, SG1_RGB_WEIGHT, block, name))
        return (lw_value){0};
    lw_value w = lw_weight(g, LW_SHAPE(channels, in, 1, 1), lw_init_normal(0, 1), "%s", name);
    lw_value b = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s",
                           sg1_name(n->keys, SG1_RGB_BIAS, block, name));
    return lw_conv2d(g, x, lw_affine(g, w, scale, 0), .bias = lw_affine(g, b, n->keys->zoo ? scale : 1, 0));
}

lw_value sg1_synthesize(lw_graph *g, const lw_args *args, lw_value latent)
{
    const net n = {g, args, sg1_keys_of(lw_text(args, "layout")), latent, lw_list_count(args, "widths")};
    double lod = lw_float(args, "lod");
    lw_value x = {0}, image = {0};
    if (lod > n.blocks - (n.keys->zoo ? 2 : 1))
        return lw_graph_fail(g, LW_INVALID, "lod %g is beyond the network's last, %d", lod,
                             n.blocks - (n.keys->zoo ? 2 : 1));
    for (int block = 0; block < n.blocks; block++) {
        double level = n.blocks - 1 - block; /* the lod at which this block's colours alone are the image */
        x = run_layer(&n, run_layer(&n, x, 2 * block), 2 * block + 1);
        lw_value colours =
            to_rgb(&n, x, block); /* all blocks are built, for their weights; unused ones are dropped */
        if (level - 1 < lod && lod <= level) {
            image = colours;
        } else if (level < lod) {
            image = lw_upsample_nearest2d(g, image, 2);
            double old = lod < level + 1 ? lod - level : 1;
            if (old < 1)
                image = lw_add(g, lw_affine(g, colours, 1 - old, 0), lw_affine(g, image, old, 0));
        }
    }
    return strcmp(lw_text(args, "output"), "tanh") == 0 ? lw_tanh(g, image) : image;
}
