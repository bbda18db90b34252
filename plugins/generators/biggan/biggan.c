/* biggan.c — BigGAN's generator (Brock, Donahue, Simonyan 2019) as BigGAN-PyTorch builds it.
 *
 * z [N, z_dim] -> chunks z_0 … z_B (one, where z is not hierarchical); z_0 -> [N, C, 4, 4]; block j,
 * conditioned on (class embedding, z_{j+1}), doubles the side; then batch norm, ReLU, convolution, tanh. */
#include "biggan.h"
#include "layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resolutions[] = {"32", "64", "128", "256", "512", NULL};
static const char *const statistics[] = {"bn", "cross-replica", "mybn", NULL};

static const lw_param params[] = {
    {"resolution", LW_PARAM_CHOICE, "px", "128", .choices = resolutions,
     .doc = "Side of the images, which fixes the channels of every block; found from the weights."},
    {"ch", LW_PARAM_INT, "channels", "96", 1, 1024,
     .doc = "Width (G_ch; BigGAN-128: 96); found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "120", 1, 8192,
     .doc = "Size of the latent (dim_z; BigGAN-128: 120); found from the weights. With `hier` cut to a "
            "multiple of the number of blocks and one."},
    {"classes", LW_PARAM_INT, NULL, "1000", 1, 100000, .doc = "Number of classes; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999,
     .doc = "The class of every image, where no labels are given."},
    {"hier", LW_PARAM_BOOL, NULL, "true",
     .doc = "z is cut into chunks, one for the first layer and one for each block (found from the weights)."},
    {"shared", LW_PARAM_BOOL, NULL, "true",
     .doc = "One embedding of the classes for all blocks (G_shared), or tables of gains and biases in each; "
            "found from the weights."},
    {"shared_dim", LW_PARAM_INT, NULL, "128", 1, 8192,
     .doc = "Size of the shared embedding; found from the weights."},
    {"attention", LW_PARAM_INTS, "px", "[64]", 8, 512,
     .doc = "Sizes of feature maps after which self-attention stands (G_attn); found from the weights."},
    {"spectral_norm", LW_PARAM_BOOL, NULL, "true",
     .doc = "Weights are divided by one power step's estimate of their norm (G_param SN); found from the "
            "weights."},
    {"statistics", LW_PARAM_CHOICE, NULL, "bn", .choices = statistics,
     .doc = "Whose keys batch norm has: BigGAN-PyTorch's bn, SyncBN2d (cross_replica) or myBN (mybn); found "
            "from the weights."},
    {"bn_eps", LW_PARAM_FLOAT, NULL, "1e-5", 1e-12, 1,
     .doc =
         "BN_eps of the blocks' batch norms (the script's default: 1e-5); taken from constructor arguments."},
};

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = atoi(lw_text(args, "resolution"));
    lw_dims_set(dims, "z_dim", biggan_z_dim(args));
    lw_dims_set(dims, "classes", lw_int(args, "classes"));
    lw_dims_set(dims, "channels", 3);
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* --- batch norm ----------------------------------------------------------------------------- */

typedef struct norm {
    lw_value mean, variance; /* [1, C] */
} norm;

/* The running statistics under NAME, in the keys of the batch norm the network was trained with. */
static norm running(lw_graph *g, const lw_args *args, int64_t channels, const char *name)
{
    const char *kind = lw_text(args, "statistics");
    bool sync = strcmp(kind, "cross-replica") == 0, mine = strcmp(kind, "mybn") == 0;
    const char *prefix = sync || mine ? "bn." : "", *verb = sync ? "running" : "stored";
    lw_value mean = lw_buffer(g, LW_SHAPE(channels), lw_init_constant(0), "%s.%s%s_mean", name, prefix, verb);
    lw_value variance =
        lw_buffer(g, LW_SHAPE(channels), lw_init_constant(1), "%s.%s%s_var", name, prefix, verb);
    if (mine) { /* standing statistics are sums: the counter says of how many batches; 0 where there are none
                 */
        lw_value counter = lw_buffer(g, LW_SHAPE(1), lw_init_constant(0), "%s.bn.accumulation_counter", name);
        counter = lw_maximum(g, counter, lw_scalar(g, 1));
        mean = lw_div(g, mean, counter);
        variance = lw_div(g, variance, counter);
    }
    return (norm){lw_reshape(g, mean, LW_SHAPE(1, channels)), lw_reshape(g, variance, LW_SHAPE(1, channels))};
}

/* x [N, C, H, W] -> (x - mean) / sqrt(variance + eps) * gain + bias; gain and bias [1, C]. Folds into a
 * convolution. */
static lw_value normalize(lw_graph *g, lw_value x, norm n, double eps, lw_value gain, lw_value bias)
{
    lw_value scale = lw_mul(g, lw_rsqrt(g, lw_affine(g, n.variance, 1, eps)), gain);
    lw_value shift = lw_sub(g, bias, lw_mul(g, n.mean, scale));
    return lw_add(g, lw_mul(g, x, lw_unflatten(g, scale, 1, 1)), lw_unflatten(g, shift, 1, 1));
}

/* y [N, condition] -> [N, C]: a linear layer, or without a shared embedding the rows of a table. */
static lw_value per_class(lw_graph *g, const lw_args *args, lw_value y, int64_t channels, const char *name)
{
    if (lw_bool(args, "shared"))
        return lw_linear(
            g, y,
            biggan_weight(g, lw_bool(args, "spectral_norm"), LW_SHAPE(channels, lw_dim(g, y, 1)), name, NULL),
            (lw_value){0});
    lw_shape shape = LW_SHAPE(lw_int(args, "classes"), channels);
    return lw_matmul(g, y, lw_weight(g, shape, lw_init_normal(0, 0.02), "%s.weight", name));
}

/* layers.py, ccbn: x [N, C, H, W], y [N, condition]; gains and biases go to the entries of the latent */
static lw_value conditional_norm(lw_graph *g, const lw_args *args, lw_value x, lw_value y, const char *name,
                                 lw_value *entries)
{
    char full[64];
    int64_t channels = lw_dim(g, x, 1);
    norm n = running(g, args, channels, name);
    snprintf(full, sizeof full, "%s.gain", name);
    lw_value gain = lw_affine(g, per_class(g, args, y, channels, full), 1, 1);
    snprintf(full, sizeof full, "%s.bias", name);
    lw_value bias = per_class(g, args, y, channels, full);
    *entries = biggan_gather(g, biggan_gather(g, *entries, gain), bias);
    x = normalize(g, x, n, lw_float(args, "bn_eps"), lw_scalar(g, 1), lw_scalar(g, 0));
    return lw_add(g, lw_mul(g, x, lw_unflatten(g, gain, 1, 1)), lw_unflatten(g, bias, 1, 1));
}

/* layers.py, bn: always with eps 1e-5 */
static lw_value output_norm(lw_graph *g, const lw_args *args, lw_value x)
{
    int64_t channels = lw_dim(g, x, 1);
    norm n = running(g, args, channels, "output_layer.0");
    lw_value gain = lw_weight(g, LW_SHAPE(channels), lw_init_constant(1), "output_layer.0.gain");
    lw_value bias = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "output_layer.0.bias");
    return normalize(g, x, n, 1e-5, lw_reshape(g, gain, LW_SHAPE(1, channels)),
                     lw_reshape(g, bias, LW_SHAPE(1, channels)));
}

/* --- the network ---------------------------------------------------------------------------- */

/* layers.py, GBlock: x [N, C, H, W], y [N, condition] -> [N, channels, 2H, 2W] */
static lw_value block(lw_graph *g, const lw_args *args, lw_value x, lw_value y, int64_t channels, int j,
                      lw_value *entries)
{
    bool spectral = lw_bool(args, "spectral_norm");
    char bn1[64], bn2[64], conv1[64], conv2[64], skip[64], tap1[32], tap2[32];
    snprintf(bn1, sizeof bn1, "blocks.%d.0.bn1", j);
    snprintf(bn2, sizeof bn2, "blocks.%d.0.bn2", j);
    snprintf(conv1, sizeof conv1, "blocks.%d.0.conv1", j);
    snprintf(conv2, sizeof conv2, "blocks.%d.0.conv2", j);
    snprintf(skip, sizeof skip, "blocks.%d.0.conv_sc", j);
    snprintf(tap1, sizeof tap1, "block%d_conv1", j);
    snprintf(tap2, sizeof tap2, "block%d_conv2", j);
    lw_value h = lw_relu(g, conditional_norm(g, args, x, y, bn1, entries));
    h = biggan_conv(g, spectral, lw_upsample_nearest2d(g, h, 2), channels, 3, conv1, tap1);
    h = lw_relu(g, conditional_norm(g, args, h, y, bn2, entries));
    h = biggan_conv(g, spectral, h, channels, 3, conv2, tap2);
    x = biggan_conv(g, spectral, x, channels, 1, skip, NULL); /* 1x1, so as well before the doubling */
    return lw_add(g, h, lw_upsample_nearest2d(g, x, 2));
}

static bool has_attention(const lw_args *args, int side)
{
    for (int i = 0; i < lw_list_count(args, "attention"); i++)
        if (lw_list_int(args, "attention", i) == side)
            return true;
    return false;
}

/* [N, classes] -> [N, shared_dim]; the labels themselves where there is no shared embedding. */
static lw_value embed(lw_graph *g, const lw_args *args, lw_value labels)
{
    if (!lw_bool(args, "shared"))
        return labels;
    lw_shape shape = LW_SHAPE(lw_int(args, "classes"), lw_int(args, "shared_dim"));
    return lw_tap(g, lw_matmul(g, labels, lw_weight(g, shape, lw_init_normal(0, 1), "shared.weight")),
                  "y_embed");
}

/* z [N, z_dim] -> image [N, 3, side, side] in [-1, 1] */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    const biggan_arch *arch = biggan_arch_of(args);
    bool hier = lw_bool(args, "hier"), spectral = lw_bool(args, "spectral_norm");
    int64_t ch = lw_int(args, "ch"), chunk = biggan_chunk(args), first = arch->in[0] * ch;
    if (hier && !lw_bool(args, "shared"))
        return lw_graph_fail(g, LW_INVALID,
                             "`hier: true` needs `shared: true`: each chunk of z stands beside the classes' "
                             "shared embedding");
    if (chunk == 0)
        return lw_graph_fail(g, LW_INVALID,
                             "z_dim: %lld numbers cannot be cut into %d chunks; give at least as many",
                             (long long)lw_int(args, "z_dim"), arch->blocks + 1);
    lw_value y = embed(g, args, biggan_labels(g, args, lw_dim(g, z, 0)));
    lw_value weight = biggan_weight(g, spectral, LW_SHAPE(first * 16, chunk), "linear", NULL);
    lw_value bias = lw_weight(g, LW_SHAPE(first * 16), lw_init_constant(0), "linear.bias");
    lw_value entries = lw_linear(g, lw_slice(g, z, 1, 0, chunk, 1), weight, bias);
    lw_value h = lw_tap(g, lw_unflatten(g, entries, 4, 4), "linear");
    for (int j = 0; j < arch->blocks; j++) {
        lw_value condition = y;
        if (hier) /* the class first, then the block's chunk */
            condition = lw_concat(g, (lw_value[]){y, lw_slice(g, z, 1, (j + 1) * chunk, chunk, 1)}, 2, 1);
        h = lw_tap(g, block(g, args, h, condition, arch->out[j] * ch, j, &entries), "block%d", j);
        if (has_attention(args, 8 << j)) {
            char name[32];
            snprintf(name, sizeof name, "blocks.%d.1", j);
            h = lw_tap(g, biggan_attend_at(g, spectral, h, name), "attn%d", j);
        }
    }
    lw_tap(g, entries, "affine0");
    h = lw_tap(g, lw_relu(g, output_norm(g, args, h)), "output");
    return lw_tanh(g, biggan_conv(g, spectral, h, 3, 3, "output_layer.2", NULL));
}

static const char *const provides[] = {"synthesize", "truncated-z", "affine", NULL};
static const char *const prefixes[] = {"G_ema.", "G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), biggan_detect, dims, NULL, synthesize, NULL};

LW_PLUGIN(GENERATOR, "biggan", "1.0.0",
          "BigGAN: class-conditional residual blocks, hierarchical z, self-attention",
          .source = "Brock, Donahue, Simonyan 2019; ajbrock/BigGAN-PyTorch 98459431 (BigGAN.py, layers.py)",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
