/* test_great_circle_walk.c — the official code's walk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../latent-recovery/tests/diamond.h"

#include <string.h>

enum { COUNT = 4, STEPS = 6, SIZE = 512 };

/* Its points after the start, which is here the first: the recovered latent, and on from there. */
static void the_walk_is_the_official_one(void **state)
{
    (void)state;
    fixture f;
    harness h;
    open_official(&f);
    open_method(&h, "method/great-circle-walk", f.model, f.device);
    harness_set(&h, "points", "7");
    harness_input(&h, "z", "start.z", "z", fixture_expected(&f, "z0"));
    harness_input(&h, "recovered", "recover.z", "z",
                  fixture_expected(&f, "recovered_it30")); /* not yet on the sphere */
    test_must(harness_run(&h));
    const lw_tensor *walk = harness_output(&h, "walk"), *official = fixture_expected(&f, "walk");
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(COUNT, STEPS + 1, SIZE)));
    assert_true(lw_shape_equal(harness_output(&h, "images")->shape, LW_SHAPE(COUNT, STEPS + 1, 3, 16, 16)));
    for (int n = 0; n < COUNT; n++)
        for (int k = 0; k < STEPS; k++)
            for (int i = 0; i < SIZE; i++)
                assert_float_equal(walk->data[(n * (STEPS + 1) + k + 1) * SIZE + i],
                                   official->data[(k * COUNT + n) * SIZE + i], 1e-5);
    assert_true(harness_metric(&h, "walk", "degrees a step") > 0);
    harness_close(&h);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_walk_is_the_official_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
