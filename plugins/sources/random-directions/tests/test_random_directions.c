/* test_random_directions.c — source/random-directions: unit vectors that differ, of the model's spaces. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

static void directions_are_unit_vectors_that_point_apart(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("none", NULL);
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=100", "width=2", "depth=1", NULL});
    harness h;
    harness_open(&h, "source/random-directions");
    h.model = model;
    h.device = device;
    harness_set(&h, "model", "m");
    harness_set(&h, "count", "5");
    test_must(harness_run(&h));
    const lw_tensor *d = harness_output(&h, "directions");
    assert_true(lw_shape_equal(d->shape, LW_SHAPE(5, 100)));
    for (int a = 0; a < 5; a++)
        for (int b = 0; b <= a; b++) {
            double dot = 0;
            for (int i = 0; i < 100; i++)
                dot += (double)d->data[a * 100 + i] * d->data[b * 100 + i];
            assert_true(a == b ? fabs(dot - 1) < 1e-5 : fabs(dot) < 0.5);
        }
    harness_set(&h, "space", "w");
    assert_int_equal(harness_run(&h), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "set `space: z`"));
    harness_close(&h);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_are_unit_vectors_that_point_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
