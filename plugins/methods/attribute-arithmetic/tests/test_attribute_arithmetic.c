/* test_attribute_arithmetic.c — the difference of means by hand, and classes that are not two; scores of
 * latents. */
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

static const float latents[4 * 2] = {1, 0, 3, 0, 1,
                                     2, 3, 2}; /* the means of the first and the last two: (2, 0), (2, 2) */

static lw_tensor *tensor(lw_shape shape, const float *data)
{
    lw_tensor *t = lw_tensor_create(shape);
    memcpy(t->data, data, (size_t)lw_shape_count(shape) * sizeof *data);
    return t;
}

static lw_status find(const float *scores, const char *threshold, double *x, double *y, float *score)
{
    harness h;
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=2", "width=2", "depth=1", NULL});
    lw_tensor *z = tensor(LW_SHAPE(4, 2), latents), *s = tensor(LW_SHAPE(4), scores);
    harness_open(&h, "method/attribute-arithmetic");
    h.model = model;
    harness_set(&h, "model", "m");
    harness_set(&h, "threshold", threshold);
    harness_input(&h, "latents", "start.z", "z", z);
    harness_input(&h, "scores", "judge.scores", "scores", s);
    lw_status status = harness_run(&h);
    if (status == LW_OK) {
        char *path = harness_path(&h, "directions.safetensors");
        lw_directions *d = lw_directions_load(path, NULL);
        *x = (double)harness_output(&h, "directions")->data[0];
        *y = (double)harness_output(&h, "directions")->data[1];
        *score = d->scores[0];
        lw_directions_destroy(d);
        lw_free(path);
    }
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(s);
    lwi_model_destroy(model);
    return status;
}

static void the_direction_is_the_difference_of_the_means(void **state)
{
    (void)state;
    double x, y;
    float score;
    assert_int_equal(find((const float[]){0.1f, 0.2f, 0.9f, 0.5f}, "0.5", &x, &y, &score), LW_OK);
    assert_true(fabs(x) < 1e-6 && fabs(y - 1) < 1e-6); /* y has the deviation 1 */
    assert_float_equal(score, 2, 1e-5);
    assert_int_equal(find((const float[]){5, 5, 3, 3}, "4", &x, &y, &score), LW_OK);
    assert_true(fabs(x) < 1e-6 && fabs(y + 1) < 1e-6);
}

static void one_class_alone_is_refused(void **state)
{
    (void)state;
    double x, y;
    float score;
    assert_int_equal(find((const float[]){1, 1, 1, 1}, "0.5", &x, &y, &score), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "all 4 latents have the attribute"));
    assert_int_equal(find((const float[]){0, 0, 0, 0}, "0.5", &x, &y, &score), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "lack the attribute"));
    assert_int_equal(find((const float[]){0, NAN, 0, 1}, "0.5", &x, &y, &score), LW_NUMERIC);
    assert_int_equal(find((const float[]){1, 0, 0, 1}, "0.5", &x, &y, &score), LW_INVALID); /* means alike */
    assert_non_null(strstr(lw_error_text(), "the same mean"));
}

/* Batches that do not divide the latents, with the judge's own graph as the reference. */
static void scores_are_what_the_network_says_of_each_image(void **state)
{
    (void)state;
    harness h;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=2", "width=2", "depth=1", NULL});
    test_model_part(model, LW_PART_NETWORK, "network/cnn",
                    (const char *[]){"widths=[4, 4]", "side=16", "outputs=3", NULL});
    lw_tensor *z = tensor(LW_SHAPE(4, 2), latents);
    const char *batches[] = {"3", "4"};
    float kept[12];
    for (int i = 0; i < 2; i++) {
        harness_open(&h, "method/attribute-scores");
        h.model = model;
        h.device = device;
        harness_set(&h, "model", "m");
        harness_set(&h, "network", "m");
        harness_set(&h, "batch", batches[i]);
        harness_input(&h, "latents", "start.z", "z", z);
        if (harness_run(&h) != LW_OK)
            fail_msg("%s", lw_error_text());
        const lw_tensor *scores = harness_output(&h, "scores");
        assert_true(lw_shape_equal(scores->shape, LW_SHAPE(4, 3)));
        for (int k = 0; k < 12; k++)
            assert_true(i == 0 || fabsf(kept[k] - scores->data[k]) < 1e-5f);
        assert_true(fabsf(scores->data[0] - scores->data[3]) > 0);
        memcpy(kept, scores->data, sizeof kept);
        harness_close(&h);
    }
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_apply(g, model, lw_generate(g, model, lw_constant(g, LW_SHAPE(4, 2), latents))));
    lw_program *program = lw_compile(g, device);
    lw_graph_destroy(g);
    assert_non_null(program);
    assert_int_equal(lw_program_run(program), LW_OK);
    lw_tensor *y = lw_program_read_tensor(program, "y");
    for (int k = 0; k < 12; k++)
        assert_float_equal(kept[k], y->data[k], 1e-5);
    lw_tensor_destroy(y);
    lw_program_destroy(program);
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void without_a_network_the_critic_judges(void **state)
{
    (void)state;
    harness h;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=2", "width=2", "depth=1", NULL});
    lw_tensor *z = tensor(LW_SHAPE(4, 2), latents), *expected;
    harness_open(&h, "method/attribute-scores");
    h.model = model;
    h.device = device;
    harness_set(&h, "model", "m");
    harness_input(&h, "latents", "start.z", "z", z);
    assert_int_equal(harness_run(&h), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "model 'm' has no discriminator"));
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/dcgan",
                    (const char *[]){"width=2", "depth=1", NULL});
    assert_int_equal(harness_run(&h), LW_OK);
    assert_int_equal(lw_model_images(model, device, "z", z, 4, NULL, &expected), LW_OK);
    assert_true(lw_shape_equal(harness_output(&h, "scores")->shape, LW_SHAPE(4, 1)));
    for (int k = 0; k < 4; k++)
        assert_float_equal(harness_output(&h, "scores")->data[k], expected->data[k], 1e-5);
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(expected);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_direction_is_the_difference_of_the_means),
        cmocka_unit_test(one_class_alone_is_refused),
        cmocka_unit_test(scores_are_what_the_network_says_of_each_image),
        cmocka_unit_test(without_a_network_the_critic_judges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
