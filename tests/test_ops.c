/* test_ops.c — the op table: one row per op and shape class. Every row is compiled and compared with the
 * plain interpreter, and so are its gradients: on the device as it is, on the device taken for a GPU, and
 * rows with dense algebra also with CLBlast. `test_ops PART…` runs the tests with one of the parts in their
 * names; `test_ops --bench [filter]` times the same rows (those marked large only there). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/program.h"
#include "latentwalk/random.h"
#include "gpu.h"
#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_INPUTS = 3 };

typedef struct row row;
typedef lw_value (*builder)(lw_graph *g, const lw_value *in, const row *r);

enum {
    ANY,      /* normal numbers */
    POSITIVE, /* 0.5 … 2 */
    UNIT,     /* -0.9 … 0.9 */
    INDEX,    /* the second input holds 0 … i[1] - 1 */
    WHOLE     /* -2 … 2 */
};
enum { DENSE = 1, NO_GRADIENT = 2, LARGE = 4, ONLY_VALUE = NO_GRADIENT };

struct row {
    const char *name;
    builder build;
    lw_shape shape[MOST_INPUTS]; /* rank -1 ends */
    int domain, flags;
    int64_t i[6];
};

#define S(...)                                                               \
    {                                                                        \
        .rank = sizeof((int64_t[]){__VA_ARGS__}) / 8, .dim = { __VA_ARGS__ } \
    }
#define NONE       \
    {              \
        .rank = -1 \
    }
#define SCALAR    \
    {             \
        .rank = 0 \
    }

/* --- what rows build ---------------------------------------------------------------------------- */
#define FORMS(X) \
    X(neg)       \
    X(abs)       \
    X(sign)      \
    X(floor)     \
    X(square)    \
    X(sqrt) X(rsqrt) X(exp) X(log) X(sin) X(cos) X(asin) X(erf) X(tanh) X(sigmoid) X(softplus) X(relu)
#define PAIRS(X) X(add) X(sub) X(mul) X(div) X(pow) X(maximum) X(minimum) X(less) X(equal) X(matmul)
#define X(n)                                                              \
    static lw_value op_##n(lw_graph *g, const lw_value *in, const row *r) \
    {                                                                     \
        (void)r;                                                          \
        return lw_##n(g, in[0]);                                          \
    }
FORMS(X)
#undef X
#define X(n)                                                              \
    static lw_value op_##n(lw_graph *g, const lw_value *in, const row *r) \
    {                                                                     \
        (void)r;                                                          \
        return lw_##n(g, in[0], in[1]);                                   \
    }
PAIRS(X)
#undef X

static lw_value op_affine(lw_graph *g, const lw_value *in, const row *r)
{
    (void)r;
    return lw_affine(g, in[0], 1.7, -0.3);
}

static lw_value op_leaky(lw_graph *g, const lw_value *in, const row *r)
{
    (void)r;
    return lw_leaky_relu(g, in[0], 0.2);
}

static lw_value op_clamp(lw_graph *g, const lw_value *in, const row *r)
{
    (void)r;
    return lw_clamp(g, in[0], -0.5, 0.7);
}

static lw_value op_where(lw_graph *g, const lw_value *in, const row *r)
{
    (void)r;
    return lw_where(g, lw_less(g, in[0], in[1]), in[1], in[2]);
}

static lw_value op_sum(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_sum(g, in[0], (unsigned)r->i[0], r->i[1] != 0);
}

static lw_value op_mean(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_mean(g, lw_mul(g, in[0], in[0]), (unsigned)r->i[0], r->i[1] != 0);
}

static lw_value op_max(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_max(g, in[0], (unsigned)r->i[0], r->i[1] != 0);
}

static lw_value op_variance(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_variance(g, in[0], (unsigned)r->i[0], r->i[1] != 0, true);
}

static lw_value op_softmax(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_softmax(g, in[0], (int)r->i[0]);
}

static lw_value op_reshape(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_reshape(g, lw_affine(g, in[0], 2, 1), lw_shape_make((int)r->i[0], &r->i[1]));
}

static lw_value op_permute(lw_graph *g, const lw_value *in, const row *r)
{
    int axes[LW_MAX_RANK];
    for (int d = 0; d < LW_MAX_RANK; d++)
        axes[d] = (int)r->i[d];
    return lw_permute(g, in[0], axes);
}

static lw_value op_permute_fused(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_add(g, lw_square(g, op_permute(g, in, r)), in[1]);
}

static lw_value op_broadcast(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_broadcast(g, in[0], lw_shape_make((int)r->i[0], &r->i[1]));
}

static lw_value op_slice(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_slice(g, in[0], (int)r->i[0], r->i[1], r->i[2], r->i[3]);
}

static lw_value op_slice_fused(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value part = lw_slice(g, lw_exp(g, in[0]), (int)r->i[0], r->i[1], r->i[2], r->i[3]);
    return lw_mul(g, part, lw_slice(g, in[0], (int)r->i[0], 0, r->i[2], 1));
}

static lw_value op_pad(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_pad(g, lw_sin(g, in[0]), (int)r->i[0], r->i[1], r->i[2]);
}

static lw_value op_concat(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value all[3] = {in[0], lw_square(g, in[1]), in[0]};
    return lw_concat(g, all, 3, (int)r->i[0]);
}

static lw_value op_gather(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_gather(g, in[0], in[1], (int)r->i[0]);
}

static lw_value op_scatter(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_scatter_add(g, in[0], in[1], (int)r->i[0], r->i[1]);
}

static lw_value op_iota(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_mul(g, in[0], lw_iota(g, r->shape[0].dim[r->shape[0].rank - 1]));
}

static lw_value op_random(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value u = lw_random_uniform(g, r->shape[0], "noise"),
             n = lw_random_normal(g, r->shape[0], "other noise");
    return lw_add(g, lw_mul(g, in[0], n), u);
}

/* i: stride, padding, 1 to go on with a bias and a leaky relu. */
static lw_value op_conv(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value y = lw_conv2d(g, in[0], in[1], .stride = (int)r->i[0], .padding = (int)r->i[1]);
    return r->i[2] ? lw_leaky_relu(g, y, 0.2) : y;
}

static lw_value op_conv_transpose(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value y = lw_conv_transpose2d(g, in[0], in[1], .stride = (int)r->i[0], .padding = (int)r->i[1]);
    return r->i[2] ? lw_tanh(g, y) : y;
}

static lw_value op_conv_bias(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_relu(
        g, lw_conv2d(g, in[0], in[1], .stride = (int)r->i[0], .padding = (int)r->i[1], .bias = in[2]));
}

/* What generators do after a convolution, all of it folded into its kernel when only y is asked for. */
static lw_value op_conv_everything(lw_graph *g, const lw_value *in, const row *r)
{
    int64_t k = r->shape[1].dim[0];
    lw_value y = lw_conv2d(g, in[0], in[1], .padding = 1);
    lw_value per_image =
        lw_reshape(g, lw_slice(g, lw_flatten(g, in[0], 1), 1, 0, k, 1), LW_SHAPE(-1, k, 1, 1));
    lw_value channel = lw_reshape(g, in[2], LW_SHAPE(k, 1, 1));
    y = lw_affine(g, lw_mul(g, y, per_image), 0.7, 0.2);
    y = lw_sub(g, y, channel);
    if (r->i[0] == 1)
        y = lw_add(g, y, lw_broadcast(g, lw_square(g, lw_slice(g, in[0], 1, 0, 1, 1)), lw_shape_of(g, y)));
    if (r->i[0] == 2)
        y = lw_add(g, y, lw_conv2d(g, in[0], lw_affine(g, in[1], 0.5, 0), .padding = 1));
    return lw_affine(g, lw_leaky_relu(g, y, 0.2), 1.4142, 0);
}

static lw_value op_conv_folded_norm(lw_graph *g, const lw_value *in, const row *r)
{
    int64_t k = r->shape[1].dim[0];
    lw_value y = lw_conv2d(g, in[0], in[1], .padding = 1);
    lw_value mean = lw_reshape(g, in[2], LW_SHAPE(k, 1, 1));
    lw_value deviation = lw_sqrt(g, lw_affine(g, lw_square(g, mean), 1, 0.1));
    return lw_sigmoid(g, lw_affine(g, lw_div(g, lw_sub(g, y, mean), deviation), -2, 0.5));
}

/* Flat -> image -> two convolutions -> flat: both orders, both ways. */
static lw_value op_orders(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value x = lw_unflatten(g, in[0], r->i[0], r->i[0]);
    lw_value h = lw_leaky_relu(g, lw_conv2d(g, x, in[1], .padding = 1), 0.2);
    h = lw_add(g, h, lw_slice(g, x, 1, 0, 1, 1));
    h = lw_conv2d(g, h, in[2], .padding = 1, .stride = 2);
    return lw_flatten(g, h, 1);
}

static lw_value op_linear(lw_graph *g, const lw_value *in, const row *r)
{
    (void)r;
    return lw_tanh(g, lw_linear(g, in[0], in[1], in[2]));
}

static lw_value op_matmul_turned(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value a = r->i[0] ? lw_transpose(g, in[0], -1, -2) : in[0];
    lw_value b = r->i[1] ? lw_transpose(g, in[1], -1, -2) : in[1];
    return lw_matmul(g, a, b);
}

/* i: up, down, before, after. */
static lw_value op_resample(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_resample2d(g, in[0], .up = (int)r->i[0], .down = (int)r->i[1], .before = (int)r->i[2],
                         .after = (int)r->i[3], .tap_count = 4, .taps = {0.1f, 0.5f, 0.3f, -0.2f});
}

static lw_value op_nearest(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_upsample_nearest2d(g, in[0], (int)r->i[0]);
}

/* Nearest up-sampling and a convolution that keeps the size; i: factor, 1 for a bias and residual. */
static lw_value op_doubled_conv(lw_graph *g, const lw_value *in, const row *r)
{
    lw_value up = lw_upsample_nearest2d(g, in[0], (int)r->i[0]);
    lw_value y = lw_conv2d(g, up, in[1], .padding = (int)(r->shape[1].dim[2] / 2));
    return r->i[1] ? lw_add(g, lw_leaky_relu(g, y, 0.2), lw_slice(g, up, 1, 0, 1, 1)) : y;
}

static lw_value op_pool(lw_graph *g, const lw_value *in, const row *r)
{
    return lw_avg_pool2d(g, in[0], (int)r->i[0]);
}

/* --- the table ------------------------------------------------------------------------------------- */
#define U(op, dom)                                         \
    {#op " of 37", op_##op, {S(37), NONE}, dom},           \
    {                                                      \
#op " of [3, 50]", op_##op, {S(3, 50), NONE }, dom \
    }
static const row table[] = {
    U(neg, ANY),
    U(abs, ANY),
    U(square, ANY),
    U(sqrt, POSITIVE),
    U(rsqrt, POSITIVE),
    U(exp, ANY),
    U(log, POSITIVE),
    U(sin, ANY),
    U(cos, ANY),
    U(asin, UNIT),
    U(erf, ANY),
    U(tanh, ANY),
    U(sigmoid, ANY),
    U(softplus, ANY),
    U(relu, ANY),
    U(leaky, ANY),
    U(clamp, ANY),
    U(affine, ANY),
    {"sign", op_sign, {S(37), NONE}, WHOLE, NO_GRADIENT},
    {"floor", op_floor, {S(37), NONE}, ANY, NO_GRADIENT},
    {"affine of a scalar", op_affine, {SCALAR, NONE}},
    {"add", op_add, {S(100), S(100), NONE}},
    {"add one number", op_add, {S(3, 40), SCALAR, NONE}},
    {"sub a row", op_sub, {S(7, 33), S(33), NONE}},
    {"mul by a column", op_mul, {S(7, 33), S(7, 1), NONE}},
    {"mul outer", op_mul, {S(1, 33), S(7, 1), NONE}},
    {"div per channel", op_div, {S(2, 5, 4, 4), S(5, 1, 1), NONE}, POSITIVE},
    {"pow", op_pow, {S(65), S(65), NONE}, POSITIVE},
    {"maximum", op_maximum, {S(65), S(65), NONE}},
    {"minimum", op_minimum, {S(5, 1, 20), S(3, 1), NONE}},
    {"less", op_less, {S(65), S(65), NONE}, WHOLE, NO_GRADIENT},
    {"equal", op_equal, {S(65), S(65), NONE}, WHOLE, NO_GRADIENT},
    {"where", op_where, {S(4, 20), S(20), S(4, 1)}},
    {"sum of all", op_sum, {S(3, 5, 7), NONE}, .i = {LW_AXIS(0) | LW_AXIS(1) | LW_AXIS(2), 0}},
    {"sum of all, long", op_sum, {S(200000), NONE}, .i = {LW_AXIS(0), 0}},
    {"sum over first", op_sum, {S(13, 70), NONE}, .i = {LW_AXIS(0), 0}},
    {"sum over first, tall", op_sum, {S(5000, 35), NONE}, .i = {LW_AXIS(0), 0}},
    {"sum over last", op_sum, {S(13, 70), NONE}, .i = {LW_AXIS(1), 1}},
    {"sum over last, short", op_sum, {S(130, 3), NONE}, .i = {LW_AXIS(1), 1}},
    {"sum over the middle", op_sum, {S(6, 11, 18), NONE}, .i = {LW_AXIS(1), 0}},
    {"sum over outer and inner", op_sum, {S(6, 11, 18), NONE}, .i = {LW_AXIS(0) | LW_AXIS(2), 0}},
    {"sum over pixels", op_sum, {S(4, 6, 9, 9), NONE}, .i = {LW_AXIS(2) | LW_AXIS(3), 1}},
    {"sum per channel", op_sum, {S(4, 6, 9, 9), NONE}, .i = {LW_AXIS(0) | LW_AXIS(2) | LW_AXIS(3), 1}},
    {"sum of one element", op_sum, {S(1, 1), NONE}, .i = {LW_AXIS(0) | LW_AXIS(1), 0}},
    {"mean of squares", op_mean, {S(64, 33), NONE}, .i = {LW_AXIS(0) | LW_AXIS(1), 0}},
    {"max over last", op_max, {S(9, 40), NONE}, .i = {LW_AXIS(1), 0}},
    {"max over first", op_max, {S(40, 33), NONE}, .i = {LW_AXIS(0), 0}},
    {"max with ties", op_max, {S(9, 40), NONE}, WHOLE, .i = {LW_AXIS(1), 1}},
    {"variance", op_variance, {S(4, 6, 5, 5), NONE}, .i = {LW_AXIS(0) | LW_AXIS(2) | LW_AXIS(3), 1}},
    {"softmax", op_softmax, {S(5, 19), NONE}, .i = {1}},
    {"reshape", op_reshape, {S(6, 20), NONE}, .i = {3, 2, 3, 20}},
    {"reshape by ones", op_reshape, {S(6, 20), NONE}, .i = {4, 6, 1, 20, 1}},
    {"permute 2d", op_permute, {S(17, 33), NONE}, .i = {1, 0}},
    {"permute 4d to channels last", op_permute, {S(2, 3, 18, 5), NONE}, .i = {0, 2, 3, 1}},
    {"permute fused", op_permute_fused, {S(20, 3, 5), S(5, 20, 3)}, .i = {2, 0, 1}},
    {"broadcast a row", op_broadcast, {S(33), NONE}, .i = {2, 5, 33}},
    {"broadcast a number", op_broadcast, {SCALAR, NONE}, .i = {2, 5, 33}},
    {"slice", op_slice, {S(5, 40), NONE}, .i = {1, 3, 20, 1}},
    {"slice rows backwards", op_slice, {S(9, 40), NONE}, .i = {0, 8, 4, -2}},
    {"slice every third", op_slice, {S(2, 100), NONE}, .i = {1, 1, 33, 3}},
    {"slice fused", op_slice_fused, {S(6, 50), NONE}, .i = {1, 20, 30, 1}},
    {"pad", op_pad, {S(3, 20), NONE}, .i = {1, 2, 3}},
    {"pad rows", op_pad, {S(3, 20), NONE}, .i = {0, 0, 2}},
    {"crop", op_pad, {S(3, 20), NONE}, .i = {1, -2, 1}},
    {"concat columns", op_concat, {S(4, 20), S(4, 3), NONE}, .i = {1}},
    {"concat channels", op_concat, {S(2, 3, 4, 4), S(2, 5, 4, 4), NONE}, .i = {1}},
    {"gather rows", op_gather, {S(7, 20), S(5), NONE}, INDEX, .i = {0, 7}},
    {"gather columns", op_gather, {S(7, 20), S(2, 3), NONE}, INDEX, .i = {1, 20}},
    {"scatter rows", op_scatter, {S(5, 20), S(5), NONE}, INDEX, .i = {0, 7}},
    {"iota", op_iota, {S(3, 40), NONE}},
    {"random", op_random, {S(7, 31), NONE}},
    {"matmul", op_matmul, {S(5, 7), S(7, 9), NONE}, ANY, DENSE},
    {"matmul 1", op_matmul, {S(1, 1), S(1, 1), NONE}, ANY, DENSE},
    {"matmul vector", op_matmul, {S(1, 130), S(130, 67), NONE}, ANY, DENSE},
    {"matmul wide", op_matmul, {S(65, 130), S(130, 67), NONE}, ANY, DENSE},
    {"matmul batched", op_matmul, {S(3, 9, 20), S(3, 20, 17), NONE}, ANY, DENSE},
    {"matmul one for all", op_matmul, {S(3, 9, 20), S(20, 17), NONE}, ANY, DENSE},
    {"matmul broadcast batches", op_matmul, {S(2, 1, 9, 20), S(3, 20, 17), NONE}},
    {"matmul a turned", op_matmul_turned, {S(20, 9), S(20, 17), NONE}, .i = {1, 0}},
    {"matmul b turned", op_matmul_turned, {S(2, 9, 20), S(2, 17, 20), NONE}, .i = {0, 1}},
    {"linear", op_linear, {S(12, 40), S(33, 40), S(33)}},
    {"conv 3x3", op_conv, {S(2, 16, 9, 9), S(32, 16, 3, 3), NONE}, ANY, DENSE, {1, 1, 0}},
    {"conv 1x1", op_conv, {S(2, 5, 7, 7), S(9, 5, 1, 1), NONE}, ANY, 0, {1, 0, 0}},
    {"conv from 3 channels", op_conv, {S(2, 3, 16, 16), S(64, 3, 4, 4), NONE}, ANY, DENSE, {2, 1, 1}},
    {"conv to 3 channels", op_conv, {S(2, 20, 8, 8), S(3, 20, 3, 3), NONE}, ANY, 0, {1, 1, 0}},
    {"conv 4x4 stride 2", op_conv, {S(2, 64, 8, 8), S(70, 64, 4, 4), NONE}, ANY, 0, {2, 1, 1}},
    {"conv to one pixel", op_conv, {S(4, 40, 4, 4), S(1, 40, 4, 4), NONE}, ANY, 0, {1, 0, 0}},
    {"conv 3x3, odd sizes", op_conv, {S(3, 33, 17, 14), S(40, 33, 3, 3), NONE}, ANY, 0, {1, 1, 0}},
    {"conv 3x3, one image, wide", op_conv, {S(1, 48, 13, 13), S(70, 48, 3, 3), NONE}, ANY, 0, {1, 1, 0}},
    {"conv 3x3 at 16", op_conv, {S(1, 64, 16, 16), S(64, 64, 3, 3), NONE}, ANY, 0, {1, 1, 0}},
    {"conv 3x3, doubled", op_doubled_conv, {S(2, 20, 5, 6), S(18, 20, 3, 3), NONE}, ANY, DENSE, {2, 0}},
    {"conv 3x3, doubled, from 3", op_doubled_conv, {S(1, 3, 7, 4), S(5, 3, 3, 3), NONE}, ANY, 0, {2, 1}},
    {"conv 3x3, doubled, to 3", op_doubled_conv, {S(2, 32, 3, 3), S(3, 32, 3, 3), NONE}, ANY, 0, {2, 0}},
    {"conv 3x3, tripled", op_doubled_conv, {S(1, 4, 3, 3), S(6, 4, 3, 3), NONE}, ANY, 0, {3, 0}},
    {"conv 1x1, doubled", op_doubled_conv, {S(2, 9, 5, 4), S(11, 9, 1, 1), NONE}, ANY, DENSE, {2, 0}},
    {"conv bias relu", op_conv_bias, {S(2, 6, 9, 7), S(17, 6, 3, 3), S(17)}, ANY, DENSE, {1, 1}},
    {"conv 3x3 stride 2 odd", op_conv, {S(1, 4, 9, 9), S(6, 4, 3, 3), NONE}, ANY, 0, {2, 1, 0}},
    {"conv transpose from one pixel",
     op_conv_transpose,
     {S(3, 20, 1, 1), S(20, 24, 4, 4), NONE},
     ANY,
     0,
     {1, 0, 0}},
    {"conv transpose 4x4 stride 2",
     op_conv_transpose,
     {S(2, 24, 5, 5), S(24, 40, 4, 4), NONE},
     ANY,
     DENSE,
     {2, 1, 0}},
    {"conv transpose to 3 channels",
     op_conv_transpose,
     {S(2, 32, 8, 8), S(32, 3, 4, 4), NONE},
     ANY,
     0,
     {2, 1, 1}},
    {"conv transpose 3x3", op_conv_transpose, {S(2, 7, 6, 6), S(7, 5, 3, 3), NONE}, ANY, 0, {1, 1, 0}},
    {"conv, scale per image, bias, gain",
     op_conv_everything,
     {S(3, 4, 6, 6), S(20, 4, 3, 3), S(20)},
     ANY,
     DENSE | ONLY_VALUE},
    {"conv, residual", op_conv_everything, {S(3, 4, 6, 6), S(20, 4, 3, 3), S(20)}, ANY, ONLY_VALUE, {1}},
    {"conv, sum of two",
     op_conv_everything,
     {S(3, 4, 6, 6), S(20, 4, 3, 3), S(20)},
     ANY,
     DENSE | ONLY_VALUE,
     {2}},
    {"conv, everything, gradients", op_conv_everything, {S(3, 4, 6, 6), S(20, 4, 3, 3), S(20)}, .i = {2}},
    {"conv, fixed norm", op_conv_folded_norm, {S(3, 4, 6, 6), S(20, 4, 3, 3), S(20)}, ANY, ONLY_VALUE},
    {"linear, only forward", op_linear, {S(12, 40), S(33, 40), S(33)}, ANY, DENSE | ONLY_VALUE},
    {"both orders", op_orders, {S(2, 48), S(20, 3, 3, 3), S(5, 20, 3, 3)}, .i = {4}},
    {"resample up", op_resample, {S(2, 3, 6, 5), NONE}, .i = {2, 1, 2, 1}},
    {"resample down", op_resample, {S(2, 20, 8, 8), NONE}, .i = {1, 2, 1, 1}},
    {"resample crop", op_resample, {S(1, 17, 6, 6), NONE}, .i = {2, 1, -1, 2}},
    {"resample, wide and many channels", op_resample, {S(1, 130, 2, 70), NONE}, .i = {1, 1, 2, 1}},
    {"resample, pieces of a row", op_resample, {S(1, 40, 3, 450), NONE}, .i = {2, 1, 2, 1}},
    {"resample, pieces halved", op_resample, {S(1, 128, 5, 150), NONE}, .i = {1, 2, 1, 2}},
    {"nearest", op_nearest, {S(2, 5, 4, 4), NONE}, .i = {2}},
    {"average pool", op_pool, {S(2, 5, 8, 8), NONE}, .i = {2}},
    /* only timed */
    {"add 16M", op_add, {S(4096, 4096), S(4096, 4096), NONE}, ANY, LARGE | NO_GRADIENT},
    {"tanh 16M", op_tanh, {S(4096, 4096), NONE}, ANY, LARGE | NO_GRADIENT},
    {"sum of all 16M", op_sum, {S(4096, 4096), NONE}, ANY, LARGE | NO_GRADIENT, {3, 0}},
    {"sum over first 16M", op_sum, {S(65536, 256), NONE}, ANY, LARGE | NO_GRADIENT, {1, 0}},
    {"sum over last 16M", op_sum, {S(65536, 256), NONE}, ANY, LARGE | NO_GRADIENT, {2, 0}},
    {"permute 16M", op_permute, {S(4096, 4096), NONE}, ANY, LARGE | NO_GRADIENT, {1, 0}},
    {"random 1M", op_random, {S(1024, 1024), NONE}, ANY, LARGE | NO_GRADIENT},
    {"matmul 1024", op_matmul, {S(1024, 1024), S(1024, 1024), NONE}, ANY, LARGE | DENSE | NO_GRADIENT},
    {"conv 128 at 64", op_conv, {S(8, 128, 64, 64), S(128, 128, 3, 3), NONE}, ANY, LARGE | DENSE, {1, 1, 0}},
    {"dcgan up 128", op_conv_transpose, {S(64, 256, 16, 16), S(256, 128, 4, 4), NONE}, ANY, LARGE, {2, 1, 0}},
    {"resample up 64 at 64", op_resample, {S(8, 64, 64, 64), NONE}, ANY, LARGE | NO_GRADIENT, {2, 1, 2, 1}},
};
enum { ROWS = sizeof table / sizeof *table };

/* --- one row --------------------------------------------------------------------------------------- */
typedef struct trial {
    lw_graph *graph;
    lw_value in[MOST_INPUTS], y;
    float *data[MOST_INPUTS];
    float *seed;
    int inputs;
} trial;

static float number(const row *r, int input, float normal, float uniform)
{
    if (r->domain == INDEX && input == 1)
        return floorf(uniform * (float)r->i[1]);
    if (r->domain == POSITIVE)
        return 0.5f + 1.5f * uniform;
    if (r->domain == UNIT)
        return 1.8f * uniform - 0.9f;
    if (r->domain == WHOLE)
        return floorf(uniform * 5) - 2;
    return normal;
}

static float *numbers(const row *r, int input, size_t count)
{
    float *normal = malloc((count + 1) * sizeof *normal), *uniform = malloc((count + 1) * sizeof *uniform);
    lw_normal((lw_stream){7, (uint64_t)input, 1}, 0, count, normal);
    lw_uniform((lw_stream){7, (uint64_t)input, 2}, 0, count, uniform);
    for (size_t i = 0; i < count; i++)
        normal[i] = number(r, input, normal[i], uniform[i]);
    free(uniform);
    return normal;
}

/* x0, x1, … -> y; with gradients: g0, g1, … of sum(y * seed). */
static trial build(const row *r, bool gradients)
{
    trial t = {.graph = lw_graph_create()};
    for (; t.inputs < MOST_INPUTS && r->shape[t.inputs].rank >= 0; t.inputs++) {
        /* Unmentioned inputs are zeroed: a rank 0 in place 0 is a scalar, later it ends unless asked for. */
        if (t.inputs == 2 && r->shape[2].rank == 0)
            break;
        char name[16];
        snprintf(name, sizeof name, "x%d", t.inputs);
        t.in[t.inputs] = lw_input(t.graph, name, r->shape[t.inputs]);
        t.data[t.inputs] = numbers(r, t.inputs, (size_t)lw_shape_count(r->shape[t.inputs]));
    }
    t.y = r->build(t.graph, t.in, r);
    lw_output(t.graph, "y", t.y);
    if (lw_graph_status(t.graph) != LW_OK)
        return t;
    lw_shape shape = lw_shape_of(t.graph, t.y);
    t.seed = numbers(&(row){.domain = ANY}, 9, (size_t)lw_shape_count(shape));
    if (!gradients)
        return t;
    lw_value g[MOST_INPUTS];
    int count = r->domain == INDEX ? 1 : t.inputs;
    lw_gradient(t.graph, t.y, lw_input(t.graph, "seed", shape), t.in, count, g);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        lw_output(t.graph, name, g[i]);
    }
    return t;
}

static void drop(trial *t)
{
    lw_graph_destroy(t->graph);
    for (int i = 0; i < MOST_INPUTS; i++)
        free(t->data[i]);
    free(t->seed);
}

static void give_inputs(const trial *t, lw_program *p, reference *r, bool gradients)
{
    for (int i = 0; i <= t->inputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        bool seed = i == t->inputs;
        if (seed && !gradients)
            return;
        const float *data = seed ? t->seed : t->data[i];
        size_t count = (size_t)lw_shape_count(lw_shape_of(t->graph, seed ? t->y : t->in[i]));
        if (p && lw_program_write(p, seed ? "seed" : name, data, count) == LW_NOT_FOUND)
            lw_error_clear(); /* the results do not depend on it */
        if (r)
            reference_write(r, seed ? "seed" : name, data);
    }
}

/* Compares output `name`: errors relative to the values' root mean square. */
static void compare(const char *row_name, const char *name, lw_program *p, reference *r)
{
    size_t count = 0;
    const double *want = reference_output(r, name, &count);
    if (!want)
        fail_msg("%s: the reference has no %s: %s", row_name, name, lw_error_text());
    lw_tensor *got = lw_program_read_tensor(p, name);
    if (!got)
        fail_msg("%s: cannot read %s: %s", row_name, name, lw_error_text());
    assert_int_equal(lw_shape_count(got->shape), count);
    double square = 0, worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        square += want[i] * want[i];
    double scale = sqrt(square / (double)(count ? count : 1)) + 1e-6;
    for (size_t i = 0; i < count; i++) {
        double error = fabs(got->data[i] - want[i]) / (scale + fabs(want[i]));
        if (!(error <= worst)) {
            worst = error;
            at = i;
        }
    }
    if (!(worst < 2e-5))
        fail_msg("%s: %s[%zu] is %.9g, should be %.9g (error %.2g of the values' size)", row_name, name, at,
                 (double)got->data[at], want[at], worst);
    lw_tensor_destroy(got);
}

enum { NATIVE, CLBLAST, GPU, PASSES };
static const char *const pass_name[PASSES] = {"native", "clblast", "gpu"};
static lw_device *device[PASSES]; /* opened once */

static lw_device *open_device(int pass)
{
    if (!device[pass])
        device[pass] = pass == GPU ? test_open_as_gpu() : lw_device_open("cpu", pass_name[pass]);
    if (!device[pass])
        fail_msg("no device: %s", lw_error_text());
    return device[pass];
}

static void check_on(const row *r, int pass)
{
    bool gradients = !(r->flags & NO_GRADIENT);
    trial t = build(r, gradients);
    if (lw_graph_status(t.graph) != LW_OK)
        fail_msg("%s does not build: %s", r->name, lw_error_text());
    lw_program *p = lw_compile(t.graph, open_device(pass));
    if (!p)
        fail_msg("%s does not compile: %s", r->name, lw_error_text());
    reference *ref = reference_create(t.graph);
    reference_seed(ref, 5, 6);
    lw_program_seed(p, 5, 6);
    give_inputs(&t, p, ref, gradients);
    if (lw_program_run(p) != LW_OK)
        fail_msg("%s does not run: %s", r->name, lw_error_text());
    compare(r->name, "y", p, ref);
    int count = r->domain == INDEX ? 1 : t.inputs;
    for (int i = 0; gradients && i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        compare(r->name, name, p, ref);
    }
    reference_destroy(ref);
    lw_program_destroy(p);
    drop(&t);
}

static void agrees_with_the_reference(void **state)
{
    check_on(*state, NATIVE);
}

static void agrees_on_clblast(void **state)
{
    check_on(*state, CLBLAST);
}

static void agrees_on_gpu(void **state)
{
    check_on(*state, GPU);
}

/* --- timing ----------------------------------------------------------------------------------------- */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void time_row(const row *r, int which)
{
    bool gradients = !(r->flags & NO_GRADIENT);
    trial t = build(r, gradients);
    lw_program *p = lw_compile(t.graph, open_device(which));
    if (!p) {
        printf("%-34s %s\n", r->name, lw_error_text());
        return;
    }
    give_inputs(&t, p, NULL, gradients);
    lw_program_stats stats;
    lw_program_describe(p, &stats);
    double best = 1e9, spent = 0;
    for (int i = 0; i < 3 || (spent < 0.5 && i < 200); i++) {
        double start = now();
        lw_program_run(p);
        lw_device_finish(device[which]);
        double took = now() - start;
        best = took < best && i > 0 ? took : best;
        spent += took;
    }
    double bytes = (double)stats.io_bytes;
    printf("%-34s %-8s %12.0f ns %8.1f GFLOP/s %7.1f GB/s of inputs and outputs, %u kernels, arena %.1f MB\n",
           r->name, pass_name[which], best * 1e9, stats.flops / best * 1e-9, bytes / best * 1e-9,
           stats.kernels, (double)stats.arena_bytes / 1e6);
    lw_program_destroy(p);
    drop(&t);
}

static bool chosen(const char *name, char *const *parts)
{
    bool any = !*parts;
    for (; *parts; parts++)
        any = any || strstr(name, *parts);
    return any;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for (int i = 0; i < ROWS; i++)
            for (int which = 0; which < 1 + (table[i].flags & DENSE && argc > 3); which++)
                if (argc < 3 || strstr(table[i].name, argv[2]))
                    time_row(&table[i], which);
        return 0;
    }
    static const CMUnitTestFunction check[PASSES] = {agrees_with_the_reference, agrees_on_clblast,
                                                     agrees_on_gpu};
    static struct CMUnitTest tests[PASSES * ROWS];
    static char name[PASSES * ROWS][80];
    size_t count = 0;
    for (int pass = 0; pass < PASSES; pass++)
        for (int i = 0; i < ROWS; i++) {
            if (table[i].flags & LARGE || (pass == CLBLAST && !(table[i].flags & DENSE)))
                continue;
            snprintf(name[count], sizeof *name, "%s: %s", pass_name[pass], table[i].name);
            if (!chosen(name[count], argv + 1))
                continue;
            tests[count] =
                (struct CMUnitTest){name[count], check[pass], NULL, NULL, (void *)(uintptr_t)&table[i]};
            count++;
        }
    int failed = _cmocka_run_group_tests("ops", tests, count, NULL, NULL);
    for (int pass = 0; pass < PASSES; pass++)
        lw_device_close(device[pass]);
    return failed;
}
