/* cnn.c — a plain convolutional network: image [N, C, H, W] -> [N, outputs].
 *
 * Per width: 3x3 convolution with bias, leaky ReLU 0.2, 2x2 average pooling; then the mean over the remaining
 * pixels and one linear layer. Weights conv.I.{weight,bias}, head.{weight,bias}. */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const lw_param params[] = {
    {"widths", LW_PARAM_INTS, "channels", "[32, 64, 128, 256]", 1, 4096, NULL,
     "Channels of each convolution; found from the weights."},
    {"channels", LW_PARAM_INT, NULL, "3", 1, 16, NULL, "Image channels; found from the weights."},
    {"side", LW_PARAM_INT, "px", "64", 1, 4096, NULL,
     "Height and width of the images; halved by every convolution."},
    {"outputs", LW_PARAM_INT, NULL, "1", 1, 65536, NULL,
     "Numbers per image, e.g. attribute logits; found from the weights."},
};

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape shape, head;
    int64_t widths[16];
    int count = 0;
    for (; count < 16 && lw_weights_shape(weights, &shape, "conv.%d.weight", count); count++) {
        if (shape.rank != 4)
            return lw_fail(LW_SHAPE, "conv.%d.weight has %d dimensions, a convolution has 4", count,
                           shape.rank);
        if (count == 0)
            LW_TRY(lw_args_set_int(args, "channels", shape.dim[1]));
        widths[count] = shape.dim[0];
    }
    if (count == 0 || !lw_weights_shape(weights, &head, "head.weight") || head.rank != 2)
        return lw_fail(LW_UNSUPPORTED, "no cnn: conv.0.weight and head.weight are needed");
    LW_TRY(lw_args_set_ints(args, "widths", widths, count));
    return lw_args_set_int(args, "outputs", head.dim[0]);
}

static void dims(const lw_args *args, lw_dims *dims)
{
    lw_dims_set(dims, "channels", lw_int(args, "channels"));
    lw_dims_set(dims, "height", lw_int(args, "side"));
    lw_dims_set(dims, "width", lw_int(args, "side"));
    lw_dims_set(dims, "outputs", lw_int(args, "outputs"));
}

/* A fresh weight and bias are uniform in +-1 / sqrt(fan in), torch's default for both. */
static lw_init fan_in(int64_t inputs)
{
    double bound = 1 / sqrt((double)inputs);
    return lw_init_uniform(-bound, bound);
}

/* image [N, C, H, W] -> [N, outputs]; taps block0 …, and `features` [N, last width]. */
static lw_value apply(lw_graph *g, const lw_args *args, lw_value image)
{
    lw_value h = image;
    for (int i = 0; i < lw_list_count(args, "widths"); i++) {
        int64_t in = lw_dim(g, h, 1), out = lw_list_int(args, "widths", i);
        lw_value weight = lw_weight(g, LW_SHAPE(out, in, 3, 3), fan_in(in * 9), "conv.%d.weight", i);
        lw_value bias = lw_weight(g, LW_SHAPE(out), fan_in(in * 9), "conv.%d.bias", i);
        h = lw_leaky_relu(g, lw_conv2d(g, h, weight, .padding = 1, .bias = bias), 0.2);
        h = lw_tap(g, lw_avg_pool2d(g, h, 2), "block%d", i);
    }
    h = lw_tap(g, lw_mean(g, h, LW_AXIS(2) | LW_AXIS(3), false), "features");
    int64_t in = lw_dim(g, h, 1), out = lw_int(args, "outputs");
    lw_value weight = lw_weight(g, LW_SHAPE(out, in), fan_in(in), "head.weight");
    return lw_linear(g, h, weight, lw_weight(g, LW_SHAPE(out), fan_in(in), "head.bias"));
}

static const char *const provides[] = {"network", NULL};
static const char *const prefixes[] = {"", "N.", NULL};
static const lw_network functions = {sizeof(lw_network), detect, dims, apply};

LW_PLUGIN(NETWORK, "cnn", "1.0.0", "A plain convolutional network for scores and attributes of images",
          .source = "the usual design; torch's default initialisation", LW_PARAMS(params),
          .provides = provides, .prefixes = prefixes, .functions = &functions);
