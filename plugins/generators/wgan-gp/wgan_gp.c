/* wgan_gp.c — generator/wgan-gp: the residual generator of WGAN-GP (Gulrajani et al. 2017, GoodGenerator of
 * gan_64x64.py) under TensorFlow's and jalola's names, and the transposed convolutions of caogang's CIFAR
 * network.
 *
 * z [N, z_dim] -> dense to bottom x bottom, then doublings, then tanh: image [N, channels, bottom <<
 * doublings, same]. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RESIDUAL_BLOCKS 4

static const char *const layouts[] = {"jalola", "tf", "cifar", NULL};
static const char *const statistics[] = {"running", "batch", NULL};
typedef enum layout { JALOLA, TF, CIFAR } layout;

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "jalola", 0, 0, layouts,
     "Key layout: jalola's PyTorch port, the official TensorFlow variables, or caogang's CIFAR network; "
     "found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "128", 1, 4096, NULL,
     "Size of the latent (gan_64x64.py: 128); found from the weights."},
    {"width", LW_PARAM_INT, "channels", "64", 1, 1024, NULL,
     "Channels of the last block (gan_64x64.py: 64, cifar: 128); found from the weights."},
    {"bottom", LW_PARAM_INT, "px", "4", 1, 64, NULL, "Side of the first map; found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"statistics", LW_PARAM_CHOICE, NULL, "running", 0, 0, statistics,
     "Batch norm outside training: running averages, or each batch's own as the official code samples "
     "(layout tf has no other)."},
};

static layout layout_of(const lw_args *args)
{
    const char *name = lw_text(args, "layout");
    return strcmp(name, "tf") == 0 ? TF : strcmp(name, "cifar") == 0 ? CIFAR : JALOLA;
}

/* --- names -------------------------------------------------------------------------------------- */

#define NAME 64
typedef enum role { DENSE, SHORTCUT, CONV1, CONV2, NORM1, NORM2, LAST_NORM, LAST_CONV } role;

/* `block` counts from 1. */
static const char *layer_name(layout l, role r, int block, char name[NAME])
{
    static const char *const jalola[] = {"ln1",
                                         "rb%d.conv_shortcut.conv.conv",
                                         "rb%d.conv_1.conv.conv",
                                         "rb%d.conv_2.conv",
                                         "rb%d.bn1",
                                         "rb%d.bn2",
                                         "bn",
                                         "conv1.conv"};
    static const char *const tf[] = {
        "Generator.Input",     "Generator.Res%d.Shortcut", "Generator.Res%d.Conv1", "Generator.Res%d.Conv2",
        "Generator.Res%d.BN1", "Generator.Res%d.BN2",      "Generator.OutputN",     "Generator.Output"};
    snprintf(name, NAME, l == TF ? tf[r] : jalola[r], block);
    return name;
}

/* --- what the weights tell ------------------------------------------------------------------------ */

typedef struct found {
    int64_t z_dim, width, bottom, channels;
} found;

static bool look_for_residual(const lw_weights *weights, layout l, found *f)
{
    char name[NAME];
    lw_shape dense, norm, last;
    const char *kernel = l != TF ? ".weight" : ".Filters";
    if (!lw_weights_shape(weights, &dense, "%s%s", layer_name(l, DENSE, 0, name),
                          l == TF ? ".W" : ".weight") ||
        !lw_weights_shape(weights, &last, "%s%s", layer_name(l, LAST_CONV, 0, name), kernel) ||
        last.rank != 4 || dense.rank != 2 ||
        !lw_weights_shape(weights, &norm, "%s%s", layer_name(l, LAST_NORM, 0, name),
                          l == TF ? ".scale" : ".weight"))
        return false;
    int64_t outputs = dense.dim[l == TF];
    *f = (found){dense.dim[l != TF], norm.dim[0], llround(sqrt((double)outputs / (double)(8 * norm.dim[0]))),
                 last.dim[l == TF ? 3 : 0]};
    return true;
}

static bool look_for_cifar(const lw_weights *weights, found *f)
{
    lw_shape dense, last;
    if (!lw_weights_shape(weights, &dense, "preprocess.0.weight") ||
        !lw_weights_shape(weights, &last, "deconv_out.weight") || dense.rank != 2 || last.rank != 4)
        return false;
    *f = (found){dense.dim[1], last.dim[0], llround(sqrt((double)dense.dim[0] / (double)(4 * last.dim[0]))),
                 last.dim[1]};
    return true;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    found f;
    layout l = look_for_residual(weights, JALOLA, &f) ? JALOLA
               : look_for_residual(weights, TF, &f)   ? TF
                                                      : CIFAR;
    if (l == CIFAR && !look_for_cifar(weights, &f))
        return lw_fail(
            LW_UNSUPPORTED,
            "no WGAN-GP generator: neither ln1 and conv1 (jalola), Generator.Input (TensorFlow) nor "
            "preprocess and deconv_out (caogang); pytorch_GAN_zoo's is generator/dcgan with output: none");
    LW_TRY(lw_args_set_text(args, "layout", layouts[l]));
    if (l == TF)
        LW_TRY(lw_args_set_text(args, "statistics", "batch"));
    LW_TRY(lw_args_set_int(args, "z_dim", f.z_dim));
    LW_TRY(lw_args_set_int(args, "width", f.width));
    LW_TRY(lw_args_set_int(args, "bottom", f.bottom));
    return lw_args_set_int(args, "channels", f.channels);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = lw_int(args, "bottom") << (layout_of(args) == CIFAR ? 3 : RESIDUAL_BLOCKS);
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* --- layers --------------------------------------------------------------------------------------- */

/* tflib's start: uniform of the deviation sqrt(2 / fan_in) where He's is asked for, else sqrt(1 / fan_in). */
static lw_init start(double fan_in, bool he)
{
    double bound = sqrt(3 * (he ? 2 : 1) / fan_in);
    return lw_init_uniform(-bound, bound);
}

/* x [N, C, ..] -> the same, by the batch's mean and biased variance, eps 1e-5 */
static lw_value by_batch(lw_graph *g, lw_value x, lw_value gain, lw_value bias)
{
    lw_shape wide = {.rank = lw_shape_of(g, x).rank, .dim = {1, lw_dim(g, x, 1), 1, 1}};
    unsigned axes = wide.rank == 2 ? LW_AXIS(0) : LW_AXIS(0) | LW_AXIS(2) | LW_AXIS(3);
    if (wide.rank == 2)
        wide = LW_SHAPE(1, lw_dim(g, x, 1));
    lw_value centred = lw_sub(g, x, lw_mean(g, x, axes, true));
    lw_value scale = lw_rsqrt(g, lw_affine(g, lw_variance(g, x, axes, true, false), 1, 1e-5));
    return lw_add(g, lw_mul(g, lw_mul(g, centred, scale), lw_reshape(g, gain, wide)),
                  lw_reshape(g, bias, wide));
}

/* x [N, C, ..] -> relu of the same, normalised */
static lw_value normalize(lw_graph *g, const lw_args *args, lw_value x, const char *name)
{
    bool tf = layout_of(args) == TF;
    lw_shape channels = LW_SHAPE(lw_dim(g, x, 1));
    if (!tf && (lw_is_training(g) || strcmp(lw_text(args, "statistics"), "running") == 0))
        return lw_relu(g, lw_batch_norm(g, x, "%s", name));
    lw_value gain = lw_weight(g, channels, lw_init_constant(1), tf ? "%s.scale" : "%s.weight", name);
    lw_value bias = lw_weight(g, channels, lw_init_constant(0), tf ? "%s.offset" : "%s.bias", name);
    /* Averages that are not looked at, but lie in the file. */
    const char *const averages[] = {tf ? "moving_mean" : "running_mean",
                                    tf ? "moving_variance" : "running_var"};
    for (int i = 0; i < 2; i++)
        if (lw_has_weight(g, "%s.%s", name, averages[i]))
            lw_buffer(g, channels, lw_init_constant(i), "%s.%s", name, averages[i]);
    return lw_relu(g, by_batch(g, x, gain, bias));
}

/* x [N, in] -> [N, out] */
static lw_value dense(lw_graph *g, layout l, lw_value x, int64_t out, const char *name)
{
    int64_t in = lw_dim(g, x, 1);
    lw_init init = start((double)in, false);
    lw_value weight = l == TF ? lw_transpose(g, lw_weight(g, LW_SHAPE(in, out), init, "%s.W", name), 0, 1)
                              : lw_weight(g, LW_SHAPE(out, in), init, "%s.weight", name);
    lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), l == TF ? "%s.b" : "%s.bias", name);
    return lw_tap(g, lw_linear(g, x, weight, bias), "affine0");
}

/* x [N, in, s, s] -> [N, out, s, s] by a k x k convolution */
static lw_value convolve(lw_graph *g, layout l, lw_value x, int64_t out, int k, bool with_bias,
                         const char *name)
{
    int64_t in = lw_dim(g, x, 1);
    lw_init init = start((double)(in * k * k), k > 1);
    lw_value bias = {0}, weight;
    if (l == TF)
        weight = lw_permute(g, lw_weight(g, LW_SHAPE(k, k, in, out), init, "%s.Filters", name),
                            (const int[]){3, 2, 0, 1});
    else
        weight = lw_weight(g, LW_SHAPE(out, in, k, k), init, "%s.weight", name);
    if (with_bias)
        bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), l == TF ? "%s.Biases" : "%s.bias", name);
    return lw_conv2d(g, x, weight, .padding = k / 2, .bias = bias);
}

/* --- networks ------------------------------------------------------------------------------------- */

/* x [N, in, s, s] -> [N, out, 2s, 2s]; concatenation and depth_to_space of the official code are nearest. */
static lw_value residual_block(lw_graph *g, const lw_args *args, lw_value x, int block, int64_t out)
{
    layout l = layout_of(args);
    char name[NAME];
    lw_value shortcut =
        convolve(g, l, lw_upsample_nearest2d(g, x, 2), out, 1, true, layer_name(l, SHORTCUT, block, name));
    lw_value h = lw_upsample_nearest2d(g, normalize(g, args, x, layer_name(l, NORM1, block, name)), 2);
    h = convolve(g, l, h, out, 3, false, layer_name(l, CONV1, block, name));
    h = normalize(g, args, h, layer_name(l, NORM2, block, name));
    h = convolve(g, l, h, out, 3, true, layer_name(l, CONV2, block, name));
    return lw_tap(g, lw_add(g, shortcut, h), "rb%d", block);
}

/* z [N, z_dim] -> image [N, channels, 16 * bottom, same] */
static lw_value residual(lw_graph *g, const lw_args *args, lw_value z)
{
    layout l = layout_of(args);
    int64_t width = lw_int(args, "width"), bottom = lw_int(args, "bottom");
    char name[NAME];
    lw_value h = dense(g, l, z, 8 * width * bottom * bottom, layer_name(l, DENSE, 0, name));
    h = lw_tap(g, lw_unflatten(g, h, bottom, bottom), "dense");
    for (int block = 1; block <= RESIDUAL_BLOCKS; block++)
        h = residual_block(g, args, h, block, block == 1 ? 8 * width : width << (RESIDUAL_BLOCKS - block));
    h = normalize(g, args, h, layer_name(l, LAST_NORM, 0, name));
    return convolve(g, l, h, lw_int(args, "channels"), 3, true, layer_name(l, LAST_CONV, 0, name));
}

/* x [N, in, s, s] -> [N, out, 2s, 2s] */
static lw_value stretch(lw_graph *g, lw_value x, int64_t out, const char *name)
{
    int64_t in = lw_dim(g, x, 1);
    lw_value weight = lw_weight(g, LW_SHAPE(in, out, 2, 2), start((double)in * 4, false), "%s.weight", name);
    lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s.bias", name);
    return lw_conv_transpose2d(g, x, weight, .stride = 2, .bias = bias);
}

/* z [N, z_dim] -> image [N, channels, 8 * bottom, same]. The first batch norm is of every number on its own,
 * before they become maps. */
static lw_value cifar(lw_graph *g, const lw_args *args, lw_value z)
{
    int64_t width = lw_int(args, "width"), bottom = lw_int(args, "bottom");
    lw_value h = dense(g, CIFAR, z, 4 * width * bottom * bottom, "preprocess.0");
    h = lw_tap(g, lw_unflatten(g, normalize(g, args, h, "preprocess.1"), bottom, bottom), "dense");
    h = lw_tap(g, normalize(g, args, stretch(g, h, 2 * width, "block1.0"), "block1.1"), "block1");
    h = lw_tap(g, normalize(g, args, stretch(g, h, width, "block2.0"), "block2.1"), "block2");
    return stretch(g, h, lw_int(args, "channels"), "deconv_out");
}

static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    return lw_tanh(g, layout_of(args) == CIFAR ? cifar(g, args, z) : residual(g, args, z));
}

static const char *const provides[] = {"synthesize", "affine", NULL};
static const char *const prefixes[] = {"G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, dims, NULL, synthesize};

LW_PLUGIN(GENERATOR, "wgan-gp", "1.0.0", "WGAN-GP: residual blocks with batch norm, three key layouts",
          .source = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017; improved_wgan_training fa66c574, "
                    "improved-wgan-pytorch 5bb0b729, wgan-gp ae47a185",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
