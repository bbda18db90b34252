/* wgan_gp.c — discriminator/wgan-gp: the residual critic of WGAN-GP (Gulrajani et al. 2017, GoodDiscriminator
 * of gan_64x64.py) under TensorFlow's and jalola's names. It has layer norm, as a gradient penalty is of each
 * image.
 *
 * image [N, channels, 16 * bottom, same] -> a 3x3 convolution, four halving residual blocks, a dense layer ->
 * score [N, 1]. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCKS 4

static const char *const layouts[] = {"jalola", "tf", NULL};
typedef enum layout { JALOLA, TF } layout;

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "jalola", 0, 0, layouts,
     "Key layout and layer norm: jalola's PyTorch port, or the official TensorFlow variables; found from the "
     "weights."},
    {"width", LW_PARAM_INT, "channels", "64", 1, 1024, NULL,
     "Channels of the first layer (gan_64x64.py: 64); found from the weights."},
    {"bottom", LW_PARAM_INT, "px", "4", 1, 64, NULL, "Side of the last map; found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
};

static layout layout_of(const lw_args *args)
{
    return strcmp(lw_text(args, "layout"), "tf") == 0 ? TF : JALOLA;
}

#define NAME 64
typedef enum role { INPUT, SHORTCUT, CONV1, CONV2, NORM1, NORM2, DENSE } role;

/* `block` counts from 1. */
static const char *layer_name(layout l, role r, int block, char name[NAME])
{
    static const char *const jalola[] = {"conv1.conv",
                                         "rb%d.conv_shortcut.conv.conv",
                                         "rb%d.conv_1.conv",
                                         "rb%d.conv_2.conv.conv",
                                         "rb%d.bn1",
                                         "rb%d.bn2",
                                         "ln1"};
    static const char *const tf[] = {"Discriminator.Input",       "Discriminator.Res%d.Shortcut",
                                     "Discriminator.Res%d.Conv1", "Discriminator.Res%d.Conv2",
                                     "Discriminator.Res%d.BN1",   "Discriminator.Res%d.BN2",
                                     "Discriminator.Output"};
    snprintf(name, NAME, l == TF ? tf[r] : jalola[r], block);
    return name;
}

static bool look_for(const lw_weights *weights, layout l, lw_shape *input, lw_shape *dense)
{
    char name[NAME];
    return lw_weights_shape(weights, input, "%s%s", layer_name(l, INPUT, 0, name),
                            l == TF ? ".Filters" : ".weight") &&
           lw_weights_shape(weights, dense, "%s%s", layer_name(l, DENSE, 0, name),
                            l == TF ? ".W" : ".weight") &&
           lw_weights_shape(weights, NULL, "%s%s", layer_name(l, NORM1, 1, name),
                            l == TF ? ".scale" : ".gamma") &&
           input->rank == 4 && dense->rank == 2;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape input, dense;
    layout l = look_for(weights, JALOLA, &input, &dense) ? JALOLA : TF;
    if (l == TF && !look_for(weights, TF, &input, &dense))
        return lw_fail(LW_UNSUPPORTED,
                       "no residual WGAN-GP critic: neither conv1, rb1.bn1.gamma and ln1 (jalola) nor "
                       "Discriminator.Input (TensorFlow)");
    int64_t width = input.dim[l == TF ? 3 : 0], inputs = dense.dim[l == TF ? 0 : 1];
    LW_TRY(lw_args_set_text(args, "layout", layouts[l]));
    LW_TRY(lw_args_set_int(args, "width", width));
    LW_TRY(lw_args_set_int(args, "bottom", llround(sqrt((double)inputs / (double)(8 * width)))));
    return lw_args_set_int(args, "channels", input.dim[l == TF ? 2 : 1]);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = lw_int(args, "bottom") << BLOCKS;
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* tflib's start: uniform of the deviation sqrt(2 / fan_in) where He's is asked for, else sqrt(1 / fan_in). */
static lw_init start(double fan_in, bool he)
{
    double bound = sqrt(3 * (he ? 2 : 1) / fan_in);
    return lw_init_uniform(-bound, bound);
}

/* x [N, in, s, s] -> [N, out, s, s] by a k x k convolution */
static lw_value convolve(lw_graph *g, layout l, lw_value x, int64_t out, int k, bool he, bool with_bias,
                         const char *name)
{
    int64_t in = lw_dim(g, x, 1);
    lw_init init = start((double)(in * k * k), he);
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

/* relu of x [N, C, s, s], normalised over each image: by sqrt(variance + 1e-5) in TF, by the unbiased
 * deviation + 1e-5 in jalola's port */
static lw_value normalize(lw_graph *g, layout l, lw_value x, const char *name)
{
    lw_shape channels = LW_SHAPE(lw_dim(g, x, 1)), wide = LW_SHAPE(1, channels.dim[0], 1, 1);
    unsigned axes = LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3);
    lw_value gain = lw_weight(g, channels, lw_init_constant(1), l == TF ? "%s.scale" : "%s.gamma", name);
    lw_value bias = lw_weight(g, channels, lw_init_constant(0), l == TF ? "%s.offset" : "%s.beta", name);
    lw_value variance = lw_variance(g, x, axes, true, l == JALOLA);
    lw_value deviation =
        l == TF ? lw_sqrt(g, lw_affine(g, variance, 1, 1e-5)) : lw_affine(g, lw_sqrt(g, variance), 1, 1e-5);
    x = lw_div(g, lw_sub(g, x, lw_mean(g, x, axes, true)), deviation);
    return lw_relu(g, lw_add(g, lw_mul(g, x, lw_reshape(g, gain, wide)), lw_reshape(g, bias, wide)));
}

/* x [N, in, s, s] -> [N, out, s/2, s/2] */
static lw_value residual_block(lw_graph *g, layout l, lw_value x, int block, int64_t out)
{
    char name[NAME];
    int64_t in = lw_dim(g, x, 1);
    lw_value shortcut =
        convolve(g, l, lw_avg_pool2d(g, x, 2), out, 1, false, true, layer_name(l, SHORTCUT, block, name));
    lw_value h = normalize(g, l, x, layer_name(l, NORM1, block, name));
    h = convolve(g, l, h, in, 3, true, false, layer_name(l, CONV1, block, name));
    h = normalize(g, l, h, layer_name(l, NORM2, block, name));
    h = lw_avg_pool2d(g, convolve(g, l, h, out, 3, true, true, layer_name(l, CONV2, block, name)), 2);
    return lw_tap(g, lw_add(g, shortcut, h), "rb%d", block);
}

/* image [N, channels, side, side] -> raw score [N, 1]; tap `features` is the last map, flattened. */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    layout l = layout_of(args);
    int64_t width = lw_int(args, "width");
    char name[NAME];
    lw_value h = convolve(g, l, image, width, 3, false, true, layer_name(l, INPUT, 0, name));
    for (int block = 1; block <= BLOCKS; block++)
        h = residual_block(g, l, h, block, width << (block < BLOCKS ? block : BLOCKS - 1));
    h = lw_tap(g, lw_flatten(g, h, 1), "features");
    int64_t in = lw_dim(g, h, 1);
    lw_init init = start((double)in, false);
    layer_name(l, DENSE, 0, name);
    lw_value weight = l == TF ? lw_transpose(g, lw_weight(g, LW_SHAPE(in, 1), init, "%s.W", name), 0, 1)
                              : lw_weight(g, LW_SHAPE(1, in), init, "%s.weight", name);
    return lw_linear(g, h, weight,
                     lw_weight(g, LW_SHAPE(1), lw_init_constant(0), l == TF ? "%s.b" : "%s.bias", name));
}

static const char *const provides[] = {"discriminator", NULL};
static const char *const prefixes[] = {"D.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(DISCRIMINATOR, "wgan-gp", "1.0.0", "WGAN-GP's residual critic with layer norm, two key layouts",
          .source = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017; improved_wgan_training fa66c574, "
                    "improved-wgan-pytorch 5bb0b729",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
