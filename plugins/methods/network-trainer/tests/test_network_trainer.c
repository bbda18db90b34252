/* test_network_trainer.c — what small networks learn of made pictures, from labels of which many are missing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "step_harness.h"

#include "../trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 8, COLUMNS = 3 };
static const char *const names[COLUMNS] = {"slope", "bright", "other"};

/* Pictures of a brightness and a slope from left to right: "bright" is 1 for half of them and known of all,
 * "slope" -1 … 1 is known of every other picture. "other" is never known. */
static lw_dataset *make_pictures(size_t count, uint64_t seed)
{
    lw_dataset *dataset = lw_dataset_create(count, 3, SIDE, SIDE);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, SIDE, SIDE));
    float *labels = lw_alloc(count * COLUMNS, sizeof *labels);
    for (size_t i = 0; i < count; i++) {
        float chance[2];
        lw_uniform((lw_stream){.seed = seed, .step = i}, 0, 2, chance);
        float slope = 2 * chance[0] - 1, level = chance[1] < 0.5f ? -0.3f : 0.3f;
        for (int p = 0; p < 3 * SIDE * SIDE; p++)
            image->data[p] = level + 0.5f * slope * ((float)(p % SIDE) / (SIDE - 1) * 2 - 1);
        assert_int_equal(lw_dataset_set(dataset, i, NULL, image), LW_OK);
        labels[i * COLUMNS] = i % 2 ? slope : NAN;
        labels[i * COLUMNS + 1] = level > 0;
        labels[i * COLUMNS + 2] = NAN;
    }
    assert_int_equal(lw_dataset_set_labels(dataset, names, COLUMNS, labels), LW_OK);
    lw_free(labels);
    lw_tensor_destroy(image);
    return dataset;
}

typedef struct bench {
    harness h;
    lw_dataset *train, *held_out;
} bench;

static lw_model *make_network(const char *labels)
{
    const lw_plugin *plugin = harness_plugin("network/resnet");
    lw_args *args = lwi_args_create(plugin);
    lw_model *model = lwi_model_create("judge");
    assert_int_equal(lwi_args_set_text(args, "labels", labels, true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "widths", "[8, 8]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "blocks", "[0, 1]", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "side", "8", true), LW_OK);
    assert_int_equal(lwi_model_set_part(model, LW_PART_NETWORK, plugin, args, NULL, NULL, 1), LW_OK);
    return model;
}

static int set_up(void **state)
{
    bench *b = lw_alloc(1, sizeof *b);
    harness_open(&b->h, "method/network-trainer");
    b->h.device = lw_device_open("cpu", "native");
    b->h.model = make_network("[bright, slope=-1..1]");
    b->train = make_pictures(192, 1);
    b->held_out = make_pictures(50, 2);
    harness_set(&b->h, "model", "judge");
    harness_set(&b->h, "epochs", "12");
    harness_set(&b->h, "batch", "16");
    harness_set(&b->h, "learning_rate", "1e-2");
    harness_set(&b->h, "odd", "[slope]");
    harness_input_dataset(&b->h, "images", "photos.dataset", b->train);
    harness_input_dataset(&b->h, "validation", "held_out.dataset", b->held_out);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    harness_close(&b->h);
    lwi_model_destroy(b->h.model);
    lw_device_close(b->h.device);
    lw_dataset_destroy(b->train);
    lw_dataset_destroy(b->held_out);
    lw_free(b);
    return 0;
}

static void must_run(bench *b)
{
    if (harness_run(&b->h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static double least(const lwi_series *s)
{
    double value = INFINITY;
    for (size_t i = 0; i < s->count; i++)
        value = fmin(value, (double)s->value[i]);
    return value;
}

/* Guessing costs log 2 + 1/2. A slope that did not turn with its picture could not be learnt at all. */
static void expect_learnt(bench *b)
{
    must_run(b);
    double loss = harness_metric(&b->h, "best weights", "validation loss");
    if (!(loss < 0.12))
        fail_msg("the validation loss is %g", loss);
    assert_true(loss <= least(harness_series(&b->h, "loss/validation")) + 1e-6);
    assert_true((double)harness_series(&b->h, "accuracy of validation classes")->value[11] > 0.97);
    assert_int_equal(harness_series(&b->h, "loss/validation")->count, 12);
}

static void classes_and_amounts_are_learnt_from_what_is_known(void **state)
{
    bench *b = *state;
    expect_learnt(b);
    char *path = harness_path(&b->h, "model.safetensors");
    assert_int_equal(access(path, R_OK), 0);
    lw_free(path);
}

static void they_are_learnt_by_sgd_on_squared_errors_too(void **state)
{
    bench *b = *state;
    harness_set(&b->h, "optimizer", "sgd");
    harness_set(&b->h, "schedule", "cosine");
    harness_set(&b->h, "learning_rate", "0.1");
    harness_set(&b->h, "weight_decay", "1e-4");
    harness_set(&b->h, "amount_loss", "squared");
    expect_learnt(b);
}

static void the_rate_goes_through_one_cycle(void **state)
{
    bench *b = *state;
    harness_set(&b->h, "epochs", "10"); /* 120 updates: the peak is at 36 */
    must_run(b);
    const lwi_series *rate = harness_series(&b->h, "learning rate");
    assert_true(fabs((double)rate->value[0] - 1e-2 / 25) < 1e-8);
    for (size_t i = 1; i < rate->count; i++)
        assert_true((rate->value[i] > rate->value[i - 1]) == (i <= 3) || i == 4);
    assert_true((double)rate->value[4] > 9.9e-3 && (double)rate->value[11] < 5e-4);
}

static void training_ends_when_it_has_not_helped_for_long(void **state)
{
    bench *b = *state;
    harness_set(&b->h, "learning_rate", "0"); /* nothing is learnt, only running statistics settle */
    harness_set(&b->h, "patience", "2");
    harness_set(&b->h, "epochs", "200");
    must_run(b);
    assert_true(harness_series(&b->h, "loss/validation")->count < 200);
    assert_int_equal(json_array_size(b->h.step->notes), 1);
}

static void must_fail(bench *b, const char *says)
{
    assert_int_not_equal(harness_run(&b->h), LW_OK);
    if (!strstr(lw_error_text(), says))
        fail_msg("expected '%s' in: %s", says, lw_error_text());
}

static void use_network(bench *b, const char *labels)
{
    lwi_step_destroy(b->h.step); /* before the weights its programs use */
    b->h.step = NULL;
    lwi_model_destroy(b->h.model);
    b->h.model = make_network(labels);
}

static void labels_that_do_not_fit_are_named(void **state)
{
    bench *b = *state;
    use_network(b, "[bright, slop=-1..1]");
    must_fail(b, "images: the pictures have no label 'slop'");
    use_network(b, "[bright, slope=-0.1..0.1]");
    must_fail(b, "outside its range -0.1 … 0.1");
    use_network(b, "[bright, slope=-1..2]");
    must_fail(b, "odd: 'slope' ranges from -1 to 2, but");
    use_network(b, "[bright, other]");
    must_fail(b, "images: 'other' is not known of a single picture");
    harness_set(&b->h, "emphasis", "[brigth=2]");
    must_fail(b, "emphasis: model 'judge' has no label 'brigth'; did you mean 'bright'?");
    harness_set(&b->h, "emphasis", "[bright]");
    must_fail(b, "emphasis: 'bright' must be NAME=FACTOR");
}

/* --- targets.c -------------------------------------------------------------------------------- */
static void labels_become_targets_and_missing_ones_are_masked(void **state)
{
    bench *b = *state;
    targets t = {0};
    lw_args *args = lwi_args_create(harness_plugin("method/network-trainer"));
    assert_int_equal(lwi_args_set_text(args, "amount_weight", "3", true), LW_OK);
    int column[2];
    assert_int_equal(targets_open(&t, b->h.model, args), LW_OK);
    assert_int_equal(targets_find(&t, b->train, "images", column), LW_OK);
    assert_true(column[0] == 1 && column[1] == 0);
    assert_int_equal(targets_measure(&t, b->train, column), LW_OK);
    assert_true(t.share[0] == 1 && t.share[1] == 6); /* the slope is known of every other picture */
    assert_true(t.deviation[0] == 1 && fabs((double)t.deviation[1] - 1 / sqrt(12)) < 0.03);
    const float labels[6] = {-0.5f, 1, NAN, NAN, 0, NAN};
    float target[4], known[4];
    targets_read(&t, column, COLUMNS, labels, 2, target, known);
    assert_memory_equal(target, ((float[]){1, 0.25f, 0, 0}), sizeof target);
    assert_memory_equal(known, ((float[]){1, 1, 1, 0}), sizeof known);
    targets_close(&t);
    use_network(b, "[bright, slope=-1..1, age=0..9]");
    assert_int_equal(lwi_args_set_text(args, "emphasis", "[slope=2]", true), LW_OK);
    assert_int_equal(targets_open(&t, b->h.model, args), LW_OK);
    assert_true(t.weight[0] == 1 && t.weight[1] == 2 && t.weight[2] == 1); /* of 3: two thirds, one third */
    targets_close(&t);
    lwi_args_destroy(args);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(classes_and_amounts_are_learnt_from_what_is_known),
        TEST(they_are_learnt_by_sgd_on_squared_errors_too),
        TEST(the_rate_goes_through_one_cycle),
        TEST(training_ends_when_it_has_not_helped_for_long),
        TEST(labels_that_do_not_fit_are_named),
        TEST(labels_become_targets_and_missing_ones_are_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
