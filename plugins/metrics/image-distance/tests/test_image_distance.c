/* test_image_distance.c — metric/image-distance: means over walks by hand, any start, mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

static void prepare(harness *h, lw_device *device, const lw_tensor *images, const char *from)
{
    harness_open(h, "metric/image-distance");
    h->device = device;
    const char *with[] = {"taps=[pixels]", "normalise=false", "channels=mean", NULL};
    test_must(lwi_args_add_loss(h->args, "losses", "perceptual", test_plugin("loss/perceptual"), 1,
                                test_args("loss/perceptual", with)));
    harness_set(h, "from", from);
    harness_set(h, "batch", "2"); /* of three walks: one at a time */
    harness_input(h, "images", "edit.images", "image", images);
}

static void distances_are_means_over_walks(void **state)
{
    (void)state;
    enum { N = 3, T = 3, SIZE = 3 * 2 * 2 };
    lw_device *device = lw_device_open("cpu", "native");
    lw_tensor *images = lw_tensor_create(LW_SHAPE(N, T, 3, 2, 2));
    lw_normal((lw_stream){.seed = 3}, 0, N * T * SIZE, images->data);
    for (int from = 0; from < 2; from++) {
        harness h;
        prepare(&h, device, images, from ? "1" : "0");
        test_must(harness_run(&h));
        for (int t = 0; t < T; t++) {
            double sum = 0;
            for (int n = 0; n < N; n++)
                for (int i = 0; i < SIZE; i++)
                    sum += pow((double)images->data[(n * T + t) * SIZE + i] -
                                   images->data[(n * T + from) * SIZE + i],
                               2) /
                           (N * SIZE);
            char row[] = "point 0";
            row[6] = (char)('0' + t);
            assert_true(fabs(harness_metric(&h, row, "perceptual") - sum) < 1e-5);
        }
        harness_close(&h);
    }
    harness h;
    prepare(&h, device, images, "3");
    assert_int_equal(harness_run(&h), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "point 3; there are 3 walks of 3 points"));
    harness_close(&h);
    lw_tensor_destroy(images);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_means_over_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
