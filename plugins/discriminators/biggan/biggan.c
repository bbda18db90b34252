/* biggan.c — BigGAN's projection discriminator (Brock et al. 2019; Miyato, Koyama 2018) as BigGAN-PyTorch
 * builds it.
 *
 * image [N, 3, side, side] -> residual blocks that halve it, self-attention; features h = sum of pixels of
 * ReLU; score = linear(h) + embedding(class) . h. Every weight is spectrally normalised. */
#include "layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BigGAN.py, D_arch: channels after block j in multiples of `ch`, and how many of the blocks halve the
 * side. */
typedef struct arch {
    const char *resolution;
    int blocks, halving, out[7];
} arch;

static const arch archs[] = {
    {"32", 4, 2, {4, 4, 4, 4}},
    {"64", 5, 4, {1, 2, 4, 8, 16}},
    {"128", 6, 5, {1, 2, 4, 8, 16, 16}},
    {"256", 7, 6, {1, 2, 4, 8, 8, 16, 16}},
};

static const char *const resolutions[] = {"32", "64", "128", "256", NULL};

static const lw_param params[] = {
    {"resolution", LW_PARAM_CHOICE, "px", "128", .choices = resolutions,
     .doc = "Side of the images, which fixes the channels of every block; found from the weights."},
    {"ch", LW_PARAM_INT, "channels", "96", 1, 1024,
     .doc = "Width (D_ch; BigGAN-128: 96); found from the weights."},
    {"wide", LW_PARAM_BOOL, NULL, "true",
     .doc = "A block's first convolution already has the block's output channels (D_wide); found from the "
            "weights."},
    {"classes", LW_PARAM_INT, NULL, "1000", 1, 100000, .doc = "Number of classes; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999,
     .doc = "The class of every image, where no labels are given."},
    {"attention", LW_PARAM_INTS, "block", "[0]", 0, 6,
     .doc = "Blocks after which self-attention stands (BigGAN-128, D_attn 64: the first); found from the "
            "weights."},
    {"spectral_norm", LW_PARAM_BOOL, NULL, "true",
     .doc = "Weights are divided by one power step's estimate of their norm (D_param SN); found from the "
            "weights."},
};

static const arch *arch_of(const lw_args *args)
{
    const arch *a = archs;
    while (strcmp(a->resolution, lw_text(args, "resolution")) != 0)
        a++;
    return a;
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = atoi(lw_text(args, "resolution"));
    lw_dims_set(dims, "classes", lw_int(args, "classes"));
    lw_dims_set(dims, "channels", 3);
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* --- finding -------------------------------------------------------------------------------- */

static lw_status set_attention(const lw_weights *weights, lw_args *args, int blocks)
{
    int64_t found[9];
    int count = 0;
    for (int j = 0; j < blocks; j++)
        if (lw_weights_shape(weights, NULL, "blocks.%d.1.gamma", j))
            found[count++] = j;
    return lw_args_set_ints(args, "attention", found, count);
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape linear, embed, conv;
    int blocks = 0;
    while (blocks < 9 && lw_weights_shape(weights, NULL, "blocks.%d.0.conv2.weight", blocks))
        blocks++;
    if (blocks < 4 || blocks > 7 || !lw_weights_shape(weights, &linear, "linear.weight") ||
        linear.rank != 2 || linear.dim[0] != 1 || !lw_weights_shape(weights, &embed, "embed.weight") ||
        embed.rank != 2 || !lw_weights_shape(weights, &conv, "blocks.1.0.conv1.weight") || conv.rank != 4)
        return lw_fail(LW_UNSUPPORTED,
                       "no BigGAN discriminator: no linear.weight [1, C], embed.weight and four to seven "
                       "blocks.N.0.conv2.weight (BigGAN-PyTorch)");
    const arch *a = &archs[blocks - 4];
    LW_TRY(lw_args_set_text(args, "resolution", a->resolution));
    LW_TRY(lw_args_set_int(args, "ch", linear.dim[1] / a->out[blocks - 1]));
    LW_TRY(lw_args_set_int(args, "classes", embed.dim[0]));
    bool growing = a->out[1] != a->out[0]; /* only then do a block's widths differ after the first */
    bool narrow = growing ? conv.dim[0] == conv.dim[1]
                          : lw_weights_shape(weights, &conv, "blocks.0.0.conv1.weight") && conv.dim[0] == 3;
    LW_TRY(lw_args_set_bool(args, "wide", !narrow));
    LW_TRY(lw_args_set_bool(args, "spectral_norm", lw_weights_shape(weights, NULL, "linear.u0")));
    return set_attention(weights, args, blocks);
}

/* --- the network ---------------------------------------------------------------------------- */

/* layers.py, DBlock: x [N, C, H, W] -> [N, channels, H or H/2, ..]. The first block takes the image as it is;
 * its shortcut halves before its 1x1 convolution, the others' after. (The two commute; the first order is
 * cheaper.) */
static lw_value block(lw_graph *g, const lw_args *args, lw_value x, int64_t channels, bool halve, int j)
{
    bool spectral = lw_bool(args, "spectral_norm");
    int64_t in = lw_dim(g, x, 1), hidden = lw_bool(args, "wide") ? channels : in;
    char conv1[64], conv2[64], skip[64];
    snprintf(conv1, sizeof conv1, "blocks.%d.0.conv1", j);
    snprintf(conv2, sizeof conv2, "blocks.%d.0.conv2", j);
    snprintf(skip, sizeof skip, "blocks.%d.0.conv_sc", j);
    lw_value h = biggan_conv(g, spectral, j ? lw_relu(g, x) : x, hidden, 3, conv1, NULL);
    h = biggan_conv(g, spectral, lw_relu(g, h), channels, 3, conv2, NULL);
    if (halve) {
        h = lw_avg_pool2d(g, h, 2);
        x = lw_avg_pool2d(g, x, 2);
    }
    if (halve || in != channels)
        x = biggan_conv(g, spectral, x, channels, 1, skip, NULL);
    return lw_add(g, h, x);
}

static bool has_attention(const lw_args *args, int j)
{
    for (int i = 0; i < lw_list_count(args, "attention"); i++)
        if (lw_list_int(args, "attention", i) == j)
            return true;
    return false;
}

/* image [N, 3, side, side] -> raw score [N, 1] */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    const arch *a = arch_of(args);
    bool spectral = lw_bool(args, "spectral_norm");
    lw_value h = image;
    for (int j = 0; j < a->blocks; j++) {
        h = lw_tap(g, block(g, args, h, a->out[j] * lw_int(args, "ch"), j < a->halving, j), "block%d", j);
        if (has_attention(args, j)) {
            char name[32];
            snprintf(name, sizeof name, "blocks.%d.1", j);
            h = lw_tap(g, biggan_attend_at(g, spectral, h, name), "attn%d", j);
        }
    }
    h = lw_tap(g, lw_sum(g, lw_relu(g, h), LW_AXIS(2) | LW_AXIS(3), false), "features"); /* [N, C] */
    int64_t channels = lw_dim(g, h, 1), classes = lw_int(args, "classes");
    lw_value weight = biggan_weight(g, spectral, LW_SHAPE(1, channels), "linear", NULL);
    lw_value bias = lw_weight(g, LW_SHAPE(1), lw_init_constant(0), "linear.bias");
    lw_value table = biggan_weight(g, spectral, LW_SHAPE(classes, channels), "embed", NULL);
    lw_value embedding = lw_matmul(g, biggan_labels(g, args, lw_dim(g, h, 0)), table); /* [N, C] */
    lw_value fit = lw_sum(g, lw_mul(g, embedding, h), LW_AXIS(1), true);
    return lw_add(g, lw_linear(g, h, weight, bias), fit);
}

static const char *const provides[] = {"discriminator", NULL};
static const char *const prefixes[] = {"D.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(DISCRIMINATOR, "biggan", "1.0.0",
          "BigGAN's projection discriminator: residual blocks, self-attention",
          .source = "Brock, Donahue, Simonyan 2019; ajbrock/BigGAN-PyTorch 98459431 (BigGAN.py, layers.py)",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
