/* pggan.c — generator/pggan: the progressive GAN's generator (Karras et al. 2018), recognised in six key
 * layouts with three arithmetics. README.md says which file has which. */
#include "pggan.h"

#include <string.h>

static const char *const layouts[] = {"zoo", "zoo-old", "genforce", "interfacegan", "discovery", "tf", NULL};
static const char *const outputs[] = {"none", "tanh", "hardtanh", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "genforce", 0, 0, layouts,
     "Key layout and arithmetic: pytorch_GAN_zoo (and its older files), genforce and sefa, interfacegan, "
     "GANLatentDiscovery, or the official TensorFlow variables; found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "512", 1, 4096, NULL,
     "Size of the latent, without labels (paper: 512); found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[512, 512, 512, 512, 256, 128, 64, 32, 16]", 1, 4096, NULL,
     "Feature maps of each resolution from 4x4 on (paper, table 2: this list, 1024x1024); found from the "
     "weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 4096, NULL,
     "Labels joined to the latent (label_size, categoryVectorDim); the weights tell only its sum with "
     "z_dim."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 4095, NULL,
     "The class of a conditional model where no labels are given."},
    {"lod", LW_PARAM_FLOAT, "doublings", "", 0, 9, NULL,
     "Level of detail: 0 is the full image, 1 half of it enlarged, between them a blend (pytorch_GAN_zoo's "
     "alpha); else the weights' own."},
    {"fused", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL,
     "Up-sampling fused into the convolution (fused_scale); found from the weights unless all widths are "
     "equal."},
    {"scaled", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL,
     "Weights are scaled by He's constant at run time (use_wscale, equalizedlR)."},
    {"leak", LW_PARAM_FLOAT, NULL, "0.2", 0, 1, NULL, "Slope of the leaky ReLU (paper: 0.2; leakyReluLeak)."},
    {"output", LW_PARAM_CHOICE, NULL, "none", 0, 0, outputs,
     "Last activation: none (paper), tanh (final_tanh; the zoo's losses DCGAN and MSE), or hardtanh."},
};

pggan_layout pggan_layout_of(const lw_args *args)
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
    int64_t in, widths[PGGAN_MAX_BLOCKS], channels;
    bool fused, fused_known;
} found;

/* The weight of a first layer of a block is [in, out, ..] where it is fused, else [out, in, ..]. */
static void look_for_fusing(const lw_weights *weights, found *f)
{
    char name[PGGAN_NAME];
    lw_shape shape;
    pggan_layer fused = {f->layout, 2, .fused = true, .blocks = f->blocks};
    if (f->layout == PGGAN_INTERFACEGAN || f->layout == PGGAN_TF) {
        f->fused_known = true;
        f->fused = lw_weights_shape(weights, NULL, "%s", pggan_weight_name(fused, name));
    }
    for (int i = 1; i < f->blocks && f->layout == PGGAN_GENFORCE && !f->fused_known; i++) {
        fused.number = 2 * i;
        f->fused_known = f->widths[i] != f->widths[i - 1];
        f->fused = f->fused_known &&
                   lw_weights_shape(weights, &shape, "%s", pggan_weight_name(fused, name)) &&
                   shape.dim[0] == f->widths[i - 1];
    }
}

static bool look_for(const lw_weights *weights, pggan_layout layout, found *f)
{
    char name[PGGAN_NAME];
    lw_shape first, bias;
    *f = (found){.layout = layout};
    pggan_layer layer = {.layout = layout};
    if (!lw_weights_shape(weights, &first, "%s", pggan_weight_name(layer, name)))
        return false;
    f->in = first.dim[layout == PGGAN_TF ? 0 : 1];
    for (; f->blocks < PGGAN_MAX_BLOCKS; f->blocks++) {
        layer.number = 2 * f->blocks + 1;
        if (!lw_weights_shape(weights, &bias, "%s", pggan_bias_name(layer, name)) || bias.rank != 1)
            break;
        f->widths[f->blocks] = bias.dim[0];
    }
    layer = (pggan_layer){layout, f->blocks - 1, .rgb = true, .blocks = f->blocks};
    if (f->blocks < 1 || !lw_weights_shape(weights, &bias, "%s", pggan_bias_name(layer, name)))
        return false;
    f->channels = bias.dim[0];
    look_for_fusing(weights, f);
    return true;
}

/* --- what the checkpoint's constructor arguments tell ------------------------------------------- */

static lw_status set_flag(const lw_weights *weights, lw_args *args, const char *config, const char *key)
{
    double value;
    return lw_weights_config_number(weights, config, &value) ? lw_args_set_bool(args, key, value != 0)
                                                             : LW_OK;
}

static lw_status set_output(const lw_weights *weights, lw_args *args)
{
    char loss[32]; /* or the activation's name itself */
    double tanh_at_end;
    if (lw_weights_config_text(weights, "lossCriterion", loss, sizeof loss))
        return lw_args_set_text(args, "output",
                                strcmp(loss, "DCGAN") == 0 || strcmp(loss, "MSE") == 0 ? "tanh" : "none");
    if (lw_weights_config_number(weights, "final_tanh", &tanh_at_end))
        return lw_args_set_text(args, "output", tanh_at_end != 0 ? "tanh" : "none");
    if (lw_weights_config_text(weights, "output_activation", loss, sizeof loss)) /* a fixture's config.json */
        return lw_args_set_text(args, "output", loss);
    return LW_OK;
}

/* Names as in pytorch_GAN_zoo's configuration and genforce's constructor. */
static lw_status read_config(const lw_weights *weights, lw_args *args)
{
    double value;
    LW_TRY(set_output(weights, args));
    LW_TRY(set_flag(weights, args, "equalizedlR", "scaled"));
    LW_TRY(set_flag(weights, args, "use_wscale", "scaled"));
    LW_TRY(set_flag(weights, args, "fused_scale", "fused"));
    if (lw_weights_config_number(weights, "categoryVectorDim", &value) ||
        lw_weights_config_number(weights, "label_size", &value))
        LW_TRY(lw_args_set_int(args, "classes", (int64_t)value));
    if (lw_weights_config_number(weights, "leakyReluLeak", &value) ||
        lw_weights_config_number(weights, "leak", &value))
        LW_TRY(lw_args_set_float(args, "leak", value));
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
            "no progressive GAN: neither formatLayer (pytorch_GAN_zoo), layer0 and output0 (genforce, "
            "interfacegan), features.0 and output (GANLatentDiscovery) nor 4x4/Dense (TensorFlow)");
    LW_TRY(lw_args_set_text(args, "layout", layouts[i]));
    LW_TRY(lw_args_set_ints(args, "widths", f.widths, f.blocks));
    LW_TRY(lw_args_set_int(args, "channels", f.channels));
    LW_TRY(read_config(weights, args));
    if (f.fused_known)
        LW_TRY(lw_args_set_bool(args, "fused", f.fused));
    if (lw_int(args, "classes") >= f.in)
        return lw_fail(LW_INVALID, "classes is %lld, but the weights take %lld numbers, labels included",
                       (long long)lw_int(args, "classes"), (long long)f.in);
    return lw_args_set_int(args, "z_dim", f.in - lw_int(args, "classes"));
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = (int64_t)4 << (lw_list_count(args, "widths") - 1);
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
    if (lw_int(args, "classes") > 0)
        lw_dims_set(dims, "classes", lw_int(args, "classes"));
}

static const char *const provides[] = {"synthesize", "grow", "affine", NULL};
static const char *const prefixes[] = {"avgG.", "netG.", "generator_smooth.", "generator.", "Gs.", "G.",
                                       "",      NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, dims, NULL, pggan_synthesize};

LW_PLUGIN(
    GENERATOR, "pggan", "1.0.0",
    "Progressive GAN: pixel norm, nearest up-sampling, levels of detail, six key layouts",
    .source =
        "Karras, Aila, Laine, Lehtinen 2018; progressive_growing_of_gans 2504c3f3, pytorch_GAN_zoo b75dee40, "
        "genforce 197feee8, interfacegan 8da3fc0f, GANLatentDiscovery 5ca8d67b",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
