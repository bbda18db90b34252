/* test_synthesis.c — each latent gets its image, whatever the batch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../latent-recovery/tests/diamond.h"

static void each_latent_gets_its_image(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(5, 6, 1), *images;
    harness h;
    open_method(&h, "method/synthesis", model, device);
    harness_set(&h, "batch", "2");
    harness_input(&h, "latents", "start.z", "z", z);
    test_must(harness_run(&h));
    test_must(lw_model_images(model, device, "z", z, 5, &images, NULL));
    assert_true(lw_shape_equal(harness_output(&h, "images")->shape, LW_SHAPE(5, 3, 16, 16)));
    near("images", harness_output(&h, "images"), images, 1e-6);
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(images);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_latent_gets_its_image)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
