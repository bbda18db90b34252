/* test_resnet.c — network/resnet: sizes, ranges and names of what it tells, and models that remember them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugin/args.h"
#include "step_harness.h"

#include <string.h>
#include <unistd.h>

static lw_args *args_with(const char *labels, const char *blocks)
{
    lw_args *args = lwi_args_create(harness_plugin("network/resnet"));
    assert_int_equal(lwi_args_set_text(args, "labels", labels, true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "widths", "[4, 6, 8]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "blocks", blocks, true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "side", "16", true), LW_OK);
    return args;
}

static lw_model *make_model(const char *labels, const char *blocks)
{
    lw_model *model = lwi_model_create("judge");
    if (lwi_model_set_part(model, LW_PART_NETWORK, harness_plugin("network/resnet"),
                           args_with(labels, blocks), NULL, NULL, 1) != LW_OK)
        fail_msg("%s", lw_error_text());
    return model;
}

static void outputs_lie_between_0_and_1_and_features_are_one_row_each(void **state)
{
    (void)state;
    lw_model *model = make_model("[Smiling, age=0..100, yaw=-45..45]", "[1, 2, 1]");
    lw_device *device = lw_device_open("cpu", "native");
    lw_graph *g = lw_graph_create();
    lw_value outputs = lw_apply(g, model, lw_input(g, "images", LW_SHAPE(2, 3, 16, 16)));
    lw_value features = lw_tap_value(g, "judge.network/features");
    lw_value last = lw_tap_value(g, "judge.network/block2"), stem = lw_tap_value(g, "judge.network/stem");
    assert_true(lw_shape_equal(lw_shape_of(g, outputs), LW_SHAPE(2, 3)));
    assert_true(lw_shape_equal(lw_shape_of(g, features), LW_SHAPE(2, 8)));
    assert_true(lw_shape_equal(lw_shape_of(g, stem), LW_SHAPE(2, 4, 8, 8)));
    assert_true(lw_shape_equal(lw_shape_of(g, last), LW_SHAPE(2, 8, 2, 2)));
    assert_true(lw_shape_equal(lw_shape_of(g, lw_tap_value(g, "judge.network/logits")), LW_SHAPE(2, 3)));
    lw_output(g, "outputs", outputs);
    lw_program *program = lw_compile(g, device);
    assert_non_null(program);
    float images[2 * 3 * 16 * 16], values[6];
    lw_normal((lw_stream){.seed = 1}, 0, sizeof images / sizeof *images, images);
    assert_int_equal(lw_program_write(program, "images", images, sizeof images / sizeof *images), LW_OK);
    assert_int_equal(lw_program_run(program), LW_OK);
    assert_int_equal(lw_program_read(program, "outputs", values, 6), LW_OK);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] > 0 && values[i] < 1);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lw_device_close(device);
    lwi_model_destroy(model);
}

static void labels_are_found_by_name_with_their_ranges(void **state)
{
    (void)state;
    lw_model *model = make_model("[Smiling, age=0..100, yaw=-45..45, odd=-.5..1e1]", "[0, 1, 1]");
    lw_label label;
    assert_int_equal(lw_model_label_count(model), 4);
    assert_int_equal(lw_model_find_label(model, "yaw"), 2);
    assert_int_equal(lw_model_label(model, 0, &label), LW_OK);
    assert_string_equal(label.name, "Smiling");
    assert_true(!label.amount && label.low == 0 && label.high == 1);
    assert_int_equal(lw_model_label(model, 1, &label), LW_OK);
    assert_string_equal(label.name, "age");
    assert_true(label.amount && label.low == 0 && label.high == 100);
    assert_int_equal(lw_model_label(model, 3, &label), LW_OK);
    assert_true(label.amount && label.low == -0.5 && label.high == 10);
    assert_int_equal(lw_model_find_label(model, "smiling"), -1);
    assert_string_equal(lw_error_text(), "model 'judge' has no label 'smiling'; did you mean 'Smiling'?");
    assert_int_equal(lw_model_label(model, 4, &label), LW_NOT_FOUND);
    lwi_model_destroy(model);
}

static void a_saved_network_comes_back_with_its_labels_and_sizes(void **state)
{
    (void)state;
    char path[] = "/tmp/lw-resnet-XXXXXX";
    close(mkstemp(path));
    lw_model *model = make_model("[Smiling, age=0..100]", "[0, 1, 2]"), *again = lwi_model_create("again");
    assert_int_equal(lw_model_save(model, path, LW_STORE_F32), LW_OK);
    lw_store *weights = lw_store_load(path);
    assert_non_null(weights);
    lw_status status =
        lwi_model_set_part(again, LW_PART_NETWORK, harness_plugin("network/resnet"),
                           lwi_args_create(harness_plugin("network/resnet")), weights, NULL, 0);
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
    assert_int_equal(lw_model_find_label(again, "age"), 1);
    assert_int_equal(lw_model_dim(again, "height"), 16);
    assert_string_equal(lw_model_identity(model), lw_model_identity(again));
    lw_store_destroy(weights);
    lwi_model_destroy(model);
    lwi_model_destroy(again);
    unlink(path);
}

static void expect_refused(const char *labels, const char *blocks, const char *says)
{
    lw_model *model = lwi_model_create("judge");
    assert_int_not_equal(lwi_model_set_part(model, LW_PART_NETWORK, harness_plugin("network/resnet"),
                                            args_with(labels, blocks), NULL, NULL, 1),
                         LW_OK);
    if (!strstr(lw_error_text(), says))
        fail_msg("expected '%s' in: %s", says, lw_error_text());
    lwi_model_destroy(model);
}

static void what_cannot_be_is_refused_in_words(void **state)
{
    (void)state;
    expect_refused("[age=0-100]", "[0, 1, 1]", "'age=0-100' must be NAME for a class or NAME=LOW..HIGH");
    expect_refused("[age=100..0]", "[0, 1, 1]", "'age=100..0'");
    expect_refused("[age=0..]", "[0, 1, 1]", "'age=0..'");
    expect_refused("[=0..1]", "[0, 1, 1]", "needs a name");
    expect_refused("[Smiling, Smiling]", "[0, 1, 1]", "'Smiling' is there twice");
    expect_refused("[Smiling]", "[0, 1]", "`widths` has 3 stages and `blocks` 2");
    expect_refused("[Smiling]", "[0, 0, 1]", "stage 2 of `blocks` has none");
}

static void a_network_without_names_has_no_labels(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("judge");
    const lw_plugin *cnn = harness_plugin("network/cnn");
    assert_int_equal(lwi_model_set_part(model, LW_PART_NETWORK, cnn, lwi_args_create(cnn), NULL, NULL, 1),
                     LW_OK);
    assert_int_equal(lw_model_label_count(model), 0);
    assert_int_equal(lw_model_find_label(model, "Smiling"), -1);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_lie_between_0_and_1_and_features_are_one_row_each),
        cmocka_unit_test(labels_are_found_by_name_with_their_ranges),
        cmocka_unit_test(a_saved_network_comes_back_with_its_labels_and_sizes),
        cmocka_unit_test(what_cannot_be_is_refused_in_words),
        cmocka_unit_test(a_network_without_names_has_no_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
