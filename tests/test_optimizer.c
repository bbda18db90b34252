/* test_optimizer.c — the optimisers step for step against the formulas written out in double precision. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "latentwalk/latentwalk.h"
#include "reference.h"

typedef struct fixture {
    lw_graph *g;
    lw_store *store, *state;
    lw_value p, loss;
} fixture;

/* loss = sum (p - target)^2 / 2 for p = [1, -2], target = [0.5, 3]: its gradient is p - target */
static const double target[2] = {0.5, 3};

static int set_up(void **state)
{
    fixture *f = lw_alloc(1, sizeof *f);
    f->g = lw_graph_create();
    f->store = lw_store_create();
    f->state = lw_store_create();
    lw_store_set(f->store, "p", LW_SHAPE(2), (float[]){1, -2});
    lw_store_set(f->store, "frozen", LW_SHAPE(1), (float[]){4});
    lw_scope_push(f->g, &(lw_scope){.size = sizeof(lw_scope), .store = f->store});
    f->p = lw_weight(f->g, LW_SHAPE(2), lw_init_constant(0), "p");
    lw_buffer(f->g, LW_SHAPE(1), lw_init_constant(0), "frozen");
    lw_scope_pop(f->g);
    lw_value to = lw_constant(f->g, LW_SHAPE(2), (float[]){0.5f, 3});
    lw_value squares = lw_square(f->g, lw_sub(f->g, f->p, to));
    f->loss = lw_affine(f->g, lw_sum(f->g, squares, LW_ALL_AXES, false), 0.5, 0);
    *state = f;
    return lw_graph_status(f->g);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lw_graph_destroy(f->g);
    lw_store_destroy(f->store);
    lw_store_destroy(f->state);
    lw_free(f);
    return 0;
}

static void expect_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 2e-6 * (1 + fabs(expected))))
        fail_msg("%.9g, expected %.9g", found, expected);
}

static void adam_takes_torchs_steps(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_adam(f->g, f->loss, f->store, f->state, .learning_rate = 2e-2f, .beta1 = 0.5f),
                     LW_OK);
    reference *r = reference_create(f->g);
    double p[2] = {1, -2}, m[2] = {0}, v[2] = {0};
    for (int t = 1; t <= 5; t++) {
        for (int i = 0; i < 2; i++) {
            double gradient = p[i] - target[i];
            m[i] = 0.5 * m[i] + 0.5 * gradient;
            v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
            double step = 0.02 / (1 - pow(0.5, t)), denominator = sqrt(v[i]) / sqrt(1 - pow(0.999, t)) + 1e-8;
            p[i] -= step * m[i] / denominator;
        }
        assert_int_equal(reference_assign(r), LW_OK);
        for (int i = 0; i < 2; i++) {
            expect_near((double)lw_store_get(f->store, "p")->data[i], p[i]);
            expect_near((double)lw_store_get(f->state, "adam.m.p")->data[i], m[i]);
            expect_near((double)lw_store_get(f->state, "adam.v.p")->data[i], v[i]);
        }
        assert_true(lw_store_get(f->state, "adam.t")->data[0] == (float)t);
    }
    assert_true(lw_store_get(f->store, "frozen")->data[0] == 4);
    reference_destroy(r);
}

/* The first step is the learning rate in the gradient's direction, whatever the betas; beta1 may be 0. */
static void adams_defaults_are_torchs(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_adam(f->g, f->loss, f->store, f->state), LW_OK);
    reference *r = reference_create(f->g);
    assert_int_equal(reference_assign(r), LW_OK);
    expect_near((double)lw_store_get(f->store, "p")->data[0], 1 - 1e-3);
    expect_near((double)lw_store_get(f->store, "p")->data[1], -2 + 1e-3);
    expect_near((double)lw_store_get(f->state, "adam.v.p")->data[1], 0.001 * 25);
    reference_destroy(r);
}

/* A matrix w and a gain p, both with gradient p or w minus its target: AdamW shrinks the matrix alone, and
 * the rate is what the input says at each step. */
static void adamw_shrinks_matrices_at_the_rate_of_the_moment(void **state)
{
    fixture *f = *state;
    lw_store_set(f->store, "w", LW_SHAPE(1, 2), (float[]){1, -2});
    lw_scope_push(f->g, &(lw_scope){.size = sizeof(lw_scope), .store = f->store});
    lw_value w = lw_weight(f->g, LW_SHAPE(1, 2), lw_init_constant(0), "w");
    lw_scope_pop(f->g);
    lw_value to = lw_constant(f->g, LW_SHAPE(2), (float[]){0.5f, 3});
    lw_value squares = lw_square(f->g, lw_sub(f->g, w, to));
    lw_value loss = lw_add(f->g, f->loss, lw_affine(f->g, lw_sum(f->g, squares, LW_ALL_AXES, false), 0.5, 0));
    assert_int_equal(lw_adam(f->g, loss, f->store, f->state, .beta1 = 0.9f, .weight_decay = 0.1f,
                             .rate = lw_input(f->g, "rate", LW_SCALAR)),
                     LW_OK);
    reference *r = reference_create(f->g);
    double p[4] = {1, -2, 1, -2}, m[4] = {0}, v[4] = {0}; /* p, then w */
    for (int t = 1; t <= 4; t++) {
        double rate = 0.05 / t;
        assert_int_equal(reference_write(r, "rate", (float[]){(float)rate}), LW_OK);
        for (int i = 0; i < 4; i++) {
            double gradient = p[i] - target[i % 2];
            m[i] = 0.9 * m[i] + 0.1 * gradient;
            v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
            p[i] -= i < 2 ? 0 : rate * 0.1 * p[i];
            p[i] -= rate * m[i] / (1 - pow(0.9, t)) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
        }
        assert_int_equal(reference_assign(r), LW_OK);
        for (int i = 0; i < 2; i++) {
            expect_near((double)lw_store_get(f->store, "p")->data[i], p[i]);
            expect_near((double)lw_store_get(f->store, "w")->data[i], p[2 + i]);
        }
    }
    reference_destroy(r);
}

static void sgd_follows_a_rate_that_is_written_before_each_run(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_sgd(f->g, f->loss, f->store, f->state, .rate = lw_input(f->g, "rate", LW_SCALAR)),
                     LW_OK);
    reference *r = reference_create(f->g);
    double p = 1;
    for (int t = 0; t < 3; t++) {
        float rate = 0.5f / (float)(1 + t);
        assert_int_equal(reference_write(r, "rate", &rate), LW_OK);
        assert_int_equal(reference_assign(r), LW_OK);
        p -= (double)rate * (p - target[0]);
        expect_near((double)lw_store_get(f->store, "p")->data[0], p);
    }
    reference_destroy(r);
}

static void a_rate_that_is_not_one_number_is_an_error(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_adam(f->g, f->loss, f->store, f->state, .rate = f->p), LW_SHAPE);
    assert_string_equal(lw_error_message(0), "adam at 'p': the learning rate must be one number");
}

/* Three parts of a batch, the last of which updates: the same as Adam with their mean gradient. */
static void accumulated_gradients_are_one_batch(void **state)
{
    fixture *f = *state;
    lw_store *sums = lw_store_create();
    lw_graph *part = lw_graph_create();
    lw_scope_push(part, &(lw_scope){.size = sizeof(lw_scope), .store = f->store});
    lw_value p = lw_weight(part, LW_SHAPE(2), lw_init_constant(0), "p");
    lw_scope_pop(part);
    lw_value pull = lw_sum(part, lw_mul(part, p, lw_input(part, "pull", LW_SHAPE(2))), LW_ALL_AXES, false);
    assert_int_equal(lw_accumulate(part, lw_affine(part, pull, 1.0 / 3, 0), f->store, sums), LW_OK);
    reference *r = reference_create(part);
    assert_int_equal(reference_write(r, "pull", (float[]){1, 2}), LW_OK);
    assert_int_equal(reference_assign(r), LW_OK);
    assert_int_equal(reference_write(r, "pull", (float[]){4, -3}), LW_OK);
    assert_int_equal(reference_assign(r), LW_OK);
    reference_destroy(r);
    expect_near((double)lw_store_get(sums, "sum.p")->data[0], 5.0 / 3);
    assert_true(lw_store_get(f->store, "p")->data[0] == 1);

    lw_value third = lw_affine(f->g, f->loss, 1.0 / 3, 0);
    assert_int_equal(lw_adam(f->g, third, f->store, f->state, .sums = sums), LW_OK);
    r = reference_create(f->g);
    assert_int_equal(reference_assign(r), LW_OK);
    const double mean[2] = {5.0 / 3 + 0.5 / 3, -1.0 / 3 - 5.0 / 3};
    for (int i = 0; i < 2; i++) {
        expect_near((double)lw_store_get(f->state, "adam.m.p")->data[i], mean[i]);
        expect_near((double)lw_store_get(f->state, "adam.v.p")->data[i], 0.001 * mean[i] * mean[i]);
        assert_true(lw_store_get(sums, "sum.p")->data[i] == 0);
    }
    reference_destroy(r);
    lw_graph_destroy(part);
    lw_store_destroy(sums);
}

static void sgd_takes_torchs_steps(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_sgd(f->g, f->loss, f->store, f->state, .learning_rate = 0.1f, .momentum = 0.9f,
                            .weight_decay = 0.01f),
                     LW_OK);
    reference *r = reference_create(f->g);
    double p[2] = {1, -2}, v[2] = {0};
    for (int t = 0; t < 4; t++) {
        assert_int_equal(reference_assign(r), LW_OK);
        for (int i = 0; i < 2; i++) {
            v[i] = 0.9 * v[i] + (p[i] - target[i]) + 0.01 * p[i];
            p[i] -= 0.1 * v[i];
            expect_near((double)lw_store_get(f->store, "p")->data[i], p[i]);
            expect_near((double)lw_store_get(f->state, "sgd.v.p")->data[i], v[i]);
        }
    }
    reference_destroy(r);
}

static void plain_sgd_keeps_no_state(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_sgd(f->g, f->loss, f->store, f->state, .learning_rate = 0.5f), LW_OK);
    assert_int_equal(lw_store_count(f->state), 0);
    reference *r = reference_create(f->g);
    assert_int_equal(reference_assign(r), LW_OK);
    assert_true(lw_store_get(f->store, "p")->data[1] == 0.5f);
    reference_destroy(r);
}

static void a_moving_average_follows_the_new_weights_and_copies_buffers(void **state)
{
    fixture *f = *state;
    lw_store *average = lw_store_create();
    assert_int_equal(lw_store_merge(average, f->store, ""), LW_OK);
    lw_store_set(average, "frozen", LW_SHAPE(1), (float[]){0});
    assert_int_equal(lw_sgd(f->g, f->loss, f->store, f->state, .learning_rate = 0.5f), LW_OK);
    assert_int_equal(lw_moving_average(f->g, f->store, average, 0.75), LW_OK);
    reference *r = reference_create(f->g);
    assert_int_equal(reference_assign(r), LW_OK);
    expect_near((double)lw_store_get(average, "p")->data[1], 0.75 * -2 + 0.25 * 0.5);
    assert_true(lw_store_get(average, "frozen")->data[0] == 4);
    reference_destroy(r);
    lw_store_destroy(average);
}

static void a_moving_average_takes_its_decay_from_a_value(void **state)
{
    fixture *f = *state;
    lw_store *average = lw_store_create();
    assert_int_equal(lw_store_merge(average, f->store, ""), LW_OK);
    lw_value decay = lw_input(f->g, "decay", LW_SCALAR);
    assert_int_equal(lw_sgd(f->g, f->loss, f->store, f->state, .learning_rate = 0.5f), LW_OK);
    assert_int_equal(lw_moving_average_by(f->g, f->store, average, decay), LW_OK);
    reference *r = reference_create(f->g);
    assert_int_equal(reference_write(r, "decay", (float[]){0.25f}), LW_OK);
    assert_int_equal(reference_assign(r), LW_OK);
    expect_near((double)lw_store_get(average, "p")->data[1], 0.25 * -2 + 0.75 * 0.5);
    reference_destroy(r);
    lw_store_destroy(average);
}

static void a_loss_that_is_not_a_number_is_an_error(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_adam(f->g, f->p, f->store, f->state), LW_SHAPE);
    assert_string_equal(lw_error_message(0), "adam at 'p': the loss must be one number, and it is [2]");
}

static void a_store_without_trainable_parameters_is_an_error(void **state)
{
    fixture *f = *state;
    assert_int_equal(lw_sgd(f->g, f->loss, f->state, f->state, .learning_rate = 1), LW_INVALID);
    assert_non_null(
        strstr(lw_error_message(0), "the graph has taken no trainable parameter from this store"));
}

static void state_of_another_shape_is_an_error(void **state)
{
    fixture *f = *state;
    lw_store_set(f->state, "adam.m.p", LW_SHAPE(3), (float[3]){0});
    assert_int_equal(lw_adam(f->g, f->loss, f->store, f->state), LW_SHAPE);
    assert_string_equal(lw_error_message(0),
                        "the optimiser's state 'adam.m.p' is [3], but its parameter is [2]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(adam_takes_torchs_steps),
        TEST(adams_defaults_are_torchs),
        TEST(adamw_shrinks_matrices_at_the_rate_of_the_moment),
        TEST(accumulated_gradients_are_one_batch),
        TEST(sgd_takes_torchs_steps),
        TEST(sgd_follows_a_rate_that_is_written_before_each_run),
        TEST(a_rate_that_is_not_one_number_is_an_error),
        TEST(plain_sgd_keeps_no_state),
        TEST(a_moving_average_follows_the_new_weights_and_copies_buffers),
        TEST(a_moving_average_takes_its_decay_from_a_value),
        TEST(a_loss_that_is_not_a_number_is_an_error),
        TEST(a_store_without_trainable_parameters_is_an_error),
        TEST(state_of_another_shape_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
