/* test_projection.c — lengths after the projection, and what cannot be projected. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

static lw_status project(harness *h, lw_model *model, const lw_tensor *z, const char *radius)
{
    harness_open(h, "method/hypersphere-projection");
    h->model = model;
    harness_set(h, "model", "m");
    if (radius)
        harness_set(h, "radius", radius);
    harness_input(h, "latents", "walk.walk", "z", z);
    return harness_run(h);
}

static void latents_keep_their_direction_and_get_their_length(void **state)
{
    (void)state;
    harness h;
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    lw_tensor *z = lw_tensor_create(LW_SHAPE(2, 3, 4)); /* two walks of three points */
    lw_normal((lw_stream){.seed = 1}, 0, 24, z->data);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(project(&h, model, z, k ? "0.5" : NULL), LW_OK);
        const lw_tensor *out = harness_output(&h, "latents");
        assert_true(lw_shape_equal(out->shape, z->shape));
        for (int n = 0; n < 6; n++) {
            double squares = 0, was = 0;
            for (int i = 0; i < 4; i++) {
                squares += pow(out->data[n * 4 + i], 2);
                was += pow(z->data[n * 4 + i], 2);
            }
            assert_true(fabs(sqrt(squares) - (k ? 0.5 : 2)) < 1e-6);
            for (int i = 0; i < 4; i++)
                assert_true(fabs(out->data[n * 4 + i] / sqrt(squares) - z->data[n * 4 + i] / sqrt(was)) <
                            1e-6);
        }
        harness_close(&h);
    }
    memset(z->data + 8, 0, 4 * sizeof(float));
    assert_int_equal(project(&h, model, z, NULL), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "latent 2 is zero"));
    harness_close(&h);
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(latents_keep_their_direction_and_get_their_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
