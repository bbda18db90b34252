/* test_sent_gen.c — the traversal network by hand, the gradients of its losses, what a small one learns, its
 * file, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/args.h"
#include "plugins.h"
#include "reference.h"
#include "step_harness.h"

#include "../sent_gen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { D = 4 };

/* A generator of 16x16 pictures from D numbers, and beside it a network that judges them. */
static lw_model *make_model(const char *network, const char *const *with)
{
    const char *generator[] = {"depth=1", "width=4", "z_dim=4", NULL};
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/dcgan", generator);
    test_model_part(model, LW_PART_NETWORK, network, with);
    test_strengthen(model, LW_PART_GENERATOR, 10);
    return model;
}

static lw_model *make_labelled(void)
{
    const char *with[] = {"labels=[smile, age=0..100]", "widths=[8,8]", "blocks=[0,1]", "side=16", NULL};
    lw_model *model = make_model("network/resnet", with);
    test_strengthen(model, LW_PART_NETWORK, 5);
    return model;
}

/* --- the network ---------------------------------------------------------------------------------- */
static sent_gen open_net(const char *variant)
{
    sent_gen s = {.seed = 5, .net = {.size = D, .attribute = "0", .unit = 4}};
    snprintf(s.net.variant, sizeof s.net.variant, "%s", variant);
    s.net.weights = lw_store_create();
    return s;
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

/* Equation 2 as the appendix's shapes have it, for one latent. */
static void by_hand(lw_store *weights, const char *variant, const float *z, double c, double wanted,
                    double *out)
{
    const bool linear = strcmp(variant, "linear") == 0, mlp = strcmp(variant, "mlp") == 0;
    const float *wo = lw_store_get(weights, "out")->data;
    double h[3 * D];
    for (int i = 0; i < D; i++) {
        if (mlp) {
            h[i] = c;
            h[D + i] = wanted;
            h[2 * D + i] = (double)z[i];
            continue;
        }
        const float *wc = lw_store_get(weights, "wc")->data, *wz = lw_store_get(weights, "wz")->data;
        h[i] = c * (double)wc[i] - wanted * (double)wc[i];
        for (int k = i; k < 2 * D; k += D) {
            h[D + k] = 0;
            for (int j = 0; j < D; j++)
                h[D + k] += (double)z[j] * (double)wz[j * 2 * D + k];
        }
    }
    for (int i = 0; i < D; i++) {
        out[i] = 0;
        for (int k = 0; k < 3 * D; k++)
            out[i] += (linear || mlp ? h[k] : relu(h[k])) * (double)wo[k * D + i];
        out[i] = linear ? out[i] : tanh(out[i]);
    }
}

enum { VARIANTS = 3 };
static const char *const variants[VARIANTS] = {"sent-gen", "linear", "mlp"};
static const float one_z[D] = {0.1f, -0.4f, 0.7f, -0.05f}, one_c = 0.3f, one_wanted = 0.8f;

/* What the network makes of that latent and those amounts. */
static void by_network(sent_gen *s, double *out)
{
    lw_graph *g = lw_graph_create();
    lw_value moved =
        network_build(g, s, lw_constant(g, LW_SHAPE(1, D), one_z), lw_constant(g, LW_SHAPE(1, 1), &one_c),
                      lw_constant(g, LW_SHAPE(1, 1), &one_wanted));
    test_must(lw_graph_status(g));
    reference *r = reference_create(g);
    memcpy(out, reference_value(r, moved), D * sizeof *out);
    reference_destroy(r);
    lw_graph_destroy(g);
}

static void the_network_is_equation_2_or_its_ablation(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        sent_gen s = open_net(variants[v]);
        double moved[D], expected[D];
        by_network(&s, moved);
        by_hand(s.net.weights, variants[v], one_z, (double)one_c, (double)one_wanted, expected);
        for (int i = 0; i < D; i++)
            assert_float_equal(moved[i], expected[i], 1e-12);
        lw_store_destroy(s.net.weights);
    }
}

/* Up to tanh, whatever is wanted, so that nothing changes before something is learnt. */
static void a_new_network_gives_latents_back(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        sent_gen s = open_net(variants[v]);
        double moved[D];
        test_must(network_start(&s.net));
        by_network(&s, moved);
        for (int i = 0; i < D; i++)
            assert_float_equal(moved[i], v == 1 ? (double)one_z[i] : tanh((double)one_z[i]), 1e-12);
        lw_store_destroy(s.net.weights);
    }
}

static void the_wanted_amount_is_clamped(void **state)
{
    (void)state;
    assert_float_equal(network_wanted(0.4f, 0.5), 0.6, 1e-7);
    assert_float_equal(network_wanted(0.4f, -0.5), 0.2, 1e-7);
    assert_float_equal(network_wanted(0.7f, 1), 1, 0);
    assert_float_equal(network_wanted(0.7f, -2), 0, 0);
}

static void latents_are_scaled_by_the_unit_or_their_own(void **state)
{
    (void)state;
    const float z[D] = {1, -3, 2, 0};
    float scaled[D];
    traversal_net net = {.size = D, .unit = 4};
    assert_float_equal(network_scale(&net, z, scaled), 4, 0);
    assert_memory_equal(scaled, ((float[]){0.25f, -0.75f, 0.5f, 0}), sizeof scaled);
    net.unit = 0;
    assert_float_equal(network_scale(&net, z, scaled), 3, 0);
    assert_float_equal(scaled[1], -1, 0);
}

/* --- the losses ----------------------------------------------------------------------------------- */
static double central_difference(reference *r, lw_value loss, lw_value x, double *at, int64_t k)
{
    const double h = 1e-5, here = at[k];
    at[k] = here + h;
    reference_replace(r, x, at);
    double above = *reference_value(r, loss);
    at[k] = here - h;
    reference_replace(r, x, at);
    double below = *reference_value(r, loss);
    at[k] = here;
    reference_replace(r, x, at);
    return (above - below) / (2 * h);
}

static void check_gradients(lw_graph *g, reference *r, const char *name, lw_value loss, const lw_value *x,
                            int count)
{
    lw_value gradients[3];
    double largest = 0;
    test_must(lw_gradient(g, loss, (lw_value){0}, x, count, gradients));
    for (int p = 0; p < count; p++) {
        const int64_t n = lw_shape_count(lw_shape_of(g, x[p]));
        double at[64], found[64];
        assert_in_range(n, 1, 64);
        memcpy(at, reference_value(r, x[p]), (size_t)n * sizeof *at);
        memcpy(found, reference_value(r, gradients[p]), (size_t)n * sizeof *found);
        for (int64_t k = 0; k < n; k++) {
            double expected = central_difference(r, loss, x[p], at, k);
            largest = fmax(largest, fabs(expected));
            if (!(fabs(found[k] - expected) <= 1e-7 + 1e-5 * fabs(expected)))
                fail_msg("%s: element %d of gradient %d is %.9g, differences say %.9g", name, (int)k, p,
                         found[k], expected);
        }
    }
    assert_true(largest > 1e-5); /* there is something to compare */
}

/* In double precision, of every weight, for both ways to take norms. */
static void gradients_of_each_loss_agree_with_differences(void **state)
{
    (void)state;
    const char *judge[] = {"widths=[4]", "side=16", "outputs=2", NULL};
    const float z[2 * D] = {0.3f, -0.2f, 0.1f, 0.5f, -0.6f, 0.2f, 0.4f, -0.1f};
    const float aim[2 * D] = {0.1f, 0.4f, -0.3f, 0.2f, 0.2f, -0.5f, 0.1f, 0.3f};
    const float unit[2] = {4, 3}, c[2] = {0.3f, 0.6f}, wanted[2] = {0.7f, 0.1f}, mask[D] = {1, 0, 1, 0};
    for (int mean = 0; mean < 2; mean++) {
        const char *with[] = {mean ? "norm=mean" : "norm=sum", NULL};
        lw_args *args = test_args("method/sent-gen", with);
        sent_gen s = open_net("sent-gen");
        s.model = s.regressor = make_model("network/cnn", judge);
        s.args = args;
        lw_graph *g = lw_graph_create();
        network_batch b = {.z = lw_constant(g, LW_SHAPE(2, D), z),
                           .aim = lw_constant(g, LW_SHAPE(2, D), aim),
                           .unit = lw_constant(g, LW_SHAPE(2, 1), unit),
                           .c = lw_constant(g, LW_SHAPE(2, 1), c),
                           .wanted = lw_constant(g, LW_SHAPE(2, 1), wanted),
                           .mask = lw_constant(g, LW_SHAPE(1, D), mask)};
        network_losses l = network_losses_of(g, &s, &b);
        lw_value weights[3];
        test_must(lw_graph_status(g));
        assert_int_equal(lw_parameters(g, s.net.weights, weights, 3), 3);
        reference *r = reference_create(g);
        check_gradients(g, r, "L_I", l.relevant, weights, 3);
        check_gradients(g, r, "L_-I", l.irrelevant, weights, 3);
        check_gradients(g, r, "L_c", l.attribute, weights, 3);
        check_gradients(g, r, "total", l.total, weights, 3);
        double total = 0.2 * *reference_value(r, l.relevant) + 0.7 * *reference_value(r, l.irrelevant) +
                       0.1 * *reference_value(r, l.attribute);
        assert_float_equal(*reference_value(r, l.total), total, 1e-9 * total);
        reference_destroy(r);
        lw_graph_destroy(g);
        lwi_model_destroy(s.model);
        lw_store_destroy(s.net.weights);
        lwi_args_destroy(args);
    }
}

/* --- pairs ---------------------------------------------------------------------------------------- */
static void pairs_differ_in_the_attribute_alone(void **state)
{
    (void)state;
    enum { N = 500, PAIRS = 200 };
    float scores[N * 3];
    uint32_t pairs[2 * PAIRS];
    double rate;
    lw_uniform((lw_stream){.seed = 1}, 0, N * 3, scores);
    test_must(pairs_draw(scores, N, 3, 0.01, (lw_stream){.seed = 2}, PAIRS, pairs, &rate));
    for (int i = 0; i < PAIRS; i++) {
        const float *a = scores + pairs[2 * i] * 3, *b = scores + pairs[2 * i + 1] * 3;
        assert_int_not_equal(pairs[2 * i], pairs[2 * i + 1]);
        assert_true((a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]) <= 0.01f + 1e-6f);
    }
    assert_float_equal(rate, 0.0314, 0.01); /* a circle of radius 0.1 in the unit square, less at its edges */
}

/* --- the step ------------------------------------------------------------------------------------- */
typedef struct bench {
    harness h;
    lw_tensor *z;
} bench;

static int set_up(void **state)
{
    bench *b = lw_alloc(1, sizeof *b);
    harness_open(&b->h, "method/sent-gen");
    b->h.device = lw_device_open("cpu", "native");
    b->h.model = make_labelled();
    b->z = lw_tensor_create(LW_SHAPE(5, D));
    lw_normal((lw_stream){.seed = 9}, 0, 5 * D, b->z->data);
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "regressor", "faces");
    harness_set(&b->h, "attribute", "smile");
    harness_set(&b->h, "changes", "[-1, 0, 1]");
    harness_input(&b->h, "z", "start.z", "z", b->z);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    harness_close(&b->h);
    lwi_model_destroy(b->h.model);
    lw_device_close(b->h.device);
    lw_tensor_destroy(b->z);
    lw_free(b);
    return 0;
}

static void set_training(bench *b)
{
    harness_set(&b->h, "others", "[age]");
    harness_set(&b->h, "latents", "300");
    harness_set(&b->h, "pairs", "300");
    harness_set(&b->h, "iterations", "150");
    harness_set(&b->h, "batch", "16");
    harness_set(&b->h, "learning_rate", "1e-2");
}

static void must_run(bench *b)
{
    if (harness_run(&b->h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static void must_fail(bench *b, const char *says)
{
    assert_int_not_equal(harness_run(&b->h), LW_OK);
    if (!strstr(lw_error_text(), says))
        fail_msg("expected '%s' in: %s", says, lw_error_text());
}

/* What the network says of a latent's picture. */
static float smile_of(bench *b, const float *z)
{
    const char *smile = "smile";
    float seen;
    sent_gen s = {.model = b->h.model, .regressor = b->h.model};
    lw_graph *g = lw_graph_create();
    lw_output(g, "seen", pool_scores(g, &s, lw_constant(g, LW_SHAPE(1, D), z), &smile, 1));
    lw_program *program = lw_compile(g, b->h.device);
    assert_non_null(program);
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "seen", &seen, 1));
    lw_program_destroy(program);
    lw_graph_destroy(g);
    return seen;
}

/* With the attribute's loss alone, the amounts follow what is wanted. */
static void the_attribute_is_led_where_it_is_wanted(void **state)
{
    bench *b = *state;
    set_training(b);
    harness_set(&b->h, "iterations", "600");
    harness_set(&b->h, "lambda1", "0");
    harness_set(&b->h, "lambda2", "0");
    harness_set(&b->h, "lambda3", "1");
    must_run(b);
    const lwi_series *loss = harness_series(&b->h, "loss/attribute");
    assert_true((double)loss->value[loss->count - 1] < 0.5 * (double)loss->value[0]);
    const lw_tensor *walk = harness_output(&b->h, "walk");
    double low = 0, high = 0;
    for (int n = 0; n < 5; n++) {
        low += (double)smile_of(b, walk->data + (n * 3) * D) / 5;
        high += (double)smile_of(b, walk->data + (n * 3 + 2) * D) / 5;
    }
    assert_true(high > low + 0.015); /* two deviations of the amounts */
}

static void a_walk_passes_its_start_and_ends_where_the_next_stage_begins(void **state)
{
    bench *b = *state;
    set_training(b);
    harness_set(&b->h, "iterations", "3");
    must_run(b);
    const lw_tensor *walk = harness_output(&b->h, "walk"), *changed = harness_output(&b->h, "changed");
    const lw_tensor *images = harness_output(&b->h, "images");
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(5, 3, D)));
    assert_true(lw_shape_equal(images->shape, LW_SHAPE(5, 3, 3, 16, 16)));
    for (int n = 0; n < 5; n++) {
        assert_memory_equal(walk->data + (n * 3 + 1) * D, b->z->data + n * D, D * sizeof(float));
        assert_memory_equal(walk->data + (n * 3 + 2) * D, changed->data + n * D, D * sizeof(float));
        assert_memory_not_equal(walk->data + (n * 3 + 2) * D, b->z->data + n * D, D * sizeof(float));
    }
    assert_true(harness_metric(&b->h, "smile", "valid pairs %") > 0);
    assert_int_equal(harness_series(&b->h, "mutual information with z, sorted/binned")->count, D);
    assert_int_equal(harness_series(&b->h, "correlation with z, sorted")->count, D);
}

/* Runs the plugin anew with a trained file; what is compared is its walk. */
static void use_file(bench *b, const char *path)
{
    lwi_args_destroy(b->h.args);
    b->h.args = lwi_args_create(b->h.plugin);
    harness_set(&b->h, "model", "faces");
    harness_set(&b->h, "regressor", "faces");
    harness_set(&b->h, "changes", "[-1, 0, 1]");
    harness_set(&b->h, "file", path);
}

static void a_trained_network_is_a_file_that_belongs_to_its_weights(void **state)
{
    bench *b = *state;
    set_training(b);
    harness_set(&b->h, "iterations", "20");
    must_run(b);
    char *path = harness_path(&b->h, "traversal.safetensors");
    lw_tensor *walk = lw_tensor_copy(harness_output(&b->h, "walk"));
    use_file(b, path);
    must_run(b);
    assert_memory_equal(harness_output(&b->h, "walk")->data, walk->data, 5 * 3 * D * sizeof(float));
    harness_set(&b->h, "attribute", "age");
    must_fail(b, "was trained for 'smile'");
    use_file(b, path);
    harness_set(&b->h, "gamma", "0.5");
    must_fail(b, "gamma: it is for training");
    use_file(b, path);
    test_strengthen(b->h.model, LW_PART_GENERATOR, 2);
    must_fail(b, "was trained with the model");
    harness_set(&b->h, "force", "true");
    must_run(b);
    assert_int_equal(json_array_size(b->h.step->notes), 2);
    lw_tensor_destroy(walk);
    lw_free(path);
}

static void other_files_are_refused(void **state)
{
    bench *b = *state;
    char *path = lw_format("%s/other.safetensors", b->h.folder);
    lw_store *store = lw_store_create();
    test_must(lw_store_set(store, "out", LW_SHAPE(2), (float[]){1, 2}));
    test_must(lw_store_save(store, path, LW_STORE_F32));
    use_file(b, path);
    must_fail(b, "it holds no traversal network");
    const char *metadata[][2] = {
        {"latentwalk.traversal", "1"}, {"attribute", "smile"}, {"variant", "mlp"}, {"unit", "4"}};
    for (int i = 0; i < 4; i++)
        test_must(lw_store_set_metadata(store, metadata[i][0], metadata[i][1]));
    test_must(lw_store_save(store, path, LW_STORE_F32));
    must_fail(b, "its tensor 'out' is [2], but for latents of 4 elements it is [12, 4]");
    lw_store_destroy(store);
    lw_free(path);
}

static void all_variants_and_settings_train(void **state)
{
    bench *b = *state;
    const char *settings[][2] = {{"variant", "linear"},     {"variant", "mlp"}, {"scale", "latent"},
                                 {"information", "binned"}, {"norm", "mean"},   {"gamma", "1"}};
    set_training(b);
    harness_set(&b->h, "iterations", "60");
    for (int i = 0; i < 6; i++) {
        harness_set(&b->h, settings[i][0], settings[i][1]);
        must_run(b);
        const lwi_series *loss = harness_series(&b->h, "loss/total");
        assert_true(loss->value[loss->count - 1] < loss->value[0]);
    }
    assert_float_equal(harness_metric(&b->h, "smile", "sparsity %"), 0, 0);
}

static void bad_input_is_told(void **state)
{
    bench *b = *state;
    harness_set(&b->h, "attribute", "smil");
    must_fail(b, "did you mean 'smile'?");
    harness_set(&b->h, "attribute", "smile");
    harness_set(&b->h, "others", "[smile]");
    must_fail(b, "'smile' is the attribute that is to change");
    harness_set(&b->h, "others", "[1]");
    harness_set(&b->h, "latents", "100");
    harness_set(&b->h, "pairs", "50");
    harness_set(&b->h, "epsilon", "0");
    must_fail(b, "epsilon: only 0 of ");
    assert_non_null(strstr(lw_error_text(), "pairs (0 %) differ by at most 0"));
    assert_non_null(strstr(lw_error_text(), "would accept one in ten"));
    test_strengthen(b->h.model, LW_PART_NETWORK, 0);
    must_fail(b, "attribute 'smile': its deviation over 100 latents is");
    assert_int_equal(lwi_args_set_text(b->h.args, "gamma", "1.5", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(b->h.args, "gamma", "-0.1", true), LW_INVALID);
}

static void outputs_beyond_0_and_1_are_refused(void **state)
{
    bench *b = *state;
    const char *judge[] = {"widths=[4]", "side=16", "outputs=2", NULL};
    lwi_model_destroy(b->h.model);
    b->h.model = make_model("network/cnn", judge);
    harness_set(&b->h, "attribute", "1");
    harness_set(&b->h, "latents", "100");
    must_fail(b, "attributes must lie in [0, 1]");
    harness_set(&b->h, "attribute", "2");
    must_fail(b, "the network of model 'faces' has no output 2: it has 2 (0 to 1)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_network_is_equation_2_or_its_ablation),
        cmocka_unit_test(a_new_network_gives_latents_back),
        cmocka_unit_test(the_wanted_amount_is_clamped),
        cmocka_unit_test(latents_are_scaled_by_the_unit_or_their_own),
        cmocka_unit_test(gradients_of_each_loss_agree_with_differences),
        cmocka_unit_test(pairs_differ_in_the_attribute_alone),
        TEST(the_attribute_is_led_where_it_is_wanted),
        TEST(a_walk_passes_its_start_and_ends_where_the_next_stage_begins),
        TEST(a_trained_network_is_a_file_that_belongs_to_its_weights),
        TEST(other_files_are_refused),
        TEST(all_variants_and_settings_train),
        TEST(bad_input_is_told),
        TEST(outputs_beyond_0_and_1_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
