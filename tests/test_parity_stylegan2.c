/* test_parity_stylegan2.c — the StyleGAN2 plugins against numbers of the official implementations, in three
 * key layouts: images, w, features, styles and scores within 1e-4 of their standard deviation, gradients
 * within 1e-3. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"

static lw_value tap(lw_graph *g, const fixture *f, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s.generator/%s", f->name, name);
    return lw_tap_value(g, full);
}

/* [N, d] -> [N, count, d] */
static lw_value repeat(lw_graph *g, lw_value w, int64_t count)
{
    int64_t n = lw_dim(g, w, 0), d = lw_dim(g, w, 1);
    return lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(n, 1, d)), LW_SHAPE(n, count, d));
}

/* z[0] or c[0], as often as rows are wanted. */
static lw_value first_row(lw_graph *g, fixture *f, const char *name, int64_t rows)
{
    lw_value row = lw_slice(g, fixture_constant(f, g, name), 0, 0, 1, 1);
    return lw_broadcast(g, row, LW_SHAPE(rows, lw_dim(g, row, 1)));
}

static lw_value identity(lw_graph *g, int64_t size)
{
    lw_value i = lw_iota(g, size);
    return lw_equal(g, lw_reshape(g, i, LW_SHAPE(size, 1)), i);
}

/* Gives the model its generator anew, with "key=value" arguments; the prefix makes no difference to it. */
static void generator(fixture *f, const char *prefix, const char *const *with)
{
    fixture_part(f, LW_PART_GENERATOR, "generator/stylegan2", prefix, with);
}

static bool has_classes(const fixture *f)
{
    return lw_model_dim(f->model, "classes") > 0;
}

/* Class labels of the fixture's conditional model. */
static lw_value labels(fixture *f, lw_graph *g)
{
    return has_classes(f) ? fixture_constant(f, g, "c") : (lw_value){0};
}

/* The generator with given arguments makes the expected image of z. */
static void check_image(fixture *f, const char *expected, const char *const *with)
{
    generator(f, NULL, with);
    lw_graph *g = lw_graph_create();
    lw_value image = lw_generate(g, f->model, fixture_constant(f, g, "z"), .labels = labels(f, g));
    fixture_run(f, g, &(fixture_check){expected, image, FIXTURE_IMAGE}, 1);
    lw_graph_destroy(g);
}

/* What truncation with the model's arguments makes of w. */
static lw_value truncated(fixture *f, lw_graph *g, lw_value w)
{
    const lw_generator *functions = lwi_model_plugin(f->model, LW_PART_GENERATOR)->functions;
    lw_store *store = lw_model_store(f->model, LW_PART_GENERATOR);
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope), .store = store, .frozen = true});
    lw_value cut = functions->truncate(g, lwi_model_args(f->model, LW_PART_GENERATOR), w);
    lw_scope_pop(g);
    return cut;
}

/* w, ws, the truncated ws, and dw/dz at z[0] in reverse mode. */
static void check_mapping(fixture *f)
{
    generator(f, NULL, (const char *[]){"truncation_psi=0.7", "truncation_cutoff=3", NULL});
    lw_graph *g = lw_graph_create();
    int64_t w_dim = lw_model_dim(f->model, "w_dim");
    lw_value w = lw_map(g, f->model, fixture_constant(f, g, "z"), .labels = labels(f, g));
    lw_value z0 = first_row(g, f, "z", w_dim), c0 = {0}, jacobian = {0};
    if (has_classes(f))
        c0 = first_row(g, f, "c", w_dim);
    lw_gradient(g, lw_map(g, f->model, z0, .labels = c0), identity(g, w_dim), &z0, 1, &jacobian);
    const fixture_check checks[] = {{"w", w, FIXTURE_IMAGE},
                                    {"ws", repeat(g, w, lw_model_dim(f->model, "num_ws")), FIXTURE_IMAGE},
                                    {"ws_trunc0.7_cut3", truncated(f, g, w), FIXTURE_IMAGE},
                                    {"jacobian_dw_dz0", jacobian, FIXTURE_GRADIENT}};
    fixture_run(f, g, checks, 4);
    lw_graph_destroy(g);
}

/* dw/dz at z[0] in forward mode, as one of the Jacobians of the whole batch. */
static void check_forward_jacobian(fixture *f)
{
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(f, g, "z");
    lw_value jacobians = lw_jacobian(g, lw_map(g, f->model, z, .labels = labels(f, g)), z);
    lw_value first = lw_slice(g, jacobians, 0, 0, 1, 1);
    fixture_run(f, g, &(fixture_check){"jacobian_dw_dz0", first, FIXTURE_GRADIENT}, 1);
    lw_graph_destroy(g);
}

/* Image, features and styles of block `side`, gradients by z and by w+. */
static void check_synthesis(fixture *f, int side, bool colours, const char *const *with)
{
    char names[4][32];
    snprintf(names[0], sizeof names[0], "feat_b%d_conv0", side);
    snprintf(names[1], sizeof names[1], "feat_b%d_x", side);
    snprintf(names[2], sizeof names[2], "feat_b%d_img", side);
    generator(f, NULL, with);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(f, g, "z"), ws = fixture_constant(f, g, "ws"), by_z = {0}, by_ws = {0};
    lw_value image = lw_generate(g, f->model, z, .labels = labels(f, g));
    fixture_check checks[8] = {{"image_const", image, FIXTURE_IMAGE},
                               {names[0], tap(g, f, names[0] + 5), FIXTURE_IMAGE},
                               {names[1], tap(g, f, names[1] + 5), FIXTURE_IMAGE},
                               {"style_b8_conv0", tap(g, f, "style_b8_conv0"), FIXTURE_IMAGE},
                               {names[2], colours ? tap(g, f, names[2] + 5) : image, FIXTURE_IMAGE}};
    lw_value seed = fixture_constant(f, g, "grad_out");
    lw_gradient(g, image, seed, &z, 1, &by_z);
    lw_gradient(g, lw_synthesize(g, f->model, ws), seed, &ws, 1, &by_ws);
    checks[colours ? 5 : 4] = (fixture_check){"grad_z", by_z, FIXTURE_GRADIENT};
    checks[colours ? 6 : 5] = (fixture_check){"grad_ws", by_ws, FIXTURE_GRADIENT};
    checks[colours ? 7 : 6] = (fixture_check){
        "image_wplus_const", lw_synthesize(g, f->model, fixture_constant(f, g, "wplus")), FIXTURE_IMAGE};
    fixture_run(f, g, checks, colours ? 8 : 7);
    lw_graph_destroy(g);
}

/* The discriminator's score of the expected image. */
static void check_scores(fixture *f)
{
    fixture_part(f, LW_PART_DISCRIMINATOR, "discriminator/stylegan2", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value score =
        lw_discriminate(g, f->model, fixture_constant(f, g, "image_const"), .labels = labels(f, g));
    fixture_run(f, g, &(fixture_check){"D_score", score, FIXTURE_IMAGE}, 1);
    lw_graph_destroy(g);
}

/* Everything a fixture of stylegan2-ada-pytorch holds, but the image of the network that is no average
 * (G). */
static void check_nvidia(const char *name, int side, bool colours, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    check_synthesis(&f, side, colours, NULL);
    check_mapping(&f);
    check_forward_jacobian(&f);
    check_image(&f, "image_none", (const char *[]){"noise_mode=none", NULL});
    check_image(&f, "image_trunc0.5_const", (const char *[]){"truncation_psi=0.5", NULL});
    check_scores(&f);
    fixture_close(&f);
}

static void skip_architecture_matches(void **state)
{
    (void)state;
    check_nvidia("stylegan2", 16, true, "native");
}

static void skip_architecture_matches_as_on_a_gpu(void **state)
{
    (void)state;
    check_nvidia("stylegan2", 16, true, "gpu");
}

static void conditional_model_matches(void **state)
{
    (void)state;
    check_nvidia("stylegan2_cond", 8, true, "native");
}

static void residual_architecture_matches(void **state)
{
    (void)state;
    check_nvidia("stylegan2_resnet", 8, false, "native");
}

static void genforce_layout_matches(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "stylegan2_sefa", "native");
    generator(&f, NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), wp = fixture_constant(&f, g, "wp"), by_z = {0}, by_wp = {0};
    lw_value w = lw_map(g, f.model, z), image = lw_generate(g, f.model, z),
             seed = fixture_constant(&f, g, "grad_out");
    lw_gradient(g, image, seed, &z, 1, &by_z);
    lw_gradient(g, lw_synthesize(g, f.model, wp), seed, &wp, 1, &by_wp);
    const fixture_check checks[] = {{"w", w, FIXTURE_IMAGE},
                                    {"wp", repeat(g, w, lw_model_dim(f.model, "num_ws")), FIXTURE_IMAGE},
                                    {"image", image, FIXTURE_IMAGE},
                                    {"grad_z", by_z, FIXTURE_GRADIENT},
                                    {"grad_wp", by_wp, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 5);
    lw_graph_destroy(g);
    check_image(&f, "image_trunc0.7_3", (const char *[]){"truncation_psi=0.7", "truncation_cutoff=3", NULL});
    fixture_close(&f);
}

/* Style mixing: the first three layers by w, the others by the batch's w in reverse order. -> w+ [N, num_ws,
 * w_dim] */
static lw_value mixed_styles(lw_graph *g, const fixture *f, lw_value w)
{
    int64_t n = lw_dim(g, w, 0), rest = lw_model_dim(f->model, "num_ws") - 3;
    lw_value parts[2] = {repeat(g, w, 3), repeat(g, lw_slice(g, w, 0, n - 1, n, -1), rest)};
    return lw_concat(g, parts, 2, 1);
}

static void rosinality_layout_matches(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "stylegan2_rosinality", "native");
    const lw_tensor *mean = fixture_expected(&f, "latent_avg"); /* beside g_ema in the file */
    test_must(lw_store_set(f.weights, "latent_avg", mean->shape, mean->data));
    generator(&f, NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), plus = fixture_constant(&f, g, "wplus"), by_z = {0},
             by_plus = {0};
    lw_value w = lw_map(g, f.model, z), image = lw_generate(g, f.model, z),
             seed = fixture_constant(&f, g, "grad_out");
    lw_value mixed = lw_synthesize(g, f.model, mixed_styles(g, &f, w)),
             of_plus = lw_synthesize(g, f.model, plus);
    lw_gradient(g, image, seed, &z, 1, &by_z);
    lw_gradient(g, of_plus, seed, &plus, 1, &by_plus);
    const fixture_check checks[] = {{"w", w, FIXTURE_IMAGE},
                                    {"latent", repeat(g, w, lw_model_dim(f.model, "num_ws")), FIXTURE_IMAGE},
                                    {"image", image, FIXTURE_IMAGE},
                                    {"image_wplus", of_plus, FIXTURE_IMAGE},
                                    {"image_mix3", mixed, FIXTURE_IMAGE},
                                    {"grad_z", by_z, FIXTURE_GRADIENT},
                                    {"grad_wplus", by_plus, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 7);
    lw_graph_destroy(g);
    check_image(&f, "image_trunc0.7", (const char *[]){"truncation_psi=0.7", NULL});
    fixture_close(&f);
}

/* The model alone, compiled for one image where nothing is computed: bytes planned on the device. */
static double planned_bytes(lw_model *model, bool discriminate)
{
    lw_device *none = lw_device_open("none", NULL);
    lw_graph *g = lw_graph_create();
    lw_program_stats stats;
    lw_value image = discriminate
                         ? lw_discriminate(g, model, lw_input(g, "image", LW_SHAPE(1, 3, 1024, 1024)))
                         : lw_generate(g, model, lw_input(g, "z", LW_SHAPE(1, 512)));
    lw_output(g, "out", image);
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, none);
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_describe(program, &stats));
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lw_device_close(none);
    print_message(
        "  %.2f GB planned, %.0f GFLOP, %u kernels\n",
        (double)(stats.arena_bytes + stats.parameter_bytes + stats.constant_bytes + stats.io_bytes) / 1e9,
        stats.flops / 1e9, stats.kernels);
    return (double)(stats.arena_bytes + stats.parameter_bytes + stats.constant_bytes + stats.io_bytes);
}

static void full_size_models_fit_into_four_gibibytes(void **state)
{
    (void)state;
    lw_model *model = test_model("config-f", LW_PART_GENERATOR, "generator/stylegan2", NULL);
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/stylegan2", NULL);
    assert_int_equal(lw_model_dim(model, "height"), 1024);
    assert_int_equal(lw_model_dim(model, "num_ws"), 18);
    assert_true(planned_bytes(model, false) < 4.0 * 1024 * 1024 * 1024);
    assert_true(planned_bytes(model, true) < 4.0 * 1024 * 1024 * 1024);
    lwi_model_destroy(model);
}

static float largest(const lw_tensor *t)
{
    float most = 0;
    for (int64_t i = 0; i < lw_shape_count(t->shape); i++)
        most = fabsf(t->data[i]) <= most ? most : fabsf(t->data[i]); /* keeps a NaN */
    return most;
}

/* The largest element of a value, on the fixture's device. */
static float largest_of(fixture *f, lw_graph *g, lw_value value)
{
    lw_output(g, "value", value);
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, f->device);
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_run(program));
    lw_tensor *read = lw_program_read_tensor(program, "value");
    assert_non_null(read);
    float most = largest(read);
    lw_tensor_destroy(read);
    lw_program_destroy(program);
    return most;
}

static void conv_clamp_bounds_layers(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "stylegan2_resnet", "native");
    test_must(lw_store_set_metadata(f.weights, "config", "{\"synthesis_kwargs\": {\"conv_clamp\": 0.25}}"));
    generator(&f, NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_generate(g, f.model, fixture_constant(&f, g, "z"));
    /* The second layer is scaled by sqrt(1/2) before the residual is added, and its bound with it. */
    lw_value both[2] = {lw_flatten(g, tap(g, &f, "b8_conv0"), 1), lw_flatten(g, tap(g, &f, "b8_conv1"), 1)};
    both[1] = lw_affine(g, both[1], sqrt(2), 0);
    assert_float_equal(largest_of(&f, g, lw_concat(g, both, 2, 1)), 0.25, 1e-6);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* A skip model's last colours alone are what the plain architecture makes of the same layers. */
static void plain_architecture_takes_the_last_colours(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "stylegan2", "native");
    lw_store *plain = lw_store_create();
    for (size_t i = 0; i < lw_store_count(f.weights); i++) {
        const char *name = lw_store_name(f.weights, i);
        const lw_tensor *tensor = lw_store_get(f.weights, name);
        if (!strstr(name, "torgb") || strstr(name, "b32"))
            test_must(lw_store_set(plain, name, tensor->shape, tensor->data));
    }
    generator(&f, NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), image = lw_generate(g, f.model, z);
    lw_value up = lw_resample2d(g, tap(g, &f, "b16_img"), .up = 2, .before = 2, .after = 1, .tap_count = 4,
                                .taps = {0.25f, 0.75f, 0.75f, 0.25f});
    lw_store_destroy(f.weights);
    f.weights = plain;
    lw_model *other = lwi_model_create("plain");
    test_must(lwi_model_set_part(other, LW_PART_GENERATOR, test_plugin("generator/stylegan2"),
                                 test_args("generator/stylegan2", NULL), plain, NULL, 0));
    assert_string_equal(lw_text(lwi_model_args(other, LW_PART_GENERATOR), "architecture"), "orig");
    lw_value difference = lw_sub(g, lw_generate(g, other, z), lw_sub(g, image, up));
    assert_true(largest_of(&f, g, difference) < 1e-5f);
    lw_graph_destroy(g);
    lwi_model_destroy(other);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skip_architecture_matches),
        cmocka_unit_test(skip_architecture_matches_as_on_a_gpu),
        cmocka_unit_test(conditional_model_matches),
        cmocka_unit_test(residual_architecture_matches),
        cmocka_unit_test(full_size_models_fit_into_four_gibibytes),
        cmocka_unit_test(conv_clamp_bounds_layers),
        cmocka_unit_test(plain_architecture_takes_the_last_colours),
        cmocka_unit_test(genforce_layout_matches),
        cmocka_unit_test(rosinality_layout_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
