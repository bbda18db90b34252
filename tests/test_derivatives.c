/* test_derivatives.c — derivatives of whole graphs: penalties, intermediate values, Jacobians, ties. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "differences.h"
#include "graph/ir.h"
#include "latentwalk/latentwalk.h"

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
            fill_apart(at[k], lw_shape_count(lw_shape_of(g, wrt[k])), 0.5, 2, (unsigned)k);
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

/* --- Jacobians ------------------------------------------------------------------------------------- */
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
    fill_apart(x, ROWS * SIZE, -1, 1, 1);
    fill_apart(a, OUT * SIZE, -1, 1, 2);
    fill_apart(b, OUT * OUT, -1, 1, 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_penalty_has_the_right_gradient),
        cmocka_unit_test(only_what_is_asked_for_is_differentiated),
        cmocka_unit_test(batch_norm_in_training_has_the_right_gradient),
        cmocka_unit_test(gradient_by_an_intermediate_value_goes_no_further),
        cmocka_unit_test(second_derivative_by_an_intermediate_value_is_not_simplified_away),
        cmocka_unit_test(gradient_by_what_y_does_not_depend_on_is_zero),
        cmocka_unit_test(ties_of_a_maximum_share_the_gradient),
        cmocka_unit_test(a_clamp_passes_the_gradient_at_its_bounds),
        cmocka_unit_test(thousands_of_nodes_are_no_burden),
        cmocka_unit_test(jacobians_of_many_inputs_are_taken_row_by_row),
        cmocka_unit_test(a_jacobian_through_a_normalisation_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
