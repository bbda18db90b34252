/* test_curve.c — iterative curve-traversal step by step with the official code (localbasis d53c477b). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 32 };

static const lw_tensor *walk(harness *h, fixture *net, const lw_tensor *z, const char *basis,
                             const char *scale, const char *distance)
{
    harness_open(h, "method/iterative-curve-traversal");
    h->model = net->model;
    h->device = net->device;
    harness_set(h, "model", "m");
    harness_set(h, "iterations", "4");
    harness_set(h, "keep", "[0, 2, 4]");
    harness_set(h, "cutoff", "0");
    harness_set(h, "basis", basis);
    harness_set(h, "scale", scale);
    harness_set(h, "distance", distance);
    harness_input(h, "z", "start.z", "z", z);
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
    assert_true(lw_shape_equal(harness_output(h, "walk")->shape, LW_SHAPE(1, 3, SIZE)));
    return harness_output(h, "walk");
}

/* Largest difference of the points after 2 and 4 steps from rows a and b of the official ones. */
static double differ(const lw_tensor *found, const lw_tensor *official, int a, int b)
{
    double most = 0;
    for (int i = 0; i < SIZE; i++) {
        most = fmax(most, fabs((double)found->data[SIZE + i] - official->data[a * SIZE + i]));
        most = fmax(most, fabs((double)found->data[2 * SIZE + i] - official->data[b * SIZE + i]));
    }
    return most;
}

/* Both ways along vector `basis`; which of the two is positive is LAPACK's choice there, and fixed here. */
static void check(const char *basis, const char *scale, const char *name)
{
    fixture net, method;
    harness ahead, back;
    fixture_open(&method, "method_localbasis", "native");
    fixture_open(&net, "stylegan2", "native");
    fixture_part(&net, LW_PART_GENERATOR, "generator/stylegan2", NULL, NULL);
    const lw_tensor *official = fixture_expected(&method, name), *z = fixture_expected(&method, "noise0");
    const lw_tensor *one = walk(&ahead, &net, z, basis, scale, "0.5");
    const lw_tensor *other = walk(&back, &net, z, basis, scale, "-0.5");
    bool swapped = differ(one, official, 1, 0) < differ(one, official, 3, 4);
    double worst = swapped ? fmax(differ(one, official, 1, 0), differ(other, official, 3, 4))
                           : fmax(differ(one, official, 3, 4), differ(other, official, 1, 0));
    if (!(worst < 1e-3))
        fail_msg("%s differs by %g", name, worst);
    for (int i = 0; i < SIZE; i++)
        assert_true(fabsf(one->data[i] - official->data[2 * SIZE + i]) < 1e-5f);
    harness_close(&ahead);
    harness_close(&back);
    fixture_close(&net);
    fixture_close(&method);
}

static void curves_are_those_of_the_official_code(void **state)
{
    (void)state;
    check("0", "true", "ict.idx0.scale1.w");
    check("0", "false", "ict.idx0.scale0.w");
    check("2", "true", "ict.idx2.scale1.w");
    check("2", "false", "ict.idx2.scale0.w");
}

static void a_vector_below_the_cutoff_cannot_be_followed(void **state)
{
    (void)state;
    fixture net;
    harness h;
    fixture_open(&net, "stylegan2", "native");
    fixture_part(&net, LW_PART_GENERATOR, "generator/stylegan2", NULL, NULL);
    lw_tensor *z = lw_tensor_create(LW_SHAPE(1, SIZE));
    lw_normal((lw_stream){.seed = 1}, 0, SIZE, z->data);
    harness_open(&h, "method/iterative-curve-traversal");
    h.model = net.model;
    h.device = net.device;
    harness_set(&h, "model", "m");
    harness_set(&h, "iterations", "2");
    harness_set(&h, "basis", "31"); /* that of z itself, which the mapping normalises away */
    harness_input(&h, "z", "start.z", "z", z);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "basis: vector 31"));
    lw_tensor_destroy(z);
    harness_close(&h);
    fixture_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_those_of_the_official_code),
        cmocka_unit_test(a_vector_below_the_cutoff_cannot_be_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
