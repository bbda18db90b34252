/* test_gradient.c — every op's derivatives, reverse and forward, against central differences of the reference
 * interpreter; second derivatives; and that both modes are each other's transposes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "graph/ir.h"
#include "latentwalk/latentwalk.h"
#include "reference.h"

/* --- the table ------------------------------------------------------------------------------ */

typedef lw_value (*build_fn)(lw_graph *g, const lw_value *x);
typedef struct op_case {
    const char *name;
    build_fn build;
    int count; /* of operands */
    lw_shape shape[3];
    double low, high; /* their elements lie between */
} op_case;

/* One operand [3, 4], or the shapes given; the expression may use g and x[]. */
#define CASE(fn, expression)                           \
    static lw_value fn(lw_graph *g, const lw_value *x) \
    {                                                  \
        return expression;                             \
    }

CASE(affine, lw_affine(g, x[0], 1.5, -2))
CASE(absolute, lw_abs(g, x[0]))
CASE(square, lw_square(g, x[0]))
CASE(square_root, lw_sqrt(g, x[0]))
CASE(reciprocal_root, lw_rsqrt(g, x[0]))
CASE(exponential, lw_exp(g, x[0]))
CASE(logarithm, lw_log(g, x[0]))
CASE(sine, lw_sin(g, x[0]))
CASE(cosine, lw_cos(g, x[0]))
CASE(arc_sine, lw_asin(g, x[0]))
CASE(error_function, lw_erf(g, x[0]))
CASE(hyperbolic_tangent, lw_tanh(g, x[0]))
CASE(sigmoid, lw_sigmoid(g, x[0]))
CASE(softplus, lw_softplus(g, x[0]))
CASE(relu, lw_relu(g, x[0]))
CASE(leaky_relu, lw_leaky_relu(g, x[0], 0.2))
CASE(clamp, lw_clamp(g, x[0], -0.5, 0.7))
CASE(stop, lw_mul(g, x[0], lw_stop_gradient(g, lw_scalar(g, 3))))
CASE(add, lw_add(g, x[0], x[1]))
CASE(subtract, lw_sub(g, x[0], x[1]))
CASE(multiply, lw_mul(g, x[0], x[1]))
CASE(divide, lw_div(g, x[0], x[1]))
CASE(power, lw_pow(g, x[0], x[1]))
CASE(maximum, lw_maximum(g, x[0], x[1]))
CASE(minimum, lw_minimum(g, x[0], x[1]))
CASE(where, lw_where(g, lw_less(g, x[0], lw_scalar(g, 0)), x[1], lw_square(g, x[2])))
CASE(sum_all, lw_sum(g, x[0], LW_ALL_AXES, false))
CASE(sum_one, lw_sum(g, lw_square(g, x[0]), LW_AXIS(1), false))
CASE(sum_kept, lw_sum(g, lw_square(g, x[0]), LW_AXIS(0) | LW_AXIS(2), true))
CASE(mean, lw_mean(g, lw_square(g, x[0]), LW_AXIS(0), false))
CASE(maximum_over, lw_max(g, x[0], LW_AXIS(1), false))
CASE(variance, lw_variance(g, x[0], LW_AXIS(1), false, true))
CASE(softmax, lw_softmax(g, x[0], -1))
CASE(reshape, lw_reshape(g, x[0], LW_SHAPE(4, -1)))
CASE(permute, lw_permute(g, x[0], (int[]){2, 0, 1}))
CASE(transpose, lw_transpose(g, x[0], 0, -1))
CASE(broadcast, lw_broadcast(g, x[0], LW_SHAPE(2, 3, 4)))
CASE(slice_plain, lw_slice(g, x[0], 1, 1, 2, 1))
CASE(slice_step, lw_slice(g, x[0], 1, 1, 3, 2))
CASE(slice_back, lw_slice(g, x[0], 0, 6, 3, -3))
CASE(slice_back_inside, lw_slice(g, x[0], 1, 5, 2, -2))
CASE(pad, lw_pad(g, x[0], 1, 2, 1))
CASE(crop, lw_pad(g, x[0], 1, -1, 2))
CASE(concat, lw_concat(g, (lw_value[]){x[0], x[1], x[0]}, 3, 1))
CASE(stack, lw_stack(g, (lw_value[]){x[0], x[1]}, 2, 1))
CASE(split_merge, lw_merge(g, lw_permute(g, lw_split(g, x[0], 1, 2), (int[]){1, 0, 2}), 0, 1))

static lw_value index_of(lw_graph *g)
{
    return lw_constant(g, LW_SHAPE(2, 2), (float[]){2, 0, 2, 1});
}
CASE(gather_first, lw_gather(g, x[0], index_of(g), 0))
CASE(gather_inner, lw_gather(g, x[0], index_of(g), 1))
CASE(scatter, lw_scatter_add(g, x[0], index_of(g), 0, 5))

CASE(matmul, lw_matmul(g, x[0], x[1]))
CASE(linear, lw_linear(g, x[0], x[1], x[2]))
CASE(matmul_transposed, lw_matmul(g, lw_transpose(g, x[0], 0, 1), lw_transpose(g, x[1], 0, 1)))
CASE(conv, lw_conv2d(g, x[0], x[1], .padding = 1, .bias = x[2]))
CASE(conv_stride, lw_conv2d(g, x[0], x[1], .stride = 2, .padding = 1))
CASE(conv_transpose, lw_conv_transpose2d(g, x[0], x[1], .stride = 2, .padding = 1, .bias = x[2]))
CASE(conv_transpose_out,
     lw_conv_transpose2d(g, x[0], x[1], .stride = 2, .padding = 1, .out_height = 6, .out_width = 7))
CASE(resample, lw_resample2d(g, x[0], .up = 2, .before = 2, .after = 1, .tap_count = 4,
                             .taps = {0.1f, 0.5f, 0.3f, 0.2f}))
CASE(resample_down,
     lw_resample2d(g, x[0], .down = 2, .before = 1, .after = 1, .tap_count = 3, .taps = {0.2f, 0.5f, 0.4f}))
CASE(resample_crop,
     lw_resample2d(g, x[0], .up = 3, .down = 2, .before = -1, .after = -2, .tap_count = 3, .taps = {1, 2, 3}))
CASE(upsample, lw_upsample_nearest2d(g, x[0], 3))
CASE(pool, lw_avg_pool2d(g, x[0], 2))

#define S(...)                                                     \
    {                                                              \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        {                                                          \
            __VA_ARGS__                                            \
        }                                                          \
    }
static const op_case cases[] = {
    {"affine", affine, 1, {S(3, 4)}, -2, 2},
    {"abs", absolute, 1, {S(3, 4)}, -2, 2},
    {"square", square, 1, {S(3, 4)}, -2, 2},
    {"sqrt", square_root, 1, {S(3, 4)}, 0.5, 2},
    {"rsqrt", reciprocal_root, 1, {S(3, 4)}, 0.5, 2},
    {"exp", exponential, 1, {S(3, 4)}, -2, 2},
    {"log", logarithm, 1, {S(3, 4)}, 0.5, 3},
    {"sin", sine, 1, {S(3, 4)}, -2, 2},
    {"cos", cosine, 1, {S(3, 4)}, -2, 2},
    {"asin", arc_sine, 1, {S(3, 4)}, -0.8, 0.8},
    {"erf", error_function, 1, {S(3, 4)}, -2, 2},
    {"tanh", hyperbolic_tangent, 1, {S(3, 4)}, -2, 2},
    {"sigmoid", sigmoid, 1, {S(3, 4)}, -3, 3},
    {"softplus", softplus, 1, {S(3, 4)}, -3, 3},
    {"relu", relu, 1, {S(3, 4)}, -2, 2},
    {"leaky_relu", leaky_relu, 1, {S(3, 4)}, -2, 2},
    {"clamp", clamp, 1, {S(3, 4)}, -2, 2},
    {"stop", stop, 1, {S(3, 4)}, -2, 2},
    {"add, same shape", add, 2, {S(3, 4), S(3, 4)}, -2, 2},
    {"add, row", add, 2, {S(3, 4), S(4)}, -2, 2},
    {"add, column and row", add, 2, {S(3, 1), S(1, 4)}, -2, 2},
    {"sub, scalar", subtract, 2, {S(3, 4), {0}}, -2, 2},
    {"mul, channels", multiply, 2, {S(2, 3, 2, 2), S(3, 1, 1)}, -2, 2},
    {"mul, scalar first", multiply, 2, {{0}, S(3, 4)}, -2, 2},
    {"div, same shape", divide, 2, {S(3, 4), S(3, 4)}, 0.5, 2},
    {"div, column", divide, 2, {S(3, 4), S(3, 1)}, 0.5, 2},
    {"pow, same shape", power, 2, {S(3, 4), S(3, 4)}, 0.5, 2},
    {"pow, scalar", power, 2, {S(3, 4), {0}}, 0.5, 2},
    {"maximum", maximum, 2, {S(3, 4), S(4)}, -2, 2},
    {"minimum", minimum, 2, {S(3, 4), S(4)}, -2, 2},
    {"where", where, 3, {S(3, 4), S(3, 4), S(4)}, -2, 2},
    {"sum, all", sum_all, 1, {S(3, 4)}, -2, 2},
    {"sum, one axis", sum_one, 1, {S(3, 4)}, -2, 2},
    {"sum, outer axes kept", sum_kept, 1, {S(3, 4, 2)}, -2, 2},
    {"mean", mean, 1, {S(3, 4)}, -2, 2},
    {"max", maximum_over, 1, {S(3, 4)}, -2, 2},
    {"variance", variance, 1, {S(3, 4)}, -2, 2},
    {"softmax", softmax, 1, {S(3, 4)}, -2, 2},
    {"reshape", reshape, 1, {S(3, 4)}, -2, 2},
    {"permute", permute, 1, {S(2, 3, 4)}, -2, 2},
    {"transpose", transpose, 1, {S(2, 3, 4)}, -2, 2},
    {"broadcast", broadcast, 1, {S(3, 1)}, -2, 2},
    {"slice", slice_plain, 1, {S(3, 4)}, -2, 2},
    {"slice, step 2", slice_step, 1, {S(3, 7, 2)}, -2, 2},
    {"slice, step 2, at the end", slice_step, 1, {S(3, 6)}, -2, 2},
    {"slice, step -3", slice_back, 1, {S(7, 2)}, -2, 2},
    {"slice, step -2 inside", slice_back_inside, 1, {S(2, 7)}, -2, 2},
    {"pad", pad, 1, {S(2, 3, 2)}, -2, 2},
    {"pad, cropping", crop, 1, {S(2, 3, 2)}, -2, 2},
    {"concat", concat, 2, {S(2, 3), S(2, 2)}, -2, 2},
    {"stack", stack, 2, {S(2, 3), S(2, 3)}, -2, 2},
    {"split and merge", split_merge, 1, {S(2, 4)}, -2, 2},
    {"gather, first axis", gather_first, 1, {S(3, 2)}, -2, 2},
    {"gather, inner axis", gather_inner, 1, {S(2, 3, 2)}, -2, 2},
    {"scatter_add", scatter, 1, {S(2, 2, 3)}, -2, 2},
    {"matmul", matmul, 2, {S(3, 4), S(4, 2)}, -2, 2},
    {"matmul, batches", matmul, 2, {S(2, 3, 4), S(2, 4, 2)}, -2, 2},
    {"matmul, batch and matrix", matmul, 2, {S(2, 3, 4), S(4, 2)}, -2, 2},
    {"matmul, matrix and batch", matmul, 2, {S(3, 4), S(2, 4, 2)}, -2, 2},
    {"matmul, broadcast batches", matmul, 2, {S(2, 1, 3, 4), S(3, 4, 2)}, -2, 2},
    {"matmul, transposed", matmul_transposed, 2, {S(4, 3), S(2, 4)}, -2, 2},
    {"linear", linear, 3, {S(3, 4), S(2, 4), S(2)}, -2, 2},
    {"conv2d", conv, 3, {S(2, 2, 4, 5), S(3, 2, 3, 3), S(3)}, -1, 1},
    {"conv2d, stride 2, even", conv_stride, 2, {S(2, 2, 6, 6), S(3, 2, 4, 4)}, -1, 1},
    {"conv2d, stride 2, remainder", conv_stride, 2, {S(1, 2, 6, 5), S(2, 2, 3, 3)}, -1, 1},
    {"conv_transpose2d", conv_transpose, 3, {S(2, 3, 3, 2), S(3, 2, 4, 4), S(2)}, -1, 1},
    {"conv_transpose2d, size given", conv_transpose_out, 2, {S(1, 2, 3, 4), S(2, 2, 3, 3)}, -1, 1},
    {"resample2d, up", resample, 1, {S(1, 2, 3, 4)}, -2, 2},
    {"resample2d, down", resample_down, 1, {S(1, 2, 6, 5)}, -2, 2},
    {"resample2d, up and down, cropped", resample_crop, 1, {S(1, 1, 4, 5)}, -2, 2},
    {"upsample_nearest2d", upsample, 1, {S(1, 2, 2, 3)}, -2, 2},
    {"avg_pool2d", pool, 1, {S(1, 2, 4, 6)}, -2, 2},
};

/* --- measuring ------------------------------------------------------------------------------ */

enum { MAX_ELEMENTS = 512 };

/* Deterministic numbers that do not come close to each other: so that no max has a tie nearby. */
static void fill(double *out, int64_t count, double low, double high, unsigned seed)
{
    for (int64_t i = 0; i < count; i++) {
        double t = fmod(0.5 + 0.6180339887498949 * (double)(i + 1) + 0.377 * seed, 1.0);
        out[i] = low + (high - low) * t;
    }
}

static const double *value_of(reference *r, lw_value v)
{
    const double *data = reference_value(r, v);
    if (!data)
        fail_msg("%s", lw_error_text());
    return data;
}

/* sum over y of weight * y */
static double weighted(lw_graph *g, reference *r, lw_value y, const double *weight)
{
    const double *data = value_of(r, y);
    double sum = 0;
    for (int64_t i = 0; i < lw_shape_count(lw_shape_of(g, y)); i++)
        sum += data[i] * weight[i];
    return sum;
}

/* Fourth-order central difference of weighted(y) by element k of x, whose values are `at`. */
static double difference(lw_graph *g, reference *r, lw_value y, const double *weight, lw_value x, double *at,
                         int64_t k)
{
    const double h = 1e-4, here = at[k], offset[4] = {-2, -1, 1, 2}, factor[4] = {1, -8, 8, -1};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        at[k] = here + offset[i] * h;
        reference_replace(r, x, at);
        sum += factor[i] * weighted(g, r, y, weight);
    }
    at[k] = here;
    reference_replace(r, x, at);
    return sum / (12 * h);
}

/* Checks every element of the gradient of weighted(y) by x against differences. */
static void check_gradient(const char *name, lw_graph *g, reference *r, lw_value y, const double *weight,
                           lw_value x, double *at, lw_value gradient)
{
    int64_t count = lw_shape_count(lw_shape_of(g, x));
    double found[MAX_ELEMENTS];
    assert_true(count <= MAX_ELEMENTS);
    assert_true(lw_shape_equal(lw_shape_of(g, gradient), lw_shape_of(g, x)));
    memcpy(found, value_of(r, gradient), (size_t)count * sizeof *found);
    for (int64_t k = 0; k < count; k++) {
        double expected = difference(g, r, y, weight, x, at, k);
        if (!(fabs(found[k] - expected) <= 2e-6 * (1 + fabs(expected))))
            fail_msg("%s: element %d of the gradient is %.9g, differences say %.9g", name, (int)k, found[k],
                     expected);
    }
}

typedef struct setup {
    lw_graph *g;
    reference *r;
    lw_value x[3], y, seed;
    double at[3][MAX_ELEMENTS], weight[MAX_ELEMENTS];
} setup;

static void start(setup *s, const op_case *c)
{
    *s = (setup){.g = lw_graph_create()};
    assert_non_null(s->g);
    const char *names[3] = {"a", "b", "c"};
    s->r = reference_create(s->g);
    for (int i = 0; i < c->count; i++) {
        s->x[i] = lw_input(s->g, names[i], c->shape[i]);
        fill(s->at[i], lw_shape_count(c->shape[i]), c->low, c->high, (unsigned)i);
        reference_replace(s->r, s->x[i], s->at[i]);
    }
    s->y = c->build(s->g, s->x);
    if (lw_graph_status(s->g) != LW_OK)
        fail_msg("%s: %s", c->name, lw_error_text());
    assert_true(lw_shape_count(lw_shape_of(s->g, s->y)) <= MAX_ELEMENTS);
    s->seed = lw_input(s->g, "seed", lw_shape_of(s->g, s->y));
    fill(s->weight, lw_shape_count(lw_shape_of(s->g, s->y)), 0.5, 1.5, 7);
    reference_replace(s->r, s->seed, s->weight);
}

static void finish(setup *s)
{
    reference_destroy(s->r);
    lw_graph_destroy(s->g);
}

/* --- the checks of the table ---------------------------------------------------------------- */

static void every_gradient_agrees_with_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s;
        lw_value gradient[3];
        start(&s, &cases[i]);
        assert_int_equal(lw_gradient(s.g, s.y, s.seed, s.x, cases[i].count, gradient), LW_OK);
        for (int k = 0; k < cases[i].count; k++)
            check_gradient(cases[i].name, s.g, s.r, s.y, s.weight, s.x[k], s.at[k], gradient[k]);
        finish(&s);
    }
}

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* <J t, s> = <t, J^T s>, whatever the op */
static void forward_and_reverse_mode_are_transposes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < cases[i].count; k++) {
            setup s;
            lw_value gradient;
            double direction[MAX_ELEMENTS];
            start(&s, &cases[i]);
            int64_t count = lw_shape_count(lw_shape_of(s.g, s.x[k])),
                    out = lw_shape_count(lw_shape_of(s.g, s.y));
            fill(direction, count, -1, 1, 11);
            lw_value tangent = lw_input(s.g, "tangent", lw_shape_of(s.g, s.x[k]));
            reference_replace(s.r, tangent, direction);
            lw_value moved = lw_jvp(s.g, s.y, s.x[k], tangent);
            assert_int_equal(lw_gradient(s.g, s.y, s.seed, &s.x[k], 1, &gradient), LW_OK);
            assert_true(lw_shape_equal(lw_shape_of(s.g, moved), lw_shape_of(s.g, s.y)));
            double forward = dot(value_of(s.r, moved), s.weight, out);
            double backward = dot(value_of(s.r, gradient), direction, count);
            if (!(fabs(forward - backward) <= 1e-6 * (1 + fabs(forward))))
                fail_msg("%s by operand %d: forward %.9g, reverse %.9g", cases[i].name, k, forward, backward);
            finish(&s);
        }
}

/* [T, x..] in one go is what T single tangents are. */
static void many_tangents_move_like_each_alone(void **state)
{
    (void)state;
    enum { MANY = 3 };
    static double directions[MANY * MAX_ELEMENTS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < cases[i].count; k++) {
            setup s;
            start(&s, &cases[i]);
            lw_shape x = lw_shape_of(s.g, s.x[k]), y = lw_shape_of(s.g, s.y), many = {x.rank + 1, {MANY}};
            int64_t count = lw_shape_count(x), out = lw_shape_count(y);
            if (x.rank == LW_MAX_RANK || y.rank == LW_MAX_RANK) {
                finish(&s);
                continue;
            }
            for (int d = 0; d < x.rank; d++)
                many.dim[d + 1] = x.dim[d];
            fill(directions, MANY * count, -1, 1, 13);
            lw_value tangents = lw_input(s.g, "tangents", many);
            reference_replace(s.r, tangents, directions);
            lw_value moved = lw_jvp(s.g, s.y, s.x[k], tangents), one = lw_input(s.g, "one", x);
            lw_value alone = lw_jvp(s.g, s.y, s.x[k], one);
            if (lw_graph_status(s.g) != LW_OK)
                fail_msg("%s by operand %d: %s", cases[i].name, k, lw_error_text());
            assert_int_equal(lw_shape_of(s.g, moved).rank, y.rank + 1);
            for (int t = 0; t < MANY; t++) {
                reference_replace(s.r, one, directions + t * count);
                const double *all = value_of(s.r, moved) + t * out, *single = value_of(s.r, alone);
                for (int64_t e = 0; e < out; e++)
                    if (!(fabs(all[e] - single[e]) <= 1e-9 * (1 + fabs(single[e]))))
                        fail_msg("%s by operand %d, tangent %d, element %d: %.9g, alone %.9g", cases[i].name,
                                 k, t, (int)e, all[e], single[e]);
            }
            finish(&s);
        }
}

/* y[i] = x[i] A^T with a square: J[i] = 2 diag(x A^T) A */
static void jacobians_of_many_inputs_are_taken_row_by_row(void **state)
{
    (void)state;
    const double x[4] = {1, 2, -1, 3}, a[6] = {1, 2, 3, 4, 5, 6}; /* x [2, 2], A [3, 2] */
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value in = lw_input(g, "x", LW_SHAPE(2, 2)), weight = lw_input(g, "a", LW_SHAPE(3, 2));
    reference_replace(r, in, x);
    reference_replace(r, weight, a);
    lw_value y = lw_square(g, lw_linear(g, in, weight, (lw_value){0}));
    lw_value jacobian = lw_jacobian(g, lw_reshape(g, y, LW_SHAPE(2, 1, 3)), in);
    assert_true(lw_shape_equal(lw_shape_of(g, jacobian), LW_SHAPE(2, 3, 2)));
    const double *j = value_of(r, jacobian);
    for (int i = 0; i < 2; i++)
        for (int m = 0; m < 3; m++)
            for (int n = 0; n < 2; n++) {
                double inner = a[m * 2] * x[i * 2] + a[m * 2 + 1] * x[i * 2 + 1];
                assert_true(fabs(j[(i * 3 + m) * 2 + n] - 2 * inner * a[m * 2 + n]) < 1e-9);
            }
    lw_value unmoved = lw_jacobian(g, lw_reshape(g, weight, LW_SHAPE(2, 3)), in);
    assert_true(value_of(r, unmoved)[0] == 0);
    assert_true(lw_is_null(lw_jacobian(g, weight, in))); /* 3 rows cannot each depend on one of 2 */
    assert_int_equal(lw_graph_status(g), LW_SHAPE);
    reference_destroy(r);
    lw_graph_destroy(g);
}

/* What a mapping network does: normalise, then layers. The Jacobian starts behind the normalisation, and what
 * comes out is what single tangents of x say. */
static void a_jacobian_through_a_normalisation_is_that_of_the_whole(void **state)
{
    (void)state;
    enum { ROWS = 2, SIZE = 3, OUT = 4 };
    double x[ROWS * SIZE], a[OUT * SIZE], b[OUT * OUT], unit[ROWS * SIZE];
    fill(x, ROWS * SIZE, -1, 1, 1);
    fill(a, OUT * SIZE, -1, 1, 2);
    fill(b, OUT * OUT, -1, 1, 3);
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value in = lw_input(g, "x", LW_SHAPE(ROWS, SIZE)), tangent = lw_input(g, "t", LW_SHAPE(ROWS, SIZE));
    lw_value first = lw_input(g, "a", LW_SHAPE(OUT, SIZE)), second = lw_input(g, "b", LW_SHAPE(OUT, OUT));
    reference_replace(r, in, x);
    reference_replace(r, first, a);
    reference_replace(r, second, b);
    lw_value norm = lw_rsqrt(g, lw_mean(g, lw_square(g, in), LW_AXIS(1), true));
    lw_value h = lw_leaky_relu(g, lw_linear(g, lw_mul(g, in, norm), first, (lw_value){0}), 0.2);
    lw_value y = lw_tanh(g, lw_linear(g, h, second, (lw_value){0}));
    lw_value jacobian = lw_jacobian(g, y, in), moved = lw_jvp(g, y, in, tangent);
    assert_true(lw_shape_equal(lw_shape_of(g, jacobian), LW_SHAPE(ROWS, OUT, SIZE)));
    for (int j = 0; j < SIZE; j++) {
        for (int i = 0; i < ROWS * SIZE; i++)
            unit[i] = i % SIZE == j;
        reference_replace(r, tangent, unit);
        const double *all = value_of(r, jacobian), *column = value_of(r, moved);
        for (int i = 0; i < ROWS * OUT; i++)
            assert_true(fabs(all[i * SIZE + j] - column[i]) < 1e-12);
    }
    reference_destroy(r);
    lw_graph_destroy(g);
}

/* The gradient of <gradient, direction> again agrees with differences of it. */
static void every_second_derivative_agrees_with_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s;
        lw_value first[3], second[3];
        start(&s, &cases[i]);
        assert_int_equal(lw_gradient(s.g, s.y, s.seed, s.x, cases[i].count, first), LW_OK);
        lw_value total = lw_scalar(s.g, 0);
        for (int k = 0; k < cases[i].count; k++)
            total = lw_add(s.g, total, lw_sum(s.g, lw_square(s.g, first[k]), LW_ALL_AXES, false));
        assert_int_equal(lw_gradient(s.g, total, (lw_value){0}, s.x, cases[i].count, second), LW_OK);
        for (int k = 0; k < cases[i].count; k++)
            check_gradient(cases[i].name, s.g, s.r, total, (double[]){1}, s.x[k], s.at[k], second[k]);
        finish(&s);
    }
}

/* The reverse derivative of |J t|^2, which mixes both modes. */
static void every_derivative_of_a_jvp_agrees_with_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s;
        lw_value mixed;
        start(&s, &cases[i]);
        lw_value moved = lw_jvp(s.g, s.y, s.x[0], lw_fill(s.g, cases[i].shape[0], 0.75));
        lw_value total = lw_sum(s.g, lw_square(s.g, moved), LW_ALL_AXES, false);
        assert_int_equal(lw_gradient(s.g, total, (lw_value){0}, s.x, 1, &mixed), LW_OK);
        check_gradient(cases[i].name, s.g, s.r, total, (double[]){1}, s.x[0], s.at[0], mixed);
        finish(&s);
    }
}

/* --- derivatives of graphs ------------------------------------------------------------------ */

/* A small discriminator: x [2, 2, 6, 6], w1 [3, 2, 4, 4], w2 [1, 3, 3, 3] -> [2, 1] */
static lw_value score(lw_graph *g, const lw_value *x)
{
    lw_value h = lw_leaky_relu(g, lw_conv2d(g, x[0], x[1], .stride = 2, .padding = 1), 0.2);
    return lw_flatten(g, lw_conv2d(g, lw_tanh(g, h), x[2]), 1);
}

static void gradient_penalty_has_the_right_gradient(void **state)
{
    (void)state;
    const op_case net = {"net", score, 3, {S(2, 2, 6, 6), S(3, 2, 4, 4), S(1, 3, 3, 3)}, -0.5, 0.5};
    setup s;
    lw_value by_image, by_weight[2];
    start(&s, &net);
    lw_gradient(s.g, s.y, (lw_value){0}, s.x, 1, &by_image);
    lw_value norm = lw_sum(s.g, lw_square(s.g, by_image), LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3), false);
    lw_value penalty =
        lw_mean(s.g, lw_square(s.g, lw_affine(s.g, lw_sqrt(s.g, norm), 1, -1)), LW_ALL_AXES, false);
    assert_int_equal(lw_gradient(s.g, penalty, (lw_value){0}, &s.x[1], 2, by_weight), LW_OK);
    for (int k = 1; k < 3; k++)
        check_gradient("penalty", s.g, s.r, penalty, (double[]){1}, s.x[k], s.at[k], by_weight[k - 1]);
    finish(&s);
}

static void only_what_is_asked_for_is_differentiated(void **state)
{
    (void)state;
    const op_case net = {"net", score, 3, {S(2, 2, 6, 6), S(3, 2, 4, 4), S(1, 3, 3, 3)}, -0.5, 0.5};
    setup s;
    lw_value by_last;
    start(&s, &net);
    int before = s.g->count;
    lw_gradient(s.g, s.y, s.seed, &s.x[2], 1, &by_last);
    assert_int_equal(s.g->count, before + 2); /* the seed reshaped, and the weight's gradient */
    assert_int_equal(s.g->node[by_last.id].op, LWI_CONV2D_WEIGHT);
    finish(&s);
}

/* Of the loss sum(y^3), since plain sums of normalised values do not change. */
static void batch_norm_in_training_has_the_right_gradient(void **state)
{
    (void)state;
    const lw_shape shapes[2] = {S(3, 2, 2, 2), S(5, 2)};
    for (int i = 0; i < 2; i++) {
        lw_graph *g = lw_graph_create();
        lw_store *store = lw_store_create();
        reference *r = reference_create(g);
        lw_value wrt[3] = {lw_input(g, "x", shapes[i])}, gradient[3];
        double at[3][MAX_ELEMENTS];
        lw_scope_push(
            g, &(lw_scope){.size = sizeof(lw_scope), .store = store, .create = true, .training = true});
        lw_value y = lw_batch_norm(g, wrt[0], "bn");
        lw_value loss = lw_sum(g, lw_mul(g, y, lw_square(g, y)), LW_ALL_AXES, false);
        wrt[1] = lw_parameter(g, store, "bn.weight");
        wrt[2] = lw_parameter(g, store, "bn.bias");
        assert_int_equal(lw_gradient(g, loss, (lw_value){0}, wrt, 3, gradient), LW_OK);
        for (int k = 0; k < 3; k++) {
            fill(at[k], lw_shape_count(lw_shape_of(g, wrt[k])), 0.5, 2, (unsigned)k);
            reference_replace(r, wrt[k], at[k]);
        }
        for (int k = 0; k < 3; k++)
            check_gradient("batch_norm", g, r, loss, (double[]){1}, wrt[k], at[k], gradient[k]);
        reference_destroy(r);
        lw_graph_destroy(g);
        lw_store_destroy(store);
    }
}

static lw_value through_intermediate(lw_graph *g, const lw_value *x)
{
    return lw_mul(g, lw_exp(g, x[0]), x[0]);
}

static void gradient_by_an_intermediate_value_goes_no_further(void **state)
{
    (void)state;
    const op_case c = {"intermediate", through_intermediate, 1, {S(3)}, 0.2, 1};
    setup s;
    start(&s, &c);
    lw_value middle = lw_affine(s.g, s.x[0], 2, 1), y = lw_affine(s.g, lw_square(s.g, middle), 3, 0),
             gradient;
    lw_gradient(s.g, y, (lw_value){0}, &middle, 1, &gradient);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(value_of(s.r, gradient)[i] - 6 * (2 * s.at[0][i] + 1)) < 1e-6);
    finish(&s);
}

/* d/dp of (d/dp of 3 p^2), where p = 2 x + 1 is affine and so are the first derivative's steps */
static void second_derivative_by_an_intermediate_value_is_not_simplified_away(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value x = lw_input(g, "x", LW_SHAPE(2)), p = lw_affine(g, x, 2, 1), first, second;
    reference_write(r, "x", (float[]){1, -3});
    lw_gradient(g, lw_affine(g, lw_square(g, p), 3, 0), (lw_value){0}, &p, 1, &first);
    lw_gradient(g, first, (lw_value){0}, &p, 1, &second);
    for (int i = 0; i < 2; i++)
        assert_true(fabs(value_of(r, second)[i] - 6) < 1e-6);
    reference_destroy(r);
    lw_graph_destroy(g);
}

static void gradient_by_what_y_does_not_depend_on_is_zero(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value x = lw_input(g, "x", LW_SHAPE(2)), other = lw_input(g, "other", LW_SHAPE(2, 3)), gradient[2];
    lw_value y = lw_mul(g, x, lw_sum(g, lw_stop_gradient(g, other), LW_ALL_AXES, false));
    lw_gradient(g, y, (lw_value){0}, (lw_value[]){other, lw_exp(g, x)}, 2, gradient);
    assert_true(lw_shape_equal(lw_shape_of(g, gradient[0]), LW_SHAPE(2, 3)));
    for (int i = 0; i < 6; i++)
        assert_true(value_of(r, gradient[0])[i] == 0);
    assert_true(value_of(r, gradient[1])[1] == 0);
    lw_value moved = lw_jvp(g, y, other, lw_fill(g, LW_SHAPE(2, 3), 1));
    assert_true(value_of(r, moved)[0] == 0);
    reference_destroy(r);
    lw_graph_destroy(g);
}

static void ties_of_a_maximum_share_the_gradient(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value x = lw_constant(g, LW_SHAPE(4), (float[]){1, 5, 5, 2}), gradient;
    lw_gradient(g, lw_max(g, x, LW_ALL_AXES, false), (lw_value){0}, &x, 1, &gradient);
    const double expected[4] = {0, 0.5, 0.5, 0};
    for (int i = 0; i < 4; i++)
        assert_true(value_of(r, gradient)[i] == expected[i]);
    reference_destroy(r);
    lw_graph_destroy(g);
}

/* torch.clamp's: 1 from bound to bound, both included */
static void a_clamp_passes_the_gradient_at_its_bounds(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value x = lw_constant(g, LW_SHAPE(5), (float[]){-0.75f, -0.5f, 0, 0.25f, 0.3f}), gradient;
    lw_value y = lw_clamp(g, x, -0.5, 0.25);
    lw_gradient(g, y, (lw_value){0}, &x, 1, &gradient);
    lw_value moved = lw_jvp(g, y, x, lw_fill(g, LW_SHAPE(5), 1));
    const double expected[5] = {0, 1, 1, 1, 0};
    for (int i = 0; i < 5; i++) {
        assert_true(value_of(r, gradient)[i] == expected[i]);
        assert_true(value_of(r, moved)[i] == expected[i]);
    }
    reference_destroy(r);
    lw_graph_destroy(g);
}

static void thousands_of_nodes_are_no_burden(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    reference *r = reference_create(g);
    lw_value x = lw_input(g, "x", LW_SHAPE(2)), y = x, gradient;
    reference_write(r, "x", (float[]){0.5f, 1});
    for (int i = 0; i < 20000; i++)
        y = lw_sin(g, lw_affine(g, y, 1, 0.001));
    assert_int_equal(lw_gradient(g, y, (lw_value){0}, &x, 1, &gradient), LW_OK);
    lw_value moved = lw_jvp(g, y, x, lw_fill(g, LW_SHAPE(2), 1));
    assert_true(isfinite(value_of(r, gradient)[0]));
    assert_true(fabs(value_of(r, moved)[0] - value_of(r, gradient)[0]) < 1e-12);
    reference_destroy(r);
    lw_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_agrees_with_differences),
        cmocka_unit_test(forward_and_reverse_mode_are_transposes),
        cmocka_unit_test(every_second_derivative_agrees_with_differences),
        cmocka_unit_test(many_tangents_move_like_each_alone),
        cmocka_unit_test(jacobians_of_many_inputs_are_taken_row_by_row),
        cmocka_unit_test(a_jacobian_through_a_normalisation_is_that_of_the_whole),
        cmocka_unit_test(every_derivative_of_a_jvp_agrees_with_differences),
        cmocka_unit_test(only_what_is_asked_for_is_differentiated),
        cmocka_unit_test(gradient_penalty_has_the_right_gradient),
        cmocka_unit_test(batch_norm_in_training_has_the_right_gradient),
        cmocka_unit_test(gradient_by_an_intermediate_value_goes_no_further),
        cmocka_unit_test(second_derivative_by_an_intermediate_value_is_not_simplified_away),
        cmocka_unit_test(gradient_by_what_y_does_not_depend_on_is_zero),
        cmocka_unit_test(ties_of_a_maximum_share_the_gradient),
        cmocka_unit_test(a_clamp_passes_the_gradient_at_its_bounds),
        cmocka_unit_test(thousands_of_nodes_are_no_burden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
