/* test_density.c — method/density: latents drawn from a normal distribution are told as likely as they are;
 * mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

static void prepare(harness *h, lw_device *device, const lw_tensor *latents)
{
    static const char *const small[] = {"iterations", "600",   "batch", "128", "learning_rate",
                                        "5e-3",       "width", "16",    NULL};
    harness_open(h, "method/density");
    h->device = device;
    for (const char *const *s = small; *s; s += 2)
        harness_set(h, s[0], s[1]);
    harness_input(h, "latents", "start.z", "z", latents);
}

static void normal_latents_have_the_normal_density(void **state)
{
    (void)state;
    enum { N = 2000, D = 2 };
    lw_device *device = lw_device_open("cpu", "native");
    lw_tensor *latents = lw_tensor_create(LW_SHAPE(N, D));
    lw_normal((lw_stream){.seed = 1}, 0, N * D, latents->data);
    harness h;
    prepare(&h, device, latents);
    test_must(harness_run(&h));
    const lw_tensor *scores = harness_output(&h, "scores");
    assert_true(lw_shape_equal(scores->shape, LW_SHAPE(N, 1)));
    double error = 0;
    int counted = 0;
    for (int n = 0; n < N; n++) {
        const double x = latents->data[n * D], y = latents->data[n * D + 1];
        if (fabs(x) > 2 || fabs(y) > 2)
            continue;
        error += fabs(scores->data[n] + (x * x + y * y) / 2 + log(2 * acos(-1.0)));
        counted++;
    }
    print_message("mean error of the log density within two deviations: %.3f\n", error / counted);
    assert_true(error / counted < 0.15);
    harness_close(&h);
    latents->data[5] = NAN;
    prepare(&h, device, latents);
    assert_int_equal(harness_run(&h), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "latent 2 is not finite"));
    harness_close(&h);
    lw_tensor_destroy(latents);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_latents_have_the_normal_density),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
