/* test_attribute_change.c — percentages by hand, the search for a strength, and the metric on walks of a
 * small model. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "plugins.h"
#include "step_harness.h"

#include "../attribute_change.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- percentages ---------------------------------------------------------------------------------- */
static void the_target_changes_by_its_mean_and_others_by_their_distances(void **state)
{
    (void)state;
    const float before[] = {0.2f, 0.5f, 0.4f, 0.7f}, after[] = {0.5f, 0.6f, 0.4f, 0.4f}; /* two pictures */
    double percent[2];
    int column;
    test_must(change_percent(before, after, 2, 2, percent, &column));
    assert_float_equal(percent[0], 50, 1e-5);              /* 0.3 to 0.45 */
    assert_float_equal(percent[1], 100 * 0.2 / 0.6, 1e-5); /* 0.1 up, 0.3 down, of 0.6 */
    test_must(change_percent(after, before, 2, 2, percent, &column));
    assert_float_equal(percent[0], -100 / 3.0, 1e-5);
}

static void nothing_has_no_percentages(void **state)
{
    (void)state;
    const float before[] = {0.2f, 0, 0.4f, 0};
    double percent[2];
    int column;
    assert_int_equal(change_percent(before, before, 2, 2, percent, &column), LW_INVALID);
    assert_int_equal(column, 1);
}

static void runs_have_a_mean_and_a_deviation(void **state)
{
    (void)state;
    const float values[] = {1, 0, 2, 0, 6, 0};
    double mean, deviation;
    change_spread(values, 2, 3, &mean, &deviation);
    assert_float_equal(mean, 3, 1e-12);
    assert_float_equal(deviation, sqrt(7), 1e-12);
    change_spread(values, 2, 1, &mean, &deviation);
    assert_true(isnan(deviation));
}

/* --- the search ----------------------------------------------------------------------------------- */
/* An edit whose distance grows with the square of its strength. */
static lw_status square(void *user, double strength, change *found)
{
    ++*(int *)user;
    *found = (change){.distance = strength * strength, .percent = {10 * strength}};
    return LW_OK;
}

static void a_strength_is_found_for_each_range(void **state)
{
    (void)state;
    const double distance[] = {0, 1, 4, 9, 16, 25, 36};
    for (double low = 0; low < 30; low += 5) {
        double strength;
        change found;
        bool reached = false;
        int measured = 0;
        test_must(change_search(square, &measured, distance, 7, low, low + 5, &strength, &found, &reached));
        assert_true(reached);
        assert_true(fabs(found.distance - (low + 2.5)) <= 0.5);
        assert_float_equal(found.percent[0], 10 * strength, 1e-12);
        assert_true(measured <= 7);
    }
}

static void where_the_middle_is_out_of_reach_the_farthest_point_must_do(void **state)
{
    (void)state;
    const double distance[] = {0, 1, 4, 3};
    double strength;
    change found;
    bool reached = false;
    int measured = 0;
    test_must(change_search(square, &measured, distance, 4, 3.5, 10, &strength, &found, &reached));
    assert_true(reached && measured == 1);
    assert_float_equal(strength, 2, 0);
    test_must(change_search(square, &measured, distance, 4, 5, 10, &strength, &found, &reached));
    assert_false(reached);
}

/* --- the step ------------------------------------------------------------------------------------- */
enum { N = 40, T = 5, D = 4 };

typedef struct bench {
    harness h;
    lw_tensor *walks[2];
} bench;

/* Every latent moves along the first component, up to `amount`. */
static lw_tensor *make_walks(uint64_t seed, float amount)
{
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(N, T, D));
    for (uint64_t n = 0; n < N; n++)
        for (int t = 0; t < T; t++) {
            float *z = walks->data + (n * T + (uint64_t)t) * D;
            lw_normal((lw_stream){.seed = seed}, n * D, D, z);
            z[0] += amount * (float)t / (T - 1);
        }
    return walks;
}

static lw_model *make_model(void)
{
    const char *generator[] = {"depth=1", "width=4", "z_dim=4", NULL};
    const char *judge[] = {"labels=[smile, age=0..100]", "widths=[8,8]", "blocks=[0,1]", "side=16", NULL};
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/dcgan", generator);
    test_model_part(model, LW_PART_NETWORK, "network/resnet", judge);
    test_strengthen(model, LW_PART_GENERATOR, 10);
    test_strengthen(model, LW_PART_NETWORK, 5);
    return model;
}

static int set_up(void **state)
{
    bench *b = lw_alloc(1, sizeof *b);
    harness_open(&b->h, "metric/attribute-change");
    b->h.device = lw_device_open("cpu", "native");
    b->h.model = make_model();
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "regressor", "faces");
    harness_set(&b->h, "attribute", "smile");
    harness_set(&b->h, "others", "[age]");
    harness_set(&b->h, "batch", "16"); /* which does not divide the walks */
    for (uint64_t i = 0; i < 2; i++)
        b->walks[i] = make_walks(i, 4);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    harness_close(&b->h);
    lwi_model_destroy(b->h.model);
    lw_device_close(b->h.device);
    for (int i = 0; i < 2; i++)
        lw_tensor_destroy(b->walks[i]);
    lw_free(b);
    return 0;
}

static void must_run(bench *b)
{
    if (harness_run(&b->h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static double farthest(const bench *b)
{
    for (int i = 0; i < b->h.step->series_count; i++)
        if (strcmp(b->h.step->series[i].name, "Fréchet distance along the walk") == 0)
            return (double)b->h.step->series[i].value[b->h.step->series[i].count - 1];
    fail_msg("no curve of the distance");
    return 0;
}

/* The range is cut out of what the walk reaches, which a first run tells. */
static void runs_are_compared_at_equal_distance(void **state)
{
    bench *b = *state;
    char text[64];
    harness_input(&b->h, "walks", "first.walk", "z", b->walks[0]);
    harness_input(&b->h, "walks", "second.walk", "z", b->walks[1]);
    harness_set(&b->h, "ranges", "[1e6, 2e6]");
    must_run(b);
    assert_float_equal(harness_metric(&b->h, "1e+06 to 2e+06", "runs"), 0, 0);
    assert_true(isnan(harness_metric(&b->h, "1e+06 to 2e+06", "change of smile %")));
    assert_int_equal(json_array_size(b->h.step->notes), 1);
    double most = farthest(b);
    assert_true(most > 0);
    snprintf(text, sizeof text, "[%.9g, %.9g, %.9g]", 0.1 * most, 0.2 * most, 0.4 * most);
    harness_set(&b->h, "ranges", text);
    must_run(b);
    double percent[2];
    for (int i = 0; i < 2; i++) {
        double low = (i ? 0.2 : 0.1) * most, high = 2 * low;
        snprintf(text, sizeof text, "%g to %g", low, high);
        assert_float_equal(harness_metric(&b->h, text, "runs"), 2, 0);
        assert_float_equal(harness_metric(&b->h, text, "Fréchet distance"), (low + high) / 2,
                           0.11 * (high - low));
        assert_true(harness_metric(&b->h, text, "± change of smile %") >= 0);
        percent[i] = harness_metric(&b->h, text, "change of smile %");
        assert_true(harness_metric(&b->h, text, "change of age %") > 0);
        assert_true(harness_metric(&b->h, text, "of the walk %") > 0);
    }
    assert_true(fabs(percent[1]) > fabs(percent[0]) && percent[0] * percent[1] > 0);
}

/* A walk of half the length in the same direction needs twice the strength, and gives the same changes. */
static void another_pace_gives_the_same_changes(void **state)
{
    bench *b = *state;
    lw_tensor *slow = make_walks(0, 2);
    char row[64], text[64];
    double found[2][3];
    harness_input(&b->h, "walks", "edit.walk", "z", slow);
    must_run(b);
    double most = farthest(b), low = 0.4 * most, high = 0.42 * most;
    snprintf(text, sizeof text, "[%.9g, %.9g]", low, high);
    snprintf(row, sizeof row, "%g to %g", low, high);
    harness_set(&b->h, "ranges", text);
    for (int i = 0; i < 2; i++) {
        b->h.inputs[0].tensor = i ? b->walks[0] : slow;
        must_run(b);
        found[i][0] = harness_metric(&b->h, row, "change of smile %");
        found[i][1] = harness_metric(&b->h, row, "change of age %");
        found[i][2] = harness_metric(&b->h, row, "of the walk %");
        assert_true(isnan(harness_metric(&b->h, row, "± change of smile %"))); /* one run */
    }
    assert_float_equal(found[0][0], found[1][0], 0.03 * fabs(found[1][0]));
    assert_float_equal(found[0][1], found[1][1], 0.03 * fabs(found[1][1]));
    assert_float_equal(found[0][2], 2 * found[1][2], 0.03 * found[0][2]);
    lw_tensor_destroy(slow);
}

/* The second half of a walk, backwards, is a walk of its own; what it tells are the percentages of its own
 * start. */
static void a_part_of_a_walk_is_followed_either_way(void **state)
{
    bench *b = *state;
    lw_tensor *turned = lw_tensor_create(LW_SHAPE(N, 3, D));
    double found[2];
    for (int n = 0; n < N; n++)
        for (int t = 0; t < 3; t++)
            memcpy(turned->data + (n * 3 + t) * D, b->walks[0]->data + (n * T + 4 - t) * D,
                   D * sizeof(float));
    harness_input(&b->h, "walks", "edit.walk", "z", turned);
    harness_set(&b->h, "ranges", "[0, 1e6]");
    must_run(b);
    found[0] = harness_metric(&b->h, "0 to 1e+06", "change of smile %");
    b->h.inputs[0].tensor = b->walks[0];
    harness_set(&b->h, "from", "4");
    harness_set(&b->h, "to", "2");
    must_run(b);
    found[1] = harness_metric(&b->h, "0 to 1e+06", "change of smile %");
    assert_true(fabs(found[0]) > 0.1);
    assert_float_equal(found[0], found[1], 0);
    lw_tensor_destroy(turned);
}

static void must_fail(bench *b, const char *says)
{
    assert_int_not_equal(harness_run(&b->h), LW_OK);
    if (!strstr(lw_error_text(), says))
        fail_msg("expected '%s' in: %s", says, lw_error_text());
}

static void bad_input_is_told(void **state)
{
    bench *b = *state;
    lw_tensor *point = lw_tensor_create(LW_SHAPE(N, 1, D)), *other = lw_tensor_create(LW_SHAPE(N, T + 1, D));
    harness_input(&b->h, "walks", "edit.walk", "z", b->walks[0]);
    harness_set(&b->h, "ranges", "[5]");
    must_fail(b, "ranges: at least two distances are needed");
    harness_set(&b->h, "ranges", "[5, 5]");
    must_fail(b, "ranges: 5 does not come after 5");
    harness_set(&b->h, "ranges", "[5, 15]");
    harness_set(&b->h, "others", "[smile]");
    must_fail(b, "others: 'smile' is the attribute that was to change");
    harness_set(&b->h, "others", "[ag]");
    must_fail(b, "did you mean 'age'?");
    harness_set(&b->h, "others", "[age]");
    harness_set(&b->h, "tap", "feature");
    must_fail(b, "has no tap 'feature'");
    b->h.inputs[0].tensor = point;
    must_fail(b, "walks of 1 points, 0 to 0, cannot be followed from 0 to 0");
    b->h.inputs[0].tensor = b->walks[0];
    harness_set(&b->h, "to", "5");
    must_fail(b, "walks of 5 points, 0 to 4, cannot be followed from 0 to 5");
    harness_input(&b->h, "walks", "other.walk", "z", other);
    must_fail(b, "the walks of 'edit.walk' and 'other.walk' have different points");
    lw_tensor_destroy(point);
    lw_tensor_destroy(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_changes_by_its_mean_and_others_by_their_distances),
        cmocka_unit_test(nothing_has_no_percentages),
        cmocka_unit_test(runs_have_a_mean_and_a_deviation),
        cmocka_unit_test(a_strength_is_found_for_each_range),
        cmocka_unit_test(where_the_middle_is_out_of_reach_the_farthest_point_must_do),
        TEST(runs_are_compared_at_equal_distance),
        TEST(another_pace_gives_the_same_changes),
        TEST(a_part_of_a_walk_is_followed_either_way),
        TEST(bad_input_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
