/* dcgan.c — the DCGAN discriminator (Radford et al. 2016) in the three key layouts of the generator.
 *
 * image [N, channels, 2^(depth+3), same] -> `depth` + 1 halvings with leaky ReLU (batch norm, or none, on all
 * but the first), then one 4x4 convolution to a raw score [N, 1]. README.md says whose keys are which. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <string.h>

static const char *const layouts[] = {"zoo", "lategan", "examples", NULL};
static const char *const norms[] = {"batch", "none", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "zoo", 0, 0, layouts,
     "Key layout: pytorch_GAN_zoo, lateGAN's notebooks (first and last layer with bias), or "
     "pytorch/examples; found from the weights."},
    {"width", LW_PARAM_INT, "channels", "64", 1, 1024, NULL,
     "Channels of the first layer (all three repositories: 64); found from the weights."},
    {"depth", LW_PARAM_INT, "blocks", "3", 1, 6, NULL,
     "Halvings after the first; 3 takes 64x64; found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"norm", LW_PARAM_CHOICE, NULL, "batch", 0, 0, norms,
     "What follows all halvings but the first. A gradient penalty, which is of each image by itself, needs "
     "`none` (Gulrajani et al. 2017, section 4), in layout zoo only; found from the weights."},
};

/* Name of layer i's convolution or batch norm; 0 … depth are halvings, depth + 1 is the decision. */
static const char *layer_name(const char *layout, int depth, int i, bool norm, char *name, size_t size)
{
    bool out = i > depth;
    if (strcmp(layout, "lategan") == 0)
        snprintf(name, size, i == 0 || out ? "disc.%d" : norm ? "disc.%d.1" : "disc.%d.0", i ? i + 1 : 0);
    else if (strcmp(layout, "examples") == 0)
        snprintf(name, size, "main.%d", i == 0 ? 0 : norm ? 3 * i : 3 * i - 1);
    else if (out)
        snprintf(name, size, "decisionLayer");
    else
        snprintf(name, size, norm ? "main.batchNorm%d" : "main.convTranspose%d", depth - i);
    return name;
}

/* The number of batch norms in the weights, one per halving after the first, or of convolutions. */
static int count_layers(const lw_weights *weights, const char *layout, bool norm)
{
    char name[64];
    lw_shape shape;
    int count = 0;
    /* The zoo counts down to 0: its first batch norm is that of the last of `depth` + 1 halvings. */
    bool zoo = strcmp(layout, "zoo") == 0;
    for (; count < 7; count++) {
        layer_name(layout, zoo ? count + 1 : 99, zoo ? 1 : count + 1, norm, name, sizeof name);
        if (!lw_weights_shape(weights, &shape, "%s.weight", name))
            break;
    }
    return count;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    for (int i = 0; layouts[i]; i++) {
        char name[64];
        lw_shape first, last;
        int depth = count_layers(weights, layouts[i], true);
        bool plain = depth == 0 && strcmp(layouts[i], "zoo") == 0;
        if (plain)
            depth = count_layers(weights, layouts[i], false) - 1;
        if (depth < 1 || depth > 6 ||
            !lw_weights_shape(weights, &first, "%s.weight",
                              layer_name(layouts[i], depth, 0, false, name, sizeof name)) ||
            !lw_weights_shape(weights, &last, "%s.weight",
                              layer_name(layouts[i], depth, depth + 1, false, name, sizeof name)) ||
            first.rank != 4 || last.rank != 4 || last.dim[0] != 1)
            continue;
        LW_TRY(lw_args_set_text(args, "layout", layouts[i]));
        LW_TRY(lw_args_set_text(args, "norm", plain ? "none" : "batch"));
        LW_TRY(lw_args_set_int(args, "depth", depth));
        LW_TRY(lw_args_set_int(args, "width", first.dim[0]));
        return lw_args_set_int(args, "channels", first.dim[1]);
    }
    return lw_fail(LW_UNSUPPORTED,
                   "no DCGAN discriminator: neither decisionLayer.weight (pytorch_GAN_zoo), disc.0.weight "
                   "(lateGAN) nor main.0.weight (pytorch/examples) with its halvings");
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)8 << lw_int(args, "depth");
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* A convolution named by `name`: h [N, C, H, W] -> [N, out, H', W']. */
static lw_value convolve(lw_graph *g, lw_value h, int64_t out, const char *name, int stride, int padding,
                         bool with_bias)
{
    lw_value weight =
        lw_weight(g, LW_SHAPE(out, lw_dim(g, h, 1), 4, 4), lw_init_normal(0, 0.02), "%s.weight", name);
    lw_value bias = {0};
    if (with_bias)
        bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s.bias", name);
    return lw_conv2d(g, h, weight, .stride = stride, .padding = padding, .bias = bias);
}

/* image [N, channels, side, side] -> raw score [N, 1]; tap `features` is the last map, [N, C * 16]. */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    const char *layout = lw_text(args, "layout");
    bool with_bias = strcmp(layout, "lategan") == 0, norm = strcmp(lw_text(args, "norm"), "batch") == 0;
    if (!norm && strcmp(layout, "zoo") != 0)
        return lw_graph_fail(g, LW_UNSUPPORTED, "norm: `none` is for layout zoo, not %s", layout);
    int depth = (int)lw_int(args, "depth");
    char name[64];
    lw_value h = image;
    for (int i = 0; i <= depth; i++) {
        int64_t out = lw_int(args, "width") << i;
        layer_name(layout, depth, i, false, name, sizeof name);
        h = convolve(g, h, out, name, 2, 1, with_bias && i == 0);
        if (i > 0 && norm) {
            layer_name(layout, depth, i, true, name, sizeof name);
            lw_weight(g, LW_SHAPE(out), lw_init_normal(1, 0.02), "%s.weight", name);
            h = lw_batch_norm(g, h, "%s", name);
        }
        h = lw_tap(g, lw_leaky_relu(g, h, 0.2), "block%d", i);
    }
    lw_tap(g, lw_flatten(g, h, 1), "features");
    layer_name(layout, depth, depth + 1, false, name, sizeof name);
    return lw_flatten(g, convolve(g, h, 1, name, with_bias ? 2 : 1, 0, with_bias), 1);
}

static const char *const provides[] = {"discriminator", NULL};
static const char *const prefixes[] = {"netD.", "D.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(
    DISCRIMINATOR, "dcgan", "1.0.0",
    "DCGAN: strided convolutions, with batch norm or none, three key layouts",
    .source = "Radford, Metz, Chintala 2016; pytorch_GAN_zoo b75dee40, lateGAN a4604a17, pytorch/examples",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
