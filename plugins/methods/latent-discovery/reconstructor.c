/* reconstructor.c — see reconstructor.h. */
#include "reconstructor.h"

#include <math.h>
#include <stdio.h>

enum { NAME = 32 };

/* torch's default for a layer with so many inputs: weight and bias alike. */
static lw_init fan_in(int64_t inputs)
{
    const double bound = 1 / sqrt((double)inputs);
    return lw_init_uniform(-bound, bound);
}

static lw_value dense(lw_graph *g, lw_value x, int64_t out, const char *name)
{
    const int64_t in = lw_dim(g, x, 1);
    lw_value weight = lw_weight(g, LW_SHAPE(out, in), fan_in(in), "%s.weight", name);
    return lw_linear(g, x, weight, lw_weight(g, LW_SHAPE(out), fan_in(in), "%s.bias", name));
}

/* The larger of each two neighbours along an axis; a last one without a neighbour is dropped. */
static lw_value halve(lw_graph *g, lw_value x, int axis)
{
    const int64_t half = lw_dim(g, x, axis) / 2;
    return lw_maximum(g, lw_slice(g, x, axis, 0, half, 2), lw_slice(g, x, axis, 1, half, 2));
}

static lw_value mean_of_pixels(lw_graph *g, lw_value x)
{
    return lw_mean(g, x, LW_AXIS(2) | LW_AXIS(3), false);
}

static lw_value column(lw_graph *g, lw_value x)
{
    return lw_reshape(g, x, LW_SHAPE(-1));
}

/* --- LeNet ------------------------------------------------------------------------------------------ */
/* Convolution, batch normalisation and ReLU; at `index` and the next in the sequence. */
static lw_value lenet_layer(lw_graph *g, lw_value x, int64_t out, int index)
{
    const int64_t in = lw_dim(g, x, 1);
    lw_value weight = lw_weight(g, LW_SHAPE(out, in, 5, 5), fan_in(in * 25), "convnet.%d.weight", index);
    lw_value bias = lw_weight(g, LW_SHAPE(out), fan_in(in * 25), "convnet.%d.bias", index);
    return lw_relu(g, lw_batch_norm(g, lw_conv2d(g, x, weight, .bias = bias), "convnet.%d", index + 1));
}

static lw_value lenet_head(lw_graph *g, lw_value features, int64_t hidden, int64_t out, const char *name)
{
    char layer[NAME];
    snprintf(layer, sizeof layer, "%s.0", name);
    lw_value h = lw_relu(g, lw_batch_norm(g, dense(g, features, hidden, layer), "%s.1", name));
    snprintf(layer, sizeof layer, "%s.3", name);
    return dense(g, h, out, layer);
}

reconstruction reconstruct_lenet(lw_graph *g, lw_value pair, int64_t count, int64_t width)
{
    if (lw_dim(g, pair, 2) < 28 || lw_dim(g, pair, 3) < 28) {
        char shape[LW_SHAPE_TEXT];
        lw_graph_fail(g, LW_SHAPE, "the LeNet reconstructor takes images of at least 28 px, not %s",
                      lw_shape_text(lw_shape_of(g, pair), shape));
        return (reconstruction){{0}, {0}};
    }
    lw_value h = lenet_layer(g, pair, 3 * width, 0);
    h = lenet_layer(g, halve(g, halve(g, h, 2), 3), 8 * width, 4);
    h = mean_of_pixels(g, lenet_layer(g, halve(g, halve(g, h, 2), 3), 60 * width, 8));
    return (reconstruction){.logits = lenet_head(g, h, 42 * width, count, "fc_logits"),
                            .shift = column(g, lenet_head(g, h, 42 * width, 1, "fc_shift"))};
}

/* --- ResNet-18 -------------------------------------------------------------------------------------- */
/* The convolution without bias and the batch normalisation of these names, within `block` ("layer1.0.").
 * Fresh: normal with variance 2 / fan out (He et al. 2015). */
static lw_value resnet_layer(lw_graph *g, lw_value x, int64_t out, int kernel, int stride, const char *block,
                             const char *convolution, const char *norm)
{
    const lw_init init = lw_init_normal(0, sqrt(2.0 / (double)(out * kernel * kernel)));
    lw_value weight = lw_weight(g, LW_SHAPE(out, lw_dim(g, x, 1), kernel, kernel), init,
                                "features_extractor.%s%s.weight", block, convolution);
    return lw_batch_norm(g, lw_conv2d(g, x, weight, .stride = stride, .padding = kernel / 2),
                         "features_extractor.%s%s", block, norm);
}

/* The basic block (He et al. 2016, figure 5, left). */
static lw_value resnet_block(lw_graph *g, lw_value x, int64_t width, int stride, const char *block)
{
    lw_value h = lw_relu(g, resnet_layer(g, x, width, 3, stride, block, "conv1", "bn1"));
    h = resnet_layer(g, h, width, 3, 1, block, "conv2", "bn2");
    if (stride > 1 || lw_dim(g, x, 1) != width)
        x = resnet_layer(g, x, width, 1, stride, block, "downsample.0", "downsample.1");
    return lw_relu(g, lw_add(g, h, x));
}

/* The largest of 3 with stride 2 along an axis, of x >= 0, so that zeros may stand beyond its ends. */
static lw_value pool_3(lw_graph *g, lw_value x, int axis)
{
    const int64_t out = (lw_dim(g, x, axis) + 1) / 2;
    lw_value padded = lw_pad(g, x, axis, 1, 1);
    lw_value largest = lw_slice(g, padded, axis, 0, out, 2);
    for (int i = 1; i < 3; i++)
        largest = lw_maximum(g, largest, lw_slice(g, padded, axis, i, out, 2));
    return largest;
}

reconstruction reconstruct_resnet18(lw_graph *g, lw_value pair, int64_t count, int64_t width)
{
    lw_value h = lw_relu(g, resnet_layer(g, pair, width, 7, 2, "", "conv1", "bn1"));
    h = pool_3(g, pool_3(g, h, 2), 3);
    for (int stage = 0; stage < 4; stage++)
        for (int block = 0; block < 2; block++) {
            char name[NAME];
            snprintf(name, sizeof name, "layer%d.%d.", stage + 1, block);
            h = resnet_block(g, h, width << stage, stage > 0 && block == 0 ? 2 : 1, name);
        }
    h = mean_of_pixels(g, h);
    return (reconstruction){.logits = dense(g, h, count, "type_estimator"),
                            .shift = column(g, dense(g, h, 1, "shift_estimator"))};
}

/* --- losses ------------------------------------------------------------------------------------------- */
lw_value reconstruction_entropy(lw_graph *g, const reconstruction *r, lw_value index)
{
    const int64_t count = lw_dim(g, r->logits, 1);
    lw_value largest = lw_stop_gradient(g, lw_max(g, r->logits, LW_AXIS(1), true));
    lw_value logits = lw_sub(g, r->logits, largest);
    lw_value chosen = lw_equal(g, lw_reshape(g, lw_iota(g, count), LW_SHAPE(1, count)), index);
    lw_value normaliser = lw_log(g, lw_sum(g, lw_exp(g, logits), LW_AXIS(1), false));
    lw_value right = lw_sum(g, lw_mul(g, logits, chosen), LW_AXIS(1), false);
    return lw_mean(g, lw_sub(g, normaliser, right), LW_ALL_AXES, false);
}

lw_value reconstruction_error(lw_graph *g, const reconstruction *r, lw_value shift)
{
    return lw_mean(g, lw_abs(g, lw_sub(g, r->shift, column(g, shift))), LW_ALL_AXES, false);
}
