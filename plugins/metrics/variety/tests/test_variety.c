/* test_variety.c — angles and distances of pairs, by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../methods/latent-recovery/tests/diamond.h"

#include <string.h>

static void pairs_are_averaged(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    test_model_part(model, LW_PART_NETWORK, "network/cnn",
                    (const char *[]){"widths=[4]", "side=16", "outputs=2", NULL});
    lw_tensor *z = lw_tensor_create(LW_SHAPE(3, 6)), *same = lw_tensor_create(LW_SHAPE(2, 6));
    z->data[0] = 2;                /* along the first axis, */
    z->data[6 + 1] = 0.5f;         /* the second, 90 degrees away, */
    z->data[12] = z->data[13] = 1; /* and between them, 45 from both */
    for (int i = 0; i < 12; i++)
        same->data[i] = 1;
    harness h;
    open_method(&h, "metric/variety", model, device);
    harness_set(&h, "network", "m");
    harness_set(&h, "tap", "output");
    harness_input(&h, "latents", "start.z", "z", z);
    harness_input(&h, "latents", "proto.z", "z", same);
    test_must(harness_run(&h));
    assert_float_equal(harness_metric(&h, "start.z", "latents, degrees apart"), 60, 1e-4);
    lw_tensor *seen = lw_step_features(h.step, model, "output", model, "z", z, 3);
    assert_non_null(seen);
    double sum = 0;
    for (int a = 0; a < 3; a++)
        for (int b = a + 1; b < 3; b++)
            sum += hypot((double)(seen->data[2 * a] - seen->data[2 * b]),
                         (double)(seen->data[2 * a + 1] - seen->data[2 * b + 1]));
    assert_float_equal(harness_metric(&h, "start.z", "images, distance apart"), sum / 3, 1e-5);
    assert_float_equal(harness_metric(&h, "proto.z", "latents, degrees apart"), 0, 1e-4);
    assert_float_equal(harness_metric(&h, "proto.z", "images, distance apart"), 0, 1e-4);
    harness_close(&h);
    lw_tensor_destroy(seen);
    lw_tensor_destroy(z);
    lw_tensor_destroy(same);
    lwi_model_destroy(model);
}

static void one_latent_does_not_vary(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    test_model_part(model, LW_PART_NETWORK, "network/cnn", (const char *[]){"widths=[4]", "side=16", NULL});
    lw_tensor *z = normal_rows(1, 6, 1);
    harness h;
    open_method(&h, "metric/variety", model, device);
    harness_set(&h, "network", "m");
    harness_input(&h, "latents", "start.z", "z", z);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "start.z: one latent alone does not vary"));
    harness_close(&h);
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_averaged),
        cmocka_unit_test(one_latent_does_not_vary),
    };
    return cmocka_run_group_tests(tests, test_open_device, test_close_device);
}
