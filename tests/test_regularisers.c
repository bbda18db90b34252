/* test_regularisers.c — losses of GAN training that look at gradients: values by hand, and their own
 * gradients by the networks' weights (second derivatives) against differences, in double precision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "plugin/args.h"
#include "plugins.h"
#include "reference.h"

static const lw_build_options in_training = {
    .size = sizeof(lw_build_options), .training = true, .trainable = true};

/* A model in training whose losses are built from values of these names. */
typedef struct game {
    lw_graph *g;
    lw_model *model;
    lw_store *state;
    lw_named_value values[4];
    int count;
} game;

static void start(game *t, lw_model *model)
{
    *t = (game){.g = lw_graph_create(), .model = model, .state = lw_store_create()};
}

static void offer(game *t, const char *name, lw_value value)
{
    t->values[t->count++] = (lw_named_value){name, value};
}

static void finish(game *t)
{
    lw_graph_destroy(t->g);
    lwi_model_destroy(t->model);
    lw_store_destroy(t->state);
}

static lw_value build(game *t, const char *id, const char *const *with)
{
    lw_args *args = test_args(id, with);
    const lw_loss_inputs inputs = {.values = t->values,
                                   .count = t->count,
                                   .model = t->model,
                                   .score = &in_training,
                                   .state = t->state,
                                   .prefix = "test/"};
    lw_value loss = lwi_loss_build(t->g, test_plugin(id), args, &inputs);
    test_must(lw_graph_status(t->g));
    lwi_args_destroy(args);
    return loss;
}

static lw_value pictures(game *t, lw_shape shape, uint64_t seed)
{
    float *data = lw_alloc((size_t)lw_shape_count(shape), sizeof *data);
    lw_normal((lw_stream){.seed = seed}, 0, (size_t)lw_shape_count(shape), data);
    lw_value v = lw_constant(t->g, shape, data);
    lw_free(data);
    return v;
}

static double evaluate(reference *r, lw_value value)
{
    const double *result = reference_value(r, value);
    if (!result)
        fail_msg("%s", lw_error_text());
    return *result;
}

/* The slope of the loss along a random direction of all weights of a store, by its gradient and by a central
 * difference. */
static void expect_gradient(game *t, lw_value loss, lw_store *store)
{
    enum { MOST = 64 };
    lw_value weight[MOST], gradient[MOST];
    double *along[MOST], *moved[MOST], slope = 0, ends[2];
    int count = lw_parameters(t->g, store, weight, MOST);
    assert_in_range(count, 1, MOST);
    test_must(lw_gradient(t->g, loss, (lw_value){0}, weight, count, gradient));
    reference *r = reference_create(t->g);
    reference_seed(r, 11, 0);
    for (int i = 0; i < count; i++) {
        size_t size = (size_t)lw_shape_count(lw_shape_of(t->g, weight[i]));
        const double *slopes = reference_value(r, gradient[i]);
        float *direction = lw_alloc(size, sizeof *direction);
        assert_non_null(slopes);
        lw_normal((lw_stream){.seed = (uint64_t)i + 1}, 0, size, direction);
        along[i] = lw_alloc(size, sizeof(double));
        moved[i] = lw_alloc(size, sizeof(double));
        for (size_t k = 0; k < size; k++) {
            along[i][k] = (double)direction[k];
            slope += slopes[k] * along[i][k];
        }
        lw_free(direction);
    }
    const double h = 1e-6;
    double *at[MOST];
    for (int i = 0; i < count; i++) { /* where the weights are */
        size_t size = (size_t)lw_shape_count(lw_shape_of(t->g, weight[i]));
        at[i] = lw_alloc(size, sizeof(double));
        memcpy(at[i], reference_value(r, weight[i]), size * sizeof(double));
    }
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < count; i++) {
            size_t size = (size_t)lw_shape_count(lw_shape_of(t->g, weight[i]));
            for (size_t k = 0; k < size; k++)
                moved[i][k] = at[i][k] + (s ? h : -h) * along[i][k];
            reference_replace(r, weight[i], moved[i]);
        }
        ends[s] = evaluate(r, loss);
    }
    double difference = (ends[1] - ends[0]) / (2 * h);
    if (!(fabs(difference - slope) <= 1e-6 * fabs(slope) + 1e-9) || slope == 0)
        fail_msg("the gradient says %.9g, differences say %.9g", slope, difference);
    for (int i = 0; i < count; i++) {
        lw_free(along[i]);
        lw_free(moved[i]);
        lw_free(at[i]);
    }
    reference_destroy(r);
}

/* --- values ------------------------------------------------------------------------------------- */

/* D(x) = sum of x^2 over an image has the gradient 2 x, and the squared length 4 |x|^2. */
static void r1_is_half_gamma_times_the_mean_squared_gradient(void **state)
{
    (void)state;
    game t;
    start(&t, NULL);
    const float x[8] = {1, 2, 0, -1, 0.5f, 0, 0, 3};
    lw_value images = lw_constant(t.g, LW_SHAPE(2, 1, 2, 2), x);
    lw_value score = lw_sum(t.g, lw_square(t.g, lw_flatten(t.g, images, 1)), LW_AXIS(1), true);
    offer(&t, "real_images", images);
    offer(&t, "real", score);
    const char *const with[] = {"gamma=3", NULL};
    lw_value loss = build(&t, "loss/r1", with);
    reference *r = reference_create(t.g);
    assert_float_equal(evaluate(r, loss), 1.5 * (4 * 6 + 4 * 9.25) / 2, 1e-6);
    reference_destroy(r);
    finish(&t);
}

static void drift_is_the_mean_square_of_real_scores(void **state)
{
    (void)state;
    game t;
    start(&t, NULL);
    offer(&t, "real", lw_constant(t.g, LW_SHAPE(2, 1), (float[]){1, -3}));
    lw_value loss = build(&t, "loss/drift", NULL);
    reference *r = reference_create(t.g);
    assert_float_equal(evaluate(r, loss), 5, 1e-7);
    reference_destroy(r);
    finish(&t);
}

/* A linear critic's gradient is its weight, wherever it is looked at. */
static void gradient_penalty_of_a_linear_critic(void **state)
{
    (void)state;
    game t;
    lw_model *model = lwi_model_create("critic");
    test_model_part(
        model, LW_PART_DISCRIMINATOR, "discriminator/pggan",
        (const char *[]){"widths=[1]", "features=1", "stddev=false", "leak=1", "channels=1", NULL});
    start(&t, model);
    lw_shape shape = LW_SHAPE(2, 1, 4, 4);
    lw_value probe = pictures(&t, shape, 3), gradient;
    test_must(lw_gradient(t.g, lw_discriminate_with(t.g, model, probe, &in_training), (lw_value){0}, &probe,
                          1, &gradient));
    offer(&t, "real_images", pictures(&t, shape, 1));
    offer(&t, "images", pictures(&t, shape, 2));
    lw_value loss = build(&t, "loss/gradient-penalty", (const char *[]){"target=2", NULL});
    reference *r = reference_create(t.g);
    const double *weight = reference_value(r, gradient);
    double square = 0;
    for (int i = 0; i < 16; i++)
        square += weight[i] * weight[i];
    assert_float_equal(evaluate(r, loss), pow(sqrt(square) / 2 - 1, 2), 1e-9);
    reference_destroy(r);
    finish(&t);
}

/* image[n, k] = w[n, 0, k] + 2 w[n, 1, k], so that |J^T y|^2 summed over w and averaged over the two layers
 * is (1 + 4) / 2 |y|^2 for an image y: one length for all images with the same |y|. */
static void path_length_follows_the_mean_of_lengths(void **state)
{
    (void)state;
    game t;
    const char *const with[] = {"widths=[4]", "z_dim=4", "w_dim=4", NULL};
    start(&t, test_model("faces", LW_PART_GENERATOR, "generator/stylegan2", with)); /* has a mapping */
    lw_value ws = pictures(&t, LW_SHAPE(1, 2, 4), 5);
    lw_value a = lw_slice(t.g, ws, 1, 0, 1, 1), b = lw_slice(t.g, ws, 1, 1, 1, 1);
    lw_value image = lw_reshape(t.g, lw_add(t.g, a, lw_affine(t.g, b, 2, 0)), LW_SHAPE(1, 1, 2, 2));
    offer(&t, "images", image);
    offer(&t, "w+", ws);
    lw_value loss = build(&t, "loss/path-length", (const char *[]){"decay=0.25", NULL});
    reference *r = reference_create(t.g);
    double kept = 0;
    for (uint64_t step = 0; step < 3; step++) {
        float noise[4];
        lw_normal((lw_stream){.seed = 7, .step = step, .purpose = lw_purpose("path-length")}, 0, 4, noise);
        double square = 0;
        for (int i = 0; i < 4; i++)
            square += (double)noise[i] * noise[i] / 4;
        double length = sqrt(2.5 * square);
        kept += 0.25 * (length - kept);
        reference_seed(r, 7, step);
        assert_float_equal(evaluate(r, loss), pow(length - kept, 2), 1e-6);
        test_must(reference_assign(r));
        assert_float_equal(lw_store_get(t.state, "test/mean")->data[0], kept, 1e-6);
    }
    reference_destroy(r);
    finish(&t);
}

/* --- second derivatives --------------------------------------------------------------------------- */

static lw_model *critic(void)
{
    const char *const with[] = {"widths=[4, 4]", NULL};
    return test_model("faces", LW_PART_DISCRIMINATOR, "discriminator/stylegan2", with);
}

static void r1_has_exact_gradients(void **state)
{
    (void)state;
    game t;
    start(&t, critic());
    lw_value images = pictures(&t, LW_SHAPE(4, 3, 8, 8), 1);
    offer(&t, "real_images", images);
    offer(&t, "real", lw_discriminate_with(t.g, t.model, images, &in_training));
    expect_gradient(&t, build(&t, "loss/r1", NULL), lw_model_store(t.model, LW_PART_DISCRIMINATOR));
    finish(&t);
}

static void gradient_penalty_has_exact_gradients(void **state)
{
    (void)state;
    game t;
    start(&t, critic());
    offer(&t, "real_images", pictures(&t, LW_SHAPE(4, 3, 8, 8), 1));
    offer(&t, "images", pictures(&t, LW_SHAPE(4, 3, 8, 8), 2));
    expect_gradient(&t, build(&t, "loss/gradient-penalty", NULL),
                    lw_model_store(t.model, LW_PART_DISCRIMINATOR));
    finish(&t);
}

static void gradient_penalty_goes_through_layer_norm_and_batch_norm(void **state)
{
    (void)state;
    const struct {
        const char *plugin, *with[5];
        int64_t side;
    } critics[] = {{"discriminator/wgan-gp", {"width=2", "bottom=1"}, 16},
                   {"discriminator/dcgan", {"width=4", "depth=1"}, 16}};
    for (int i = 0; i < 2; i++) {
        game t;
        start(&t, test_model("faces", LW_PART_DISCRIMINATOR, critics[i].plugin, critics[i].with));
        lw_shape shape = LW_SHAPE(4, 3, critics[i].side, critics[i].side);
        offer(&t, "real_images", pictures(&t, shape, 1));
        offer(&t, "images", pictures(&t, shape, 2));
        expect_gradient(&t, build(&t, "loss/gradient-penalty", NULL),
                        lw_model_store(t.model, LW_PART_DISCRIMINATOR));
        finish(&t);
    }
}

static void path_length_has_exact_gradients(void **state)
{
    (void)state;
    game t;
    const char *const with[] = {"widths=[4, 4]",    "z_dim=4",         "w_dim=4",
                                "mapping_layers=2", "mapping_width=4", NULL};
    start(&t, test_model("faces", LW_PART_GENERATOR, "generator/stylegan2", with));
    lw_value w = lw_map_with(t.g, t.model, pictures(&t, LW_SHAPE(2, 4), 1), &in_training);
    lw_value ws = lw_broadcast(t.g, lw_reshape(t.g, w, LW_SHAPE(2, 1, 4)), LW_SHAPE(2, 4, 4));
    offer(&t, "images", lw_synthesize_with(t.g, t.model, ws, &in_training));
    offer(&t, "w+", ws);
    expect_gradient(&t, build(&t, "loss/path-length", NULL), lw_model_store(t.model, LW_PART_GENERATOR));
    finish(&t);
}

/* --- spectral norm ---------------------------------------------------------------------------------- */

/* W = diag(3, 1) from u = (1, 1): v = u' = unit(u W^T W ..) by hand, twice where met twice; gradients reach
 * W. */
static void spectral_norm_carries_u_on_in_training_alone(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        lw_store *store = lw_store_create();
        test_must(lw_store_set(store, "w", LW_SHAPE(2, 2), (float[]){3, 0, 0, 1}));
        test_must(lw_store_set(store, "u", LW_SHAPE(1, 2), (float[]){1, 1}));
        lw_graph *g = lw_graph_create();
        lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope), .store = store, .training = training});
        lw_value w = lw_weight(g, LW_SHAPE(2, 2), lw_init_constant(0), "w");
        lw_value u = lw_buffer(g, LW_SHAPE(1, 2), lw_init_constant(0), "u");
        lw_value first = lw_spectral_norm(g, w, u), second = lw_spectral_norm(g, w, u), slope;
        lw_scope_pop(g);
        test_must(lw_gradient(g, first, (lw_value){0}, &w, 1, &slope));
        reference *r = reference_create(g);
        double v[2] = {3 / sqrt(10), 1 / sqrt(10)}, next[2] = {9 / sqrt(82), 1 / sqrt(82)};
        assert_float_equal(evaluate(r, first), 3 * v[0] * next[0] + v[1] * next[1], 1e-7);
        const double *d = reference_value(r, slope);
        for (int i = 0; i < 4; i++)
            assert_float_equal(d[i], next[i / 2] * v[i % 2], 1e-7);
        double again[2] = {27 / sqrt(730), 1 / sqrt(730)}, last[2] = {81 / sqrt(6562), 1 / sqrt(6562)};
        double expected = training ? 3 * again[0] * last[0] + again[1] * last[1] : evaluate(r, first);
        assert_float_equal(evaluate(r, second), expected, 1e-7);
        test_must(reference_assign(r));
        assert_float_equal(lw_store_get(store, "u")->data[0], training ? last[0] : 1, 1e-6);
        reference_destroy(r);
        lw_graph_destroy(g);
        lw_store_destroy(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_is_half_gamma_times_the_mean_squared_gradient),
        cmocka_unit_test(drift_is_the_mean_square_of_real_scores),
        cmocka_unit_test(gradient_penalty_of_a_linear_critic),
        cmocka_unit_test(path_length_follows_the_mean_of_lengths),
        cmocka_unit_test(r1_has_exact_gradients),
        cmocka_unit_test(gradient_penalty_has_exact_gradients),
        cmocka_unit_test(gradient_penalty_goes_through_layer_norm_and_batch_norm),
        cmocka_unit_test(path_length_has_exact_gradients),
        cmocka_unit_test(spectral_norm_carries_u_on_in_training_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
