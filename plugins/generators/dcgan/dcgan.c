/* dcgan.c — the DCGAN generator (Radford et al. 2016) in the three key layouts people hold.
 *
 * z [N, z_dim] -> 4x4 by a transposed convolution, then `depth` doublings with batch norm and ReLU, then
 * an output layer: image [N, channels, 2^(depth+3), 2^(depth+3)]. README.md says which file has which
 * keys. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <string.h>

static const char *const layouts[] = {"zoo", "lategan", "examples", NULL};
static const char *const outputs[] = {"tanh", "none", NULL};
static const char *const statistics[] = {"running", "batch", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "zoo", 0, 0, layouts,
     "Key layout: pytorch_GAN_zoo, lateGAN's notebooks (output layer with bias), or pytorch/examples; found "
     "from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "100", 1, 4096, NULL,
     "Size of the latent (DCGAN paper: 100); found from the weights."},
    {"width", LW_PARAM_INT, "channels", "64", 1, 1024, NULL,
     "Channels of the last block; doubled per block below (all three repositories: 64); found from the "
     "weights."},
    {"depth", LW_PARAM_INT, "blocks", "3", 1, 6, NULL,
     "Doublings between 4x4 and the output layer; 3 gives 64x64; found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"output", LW_PARAM_CHOICE, NULL, "tanh", 0, 0, outputs,
     "Last activation; `none` is pytorch_GAN_zoo's for the losses WGANGP and Logistic; taken from "
     "constructor arguments (lossCriterion)."},
    {"statistics", LW_PARAM_CHOICE, NULL, "running", 0, 0, statistics,
     "Batch norm outside training: running averages, or each batch's own as pytorch_GAN_zoo's test() does "
     "without eval()."},
};

/* Name of layer i's convolution or batch norm; 0 … depth are blocks, depth + 1 is the output layer. */
static const char *layer_name(const char *layout, int depth, int i, bool norm, char *name, size_t size)
{
    bool out = i > depth;
    if (strcmp(layout, "lategan") == 0)
        snprintf(name, size, out ? "net.%d" : norm ? "net.%d.1" : "net.%d.0", i);
    else if (strcmp(layout, "examples") == 0)
        snprintf(name, size, "main.%d", norm ? 3 * i + 1 : 3 * i);
    else if (norm)
        snprintf(name, size, "main.batchNorm%d", i);
    else if (i == 0 || out)
        snprintf(name, size, "%s", out ? "main.outlayer" : "formatLayer");
    else
        snprintf(name, size, "main.convTranspose%d", i);
    return name;
}

/* pytorch_GAN_zoo's constructor arguments tell the loss, and the loss the last activation (gan_losses'
 * classes). */
static lw_status set_output(const lw_weights *weights, lw_args *args)
{
    char loss[32];
    if (lw_is_given(args, "output") ||
        (!lw_weights_config_text(weights, "lossCriterion", loss, sizeof loss) &&
         !lw_weights_config_text(weights, "lossMode", loss, sizeof loss)))
        return LW_OK;
    bool unbounded = strcmp(loss, "WGANGP") == 0 || strcmp(loss, "Logistic") == 0;
    return lw_args_set_text(args, "output", unbounded ? "none" : "tanh");
}

/* The number of blocks after the first whose batch norm is in the weights. */
static int count_blocks(const lw_weights *weights, const char *layout)
{
    char name[64];
    lw_shape shape;
    int depth = 0;
    while (depth < 6 && lw_weights_shape(weights, &shape, "%s.weight",
                                         layer_name(layout, 99, depth + 1, true, name, sizeof name)))
        depth++;
    return depth;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    for (int i = 0; layouts[i]; i++) {
        char name[64];
        lw_shape first, last;
        int depth = count_blocks(weights, layouts[i]);
        if (depth == 0 ||
            !lw_weights_shape(weights, &first, "%s.weight",
                              layer_name(layouts[i], depth, 0, false, name, sizeof name)) ||
            !lw_weights_shape(weights, &last, "%s.weight",
                              layer_name(layouts[i], depth, depth + 1, false, name, sizeof name)) ||
            first.rank != 4 || last.rank != 4)
            continue;
        LW_TRY(lw_args_set_text(args, "layout", layouts[i]));
        LW_TRY(lw_args_set_int(args, "depth", depth));
        LW_TRY(lw_args_set_int(args, "z_dim", first.dim[0]));
        LW_TRY(lw_args_set_int(args, "width", last.dim[0]));
        LW_TRY(lw_args_set_int(args, "channels", last.dim[1]));
        return set_output(weights, args);
    }
    return lw_fail(LW_UNSUPPORTED,
                   "no DCGAN generator: neither formatLayer.weight (pytorch_GAN_zoo), net.0.0.weight "
                   "(lateGAN) nor main.0.weight (pytorch/examples) with its batch norms");
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)8 << lw_int(args, "depth");
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
}

/* x [N, C, H, W] -> the same, normalised. Fresh gains are N(1, 0.02) as in the zoo's weights_init. */
static lw_value normalize(lw_graph *g, const lw_args *args, lw_value x, const char *name)
{
    int64_t channels = lw_dim(g, x, 1);
    lw_value gain = lw_weight(g, LW_SHAPE(channels), lw_init_normal(1, 0.02), "%s.weight", name);
    if (lw_is_training(g) || strcmp(lw_text(args, "statistics"), "running") == 0)
        return lw_batch_norm(g, x, "%s", name);
    lw_value bias = lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s.bias", name);
    lw_buffer(g, LW_SHAPE(channels), lw_init_constant(0), "%s.running_mean", name); /* there, but not used */
    lw_buffer(g, LW_SHAPE(channels), lw_init_constant(1), "%s.running_var", name);
    unsigned axes = LW_AXIS(0) | LW_AXIS(2) | LW_AXIS(3);
    lw_value centred = lw_sub(g, x, lw_mean(g, x, axes, true));
    lw_value scale = lw_rsqrt(g, lw_affine(g, lw_variance(g, x, axes, true, false), 1, 1e-5));
    lw_shape wide = LW_SHAPE(1, channels, 1, 1);
    x = lw_mul(g, lw_mul(g, centred, scale), lw_reshape(g, gain, wide));
    return lw_add(g, x, lw_reshape(g, bias, wide));
}

/* z [N, z_dim] -> image [N, channels, side, side] in [-1, 1] (unbounded with output `none`). */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    const char *layout = lw_text(args, "layout");
    int depth = (int)lw_int(args, "depth");
    char name[64];
    lw_value h = lw_unflatten(g, z, 1, 1);
    for (int i = 0; i <= depth + 1; i++) {
        int64_t in = lw_dim(g, h, 1);
        int64_t out = i > depth ? lw_int(args, "channels") : lw_int(args, "width") << (depth - i);
        layer_name(layout, depth, i, false, name, sizeof name);
        lw_value weight = lw_weight(g, LW_SHAPE(in, out, 4, 4), lw_init_normal(0, 0.02), "%s.weight", name);
        lw_value bias = {0};
        if (i > depth && strcmp(layout, "lategan") == 0)
            bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s.bias", name);
        h = lw_conv_transpose2d(g, h, weight, .stride = i ? 2 : 1, .padding = i ? 1 : 0, .bias = bias);
        if (i > depth)
            break;
        if (i == 0)
            h = lw_tap(g, lw_tap(g, h, "format"), "affine0");
        h = lw_relu(g, normalize(g, args, h, layer_name(layout, depth, i, true, name, sizeof name)));
        h = lw_tap(g, h, "block%d", i);
    }
    return strcmp(lw_text(args, "output"), "tanh") == 0 ? lw_tanh(g, h) : h;
}

static const char *const provides[] = {"synthesize", "affine", NULL};
static const char *const prefixes[] = {"avgG.", "netG.", "G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, dims, NULL, synthesize};

LW_PLUGIN(
    GENERATOR, "dcgan", "1.0.0", "DCGAN: transposed convolutions with batch norm, three key layouts",
    .source = "Radford, Metz, Chintala 2016; pytorch_GAN_zoo b75dee40, lateGAN a4604a17, pytorch/examples",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
