/* test_interfacegan.c — the official code's boundaries and projections, and what cannot be told apart. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include "../boundary.c"

#include <stdio.h>

static double cosine(const float *a, const float *b, int64_t size)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < size; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Rows `first + perm[i]` of the order, or without a permutation the rows as they come. */
static void take(const boundary_examples *e, int64_t first, const lw_tensor *perm, int64_t *rows)
{
    for (int64_t i = 0; i < e->count; i++)
        rows[i] = e->order[first + (int64_t)perm->data[i]];
}

static void boundaries_are_those_of_the_official_code(void **state)
{
    static const double chosen[] = {0.1, 0.2, 100, 0.1}, split[] = {1, 1, 1, 0.7};
    (void)state;
    fixture f;
    fixture_open(&f, "method_interfacegan", "native");
    const lw_tensor *latents = fixture_expected(&f, "latent_codes");
    const int64_t rows = latents->shape.dim[0], size = latents->shape.dim[1];
    for (int k = 0; k < 4; k++) {
        char name[32];
        boundary_examples e;
        float normal[24];
        double offset;
        snprintf(name, sizeof name, "scores%d", k);
        assert_int_equal(boundary_choose(fixture_expected(&f, name)->data, rows, 1, chosen[k], NULL, &e),
                         LW_OK);
        int64_t *positive = lw_alloc((size_t)e.count, sizeof *positive),
                *negative = lw_alloc((size_t)e.count, 8);
        snprintf(name, sizeof name, "pos_perm%d", k);
        assert_int_equal(fixture_expected(&f, name)->shape.dim[0], e.count);
        take(&e, 0, fixture_expected(&f, name), positive);
        snprintf(name, sizeof name, "neg_perm%d", k);
        take(&e, e.valid - e.count, fixture_expected(&f, name), negative);
        int64_t training = (int64_t)((double)e.count * split[k]);
        assert_int_equal(
            boundary_train(latents->data, size, positive, negative, training, 1, normal, &offset), LW_OK);
        snprintf(name, sizeof name, "boundary%d", k);
        double same = cosine(normal, fixture_expected(&f, name)->data, size);
        if (!(same > 0.9999))
            fail_msg("boundary %d: cosine %.7f", k, same);
        lw_free(positive);
        lw_free(negative);
        boundary_forget(&e);
    }
    fixture_close(&f);
}

static void projections_are_those_of_the_official_code(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "method_interfacegan", "native");
    for (int count = 1; count <= 3; count++) {
        char name[32];
        float normal[24], conditions[3 * 24];
        memcpy(normal, fixture_expected(&f, "boundary0")->data, sizeof normal);
        for (int k = 0; k < count; k++) {
            snprintf(name, sizeof name, "boundary%d", k + 1);
            memcpy(conditions + k * 24, fixture_expected(&f, name)->data, 24 * sizeof(float));
        }
        assert_int_equal(boundary_project(normal, conditions, count, 24), LW_OK);
        snprintf(name, sizeof name, "project_%d", count);
        for (int i = 0; i < 24; i++)
            if (!(fabs((double)normal[i] - fixture_expected(&f, name)->data[i]) < 1e-4))
                fail_msg("%s[%d]: %g, not %g", name, i, (double)normal[i],
                         (double)fixture_expected(&f, name)->data[i]);
        for (int k = 0; k < count; k++)
            assert_true(fabs(cosine(normal, conditions + k * 24, 24)) < 1e-6);
    }
    fixture_close(&f);
}

static void a_direction_within_its_conditions_is_refused(void **state)
{
    (void)state;
    float normal[3] = {0.6f, 0.8f, 0};
    const float conditions[6] = {1, 0, 0, 0, 1, 0};
    assert_int_equal(boundary_project(normal, conditions, 2, 3), LW_INVALID);
}

static void expect(const float *scores, int64_t rows, double chosen, const double *invalid, lw_status status,
                   const char *text)
{
    boundary_examples e;
    assert_int_equal(boundary_choose(scores, rows, 1, chosen, invalid, &e), status);
    if (status == LW_OK)
        boundary_forget(&e);
    else if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
}

static void scores_that_tell_nothing_apart_are_refused(void **state)
{
    const float same[4] = {2, 2, 2, 2}, classes[6] = {0, 1, 1, 1, 1, 1}, nan[3] = {1, NAN, 0},
                fine[4] = {1, 2, 3, 4};
    const double missing = 1;
    (void)state;
    expect(same, 4, 0.5, NULL, LW_INVALID, "all 4 scores are 2");
    expect(classes, 6, 0.5, NULL, LW_INVALID, "meet in 1");
    expect(classes, 6, 1.0 / 6, NULL, LW_OK, "");
    expect(classes, 6, 0.5, &missing, LW_INVALID, "of 1 scored latents none");
    expect(nan, 3, 0.5, NULL, LW_NUMERIC, "latent 1");
    expect(fine, 4, 0.1, NULL, LW_INVALID, "none are chosen");
    expect(fine, 4, 1000, NULL, LW_OK, "");
}

/* Scores that are a component of z: the step finds that component, and with conditions what is left of a
 * mixture. */
static void the_step_finds_the_direction_of_the_scores(void **state)
{
    enum { ROWS = 400, SIZE = 4 };
    (void)state;
    harness h;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    lw_tensor *z = lw_tensor_create(LW_SHAPE(ROWS, SIZE)), *scores = lw_tensor_create(LW_SHAPE(ROWS, 2));
    lw_tensor *conditions = lw_tensor_create(LW_SHAPE(1, SIZE));
    lw_normal((lw_stream){.seed = 1}, 0, ROWS * SIZE, z->data);
    for (int n = 0; n < ROWS; n++)
        scores->data[2 * n + 1] = z->data[n * SIZE] + z->data[n * SIZE + 2];
    conditions->data[2] = 3;
    for (int conditional = 0; conditional < 2; conditional++) {
        harness_open(&h, "method/interfacegan");
        h.model = model;
        h.device = device;
        harness_set(&h, "model", "m");
        harness_set(&h, "attribute", "1");
        harness_set(&h, "chosen", "0.4");
        harness_input(&h, "latents", "start.z", "z", z);
        harness_input(&h, "scores", "judge.scores", "scores", scores);
        if (conditional)
            harness_input(&h, "conditions", "other.directions", "direction", conditions);
        if (harness_run(&h) != LW_OK)
            fail_msg("%s", lw_error_text());
        const float expected[2][SIZE] = {{1, 0, 1, 0}, {1, 0, 0, 0}};
        const lw_tensor *moved = harness_output(&h, "directions");
        assert_true(cosine(moved->data, expected[conditional], SIZE) > 0.99);
        assert_true(harness_metric(&h, "accuracy", "validation") > 0.95);
        double length = 0;
        for (int i = 0; i < SIZE; i++)
            length += pow(moved->data[i], 2);
        assert_true(fabs(sqrt(length) - 1) < 0.15); /* one deviation of normal latents */
        harness_close(&h);
    }
    for (int n = 0; n < ROWS; n++)
        scores->data[2 * n + 1] = 1;
    harness_open(&h, "method/interfacegan");
    h.model = model;
    h.device = device;
    harness_set(&h, "model", "m");
    harness_set(&h, "attribute", "1");
    harness_input(&h, "latents", "start.z", "z", z);
    harness_input(&h, "scores", "judge.scores", "scores", scores);
    assert_int_equal(harness_run(&h), LW_INVALID);
    harness_set(&h, "attribute", "2");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "column 2"));
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(scores);
    lw_tensor_destroy(conditions);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries_are_those_of_the_official_code),
        cmocka_unit_test(projections_are_those_of_the_official_code),
        cmocka_unit_test(a_direction_within_its_conditions_is_refused),
        cmocka_unit_test(scores_that_tell_nothing_apart_are_refused),
        cmocka_unit_test(the_step_finds_the_direction_of_the_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
