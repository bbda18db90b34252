/* pggan.c — discriminator/pggan: the progressive GAN's discriminator (Karras et al. 2018, table 2) with its
 * minibatch standard deviation, recognised in four key layouts. README.md says which file has which.
 *
 * image [N, channels, s, s] -> from RGB, then halvings by two convolutions and average pooling down to 4x4,
 * one more map of how much the batch varies, a convolution and two dense layers -> raw score [N, 1]. */
#include "pggan.h"

#include <string.h>

static const char *const layouts[] = {"zoo", "zoo-old", "genforce", "tf", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "genforce", 0, 0, layouts,
     "Key layout and arithmetic: pytorch_GAN_zoo (and its older files), genforce and sefa, or the official "
     "TensorFlow variables; found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[512, 512, 512, 512, 256, 128, 64, 32, 16]", 1, 4096, NULL,
     "Feature maps of each resolution from 4x4 on (paper, table 2: this list, 1024x1024); found from the "
     "weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"features", LW_PARAM_INT, NULL, "512", 1, 4096, NULL,
     "Size of the last hidden layer (paper: 512); found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 4096, NULL,
     "Class scores beside the score, which are left to the tap `decision`; found from the weights."},
    {"lod", LW_PARAM_FLOAT, "doublings", "", 0, 9, NULL,
     "Level of detail that is looked at, as of the generator (pytorch_GAN_zoo's alpha); else the weights' "
     "own."},
    {"stddev", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL,
     "Whether there is a map of the minibatch's deviation; found from the weights."},
    {"group", LW_PARAM_INT, "images", "4", 1, 4096, NULL,
     "Images whose deviation is taken together (paper's code and the zoo: 4; genforce: 16)."},
    {"fused", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL,
     "Averaging fused into the convolution (fused_scale)."},
    {"scaled", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL,
     "Weights are scaled by He's constant at run time (use_wscale, equalizedlR)."},
    {"leak", LW_PARAM_FLOAT, NULL, "0.2", 0, 1, NULL, "Slope of the leaky ReLU (paper: 0.2; leakyReluLeak)."},
};

static pggan_layout layout_of(const lw_args *args)
{
    const char *name = lw_text(args, "layout");
    for (int i = 0; layouts[i]; i++)
        if (strcmp(layouts[i], name) == 0)
            return (pggan_layout)i;
    return PGGAN_GENFORCE; /* the table admits no other */
}

/* --- what the weights tell -------------------------------------------------------------------- */

typedef struct found {
    pggan_layout layout;
    int blocks;
    int64_t widths[PGGAN_MAX_BLOCKS], channels, features, outputs;
    bool stddev, fused;
} found;

static bool look_for(const lw_weights *weights, pggan_layout layout, found *f)
{
    char name[PGGAN_NAME];
    lw_shape rgb, conv, dense, decision;
    *f = (found){.layout = layout};
    /* The zoo counts from 4x4 up, the others from the image down: block blocks - 1 is then called 0. */
    while (
        f->blocks < PGGAN_MAX_BLOCKS &&
        lw_weights_shape(weights, NULL, "%s",
                         pggan_bias_name((pggan_layer){layout, PGGAN_FROM_RGB,
                                                       pggan_is_zoo(layout) ? f->blocks : 0, f->blocks + 1},
                                         name)))
        f->blocks++;
    pggan_layer layer = {layout, PGGAN_CONV0, 0, f->blocks};
    if (f->blocks == 0 || !lw_weights_shape(weights, &conv, "%s", pggan_weight_name(layer, name)))
        return false;
    layer.role = PGGAN_DENSE;
    if (!lw_weights_shape(weights, &dense, "%s", pggan_bias_name(layer, name)))
        return false;
    layer.role = PGGAN_DECISION;
    if (!lw_weights_shape(weights, &decision, "%s", pggan_bias_name(layer, name)))
        return false;
    layer.role = PGGAN_FROM_RGB;
    for (layer.block = 0; layer.block < f->blocks; layer.block++) {
        if (!lw_weights_shape(weights, &rgb, "%s", pggan_bias_name(layer, name)))
            return false;
        f->widths[layer.block] = rgb.dim[0];
    }
    layer.block = 0;
    if (!lw_weights_shape(weights, &rgb, "%s", pggan_weight_name(layer, name)) || rgb.rank != 4 ||
        conv.rank != 4)
        return false;
    int input_axis = layout == PGGAN_TF ? 2 : 1;
    f->channels = rgb.dim[input_axis];
    f->stddev = conv.dim[input_axis] == f->widths[0] + 1;
    f->features = dense.dim[0];
    f->outputs = decision.dim[0];
    layer = (pggan_layer){layout, PGGAN_CONV1, f->blocks - 1, f->blocks, true};
    f->fused = layout == PGGAN_TF && lw_weights_shape(weights, NULL, "%s", pggan_weight_name(layer, name));
    return true;
}

/* Names as in pytorch_GAN_zoo's configuration and genforce's constructor. */
static lw_status read_config(const lw_weights *weights, lw_args *args, const found *f)
{
    double value;
    if (lw_weights_config_number(weights, "equalizedlR", &value) ||
        lw_weights_config_number(weights, "use_wscale", &value))
        LW_TRY(lw_args_set_bool(args, "scaled", value != 0));
    if (f->layout == PGGAN_TF)
        LW_TRY(lw_args_set_bool(args, "fused", f->fused));
    else if (lw_weights_config_number(weights, "fused_scale", &value))
        LW_TRY(lw_args_set_bool(args, "fused", value != 0));
    if (lw_weights_config_number(weights, "leakyReluLeak", &value) ||
        lw_weights_config_number(weights, "leak", &value))
        LW_TRY(lw_args_set_float(args, "leak", value));
    if (lw_weights_config_number(weights, "minibatch_std_group_size", &value))
        LW_TRY(lw_args_set_float(args, "group", value));
    else if (f->layout == PGGAN_GENFORCE && !lw_is_given(args, "group"))
        LW_TRY(lw_args_set_int(args, "group", 16));
    if (!lw_is_set(args, "lod") &&
        (lw_weights_number(weights, &value, "lod") || lw_weights_config_number(weights, "alpha", &value)))
        LW_TRY(lw_args_set_float(args, "lod", value));
    return LW_OK;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    found f;
    int i = 0;
    while (layouts[i] && !look_for(weights, (pggan_layout)i, &f))
        i++;
    if (!layouts[i])
        return lw_fail(
            LW_UNSUPPORTED,
            "no discriminator of a progressive GAN: neither fromRGBLayers (pytorch_GAN_zoo), input0 "
            "(genforce) nor FromRGB_lod0 (TensorFlow)");
    LW_TRY(lw_args_set_text(args, "layout", layouts[i]));
    LW_TRY(lw_args_set_ints(args, "widths", f.widths, f.blocks));
    LW_TRY(lw_args_set_int(args, "channels", f.channels));
    LW_TRY(lw_args_set_int(args, "features", f.features));
    LW_TRY(lw_args_set_int(args, "classes", f.outputs - 1));
    LW_TRY(lw_args_set_bool(args, "stddev", f.stddev));
    return read_config(weights, args, &f);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)4 << (lw_list_count(args, "widths") - 1);
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* --- the network ------------------------------------------------------------------------------ */

typedef struct network {
    lw_graph *g;
    const lw_args *args;
    pggan_layout layout;
    int blocks;
    bool fused, scaled;
    double leak;
} network;

static int64_t width(const network *n, int block)
{
    return lw_list_int(n->args, "widths", block);
}

/* x [N, C, 4, 4] -> [N, C + 1, 4, 4]: the deviation over a group of images, averaged over C, 4, 4. The zoo
 * takes consecutive images and the unbiased variance, TF every M-th of N = group * M and the biased one. */
static lw_value append_stddev(const network *n, lw_value x)
{
    lw_graph *g = n->g;
    bool zoo = pggan_is_zoo(n->layout);
    lw_shape s = lw_shape_of(g, x);
    int64_t count = s.dim[0], group = lw_int(n->args, "group");
    group = group < count ? group : count;
    if (count > 0 && count % group != 0) {
        if (!zoo)
            return lw_graph_fail(
                g, LW_SHAPE,
                "%lld images are no whole number of groups of %lld; give another batch or `group`",
                (long long)count, (long long)group);
        group = count;
    }
    lw_shape one_map = LW_SHAPE(count, 1, s.dim[2], s.dim[3]);
    lw_value map;
    if (zoo && group == 1) {
        map = lw_fill(g, one_map, 0);
    } else {
        int64_t groups = count / group;
        int members = zoo ? 1 : 0,
            other = 1 - members; /* axes of [groups, group, ..] or [group, groups, ..] */
        lw_value y = lw_reshape(
            g, x, LW_SHAPE(zoo ? groups : group, zoo ? group : groups, s.dim[1] * s.dim[2] * s.dim[3]));
        y = lw_sqrt(g, lw_affine(g, lw_variance(g, y, LW_AXIS(members), true, zoo), 1, 1e-8));
        y = lw_mean(g, y, LW_AXIS(2), true);
        lw_shape spread = {.rank = 3, .dim = {[2] = 1}};
        spread.dim[members] = group;
        spread.dim[other] = groups;
        y = lw_reshape(g, lw_broadcast(g, y, spread), LW_SHAPE(count, 1, 1, 1));
        map = lw_broadcast(g, y, one_map);
    }
    return lw_concat(g, (const lw_value[]){x, map}, 2, 1);
}

static pggan_kernel fetch(const network *n, pggan_role role, int block, int64_t in, int64_t out)
{
    pggan_layer layer = {n->layout, role, block, n->blocks, n->fused && role == PGGAN_CONV1};
    return pggan_fetch(n->g, layer, in, out, n->scaled);
}

/* image [N, channels, s, s] -> [N, width, s, s]; null image: only the weights are asked for */
static lw_value from_rgb(const network *n, lw_value image, int block)
{
    pggan_kernel k = fetch(n, PGGAN_FROM_RGB, block, lw_int(n->args, "channels"), width(n, block));
    return lw_is_null(image) ? image
                             : lw_leaky_relu(n->g, lw_conv2d(n->g, image, k.weight, .bias = k.bias), n->leak);
}

/* x [N, width, s, s] -> [N, width of the block below, s/2, s/2]; null x: only the weights are asked for */
static lw_value halve(const network *n, lw_value x, int block)
{
    lw_graph *g = n->g;
    pggan_kernel a = fetch(n, PGGAN_CONV0, block, width(n, block), width(n, block));
    pggan_kernel b = fetch(n, PGGAN_CONV1, block, width(n, block), width(n, block - 1));
    if (lw_is_null(x))
        return x;
    x = lw_leaky_relu(g, lw_conv2d(g, x, a.weight, .padding = 1, .bias = a.bias), n->leak);
    x = lw_leaky_relu(g, lw_conv2d(g, x, b.weight, .padding = 1, .stride = n->fused ? 2 : 1, .bias = b.bias),
                      n->leak);
    return lw_tap(g, n->fused ? x : lw_avg_pool2d(g, x, 2), "block%d", n->blocks - 1 - block);
}

/* x [N, width, 4, 4] -> score [N, 1] */
static lw_value decide(const network *n, lw_value x)
{
    lw_graph *g = n->g;
    int64_t features = lw_int(n->args, "features"), maps = width(n, 0);
    if (lw_bool(n->args, "stddev"))
        x = append_stddev(n, x);
    pggan_kernel k = fetch(n, PGGAN_CONV0, 0, maps + lw_bool(n->args, "stddev"), maps);
    x = lw_tap(g, lw_leaky_relu(g, lw_conv2d(g, x, k.weight, .padding = 1, .bias = k.bias), n->leak),
               "block%d", n->blocks - 1);
    k = fetch(n, PGGAN_DENSE, 0, maps * 16, features);
    x = lw_tap(g, lw_leaky_relu(g, lw_linear(g, lw_flatten(g, x, 1), k.weight, k.bias), n->leak), "features");
    k = fetch(n, PGGAN_DECISION, 0, features, 1 + lw_int(n->args, "classes"));
    return lw_slice(g, lw_tap(g, lw_linear(g, x, k.weight, k.bias), "decision"), 1, 0, 1, 1);
}

/* The network still growing, as far as images of this side [N, channels, side, side] -> [N, width, 4, 4]: the
 * new block's result is faded in against the image of half the side. */
static lw_value shrink_grown(const network *n, lw_value image, int64_t side)
{
    lw_graph *g = n->g;
    lw_value fade = lw_fade(g);
    int last = 0;
    while (last + 1 < n->blocks && (4 << last) < side)
        last++;
    if ((4 << last) != side)
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "this network has blocks for %d resolutions from 4 px on: none for %lld px",
                             n->blocks, (long long)side);
    lw_value x = from_rgb(n, image, last);
    for (int block = last; block > 0; block--) {
        x = halve(n, x, block);
        if (block == last && !lw_is_null(fade)) {
            lw_value older = from_rgb(n, lw_avg_pool2d(g, image, 2), last - 1);
            x = lw_add(g, older, lw_mul(g, fade, lw_sub(g, x, older)));
        }
    }
    return x;
}

/* image [N, channels, s, s] -> raw score [N, 1]. At level of detail L the image is halved floor(L) times, and
 * the part L - floor(L) of what the next block sees is the once more halved image. */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    network n = {g,
                 args,
                 layout_of(args),
                 lw_list_count(args, "widths"),
                 lw_bool(args, "fused"),
                 lw_bool(args, "scaled"),
                 lw_float(args, "leak")};
    double lod = lw_is_set(args, "lod") ? lw_float(args, "lod") : 0;
    if (lod > n.blocks - 1)
        return lw_graph_fail(g, LW_INVALID, "lod %g is more than the %d doublings of this model", lod,
                             n.blocks - 1);
    if (pggan_is_zoo(n.layout) && n.blocks == 2) /* the zoo's DNet blends from two scales on */
        lod = 0;
    if (lw_resolution(g))
        return decide(&n, shrink_grown(&n, image, lw_resolution(g)));
    if (lw_has_weight(g, "lod")) /* kept with the weights; detect has read it */
        lw_buffer(g, LW_SCALAR, lw_init_constant(0), "lod");
    lw_value x = {0};
    for (int level = 0; level < n.blocks; level++) {
        int block = n.blocks - 1 - level;
        bool starts = level <= lod && lod < level + 1, joins = level - 1 < lod && lod < level;
        lw_value own = from_rgb(&n, starts || joins ? image : (lw_value){0}, block);
        if (starts)
            x = own;
        if (joins) {
            double share = lod - (level - 1);
            x = lw_add(g, lw_affine(g, own, share, 0), lw_affine(g, x, 1 - share, 0));
        }
        if (block == 0)
            break;
        x = halve(&n, x, block);
        if (lod > level)
            image = lw_avg_pool2d(g, image, 2);
    }
    return decide(&n, x);
}

static const char *const provides[] = {"discriminator", "grow", NULL};
static const char *const prefixes[] = {"netD.", "discriminator.", "D.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(
    DISCRIMINATOR, "pggan", "1.0.0",
    "Progressive GAN: halvings with average pooling and minibatch deviation, four key layouts",
    .source =
        "Karras, Aila, Laine, Lehtinen 2018; progressive_growing_of_gans 2504c3f3, pytorch_GAN_zoo b75dee40, "
        "genforce 197feee8",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
