/* test_direction.c — directions keep what they are through a file, import the official formats, and fit one
 * model. */
#define _XOPEN_SOURCE 700
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/lw-directions-XXXXXX";

static const char *file(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static lw_directions *three(void)
{
    lw_directions *d = lw_directions_create("w", 3, 4);
    for (int i = 0; i < 12; i++)
        d->vectors[i] = (float)(i % 5) - 1.5f;
    for (int k = 0; k < 3; k++) {
        d->deviations[k] = 0.5f + (float)k;
        d->scores[k] = 10 - (float)k;
    }
    d->first_layer = 1;
    d->last_layer = 2;
    snprintf(d->method, sizeof d->method, "method/test");
    snprintf(d->model, sizeof d->model, "0123456789abcdef");
    return d;
}

static void a_file_keeps_everything(void **state)
{
    (void)state;
    lw_directions *d = three();
    assert_int_equal(lw_directions_save(d, file("ours.safetensors")), LW_OK);
    lw_directions *read = lw_directions_load(file("ours.safetensors"), NULL);
    assert_non_null(read);
    assert_string_equal(read->space, "w");
    assert_string_equal(read->method, "method/test");
    assert_string_equal(read->model, "0123456789abcdef");
    assert_true(read->count == 3 && read->size == 4 && read->first_layer == 1 && read->last_layer == 2);
    assert_false(read->forced);
    for (int k = 0; k < 3; k++) {
        double squares = 0;
        for (int i = 0; i < 4; i++) {
            squares += pow(read->vectors[k * 4 + i], 2);
            assert_float_equal(read->vectors[k * 4 + i], d->vectors[k * 4 + i], 1e-7);
        }
        assert_true(fabs(squares - 1) < 1e-6);
        assert_true(read->deviations[k] == d->deviations[k] && read->scores[k] == d->scores[k]);
    }
    lw_directions_destroy(read);
    lw_directions_destroy(d);
}

static void boundaries_and_components_are_imported(void **state)
{
    (void)state;
    lw_tensor *boundary = lw_tensor_create(LW_SHAPE(1, 4));
    boundary->data[2] = -2;
    assert_int_equal(lw_npy_save(boundary, file("smile.npy")), LW_OK);
    lw_directions *d = lw_directions_load(file("smile.npy"), "z");
    assert_non_null(d);
    assert_true(d->count == 1 && d->size == 4 && d->vectors[2] == -1 && d->deviations[0] == 1);
    assert_string_equal(d->model, "");
    lw_directions_destroy(d);
    assert_null(lw_directions_load(file("smile.npy"), NULL)); /* of which space? */
    assert_int_equal(lw_error_status(), LW_INVALID);
    assert_null(lw_directions_load(file("smile.npy"), "x"));
    boundary->data[0] = NAN;
    assert_int_equal(lw_npy_save(boundary, file("nan.npy")), LW_OK);
    assert_null(lw_directions_load(file("nan.npy"), "z"));
    assert_int_equal(lw_error_status(), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "nan.npy"));
    assert_non_null(strstr(lw_error_text(), "direction 0"));
    lw_tensor_destroy(boundary);
}

/* A file with these tensors and metadata "latentwalk.directions", "space" (unless NULL). */
static void expect_refused(const char *space, float vector, float deviation, int deviations,
                           const char *layer, lw_status status, const char *text)
{
    lw_store *store = lw_store_create();
    const float vectors[2] = {vector, 0}, dev[2] = {deviation, deviation};
    lw_store_set(store, "vectors", LW_SHAPE(1, 2), vectors);
    lw_store_set(store, "deviations", LW_SHAPE(deviations), dev);
    lw_store_set(store, "scores", LW_SHAPE(1), dev);
    lw_store_set_metadata(store, "latentwalk.directions", "1");
    if (space)
        lw_store_set_metadata(store, "space", space);
    lw_store_set_metadata(store, "first_layer", layer);
    lw_store_set_metadata(store, "last_layer", "-1");
    assert_int_equal(lw_store_save(store, file("bad.safetensors"), LW_STORE_F32), LW_OK);
    lw_store_destroy(store);
    assert_null(lw_directions_load(file("bad.safetensors"), NULL));
    assert_int_equal(lw_error_status(), status);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    expect_refused("w", NAN, 1, 1, "0", LW_NUMERIC, "direction 0 is not finite");
    expect_refused("w", 1, INFINITY, 1, "0", LW_NUMERIC, "direction 0 is not finite");
    expect_refused("w", 0, 1, 1, "0", LW_INVALID, "direction 0 is zero");
    expect_refused("w", 1, -1, 1, "0", LW_INVALID, "cannot be negative");
    expect_refused("w", 1, 1, 2, "0", LW_FORMAT, "2 deviations");
    expect_refused("w", 1, 1, 1, "one", LW_FORMAT, "first_layer");
    expect_refused("q", 1, 1, 1, "0", LW_INVALID, "space z or w");
    expect_refused(NULL, 1, 1, 1, "0", LW_FORMAT, "it holds no directions");
}

static void directions_fit_the_weights_they_were_found_in(void **state)
{
    (void)state;
    lw_model *model =
        test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=4", "mapping_layers=1", NULL});
    lw_model *plain = test_model("p", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    lw_directions *d = three();
    assert_int_equal(lw_directions_fit(d, model, false), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "0123456789abcdef"));
    assert_non_null(strstr(lw_error_text(), lw_model_identity(model)));
    assert_non_null(strstr(lw_error_text(), "`force`"));
    assert_int_equal(lw_directions_fit(d, model, true), LW_OK);
    assert_true(d->forced);
    assert_int_equal(lw_directions_save(d, file("forced.safetensors")), LW_OK);
    lw_directions *read = lw_directions_load(file("forced.safetensors"), NULL);
    assert_true(read && read->forced);
    lw_directions_destroy(read);

    snprintf(d->model, sizeof d->model, "%s", lw_model_identity(model));
    assert_int_equal(lw_directions_fit(d, model, false), LW_OK);
    d->last_layer = lw_model_dim(model, "num_ws");
    assert_int_equal(lw_directions_fit(d, model, true), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "has the layers 0 to 3"));
    d->last_layer = 0; /* before the first */
    assert_int_equal(lw_directions_fit(d, model, false), LW_INVALID);
    d->last_layer = -1;
    assert_int_equal(lw_directions_fit(d, model, false), LW_OK);
    assert_int_equal(lw_directions_fit(d, plain, true), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "no mapping network"));
    lw_directions_destroy(d);

    d = lw_directions_create("z", 1, 4); /* elements of w, not of z */
    assert_int_equal(lw_directions_fit(d, model, true), LW_SHAPE);
    lw_directions_destroy(d);
    lwi_model_destroy(model);
    lwi_model_destroy(plain);
}

static void displacements_move_one_deviation_in_the_layers_meant(void **state)
{
    (void)state;
    lw_model *model =
        test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=4", "mapping_layers=1", NULL});
    lw_directions *d = three();
    assert_int_equal(lw_directions_save(d, file("ours.safetensors")), LW_OK); /* makes them unit vectors */
    lw_tensor *moved = lw_directions_displacements(d, model);
    assert_true(lw_shape_equal(moved->shape, LW_SHAPE(3, 4, 4)));
    for (int k = 0; k < 3; k++)
        for (int l = 0; l < 4; l++) {
            double squares = 0;
            for (int i = 0; i < 4; i++)
                squares += pow(moved->data[(k * 4 + l) * 4 + i], 2);
            assert_true(fabs(sqrt(squares) - (l == 1 || l == 2 ? d->deviations[k] : 0)) < 1e-6);
        }
    lw_tensor_destroy(moved);
    lw_directions_destroy(d);
    lwi_model_destroy(model);
}

static int open(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int close_all(void **state)
{
    static const char *const names[] = {"ours.safetensors", "smile.npy", "nan.npy", "bad.safetensors",
                                        "forced.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(file(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_keeps_everything),
        cmocka_unit_test(boundaries_and_components_are_imported),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(directions_fit_the_weights_they_were_found_in),
        cmocka_unit_test(displacements_move_one_deviation_in_the_layers_meant),
    };
    return cmocka_run_group_tests(tests, open, close_all);
}
