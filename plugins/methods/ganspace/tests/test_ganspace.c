/* test_ganspace.c — the official estimators and regression, and the step on W and on a tap. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include "../pca.c"

#include <stdio.h>

/* The sine of the angle between two vectors. */
static double apart(const float *a, const float *b, int64_t size)
{
    double ab = 0, bb = 0, aa = 0, off = 0;
    for (int64_t i = 0; i < size; i++) {
        ab += (double)a[i] * b[i];
        bb += (double)b[i] * b[i];
        aa += (double)a[i] * a[i];
    }
    for (int64_t i = 0; i < size; i++)
        off += pow(a[i] - ab / bb * b[i], 2);
    return sqrt(off / aa);
}

static void check(fixture *f, const char *estimator, int64_t kept, int ddof)
{
    const lw_tensor *x = fixture_expected(f, "X");
    const int64_t size = x->shape.dim[1], batch = x->shape.dim[0] / 3;
    char name[32];
    pca p;
    assert_int_equal(pca_create(&p, size, kept), LW_OK);
    for (int i = 0; i < 3; i++) {
        float rows[400 * 40];
        assert_true(batch * size == 400 * 40);
        memcpy(rows, x->data + i * batch * size, sizeof rows);
        assert_int_equal(pca_update(&p, rows, batch), LW_OK);
    }
    snprintf(name, sizeof name, "%s.stdev", estimator);
    const float *stdev = fixture_expected(f, name)->data;
    snprintf(name, sizeof name, "%s.var_ratio", estimator);
    const float *share = fixture_expected(f, name)->data;
    snprintf(name, sizeof name, "%s.components", estimator);
    const lw_tensor *components = fixture_expected(f, name);
    for (int k = 0; k < 8; k++) {
        bool separated = (k == 0 || stdev[k - 1] - stdev[k] > 1e-2f * stdev[k]) &&
                         stdev[k] - stdev[k + 1 < 8 ? k + 1 : k] > (k < 7 ? 1e-2f * stdev[k] : -1);
        assert_true(fabs(sqrt(pca_variance(&p, k, ddof)) - stdev[k]) < 1e-4 * stdev[0]);
        assert_true(fabs(pca_share(&p, k) - share[k]) < 1e-4);
        double angle = apart(p.components + k * size, components->data + k * size, size);
        if (separated && !(angle < 1e-3))
            fail_msg("%s: component %d is %g rad off", estimator, k, angle);
    }
    pca_destroy(&p);
}

static void components_are_those_of_the_official_estimators(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "method_ganspace", "native");
    check(&f, "ipca", 8, 1);
    check(&f, "pca", 40, 0);
    fixture_close(&f);
}

/* Whatever its size of batches, plain PCA is the same. */
static void keeping_all_components_does_not_depend_on_batches(void **state)
{
    enum { ROWS = 60, SIZE = 5 };
    (void)state;
    float x[ROWS * SIZE], copy[ROWS * SIZE];
    pca whole, parts;
    lw_normal((lw_stream){.seed = 5}, 0, ROWS * SIZE, x);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < SIZE; j++)
            x[i * SIZE + j] = x[i * SIZE + j] * (float)(5 - j) + 10;
    assert_int_equal(pca_create(&whole, SIZE, SIZE), LW_OK);
    assert_int_equal(pca_create(&parts, SIZE, SIZE), LW_OK);
    memcpy(copy, x, sizeof x);
    assert_int_equal(pca_update(&whole, copy, ROWS), LW_OK);
    memcpy(copy, x, sizeof x);
    for (int i = 0; i < ROWS; i += 12)
        assert_int_equal(pca_update(&parts, copy + i * SIZE, 12), LW_OK);
    for (int k = 0; k < SIZE; k++) {
        assert_true(apart(whole.components + k * SIZE, parts.components + k * SIZE, SIZE) < 1e-4);
        assert_true(fabs(pca_variance(&whole, k, 0) - pca_variance(&parts, k, 0)) < 1e-4);
        assert_true(fabs((double)whole.mean[k] - parts.mean[k]) < 1e-5);
    }
    pca_destroy(&whole);
    pca_destroy(&parts);
}

static void regression_is_that_of_the_official_code(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "method_ganspace", "native");
    const lw_tensor *act = fixture_expected(&f, "reg.act"), *z = fixture_expected(&f, "reg.Z");
    const lw_tensor *comp = fixture_expected(&f, "reg.act_comp"),
                    *official = fixture_expected(&f, "reg.lat_comp");
    const int64_t rows = act->shape.dim[0], size = act->shape.dim[1], count = comp->shape.dim[0];
    const int64_t latent = z->shape.dim[1];
    pca p;
    regression r;
    float m[6 * 12];
    assert_int_equal(pca_create(&p, size, count), LW_OK);
    memcpy(p.components, comp->data, (size_t)(count * size) * sizeof(float));
    for (int64_t j = 0; j < size; j++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++)
            sum += act->data[i * size + j];
        p.mean[j] = (float)(sum / (double)rows);
    }
    assert_int_equal(regression_create(&r, count, latent), LW_OK);
    for (int64_t i = 0; i < rows; i += rows / 4) /* in four parts */
        assert_int_equal(regression_update(&r, &p, fixture_expected(&f, "reg.act_stdev")->data,
                                           act->data + i * size, z->data + i * latent, rows / 4),
                         LW_OK);
    assert_int_equal(regression_solve(&r, m), LW_OK);
    for (int64_t k = 0; k < count; k++)
        assert_true(apart(m + k * latent, official->data + k * latent, latent) < 1e-3);
    regression_destroy(&r);
    pca_destroy(&p);
    fixture_close(&f);
}

/* --- the step ------------------------------------------------------------------------------------------- */
static void prepare(harness *h, lw_model *model, lw_device *device, const char *const *settings)
{
    harness_open(h, "method/ganspace");
    h->model = model;
    h->device = device;
    harness_set(h, "model", "m");
    harness_set(h, "samples", "400");
    harness_set(h, "batch", "100");
    harness_set(h, "count", "3");
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
}

static lw_directions *found(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *path = harness_path(h, "directions.safetensors");
    lw_directions *d = lw_directions_load(path, NULL);
    lw_free(path);
    assert_non_null(d);
    return d;
}

static void the_components_of_w_vary_most(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model =
        test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=5", "mapping_layers=2", NULL});
    harness h;
    prepare(&h, model, device, (const char *[]){"estimator", "pca", "layers", "[1, 2]", NULL});
    lw_directions *d = found(&h);
    assert_string_equal(d->space, "w");
    assert_true(d->first_layer == 1 && d->last_layer == 2 && d->count == 3);
    for (int k = 0; k < 3; k++) {
        assert_true(d->deviations[k] > 0 && d->scores[k] > 0 && d->scores[k] < 1);
        assert_true(k == 0 ||
                    (d->scores[k] <= d->scores[k - 1] && d->deviations[k] < 1.1f * d->deviations[k - 1]));
    }
    lw_directions_destroy(d);
    harness_close(&h);
    prepare(&h, model, device, (const char *[]){"layers", "[1, 4]", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "the layers 0 to 3"));
    harness_close(&h);
    prepare(&h, model, device, (const char *[]){"count", "6", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    harness_close(&h);
    lwi_model_destroy(model);
    lw_device_close(device);
}

/* DCGAN's tap "format" is z A: its main components belong to the z that A stretches most. */
static void the_components_of_a_tap_are_regressed_to_z(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    harness h;
    lw_shape shape;
    for (size_t i = 0; i < lw_store_count(store);
         i++) { /* the first convolution [4, C, 4, 4] scales z by 4, 3, 2, 1 */
        assert_int_equal(lw_store_shape(store, lw_store_name(store, i), &shape), LW_OK);
        if (shape.rank != 4 || shape.dim[0] != 4 || shape.dim[2] != 4)
            continue;
        lw_tensor *weight = lw_tensor_create(shape);
        for (int64_t n = 0; n < 4; n++) /* each z to its own pixel */
            weight->data[n * (lw_shape_count(shape) / 4) + n] = (float)(4 - n);
        assert_int_equal(lw_store_set(store, lw_store_name(store, i), shape, weight->data), LW_OK);
        lw_tensor_destroy(weight);
        break;
    }
    prepare(&h, model, device, (const char *[]){"tap", "format", NULL});
    lw_directions *d = found(&h);
    assert_string_equal(d->space, "z");
    for (int k = 0; k < 3; k++) {
        assert_true(fabs((double)d->vectors[k * 4 + k]) > 0.95);
        assert_true(d->deviations[k] == 1);
    }
    lw_directions_destroy(d);
    harness_close(&h);
    prepare(&h, model, device, (const char *[]){"tap", "formal", NULL});
    assert_int_equal(harness_run(&h), LW_NOT_FOUND);
    harness_close(&h);
    prepare(&h, model, device, (const char *[]){NULL});
    assert_int_equal(harness_run(&h), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "name a tap"));
    harness_close(&h);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_are_those_of_the_official_estimators),
        cmocka_unit_test(keeping_all_components_does_not_depend_on_batches),
        cmocka_unit_test(regression_is_that_of_the_official_code),
        cmocka_unit_test(the_components_of_w_vary_most),
        cmocka_unit_test(the_components_of_a_tap_are_regressed_to_z),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
