/* test_gradient.c — every op's derivatives, reverse and forward, against central differences; second
 * derivatives; and that both modes are each other's transposes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "differences.h"
#include "latentwalk/latentwalk.h"

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
            fill_apart(direction, count, -1, 1, 11);
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
            fill_apart(directions, MANY * count, -1, 1, 13);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_agrees_with_differences),
        cmocka_unit_test(forward_and_reverse_mode_are_transposes),
        cmocka_unit_test(many_tangents_move_like_each_alone),
        cmocka_unit_test(every_second_derivative_agrees_with_differences),
        cmocka_unit_test(every_derivative_of_a_jvp_agrees_with_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
