/* test_directional_gan.c — hyperplanes that are known, directions that leave the others, latents put where
 * they are wanted, and attributes that cannot be learned. */
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

enum { ROWS = 200, SIZE = 4, COLUMNS = 3 };

/* Attributes that are linear in the latent: x0, in another unit and place; x0 + x1; and -x0 - x1, so that the
 * last two always sum to 1. */
static double truth(const float *x, int k)
{
    return k == 0 ? 40 + 10 * (double)x[0] : k == 1 ? 0.5 + (double)x[0] + x[1] : 0.5 - (double)x[0] - x[1];
}

typedef struct setup {
    lw_model *model;
    lw_tensor *z, *scores;
} setup;

static int open(void **state)
{
    static setup s;
    s.model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    s.z = lw_tensor_create(LW_SHAPE(ROWS, SIZE));
    s.scores = lw_tensor_create(LW_SHAPE(ROWS, COLUMNS));
    lw_normal((lw_stream){.seed = 1}, 0, ROWS * SIZE, s.z->data);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        s.scores->data[i] = (float)truth(s.z->data + i / COLUMNS * SIZE, i % COLUMNS);
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lw_tensor_destroy(s->z);
    lw_tensor_destroy(s->scores);
    lwi_model_destroy(s->model);
    return 0;
}

static lw_status condition_with(harness *h, const setup *s, const lw_tensor *start, const char *attributes,
                                const char *values, const char *constant)
{
    harness_open(h, "method/directional-gan");
    h->model = s->model;
    harness_set(h, "model", "m");
    if (attributes)
        harness_set(h, "attributes", attributes);
    if (values)
        harness_set(h, "values", values);
    if (constant)
        harness_set(h, "constant", constant);
    harness_input(h, "latents", "many.z", "z", s->z);
    harness_input(h, "scores", "judge.scores", "scores", s->scores);
    if (start)
        harness_input(h, "start", "start.z", "z", start);
    return harness_run(h);
}

static lw_status condition(harness *h, const setup *s, const lw_tensor *start, const char *attributes,
                           const char *values)
{
    return condition_with(h, s, start, attributes, values, NULL);
}

static void latents_go_the_shortest_way_to_the_wanted_values(void **state)
{
    const setup *s = *state;
    harness h;
    lw_tensor *start = lw_tensor_create(LW_SHAPE(2, SIZE));
    lw_normal((lw_stream){.seed = 2}, 0, 2 * SIZE, start->data);
    test_must(condition(&h, s, start, "[0, 1]", "[55, 0.25]")); /* x0 = 1.5, x1 = -1.75 */
    const lw_tensor *out = harness_output(&h, "conditioned");
    assert_true(lw_shape_equal(out->shape, start->shape));
    for (int n = 0; n < 2; n++) {
        const float *x = out->data + n * SIZE;
        assert_float_equal(x[0], 1.5, 1e-4);
        assert_float_equal(x[1], -1.75, 1e-4);
        for (int i = 2; i < SIZE; i++)
            assert_float_equal(x[i], start->data[n * SIZE + i], 1e-4);
    }
    assert_true(harness_metric(&h, "attribute 0", "R² validation") > 0.9999);
    harness_close(&h);
    lw_tensor_destroy(start);
}

static void a_direction_changes_one_attribute_and_leaves_the_others(void **state)
{
    const setup *s = *state;
    harness h;
    test_must(condition(&h, s, NULL, "[0, 1]", NULL));
    const float *d = harness_output(&h, "directions")->data;
    assert_float_equal(d[0] / d[1], -1, 1e-4); /* x0 up, x1 down: the sum stays */
    assert_float_equal(d[SIZE], 0, 1e-4);      /* the sum up by x1 alone: x0 stays */
    assert_true(d[0] > 0 && d[SIZE + 1] > 0.8);
    harness_close(&h);
    test_must(condition(&h, s, NULL, "[1]", NULL)); /* alone: the normal of its hyperplane */
    d = harness_output(&h, "directions")->data;
    assert_float_equal(d[0] / d[1], 1, 1e-4);
    char *path = harness_path(&h, "directions.safetensors");
    lw_directions *file = lw_directions_load(path, NULL);
    assert_non_null(file);
    assert_true(file->scores[0] > 0.9999f);
    assert_string_equal(file->model, lw_model_identity(s->model));
    lw_directions_destroy(file);
    lw_free(path);
    harness_close(&h);
}

/* x0 changes, and x1 with it, so that their sum stays what it was. */
static void what_is_constant_is_left_by_directions_and_conditions(void **state)
{
    const setup *s = *state;
    harness h;
    test_must(condition_with(&h, s, NULL, "[0]", "[55]", "[1]"));
    const lw_tensor *d = harness_output(&h, "directions"), *out = harness_output(&h, "conditioned");
    assert_int_equal(d->shape.dim[0], 1);
    assert_float_equal(d->data[0] / d->data[1], -1, 1e-4);
    for (int n = 0; n < ROWS; n++) {
        const float *x = out->data + n * SIZE, *was = s->z->data + n * SIZE;
        assert_float_equal(x[0], 1.5, 1e-4);
        assert_float_equal(x[0] + x[1], was[0] + was[1], 1e-4);
    }
    harness_close(&h);
    assert_int_equal(condition_with(&h, s, NULL, "[0, 1]", NULL, "[1]"), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "constant: column 1 is one of the attributes that change"));
    harness_close(&h);
    assert_int_equal(condition_with(&h, s, NULL, "[0]", NULL, "[3]"), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "constant: column 3 was asked for"));
    harness_close(&h);
}

/* Classes that exclude each other sum to one: their hyperplanes are dependent, which must not blow anything
 * up. */
static void classes_that_sum_to_one_are_conditioned_together(void **state)
{
    const setup *s = *state;
    harness h;
    test_must(condition(&h, s, NULL, "[1, 2]", "[1, 0]"));
    const lw_tensor *out = harness_output(&h, "conditioned");
    for (int n = 0; n < ROWS; n++) {
        assert_true(fabs(truth(out->data + n * SIZE, 1) - 1) < 1e-4);
        assert_float_equal(out->data[n * SIZE + 3], s->z->data[n * SIZE + 3], 1e-4);
    }
    harness_close(&h);
}

static void refused(const setup *s, const lw_tensor *scores, const char *attributes, const char *values,
                    lw_status status, const char *text)
{
    setup other = *s;
    harness h;
    if (scores)
        other.scores = (lw_tensor *)scores;
    assert_int_equal(condition(&h, &other, NULL, attributes, values), status);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
    harness_close(&h);
}

static void mistakes_are_told(void **state)
{
    setup *s = *state;
    lw_tensor *bad = lw_tensor_copy(s->scores);
    refused(s, NULL, "[3]", NULL, LW_INVALID, "column 3");
    refused(s, NULL, "[0, 1]", "[1]", LW_INVALID, "1 for 2 attributes");
    for (int n = 0; n < ROWS; n++)
        bad->data[n * COLUMNS + 1] = 0.25f;
    refused(s, bad, "[0, 1]", NULL, LW_INVALID, "attribute 1: all 140 scores are 0.25");
    bad->data[5 * COLUMNS + 1] = NAN;
    refused(s, bad, NULL, NULL, LW_NUMERIC, "a score of latent 5");
    lw_tensor *all = s->z, few = *s->z, less = *s->scores;
    few.shape.dim[0] = less.shape.dim[0] = 6;
    s->z = &few;
    refused(s, &less, NULL, NULL, LW_INVALID, "4 latents are too few");
    s->z = all;
    lw_tensor_destroy(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latents_go_the_shortest_way_to_the_wanted_values),
        cmocka_unit_test(a_direction_changes_one_attribute_and_leaves_the_others),
        cmocka_unit_test(what_is_constant_is_left_by_directions_and_conditions),
        cmocka_unit_test(classes_that_sum_to_one_are_conditioned_together),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, open, close);
}
