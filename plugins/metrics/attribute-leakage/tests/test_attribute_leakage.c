/* test_attribute_leakage.c — changes and leakage of scores that are known, and of a network's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include "../change.c"

#include <string.h>

static lw_tensor *tensor(lw_shape shape, const float *data)
{
    lw_tensor *t = lw_tensor_create(shape);
    memcpy(t->data, data, (size_t)lw_shape_count(shape) * sizeof *data);
    return t;
}

/* Two walks of three points: one of length 5 + 5, one that stands still; two outputs. */
static void changes_are_divided_by_the_length_of_the_path(void **state)
{
    (void)state;
    lw_tensor *walks = tensor(LW_SHAPE(2, 3, 2), (const float[]){0, 0, 3, 4, 0, 0, 1, 1, 1, 1, 1, 1});
    lw_tensor *scores =
        tensor(LW_SHAPE(6, 2), (const float[]){0.25f, 0.5f, 0.9f, 0.9f, 0.75f, 0.25f, 0, 0, 0, 0, 0, 0});
    changes c;
    test_must(changes_measure(&c, walks, scores, 2));
    assert_int_equal(c.moved, 1);
    assert_float_equal(c.signed_change[0], 0.25, 1e-6);
    assert_float_equal(c.signed_change[1], -0.125, 1e-6);
    assert_float_equal(c.per_unit[0], 0.05, 1e-6);
    assert_float_equal(c.per_unit[1], -0.025, 1e-6);
    assert_float_equal(c.absolute_per_unit[1], 0.025, 1e-6);
    double own, others;
    change_at(scores, 2, 3, 1, 0, &own, &others);
    assert_float_equal(own, 0.325, 1e-6);
    assert_float_equal(others, 0.2, 1e-6);
    changes_forget(&c);
    lw_tensor_destroy(walks);
    lw_tensor_destroy(scores);
}

static void a_repeated_w_is_as_long_as_w(void **state)
{
    (void)state;
    lw_tensor *walks = tensor(LW_SHAPE(1, 2, 2, 2), (const float[]){0, 0, 0, 0, 3, 4, 3, 4});
    lw_tensor *scores = tensor(LW_SHAPE(2, 1), (const float[]){0, 1});
    changes c;
    test_must(changes_measure(&c, walks, scores, 1));
    assert_float_equal(c.per_unit[0], 0.2, 1e-6);
    changes_forget(&c);
    lw_tensor_destroy(walks);
    lw_tensor_destroy(scores);
}

/* Given as pictures, what the model makes of the walks changes as much; a walk that stays in place does
 * not. */
static void check_given_pictures(harness *h, lw_model *model, lw_device *device, const lw_tensor *walks,
                                 double own)
{
    lw_tensor flat = *walks, *images;
    flat.shape = LW_SHAPE(12, 5);
    test_must(lw_model_images(model, device, "z", &flat, 5, &images, NULL));
    images->shape = LW_SHAPE(3, 4, 3, 16, 16);
    harness_input(h, "images", "confine.confined", "image", images);
    test_must(harness_run(h));
    assert_float_equal(harness_metric(h, "Smiling", "absolute change per unit"), own, 1e-5);
    const size_t picture = 3 * 16 * 16;
    for (int i = 0; i < 12; i++)
        memcpy(images->data + i * picture, images->data + i / 4 * 4 * picture,
               picture * sizeof *images->data);
    test_must(harness_run(h));
    assert_true(harness_metric(h, "Smiling", "absolute change per unit") == 0);
    images->shape = LW_SHAPE(4, 3, 3, 16, 16);
    assert_int_equal(harness_run(h), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "expected image[3, 4, 3, 16, 16], got image[4, 3, 3, 16, 16]"));
    lw_tensor_destroy(images);
}

/* --- the whole step: generator and network as parts of one model, since the harness knows one - */
static void labels_name_what_changes_and_what_leaks(void **state)
{
    enum { WALKS = 3, POINTS = 4, Z = 5 };
    (void)state;
    harness h;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=5", "width=4", "depth=1", NULL});
    test_model_part(
        model, LW_PART_NETWORK, "network/resnet",
        (const char *[]){"side=16", "widths=[4]", "blocks=[1]", "labels=[Smiling, Male, age=0..100]", NULL});
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(WALKS, POINTS, Z));
    lw_normal((lw_stream){.seed = 1}, 0, WALKS * POINTS * Z, walks->data);
    harness_open(&h, "metric/attribute-leakage");
    h.model = model;
    h.device = device;
    harness_set(&h, "model", "m");
    harness_set(&h, "network", "m");
    harness_set(&h, "batch", "5");
    harness_input(&h, "walk", "walk.walk", "z", walks);
    test_must(harness_run(&h));
    double own = harness_metric(&h, "Smiling", "absolute change per unit"),
           male = harness_metric(&h, "Male", "absolute change per unit"),
           age = harness_metric(&h, "age", "absolute change per unit");
    assert_true(own > 0 && male > 0 && age > 0);
    assert_true(isnan(harness_metric(&h, "leakage of Smiling", "mean of the others / own")));
    harness_set(&h, "attribute", "Smiling");
    test_must(harness_run(&h));
    assert_true(fabs(harness_metric(&h, "leakage of Smiling", "mean of the others / own") -
                     (male + age) / 2 / own) < 1e-6);
    assert_true(fabs(harness_metric(&h, "leakage of Smiling", "largest of the others / own") -
                     fmax(male, age) / own) < 1e-6);
    harness_set(&h, "attribute", "Smilling");
    assert_int_equal(harness_run(&h), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "did you mean 'Smiling'?"));
    harness_set(&h, "attribute", "Smiling");
    check_given_pictures(&h, model, device, walks, own);
    harness_close(&h);
    lw_tensor_destroy(walks);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_divided_by_the_length_of_the_path),
        cmocka_unit_test(a_repeated_w_is_as_long_as_w),
        cmocka_unit_test(labels_name_what_changes_and_what_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
