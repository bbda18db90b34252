/* stylegan.c — the StyleGAN generator (Karras et al. 2019).
 *
 * z [N, z_dim] -> w [N, w_dim] by a mapping network; w sets mean and deviation of every channel of a
 * synthesis network that starts from a constant: image [N, channels, side, side], nominally in [-1, 1].
 * README.md says which file has which keys. */
#include "synthesis.h"

#include <math.h>
#include <string.h>

static const char *const fused_scales[] = {"auto", "true", "false", NULL};
static const char *const outputs[] = {"none", "tanh", NULL};
static const char *const noise_modes[] = {"const", "none", "random", NULL};

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "genforce", .choices = sg1_layouts,
     .doc = "Whose keys: genforce and sefa (also what is imported from TensorFlow), InterFaceGAN, or "
            "pytorch_GAN_zoo, which is another network; found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[512, 512, 512, 512, 256, 128, 64, 32, 16]", 1, 4096,
     .doc =
         "Channels at 4x4, 8x8, …, which also says the side (default: 1024x1024); found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 64, .doc = "Image channels; found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "512", 1, 8192, .doc = "Size of z; found from the weights."},
    {"w_dim", LW_PARAM_INT, NULL, "512", 1, 8192, .doc = "Size of w; found from the weights."},
    {"mapping_layers", LW_PARAM_INT, NULL, "8", 1, 64,
     .doc = "Layers of the mapping network (paper: 8); found from the weights."},
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
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999,
     .doc = "The class of every image, where no labels are given."},
    {"fused_scale", LW_PARAM_CHOICE, NULL, "auto", .choices = fused_scales,
     .doc = "Layers that enlarge by a transposed convolution: from 128x128 on, all, or none (official: "
            "auto); found from InterFaceGAN's keys, else taken from constructor arguments."},
    {"lod", LW_PARAM_FLOAT, NULL, "0", 0, 16,
     .doc = "Level of detail: 1 gives the image of half the side, enlarged; fractions blend two; found from "
            "the weights."},
    {"output", LW_PARAM_CHOICE, NULL, "none", .choices = outputs,
     .doc = "Last activation (genforce's final_tanh); taken from constructor arguments."},
    {"noise_mode", LW_PARAM_CHOICE, NULL, "const", .choices = noise_modes,
     .doc = "The noise of every layer: as stored (genforce's default), none, or drawn anew; the zoo, which "
            "stores none: random."},
    {"truncation_psi", LW_PARAM_FLOAT, NULL, "1", -10, 10,
     .doc = "w is drawn to its mean: mean + psi (w - mean); 1 is none (the official figures: 0.7; the zoo: "
            "0.5, always)."},
    {"truncation_cutoff", LW_PARAM_INT, "layers", "", 0, 64,
     .doc = "How many layers take the truncated w; absent: all (the official figures: 8)."},
};

/* --- finding -------------------------------------------------------------------------------- */

static lw_status find_mapping(const lw_weights *weights, const sg1_keys *keys, lw_args *args, int64_t w_dim)
{
    char name[SG2_NAME];
    lw_shape first, last, label;
    int layers = 0;
    while (layers < 64 &&
           lw_weights_shape(weights, &last, "%s", sg1_name(keys, SG1_DENSE_WEIGHT, layers, name)) &&
           last.rank == 2)
        layers++;
    if (layers == 0 || !lw_weights_shape(weights, &first, "%s", sg1_name(keys, SG1_DENSE_WEIGHT, 0, name)) ||
        !lw_weights_shape(weights, &last, "%s", sg1_name(keys, SG1_DENSE_WEIGHT, layers - 1, name)))
        return lw_fail(LW_SHAPE, "the weights have no mapping network ('%s')",
                       sg1_name(keys, SG1_DENSE_WEIGHT, 0, name));
    bool labelled = lw_weights_shape(weights, &label, "mapping.label_weight") && label.rank == 2;
    LW_TRY(lw_args_set_int(args, "classes", labelled ? label.dim[0] : 0));
    LW_TRY(lw_args_set_int(args, "z_dim", labelled ? label.dim[1] : first.dim[1]));
    LW_TRY(lw_args_set_int(args, "w_dim", w_dim));
    LW_TRY(lw_args_set_int(args, "mapping_layers", layers));
    LW_TRY(lw_args_set_bool(args, "repeat_w", last.dim[0] == w_dim));
    return layers > 1 ? lw_args_set_int(args, "mapping_width", first.dim[0]) : LW_OK;
}

/* A choice that detect found, for a parameter that the user did not give. */
static lw_status choose(lw_args *args, const char *key, const char *value)
{
    return lw_is_given(args, key) ? LW_OK : lw_args_set_text(args, key, value);
}

/* InterFaceGAN names a fused layer's convolution otherwise: the first and last enlarging layers tell
 * which. */
static lw_status find_fused(const lw_weights *weights, const sg1_keys *keys, lw_args *args, int blocks)
{
    char text[16];
    double value;
    if (strcmp(keys->layout, "interfacegan") == 0) {
        bool all = lw_weights_shape(weights, NULL, "synthesis.layer2.weight");
        bool last = lw_weights_shape(weights, NULL, "synthesis.layer%d.weight", 2 * blocks - 2);
        return lw_args_set_text(args, "fused_scale", all ? "true" : last ? "auto" : "false");
    }
    if (keys->zoo)
        return lw_args_set_text(args, "fused_scale", "false");
    if (lw_weights_config_number(weights, "fused_scale", &value))
        return choose(args, "fused_scale", value != 0 ? "true" : "false");
    if (lw_weights_config_text(weights, "fused_scale", text, sizeof text))
        return choose(args, "fused_scale", text);
    return LW_OK;
}

/* What shapes cannot tell. The zoo's network truncates and draws noise by itself; its alpha is a fraction of
 * lod. */
static lw_status find_config(const lw_weights *weights, const sg1_keys *keys, lw_args *args)
{
    double value;
    if (lw_weights_number(weights, &value, "synthesis.lod") ||
        (keys->zoo && lw_weights_config_number(weights, "alpha", &value)))
        LW_TRY(sg2_found(args, "lod", value));
    if (lw_weights_config_number(weights, "mapping_lr_mul", &value))
        LW_TRY(sg2_found(args, "mapping_lr", value));
    if (lw_weights_config_number(weights, "final_tanh", &value))
        LW_TRY(choose(args, "output", value != 0 ? "tanh" : "none"));
    if (!keys->zoo)
        return LW_OK;
    LW_TRY(choose(args, "noise_mode", "random"));
    return sg2_found(args, "truncation_psi",
                     lw_weights_config_number(weights, "phiTruncation", &value) ? value : 0.5);
}

static lw_status find_sizes(const lw_weights *weights, const sg1_keys *keys, lw_args *args)
{
    char name[SG2_NAME];
    int64_t widths[16];
    lw_shape shape, rgb;
    int blocks = 0;
    while (blocks < 16 &&
           lw_weights_shape(weights, &shape, "%s", sg1_name(keys, SG1_WEIGHT, 2 * blocks + 1, name)))
        widths[blocks++] = shape.dim[0];
    if (blocks < 2 ||
        !lw_weights_shape(weights, &rgb, "%s", sg1_name(keys, SG1_RGB_WEIGHT, blocks - 1, name)) ||
        !lw_weights_shape(weights, &shape, "%s", sg1_name(keys, SG1_STYLE_WEIGHT, 0, name)))
        return lw_fail(LW_SHAPE, "the weights lack layers, colours of the last block, or '%s'",
                       sg1_name(keys, SG1_STYLE_WEIGHT, 0, name));
    LW_TRY(lw_args_set_ints(args, "widths", widths, blocks));
    LW_TRY(lw_args_set_int(args, "channels", rgb.dim[0]));
    LW_TRY(find_fused(weights, keys, args, blocks));
    return find_mapping(weights, keys, args, shape.dim[1]);
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    const sg1_keys *keys;
    for (int i = 0; (keys = sg1_keys_at(i)); i++) {
        char name[SG2_NAME];
        if (!lw_weights_shape(weights, NULL, "%s", sg1_name(keys, SG1_WEIGHT, 0, name)))
            continue;
        LW_TRY(lw_args_set_text(args, "layout", keys->layout));
        LW_TRY(find_sizes(weights, keys, args));
        return find_config(weights, keys, args);
    }
    return lw_fail(LW_UNSUPPORTED,
                   "no StyleGAN generator: neither synthesis.layer0.const (genforce), "
                   "synthesis.layer0.first_layer (InterFaceGAN) nor baseScale0 (pytorch_GAN_zoo)");
}

/* --- latents -------------------------------------------------------------------------------- */

/* z [N, z_dim] -> w [N, w_dim]; a label's vector is put beside z before both are normalised together. */
static lw_value map(lw_graph *g, const lw_args *args, lw_value z)
{
    const sg1_keys *keys = sg1_keys_of(lw_text(args, "layout"));
    int layers = (int)lw_int(args, "mapping_layers");
    int64_t classes = lw_int(args, "classes"), w_dim = lw_int(args, "w_dim");
    lw_value x = z;
    if (classes == 0 && lw_int(args, "class") > 0)
        return lw_graph_fail(g, LW_INVALID, "the model has no classes; leave the parameter 'class' out");
    if (classes > 0) {
        lw_shape shape = LW_SHAPE(classes, lw_int(args, "z_dim"));
        lw_value matrix = lw_weight(g, shape, lw_init_normal(0, 1), "mapping.label_weight");
        lw_value label = lw_matmul(g, sg2_labels(g, args, lw_dim(g, z, 0)), matrix);
        x = lw_concat(g, (const lw_value[]){z, label}, 2, 1);
    }
    x = sg2_normalize(g, x);
    for (int i = 0; i < layers; i++) {
        char weight[SG2_NAME], bias[SG2_NAME];
        int64_t last = w_dim * (lw_bool(args, "repeat_w") ? 1 : sg2_layer_count(args));
        const sg1_dense dense = {i + 1 < layers ? lw_int(args, "mapping_width") : last, sqrt(2),
                                 lw_float(args, "mapping_lr")};
        sg1_name(keys, SG1_DENSE_WEIGHT, i, weight);
        sg1_name(keys, SG1_DENSE_BIAS, i, bias);
        x = lw_leaky_relu(g, sg1_linear(g, keys, x, &dense, weight, bias), 0.2);
    }
    return lw_tap(g, x, "w");
}

/* w [N, w_dim] -> w, or w+ [N, num_ws, w_dim] where only some layers take the truncated one. */
static lw_value truncate(lw_graph *g, const lw_args *args, lw_value w)
{
    const sg1_keys *keys = sg1_keys_of(lw_text(args, "layout"));
    double psi = lw_float(args, "truncation_psi");
    int64_t layers = sg2_layer_count(args), size = lw_dim(g, w, 1);
    int64_t cutoff = lw_is_set(args, "truncation_cutoff") ? lw_int(args, "truncation_cutoff") : layers;
    char name[SG2_NAME];
    lw_value mean = lw_buffer(g, keys->zoo ? LW_SHAPE(1, size) : LW_SHAPE(size), lw_init_constant(0), "%s",
                              sg1_name(keys, SG1_MEAN, 0, name));
    if (lw_has_weight(
            g, "truncation.truncation")) /* InterFaceGAN's psi by layer, made anew by its constructor */
        lw_buffer(g, LW_SHAPE(1, layers, 1), lw_init_constant(0), "truncation.truncation");
    if (psi == 1 || cutoff == 0)
        return w;
    return sg2_draw(g, w, mean, psi, cutoff, layers, lw_bool(args, "repeat_w"));
}

/* w [N, w_dim] or w+ [N, num_ws, w_dim] -> image [N, channels, side, side]. */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value latent)
{
    if (lw_has_weight(g, "synthesis.lod")) /* read by detect */
        lw_buffer(g, LW_SCALAR, lw_init_constant(0), "synthesis.lod");
    if (!lw_bool(args, "repeat_w"))
        latent = lw_reshape(g, latent,
                            LW_SHAPE(lw_dim(g, latent, 0), sg2_layer_count(args), lw_int(args, "w_dim")));
    return sg1_synthesize(g, args, latent);
}

static const char *const provides[] = {"synthesize", "map", "affine", NULL};
static const char *const prefixes[] = {"generator_smooth.", "generator.", "avgG.", "netG.", "G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, sg2_dims, map, synthesize, truncate};

LW_PLUGIN(GENERATOR, "stylegan", "1.0.0", "StyleGAN: adaptive instance normalisation, three key layouts",
          .source = "Karras et al. 2019; genforce/sefa 0d160602, genforce/interfacegan 8da3fc0f, "
                    "pytorch_GAN_zoo b75dee40",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
