/* test_step.c — the step runtime by itself: loops, checkpoints, curves, files, and what it refuses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "step/runtime.h"

static char folder[] = "/tmp/lw-step-XXXXXX";
static int cancel_after; /* questions answered with no; -1: never yes */

static bool is_cancelled(void *user)
{
    (void)user;
    return cancel_after >= 0 && cancel_after-- == 0;
}

static lw_model *no_model(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

/* Adds i + 1 to a kept number in each of five iterations, and logs the sum. */
static lw_status sum_up(lw_step *step)
{
    lw_store *store = lw_step_store(step, "state");
    float sum = 0;
    if (!store)
        return lw_error_status();
    if (!lw_store_has(store, "sum"))
        LW_TRY(lw_store_set(store, "sum", LW_SCALAR, &sum));
    for (int64_t i; lw_next(step, 5, &i);) {
        sum = lw_store_get(store, "sum")->data[0] + (float)(i + 1);
        LW_TRY(lw_store_set(store, "sum", LW_SCALAR, &sum));
        lw_step_log(step, "sum", sum);
    }
    LW_TRY(lw_step_finish(step));
    LW_TRY(lw_step_log_at(step, "share", 50, 0.5));
    return lw_step_metric(step, "all", "sum", lw_store_get(store, "sum")->data[0]);
}

/* Counts in memory through three iterations, then sums up. */
static int counted;
static lw_status count_and_sum_up(lw_step *step)
{
    counted = 0;
    for (int64_t i; lw_next_again(step, 3, &i);)
        counted++;
    LW_TRY(lw_step_finish(step));
    return sum_up(step);
}

static lw_status log_nothing_finite(lw_step *step)
{
    for (int64_t i; lw_next(step, 100, &i);)
        if (i == 7)
            lw_step_log(step, "loss", NAN);
    return lw_step_finish(step);
}

static lw_status log_too_much_for_float(lw_step *step)
{
    lw_step_log(step, "loss", 1e300);
    return LW_OK; /* the runtime remembers */
}

static lw_status leave_the_folder(lw_step *step)
{
    char *path = lw_step_path(step, "../../escape.txt");
    assert_null(path);
    assert_null(lw_step_path(step, "/tmp/escape.txt"));
    assert_null(lw_step_path(step, ""));
    path = lw_step_path(step, "sub/..name.txt");
    assert_non_null(path);
    lw_free(path);
    lw_error_clear();
    return LW_OK;
}

static lw_status do_nothing(lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_port outputs[] = {{"z", "z[N, 2]", 0, 0, "Latents."}};

typedef struct bench {
    lw_runner runner;
    lw_plugin plugin;
    lw_step *step;
} bench;

static lw_status run(bench *b, lw_status (*function)(lw_step *), uint32_t output_count, bool resume)
{
    b->runner = (lw_runner){sizeof(lw_runner), function};
    b->plugin = (lw_plugin){.outputs = outputs,
                            .output_count = output_count,
                            .port_stride = sizeof(lw_port),
                            .functions = &b->runner};
    lwi_step_setup setup = {.id = "test",
                            .uses = "method/test",
                            .plugin = &b->plugin,
                            .folder = folder,
                            .run_folder = folder,
                            .checkpoint_every = 1e9,
                            .hooks = {.cancelled = is_cancelled, .model = no_model}};
    b->step = lwi_step_create(&setup, resume);
    return b->step ? lwi_step_run(b->step) : lw_error_status();
}

static void a_loop_counts_and_curves_are_kept(void **state)
{
    (void)state;
    bench b;
    cancel_after = -1;
    assert_int_equal(run(&b, sum_up, 0, false), LW_OK);
    json_t *told = lwi_step_describe(b.step);
    char *text = json_dumps(told, JSON_COMPACT);
    assert_string_equal(
        text, "{\"id\":\"test\",\"uses\":\"method/test\",\"series\":{\"sum\":[[0,1.0],[1,3.0],[2,6.0],"
              "[3,10.0],[4,15.0]],\"share\":[[50,0.5]]},\"table\":{\"all\":{\"sum\":15.0}},\"notes\":[],"
              "\"files\":[]}");
    free(text);
    json_decref(told);
    lwi_step_destroy(b.step);
}

static void a_cancelled_loop_goes_on_where_it_was(void **state)
{
    (void)state;
    bench b;
    cancel_after = 3;
    assert_int_equal(run(&b, sum_up, 0, false), LW_CANCELLED);
    assert_int_equal(b.step->iteration, 3);
    lwi_step_destroy(b.step);
    cancel_after = -1;
    assert_int_equal(run(&b, sum_up, 0, true), LW_OK);
    assert_int_equal(b.step->series[0].count, 5); /* three from the checkpoint, two new ones */
    assert_true(b.step->series[0].value[4] == 15);
    lwi_step_destroy(b.step);
}

/* Cancelled within it, after it, and within it once more on the way to a checkpoint that lies behind it. */
static void a_loop_that_keeps_nothing_is_gone_through_again(void **state)
{
    (void)state;
    static const int cancel[] = {2, 3 + 2, 1, -1}, through[] = {2, 3, 1, 3};
    bench b;
    for (int k = 0; k < 4; k++) {
        cancel_after = cancel[k];
        assert_int_equal(run(&b, count_and_sum_up, 0, k > 0), k < 3 ? LW_CANCELLED : LW_OK);
        assert_int_equal(counted, through[k]);
        if (k == 3) {
            assert_int_equal(b.step->series[0].count, 5);
            assert_true(b.step->series[0].value[4] == 15);
        }
        lwi_step_destroy(b.step);
    }
}

static void what_is_no_number_stops_the_loop_and_is_named(void **state)
{
    (void)state;
    bench b;
    cancel_after = -1;
    assert_int_equal(run(&b, log_nothing_finite, 0, false), LW_NUMERIC);
    assert_string_equal(lw_error_text(), "step 'test': 'loss' is not a number at iteration 7");
    lwi_step_destroy(b.step);
    assert_int_equal(run(&b, log_too_much_for_float, 0, false), LW_NUMERIC);
    assert_string_equal(lw_error_text(), "step 'test': 'loss' is infinite at iteration 0");
    lwi_step_destroy(b.step);
}

static void files_stay_in_the_run_folder(void **state)
{
    (void)state;
    bench b;
    assert_int_equal(run(&b, leave_the_folder, 0, false), LW_OK);
    assert_int_equal(json_array_size(b.step->files), 1);
    lwi_step_destroy(b.step);
}

static void an_output_left_unset_is_the_plugins_mistake(void **state)
{
    (void)state;
    bench b;
    assert_int_equal(run(&b, do_nothing, 1, false), LW_INTERNAL);
    assert_non_null(strstr(lw_error_text(), "method/test has ended without setting its output 'z'"));
    lwi_step_destroy(b.step);
}

static void seeds_differ_by_name_and_seed(void **state)
{
    (void)state;
    assert_true(lwi_mix_seed(1, "a") != lwi_mix_seed(1, "b"));
    assert_true(lwi_mix_seed(1, "a") != lwi_mix_seed(2, "a"));
    assert_true(lwi_mix_seed(1, "a") == lwi_mix_seed(1, "a"));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_counts_and_curves_are_kept),
        cmocka_unit_test(a_cancelled_loop_goes_on_where_it_was),
        cmocka_unit_test(a_loop_that_keeps_nothing_is_gone_through_again),
        cmocka_unit_test(what_is_no_number_stops_the_loop_and_is_named),
        cmocka_unit_test(files_stay_in_the_run_folder),
        cmocka_unit_test(an_output_left_unset_is_the_plugins_mistake),
        cmocka_unit_test(seeds_differ_by_name_and_seed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
