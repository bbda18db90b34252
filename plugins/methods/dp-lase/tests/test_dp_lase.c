/* test_dp_lase.c — the step method/dp-lase: its directions and walks, and mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

static void prepare(harness *h, lw_model *model, lw_device *device, const lw_tensor *z,
                    const char *const *settings)
{
    harness_open(h, "method/dp-lase");
    h->model = model;
    h->device = device;
    static const char *const small[] = {"model",
                                        "m",
                                        "tap",
                                        "block0",
                                        "count",
                                        "3",
                                        "iterations",
                                        "20",
                                        "batch",
                                        "4",
                                        "density_width",
                                        "8",
                                        "correction_width",
                                        "8",
                                        "shown",
                                        "2",
                                        "strides",
                                        "[-3, 0, 3]",
                                        NULL};
    for (const char *const *s = small; *s; s += 2)
        harness_set(h, s[0], s[1]);
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
    harness_input(h, "z", "start.z", "z", z);
}

static void fails(lw_model *model, lw_device *device, const lw_tensor *z, const char *const *settings,
                  lw_status status, const char *text)
{
    harness h;
    prepare(&h, model, device, z, settings);
    assert_int_equal(harness_run(&h), status);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
    if (status != LW_NUMERIC) /* the others are found before anything runs */
        assert_int_equal(lwi_step_check(h.step), status);
    harness_close(&h);
}

static lw_model *small_model(void)
{
    return test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                      (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
}

static void directions_are_ordered_orthogonal_and_walked_along(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = small_model();
    lw_tensor *z = lw_tensor_create(LW_SHAPE(2, 4));
    lw_normal((lw_stream){.seed = 1}, 0, 8, z->data);
    harness h;
    prepare(&h, model, device, z, (const char *[]){"preserve", "gaussian", NULL});
    test_must(harness_run(&h));
    char *path = harness_path(&h, "directions.safetensors");
    lw_directions *d = lw_directions_load(path, NULL);
    lw_free(path);
    assert_non_null(d);
    assert_true(d->count == 3 && d->scores[0] >= d->scores[1] && d->scores[1] >= d->scores[2] &&
                d->scores[2] > 0);
    for (int j = 0; j < 3; j++)
        for (int k = 0; k < j; k++) {
            double dot = 0;
            for (int i = 0; i < 4; i++)
                dot += (double)d->vectors[j * 4 + i] * d->vectors[k * 4 + i];
            assert_true(fabs(dot) < 0.01);
        }
    const lw_tensor *walk = harness_output(&h, "walk");
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(4, 3, 4)));
    for (int m = 0; m < 4; m++) {
        for (int i = 0; i < 4; i++) /* a stride of 0 stays */
            assert_true(fabsf(walk->data[(m * 3 + 1) * 4 + i] - z->data[m / 2 * 4 + i]) <= 1e-5f);
        for (int t = 0; t < 3; t += 2) {
            double length = 0, start = 0,
                   moved = 0; /* a stride keeps the norm, and goes along the direction */
            for (int i = 0; i < 4; i++) {
                float at = walk->data[(m * 3 + t) * 4 + i], from = z->data[m / 2 * 4 + i];
                length += (double)at * at;
                start += (double)from * from;
                moved += ((double)at - from) * d->vectors[m % 2 * 4 + i] * (t - 1);
            }
            assert_true(fabs(length - start) < 1e-4 * start && moved > 0);
        }
    }
    assert_true(lw_shape_equal(harness_output(&h, "images")->shape, LW_SHAPE(4, 3, 3, 16, 16)));
    lw_directions_destroy(d);
    harness_close(&h);
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void walks_of_learned_density_go_through_w_too(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model =
        test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=5", "mapping_layers=2", NULL});
    lw_tensor *z = lw_tensor_create(LW_SHAPE(2, 6));
    lw_normal((lw_stream){.seed = 1}, 0, 12, z->data);
    harness h;
    prepare(&h, model, device, z,
            (const char *[]){"space", "w", "tap", "b4_conv1", "preserve", "restored", NULL});
    test_must(harness_run(&h));
    assert_true(lw_shape_equal(harness_output(&h, "walk")->shape, LW_SHAPE(4, 3, 5)));
    assert_true(lw_shape_equal(harness_output(&h, "directions")->shape, LW_SHAPE(3, 4, 5)));
    harness_close(&h);
    fails(model, device, z, (const char *[]){"space", "w", "preserve", "gaussian", NULL}, LW_INVALID,
          "W is not distributed as a Gaussian");
    fails(model, device, z, (const char *[]){"space", "w", "count", "6", NULL}, LW_INVALID,
          "6 directions cannot be orthogonal; W of model 'm' has 5 dimensions");
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = small_model();
    lw_tensor *z = lw_tensor_create(LW_SHAPE(1, 4));
    fails(model, device, z, (const char *[]){"tap", "block7", NULL}, LW_NOT_FOUND,
          "the generator of model 'm' has no tap 'block7'; it has format, affine0, block0, block1");
    fails(model, device, z, (const char *[]){"count", "5", NULL}, LW_INVALID,
          "5 directions cannot be orthogonal; Z of model 'm' has 4");
    fails(model, device, z, (const char *[]){"space", "w", NULL}, LW_UNSUPPORTED, "no mapping network");
    fails(model, device, z, (const char *[]){"drawn", "4", NULL}, LW_INVALID, "drawn: 4, but `count` is 3");
    fails(model, device, z, (const char *[]){"form", "released", "drawn", "3", NULL}, LW_INVALID,
          "compares 2 directions");
    lw_store *weights = lw_model_store(model, LW_PART_GENERATOR);
    const char *name = lw_store_name(weights, 0);
    lw_tensor *broken = lw_tensor_copy(lw_store_get(weights, name));
    broken->data[0] = NAN;
    test_must(lw_store_set(weights, name, broken->shape, broken->data));
    lw_tensor_destroy(broken);
    fails(model, device, z, (const char *[]){NULL}, LW_NUMERIC,
          "step 'test': 'loss' is not a number at iteration 0");
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_are_ordered_orthogonal_and_walked_along),
        cmocka_unit_test(walks_of_learned_density_go_through_w_too),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
