/* test_schedule.c — what the GAN trainer's schedule says at each iteration. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../schedule.h"
#include "model/model.h"
#include "plugin/args.h"
#include "plugins.h"

static lw_status open_schedule(schedule *s, const char *const *with)
{
    const char *const sizes[] = {"widths=[1, 1, 1]", "z_dim=2", NULL}; /* 16x16 */
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/pggan", sizes);
    lw_args *args = test_args("method/gan-trainer", with);
    lw_status status = schedule_open(s, args, model);
    lwi_args_destroy(args);
    lwi_model_destroy(model);
    return status;
}

static void nothing_changes_by_default(void **state)
{
    (void)state;
    schedule s;
    test_must(open_schedule(&s, (const char *[]){"iterations=100", NULL}));
    assert_int_equal(s.stages, 1);
    assert_int_equal(s.resolution[0], 0);
    for (int64_t i = 0; i < 100; i++) {
        moment m = schedule_at(&s, i);
        assert_true(m.stage == 0 && !m.fades && m.fade == 1 && m.rate == 1 && m.average == 0.999f);
        assert_false(schedule_turns(&s, i));
    }
}

static void rates_fall_in_a_straight_line(void **state)
{
    (void)state;
    schedule s;
    test_must(open_schedule(&s, (const char *[]){"iterations=100", "decay_from=60", NULL}));
    assert_float_equal(schedule_at(&s, 59).rate, 1, 0);
    assert_float_equal(schedule_at(&s, 60).rate, 1, 0);
    assert_float_equal(schedule_at(&s, 70).rate, 0.75, 1e-7);
    assert_float_equal(schedule_at(&s, 99).rate, 0.025, 1e-7);
}

/* 8 images an iteration. */
static void the_average_s_half_life_is_in_images_and_ramps_up(void **state)
{
    (void)state;
    schedule s;
    test_must(open_schedule(&s, (const char *[]){"iterations=100000", "batch=4", "accumulate=2",
                                                 "average_half_life=1", "average_ramp=0.05", NULL}));
    assert_float_equal(schedule_at(&s, 0).average, 0, 0); /* the average begins as the weights */
    assert_float_equal(schedule_at(&s, 1000).average, pow(0.5, 8 / 400.0), 1e-7);
    assert_float_equal(schedule_at(&s, 50000).average, pow(0.5, 8 / 1000.0), 1e-7);
}

/* 4, 8 and 16 pixels; a stage alone for 20 images, faded in for 40, two images an iteration. */
static void stages_follow_the_images_shown(void **state)
{
    (void)state;
    schedule s;
    test_must(open_schedule(&s, (const char *[]){"iterations=61", "batch=2", "grow_from=4", "stage_images=20",
                                                 "fade_images=40", NULL}));
    assert_int_equal(s.stages, 3);
    assert_int_equal(s.resolution[1], 8);
    const struct {
        int64_t iteration;
        int stage;
        float fade;
        bool turns;
    } expected[] = {{0, 0, 1, false},      {9, 0, 1, false}, {10, 1, 0, true},   {11, 1, 0.05f, false},
                    {29, 1, 0.95f, false}, {30, 1, 1, true}, {39, 1, 1, false},  {40, 2, 0, true},
                    {50, 2, 0.5f, false},  {60, 2, 1, true}, {1000, 2, 1, false}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        moment m = schedule_at(&s, expected[i].iteration);
        assert_int_equal(m.stage, expected[i].stage);
        assert_float_equal(m.fade, expected[i].fade, 1e-6);
        assert_int_equal(m.fades, expected[i].fade < 1);
        assert_int_equal(schedule_turns(&s, expected[i].iteration), expected[i].turns);
    }
}

static void a_schedule_that_does_not_reach_the_whole_network_is_refused(void **state)
{
    (void)state;
    schedule s;
    const char *const with[] = {"iterations=60",   "batch=2",        "grow_from=4",
                                "stage_images=20", "fade_images=40", NULL};
    assert_int_equal(open_schedule(&s, with), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "takes the first 60 of them"));
    assert_int_equal(open_schedule(&s, (const char *[]){"iterations=60", "grow_from=3", NULL}), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "3 px do not double to the 16"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes_by_default),
        cmocka_unit_test(rates_fall_in_a_straight_line),
        cmocka_unit_test(the_average_s_half_life_is_in_images_and_ramps_up),
        cmocka_unit_test(stages_follow_the_images_shown),
        cmocka_unit_test(a_schedule_that_does_not_reach_the_whole_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
