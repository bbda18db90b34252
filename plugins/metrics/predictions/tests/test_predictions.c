/* test_predictions.c — scores whose values are known by hand, and the whole metric on a freshly made network.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "step_harness.h"

#include "../scores.c"

#include <string.h>

static void near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6))
        fail_msg("%.9g is not %.9g", found, expected);
}

static void a_class_is_scored_by_its_confusion_and_its_ranks(void **state)
{
    (void)state;
    pair pairs[] = {{1, 0.9f}, {1, 0.6f}, {1, 0.4f}, {0, 0.7f}, {0, 0.4f}, {0, 0.1f}, {0, 0.2f}, {0, 0.3f}};
    class_score s = score_class(pairs, 8);
    assert_true(s.true_positives == 2 && s.false_negatives == 1);
    assert_true(s.false_positives == 1 && s.true_negatives == 4);
    near(s.accuracy, 6.0 / 8);
    near(s.balanced, (2.0 / 3 + 4.0 / 5) / 2);
    near(s.auc, (5 + 4 + 3.5) / 15); /* 0.9 beats all five, 0.6 four, 0.4 three and ties with one */
}

static void one_side_alone_has_no_balance(void **state)
{
    (void)state;
    pair pairs[] = {{0, 0.1f}, {0, 0.9f}};
    class_score s = score_class(pairs, 2);
    near(s.accuracy, 0.5);
    assert_true(isnan(s.balanced) && isnan(s.auc));
}

static void calibration_compares_what_was_said_with_what_was(void **state)
{
    (void)state;
    /* Four said 0.25, of which one was; one said 1, and was not: (0 * 4 + 1 * 1) / 5. */
    pair pairs[] = {{1, 0.25f}, {0, 0.25f}, {0, 0.25f}, {0, 0.25f}, {0, 1}};
    calibration c = {0};
    calibration_add(&c, pairs, 5);
    near(calibration_error(&c), 0.2);
    assert_true(c.count[2] == 4 && c.count[9] == 1);
    assert_true(isnan(calibration_error(&(calibration){0})));
}

static void an_amount_is_scored_by_correlation_and_error(void **state)
{
    (void)state;
    pair pairs[] = {{0.1f, 0.3f}, {0.2f, 0.5f}, {0.3f, 0.7f}, {0.4f, 0.9f}};
    amount_score s = score_amount(pairs, 4);
    near(s.r, 1);
    near(s.error, 0.35);
    near(s.bias, 0.35);
    for (int i = 0; i < 4; i++)
        pairs[i].output = 0.25f;
    assert_true(isnan(score_amount(pairs, 4).r));
}

/* A dataset of four pictures; "known" is told of three of them, "age" of two. */
static lw_dataset *make_pictures(const char *const *names)
{
    const float labels[8] = {1, 20, 0, NAN, NAN, 40, 1, NAN};
    lw_dataset *dataset = lw_dataset_create(4, 3, 8, 8);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 8, 8));
    for (size_t i = 0; i < 4; i++) {
        lw_uniform((lw_stream){.seed = i}, 0, 192, image->data);
        assert_int_equal(lw_dataset_set(dataset, i, NULL, image), LW_OK);
    }
    assert_int_equal(lw_dataset_set_labels(dataset, names, 2, labels), LW_OK);
    lw_tensor_destroy(image);
    return dataset;
}

static void open_metric(harness *h, lw_dataset *dataset)
{
    const lw_plugin *plugin = harness_plugin("network/resnet");
    lw_args *args = lwi_args_create(plugin);
    assert_int_equal(lwi_args_set_text(args, "labels", "[known, age=0..100, other]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "widths", "[4, 4]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "blocks", "[0, 1]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "side", "8", true), LW_OK);
    harness_open(h, "metric/predictions");
    h->device = lw_device_open("cpu", "native");
    h->model = lwi_model_create("judge");
    assert_int_equal(lwi_model_set_part(h->model, LW_PART_NETWORK, plugin, args, NULL, NULL, 1), LW_OK);
    harness_set(h, "model", "judge");
    harness_set(h, "batch", "3");
    harness_input_dataset(h, "images", "photos.dataset", dataset);
}

static void close_metric(harness *h, lw_dataset *dataset)
{
    harness_close(h);
    lwi_model_destroy(h->model);
    lw_device_close(h->device);
    lw_dataset_destroy(dataset);
}

static void only_known_labels_count_and_amounts_are_told_in_their_unit(void **state)
{
    (void)state;
    harness h;
    lw_dataset *dataset = make_pictures((const char *[]){"known", "age"});
    open_metric(&h, dataset);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    assert_true(harness_metric(&h, "known", "known") == 3);
    assert_true(
        harness_metric(&h, "known", "true positives") + harness_metric(&h, "known", "false negatives") == 2);
    near(harness_metric(&h, "mean of classes", "accuracy"), harness_metric(&h, "known", "accuracy"));
    assert_true(harness_metric(&h, "age", "known") == 2);
    /* A fresh network says about 1/2, 50 years, of everyone: 30 and 10 off. */
    assert_true(fabs(harness_metric(&h, "age", "mean absolute error") - 20) < 3);
    assert_true(fabs(harness_metric(&h, "age", "bias") - 20) < 3);
    assert_true(isnan(harness_metric(&h, "other", "known")));
    close_metric(&h, dataset);
}

static void pictures_without_any_of_its_labels_are_refused(void **state)
{
    (void)state;
    harness h;
    lw_dataset *dataset = make_pictures((const char *[]){"Known", "Age"});
    open_metric(&h, dataset);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "no output of model 'judge' has a label among these pictures"));
    close_metric(&h, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_is_scored_by_its_confusion_and_its_ranks),
        cmocka_unit_test(one_side_alone_has_no_balance),
        cmocka_unit_test(calibration_compares_what_was_said_with_what_was),
        cmocka_unit_test(an_amount_is_scored_by_correlation_and_error),
        cmocka_unit_test(only_known_labels_count_and_amounts_are_told_in_their_unit),
        cmocka_unit_test(pictures_without_any_of_its_labels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
