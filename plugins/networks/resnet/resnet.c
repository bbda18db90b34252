/* resnet.c — a small residual network that names what it sees: image [N, C, H, W] -> [N, K] in [0, 1].
 *
 * He et al. 2016 (basic blocks, figure 5 left), for small pictures: one 5x5 convolution with stride 2 in
 * place of the 7x7 one and the max pooling; shortcuts that change size average 2x2 pixels before their 1x1
 * convolution (He et al. 2019, ResNet-D). Weights carry torchvision's names. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <stdio.h>

static const lw_param params[] = {
    {"labels", LW_PARAM_STRINGS,
     .doc = "What each output means: NAME for the probability of a class, "
            "NAME=LOW..HIGH for an amount; kept with the weights."},
    {"widths", LW_PARAM_INTS, "channels", "[32, 64, 128, 256]", 1, 4096, NULL,
     "Channels of each stage, the first the stem's; found from the weights."},
    {"blocks", LW_PARAM_INTS, NULL, "[1, 1, 1, 1]", 0, 64, NULL,
     "Residual blocks of each stage; the first may have none. Found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"side", LW_PARAM_INT, "px", "64", 8, 4096, NULL,
     "Height and width of the images; halved by the stem and by every stage but the first."},
};

static int count_blocks(const lw_weights *weights, int stage)
{
    int count = 0;
    while (lw_weights_shape(weights, NULL, "layer%d.%d.conv1.weight", stage + 1, count))
        count++;
    return count;
}

/* Only the first stage may have no blocks: its width is the stem's. */
static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape stem, shape, head;
    if (!lw_weights_shape(weights, &stem, "conv1.weight") || stem.rank != 4 || stem.dim[2] != 5 ||
        !lw_weights_shape(weights, &head, "fc.weight") || head.rank != 2)
        return lw_fail(LW_UNSUPPORTED,
                       "no resnet for small pictures: conv1.weight [K, C, 5, 5] and fc.weight "
                       "are needed");
    if (head.dim[0] != lw_list_count(args, "labels"))
        return lw_fail(LW_INVALID, "these weights have %lld outputs; `labels` must name each of them, not %d",
                       (long long)head.dim[0], lw_list_count(args, "labels"));
    int64_t widths[16] = {stem.dim[0]}, blocks[16] = {count_blocks(weights, 0)};
    int stages = 1;
    for (; stages < 16 && (blocks[stages] = count_blocks(weights, stages)) > 0; stages++) {
        lw_weights_shape(weights, &shape, "layer%d.0.conv1.weight", stages + 1);
        widths[stages] = shape.dim[0];
    }
    LW_TRY(lw_args_set_int(args, "channels", stem.dim[1]));
    LW_TRY(lw_args_set_ints(args, "widths", widths, stages));
    return lw_args_set_ints(args, "blocks", blocks, stages);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", lw_int(args, "side"));
    lw_dims_set(dims, "width", lw_int(args, "side"));
}

/* A convolution that keeps the size (or halves it), without bias: batch normalisation follows. Fresh weights
 * are normal with variance 2 / fan out (He et al. 2015), torchvision's choice. */
static lw_value conv(lw_graph *g, lw_value x, int64_t out, int64_t kernel, int stride, const char *name)
{
    double deviation = sqrt(2.0 / (double)(out * kernel * kernel));
    lw_value weight = lw_weight(g, LW_SHAPE(out, lw_dim(g, x, 1), kernel, kernel),
                                lw_init_normal(0, deviation), "%s.weight", name);
    return lw_conv2d(g, x, weight, .stride = stride, .padding = (int)kernel / 2);
}

static lw_value block(lw_graph *g, lw_value x, int64_t width, int stride, const char *name)
{
    char part[64];
#define PART(suffix) (snprintf(part, sizeof part, "%s.%s", name, suffix), part)
    lw_value shortcut = x;
    if (stride > 1 || lw_dim(g, x, 1) != width) {
        shortcut = conv(g, stride > 1 ? lw_avg_pool2d(g, x, stride) : x, width, 1, 1, PART("downsample.0"));
        shortcut = lw_batch_norm(g, shortcut, "%s", PART("downsample.1"));
    }
    lw_value h = lw_relu(g, lw_batch_norm(g, conv(g, x, width, 3, stride, PART("conv1")), "%s.bn1", name));
    h = conv(g, h, width, 3, 1, PART("conv2"));
    /* A fresh block starts as its shortcut (Goyal et al. 2017, section 5.1). */
    lw_weight(g, LW_SHAPE(width), lw_init_constant(0), "%s.bn2.weight", name);
    return lw_relu(g, lw_add(g, lw_batch_norm(g, h, "%s.bn2", name), shortcut));
#undef PART
}

/* image [N, C, H, W] -> [N, K]; taps stem, block0 … (one for each stage), features, logits. */
static lw_value apply(lw_graph *g, const lw_args *args, lw_value image)
{
    int stages = lw_list_count(args, "widths");
    if (lw_list_count(args, "blocks") != stages)
        return lw_graph_fail(g, LW_INVALID,
                             "resnet: `widths` has %d stages and `blocks` %d; both must have as many", stages,
                             lw_list_count(args, "blocks"));
    lw_value h = conv(g, image, lw_list_int(args, "widths", 0), 5, 2, "conv1");
    h = lw_tap(g, lw_relu(g, lw_batch_norm(g, h, "bn1")), "stem");
    for (int i = 0; i < stages; i++) {
        if (i > 0 && lw_list_int(args, "blocks", i) == 0)
            return lw_graph_fail(g, LW_INVALID, "resnet: stage %d of `blocks` has none; only the first may",
                                 i + 1);
        for (int64_t k = 0; k < lw_list_int(args, "blocks", i); k++) {
            char name[32];
            snprintf(name, sizeof name, "layer%d.%d", i + 1, (int)k);
            h = block(g, h, lw_list_int(args, "widths", i), i > 0 && k == 0 ? 2 : 1, name);
        }
        h = lw_tap(g, h, "block%d", i);
    }
    h = lw_tap(g, lw_mean(g, h, LW_AXIS(2) | LW_AXIS(3), false), "features");
    int64_t in = lw_dim(g, h, 1), out = lw_list_count(args, "labels");
    lw_value weight = lw_weight(g, LW_SHAPE(out, in), lw_init_normal(0, 0.01), "fc.weight");
    lw_value bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "fc.bias");
    return lw_sigmoid(g, lw_tap(g, lw_linear(g, h, weight, bias), "logits"));
}

static const char *const provides[] = {"network", "labels", NULL};
static const char *const prefixes[] = {"", "N.", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, apply};

LW_PLUGIN(NETWORK, "resnet", "1.0.0",
          "A small residual network that tells named classes and amounts of pictures",
          .source = "He et al. 2016 (basic blocks); He et al. 2019 (ResNet-D shortcuts); torchvision's names",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
