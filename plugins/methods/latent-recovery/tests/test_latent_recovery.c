/* test_latent_recovery.c — the official code's steps, the search for starts, batches, gradients, and what is
 * refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "diamond.h"
#include "plugin/args.h"

#include "../objective.c"
#include "../views.c"

#include <stdio.h>
#include <stdlib.h>

/* Until the last step, whatever the loss does; eq. 4 as the official code has it. */
static void set_up(harness *h, lw_model *model, lw_device *device, const char *iterations)
{
    open_method(h, "method/latent-recovery", model, device);
    harness_set(h, "tolerance", "0");
    harness_set(h, "iterations", iterations);
    test_must(lwi_args_add_loss(h->args, "losses", "hypersphere", test_plugin("loss/hypersphere"), 1,
                                test_args("loss/hypersphere", (const char *[]){"form=squared", NULL})));
}

/* Its loss: the features' difference plus alpha = 2 times the image's, plus the squared distance from the
 * sphere. Float32 and float64 differ by 3e-7 after 1 step and by 1.4e-5 after 5 (config.json). */
static void steps_are_the_official_ones(void **state)
{
    (void)state;
    static const char *const steps[] = {"1", "5"};
    static const double tolerance[] = {1e-5, 2e-4};
    fixture f;
    open_official(&f);
    for (int k = 0; k < 2; k++) {
        harness h;
        char name[32];
        set_up(&h, f.model, f.device, steps[k]);
        harness_set(&h, "image_weight", "2");
        harness_set(&h, "alpha", "1");
        harness_set(&h, "learning_rate", "0.1");
        harness_input(&h, "images", "start.images", "image", fixture_expected(&f, "images"));
        harness_input(&h, "starts", "encode.z", "z", fixture_expected(&f, "init"));
        test_must(harness_run(&h));
        snprintf(name, sizeof name, "recovered_it%s", steps[k]);
        near(name, harness_output(&h, "z"), fixture_expected(&f, name), tolerance[k]);
        harness_close(&h);
    }
    fixture_close(&f);
}

/* This critic looks at the whole batch, but each image is seen with a copy of itself. Then the images of two
 * candidates start from these. */
static void starts_are_the_nearest_candidates(void **state)
{
    (void)state;
    fixture f;
    harness h;
    views v = {0};
    open_official(&f);
    set_up(&h, f.model, f.device, "1");
    harness_set(&h, "candidates", "6");
    harness_set(&h, "learning_rate", "0");
    harness_input(&h, "images", "start.images", "image", fixture_expected(&f, "images"));
    test_must(harness_run(&h));
    lw_tensor *features = lw_tensor_create(LW_SHAPE(4, 8));
    test_must(views_open(&v, h.step, f.model, "features"));
    assert_int_equal(v.size, 8);
    test_must(views_see(&v, fixture_expected(&f, "images"), features->data));
    near("features_doubled", features, fixture_expected(&f, "features_doubled"), 1e-5);
    lw_tensor_destroy(features);

    lw_tensor *chosen = lw_tensor_create(LW_SHAPE(2, 512)), *images;
    const lw_stream candidates = {.seed = lw_step_seed(h.step), .purpose = lw_purpose("starts")};
    lw_normal(candidates, 4 * 512, 512, chosen->data);
    lw_normal(candidates, 1 * 512, 512, chosen->data + 512);
    test_must(lw_model_images(f.model, f.device, "z", chosen, 2, &images, NULL));
    h.inputs[0].tensor = images;
    test_must(harness_run(&h));
    near("the starts", harness_output(&h, "z"), chosen, 0);
    lw_tensor_destroy(chosen);
    lw_tensor_destroy(images);
    harness_close(&h);
    fixture_close(&f);
}

/* Adam takes no notice of how many share a mean: in two batches of three, which share a row, five latents go
 * where they go in one batch. */
static void batches_cover_all_rows(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(5, 6, 1), *starts = normal_rows(5, 6, 2), *images;
    test_must(lw_model_images(model, device, "z", z, 5, &images, NULL));
    harness h[2];
    for (int k = 0; k < 2; k++) {
        set_up(&h[k], model, device, "20");
        harness_set(&h[k], "batch", k ? "3" : "64");
        harness_set(&h[k], "learning_rate", "0.05");
        harness_input(&h[k], "images", "start.images", "image", images);
        harness_input(&h[k], "starts", "encode.z", "z", starts);
        test_must(harness_run(&h[k]));
    }
    near("rows in two batches", harness_output(&h[1], "z"), harness_output(&h[0], "z"), 1e-3);
    for (int64_t i = 0; i < 30; i++) /* all have moved */
        assert_true(fabsf(harness_output(&h[1], "z")->data[i] - starts->data[i]) > 0.01f);
    harness_close(&h[0]);
    harness_close(&h[1]);
    lw_tensor_destroy(z);
    lw_tensor_destroy(starts);
    lw_tensor_destroy(images);
    lwi_model_destroy(model);
}

static void the_gradient_agrees_with_differences(void **state)
{
    (void)state;
    fixture f;
    open_official(&f);
    lw_graph *g = lw_graph_create();
    const lw_tensor *at = fixture_expected(&f, "init");
    lw_value z = lw_input(g, "x", at->shape), images;
    lw_value loss = recovery_objective(g, f.model, "features", (recovery_weights){2, 1}, z,
                                       fixture_constant(&f, g, "images"),
                                       fixture_constant(&f, g, "features_doubled"), &images);
    check_slope(g, f.device, z, loss, at, 1e-4, 1e-2);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void a_tap_that_is_not_there_is_told_with_those_that_are(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *images = lw_tensor_create(LW_SHAPE(2, 3, 16, 16));
    harness h;
    set_up(&h, model, device, "1");
    harness_set(&h, "tap", "block9");
    harness_input(&h, "images", "start.images", "image", images);
    assert_int_equal(harness_run(&h), LW_NOT_FOUND);
    assert_non_null(
        strstr(lw_error_text(),
               "the discriminator of model 'tiny' has no tap 'block9'; it has block0, block1, features"));
    harness_close(&h);
    lw_tensor_destroy(images);
    lwi_model_destroy(model);
}

/* With an impossible rate the second loss is infinite: the latents of the first are kept. */
static void a_loss_that_is_not_finite_stops_and_keeps_what_was_good(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *images = lw_tensor_create(LW_SHAPE(2, 3, 16, 16)), *starts = normal_rows(2, 6, 2);
    harness h;
    set_up(&h, model, device, "9");
    harness_set(&h, "learning_rate", "1e30");
    harness_input(&h, "images", "start.images", "image", images);
    harness_input(&h, "starts", "encode.z", "z", starts);
    assert_int_equal(harness_run(&h), LW_NUMERIC);
    assert_non_null(strstr(
        lw_error_text(), "the loss of latents 0 to 1 is infinite at step 1; the latents of the step before"));
    char *path = harness_path(&h, "last-good.safetensors");
    lw_store *kept = lw_store_load(path);
    assert_non_null(kept);
    near("what was kept", lw_store_get(kept, "latents"), starts, 0);
    lw_store_destroy(kept);
    lw_free(path);
    harness_close(&h);
    lw_tensor_destroy(images);
    lw_tensor_destroy(starts);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_official_ones),
        cmocka_unit_test(starts_are_the_nearest_candidates),
        cmocka_unit_test(batches_cover_all_rows),
        cmocka_unit_test(the_gradient_agrees_with_differences),
        cmocka_unit_test(a_tap_that_is_not_there_is_told_with_those_that_are),
        cmocka_unit_test(a_loss_that_is_not_finite_stops_and_keeps_what_was_good),
    };
    return cmocka_run_group_tests(tests, test_open_device, test_close_device);
}
