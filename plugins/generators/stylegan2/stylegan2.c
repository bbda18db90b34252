/* stylegan2.c — the StyleGAN2 generator (Karras et al. 2020), with the options of stylegan2-ada-pytorch.
 *
 * z [N, z_dim] -> w [N, w_dim] by a mapping network; w modulates the convolutions of a synthesis network that
 * starts from a constant: image [N, channels, side, side], nominally in [-1, 1]. README.md says which file
 * has which keys. */
#include "synthesis.h"

#include <stdio.h>
#include <string.h>

#include <latentwalk/random.h>

static const char *const architectures[] = {"skip", "resnet", "orig", NULL};
static const char *const outputs[] = {"none", "tanh", NULL};
static const char *const noise_modes[] = {"const", "none", "random", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "nvidia", .choices = sg2_layouts,
     .doc = "Whose keys: NVIDIA's PyTorch (also what is imported from TensorFlow), "
            "rosinality/stylegan2-pytorch, or genforce and sefa; found from the weights."},
    {"architecture", LW_PARAM_CHOICE, NULL, "skip", .choices = architectures,
     .doc = "How the image leaves the network: colours of every block summed, residual blocks, or neither; "
            "found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[512, 512, 512, 512, 512, 256, 128, 64, 32]", 1, 4096,
     .doc = "Channels at 4x4, 8x8, …, which also says the side (default: config-f at 1024x1024); found from "
            "the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 64, .doc = "Image channels; found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "512", 1, 8192, .doc = "Size of z; found from the weights."},
    {"w_dim", LW_PARAM_INT, NULL, "512", 1, 8192, .doc = "Size of w; found from the weights."},
    {"mapping_layers", LW_PARAM_INT, NULL, "8", 1, 64,
     .doc = "Layers of the mapping network (config-f: 8, ada's auto: 2); found from the weights."},
    {"mapping_width", LW_PARAM_INT, NULL, "512", 1, 8192,
     .doc = "Width between them; found from the weights."},
    {"mapping_lr", LW_PARAM_FLOAT, NULL, "0.01", 1e-6, 1,
     .doc = "Learning rate multiplier of the mapping, a factor of its weights; taken from constructor "
            "arguments."},
    {"repeat_w", LW_PARAM_BOOL, NULL, "true",
     .doc = "One w for all layers; false (genforce): the mapping gives one for each, all of them together "
            "being w; found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 100000,
     .doc = "Number of classes, 0 for none; found from the weights."},
    {"embed_width", LW_PARAM_INT, NULL, "512", 1, 8192,
     .doc = "Size of the class embedding; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999,
     .doc = "The class of every image, where no labels are given."},
    {"conv_clamp", LW_PARAM_FLOAT, NULL, "", 1e-3, 1e6,
     .doc = "Bound of every layer's values (256 where trained with FP16); absent: none; taken from "
            "constructor arguments."},
    {"output", LW_PARAM_CHOICE, NULL, "none", .choices = outputs,
     .doc = "Last activation (genforce's final_tanh); taken from constructor arguments."},
    {"noise_mode", LW_PARAM_CHOICE, NULL, "const", .choices = noise_modes,
     .doc = "The noise of every layer: as stored, none, or drawn anew (the official scripts: const)."},
    {"truncation_psi", LW_PARAM_FLOAT, NULL, "1", -10, 10,
     .doc = "w is drawn to its mean: mean + psi (w - mean); 1 is none (the official scripts: 1)."},
    {"truncation_cutoff", LW_PARAM_INT, "layers", "", 0, 64,
     .doc = "How many layers take the truncated w; absent: all (official)."},
};

/* --- finding -------------------------------------------------------------------------------- */

static lw_status find_mapping(const lw_weights *weights, const sg2_keys *keys, lw_args *args, int64_t w_dim)
{
    char name[SG2_NAME];
    lw_shape first, last, label;
    int layers = 0;
    while (layers < 64 && lw_weights_shape(weights, &last, "%s", sg2_dense_name(keys, layers, false, name)) &&
           last.rank == 2)
        layers++;
    if (layers == 0 || !lw_weights_shape(weights, &first, "%s", sg2_dense_name(keys, 0, false, name)) ||
        !lw_weights_shape(weights, &last, "%s", sg2_dense_name(keys, layers - 1, false, name)))
        return lw_fail(LW_SHAPE, "the weights have no mapping network ('%s')",
                       sg2_dense_name(keys, 0, false, name));
    int64_t z_dim = first.dim[1];
    if (keys->label && lw_weights_shape(weights, &label, "%s", keys->label) && label.rank == 2) {
        z_dim = label.dim[1];
        LW_TRY(lw_args_set_int(args, "classes", label.dim[0]));
    } else if (!keys->label && lw_weights_shape(weights, &label, "mapping.embed.weight") && label.rank == 2) {
        z_dim -= label.dim[0];
        LW_TRY(lw_args_set_int(args, "classes", label.dim[1]));
        LW_TRY(lw_args_set_int(args, "embed_width", label.dim[0]));
    } else {
        LW_TRY(lw_args_set_int(args, "classes", 0));
    }
    LW_TRY(lw_args_set_int(args, "z_dim", z_dim));
    LW_TRY(lw_args_set_int(args, "w_dim", w_dim));
    LW_TRY(lw_args_set_int(args, "mapping_layers", layers));
    LW_TRY(lw_args_set_bool(args, "repeat_w", last.dim[0] == w_dim));
    return layers > 1 ? lw_args_set_int(args, "mapping_width", first.dim[0]) : LW_OK;
}

/* What shapes cannot tell, by the names of the official constructors and of genforce's. */
static lw_status find_config(const lw_weights *weights, lw_args *args)
{
    static const char *const clamps[] = {"conv_clamp", "synthesis_kwargs.conv_clamp", NULL};
    static const char *const rates[] = {"mapping_kwargs.lr_multiplier", "mapping_lr_multiplier",
                                        "mapping_lr_mul", NULL};
    double value;
    for (int i = 0; clamps[i]; i++)
        if (lw_weights_config_number(weights, clamps[i], &value))
            LW_TRY(sg2_found(args, "conv_clamp", value));
    for (int i = 0; rates[i]; i++)
        if (lw_weights_config_number(weights, rates[i], &value))
            LW_TRY(sg2_found(args, "mapping_lr", value));
    if (lw_weights_config_number(weights, "final_tanh", &value) && !lw_is_given(args, "output"))
        return lw_args_set_text(args, "output", value != 0 ? "tanh" : "none");
    return LW_OK;
}

static lw_status find_sizes(const lw_weights *weights, const sg2_keys *keys, lw_args *args)
{
    char name[SG2_NAME];
    int64_t widths[16];
    lw_shape shape, rgb;
    int blocks = 0;
    while (blocks < 16 &&
           lw_weights_shape(weights, &shape, "%s%s", sg2_layer_name(keys, 2 * blocks, name), keys->weight))
        widths[blocks++] = sg2_outputs(keys, shape);
    if (!lw_weights_shape(weights, &rgb, "%s%s", sg2_rgb_name(keys, blocks - 1, name), keys->weight) ||
        !lw_weights_shape(weights, &shape, "%s%s", sg2_layer_name(keys, 0, name), keys->style_weight))
        return lw_fail(LW_SHAPE, "the weights lack '%s%s' or '%s%s'", sg2_rgb_name(keys, blocks - 1, name),
                       keys->weight, sg2_layer_name(keys, 0, name), keys->style_weight);
    bool skip = lw_weights_shape(weights, NULL, "%s%s", sg2_rgb_name(keys, 0, name), keys->weight);
    bool resnet = lw_weights_shape(weights, NULL, "%s.weight", sg2_skip_name(1, name));
    LW_TRY(lw_args_set_ints(args, "widths", widths, blocks));
    LW_TRY(lw_args_set_int(args, "channels", sg2_outputs(keys, rgb)));
    LW_TRY(lw_args_set_text(args, "architecture", resnet ? "resnet" : skip ? "skip" : "orig"));
    return find_mapping(weights, keys, args, shape.dim[1]);
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    const sg2_keys *keys;
    for (int i = 0; (keys = sg2_keys_at(i)); i++) {
        lw_shape shape;
        char name[SG2_NAME];
        if (!lw_weights_shape(weights, NULL, "%s", keys->constant) ||
            !lw_weights_shape(weights, &shape, "%s%s", sg2_layer_name(keys, 0, name), keys->weight) ||
            shape.rank != (keys->leading ? 5 : 4))
            continue;
        LW_TRY(lw_args_set_text(args, "layout", keys->layout));
        LW_TRY(find_sizes(weights, keys, args));
        return find_config(weights, args);
    }
    return lw_fail(
        LW_UNSUPPORTED,
        "no StyleGAN2 generator: neither synthesis.b4.const (NVIDIA), input.input (rosinality) nor "
        "synthesis.early_layer.const (genforce)");
}

/* --- latents -------------------------------------------------------------------------------- */

/* z [N, z_dim] -> normalised, with the class embedding beside it where there are classes. */
static lw_value mapping_input(lw_graph *g, const lw_args *args, const sg2_keys *keys, lw_value z)
{
    int64_t classes = lw_int(args, "classes"), z_dim = lw_int(args, "z_dim");
    if (classes == 0 && lw_int(args, "class") > 0)
        return lw_graph_fail(g, LW_INVALID, "the model has no classes; leave the parameter 'class' out");
    if (classes == 0)
        return sg2_normalize(g, z);
    lw_value labels = sg2_labels(g, args, lw_dim(g, z, 0));
    if (keys->label) { /* normalised together */
        lw_value matrix = lw_weight(g, LW_SHAPE(classes, z_dim), lw_init_normal(0, 1), "%s", keys->label);
        return sg2_normalize(g, lw_concat(g, (const lw_value[]){z, lw_matmul(g, labels, matrix)}, 2, 1));
    }
    const sg2_dense embed = {.out = lw_int(args, "embed_width")};
    lw_value y =
        sg2_normalize(g, sg2_linear(g, labels, &embed, "mapping.embed.weight", "mapping.embed.bias"));
    return lw_concat(g, (const lw_value[]){sg2_normalize(g, z), y}, 2, 1);
}

/* z [N, z_dim] -> w [N, w_dim] */
static lw_value mapping(lw_graph *g, const lw_args *args, lw_value z)
{
    const sg2_keys *keys = sg2_keys_of(lw_text(args, "layout"));
    int layers = (int)lw_int(args, "mapping_layers");
    int64_t w_dim = lw_int(args, "w_dim") * (lw_bool(args, "repeat_w") ? 1 : sg2_layer_count(args));
    lw_value x = mapping_input(g, args, keys, z);
    for (int i = 0; i < layers; i++) {
        char weight[SG2_NAME], bias[SG2_NAME];
        const sg2_dense layer = {.out = i + 1 < layers ? lw_int(args, "mapping_width") : w_dim,
                                 .lr = lw_float(args, "mapping_lr")};
        sg2_dense_name(keys, i, false, weight);
        sg2_dense_name(keys, i, true, bias);
        x = sg2_activate(g, sg2_linear(g, x, &layer, weight, bias), 1, 0);
    }
    return x;
}

/* In training the mean of w follows the batch's by 1 - 0.995 (w_avg_beta). */
static lw_value map(lw_graph *g, const lw_args *args, lw_value z)
{
    lw_value w = mapping(g, args, z);
    const char *mean = sg2_keys_of(lw_text(args, "layout"))->mean;
    if (lw_is_training(g) && lw_has_weight(g, "%s", mean))
        lw_track(g, lw_buffer(g, LW_SHAPE(lw_dim(g, w, 1)), lw_init_constant(0), "%s", mean),
                 lw_mean(g, w, LW_AXIS(0), false), 0.995);
    return lw_tap(g, w, "w");
}

/* rosinality's files may lack the mean; generate.py then takes that of 4096 mapped z. */
static lw_value mean_latent(lw_graph *g, const lw_args *args)
{
    enum { SAMPLES = 4096 };
    int64_t z_dim = lw_int(args, "z_dim");
    float *data = lw_alloc((size_t)(SAMPLES * z_dim), sizeof *data);
    if (!data)
        return lw_graph_fail(g, LW_MEMORY, "out of memory for the mean of w");
    lw_normal((lw_stream){.purpose = lw_purpose("stylegan2.mean")}, 0, (size_t)(SAMPLES * z_dim), data);
    lw_value z = lw_constant(g, LW_SHAPE(SAMPLES, z_dim), data);
    lw_free(data);
    return lw_mean(g, mapping(g, args, z), LW_AXIS(0), false);
}

/* w [N, w_dim] -> w, or w+ [N, num_ws, w_dim] where only some layers take the truncated one. */
static lw_value truncate(lw_graph *g, const lw_args *args, lw_value w)
{
    const sg2_keys *keys = sg2_keys_of(lw_text(args, "layout"));
    double psi = lw_float(args, "truncation_psi");
    int64_t layers = sg2_layer_count(args);
    int64_t cutoff = lw_is_set(args, "truncation_cutoff") ? lw_int(args, "truncation_cutoff") : layers;
    bool stored = strcmp(keys->layout, "rosinality") != 0 || lw_has_weight(g, "%s", keys->mean);
    lw_value mean = {0};
    if (stored)
        mean = lw_buffer(g, LW_SHAPE(lw_dim(g, w, 1)), lw_init_constant(0), "%s", keys->mean);
    if (psi == 1 || cutoff == 0)
        return w;
    if (!stored)
        mean = mean_latent(g, args);
    return sg2_draw(g, w, mean, psi, cutoff, layers, lw_bool(args, "repeat_w"));
}

/* w [N, w_dim] or w+ [N, num_ws, w_dim] -> image [N, channels, side, side]. */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value latent)
{
    if (!lw_bool(args, "repeat_w"))
        latent = lw_reshape(g, latent,
                            LW_SHAPE(lw_dim(g, latent, 0), sg2_layer_count(args), lw_int(args, "w_dim")));
    return sg2_synthesize(g, args, latent);
}

static const char *const provides[] = {"synthesize", "map", "affine", NULL};
static const char *const prefixes[] = {"G_ema.", "g_ema.", "generator_smooth.", "generator.", "G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, sg2_dims, map, synthesize, truncate};

LW_PLUGIN(
    GENERATOR, "stylegan2", "1.0.0",
    "StyleGAN2: modulated convolutions, three architectures, three key layouts",
    .source =
        "Karras et al. 2020; NVlabs/stylegan2-ada-pytorch d72cc7d0, rosinality/stylegan2-pytorch bef283a1, "
        "genforce/sefa 0d160602",
    LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
