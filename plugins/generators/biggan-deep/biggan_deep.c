/* biggan_deep.c — BigGAN-deep's generator (Brock, Donahue, Simonyan 2019) as HuggingFace's port builds it.
 *
 * (z, class embedding) -> [N, 16C, 4, 4]; bottleneck blocks, some doubling the side, each of their batch
 * norms conditioned on (z, class embedding); self-attention before one of them; batch norm, ReLU,
 * convolution, tanh. The running statistics are stored for several truncations of z and interpolated. */
#include "layers.h"
#include "sizes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const lw_param params[] = {
    {"z_dim", LW_PARAM_INT, NULL, "128", 1, 8192, NULL, "Size of the latent; found from the weights."},
    {"class_embed_dim", LW_PARAM_INT, NULL, "128", 1, 8192, NULL,
     "Size of the class embedding; found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "1000", 1, 100000, NULL, "Number of classes; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999, NULL,
     "The class of every image, where no labels are given."},
    {"channel_width", LW_PARAM_INT, "channels", "128", 1, 1024, NULL,
     "Width of the last block; found from the weights."},
    {"multiples", LW_PARAM_INTS, NULL, "[16, 16, 16, 8, 8, 4, 4, 2, 2, 1]", 1, 64, NULL,
     "Channels after each block, in multiples of channel_width (default: BigGAN-deep-128); found from the "
     "weights."},
    {"upsample", LW_PARAM_INTS, NULL, "[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]", 0, 1, NULL,
     "Which blocks double the side. No weight tells: taken from constructor arguments (`layers`), else every "
     "second."},
    {"attention_layer_position", LW_PARAM_INT, "layer", "8", -1, 64, NULL,
     "Place of the self-attention among the layers, -1 for none (default: BigGAN-deep-128); found from the "
     "weights."},
    {"n_stats", LW_PARAM_INT, NULL, "51", 2, 1001, NULL,
     "Truncations, evenly from 0 to 1, that the weights have statistics for; found from the weights."},
    {"truncation", LW_PARAM_FLOAT, NULL, "1", 0, 1, NULL,
     "Whose running statistics: the truncation that z was drawn with (the port's default: 1)."},
    {"eps", LW_PARAM_FLOAT, NULL, "1e-4", 1e-12, 1, NULL,
     "Of the batch norms (all published configurations: 1e-4); taken from constructor arguments."},
};

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = 4;
    for (int i = 0; i < lw_list_count(args, "upsample"); i++)
        side <<= lw_list_int(args, "upsample", i);
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "classes", lw_int(args, "classes"));
    lw_dims_set(dims, "channels", 3);
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* --- weights -------------------------------------------------------------------------------- */

/* torch.nn.utils.spectral_norm outside training: weight_orig / (u^T W v). */
static lw_value spectral(lw_graph *g, lw_shape shape, const char *name)
{
    lw_value weight = lw_weight(g, shape, lw_init_normal(0, 0.02), "%s.weight_orig", name);
    lw_value matrix = lw_flatten(g, weight, 1);
    lw_value u = lw_buffer(g, LW_SHAPE(shape.dim[0]), lw_init_normal(0, 1), "%s.weight_u", name);
    lw_value v = lw_buffer(g, LW_SHAPE(lw_dim(g, matrix, 1)), lw_init_normal(0, 1), "%s.weight_v", name);
    lw_value sigma = lw_matmul(g, lw_reshape(g, u, LW_SHAPE(1, -1)),
                               lw_matmul(g, matrix, lw_reshape(g, v, LW_SHAPE(-1, 1))));
    return lw_div(g, weight, lw_reshape(g, sigma, LW_SCALAR));
}

/* condition [N, D] -> [N, channels, 1, 1] */
static lw_value per_channel(lw_graph *g, lw_value condition, int64_t channels, const char *name)
{
    lw_shape shape = LW_SHAPE(channels, lw_dim(g, condition, 1));
    return lw_unflatten(g, lw_linear(g, condition, spectral(g, shape, name), (lw_value){0}), 1, 1);
}

static lw_value convolve(lw_graph *g, lw_value x, int64_t channels, int kernel, const char *name,
                         const char *tap)
{
    lw_value weight = spectral(g, LW_SHAPE(channels, lw_dim(g, x, 1), kernel, kernel), name);
    lw_value bias = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s.bias", name);
    return lw_conv2d(g, x, lw_tap(g, weight, "sn_weight_%s", tap), .padding = kernel / 2, .bias = bias);
}

/* --- batch norm ----------------------------------------------------------------------------- */

/* NAME [n_stats, C] at the truncation, [1, C, 1, 1]. As in the port, the lower entry is weighted with the
 * fraction (not with its complement), and the place is truncation / step in floating point: 0.58 falls to
 * entry 28. */
static lw_value statistic(lw_graph *g, const lw_args *args, int64_t channels, double start, const char *name)
{
    int64_t count = lw_int(args, "n_stats");
    double whole, fraction = modf(lw_float(args, "truncation") / (1.0 / (double)(count - 1)), &whole);
    int64_t lower = (int64_t)whole, upper = lower + 1 < count ? lower + 1 : count - 1;
    lw_value all = lw_buffer(g, LW_SHAPE(count, channels), lw_init_constant(start), "%s", name);
    lw_value chosen = lw_slice(g, all, 0, lower, 1, 1);
    if (fraction != 0)
        chosen = lw_add(g, lw_affine(g, chosen, fraction, 0),
                        lw_affine(g, lw_slice(g, all, 0, upper, 1, 1), 1 - fraction, 0));
    return lw_unflatten(g, chosen, 1, 1);
}

/* BigGANBatchNorm: x [N, C, H, W]; condition [N, D], or null for the last one, which has gains of its own. In
 * the port's order of operations: what stands at a ReLU's kink then falls to the same side, and gradients
 * agree. Gains and biases go to the entries of the latent. */
static lw_value normalize(lw_graph *g, const lw_args *args, lw_value x, lw_value condition, const char *name,
                          lw_value *entries)
{
    int64_t channels = lw_dim(g, x, 1);
    char part[64];
    snprintf(part, sizeof part, "%s.running_means", name);
    lw_value mean = statistic(g, args, channels, 0, part);
    snprintf(part, sizeof part, "%s.running_vars", name);
    lw_value variance = statistic(g, args, channels, 1, part), gain, bias;
    if (lw_is_null(condition)) {
        lw_shape shape = LW_SHAPE(1, channels, 1, 1);
        gain = lw_reshape(g, lw_weight(g, LW_SHAPE(channels), lw_init_constant(1), "%s.weight", name), shape);
        bias = lw_reshape(g, lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s.bias", name), shape);
    } else {
        snprintf(part, sizeof part, "%s.scale", name);
        gain = lw_affine(g, per_channel(g, condition, channels, part), 1, 1);
        snprintf(part, sizeof part, "%s.offset", name);
        bias = per_channel(g, condition, channels, part);
        *entries = biggan_gather(g, *entries, lw_flatten(g, gain, 1));
        *entries = biggan_gather(g, *entries, lw_flatten(g, bias, 1));
    }
    lw_value centred =
        lw_div(g, lw_sub(g, x, mean), lw_sqrt(g, lw_affine(g, variance, 1, lw_float(args, "eps"))));
    return lw_add(g, lw_mul(g, centred, gain), bias);
}

/* --- the network ---------------------------------------------------------------------------- */

/* GenBlock: x [N, C, H, W] -> [N, channels, H or 2H, ..]; a quarter of C between. */
static lw_value block(lw_graph *g, const lw_args *args, lw_value x, lw_value condition, int64_t channels,
                      bool up, int layer, lw_value *entries)
{
    int64_t in = lw_dim(g, x, 1), middle = in / 4;
    lw_value h = x;
    if (channels != in && channels != in / 2)
        return lw_graph_fail(g, LW_SHAPE,
                             "multiples: a block keeps its channels or halves them, but layer %d would turn "
                             "%lld into %lld",
                             layer, (long long)in, (long long)channels);
    for (int k = 0; k < 4; k++) {
        char name[64], tap[32];
        snprintf(name, sizeof name, "generator.layers.%d.bn_%d", layer, k);
        h = lw_relu(g, normalize(g, args, h, condition, name, entries));
        if (up && k == 1)
            h = lw_upsample_nearest2d(g, h, 2);
        snprintf(name, sizeof name, "generator.layers.%d.conv_%d", layer, k);
        snprintf(tap, sizeof tap, "layers%d_conv_%d", layer, k);
        h = convolve(g, h, k < 3 ? middle : channels, k == 1 || k == 2 ? 3 : 1, name, tap);
    }
    x = lw_slice(g, x, 1, 0, channels, 1);
    return lw_add(g, h, up ? lw_upsample_nearest2d(g, x, 2) : x);
}

static lw_value attend(lw_graph *g, lw_value x, int layer)
{
    static const char *const parts[] = {"theta", "phi", "g", "o_conv"};
    int64_t c = lw_dim(g, x, 1);
    const lw_shape shapes[] = {LW_SHAPE(c / 8, c, 1, 1), LW_SHAPE(c / 8, c, 1, 1), LW_SHAPE(c / 2, c, 1, 1),
                               LW_SHAPE(c, c / 2, 1, 1)};
    lw_value w[4];
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "generator.layers.%d.snconv1x1_%s", layer, parts[i]);
        w[i] = spectral(g, shapes[i], name);
    }
    lw_value gamma = lw_weight(g, LW_SHAPE(1), lw_init_constant(0), "generator.layers.%d.gamma", layer);
    return biggan_attend(g, x, &(biggan_attention){w[0], w[1], w[2], w[3], gamma});
}

/* z [N, z_dim] -> (z, class embedding) [N, z_dim + class_embed_dim] */
static lw_value condition_on(lw_graph *g, const lw_args *args, lw_value z)
{
    lw_shape shape = LW_SHAPE(lw_int(args, "class_embed_dim"), lw_int(args, "classes"));
    lw_value table = lw_weight(g, shape, lw_init_normal(0, 0.02), "embeddings.weight");
    lw_value embedding = lw_linear(g, biggan_labels(g, args, lw_dim(g, z, 0)), table, (lw_value){0});
    return lw_tap(g, lw_concat(g, (lw_value[]){z, embedding}, 2, 1), "cond_vector");
}

/* condition [N, D] -> [N, channels, 4, 4]: the linear layer's pixels have their channels last. */
static lw_value begin(lw_graph *g, lw_value condition, int64_t channels, lw_value *entries)
{
    lw_value weight = spectral(g, LW_SHAPE(channels * 16, lw_dim(g, condition, 1)), "generator.gen_z");
    lw_value bias = lw_weight(g, LW_SHAPE(channels * 16), lw_init_constant(0), "generator.gen_z.bias");
    *entries = lw_linear(g, condition, weight, bias);
    lw_value h = lw_split(g, lw_split(g, *entries, 1, 4), 2, 4);
    return lw_tap(g, lw_permute(g, h, (int[]){0, 3, 1, 2}), "gen_z");
}

/* h [N, C, H, W] -> image [N, 3, H, W]: of C computed channels the first three are the image. */
static lw_value finish(lw_graph *g, const lw_args *args, lw_value h)
{
    int64_t channels = lw_dim(g, h, 1);
    h = lw_tap(g, lw_relu(g, normalize(g, args, h, (lw_value){0}, "generator.bn", NULL)), "output");
    lw_value weight = spectral(g, LW_SHAPE(channels, channels, 3, 3), "generator.conv_to_rgb");
    lw_value bias = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "generator.conv_to_rgb.bias");
    bias = lw_slice(g, bias, 0, 0, 3, 1);
    return lw_tanh(g, lw_conv2d(g, h, lw_slice(g, weight, 0, 0, 3, 1), .padding = 1, .bias = bias));
}

/* z [N, z_dim] -> image [N, 3, side, side] in [-1, 1] */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    int blocks = lw_list_count(args, "multiples");
    int64_t width = lw_int(args, "channel_width"), attention = lw_int(args, "attention_layer_position");
    if (lw_list_count(args, "upsample") != blocks)
        return lw_graph_fail(
            g, LW_INVALID, "`upsample` has %d entries for the %d blocks of `multiples`; give 0 or 1 for each",
            lw_list_count(args, "upsample"), blocks);
    if (blocks == 0 || lw_list_int(args, "multiples", blocks - 1) != 1)
        return lw_graph_fail(g, LW_INVALID,
                             "`multiples` must end with 1: the last block has channel_width channels");
    lw_value condition = condition_on(g, args, z), entries;
    lw_value h = begin(g, condition, 16 * width, &entries);
    for (int i = 0, layer = 0; i < blocks; i++, layer++) {
        if (layer == attention)
            h = lw_tap(g, attend(g, h, layer), "layer%d", layer), layer++;
        int64_t channels = lw_list_int(args, "multiples", i) * width;
        h = block(g, args, h, condition, channels, lw_list_int(args, "upsample", i) == 1, layer, &entries);
        h = lw_tap(g, h, "layer%d", layer);
    }
    lw_tap(g, entries, "affine0");
    return finish(g, args, h);
}

static const char *const provides[] = {"synthesize", "truncated-z", "affine", NULL};
static const char *const prefixes[] = {"G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), deep_detect, dims, NULL, synthesize, NULL};

LW_PLUGIN(
    GENERATOR, "biggan-deep", "1.0.0", "BigGAN-deep: class-conditional bottleneck blocks, self-attention",
    .source = "Brock, Donahue, Simonyan 2019; huggingface/pytorch-pretrained-BigGAN 1e18aed2 (model.py)",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
