/* test_frechet_distance.c — the metric on a freshly made model. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "step_harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the whole step: a generator and a network as parts of one model, since the harness knows one - */
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

static void test_ok(lw_status status)
{
    if (status != LW_OK)
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

static void each_point_of_a_walk_is_compared_by_itself(void **state)
{
    enum { WALKS = 10, POINTS = 3, Z = 5 };
    bench *b = *state;
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(WALKS, POINTS, Z)),
              *second = lw_tensor_create(LW_SHAPE(WALKS, Z));
    lw_normal((lw_stream){.seed = 3}, 0, WALKS * POINTS * Z, walks->data);
    for (int n = 0; n < WALKS; n++)
        memcpy(second->data + n * Z, walks->data + (n * POINTS + 1) * Z, Z * sizeof(float));
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "at", "[0, 10, 50]");
    harness_input(&b->h, "walk", "walk.walk", "z", walks);
    must_run(b);
    double distance = cell(b, "point 10 and photographs", "Fréchet distance");
    assert_true(cell(b, "point 50 and photographs", "samples") == WALKS && distance > 0);
    assert_int_equal(b->h.step->series[0].iteration[1], 10);
    assert_true(fabs((double)b->h.step->series[0].value[1] - distance) < 1e-4 * distance);
    b->h.inputs[0] = (lwi_step_input){.port = "latents", .name = "x.z", .space = "z", .tensor = second};
    harness_set(&b->h, "at", "[0]");
    must_run(b);
    assert_true(fabs(cell(b, "pictures and photographs", "Fréchet distance") - distance) < 1e-5 * distance);
    lw_tensor_destroy(walks);
    lw_tensor_destroy(second);
}

static void without_photographs_the_models_usual_pictures_stand_for_them(void **state)
{
    bench *b = *state;
    lw_tensor *z = lw_tensor_create(LW_SHAPE(40, 5)), *odd = lw_tensor_create(LW_SHAPE(40, 5));
    lw_normal((lw_stream){.seed = 3}, 0, 40 * 5, z->data);
    for (int i = 0; i < 40 * 5; i++)
        odd->data[i] = 5 + z->data[i];
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "samples", "60");
    harness_input(&b->h, "latents", "start.z", "z", z);
    test_ok(harness_run(&b->h));
    double usual = cell(b, "pictures and usual pictures", "Fréchet distance");
    assert_true(cell(b, "pictures and usual pictures", "samples") == 40);
    assert_true(cell(b, "pictures and usual pictures", "usual pictures") == 60);
    assert_true(cell(b, "halves of the usual pictures", "Fréchet distance") > 0);
    b->h.inputs[0].tensor = odd;
    test_ok(harness_run(&b->h));
    assert_true(cell(b, "pictures and usual pictures", "Fréchet distance") > 3 * usual);
    lw_tensor_destroy(z);
    lw_tensor_destroy(odd);
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
    must_fail(b, "the network of model 'faces' has no tap 'block7'; it has block0, features");
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
        STEP(pictures_are_no_distance_from_themselves),
        STEP(samples_of_a_model_are_drawn_from_the_seed),
        STEP(given_latents_become_pictures),
        STEP(each_point_of_a_walk_is_compared_by_itself),
        STEP(without_photographs_the_models_usual_pictures_stand_for_them),
        STEP(what_cannot_be_compared_is_refused),
        STEP(features_that_are_no_numbers_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
