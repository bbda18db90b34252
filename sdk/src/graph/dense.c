/* dense.c — matrix products, convolutions and resampling: what the dense back ends run. */
#include "graph/build.h"

#include <string.h>

/* --- matrix products ------------------------------------------------------------------------ */

/* a [B.., M, K] (ta: [B.., K, M]), b [B.., K, N] (tb: [B.., N, K]) -> [B.., M, N] */
lw_value lwi_matmul(lw_graph *g, lw_value a, lw_value b, bool ta, bool tb)
{
    lw_value in[2] = {a, b};
    if (!lwi_usable(g, "matmul", in, 2))
        return (lw_value){0};
    lw_shape sa = lwi_node_of(g, a)->shape, sb = lwi_node_of(g, b)->shape, shape = {0};
    char at[LW_SHAPE_TEXT], bt[LW_SHAPE_TEXT];
    if (sa.rank < 2 || sb.rank < 2)
        return lwi_error(g, LW_SHAPE, "matmul", in, 2, "%s times %s: both need at least 2 dimensions",
                         lw_shape_text(sa, at), lw_shape_text(sb, bt));
    int64_t m = sa.dim[sa.rank - 2 + ta], ka = sa.dim[sa.rank - 1 - ta];
    int64_t kb = sb.dim[sb.rank - 2 + tb], n = sb.dim[sb.rank - 1 - tb];
    lw_shape batch_a = sa, batch_b = sb;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    lw_shape_text(sa, at);
    lw_shape_text(sb, bt);
    if (ka != kb)
        return lwi_error(g, LW_SHAPE, "matmul", in, 2, "%s%s times %s%s: %lld columns meet %lld rows", at,
                         ta ? " transposed" : "", bt, tb ? " transposed" : "", (long long)ka, (long long)kb);
    if (!lwi_broadcast_shape(batch_a, batch_b, &shape))
        return lwi_error(g, LW_SHAPE, "matmul", in, 2,
                         "the leading dimensions of %s and %s do not stretch to each other", at, bt);
    shape.dim[shape.rank++] = m;
    shape.dim[shape.rank++] = n;
    if (sa.rank > 2 && sb.rank == 2 && !ta) { /* one matrix for all of the batch: one product of many rows */
        lw_value rows = lw_reshape(g, a, LW_SHAPE(-1, ka));
        return lw_reshape(g, lwi_matmul(g, rows, b, false, tb), shape);
    }
    return lwi_make(g, &(lwi_node){.op = LWI_MATMUL, .shape = shape, .in = in, .in_count = 2, .i = {ta, tb}});
}

lw_value lw_matmul(lw_graph *g, lw_value a, lw_value b)
{
    return lwi_matmul(g, a, b, false, false);
}

/* x [.., in], weight [out, in], bias [out] -> [.., out] */
lw_value lw_linear(lw_graph *g, lw_value x, lw_value weight, lw_value bias)
{
    const lw_value in[2] = {x, weight};
    if (!lwi_usable(g, "linear", in, 2))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, sw = lwi_node_of(g, weight)->shape;
    char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
    if (sx.rank < 2 || sw.rank != 2)
        return lwi_error(g, LW_SHAPE, "linear", in, 2, "input %s must be [N, in] and the weight %s [out, in]",
                         lw_shape_text(sx, a), lw_shape_text(sw, b));
    if (sx.dim[sx.rank - 1] != sw.dim[1])
        return lwi_error(g, LW_SHAPE, "linear", in, 2,
                         "input %s has %lld features, but the weight %s expects %lld", lw_shape_text(sx, a),
                         (long long)sx.dim[sx.rank - 1], lw_shape_text(sw, b), (long long)sw.dim[1]);
    lw_value y = lwi_matmul(g, x, weight, false, true);
    if (lw_is_null(bias))
        return y;
    lw_shape bias_shape = lw_shape_of(g, bias);
    if (!lw_shape_equal(bias_shape, LW_SHAPE(sw.dim[0])))
        return lwi_error(g, LW_SHAPE, "linear", (lw_value[]){x, weight, bias}, 3,
                         "the bias is %s, but the weight %s has %lld outputs", lw_shape_text(bias_shape, a),
                         lw_shape_text(sw, b), (long long)sw.dim[0]);
    return lw_add(g, y, bias);
}

/* --- convolutions --------------------------------------------------------------------------- */

/* Rows of the output of a convolution over `size` rows. */
static int64_t conv_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding)
{
    int64_t span = size + 2 * padding - kernel;
    return span < 0 ? 0 : span / stride + 1;
}

static bool conv_operands(lw_graph *g, const char *op, const lw_value *in, int64_t stride, int64_t padding,
                          int channel_axis, const char *what)
{
    if (!lwi_usable(g, op, in, 2))
        return false;
    lw_shape x = lwi_node_of(g, in[0])->shape, w = lwi_node_of(g, in[1])->shape;
    char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
    lw_shape_text(x, a);
    lw_shape_text(w, b);
    if (x.rank != 4 || w.rank != 4)
        lwi_error(g, LW_SHAPE, op, in, 2, "input %s and %s %s must have 4 dimensions", a, what, b);
    else if (x.dim[1] != w.dim[channel_axis])
        lwi_error(g, LW_SHAPE, op, in, 2, "input %s has %lld channels, but the %s %s expects %lld", a,
                  (long long)x.dim[1], what, b, (long long)w.dim[channel_axis]);
    else if (stride < 1 || padding < 0 || stride > 4096 || padding > 4096)
        lwi_error(g, LW_INVALID, op, in, 2, "stride %lld and padding %lld are not possible",
                  (long long)stride, (long long)padding);
    else
        return true;
    return false;
}

/* x [N, C, H, W], w [K, C, R, S] -> [N, K, H', W'] */
lw_value lwi_conv2d(lw_graph *g, lw_value x, lw_value w, int64_t stride, int64_t padding)
{
    lw_value in[2] = {x, w};
    if (!conv_operands(g, "conv2d", in, stride, padding, 1, "weight"))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, sw = lwi_node_of(g, w)->shape;
    int64_t height = conv_size(sx.dim[2], sw.dim[2], stride, padding);
    int64_t width = conv_size(sx.dim[3], sw.dim[3], stride, padding);
    if (height < 1 || width < 1) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "conv2d", in, 2,
                         "input %s with padding %lld is smaller than the weight %s", lw_shape_text(sx, a),
                         (long long)padding, lw_shape_text(sw, b));
    }
    return lwi_make(g, &(lwi_node){.op = LWI_CONV2D,
                                   .shape = LW_SHAPE(sx.dim[0], sw.dim[0], height, width),
                                   .in = in,
                                   .in_count = 2,
                                   .i = {stride, padding}});
}

/* y [N, K, H, W], w [K, C, R, S] -> x [N, C, H', W'], the shape whose convolution with w is like y */
lw_value lwi_conv2d_transpose(lw_graph *g, lw_value y, lw_value w, lw_shape x, int64_t stride,
                              int64_t padding)
{
    lw_value in[2] = {y, w};
    if (!conv_operands(g, "conv_transpose2d", in, stride, padding, 0, "weight"))
        return (lw_value){0};
    lw_shape sy = lwi_node_of(g, y)->shape, sw = lwi_node_of(g, w)->shape;
    if (x.dim[2] < 1 || x.dim[3] < 1 || conv_size(x.dim[2], sw.dim[2], stride, padding) != sy.dim[2] ||
        conv_size(x.dim[3], sw.dim[3], stride, padding) != sy.dim[3]) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "conv_transpose2d", in, 2,
                         "input %s with weight %s, stride %lld and padding %lld cannot give %lld x %lld",
                         lw_shape_text(sy, a), lw_shape_text(sw, b), (long long)stride, (long long)padding,
                         (long long)x.dim[2], (long long)x.dim[3]);
    }
    return lwi_make(
        g,
        &(lwi_node){.op = LWI_CONV2D_TRANSPOSE, .shape = x, .in = in, .in_count = 2, .i = {stride, padding}});
}

/* x [N, C, H, W], y [N, K, H', W'] -> w [K, C, R, S]: the gradient of a convolution by its weight */
lw_value lwi_conv2d_weight(lw_graph *g, lw_value x, lw_value y, lw_shape w, int64_t stride, int64_t padding)
{
    lw_value in[2] = {x, y};
    if (!lwi_usable(g, "conv2d_weight", in, 2))
        return (lw_value){0};
    return lwi_make(
        g, &(lwi_node){.op = LWI_CONV2D_WEIGHT, .shape = w, .in = in, .in_count = 2, .i = {stride, padding}});
}

/* y [N, K, H, W] + bias [K] */
static lw_value add_bias(lw_graph *g, const char *op, lw_value y, lw_value bias)
{
    if (lw_is_null(bias) || lw_is_null(y))
        return y;
    lw_shape sy = lw_shape_of(g, y), sb = lw_shape_of(g, bias);
    if (!lw_shape_equal(sb, LW_SHAPE(sy.dim[1]))) {
        char text[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, op, (lw_value[]){y, bias}, 2,
                         "the bias is %s, but the weight has %lld outputs", lw_shape_text(sb, text),
                         (long long)sy.dim[1]);
    }
    return lw_add(g, y, lw_reshape(g, bias, LW_SHAPE(1, sy.dim[1], 1, 1)));
}

lw_value lw_conv2d_with(lw_graph *g, lw_value x, lw_value weight, const lw_conv_options *given)
{
    lw_conv_options o;
    lwi_options(&o, sizeof o, given);
    return add_bias(g, "conv2d", lwi_conv2d(g, x, weight, o.stride ? o.stride : 1, o.padding), o.bias);
}

/* x [N, C, H, W], weight [C, K, R, S] -> [N, K, H', W'] */
lw_value lw_conv_transpose2d_with(lw_graph *g, lw_value x, lw_value weight, const lw_conv_options *given)
{
    lw_conv_options o;
    lwi_options(&o, sizeof o, given);
    const lw_value in[2] = {x, weight};
    int64_t stride = o.stride ? o.stride : 1;
    if (!conv_operands(g, "conv_transpose2d", in, stride, o.padding, 0, "weight"))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, sw = lwi_node_of(g, weight)->shape;
    int64_t height = o.out_height ? o.out_height : (sx.dim[2] - 1) * stride - 2 * o.padding + sw.dim[2];
    int64_t width = o.out_width ? o.out_width : (sx.dim[3] - 1) * stride - 2 * o.padding + sw.dim[3];
    lw_shape out = {4, {sx.dim[0], sw.dim[1], height, width}};
    return add_bias(g, "conv_transpose2d", lwi_conv2d_transpose(g, x, weight, out, stride, o.padding),
                    o.bias);
}

/* --- resampling ----------------------------------------------------------------------------- */

/* A resample2d node of a given output shape; `taps` are copied. */
static lw_value make_resample(lw_graph *g, lw_value x, lw_shape shape, const int64_t attribute[5],
                              const float *taps)
{
    lwi_node node = {.op = LWI_RESAMPLE2D, .shape = shape, .in = &x, .in_count = 1};
    memcpy(node.i, attribute, 5 * sizeof *attribute);
    node.data = lwi_graph_alloc(g, (size_t)attribute[4], sizeof *taps);
    if (!node.data)
        return (lw_value){0};
    memcpy(node.data, taps, (size_t)attribute[4] * sizeof *taps);
    return lwi_make(g, &node);
}

/* x [N, C, H, W] -> [N, C, H', W'] */
lw_value lw_resample2d_with(lw_graph *g, lw_value x, const lw_resample_options *given)
{
    lw_resample_options o;
    lwi_options(&o, sizeof o, given);
    if (!lwi_usable(g, "resample2d", &x, 1))
        return (lw_value){0};
    int64_t up = o.up ? o.up : 1, down = o.down ? o.down : 1;
    lw_shape in = lwi_node_of(g, x)->shape, out = in;
    char text[LW_SHAPE_TEXT];
    lw_shape_text(in, text);
    if (in.rank != 4)
        return lwi_error(g, LW_SHAPE, "resample2d", &x, 1, "input %s must be [N, C, H, W]", text);
    if (o.tap_count < 1 || o.tap_count > LW_MAX_TAPS)
        return lwi_error(g, LW_INVALID, "resample2d", &x, 1, "%d taps were given; 1 to %d are possible",
                         o.tap_count, LW_MAX_TAPS);
    if (up < 1 || down < 1 || up > 4096 || down > 4096)
        return lwi_error(g, LW_INVALID, "resample2d", &x, 1, "up %lld and down %lld are not possible",
                         (long long)up, (long long)down);
    for (int i = 2; i < 4; i++) {
        int64_t span = in.dim[i] * up + o.before + o.after - o.tap_count;
        if (span < 0)
            return lwi_error(g, LW_SHAPE, "resample2d", &x, 1,
                             "input %s, up %lld, padded by %d and %d, is smaller than %d taps", text,
                             (long long)up, o.before, o.after, o.tap_count);
        out.dim[i] = span / down + 1;
    }
    return make_resample(g, x, out, (int64_t[]){up, down, o.before, o.after, o.tap_count}, o.taps);
}

lw_value lwi_resample2d_transpose(lw_graph *g, const lwi_node *node, lw_shape in, lw_value v)
{
    const int64_t up = node->i[0], down = node->i[1], before = node->i[2], count = node->i[4];
    float reversed[LW_MAX_TAPS];
    for (int64_t t = 0; t < count; t++)
        reversed[t] = node->data[count - 1 - t];
    /* out[o] met in[i] with tap i * up - o * down + before: the same sentence with the roles swapped. */
    int64_t new_before = count - 1 - before;
    int64_t new_after = (in.dim[2] - 1) * up + count - node->shape.dim[2] * down - new_before;
    return make_resample(g, v, in, (int64_t[]){down, up, new_before, new_after, count}, reversed);
}

lw_value lw_upsample_nearest2d(lw_graph *g, lw_value x, int factor)
{
    if (!lwi_usable(g, "upsample_nearest2d", &x, 1))
        return (lw_value){0};
    if (factor < 1 || factor > LW_MAX_TAPS)
        return lwi_error(g, LW_INVALID, "upsample_nearest2d", &x, 1, "a factor of %d is not in 1 … %d",
                         factor, LW_MAX_TAPS);
    lw_resample_options o = {.size = sizeof o, .up = factor, .before = factor - 1, .tap_count = factor};
    for (int i = 0; i < factor; i++)
        o.taps[i] = 1;
    return factor == 1 ? x : lw_resample2d_with(g, x, &o);
}

lw_value lw_avg_pool2d(lw_graph *g, lw_value x, int factor)
{
    if (!lwi_usable(g, "avg_pool2d", &x, 1))
        return (lw_value){0};
    if (factor < 1 || factor > LW_MAX_TAPS)
        return lwi_error(g, LW_INVALID, "avg_pool2d", &x, 1, "a factor of %d is not in 1 … %d", factor,
                         LW_MAX_TAPS);
    lw_resample_options o = {.size = sizeof o, .down = factor, .tap_count = factor};
    for (int i = 0; i < factor; i++)
        o.taps[i] = 1.0f / (float)factor;
    return factor == 1 ? x : lw_resample2d_with(g, x, &o);
}
