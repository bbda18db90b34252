/* test_frechet_distance.c — against pytorch-fid's numbers, and the whole metric on a freshly made model. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../frechet.h"
#include "fixture.h"
#include "plugin/args.h"
#include "step_harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the arithmetic ------------------------------------------------------------------------------------- */
/* Rows are added in uneven portions: how they come must not matter. */
static void fit(gaussian *g, const lw_tensor *rows)
{
    assert_int_equal(gaussian_open(g, rows->shape.dim[1]), LW_OK);
    for (int64_t first = 0, n = 1; first < rows->shape.dim[0]; first += n, n = n * 3 % 101 + 1) {
        int64_t left = rows->shape.dim[0] - first;
        assert_int_equal(gaussian_add(g, rows->data + first * g->size, n < left ? n : left), LW_OK);
    }
    assert_int_equal(g->count, rows->shape.dim[0]);
}

static double distance_between(const lw_tensor *x, const lw_tensor *y)
{
    gaussian a, b;
    frechet d;
    fit(&a, x);
    fit(&b, y);
    if (frechet_distance(&a, &b, &d) != LW_OK)
        fail_msg("%s", lw_error_text());
    gaussian_close(&a);
    gaussian_close(&b);
    return d.means + d.covariances;
}

static void the_numbers_are_pytorch_fids(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "fid", "native");
    for (int i = 0; i < 3; i++) {
        char x[32], y[32], fid[32];
        snprintf(x, sizeof x, "case%d.x", i);
        snprintf(y, sizeof y, "case%d.y", i);
        snprintf(fid, sizeof fid, "case%d.fid", i);
        lw_tensor *rows = lw_tensor_copy(fixture_expected(&f, x));
        double found = distance_between(rows, fixture_expected(&f, y));
        double expected = (double)fixture_expected(&f, fid)->data[0];
        if (!(fabs(found - expected) <= 1e-6 * expected))
            fail_msg("case %d: %.12g, expected %.12g", i, found, expected);
        assert_true(fabs(distance_between(rows, rows)) < 1e-5);
        lw_tensor_destroy(rows);
    }
    fixture_close(&f);
}

static void the_distance_of_known_gaussians_is_known(void **state)
{
    (void)state;
    /* Deviations 1 and 3 along one axis, 2 and 2 along the other; means 3 and 4 apart: 25 + (3 - 1)². */
    const double deviation[2][2] = {{1, 2}, {3, 2}};
    gaussian g[2];
    for (int k = 0; k < 2; k++) {
        assert_int_equal(gaussian_open(&g[k], 2), LW_OK);
        for (int i = 0; i < 4; i++) { /* the corners of a square have no correlation and variance 4 / 3 */
            double scale = sqrt(0.75);
            float row[2] = {(float)(1e4 + 3 * k + (i & 1 ? scale : -scale) * deviation[k][0]),
                            (float)(4 * k + (i & 2 ? scale : -scale) * deviation[k][1])};
            assert_int_equal(gaussian_add(&g[k], row, 1), LW_OK);
        }
    }
    frechet d;
    assert_int_equal(frechet_distance(&g[0], &g[1], &d), LW_OK);
    assert_true(fabs(d.means - 25) < 1e-3); /* 1e4 in float32 is good to 1e-3 */
    assert_true(fabs(d.covariances - 4) < 1e-2);
    gaussian_close(&g[0]);
    gaussian_close(&g[1]);
}

static void what_is_no_number_is_named_and_one_sample_is_too_few(void **state)
{
    (void)state;
    gaussian g;
    frechet d;
    float rows[] = {1, 2, 3, NAN};
    assert_int_equal(gaussian_open(&g, 2), LW_OK);
    assert_int_equal(gaussian_add(&g, rows, 1), LW_OK);
    assert_int_equal(frechet_distance(&g, &g, &d), LW_INVALID);
    assert_string_equal(lw_error_text(), "a covariance needs at least 2 samples, not 1");
    assert_int_equal(gaussian_add(&g, rows + 2, 1), LW_NUMERIC);
    assert_string_equal(lw_error_text(), "feature 1 of sample 1 is not a number");
    gaussian_close(&g);
}

/* --- the whole step: a generator and a network as parts of one model, since the harness knows one --------
 */
enum { PICTURES = 24, SIDE = 16 };

static void add_part(lw_model *model, lw_part part, const char *id, const char *const *with)
{
    const lw_plugin *plugin = harness_plugin(id);
    lw_args *args = lwi_args_create(plugin);
    for (; *with; with += 2)
        assert_int_equal(lwi_args_set_text(args, with[0], with[1], true), LW_OK);
    if (lwi_model_set_part(model, part, plugin, args, NULL, NULL, 1) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static lw_dataset *make_photographs(size_t count, int64_t side)
{
    lw_dataset *dataset = lw_dataset_create(count, 3, side, side);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, side, side));
    for (size_t i = 0; i < count; i++) {
        lw_uniform((lw_stream){.seed = i}, 0, (size_t)(3 * side * side), image->data);
        assert_int_equal(lw_dataset_set(dataset, i, NULL, image), LW_OK);
    }
    lw_tensor_destroy(image);
    return dataset;
}

typedef struct bench {
    harness h;
    lw_dataset *photographs;
    lw_tensor *images;
} bench;

static int set_up(void **state)
{
    bench *b = lw_alloc(1, sizeof *b);
    harness_open(&b->h, "metric/frechet-distance");
    b->h.device = lw_device_open("cpu", "native");
    b->h.model = lwi_model_create("faces");
    add_part(b->h.model, LW_PART_NETWORK, "network/cnn",
             (const char *[]){"side", "16", "widths", "[4]", "outputs", "3", NULL});
    add_part(b->h.model, LW_PART_GENERATOR, "generator/dcgan",
             (const char *[]){"depth", "1", "width", "4", "z_dim", "5", NULL});
    harness_set(&b->h, "network", "faces");
    harness_set(&b->h, "batch", "7"); /* which does not divide the pictures */
    b->photographs = make_photographs(PICTURES, SIDE);
    b->images = lw_tensor_create(LW_SHAPE(PICTURES, 3, SIDE, SIDE));
    for (size_t i = 0; i < PICTURES; i++)
        lw_dataset_range(b->photographs, i, 1, b->images->data + i * 3 * SIDE * SIDE);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    harness_close(&b->h);
    lwi_model_destroy(b->h.model);
    lw_device_close(b->h.device);
    lw_dataset_destroy(b->photographs);
    lw_tensor_destroy(b->images);
    lw_free(b);
    return 0;
}

static void must_run(bench *b)
{
    harness_input_dataset(&b->h, "photographs", "photos.dataset", b->photographs);
    if (harness_run(&b->h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static double cell(bench *b, const char *row, const char *column)
{
    return harness_metric(&b->h, row, column);
}

static void pictures_are_no_distance_from_themselves(void **state)
{
    bench *b = *state;
    harness_input(&b->h, "images", "walk.images", "image", b->images);
    must_run(b);
    assert_true(fabs(cell(b, "pictures and photographs", "Fréchet distance")) < 1e-6);
    assert_true(cell(b, "pictures and photographs", "samples") == PICTURES);
    assert_true(cell(b, "halves of the photographs", "samples") == PICTURES / 2);
    assert_true(cell(b, "halves of the photographs", "Fréchet distance") > 1e-6);
}

static void samples_of_a_model_are_drawn_from_the_seed(void **state)
{
    bench *b = *state;
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "samples", "30");
    harness_set(&b->h, "floor", "false");
    must_run(b);
    double first = cell(b, "pictures and photographs", "Fréchet distance");
    assert_true(first > 1e-6 && cell(b, "pictures and photographs", "samples") == 30);
    assert_true(isnan(cell(b, "halves of the photographs", "samples")));
    assert_int_equal(harness_run(&b->h), LW_OK);
    assert_true(cell(b, "pictures and photographs", "Fréchet distance") == first);
}

static void given_latents_become_pictures(void **state)
{
    bench *b = *state;
    lw_tensor *z = lw_tensor_create(LW_SHAPE(30, 5));
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "tap", "block0");
    harness_input(&b->h, "latents", "start.z", "z", z);
    must_run(b);
    assert_true(cell(b, "pictures and photographs", "samples") == 30);
    lw_tensor_destroy(z);
}

static void must_fail(bench *b, const char *says)
{
    assert_int_not_equal(harness_run(&b->h), LW_OK);
    if (!strstr(lw_error_text(), says))
        fail_msg("expected '%s' in: %s", says, lw_error_text());
}

static void what_cannot_be_compared_is_refused(void **state)
{
    bench *b = *state;
    lw_dataset *few = make_photographs(3, SIDE), *large = make_photographs(8, 32);
    harness_input_dataset(&b->h, "photographs", "photos.dataset", few);
    must_fail(b, "nothing to compare");
    harness_set(&b->h, "model", "faces");
    must_fail(b, "3 photographs are too few: 4 are needed, two for each half of the floor");
    b->h.inputs[0].dataset = large;
    must_fail(b, "the photographs are [8, 3, 32, 32], but the network of model 'faces' takes [N, 3, 16, 16]");
    b->h.inputs[0].dataset = b->photographs;
    harness_set(&b->h, "tap", "block7");
    must_fail(b, "names no tap 'block7'");
    harness_set(&b->h, "tap", "features");
    harness_input(&b->h, "images", "walk.images", "image", b->images);
    must_fail(b, "`images` and a `model` are given");
    lw_dataset_destroy(few);
    lw_dataset_destroy(large);
}

static void features_that_are_no_numbers_stop_it(void **state)
{
    bench *b = *state;
    b->images->data[3 * SIDE * SIDE * 5] = NAN;
    harness_input(&b->h, "images", "walk.images", "image", b->images);
    harness_input_dataset(&b->h, "photographs", "photos.dataset", b->photographs);
    must_fail(b, "of sample 5 is not a number");
}

int main(void)
{
#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_pytorch_fids),
        cmocka_unit_test(the_distance_of_known_gaussians_is_known),
        cmocka_unit_test(what_is_no_number_is_named_and_one_sample_is_too_few),
        STEP(pictures_are_no_distance_from_themselves),
        STEP(samples_of_a_model_are_drawn_from_the_seed),
        STEP(given_latents_become_pictures),
        STEP(what_cannot_be_compared_is_refused),
        STEP(features_that_are_no_numbers_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
