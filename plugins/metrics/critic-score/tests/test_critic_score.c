/* test_critic_score.c — the discriminator's scores of each point, and the images that method/synthesis makes
 * of them. */
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

enum { N = 3, T = 4, SIZE = 5 };

typedef struct bench {
    lw_device *device;
    lw_model *model;
    lw_tensor *walk;
    lw_tensor *point[T]; /* [N, SIZE] */
} bench;

static void each_point_is_scored_by_itself(void **state)
{
    bench *b = *state;
    harness h;
    double mean[T] = {0};
    for (int t = 0; t < T; t++) {
        lw_tensor *scores = NULL;
        test_must(lw_model_images(b->model, b->device, "z", b->point[t], N, NULL, &scores));
        for (int n = 0; n < N; n++)
            mean[t] += (double)scores->data[n] / N;
        lw_tensor_destroy(scores);
    }
    harness_open(&h, "metric/critic-score");
    h.model = b->model;
    h.device = b->device;
    harness_set(&h, "model", "m");
    harness_set(&h, "at", "[0, 10, 20, 50]");
    harness_input(&h, "walk", "search.walk", "z", b->walk);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    assert_float_equal(harness_metric(&h, "start", "critic's score"), mean[0], 1e-6);
    assert_float_equal(harness_metric(&h, "end", "critic's score"), mean[T - 1], 1e-6);
    const lwi_series *curve = &h.step->series[0];
    assert_int_equal(curve->count, T);
    assert_int_equal(curve->iteration[T - 1], 50);
    for (int t = 0; t < T; t++)
        assert_float_equal(curve->value[t], mean[t], 1e-6);
    harness_set(&h, "at", "[0, 10]");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "2 names for 4 points"));
    harness_close(&h);
}

static void synthesis_makes_the_images_of_latents(void **state)
{
    bench *b = *state;
    harness h;
    lw_tensor *images = NULL;
    test_must(lw_model_images(b->model, b->device, "z", b->point[1], N, &images, NULL));
    harness_open(&h, "method/synthesis");
    h.model = b->model;
    h.device = b->device;
    harness_set(&h, "model", "m");
    harness_set(&h, "batch", "2");
    harness_input(&h, "latents", "start.z", "z", b->point[1]);
    assert_int_equal(harness_run(&h), LW_OK);
    const lw_tensor *made = harness_output(&h, "images");
    assert_true(lw_shape_equal(made->shape, images->shape));
    for (int64_t i = 0; i < lw_shape_count(images->shape); i++)
        assert_float_equal(made->data[i], images->data[i], 1e-5);
    lw_tensor_destroy(images);
    harness_close(&h);
}

static int open(void **state)
{
    static bench b;
    b.device = lw_device_open("cpu", "native");
    b.model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=5", "width=4", "depth=1", NULL});
    test_model_part(b.model, LW_PART_DISCRIMINATOR, "discriminator/dcgan",
                    (const char *[]){"width=4", "depth=1", NULL});
    b.walk = lw_tensor_create(LW_SHAPE(N, T, SIZE));
    lw_normal((lw_stream){.seed = 3}, 0, N * T * SIZE, b.walk->data);
    for (int t = 0; t < T; t++) {
        b.point[t] = lw_tensor_create(LW_SHAPE(N, SIZE));
        for (int n = 0; n < N; n++)
            memcpy(b.point[t]->data + n * SIZE, b.walk->data + (n * T + t) * SIZE, SIZE * sizeof(float));
    }
    *state = &b;
    return b.device ? 0 : -1;
}

static int close(void **state)
{
    bench *b = *state;
    lw_tensor_destroy(b->walk);
    for (int t = 0; t < T; t++)
        lw_tensor_destroy(b->point[t]);
    lwi_model_destroy(b->model);
    lw_device_close(b->device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_point_is_scored_by_itself),
        cmocka_unit_test(synthesis_makes_the_images_of_latents),
    };
    return cmocka_run_group_tests(tests, open, close);
}
