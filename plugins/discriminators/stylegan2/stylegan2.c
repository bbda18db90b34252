/* stylegan2.c — the StyleGAN2 discriminator (Karras et al. 2020), with the options of stylegan2-ada-pytorch.
 *
 * image [N, channels, side, side] -> halvings down to 4x4 -> the batch's standard deviation as further
 * channels -> one convolution and two dense layers: raw score [N, 1], projected on the class where there are
 * classes. */
#include "layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const architectures[] = {"resnet", "skip", "orig", NULL};

static const lw_param params[] = {
    {"architecture", LW_PARAM_CHOICE, NULL, "resnet", .choices = architectures,
     .doc = "How blocks are joined: residuals, the shrunk image fed to each, or a plain chain; found from "
            "the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[512, 512, 512, 512, 512, 256, 128, 64, 32]", 1, 4096,
     .doc = "Channels at 4x4, 8x8, …, which also says the side (default: config-f at 1024x1024); found from "
            "the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 64, .doc = "Image channels; found from the weights."},
    {"group", LW_PARAM_INT, "images", "4", 0, 4096,
     .doc = "Images whose deviation is taken together, 0 for the whole batch (mbstd_group_size; official: 4, "
            "cifar 32); taken from constructor arguments."},
    {"deviations", LW_PARAM_INT, "channels", "1", 0, 512,
     .doc = "Channels of deviations (mbstd_num_channels; official: 1), 0 for none; found from the weights."},
    {"conv_clamp", LW_PARAM_FLOAT, NULL, "", 1e-3, 1e6,
     .doc = "Bound of every layer's values (256 where trained with FP16); absent: none; taken from "
            "constructor arguments."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 100000,
     .doc = "Number of classes, 0 for none; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999,
     .doc = "The class of every image, where no labels are given."},
    {"embed_width", LW_PARAM_INT, NULL, "512", 1, 8192,
     .doc = "Size of the class embedding; found from the weights."},
    {"mapping_layers", LW_PARAM_INT, NULL, "8", 1, 64,
     .doc = "Layers that map it (official: 8); found from the weights."},
    {"mapping_width", LW_PARAM_INT, NULL, "512", 1, 8192,
     .doc = "Width between them; found from the weights."},
    {"cmap_dim", LW_PARAM_INT, NULL, "512", 1, 8192,
     .doc = "Size of the mapped label (official: the channels at 4x4); found from the weights."},
    {"mapping_lr", LW_PARAM_FLOAT, NULL, "0.01", 1e-6, 1,
     .doc = "Learning rate multiplier of the mapping, a factor of its weights; taken from constructor "
            "arguments."},
};

/* --- finding -------------------------------------------------------------------------------- */

static lw_status find_mapping(const lw_weights *weights, lw_args *args)
{
    lw_shape shape, last;
    int layers = 0;
    if (!lw_weights_shape(weights, &shape, "mapping.embed.weight") || shape.rank != 2)
        return lw_args_set_int(args, "classes", 0);
    LW_TRY(lw_args_set_int(args, "classes", shape.dim[1]));
    LW_TRY(lw_args_set_int(args, "embed_width", shape.dim[0]));
    while (layers < 64 && lw_weights_shape(weights, &last, "mapping.fc%d.weight", layers)) {
        if (last.rank != 2)
            return lw_fail(LW_SHAPE, "the weights' 'mapping.fc%d.weight' has %d dimensions; a matrix has 2",
                           layers, last.rank);
        if (layers++ == 0)
            LW_TRY(lw_args_set_int(args, "mapping_width", last.dim[0]));
    }
    if (layers == 0)
        return lw_fail(LW_SHAPE, "the weights lack 'mapping.fc0.weight'");
    LW_TRY(lw_args_set_int(args, "mapping_layers", layers));
    return lw_args_set_int(args, "cmap_dim", last.dim[0]);
}

/* What shapes cannot tell, by the official constructor's names. */
static lw_status find_config(const lw_weights *weights, lw_args *args)
{
    static const char *const names[][2] = {{"conv_clamp", "conv_clamp"},
                                           {"epilogue_kwargs.mbstd_group_size", "group"},
                                           {"mapping_kwargs.lr_multiplier", "mapping_lr"}};
    double value;
    if (lw_weights_config_number(weights, "z_dim", &value)) /* the generator's arguments, not ours */
        return LW_OK;
    for (int i = 0; i < 3; i++)
        if (lw_weights_config_number(weights, names[i][0], &value))
            LW_TRY(sg2_found(args, names[i][1], value));
    return LW_OK;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    int64_t widths[16];
    lw_shape shape, rgb, last;
    int blocks = 1;
    if (!lw_weights_shape(weights, &shape, "b4.conv.weight") ||
        !lw_weights_shape(weights, &last, "b4.out.weight") || shape.rank != 4 || last.rank != 2)
        return lw_fail(LW_UNSUPPORTED,
                       "no StyleGAN2 discriminator: b4.conv.weight and b4.out.weight are not there");
    widths[0] = shape.dim[0];
    LW_TRY(lw_args_set_int(args, "deviations", shape.dim[1] - shape.dim[0]));
    for (; blocks < 16 && lw_weights_shape(weights, &shape, "b%d.conv0.weight", 4 << blocks); blocks++)
        widths[blocks] = shape.dim[0];
    if (!lw_weights_shape(weights, &rgb, "b%d.fromrgb.weight", 2 << blocks) || rgb.rank != 4)
        return lw_fail(LW_SHAPE, "the weights lack 'b%d.fromrgb.weight'", 2 << blocks);
    bool skip = lw_weights_shape(weights, NULL, "b4.fromrgb.weight");
    bool resnet = lw_weights_shape(weights, NULL, "b8.skip.weight");
    LW_TRY(lw_args_set_ints(args, "widths", widths, blocks));
    LW_TRY(lw_args_set_int(args, "channels", rgb.dim[1]));
    LW_TRY(lw_args_set_text(args, "architecture", resnet ? "resnet" : skip ? "skip" : "orig"));
    LW_TRY(find_mapping(weights, args));
    return find_config(weights, args);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)2 << lw_list_count(args, "widths");
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
    if (lw_int(args, "classes") > 0)
        lw_dims_set(dims, "classes", lw_int(args, "classes"));
}

/* --- layers --------------------------------------------------------------------------------- */

typedef struct conv {
    int64_t out;
    int kernel, down; /* down 2: filtered, then halved */
    bool linear;      /* neither bias nor activation */
    double gain;      /* after the activation */
    bool free;        /* not clamped */
} conv;

/* x [N, C, H, W] -> [N, out, H / down, W / down]; weights scaled by 1 / sqrt(fan in). */
static lw_value convolve(lw_graph *g, const lw_args *args, lw_value x, const char *name, const conv *c)
{
    int64_t in = lw_dim(g, x, 1);
    bool bounded = lw_is_set(args, "conv_clamp") && !c->free && !c->linear;
    int k = c->kernel, padding = k / 2;
    lw_value w = lw_weight(g, LW_SHAPE(c->out, in, k, k), lw_init_normal(0, 1), "%s.weight", name);
    w = lw_affine(g, w, 1 / sqrt((double)(in * k * k)), 0);
    if (lw_has_weight(g, "%s.resample_filter", name)) /* known, and none in a fresh model */
        lw_buffer(g, LW_SHAPE(4, 4), lw_init_constant(0), "%s.resample_filter", name);
    if (c->down == 2) { /* a 1x1 convolution may halve at once; a wider one needs the pixels between */
        x = sg2_filter(g, x, 1, k == 1 ? 2 : 1, 1 + padding, 1 + padding, 1);
        padding = 0;
    }
    x = lw_conv2d(g, x, w, .stride = k == 1 ? 1 : c->down, .padding = padding);
    if (c->linear)
        return lw_affine(g, x, c->gain, 0);
    lw_value bias = lw_weight(g, LW_SHAPE(c->out), lw_init_constant(0), "%s.bias", name);
    x = lw_add(g, x, lw_reshape(g, bias, LW_SHAPE(1, c->out, 1, 1)));
    return sg2_activate(g, x, c->gain, bounded ? lw_float(args, "conv_clamp") : 0);
}

/* One halving: x [N, C, H, W] (null before the first), the image at this size -> [N, C', H/2, W/2]. */
static lw_value run_block(lw_graph *g, const lw_args *args, lw_value x, lw_value image, int block)
{
    const char *architecture = lw_text(args, "architecture");
    bool resnet = strcmp(architecture, "resnet") == 0, skip = strcmp(architecture, "skip") == 0;
    int64_t width = lw_list_int(args, "widths", block), next = lw_list_int(args, "widths", block - 1);
    int side = 4 << block;
    char name[SG2_NAME];
    if (lw_is_null(x) || skip) {
        snprintf(name, sizeof name, "b%d.fromrgb", side);
        lw_value y = convolve(g, args, image, name, &(conv){width, 1, 1, .gain = 1});
        x = lw_is_null(x) ? y : lw_add(g, x, y);
    }
    if (lw_has_weight(g, "b%d.resample_filter", side))
        lw_buffer(g, LW_SHAPE(4, 4), lw_init_constant(0), "b%d.resample_filter", side);
    lw_value residual = {0};
    if (resnet) {
        snprintf(name, sizeof name, "b%d.skip", side);
        residual = convolve(g, args, x, name, &(conv){next, 1, 2, .linear = true, .gain = sqrt(0.5)});
    }
    snprintf(name, sizeof name, "b%d.conv0", side);
    x = convolve(g, args, x, name, &(conv){width, 3, 1, .gain = 1});
    snprintf(name, sizeof name, "b%d.conv1", side);
    x = convolve(g, args, x, name, &(conv){next, 3, 2, .gain = resnet ? sqrt(0.5) : 1});
    return lw_tap(g, resnet ? lw_add(g, residual, x) : x, "b%d_x", side);
}

/* x [N, C, H, W] -> [N, C + F, H, W]: for each of F shares of the channels, the deviation over a group of
 * images, averaged over channels and pixels. Images N/G apart form a group of G (Karras et al. 2018, section
 * 3). */
static lw_value deviations(lw_graph *g, const lw_args *args, lw_value x)
{
    int64_t n = lw_dim(g, x, 0), c = lw_dim(g, x, 1), h = lw_dim(g, x, 2), w = lw_dim(g, x, 3);
    int64_t shares = lw_int(args, "deviations"), group = lw_int(args, "group");
    if (shares == 0)
        return x;
    group = group == 0 || group > n ? n : group;
    if (n % group != 0 || c % shares != 0)
        return lw_graph_fail(g, LW_SHAPE,
                             "a batch of %lld images does not divide into groups of %lld, or %lld channels "
                             "into %lld shares; take a batch that is a multiple, or another `group`",
                             (long long)n, (long long)group, (long long)c, (long long)shares);
    lw_value y = lw_reshape(g, x, LW_SHAPE(group, n / group, shares, c / shares * h * w));
    y = lw_sqrt(g, lw_affine(g, lw_variance(g, y, LW_AXIS(0), false, false), 1, 1e-8));
    y = lw_reshape(g, lw_mean(g, y, LW_AXIS(2), false), LW_SHAPE(1, n / group, shares, 1, 1));
    y = lw_reshape(g, lw_broadcast(g, y, LW_SHAPE(group, n / group, shares, h, w)),
                   LW_SHAPE(n, shares, h, w));
    return lw_concat(g, (const lw_value[]){x, y}, 2, 1);
}

/* Labels -> [N, cmap_dim]: embedded, normalised, mapped. */
static lw_value map_labels(lw_graph *g, const lw_args *args, int64_t count)
{
    int layers = (int)lw_int(args, "mapping_layers");
    const sg2_dense embed = {.out = lw_int(args, "embed_width")};
    lw_value y =
        sg2_linear(g, sg2_labels(g, args, count), &embed, "mapping.embed.weight", "mapping.embed.bias");
    y = sg2_normalize(g, y);
    for (int i = 0; i < layers; i++) {
        char weight[SG2_NAME], bias[SG2_NAME];
        const sg2_dense layer = {.out = lw_int(args, i + 1 < layers ? "mapping_width" : "cmap_dim"),
                                 .lr = lw_float(args, "mapping_lr")};
        snprintf(weight, sizeof weight, "mapping.fc%d.weight", i);
        snprintf(bias, sizeof bias, "mapping.fc%d.bias", i);
        y = sg2_activate(g, sg2_linear(g, y, &layer, weight, bias), 1, 0);
    }
    return y;
}

/* x [N, C, 4, 4] -> raw score [N, 1]; tap `features` is the last hidden layer, [N, C]. */
static lw_value epilogue(lw_graph *g, const lw_args *args, lw_value x)
{
    int64_t width = lw_list_int(args, "widths", 0),
            cmap = lw_int(args, "classes") ? lw_int(args, "cmap_dim") : 0;
    const sg2_dense hidden = {.out = width}, out = {.out = cmap ? cmap : 1};
    x = convolve(g, args, deviations(g, args, x), "b4.conv", &(conv){width, 3, 1, .gain = 1});
    x = sg2_activate(g, sg2_linear(g, lw_flatten(g, x, 1), &hidden, "b4.fc.weight", "b4.fc.bias"), 1, 0);
    x = lw_tap(g, x, "features");
    x = sg2_linear(g, x, &out, "b4.out.weight", "b4.out.bias");
    if (cmap == 0)
        return x;
    x = lw_sum(g, lw_mul(g, x, map_labels(g, args, lw_dim(g, x, 0))), LW_AXIS(1), true);
    return lw_affine(g, x, 1 / sqrt((double)cmap), 0);
}

/* image [N, channels, side, side] -> raw score [N, 1] */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    bool skip = strcmp(lw_text(args, "architecture"), "skip") == 0;
    lw_value x = {0};
    if (lw_int(args, "classes") == 0 && lw_int(args, "class") > 0)
        return lw_graph_fail(g, LW_INVALID, "the model has no classes; leave the parameter 'class' out");
    for (int block = lw_list_count(args, "widths") - 1; block > 0; block--) {
        x = run_block(g, args, x, image, block);
        image = skip ? sg2_filter(g, image, 1, 2, 1, 1, 1) : image;
    }
    if (skip) {
        const conv from = {lw_list_int(args, "widths", 0), 1, 1, .gain = 1, .free = true};
        lw_value y = convolve(g, args, image, "b4.fromrgb", &from);
        x = lw_is_null(x) ? y : lw_add(g, x, y);
    }
    return epilogue(g, args, x);
}

static const char *const provides[] = {"discriminator", NULL};
static const char *const prefixes[] = {"D.", "d.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(DISCRIMINATOR, "stylegan2", "1.0.0",
          "StyleGAN2: filtered halvings, three architectures, minibatch deviation",
          .source = "Karras et al. 2020; NVlabs/stylegan2-ada-pytorch d72cc7d0", LW_PARAMS(params),
          .provides = provides, .prefixes = prefixes, .functions = &functions);
