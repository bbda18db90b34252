/* test_path.c — the numbers of metric/path on walks whose geometry is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "plugin/args.h"

#include "../measure.c"

#include <string.h>

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * (1 + fabs(expected))))
        fail_msg("%.9g is not %.9g", value, expected);
}

/* --- one walk, by hand ---------------------------------------------------------------------------------- */
static void a_square_turns_by_right_angles(void **state)
{
    (void)state;
    const float z[] = {0, 0, 2, 0, 2, 2, 0, 2}, images[4] = {0, 0.5f, 1, 0};
    double v[PATH_COLUMN_COUNT];
    measure(&(walk){.points = 4, .size = 2, .pixels = 1, .latents = z, .images = images}, v);
    near(v[PATH_STEP], 2);
    near(v[PATH_SMOOTHNESS], 12);
    near(v[PATH_LENGTH], 6);
    near(v[PATH_DISTANCE], 2);
    near(v[PATH_CURVATURE], 90);
    near(v[PATH_COSINE], 0);
    assert_true(isnan(v[PATH_SCORE]) && isnan(v[PATH_PROBABILITY]));
}

static void a_line_at_an_even_pace_has_no_curvature_and_no_variation(void **state)
{
    (void)state;
    const float z[] = {0, 3, 6, 9}, images[] = {-1, -1, -0.5f, -0.5f, 0, 0, 0.5f, 0.5f};
    double v[PATH_COLUMN_COUNT];
    measure(&(walk){.points = 4, .size = 1, .pixels = 2, .latents = z, .images = images}, v);
    near(v[PATH_CURVATURE], 0);
    near(v[PATH_COSINE], 1);
    near(v[PATH_IMAGE_STEP], 0.5);
    near(v[PATH_VARIATION], 0);
    near(v[PATH_IMAGE_CHANGE], 1.5);
}

static void an_uneven_pace_is_seen_in_the_images(void **state)
{
    (void)state;
    const float z[] = {0, 1, 2}, images[] = {0, 1, 4};
    double v[PATH_COLUMN_COUNT];
    measure(&(walk){.points = 3, .size = 1, .pixels = 1, .latents = z, .images = images}, v);
    near(v[PATH_IMAGE_STEP], 2);
    near(v[PATH_VARIATION], 0.5); /* steps 1 and 3: deviation 1, mean 2 */
    near(v[PATH_IMAGE_CHANGE], 4);
}

static void standing_still_has_no_direction(void **state)
{
    (void)state;
    const float z[] = {1, 1, 1}, images[] = {0, 0, 0};
    double v[PATH_COLUMN_COUNT];
    measure(&(walk){.points = 3, .size = 1, .pixels = 1, .latents = z, .images = images}, v);
    near(v[PATH_LENGTH], 0);
    assert_true(isnan(v[PATH_CURVATURE]) && isnan(v[PATH_COSINE]) && isnan(v[PATH_VARIATION]));
}

static void scores_are_averaged_raw_and_as_probabilities(void **state)
{
    (void)state;
    const float z[] = {0, 1}, images[] = {0, 0}, scores[] = {0, 200};
    double v[PATH_COLUMN_COUNT];
    measure(&(walk){.points = 2, .size = 1, .pixels = 1, .latents = z, .images = images, .scores = scores},
            v);
    near(v[PATH_SCORE], 100);
    near(v[PATH_PROBABILITY], 0.75);
}

/* --- the whole step, on a freshly made DCGAN -------------------------------------------------- */
static lw_model *make_model(void)
{
    lw_model *model = lwi_model_create("faces");
    for (int part = 0; part < 2; part++) {
        const lw_plugin *plugin = harness_plugin(part ? "discriminator/dcgan" : "generator/dcgan");
        if (lwi_model_set_part(model, part ? LW_PART_DISCRIMINATOR : LW_PART_GENERATOR, plugin,
                               lwi_args_create(plugin), NULL, NULL, 1) != LW_OK)
            fail_msg("%s", lw_error_text());
    }
    return model;
}

static void a_walk_is_set_beside_the_straight_line_between_its_ends(void **state)
{
    (void)state;
    enum { WALKS = 2, POINTS = 4, SIZE = 100 };
    harness h;
    harness_open(&h, "metric/path");
    h.device = lw_device_open("cpu", "native");
    h.model = make_model();
    harness_set(&h, "model", "faces");
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(WALKS, POINTS, SIZE));
    lw_normal((lw_stream){.seed = 3}, 0, WALKS * POINTS * SIZE, walks->data);
    harness_input(&h, "walk", "walk.z", "z", walks);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    double distance_between = harness_metric(&h, "walk", "end to end");
    near(harness_metric(&h, "straight line", "end to end"), distance_between);
    near(harness_metric(&h, "straight line", "length"), distance_between);
    near(harness_metric(&h, "straight line", "step length"), distance_between / (POINTS - 1));
    near(harness_metric(&h, "straight line", "step cosine"), 1);
    near(harness_metric(&h, "straight line", "image change"), harness_metric(&h, "walk", "image change"));
    assert_true(harness_metric(&h, "walk", "length") > distance_between);
    assert_true(harness_metric(&h, "walk", "probability") > 0 &&
                harness_metric(&h, "walk", "probability") < 1);
    harness_close(&h);
    lwi_model_destroy(h.model);
    lw_device_close(h.device);
    lw_tensor_destroy(walks);
}

static void a_walk_of_one_point_is_refused(void **state)
{
    (void)state;
    harness h;
    harness_open(&h, "metric/path");
    h.model = make_model();
    harness_set(&h, "model", "faces");
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(2, 1, 100));
    harness_input(&h, "walk", "walk.z", "z", walks);
    assert_int_equal(harness_run(&h), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "at least 2"));
    harness_close(&h);
    lwi_model_destroy(h.model);
    lw_tensor_destroy(walks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_square_turns_by_right_angles),
        cmocka_unit_test(a_line_at_an_even_pace_has_no_curvature_and_no_variation),
        cmocka_unit_test(an_uneven_pace_is_seen_in_the_images),
        cmocka_unit_test(standing_still_has_no_direction),
        cmocka_unit_test(scores_are_averaged_raw_and_as_probabilities),
        cmocka_unit_test(a_walk_is_set_beside_the_straight_line_between_its_ends),
        cmocka_unit_test(a_walk_of_one_point_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
