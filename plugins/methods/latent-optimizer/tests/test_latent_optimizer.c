/* test_latent_optimizer.c — steps against Adam and SGD by hand, projected steps against the equations, a
 * search that finds what it is shown, runs that stop and go on. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugin/args.h"
#include "plugins.h"
#include "step_harness.h"

#include "../../bounded-local-space/bounds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct bench {
    lw_device *device;
    lw_model *plain, *mapped; /* z of 4 to 16x16; z of 8 to w of 8 to 16x16. Both with a discriminator. */
} bench;

enum { COUNT = 5, PLAIN = 4, MAPPED = 8 };

static void add_loss(harness *h, const char *id, double weight, const char *const *with)
{
    test_must(lwi_args_add_loss(h->args, "losses", strchr(id, '/') + 1, test_plugin(id), weight,
                                test_args(id, with)));
}

/* The losses that the tests search with, by a name of their own; "none" adds none. */
static void add_losses(harness *h, const char *name)
{
    if (strcmp(name, "adversarial") == 0)
        add_loss(h, "loss/adversarial", 1, NULL);
    if (strcmp(name, "both") == 0) {
        add_loss(h, "loss/hypersphere", 1, NULL);
        add_loss(h, "loss/latent-distance", 0.5, (const char *[]){"target=3", NULL});
    }
    if (strcmp(name, "look") == 0)
        add_loss(h, "loss/perceptual", 1,
                 (const char *[]){"taps=[pixels, block0]", "normalise=false", "channels=mean", NULL});
}

/* Settings are "key", "value", …, NULL. */
static void prepare(harness *h, bench *b, lw_model *model, const lw_tensor *z, const char *const *settings)
{
    harness_open(h, "method/latent-optimizer");
    h->model = model;
    h->device = b->device;
    harness_set(h, "model", "m");
    for (; *settings; settings += 2)
        if (strcmp(settings[0], "losses") == 0)
            add_losses(h, settings[1]);
        else
            harness_set(h, settings[0], settings[1]);
    harness_input(h, "z", "start.z", "z", z);
}

static void run(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static lw_tensor *normal(int64_t count, int64_t size, uint64_t seed)
{
    lw_tensor *z = lw_tensor_create(LW_SHAPE(count, size));
    assert_non_null(z);
    lw_normal((lw_stream){.seed = seed}, 0, (size_t)(count * size), z->data);
    return z;
}

static double between(const float *a, const float *b, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += pow((double)a[i] - b[i], 2);
    return sqrt(sum);
}

/* --- optimisers by hand ------------------------------------------------------------------------- */
/* One latent under (|z| - 2)^2 + 0.5 (|z - z0|^2 - 3)^2: its gradient */
static void slope(const double *z, const float *z0, double *gradient)
{
    double norm = 0, away = 0;
    for (int i = 0; i < PLAIN; i++) {
        norm += z[i] * z[i];
        away += (z[i] - z0[i]) * (z[i] - z0[i]);
    }
    norm = sqrt(norm);
    for (int i = 0; i < PLAIN; i++)
        gradient[i] = 2 * (norm - 2) * z[i] / norm + 0.5 * 4 * (away - 3) * (z[i] - z0[i]);
}

/* Kingma & Ba 2015, algorithm 1, or torch.optim.SGD with momentum 0.5: where z0 is after `steps`. */
static void by_hand(bool adam, const float *z0, int steps, double rate, double *z)
{
    double m[PLAIN] = {0}, v[PLAIN] = {0}, gradient[PLAIN];
    for (int i = 0; i < PLAIN; i++)
        z[i] = z0[i];
    for (int t = 1; t <= steps; t++) {
        slope(z, z0, gradient);
        for (int i = 0; i < PLAIN; i++) {
            m[i] = adam ? 0.8 * m[i] + 0.2 * gradient[i] : 0.5 * m[i] + gradient[i];
            v[i] = 0.95 * v[i] + 0.05 * gradient[i] * gradient[i];
            z[i] -= adam ? rate * (m[i] / (1 - pow(0.8, t))) / (sqrt(v[i] / (1 - pow(0.95, t))) + 1e-8)
                         : rate * m[i];
        }
    }
}

static void check_optimiser(bench *b, const char *optimizer, const char *key, const char *value)
{
    harness h;
    lw_tensor *z = normal(COUNT, PLAIN, 3);
    prepare(&h, b, b->plain, z,
            (const char *[]){"losses", "both", "optimizer", optimizer, key, value, "learning_rate", "0.02",
                             "iterations", "6", "keep", "[1, 2, 6]", "batch", "2", NULL});
    run(&h);
    const lw_tensor *walk = harness_output(&h, "walk"), *end = harness_output(&h, "latents");
    const int after[] = {1, 2, 6};
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(COUNT, 3, PLAIN)));
    for (int n = 0; n < COUNT; n++)
        for (int t = 0; t < 3; t++) {
            double wanted[PLAIN];
            by_hand(strcmp(optimizer, "adam") == 0, z->data + n * PLAIN, after[t], 0.02, wanted);
            for (int i = 0; i < PLAIN; i++)
                if (!(fabs(walk->data[(n * 3 + t) * PLAIN + i] - wanted[i]) < 1e-5))
                    fail_msg("%s, latent %d after %d: %.7g, not %.7g", optimizer, n, after[t],
                             (double)walk->data[(n * 3 + t) * PLAIN + i], wanted[i]);
        }
    for (int n = 0; n < COUNT; n++)
        assert_memory_equal(end->data + n * PLAIN, walk->data + (n * 3 + 2) * PLAIN, PLAIN * sizeof(float));
    lw_tensor_destroy(z);
    harness_close(&h);
}

/* Each latent as if it were alone, though searched two at a time and the last batch filled up. */
static void steps_are_those_of_sgd_and_of_adam(void **state)
{
    check_optimiser(*state, "sgd", "momentum", "0.5");
    check_optimiser(*state, "adam", "betas", "[0.8, 0.95]");
}

/* --- spaces ---------------------------------------------------------------------------------------- */
static void a_search_of_w_plus_starts_at_w_and_leaves_it(void **state)
{
    bench *b = *state;
    harness h;
    lw_tensor *z = normal(2, MAPPED, 3);
    prepare(&h, b, b->mapped, z,
            (const char *[]){"losses", "adversarial", "space", "w+", "learning_rate", "10", "iterations", "3",
                             NULL});
    run(&h);
    const lw_tensor *walk = harness_output(&h, "walk");
    const int64_t layers = lw_model_dim(b->mapped, "num_ws"), size = layers * MAPPED;
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(2, 2, layers, MAPPED)));
    for (int64_t n = 0; n < 2; n++) {
        const float *start = walk->data + 2 * n * size, *end = start + size;
        for (int64_t l = 1; l < layers; l++)
            assert_memory_equal(start, start + l * MAPPED, MAPPED * sizeof(float));
        assert_true(between(end, end + MAPPED, MAPPED) > 1e-5); /* layers have parted */
    }
    assert_int_equal(harness_output(&h, "images")->shape.dim[1], 2);
    lw_tensor_destroy(z);
    harness_close(&h);
}

/* --- the projection --------------------------------------------------------------------------------- */
#define ADVERSARIAL "losses", "adversarial", "learning_rate", "300"

/* Where plain SGD goes from z in one step, less where it was: the step of w that is wanted. */
static void wanted_step(bench *b, const lw_tensor *z, float *wanted)
{
    harness h;
    prepare(&h, b, b->mapped, z, (const char *[]){ADVERSARIAL, "iterations", "1", NULL});
    run(&h);
    const float *walk = harness_output(&h, "walk")->data;
    for (int n = 0; n < COUNT; n++)
        for (int i = 0; i < MAPPED; i++)
            wanted[n * MAPPED + i] = walk[(2 * n + 1) * MAPPED + i] - walk[2 * n * MAPPED + i];
    harness_close(&h);
}

/* Equations 5 to 9 step by step: coefficients are clamped to alpha times their singular values, and some of
 * them are. */
static void projected_steps_stay_within_bounds(void **state)
{
    bench *b = *state;
    harness h;
    float wanted[COUNT * MAPPED], step[MAPPED], coefficients[MAPPED];
    lw_tensor *z = normal(COUNT, MAPPED, 3);
    prepare(&h, b, b->mapped, z,
            (const char *[]){ADVERSARIAL, "projection", "bounded-local-space", "alpha", "0.5", "cutoff",
                             "0.01", "iterations", "3", "keep", "[0, 1, 2, 3]", "batch", "2", NULL});
    run(&h);
    const float *walk = harness_output(&h, "walk")->data;
    lw_local *local = lw_local_create(b->mapped, b->device, .batch = COUNT, .cutoff = 0.01f);
    assert_non_null(local);
    int clamped = 0, free = 0;
    for (int t = 0; t < 3; t++) {
        wanted_step(b, z, wanted);
        test_must(lw_local_at(local, z->data, COUNT));
        for (int n = 0; n < COUNT; n++) {
            bounded_step(local, n, wanted + n * MAPPED, 0.5, step, coefficients);
            for (int i = 0; i < local->rank[n]; i++) {
                double bound = 0.5 * (double)local->values[n * MAPPED + i];
                assert_true(fabs((double)coefficients[i]) <= bound * (1 + 1e-6));
                *(fabs((double)coefficients[i]) > bound * (1 - 1e-6) ? &clamped : &free) += 1;
            }
            for (int i = 0; i < MAPPED; i++)
                z->data[n * MAPPED + i] += step[i];
        }
        test_must(lw_local_jacobian(local, z->data, COUNT));
        for (int n = 0; n < COUNT; n++)
            if (!(between(walk + (4 * n + t + 1) * MAPPED, local->w + n * MAPPED, MAPPED) < 1e-4))
                fail_msg("walk %d, step %d: off by %g", n, t + 1,
                         between(walk + (4 * n + t + 1) * MAPPED, local->w + n * MAPPED, MAPPED));
    }
    assert_true(clamped > 0 && free > 0);
    lw_local_destroy(local);
    lw_tensor_destroy(z);
    harness_close(&h);
}

/* --- searching ---------------------------------------------------------------------------------------- */
static lw_tensor *images_of(bench *b, const lw_tensor *z)
{
    lw_tensor *images = NULL;
    test_must(lw_model_images(b->plain, b->device, "z", z, 64, &images, NULL));
    return images;
}

static double curve_at(const harness *h, const char *name, int64_t at)
{
    for (int i = 0; i < h->step->series_count; i++)
        if (strcmp(h->step->series[i].name, name) == 0) {
            assert_int_equal(h->step->series[i].iteration[at], at);
            return (double)h->step->series[i].value[at];
        }
    fail_msg("no curve '%s'", name);
    return 0;
}

/* From beside the latents of the targets to where pictures look the same, to pixels and discriminator. */
static void a_search_finds_what_it_is_shown(void **state)
{
    bench *b = *state;
    harness h;
    lw_tensor *z = normal(COUNT, PLAIN, 3), *wanted = normal(COUNT, PLAIN, 4);
    lw_tensor *targets = images_of(b, wanted);
    for (int i = 0; i < COUNT * PLAIN; i++)
        z->data[i] = wanted->data[i] + 0.5f * z->data[i];
    prepare(&h, b, b->plain, z,
            (const char *[]){"losses", "look", "optimizer", "adam", "learning_rate", "0.05", "iterations",
                             "200", "batch", "3", NULL});
    harness_input(&h, "targets", "shown.images", "image", targets);
    run(&h);
    const lw_tensor *found = harness_output(&h, "latents");
    double start = curve_at(&h, "loss", 0), end = curve_at(&h, "loss/perceptual", 199);
    if (!(end < 1e-3 * start))
        fail_msg("the loss fell from %g to %g only", start, end);
    for (int n = 0; n < COUNT; n++)
        assert_true(between(found->data + n * PLAIN, wanted->data + n * PLAIN, PLAIN) < 0.05);
    lw_tensor_destroy(z);
    lw_tensor_destroy(wanted);
    lw_tensor_destroy(targets);
    harness_close(&h);
}

/* --- stopping ------------------------------------------------------------------------------------------ */
static bool never(void *user)
{
    (void)user;
    return false;
}

static int calls;
static bool after_seven(void *user)
{
    (void)user;
    return ++calls > 7;
}

/* Five latents, two at a time, four steps each: cancelled in the second batch, then resumed. */
static void check_resume(bench *b, const char *projection)
{
    harness h;
    lw_tensor *z = normal(COUNT, MAPPED, 3);
    prepare(&h, b, b->mapped, z,
            (const char *[]){ADVERSARIAL, "optimizer", "adam", "learning_rate", "0.1", "projection",
                             projection, "iterations", "4", "batch", "2", NULL});
    run(&h);
    lwi_step_setup setup = h.step->setup;
    setup.hooks.cancelled = after_seven;
    calls = 0;
    lw_step *first = lwi_step_create(&setup, false);
    assert_int_equal(lwi_step_run(first), LW_CANCELLED);
    lwi_step_destroy(first);
    setup.hooks.cancelled = never;
    lw_step *second = lwi_step_create(&setup, true);
    if (!second || lwi_step_run(second) != LW_OK)
        fail_msg("%s", lw_error_text());
    for (int i = 0; i < second->output_count; i++) {
        const lw_tensor *whole = h.step->outputs[i].tensor, *halves = second->outputs[i].tensor;
        assert_memory_equal(whole->data, halves->data, (size_t)lw_shape_count(whole->shape) * sizeof(float));
    }
    for (int i = 0; i < h.step->series_count; i++)
        assert_memory_equal(h.step->series[i].value, second->series[i].value, 4 * sizeof(float));
    lwi_step_destroy(second);
    lw_tensor_destroy(z);
    harness_close(&h);
}

static void a_cancelled_search_goes_on_to_the_same_bytes(void **state)
{
    check_resume(*state, "none");
    check_resume(*state, "bounded-local-space");
}

/* Steps far too large: (|z|^2 - d)^2 explodes within a few. */
static void a_loss_that_is_no_number_stops_and_keeps_the_last_good_latents(void **state)
{
    bench *b = *state;
    harness h;
    lw_tensor *z = normal(2, PLAIN, 3);
    prepare(&h, b, b->plain, z,
            (const char *[]){"losses", "both", "learning_rate", "1e4", "iterations", "50", NULL});
    assert_int_equal(harness_run(&h), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "of latents 0 to 1; as they were before, they are in "));
    char *path = harness_path(&h, "last-good.safetensors");
    lw_store *saved = lw_store_load(path);
    assert_non_null(saved);
    const lw_tensor *good = lw_store_get(saved, "latents");
    assert_true(lw_shape_equal(good->shape, LW_SHAPE(2, PLAIN)));
    for (int i = 0; i < 2 * PLAIN; i++)
        assert_true(isfinite(good->data[i]));
    assert_true(between(good->data, z->data, 2 * PLAIN) > 1); /* not the start: steps were taken */
    lw_store_destroy(saved);
    lw_free(path);
    lw_tensor_destroy(z);
    harness_close(&h);
}

/* --- what does not go together ---------------------------------------------------------------- */
static void must_fail(bench *b, lw_model *model, const char *message, const char *const *settings)
{
    harness h;
    lw_tensor *z = normal(2, model == b->plain ? PLAIN : MAPPED, 3);
    prepare(&h, b, model, z, settings);
    assert_int_not_equal(harness_run(&h), LW_OK);
    if (!strstr(lw_error_text(), message))
        fail_msg("'%s' does not say '%s'", lw_error_text(), message);
    lw_tensor_destroy(z);
    harness_close(&h);
}

#define BOUNDED "projection", "bounded-local-space"

static void what_does_not_go_together_is_refused(void **state)
{
    bench *b = *state;
    must_fail(b, b->plain, "'plain' has no mapping", (const char *[]){ADVERSARIAL, "space", "w", NULL});
    must_fail(b, b->plain, "not with z of a model without mapping",
              (const char *[]){ADVERSARIAL, BOUNDED, NULL});
    must_fail(b, b->mapped, "goes with `space: w`, not with w+",
              (const char *[]){ADVERSARIAL, BOUNDED, "space", "w+", NULL});
    must_fail(b, b->plain, "`momentum` goes with `optimizer: sgd`",
              (const char *[]){ADVERSARIAL, "optimizer", "adam", "momentum", "0.9", NULL});
    must_fail(b, b->plain, "`alpha` goes with `projection: bounded-local-space`",
              (const char *[]){ADVERSARIAL, "alpha", "2", NULL});
    must_fail(b, b->plain, "up to `iterations` (3)",
              (const char *[]){ADVERSARIAL, "iterations", "3", "keep", "[0, 4]", NULL});
    must_fail(b, b->plain, "connect the input `targets`", (const char *[]){"losses", "look", NULL});
    must_fail(b, b->plain, "`losses` lists 0", (const char *[]){"losses", "none", NULL});
}

static int open(void **state)
{
    static bench b;
    const char *critic[] = {"width=4", "depth=1", NULL};
    b.device = lw_device_open("cpu", "native");
    b.plain = test_model("plain", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=4", "width=4", "depth=1", NULL});
    b.mapped = test_model("mapped", LW_PART_GENERATOR, "generator/stylegan2",
                          (const char *[]){"widths=[4, 4, 4]", "z_dim=8", "w_dim=8", "mapping_width=8",
                                           "mapping_layers=2", NULL});
    test_model_part(b.plain, LW_PART_DISCRIMINATOR, "discriminator/dcgan", critic);
    test_model_part(b.mapped, LW_PART_DISCRIMINATOR, "discriminator/dcgan", critic);
    *state = &b;
    return b.device ? 0 : -1;
}

static int close(void **state)
{
    bench *b = *state;
    lwi_model_destroy(b->plain);
    lwi_model_destroy(b->mapped);
    lw_device_close(b->device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_sgd_and_of_adam),
        cmocka_unit_test(a_search_of_w_plus_starts_at_w_and_leaves_it),
        cmocka_unit_test(projected_steps_stay_within_bounds),
        cmocka_unit_test(a_search_finds_what_it_is_shown),
        cmocka_unit_test(a_cancelled_search_goes_on_to_the_same_bytes),
        cmocka_unit_test(a_loss_that_is_no_number_stops_and_keeps_the_last_good_latents),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, open, close);
}
