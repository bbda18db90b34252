/* sngan.c — discriminator/sngan: the residual discriminator of SNGAN with spectral normalisation, and
 * projection of the class where it is conditional (Miyato et al. 2018; Miyato, Koyama 2018), under the
 * official Chainer names.
 *
 * image [N, channels, s, s] -> residual blocks, ReLU, sum over all places -> score [N, 1]. README.md has the
 * details. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <stdio.h>

#define MAX_BLOCKS 8

static const lw_param params[] = {
    {"size", LW_PARAM_INT, "px", "32", 8, 1024, NULL,
     "Side of the image; the weights do not tell (snresnet_32: 32)."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[128, 128, 128, 128]", 1, 4096, NULL,
     "Feature maps after each block (snresnet_32: this list); found from the weights."},
    {"halves", LW_PARAM_INTS, NULL, "[1, 1, 0, 0]", 0, 1, NULL,
     "1 for each block that halves the map (snresnet_32: this list); found from the weights: those with a "
     "shortcut convolution."},
    {"bias", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL,
     "Whether the last layer has a bias (snresnet_32: no); found from the weights."},
    {"classes", LW_PARAM_INT, NULL, "0", 0, 100000, NULL,
     "Classes that are projected on; found from the weights."},
    {"class", LW_PARAM_INT, NULL, "0", 0, 99999, NULL,
     "The class of a conditional model where no labels are given."},
};

/* --- what the weights tell ---------------------------------------------------------------------- */

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape first, shape;
    int64_t widths[MAX_BLOCKS], halves[MAX_BLOCKS];
    int blocks = 0;
    for (; blocks < MAX_BLOCKS && lw_weights_shape(weights, &shape, "block%d/c2/b", blocks + 1); blocks++) {
        widths[blocks] = shape.dim[0];
        halves[blocks] = lw_weights_shape(weights, NULL, "block%d/c_sc/W", blocks + 1);
    }
    if (blocks == 0 || !lw_weights_shape(weights, &first, "block1/c1/W") || first.rank != 4 ||
        !lw_weights_shape(weights, NULL, "block1/c1/u") ||
        !lw_weights_shape(weights, NULL, "l%d/W", blocks + 1))
        return lw_fail(
            LW_UNSUPPORTED,
            "no SNGAN discriminator: no block1/c1/W with its u, or no last layer l%d (sngan_projection)",
            blocks + 1);
    LW_TRY(lw_args_set_int(args, "channels", first.dim[1]));
    LW_TRY(lw_args_set_ints(args, "widths", widths, blocks));
    LW_TRY(lw_args_set_ints(args, "halves", halves, blocks));
    LW_TRY(lw_args_set_bool(args, "bias", lw_weights_shape(weights, NULL, "l%d/b", blocks + 1)));
    return lw_args_set_int(args, "classes", lw_weights_shape(weights, &shape, "l_y/W") ? shape.dim[0] : 0);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", lw_int(args, "size"));
    lw_dims_set(dims, "width", lw_int(args, "size"));
    if (lw_int(args, "classes") > 0)
        lw_dims_set(dims, "classes", lw_int(args, "classes"));
}

/* --- the network ---------------------------------------------------------------------------------- */

/* A weight divided by its largest singular value, as one power step from the stored u [1, out] estimates it
 * (max_sv.py); in training u goes on. */
static lw_value spectral(lw_graph *g, lw_shape shape, double gain, const char *name)
{
    double patch = (double)lw_shape_count(shape) / (double)(shape.dim[0] * shape.dim[1]);
    double bound = gain * sqrt(6 / ((double)(shape.dim[0] + shape.dim[1]) * patch));
    lw_value weight = lw_weight(g, shape, lw_init_uniform(-bound, bound), "%s/W", name);
    lw_value u = lw_buffer(g, LW_SHAPE(1, shape.dim[0]), lw_init_normal(0, 1), "%s/u", name);
    return lw_div(g, weight, lw_spectral_norm(g, weight, u));
}

/* x [N, in, s, s] -> [N, out, s, s] by a k x k convolution */
static lw_value convolve(lw_graph *g, lw_value x, int64_t out, int k, const char *format, int block)
{
    char name[48];
    snprintf(name, sizeof name, format, block);
    lw_value weight = spectral(g, LW_SHAPE(out, lw_dim(g, x, 1), k, k), k == 1 ? 1 : sqrt(2), name);
    lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s/b", name);
    return lw_conv2d(g, x, weight, .padding = k / 2, .bias = bias);
}

/* x [N, in, s, s] -> [N, out, s, s] or [N, out, s/2, s/2]. The first block meets the image itself: no ReLU
 * before it, and its shortcut is averaged before the convolution rather than after. */
static lw_value residual_block(lw_graph *g, lw_value x, int block, int64_t out, bool halves)
{
    bool first = block == 1;
    lw_value h =
        convolve(g, first ? x : lw_relu(g, x), first ? out : lw_dim(g, x, 1), 3, "block%d/c1", block);
    h = convolve(g, lw_relu(g, h), out, 3, "block%d/c2", block);
    if (halves) {
        h = lw_avg_pool2d(g, h, 2);
        x = first ? convolve(g, lw_avg_pool2d(g, x, 2), out, 1, "block%d/c_sc", block)
                  : lw_avg_pool2d(g, convolve(g, x, out, 1, "block%d/c_sc", block), 2);
    }
    return lw_tap(g, lw_add(g, h, x), "block%d", block);
}

/* features [N, C] -> [N, 1]: their product with the class's row of an embedding */
static lw_value project(lw_graph *g, const lw_args *args, lw_value features)
{
    int64_t classes = lw_int(args, "classes"), chosen = lw_int(args, "class"), count = lw_dim(g, features, 0);
    lw_value labels = lw_labels(g);
    if (lw_is_null(labels) && chosen >= classes)
        return lw_graph_fail(g, LW_INVALID, "class %lld is none of the model's 0 … %lld", (long long)chosen,
                             (long long)classes - 1);
    if (lw_is_null(labels)) {
        lw_value row = lw_equal(g, lw_iota(g, classes), lw_scalar(g, (double)chosen));
        labels = lw_broadcast(g, lw_reshape(g, row, LW_SHAPE(1, classes)), LW_SHAPE(count, classes));
    }
    lw_value rows = lw_matmul(g, labels, spectral(g, LW_SHAPE(classes, lw_dim(g, features, 1)), 1, "l_y"));
    return lw_sum(g, lw_mul(g, rows, features), LW_AXIS(1), true);
}

/* image [N, channels, size, size] -> raw score [N, 1] */
static lw_value score(lw_graph *g, const lw_args *args, lw_value image)
{
    int blocks = lw_list_count(args, "widths");
    if (lw_list_count(args, "halves") != blocks)
        return lw_graph_fail(g, LW_INVALID, "there are %d widths, but %d halves: one each per block", blocks,
                             lw_list_count(args, "halves"));
    lw_value h = image;
    for (int i = 0; i < blocks; i++)
        h = residual_block(g, h, i + 1, lw_list_int(args, "widths", i), lw_list_int(args, "halves", i) != 0);
    h = lw_tap(g, lw_sum(g, lw_relu(g, h), LW_AXIS(2) | LW_AXIS(3), false), "features");
    char name[16];
    snprintf(name, sizeof name, "l%d", blocks + 1);
    lw_value bias = {0};
    if (lw_bool(args, "bias"))
        bias = lw_weight(g, LW_SHAPE(1), lw_init_constant(0), "%s/b", name);
    lw_value result = lw_linear(g, h, spectral(g, LW_SHAPE(1, lw_dim(g, h, 1)), 1, name), bias);
    return lw_int(args, "classes") > 0 ? lw_add(g, result, project(g, args, h)) : result;
}

static const char *const provides[] = {"discriminator", NULL};
static const char *const prefixes[] = {"D.", "", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, score};

LW_PLUGIN(DISCRIMINATOR, "sngan", "1.0.0",
          "SNGAN: residual blocks with spectral normalisation, projection of the class",
          .source = "Miyato, Kataoka, Koyama, Yoshida 2018; Miyato, Koyama 2018; sngan_projection e84b1a5f",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
