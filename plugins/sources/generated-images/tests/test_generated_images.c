/* test_generated_images.c — pictures and their latents belong together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../methods/latent-recovery/tests/diamond.h"

enum { COUNT = 5, SIZE = 6, PIXELS = 3 * 16 * 16 };

/* Made again from its label, a picture is the same within half a step of its 8 bits. */
static void each_picture_is_that_of_its_labels(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = tiny_dcgan();
    harness h;
    open_method(&h, "source/generated-images", model, device);
    harness_set(&h, "count", "5");
    harness_set(&h, "batch", "2");
    test_must(harness_run(&h));
    const lw_dataset *dataset = harness_dataset(&h, "dataset");
    assert_int_equal(lw_dataset_count(dataset), COUNT);
    assert_int_equal(lw_dataset_label_count(dataset), SIZE);
    assert_string_equal(lw_dataset_label_name(dataset, 0), "z0");
    assert_string_equal(lw_dataset_label_name(dataset, 5), "z5");
    lw_tensor *z = lw_tensor_create(LW_SHAPE(COUNT, SIZE)), *images,
              *seen = lw_tensor_create(LW_SHAPE(COUNT, PIXELS));
    for (int n = 0; n < COUNT; n++)
        for (int i = 0; i < SIZE; i++)
            z->data[n * SIZE + i] = lw_dataset_labels(dataset, (size_t)n)[i];
    for (int n = 1; n < COUNT; n++) /* all are different */
        assert_true(z->data[n * SIZE] != z->data[0]);
    test_must(lw_model_images(model, device, "z", z, COUNT, &images, NULL));
    assert_int_equal(lw_dataset_range(dataset, 0, COUNT, seen->data), COUNT);
    near("pictures", seen, images, 1.0 / 255 + 1e-5);
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(images);
    lw_tensor_destroy(seen);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_picture_is_that_of_its_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
