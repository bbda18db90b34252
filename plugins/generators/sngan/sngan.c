/* sngan.c — generator/sngan: the residual generator of SNGAN (Miyato et al. 2018, appendix B.4) in three key
 * layouts, which differ in how the shortcut and the enlarging are made. README.md says how.
 *
 * z [N, z_dim] -> dense to bottom x bottom, then residual blocks that double, then batch norm, ReLU and a 3x3
 * convolution: image [N, channels, bottom << blocks, same] in [-1, 1]. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_BLOCKS 8

static const char *const layouts[] = {"discovery", "chainer", "mimicry", NULL};
typedef enum layout { DISCOVERY, CHAINER, MIMICRY } layout;

static const lw_param params[] = {
    {"layout", LW_PARAM_CHOICE, NULL, "discovery", 0, 0, layouts,
     "Key layout and arithmetic: GANLatentDiscovery, the official sngan_projection (Chainer), or mimicry; "
     "found from the weights."},
    {"z_dim", LW_PARAM_INT, NULL, "128", 1, 4096, NULL,
     "Size of the latent (paper: 128); found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[256, 256, 256, 256]", 1, 4096, NULL,
     "Feature maps at the bottom and after each doubling (paper, table 4: this list, 32x32); found from the "
     "weights."},
    {"bottom", LW_PARAM_INT, "px", "4", 1, 64, NULL,
     "Side of the first map (all projects: 4); found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 100000, NULL,
     "Classes of the conditional batch norm, layout chainer only; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999, NULL,
     "The class of a conditional model where no labels are given."},
};

static layout layout_of(const lw_args *args)
{
    const char *name = lw_text(args, "layout");
    return strcmp(name, "chainer") == 0 ? CHAINER : strcmp(name, "mimicry") == 0 ? MIMICRY : DISCOVERY;
}

/* --- names -------------------------------------------------------------------------------------- */

#define NAME 64
typedef enum role { DENSE, CONV1, CONV2, SHORTCUT, NORM1, NORM2, LAST_NORM, LAST_CONV } role;

/* `block` counts from 0; of LAST_NORM and LAST_CONV it is the number of blocks. */
static const char *layer_name(layout l, role r, int block, char name[NAME])
{
    static const char *const discovery[] = {"model.0",           "model.%d.conv1",   "model.%d.conv2",
                                            "model.%d.bypass.1", "model.%d.model.0", "model.%d.model.4",
                                            "model.%d",          "model.%d"};
    static const char *const others[] = {"l1",         "block%d.c1", "block%d.c2", "block%d.c_sc",
                                         "block%d.b1", "block%d.b2", "b%d",        "c%d"};
    snprintf(name, NAME, l == DISCOVERY ? discovery[r] : others[r],
             block + 2 + (l == DISCOVERY && r == LAST_CONV ? 2 : 0));
    for (char *c = name; l == CHAINER && *c; c++)
        *c = *c == '.' ? '/' : *c;
    return name;
}

static const char *weight_suffix(layout l)
{
    return l == CHAINER ? "/W" : ".weight";
}

static const char *bias_suffix(layout l)
{
    return l == CHAINER ? "/b" : ".bias";
}

/* --- what the weights tell ------------------------------------------------------------------------ */

typedef struct found {
    int blocks;
    int64_t z_dim, bottom, widths[MAX_BLOCKS + 1], channels, classes;
} found;

static bool shape_of(const lw_weights *weights, lw_shape *shape, layout l, role r, int block, bool bias)
{
    char name[NAME];
    return lw_weights_shape(weights, shape, "%s%s", layer_name(l, r, block, name),
                            bias ? bias_suffix(l) : weight_suffix(l));
}

/* The official 64- and 128-pixel networks call their last convolution l6 and l7, the 32-pixel one c5. */
static bool look_for_last(const lw_weights *weights, lw_shape *shape, layout l, int blocks)
{
    return shape_of(weights, shape, l, LAST_CONV, blocks, true) ||
           (l == CHAINER && lw_weights_shape(weights, shape, "l%d/b", blocks + 2));
}

static bool look_for(const lw_weights *weights, layout l, found *f)
{
    lw_shape dense, shape;
    char name[NAME];
    *f = (found){0};
    if (!shape_of(weights, &dense, l, DENSE, 0, false) || dense.rank != 2 ||
        !shape_of(weights, &shape, l, CONV1, 0, false) || shape.rank != 4)
        return false;
    f->z_dim = dense.dim[1];
    f->widths[0] = shape.dim[1];
    for (; f->blocks < MAX_BLOCKS && shape_of(weights, &shape, l, CONV2, f->blocks, true); f->blocks++)
        f->widths[f->blocks + 1] = shape.dim[0];
    if (f->blocks == 0 || !look_for_last(weights, &shape, l, f->blocks))
        return false;
    f->channels = shape.dim[0];
    f->bottom = llround(sqrt((double)dense.dim[0] / (double)f->widths[0]));
    if (l == CHAINER && lw_weights_shape(weights, &shape, "%s/gammas/W", layer_name(l, NORM1, 0, name)))
        f->classes = shape.dim[0];
    return true;
}

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    found f;
    int i = 0;
    while (layouts[i] && !look_for(weights, (layout)i, &f))
        i++;
    if (!layouts[i])
        return lw_fail(LW_UNSUPPORTED,
                       "no SNGAN generator: neither model.0 and model.2.conv1 (GANLatentDiscovery), l1/W and "
                       "block2/c1/W (sngan_projection) nor l1.weight and block2.c1.weight (mimicry)");
    LW_TRY(lw_args_set_text(args, "layout", layouts[i]));
    LW_TRY(lw_args_set_ints(args, "widths", f.widths, f.blocks + 1));
    LW_TRY(lw_args_set_int(args, "z_dim", f.z_dim));
    LW_TRY(lw_args_set_int(args, "bottom", f.bottom));
    LW_TRY(lw_args_set_int(args, "channels", f.channels));
    return lw_args_set_int(args, "classes", f.classes);
}

static int block_count(const lw_args *args)
{
    return lw_list_count(args, "widths") - 1;
}

static void dims(const lw_args *args, lw_dims *dims)
{
    int64_t side = lw_int(args, "bottom") << block_count(args);
    lw_dims_set(dims, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", side);
    lw_dims_set(dims, "width", side);
    if (lw_int(args, "classes") > 0)
        lw_dims_set(dims, "classes", lw_int(args, "classes"));
}

/* --- the network ---------------------------------------------------------------------------------- */

typedef struct network {
    lw_graph *g;
    layout layout;
    lw_value labels; /* [N, classes], or null */
} network;

/* A weight with Glorot's uniform distribution, and its bias. */
static lw_value glorot(const network *n, lw_shape shape, double gain, const char *name, lw_value *bias)
{
    double patch = (double)lw_shape_count(shape) / (double)(shape.dim[0] * shape.dim[1]);
    double bound = gain * sqrt(6 / ((double)(shape.dim[0] + shape.dim[1]) * patch));
    *bias =
        lw_weight(n->g, LW_SHAPE(shape.dim[0]), lw_init_constant(0), "%s%s", name, bias_suffix(n->layout));
    return lw_weight(n->g, shape, lw_init_uniform(-bound, bound), "%s%s", name, weight_suffix(n->layout));
}

/* x [N, C, h, w] -> [N, out, h, w] by a k x k convolution */
static lw_value convolve(const network *n, lw_value x, int64_t out, int k, double gain, const char *name)
{
    lw_value bias, weight = glorot(n, LW_SHAPE(out, lw_dim(n->g, x, 1), k, k), gain, name, &bias);
    return lw_conv2d(n->g, x, weight, .padding = k / 2, .bias = bias);
}

/* GANLatentDiscovery's files hold the convolutions of a block twice, as conv1 and as its place in a
 * Sequential, in the same storage; loading fills the Sequential's last, so that one counts. */
static const char *choose_copy(const network *n, int block, role r, int64_t in, int64_t out, char name[NAME])
{
    char copy[NAME];
    snprintf(copy, sizeof copy, "model.%d.model.%d", block + 2, r == CONV1 ? 3 : 6);
    layer_name(n->layout, r, block, name);
    if (n->layout != DISCOVERY || !lw_has_weight(n->g, "%s.weight", copy))
        return name;
    lw_buffer(n->g, LW_SHAPE(out, in, 3, 3), lw_init_constant(0), "%s.weight", name);
    lw_buffer(n->g, LW_SHAPE(out), lw_init_constant(0), "%s.bias", name);
    return strcpy(name, copy);
}

/* Chainer's batch norm by running statistics (eps 2e-5), its gain and bias by class where it is conditional.
 * x [N, C, h, w] -> the same */
static lw_value chainer_norm(const network *n, lw_value x, const char *name, bool conditional)
{
    lw_graph *g = n->g;
    int64_t channels = lw_dim(g, x, 1);
    lw_shape wide = LW_SHAPE(1, channels, 1, 1);
    if (lw_is_training(g))
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "layout chainer is for files made by sngan_projection; train layout discovery");
    lw_value mean = lw_buffer(g, LW_SHAPE(channels), lw_init_constant(0), "%s/avg_mean", name);
    lw_value variance = lw_buffer(g, LW_SHAPE(channels), lw_init_constant(1), "%s/avg_var", name);
    if (lw_has_weight(g, "%s/N", name)) /* how many batches the statistics saw */
        lw_buffer(g, LW_SCALAR, lw_init_constant(0), "%s/N", name);
    lw_value gain, bias;
    if (conditional) {
        int64_t classes = lw_dim(g, n->labels, 1);
        gain = lw_weight(g, LW_SHAPE(classes, channels), lw_init_constant(1), "%s/gammas/W", name);
        bias = lw_weight(g, LW_SHAPE(classes, channels), lw_init_constant(0), "%s/betas/W", name);
        lw_shape each = LW_SHAPE(lw_dim(g, n->labels, 0), channels, 1, 1);
        gain = lw_reshape(g, lw_matmul(g, n->labels, gain), each);
        bias = lw_reshape(g, lw_matmul(g, n->labels, bias), each);
    } else {
        gain = lw_reshape(g, lw_weight(g, LW_SHAPE(channels), lw_init_constant(1), "%s/gamma", name), wide);
        bias = lw_reshape(g, lw_weight(g, LW_SHAPE(channels), lw_init_constant(0), "%s/beta", name), wide);
    }
    lw_value scale = lw_reshape(g, lw_rsqrt(g, lw_affine(g, variance, 1, 2e-5)), wide);
    x = lw_mul(g, lw_sub(g, x, lw_reshape(g, mean, wide)), scale);
    return lw_add(g, lw_mul(g, x, gain), bias);
}

static lw_value normalize(const network *n, lw_value x, role r, int block)
{
    char name[NAME];
    layer_name(n->layout, r, block, name);
    x = n->layout == CHAINER ? chainer_norm(n, x, name, r != LAST_NORM && !lw_is_null(n->labels))
                             : lw_batch_norm(n->g, x, "%s", name);
    return lw_relu(n->g, x);
}

/* x with its first and last row or column twice: [.., s, ..] -> [.., s + 2, ..] */
static lw_value repeat_edges(lw_graph *g, lw_value x, int axis)
{
    lw_value first = lw_slice(g, x, axis, 0, 1, 1), last = lw_slice(g, x, axis, lw_dim(g, x, axis) - 1, 1, 1);
    return lw_concat(g, (const lw_value[]){first, x, last}, 3, axis);
}

/* x [N, C, s, s] -> [N, C, 2s, 2s]: nearest; mimicry's is bilinear (align_corners false) */
static lw_value enlarge(const network *n, lw_value x)
{
    if (n->layout != MIMICRY)
        return lw_upsample_nearest2d(n->g, x, 2);
    x = repeat_edges(n->g, repeat_edges(n->g, x, 2), 3);
    return lw_resample2d(n->g, x, .up = 2, .after = -1, .tap_count = 4, .taps = {0.25f, 0.75f, 0.75f, 0.25f});
}

/* x [N, in, s, s] -> [N, out, 2s, 2s] */
static lw_value residual_block(const network *n, lw_value x, int block, int64_t out)
{
    lw_graph *g = n->g;
    char name[NAME];
    int64_t in = lw_dim(g, x, 1);
    lw_value h = enlarge(n, normalize(n, x, NORM1, block));
    h = convolve(n, h, out, 3, sqrt(2), choose_copy(n, block, CONV1, in, out, name));
    h = convolve(n, normalize(n, h, NORM2, block), out, 3, sqrt(2),
                 choose_copy(n, block, CONV2, out, out, name));
    lw_value shortcut = enlarge(n, x);
    if (n->layout != DISCOVERY || in != out)
        shortcut = convolve(n, shortcut, out, n->layout == DISCOVERY ? 3 : 1, 1,
                            layer_name(n->layout, SHORTCUT, block, name));
    return lw_tap(g, lw_add(g, h, shortcut), "block%d", block);
}

/* Given labels, or the row of the parameter's class: [N, classes]; null for an unconditional model. */
static lw_value choose_labels(lw_graph *g, const lw_args *args, int64_t count)
{
    int64_t classes = lw_int(args, "classes"), chosen = lw_int(args, "class");
    if (classes == 0 || !lw_is_null(lw_labels(g)))
        return classes ? lw_labels(g) : (lw_value){0};
    if (chosen >= classes)
        return lw_graph_fail(g, LW_INVALID, "class %lld is none of the model's 0 … %lld", (long long)chosen,
                             (long long)classes - 1);
    lw_value row = lw_equal(g, lw_iota(g, classes), lw_scalar(g, (double)chosen));
    return lw_broadcast(g, lw_reshape(g, row, LW_SHAPE(1, classes)), LW_SHAPE(count, classes));
}

/* z [N, z_dim] -> image [N, channels, side, side] */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    int blocks = block_count(args);
    int64_t bottom = lw_int(args, "bottom"), first = lw_list_int(args, "widths", 0);
    network n = {g, layout_of(args), choose_labels(g, args, lw_dim(g, z, 0))};
    if (n.layout != CHAINER && lw_int(args, "classes") > 0)
        return lw_graph_fail(g, LW_UNSUPPORTED, "only layout chainer has classes");
    char name[NAME];
    lw_value bias, weight = glorot(&n, LW_SHAPE(first * bottom * bottom, lw_int(args, "z_dim")), 1,
                                   layer_name(n.layout, DENSE, 0, name), &bias);
    lw_value h = lw_tap(g, lw_unflatten(g, lw_linear(g, z, weight, bias), bottom, bottom), "dense");
    h = lw_tap(g, h, "affine0");
    for (int block = 0; block < blocks; block++)
        h = residual_block(&n, h, block, lw_list_int(args, "widths", block + 1));
    h = normalize(&n, h, LAST_NORM, blocks);
    layer_name(n.layout, LAST_CONV, blocks, name);
    if (n.layout == CHAINER && lw_has_weight(g, "l%d/W", blocks + 2))
        name[0] = 'l';
    return lw_tanh(g, convolve(&n, h, lw_int(args, "channels"), 3, 1, name));
}

static const char *const provides[] = {"synthesize", "affine", NULL};
static const char *const prefixes[] = {"G.", "", NULL};
static const lw_generator functions = {sizeof(lw_generator), detect, dims, NULL, synthesize};

LW_PLUGIN(GENERATOR, "sngan", "1.0.0",
          "SNGAN: residual blocks with batch norm, unconditional or by class, three key layouts",
          .source = "Miyato, Kataoka, Koyama, Yoshida 2018; GANLatentDiscovery 5ca8d67b, sngan_projection "
                    "e84b1a5f, mimicry a7fda06c",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
