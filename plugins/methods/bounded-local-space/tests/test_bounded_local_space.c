/* test_bounded_local_space.c — the equations on the official mapping network, and the walk that they make. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include "../bounds.c"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 32 };

typedef struct setup {
    fixture net, method;
} setup;

static void open(setup *s)
{
    fixture_open(&s->method, "method_localbasis", "native");
    fixture_open(&s->net, "stylegan2", "native");
    fixture_part(&s->net, LW_PART_GENERATOR, "generator/stylegan2", NULL, NULL);
}

static void close(setup *s)
{
    fixture_close(&s->net);
    fixture_close(&s->method);
}

static void near(const char *what, const float *found, const lw_tensor *expected, double tolerance)
{
    for (int i = 0; i < SIZE; i++)
        if (!(fabs((double)found[i] - expected->data[i]) <= tolerance))
            fail_msg("%s: element %d is %.7g, not %.7g", what, i, (double)found[i],
                     (double)expected->data[i]);
}

/* Equations 5 to 9 from z0 towards bls.w_target, for each alpha. */
static void one_step_is_that_of_the_formulas(void **state)
{
    (void)state;
    static const char *const alphas[] = {"0.5", "1.0", "2.0"};
    setup s;
    open(&s);
    lw_local *local = lw_local_create(s.net.model, s.net.device, .batch = 1, .cutoff = 0.05f);
    assert_non_null(local);
    const float *z = fixture_expected(&s.method, "noise0")->data;
    for (int k = 0; k < 3; k++) {
        char name[32];
        float wanted[SIZE], step[SIZE], coefficients[SIZE], next[SIZE];
        assert_int_equal(lw_local_at(local, z, 1), LW_OK);
        for (int i = 0; i < SIZE; i++)
            wanted[i] = fixture_expected(&s.method, "bls.w_target")->data[i] - local->w[i];
        bounded_step(local, 0, wanted, strtod(alphas[k], NULL), step, coefficients);
        snprintf(name, sizeof name, "bls.alpha%s.A_clamped", alphas[k]);
        for (int i = 0; i < SIZE; i++) { /* singular vectors' signs are arbitrary */
            float expected = fixture_expected(&s.method, name)->data[i];
            if (!(fabs(fabs((double)coefficients[i]) - fabs((double)expected)) < 1e-3))
                fail_msg("%s[%d]: %g, not %g", name, i, (double)coefficients[i], (double)expected);
        }
        for (int i = 0; i < SIZE; i++)
            next[i] = z[i] + step[i];
        snprintf(name, sizeof name, "bls.alpha%s.z_next", alphas[k]);
        near(name, next, fixture_expected(&s.method, name), 1e-3);
        assert_int_equal(lw_local_jacobian(local, next, 1), LW_OK);
        snprintf(name, sizeof name, "bls.alpha%s.w_next", alphas[k]);
        near(name, local->w, fixture_expected(&s.method, name), 1e-3);
    }
    lw_local_destroy(local);
    close(&s);
}

static double length(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += pow((double)a[i] - b[i], 2);
    return sqrt(sum);
}

/* More walks than a batch holds, from z to w, and each as if it were alone. */
static void many_walks_are_walked_each_for_itself(void **state)
{
    (void)state;
    setup s;
    open(&s);
    harness h, alone;
    harness_open(&h, "method/bounded-local-space");
    h.model = s.net.model;
    h.device = s.net.device;
    harness_set(&h, "model", "m");
    harness_set(&h, "iterations", "3");
    harness_set(&h, "batch", "2");
    harness_set(&h, "distance", "1.5");
    lw_tensor *z = lw_tensor_create(LW_SHAPE(3, SIZE)), *target = lw_tensor_create(LW_SHAPE(3, SIZE));
    lw_normal((lw_stream){.seed = 1}, 0, 3 * SIZE, z->data);
    lw_normal((lw_stream){.seed = 2}, 0, 3 * SIZE, target->data);
    harness_input(&h, "z", "start.z", "z", z);
    harness_input(&h, "target", "end.z", "z", target);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    const lw_tensor *walk = harness_output(&h, "walk");
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(3, 4, SIZE)));
    assert_int_equal(harness_output(&h, "images")->shape.dim[1], 4);

    harness_open(&alone, "method/bounded-local-space");
    alone.model = s.net.model;
    alone.device = s.net.device;
    harness_set(&alone, "model", "m");
    harness_set(&alone, "iterations", "3");
    harness_set(&alone, "distance", "1.5");
    lw_tensor *last = lw_tensor_create(LW_SHAPE(1, SIZE)), *end = lw_tensor_create(LW_SHAPE(1, SIZE));
    memcpy(last->data, z->data + 2 * SIZE, SIZE * sizeof(float));
    memcpy(end->data, target->data + 2 * SIZE, SIZE * sizeof(float));
    harness_input(&alone, "z", "start.z", "z", last);
    harness_input(&alone, "target", "end.z", "z", end);
    assert_int_equal(harness_run(&alone), LW_OK);
    for (int t = 0; t < 4; t++)
        assert_true(length(walk->data + (2 * 4 + t) * SIZE, harness_output(&alone, "walk")->data + t * SIZE) <
                    1e-3);

    lw_tensor_destroy(z);
    lw_tensor_destroy(target);
    lw_tensor_destroy(last);
    lw_tensor_destroy(end);
    harness_close(&h);
    harness_close(&alone);
    close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_is_that_of_the_formulas),
        cmocka_unit_test(many_walks_are_walked_each_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
