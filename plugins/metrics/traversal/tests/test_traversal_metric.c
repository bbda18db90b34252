/* test_traversal_metric.c — cosine, step and distance of walks whose geometry is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"

#include <math.h>
#include <string.h>

enum { WALKS = 2, POINTS = 3, SIZE = 2 };
/* The first goes (3, 4) and then back (0, -2), its aim is the first axis; the second walks on for 1 and
 * stands still. */
static const float walks[WALKS * POINTS * SIZE] = {1, 1, 4, 5, 4, 3, 0, 0, 0, 1, 0, 1};
static const float aims[WALKS * SIZE] = {1, 0, 0, 1};

static lw_status measure(harness *h, int64_t points, const char *at)
{
    lw_tensor walk = {LW_SHAPE(WALKS, points, SIZE), (float *)walks},
              aim = {LW_SHAPE(WALKS, SIZE), (float *)aims};
    harness_open(h, "metric/traversal");
    if (at)
        harness_set(h, "at", at);
    harness_input(h, "walk", "walk.walk", "w", &walk);
    harness_input(h, "aims", "walk.aims", "w", &aim);
    return harness_run(h);
}

static void expect(const harness *h, const char *name, int64_t at, double value)
{
    const lwi_series *curve = harness_series(h, name);
    for (size_t k = 0; k < curve->count; k++)
        if (curve->iteration[k] == at) {
            assert_float_equal(curve->value[k], value, 1e-6);
            return;
        }
    fail_msg("no point %d of '%s'", (int)at, name);
}

static void steps_are_measured_along_the_aims(void **state)
{
    (void)state;
    harness h;
    assert_int_equal(measure(&h, POINTS, "[0, 10, 20]"), LW_OK);
    expect(&h, "cosine to the aim", 10, (0.6 + 1) / 2);
    expect(&h, "cosine to the aim \xc2\xb1", 10, 0.2);
    expect(&h, "cosine to the aim", 20, 0); /* the second stands still: left out */
    expect(&h, "step length", 10, 3);
    expect(&h, "step length", 20, 1);
    expect(&h, "distance along the aim", 10, 2);
    expect(&h, "distance along the aim", 20, 2);
    expect(&h, "distance along the aim \xc2\xb1", 20, 1);
    assert_float_equal(harness_metric(&h, "walk", "cosine to the aim"), 0.4, 1e-6);
    assert_float_equal(harness_metric(&h, "walk", "step length"), 2, 1e-6);
    assert_float_equal(harness_metric(&h, "walk", "distance along the aim"), 2, 1e-6);
    harness_close(&h);
}

static void what_has_no_steps_is_refused(void **state)
{
    (void)state;
    harness h;
    assert_int_equal(measure(&h, 1, NULL), LW_SHAPE);
    harness_close(&h);
    assert_int_equal(measure(&h, POINTS, "[0, 10]"), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "2 names for 3 points"));
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_measured_along_the_aims),
        cmocka_unit_test(what_has_no_steps_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
