/* test_encode.c — outputs are found by their labels and told in the labels' units. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../latent-recovery/tests/diamond.h"

#include <string.h>

static lw_tensor *noise(void)
{
    lw_tensor *images = lw_tensor_create(LW_SHAPE(5, 3, 16, 16));
    lw_normal((lw_stream){.seed = 9}, 0, 5 * 3 * 256, images->data);
    return images;
}

/* Of a network whose first output is z2, and which also sees something else. */
static void elements_are_found_by_name(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    test_model_part(
        model, LW_PART_NETWORK, "network/resnet",
        (const char *[]){"labels=[z2=-4..4, Smiling, z0=-1..3, z1=0..1, z3=-4..4, z5=-4..4, z4=-4..4]",
                         "widths=[4, 4]", "blocks=[0, 1]", "side=16", NULL});
    lw_tensor *images = noise(), *outputs;
    harness h;
    open_method(&h, "method/encode", model, device);
    harness_set(&h, "network", "m");
    harness_set(&h, "batch", "2");
    harness_input(&h, "images", "photos.images", "image", images);
    test_must(harness_run(&h));
    outputs = lw_step_features(h.step, model, "output", NULL, "image", images, 5);
    assert_non_null(outputs);
    for (int n = 0; n < 5; n++) {
        const float *z = harness_output(&h, "z")->data + 6 * n, *seen = outputs->data + 7 * n;
        assert_float_equal(z[2], -4 + 8 * seen[0], 1e-5);
        assert_float_equal(z[0], -1 + 4 * seen[2], 1e-5);
        assert_float_equal(z[1], seen[3], 1e-5);
        assert_float_equal(z[4], -4 + 8 * seen[6], 1e-5);
    }
    harness_close(&h);
    lw_tensor_destroy(images);
    lw_tensor_destroy(outputs);
    lwi_model_destroy(model);
}

static void a_missing_element_is_told(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    test_model_part(
        model, LW_PART_NETWORK, "network/resnet",
        (const char *[]){"labels=[z0=-4..4, z1=-4..4]", "widths=[4, 4]", "blocks=[0, 1]", "side=16", NULL});
    lw_tensor *images = noise();
    harness h;
    open_method(&h, "method/encode", model, device);
    harness_set(&h, "network", "m");
    harness_input(&h, "images", "photos.images", "image", images);
    assert_int_equal(harness_run(&h), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "an output for each of the 6 elements of z"));
    assert_non_null(strstr(lw_error_text(), "has no label 'z2'"));
    harness_close(&h);
    lw_tensor_destroy(images);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_found_by_name),
        cmocka_unit_test(a_missing_element_is_told),
    };
    return cmocka_run_group_tests(tests, test_open_device, test_close_device);
}
