/* test_graph.c — building: what mistakes say, where weights come from, taps, assignments, layers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "graph/ir.h"
#include "latentwalk/latentwalk.h"
#include "reference.h"

typedef struct fixture {
    lw_graph *g;
    lw_store *store;
    lw_scope scope;
} fixture;

static int set_up(void **state)
{
    fixture *f = lw_alloc(1, sizeof *f);
    f->g = lw_graph_create();
    f->store = lw_store_create();
    f->scope = (lw_scope){.size = sizeof(lw_scope),
                          .plugin = "generator/dcgan",
                          .model = "faces.generator",
                          .store = f->store,
                          .seed = 3,
                          .create = true};
    *state = f;
    return f->g && f->store ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lw_graph_destroy(f->g);
    lw_store_destroy(f->store);
    lw_free(f);
    return 0;
}

static void put(fixture *f, const char *name, lw_shape shape, const float *data)
{
    assert_int_equal(lw_store_set(f->store, name, shape, data), LW_OK);
}

static void expect_error(fixture *f, lw_status status, const char *text)
{
    assert_int_equal(lw_graph_status(f->g), status);
    assert_string_equal(lw_error_message(0), text);
}

/* --- errors --------------------------------------------------------------------------------- */

static void an_error_names_plugin_op_layer_and_shapes(void **state)
{
    fixture *f = *state;
    lw_scope_push(f->g, &f->scope);
    lw_value w = lw_weight(f->g, LW_SHAPE(256, 128, 4, 4), lw_init_normal(0, 0.02), "net.%d.0.weight", 3);
    lw_value x = lw_input(f->g, "x", LW_SHAPE(64, 512, 8, 8));
    assert_true(lw_is_null(lw_conv_transpose2d(f->g, x, w, .stride = 2, .padding = 1)));
    expect_error(
        f, LW_SHAPE,
        "generator/dcgan: conv_transpose2d at 'net.3.0.weight': input [64, 512, 8, 8] has 512 channels, but "
        "the weight [256, 128, 4, 4] expects 256");
}

static void the_first_error_is_kept_and_the_rest_does_nothing(void **state)
{
    fixture *f = *state;
    lw_value a = lw_input(f->g, "a", LW_SHAPE(2, 3)), b = lw_input(f->g, "b", LW_SHAPE(4));
    lw_value sum = lw_add(f->g, a, b);
    assert_true(lw_is_null(sum));
    assert_true(lw_is_null(lw_relu(f->g, lw_matmul(f->g, sum, b))));
    lw_output(f->g, "y", sum);
    lw_assign(f->g, sum, sum);
    expect_error(f, LW_SHAPE, "add: [2, 3] and [4] do not stretch to each other");
}

static void an_error_without_a_weight_of_its_own_names_the_nearest_one(void **state)
{
    fixture *f = *state;
    lw_scope_push(f->g, &f->scope);
    lw_value w = lw_weight(f->g, LW_SHAPE(5, 3), lw_init_constant(0), "first.weight");
    lw_value h = lw_relu(f->g, lw_linear(f->g, lw_input(f->g, "x", LW_SHAPE(2, 3)), w, (lw_value){0}));
    lw_reshape(f->g, h, LW_SHAPE(-1, 4));
    expect_error(
        f, LW_SHAPE,
        "generator/dcgan: reshape at 'first.weight': [2, 5] has 10 elements and cannot become [-1, 4]");
}

static void a_plugin_may_report_an_error_of_its_own(void **state)
{
    fixture *f = *state;
    lw_scope_push(f->g, &f->scope);
    lw_graph_fail(f->g, LW_INVALID, "needs at least %d points", 2);
    lw_scope_pop(f->g);
    expect_error(f, LW_INVALID, "generator/dcgan: needs at least 2 points");
}

typedef lw_value (*mistake_fn)(lw_graph *g, lw_value image, lw_value matrix);
#define MISTAKE(fn, expression)                                      \
    static lw_value fn(lw_graph *g, lw_value image, lw_value matrix) \
    {                                                                \
        (void)image;                                                 \
        (void)matrix;                                                \
        return expression;                                           \
    }
MISTAKE(bad_null, lw_exp(g, (lw_value){0}))
MISTAKE(bad_id, lw_exp(g, (lw_value){1000}))
MISTAKE(bad_negative_id, lw_exp(g, (lw_value){-1}))
MISTAKE(bad_where, lw_where(g, image, matrix, matrix))
MISTAKE(bad_axes, lw_sum(g, matrix, LW_AXIS(2), false))
MISTAKE(bad_softmax, lw_softmax(g, matrix, 2))
MISTAKE(bad_variance, lw_variance(g, matrix, 0, false, true))
MISTAKE(bad_merge, lw_merge(g, matrix, 1, 0))
MISTAKE(bad_split, lw_split(g, matrix, 1, 2))
MISTAKE(bad_unflatten, lw_unflatten(g, matrix, 2, 2))
MISTAKE(bad_permute, lw_permute(g, matrix, (int[]){1, 1}))
MISTAKE(bad_broadcast, lw_broadcast(g, matrix, LW_SHAPE(3, 2)))
MISTAKE(bad_slice, lw_slice(g, matrix, 1, 1, 3, 1))
MISTAKE(bad_slice_step, lw_slice(g, matrix, 1, 1, 2, 0))
MISTAKE(bad_slice_overflow, lw_slice(g, matrix, 1, INT64_MAX, INT64_MAX, INT64_MAX))
MISTAKE(bad_pad, lw_pad(g, matrix, 0, -1, -1))
MISTAKE(bad_pad_overflow, lw_pad(g, matrix, 0, INT64_MAX, INT64_MAX))
MISTAKE(bad_concat, lw_concat(g, (lw_value[]){matrix, image}, 2, 0))
MISTAKE(bad_concat_none, lw_concat(g, NULL, 0, 0))
MISTAKE(bad_stack, lw_stack(g, (lw_value[]){matrix, image}, 2, 0))
MISTAKE(bad_gather, lw_gather(g, image, image, 0))
MISTAKE(bad_scatter, lw_scatter_add(g, matrix, lw_iota(g, 3), 0, 4))
MISTAKE(bad_scatter_size, lw_scatter_add(g, matrix, lw_iota(g, 2), 0, 0))
MISTAKE(bad_matmul, lw_matmul(g, matrix, matrix))
MISTAKE(bad_linear, lw_linear(g, matrix, lw_fill(g, LW_SHAPE(4, 2), 1), (lw_value){0}))
MISTAKE(bad_linear_bias, lw_linear(g, matrix, lw_fill(g, LW_SHAPE(4, 3), 1), lw_fill(g, LW_SHAPE(3), 1)))
MISTAKE(bad_conv_rank, lw_conv2d(g, matrix, image))
MISTAKE(bad_conv_size, lw_conv2d(g, image, lw_fill(g, LW_SHAPE(1, 3, 5, 5), 1)))
MISTAKE(bad_conv_stride, lw_conv2d(g, image, lw_fill(g, LW_SHAPE(1, 3, 1, 1), 1), .stride = -1))
MISTAKE(bad_conv_bias, lw_conv2d(g, image, lw_fill(g, LW_SHAPE(1, 3, 1, 1), 1), .bias = matrix))
MISTAKE(bad_transpose_out,
        lw_conv_transpose2d(g, image, lw_fill(g, LW_SHAPE(3, 1, 4, 4), 1), .out_height = 2))
MISTAKE(bad_taps, lw_resample2d(g, image, .up = 2))
MISTAKE(bad_resample_size, lw_resample2d(g, image, .before = -9, .tap_count = 1, .taps = {1}))
MISTAKE(bad_upsample, lw_upsample_nearest2d(g, image, 0))
MISTAKE(bad_pool, lw_avg_pool2d(g, matrix, 2))
MISTAKE(bad_norm, lw_batch_norm(g, lw_iota(g, 3), "bn"))
MISTAKE(bad_jvp, lw_jvp(g, image, matrix, image))
MISTAKE(bad_rank, lw_fill(g, (lw_shape){7, {1, 1, 1, 1, 1, 1}}, 0))
MISTAKE(bad_dim, lw_fill(g, LW_SHAPE(2, 0), 0))
MISTAKE(bad_size, lw_fill(g, LW_SHAPE(65536, 65536), 0))
MISTAKE(bad_input, lw_input(g, "image", LW_SHAPE(2)))
MISTAKE(bad_weight, lw_weight(g, LW_SHAPE(2), lw_init_constant(0), "w"))
MISTAKE(bad_parameter, lw_parameter(g, NULL, "w"))

static void every_mistake_is_an_error_with_a_text_and_not_a_crash(void **state)
{
    const mistake_fn mistakes[] = {
        bad_null,          bad_id,           bad_negative_id,   bad_where,       bad_axes,
        bad_softmax,       bad_variance,     bad_merge,         bad_split,       bad_unflatten,
        bad_permute,       bad_broadcast,    bad_slice,         bad_slice_step,  bad_slice_overflow,
        bad_pad,           bad_pad_overflow, bad_concat,        bad_concat_none, bad_stack,
        bad_gather,        bad_scatter,      bad_scatter_size,  bad_matmul,      bad_linear,
        bad_linear_bias,   bad_conv_rank,    bad_conv_size,     bad_conv_stride, bad_conv_bias,
        bad_transpose_out, bad_taps,         bad_resample_size, bad_upsample,    bad_pool,
        bad_norm,          bad_jvp,          bad_rank,          bad_dim,         bad_size,
        bad_input,         bad_weight,       bad_parameter,
    };
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        lw_graph *g = lw_graph_create();
        lw_value image = lw_input(g, "image", LW_SHAPE(1, 3, 4, 4)),
                 matrix = lw_input(g, "matrix", LW_SHAPE(2, 3));
        assert_true(lw_is_null(mistakes[i](g, image, matrix)));
        if (lw_graph_status(g) == LW_OK || strlen(lw_error_message(0)) < 10)
            fail_msg("mistake %d goes unnoticed", (int)i);
        lw_graph_destroy(g);
    }
}

static void running_out_of_memory_is_an_error_and_not_a_crash(void **state)
{
    (void)state;
    int failed = 0;
    for (int n = 0; n < 200; n++) {
        lw_store *store = lw_store_create();
        lw_alloc_fail_after(n);
        lw_graph *g = lw_graph_create();
        if (g) {
            lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                         .plugin = "network/test",
                                         .store = store,
                                         .create = true,
                                         .training = true});
            lw_value x = lw_input(g, "x", LW_SHAPE(4, 3)), gradient;
            lw_value w = lw_weight(g, LW_SHAPE(5, 3), lw_init_normal(0, 1), "w");
            lw_value y = lw_tap(g, lw_batch_norm(g, lw_linear(g, x, w, (lw_value){0}), "bn"), "y");
            for (int i = 0; i < 100; i++)
                y = lw_tanh(g, y);
            lw_gradient(g, y, (lw_value){0}, &w, 1, &gradient);
            lw_jvp(g, y, w, w);
            lw_adam(g, lw_sum(g, y, LW_ALL_AXES, false), store, store, .beta1 = 0.5f);
            lw_output(g, "y", y);
            lw_status status = lw_graph_status(g);
            failed += status != LW_OK;
            assert_true(status == LW_OK || status == LW_MEMORY);
        } else
            failed++;
        lw_alloc_fail_after(-1);
        lw_graph_destroy(g);
        lw_store_destroy(store);
    }
    assert_true(failed > 20);
}

/* --- weights -------------------------------------------------------------------------------- */

static void a_creating_scope_makes_weights_once_from_seed_and_name(void **state)
{
    fixture *f = *state;
    f->scope.prefix = "netG.";
    lw_scope_push(f->g, &f->scope);
    lw_value a = lw_weight(f->g, LW_SHAPE(50, 20), lw_init_normal(1, 0.5), "a");
    lw_weight(f->g, LW_SHAPE(8), lw_init_uniform(-2, -1), "b");
    assert_int_equal(lw_weight(f->g, LW_SHAPE(50, 20), lw_init_normal(1, 0.5), "a").id, a.id);
    assert_int_equal(lw_graph_status(f->g), LW_OK);

    float expected[1000];
    lw_normal((lw_stream){3, 0, lw_purpose("netG.a")}, 0, 1000, expected);
    const lw_tensor *made = lw_store_get(f->store, "netG.a");
    for (int i = 0; i < 1000; i++)
        assert_true(made->data[i] == 1 + 0.5f * expected[i]);
    for (int i = 0; i < 8; i++)
        assert_true(lw_store_get(f->store, "netG.b")->data[i] >= -2 &&
                    lw_store_get(f->store, "netG.b")->data[i] < -1);
}

static void a_loading_scope_lists_all_that_does_not_fit(void **state)
{
    fixture *f = *state;
    put(f, "b", LW_SHAPE(2, 3), (float[6]){0});
    put(f, "good", LW_SHAPE(3), (float[3]){0});
    f->scope.create = false;
    lw_scope_push(f->g, &f->scope);
    lw_value a = lw_weight(f->g, LW_SHAPE(4, 3), lw_init_constant(0), "a");
    lw_weight(f->g, LW_SHAPE(3, 2), lw_init_constant(0), "b");
    lw_weight(f->g, LW_SHAPE(3), lw_init_constant(0), "good");
    lw_buffer(f->g, LW_SHAPE(7), lw_init_constant(0), "c");
    lw_weight(f->g, LW_SHAPE(4, 3), lw_init_constant(0), "a");
    assert_false(lw_is_null(lw_linear(f->g, lw_input(f->g, "x", LW_SHAPE(1, 3)), a, (lw_value){0})));
    expect_error(f, LW_SHAPE,
                 "faces.generator: 3 tensors do not fit: missing 'a' [4, 3]; 'b' is [2, 3], expected [3, 2]; "
                 "missing 'c' [7]");
}

static void a_scope_without_its_size_is_an_error(void **state)
{
    fixture *f = *state;
    lw_scope_push(f->g, &(lw_scope){.plugin = "loss/x"});
    assert_int_equal(lw_graph_status(f->g), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "sizeof(lw_scope)"));
}

static void has_weight_tells_what_a_loaded_store_has(void **state)
{
    fixture *f = *state;
    put(f, "net.4.bias", LW_SHAPE(3), (float[3]){0});
    f->scope.create = false;
    f->scope.prefix = "net.";
    lw_scope_push(f->g, &f->scope);
    assert_true(lw_has_weight(f->g, "%d.bias", 4));
    assert_false(lw_has_weight(f->g, "%d.bias", 5));
    f->scope.create = true;
    lw_scope_push(f->g, &f->scope);
    assert_false(lw_has_weight(f->g, "%d.bias", 4));
}

static void parameters_are_the_weights_outside_frozen_scopes_in_order(void **state)
{
    fixture *f = *state;
    lw_value found[4];
    lw_scope_push(f->g, &f->scope);
    lw_value b = lw_weight(f->g, LW_SHAPE(2), lw_init_constant(0), "b");
    lw_buffer(f->g, LW_SHAPE(2), lw_init_constant(0), "statistics");
    lw_value a = lw_weight(f->g, LW_SHAPE(2), lw_init_constant(0), "a");
    lw_weight(f->g, LW_SHAPE(2), lw_init_constant(0), "b");
    f->scope.frozen = true;
    lw_scope_push(f->g, &f->scope);
    lw_weight(f->g, LW_SHAPE(2), lw_init_constant(0), "frozen");
    assert_int_equal(lw_parameters(f->g, f->store, found, 1), 2);
    assert_int_equal(lw_parameters(f->g, f->store, found, 4), 2);
    assert_int_equal(found[0].id, b.id);
    assert_int_equal(found[1].id, a.id);
}

/* --- taps ----------------------------------------------------------------------------------- */

static lw_value double_block1(lw_graph *g, const char *tap, lw_value value, void *user)
{
    ++*(int *)user;
    return strcmp(tap, "block1") == 0 ? lw_affine(g, value, 2, 0) : value;
}

static void a_tap_names_a_value_and_a_method_may_replace_it(void **state)
{
    fixture *f = *state;
    int calls = 0;
    f->scope.on_tap = double_block1;
    f->scope.user = &calls;
    lw_scope_push(f->g, &f->scope);
    lw_value x = lw_input(f->g, "x", LW_SHAPE(2)), taps[2];
    for (int i = 0; i < 2; i++)
        taps[i] = lw_tap(f->g, x, "block%d", i);
    lw_scope_pop(f->g);
    assert_int_equal(calls, 2);
    assert_int_equal(taps[0].id, x.id);
    assert_int_not_equal(taps[1].id, x.id);
    assert_int_equal(lw_tap_value(f->g, "faces.generator/block1").id, taps[1].id);
    assert_true(lw_is_null(lw_tap_value(f->g, "faces.generator/block2")));
    assert_int_equal(lw_tap_count(f->g), 2);
    assert_string_equal(lw_tap_name(f->g, 1), "faces.generator/block1");
    assert_null(lw_tap_name(f->g, 2));
}

static void a_tap_keeps_the_value_of_the_last_build(void **state)
{
    fixture *f = *state;
    lw_value x = lw_input(f->g, "x", LW_SHAPE(2)), y = lw_exp(f->g, x);
    lw_scope_push(f->g, &f->scope);
    lw_tap(f->g, x, "h");
    lw_tap(f->g, y, "h");
    assert_int_equal(lw_tap_value(f->g, "faces.generator/h").id, y.id);
    assert_int_equal(lw_tap_count(f->g), 1);
}

static void a_tap_with_a_name_too_long_is_refused_and_not_cut(void **state)
{
    fixture *f = *state;
    enum { LONGEST = 511 - (int)sizeof "faces.generator" }; /* a slash stands in place of the zero */
    lw_value x = lw_input(f->g, "x", LW_SHAPE(2));
    lw_scope_push(f->g, &f->scope);
    assert_false(lw_is_null(lw_tap(f->g, x, "%0*d", LONGEST, 7)));
    assert_int_equal(strlen(lw_tap_name(f->g, 0)), 511);
    assert_true(lw_is_null(lw_tap(f->g, x, "%0*d", LONGEST + 1, 7)));
    assert_int_equal(lw_tap_count(f->g), 1);
    assert_int_equal(lw_graph_status(f->g), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "a name must have 1 to 511 characters: 'faces.generator/0000"));
}

static void a_tap_must_have_a_name(void **state)
{
    fixture *f = *state;
    assert_true(lw_is_null(lw_tap(f->g, lw_input(f->g, "x", LW_SHAPE(2)), "%s", "")));
    assert_int_equal(lw_graph_status(f->g), LW_INVALID);
}

/* --- assignments and layers ----------------------------------------------------------------- */

static void assignments_read_the_old_values(void **state)
{
    fixture *f = *state;
    put(f, "a", LW_SHAPE(1), (float[]){1});
    put(f, "b", LW_SHAPE(1), (float[]){10});
    lw_value a = lw_parameter(f->g, f->store, "a"), b = lw_parameter(f->g, f->store, "b");
    lw_assign(f->g, a, b);
    lw_assign(f->g, b, lw_affine(f->g, a, 1, 1));
    assert_int_equal(lw_graph_status(f->g), LW_OK);
    reference *r = reference_create(f->g);
    assert_int_equal(reference_assign(r), LW_OK);
    assert_true(lw_store_get(f->store, "a")->data[0] == 10);
    assert_true(lw_store_get(f->store, "b")->data[0] == 2);
    reference_destroy(r);
}

static void a_parameter_is_assigned_once(void **state)
{
    fixture *f = *state;
    put(f, "a", LW_SHAPE(1), (float[]){1});
    lw_value a = lw_parameter(f->g, f->store, "a");
    lw_assign(f->g, a, lw_exp(f->g, a));
    lw_assign(f->g, a, lw_sin(f->g, a));
    expect_error(f, LW_INVALID, "assign at 'a': the parameter 'a' is assigned twice in one graph");
}

static void batch_norm_uses_and_updates_statistics_as_torch_does(void **state)
{
    fixture *f = *state;
    f->scope.training = true;
    lw_scope_push(f->g, &f->scope);
    /* Two channels of four values; the second batch meets the same layer. */
    const float first[8] = {1, 2, 10, 30, 3, 6, 20, 40}, second[8] = {0, 0, 1, 1, 2, 2, 1, 5};
    lw_value x = lw_constant(f->g, LW_SHAPE(2, 2, 1, 2), first), y = lw_batch_norm(f->g, x, "bn");
    lw_batch_norm(f->g, lw_constant(f->g, LW_SHAPE(2, 2, 1, 2), second), "bn");
    assert_int_equal(lw_graph_status(f->g), LW_OK);

    reference *r = reference_create(f->g);
    const double *out = reference_value(r, y);
    const double mean = 3, variance = 3.5; /* of 1, 2, 3, 6 */
    assert_non_null(out);
    assert_true(fabs(out[0] - (1 - mean) / sqrt(variance + 1e-5)) < 1e-6);
    assert_true(fabs(out[5] - (6 - mean) / sqrt(variance + 1e-5)) < 1e-6);

    assert_int_equal(reference_assign(r), LW_OK);
    double mean_1 = 0.1 * 3, mean_2 = 0.9 * mean_1 + 0.1 * 1; /* of 0, 0, 2, 2 */
    double var_1 = 0.9 + 0.1 * 14 / 3, var_2 = 0.9 * var_1 + 0.1 * 4 / 3;
    assert_true(fabs(lw_store_get(f->store, "bn.running_mean")->data[0] - mean_2) < 1e-6);
    assert_true(fabs(lw_store_get(f->store, "bn.running_var")->data[0] - var_2) < 1e-6);
    reference_destroy(r);
}

static void batch_norm_outside_training_uses_running_statistics(void **state)
{
    fixture *f = *state;
    put(f, "bn.weight", LW_SHAPE(2), (float[]){2, 1});
    put(f, "bn.bias", LW_SHAPE(2), (float[]){0.5f, 0});
    put(f, "bn.running_mean", LW_SHAPE(2), (float[]){3, 0});
    put(f, "bn.running_var", LW_SHAPE(2), (float[]){4, 1});
    lw_scope_push(f->g, &f->scope);
    lw_value y = lw_batch_norm(f->g, lw_constant(f->g, LW_SHAPE(1, 2), (float[]){7, 5}), "bn");
    reference *r = reference_create(f->g);
    const double *out = reference_value(r, y);
    assert_non_null(out);
    assert_true(fabs(out[0] - (0.5 + 2 * (7 - 3) / sqrt(4 + 1e-5))) < 1e-6);
    assert_true(fabs(out[1] - 5 / sqrt(1 + 1e-5)) < 1e-6);
    assert_int_equal(f->g->assign_count, 0);
    reference_destroy(r);
}

/* Both convolutions, by hand: an image of 2 x 2 and a weight of 2 x 2. */
static void convolutions_mean_what_torch_means(void **state)
{
    fixture *f = *state;
    lw_value x = lw_constant(f->g, LW_SHAPE(1, 1, 2, 2), (float[]){1, 2, 3, 4});
    lw_value w = lw_constant(f->g, LW_SHAPE(1, 1, 2, 2), (float[]){1, 10, 100, 1000});
    reference *r = reference_create(f->g);
    assert_true(reference_value(r, lw_conv2d(f->g, x, w))[0] == 1 + 20 + 300 + 4000);
    const double spread[9] = {1, 12, 20, 103, 1234, 2040, 300, 3400, 4000};
    lw_value y = lw_conv_transpose2d(f->g, x, w);
    for (int i = 0; i < 9; i++)
        assert_true(reference_value(r, y)[i] == spread[i]);
    assert_true(reference_value(r, lw_conv_transpose2d(f->g, x, w, .padding = 1))[0] == 1234);
    reference_destroy(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_error_names_plugin_op_layer_and_shapes),
        TEST(the_first_error_is_kept_and_the_rest_does_nothing),
        TEST(an_error_without_a_weight_of_its_own_names_the_nearest_one),
        TEST(a_plugin_may_report_an_error_of_its_own),
        TEST(every_mistake_is_an_error_with_a_text_and_not_a_crash),
        TEST(running_out_of_memory_is_an_error_and_not_a_crash),
        TEST(a_creating_scope_makes_weights_once_from_seed_and_name),
        TEST(a_loading_scope_lists_all_that_does_not_fit),
        TEST(a_scope_without_its_size_is_an_error),
        TEST(has_weight_tells_what_a_loaded_store_has),
        TEST(parameters_are_the_weights_outside_frozen_scopes_in_order),
        TEST(a_tap_names_a_value_and_a_method_may_replace_it),
        TEST(a_tap_keeps_the_value_of_the_last_build),
        TEST(a_tap_with_a_name_too_long_is_refused_and_not_cut),
        TEST(a_tap_must_have_a_name),
        TEST(assignments_read_the_old_values),
        TEST(a_parameter_is_assigned_once),
        TEST(batch_norm_uses_and_updates_statistics_as_torch_does),
        TEST(batch_norm_outside_training_uses_running_statistics),
        TEST(convolutions_mean_what_torch_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
