/* test_parity_stylegan.c — the StyleGAN plugin against numbers of the official implementations: images, w,
 * features and styles within 1e-4 of their standard deviation, gradients within 1e-3; and key layouts and
 * options against each other. */
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

static void generator(fixture *f, const char *fused, const char *more, const char *another)
{
    const char *with[] = {fused, more, another, NULL};
    fixture_part(f, LW_PART_GENERATOR, "generator/stylegan", NULL, with);
}

static bool has_classes(const fixture *f)
{
    return lw_model_dim(f->model, "classes") > 0;
}

/* Class labels of a conditional fixture, [N, classes]. */
static lw_value labels(fixture *f, lw_graph *g)
{
    return has_classes(f) ? fixture_constant(f, g, "label") : (lw_value){0};
}

/* [N, d] -> [N, count, d] */
static lw_value repeat(lw_graph *g, lw_value w, int64_t count)
{
    int64_t n = lw_dim(g, w, 0), d = lw_dim(g, w, 1);
    return lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(n, 1, d)), LW_SHAPE(n, count, d));
}

/* z[0] or label[0], as often as rows are wanted. */
static lw_value first_row(lw_graph *g, fixture *f, const char *name, int64_t rows)
{
    lw_value row = lw_slice(g, fixture_constant(f, g, name), 0, 0, 1, 1);
    return lw_broadcast(g, row, LW_SHAPE(rows, lw_dim(g, row, 1)));
}

/* dw/dz at z[0], in reverse mode: a row of z for every element of w. */
static lw_value reverse_jacobian(lw_graph *g, fixture *f)
{
    int64_t size = lw_model_dim(f->model, "w_dim");
    lw_value z0 = first_row(g, f, "z", size), c0 = {0}, jacobian = {0}, i = lw_iota(g, size);
    if (has_classes(f))
        c0 = first_row(g, f, "label", size);
    lw_value identity = lw_equal(g, lw_reshape(g, i, LW_SHAPE(size, 1)), i);
    lw_gradient(g, lw_map(g, f->model, z0, .labels = c0), identity, &z0, 1, &jacobian);
    return jacobian;
}

/* The same in forward mode: a row of z for every direction. */
static lw_value forward_jacobian(lw_graph *g, fixture *f)
{
    int64_t size = lw_model_dim(f->model, "z_dim");
    lw_value z0 = first_row(g, f, "z", size), c0 = {0}, i = lw_iota(g, size);
    if (has_classes(f))
        c0 = first_row(g, f, "label", size);
    lw_value identity = lw_equal(g, lw_reshape(g, i, LW_SHAPE(size, 1)), i);
    return lw_transpose(g, lw_jvp(g, lw_map(g, f->model, z0, .labels = c0), z0, identity), 0, 1);
}

static lw_value truncated(fixture *f, lw_graph *g, lw_value w)
{
    const lw_generator *functions = lwi_model_plugin(f->model, LW_PART_GENERATOR)->functions;
    lw_store *store = lw_model_store(f->model, LW_PART_GENERATOR);
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope), .store = store, .frozen = true});
    lw_value cut = functions->truncate(g, lwi_model_args(f->model, LW_PART_GENERATOR), w);
    lw_scope_pop(g);
    return cut;
}

static void check_plain(fixture *f, const char *fused)
{
    generator(f, fused, NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(f, g, "z"), wp = fixture_constant(f, g, "wp"), by_z = {0}, by_wp = {0};
    lw_value w = lw_map(g, f->model, z, .labels = labels(f, g)), seed = fixture_constant(f, g, "grad_out");
    lw_value jacobian = reverse_jacobian(g, f);
    lw_value image = lw_generate(g, f->model, z, .labels = labels(f, g));
    const lw_value features[] = {tap(g, f, "layer0"), tap(g, f, "layer3"), tap(g, f, "style02"),
                                 tap(g, f, "style03")};
    lw_gradient(g, image, seed, &z, 1, &by_z);
    lw_gradient(g, lw_synthesize(g, f->model, wp), seed, &wp, 1, &by_wp);
    const fixture_check checks[] = {{"w", w, FIXTURE_IMAGE},
                                    {"wp", repeat(g, w, lw_model_dim(f->model, "num_ws")), FIXTURE_IMAGE},
                                    {"image", image, FIXTURE_IMAGE},
                                    {"feat_layer0", features[0], FIXTURE_IMAGE},
                                    {"feat_layer3", features[1], FIXTURE_IMAGE},
                                    {"style02", features[2], FIXTURE_IMAGE},
                                    {"style03", features[3], FIXTURE_IMAGE},
                                    {"grad_z", by_z, FIXTURE_GRADIENT},
                                    {"grad_wp", by_wp, FIXTURE_GRADIENT},
                                    {"jacobian_dw_dz0", jacobian, FIXTURE_GRADIENT}};
    fixture_run(f, g, checks, 10);
    lw_graph_destroy(g);
}

static void check_options(fixture *f, const char *fused)
{
    generator(f, fused, "truncation_psi=0.7", "truncation_cutoff=3");
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(f, g, "z");
    lw_value cut = truncated(f, g, lw_map(g, f->model, z, .labels = labels(f, g)));
    const fixture_check checks[] = {
        {"wp_trunc0.7_3", cut, FIXTURE_IMAGE},
        {"image_trunc0.7_3", lw_generate(g, f->model, z, .labels = labels(f, g)), FIXTURE_IMAGE},
        {"jacobian_dw_dz0", forward_jacobian(g, f), FIXTURE_GRADIENT}};
    fixture_run(f, g, checks, 3);
    lw_graph_destroy(g);

    generator(f, fused, "lod=1", NULL);
    g = lw_graph_create();
    lw_value image = lw_generate(g, f->model, fixture_constant(f, g, "z"), .labels = labels(f, g));
    fixture_run(f, g, &(fixture_check){"image_lod1", image, FIXTURE_IMAGE}, 1);
    lw_graph_destroy(g);
}

static void check_all(const char *name, const char *fused, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    check_plain(&f, fused);
    check_options(&f, fused);
    fixture_close(&f);
}

static void unfused_model_matches(void **state)
{
    (void)state;
    check_all("stylegan1", "fused_scale=auto", "native");
}

static void unfused_model_matches_on_clblast(void **state)
{
    (void)state;
    check_all("stylegan1", "fused_scale=auto", "clblast");
}

static void fused_model_matches(void **state)
{
    (void)state;
    check_all("stylegan1_fused", "fused_scale=true", "native");
}

/* The model alone, compiled for one image where nothing is computed: bytes planned on the device. */
static double planned_bytes(lw_model *model)
{
    lw_device *none = lw_device_open("none", NULL);
    lw_graph *g = lw_graph_create();
    lw_program_stats stats;
    lw_output(g, "image", lw_generate(g, model, lw_input(g, "z", LW_SHAPE(1, 512))));
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

/* A genforce name as InterFaceGAN has it. */
static void interfacegan_name(const char *name, bool fused, char *to, size_t size)
{
    static const char *const parts[][2] = {{".apply_noise.", ".epilogue.apply_noise."},
                                           {".style.weight", ".epilogue.style_mod.dense.linear.weight"},
                                           {".style.bias", ".epilogue.style_mod.dense.wscale.bias"},
                                           {"layer0.const", "layer0.first_layer"},
                                           {".blur.", ".blur."}};
    int number;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *at = strstr(name, parts[i][0]);
        if (!at)
            continue;
        snprintf(to, size, "%.*s%s%s", (int)(at - name), name, parts[i][1], at + strlen(parts[i][0]));
        return;
    }
    if (sscanf(name, "mapping.dense%d", &number) == 1)
        snprintf(to, size, "mapping.dense%d.%s", number,
                 strstr(name, "weight") ? "linear.weight" : "wscale.bias");
    else if (sscanf(name, "synthesis.output%d", &number) == 1)
        snprintf(to, size, "synthesis.output%d.%s", number, strstr(name, "weight") ? "conv.weight" : "bias");
    else if (sscanf(name, "synthesis.layer%d", &number) != 1)
        snprintf(to, size, "%s", name);
    else if (strstr(name, "bias"))
        snprintf(to, size, "synthesis.layer%d.epilogue.bias", number);
    else
        snprintf(to, size,
                 fused && number % 2 == 0 ? "synthesis.layer%d.weight" : "synthesis.layer%d.conv.weight",
                 number);
}

/* [O, I, 3, 3] -> [3, 3, I, O], the way InterFaceGAN keeps a fused convolution. */
static void set_columns(lw_store *store, const char *name, const lw_tensor *w)
{
    int64_t out = w->shape.dim[0], in = w->shape.dim[1];
    lw_tensor *turned = lw_tensor_create(LW_SHAPE(3, 3, in, out));
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t k = 0; k < 9; k++)
                turned->data[(k * in + i) * out + o] = w->data[(o * in + i) * 9 + k];
    test_must(lw_store_set(store, name, turned->shape, turned->data));
    lw_tensor_destroy(turned);
}

/* The same weights under InterFaceGAN's names give the same image. */
static void check_interfacegan(const char *name, bool fused)
{
    fixture f;
    fixture_open(&f, name, "native");
    lw_store *renamed = lw_store_create();
    for (size_t i = 0; i < lw_store_count(f.weights); i++) {
        char to[128];
        const lw_tensor *tensor = lw_store_get(f.weights, lw_store_name(f.weights, i));
        interfacegan_name(lw_store_name(f.weights, i), fused, to, sizeof to);
        if (fused && tensor->shape.rank == 4 && !strstr(to, "conv") && strstr(to, "layer") &&
            strstr(to, ".weight"))
            set_columns(renamed, to, tensor);
        else
            test_must(lw_store_set(renamed, to, tensor->shape, tensor->data));
    }
    lw_store_destroy(f.weights);
    f.weights = renamed;
    fixture_part(&f, LW_PART_GENERATOR, "generator/stylegan", NULL, NULL);
    const lw_args *args = lwi_model_args(f.model, LW_PART_GENERATOR);
    assert_string_equal(lw_text(args, "layout"), "interfacegan");
    assert_string_equal(lw_text(args, "fused_scale"), fused ? "true" : "false");
    lw_graph *g = lw_graph_create();
    lw_value image = lw_generate(g, f.model, fixture_constant(&f, g, "z"));
    fixture_run(&f, g, &(fixture_check){"image", image, FIXTURE_IMAGE}, 1);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void interfacegan_layout_matches(void **state)
{
    (void)state;
    check_interfacegan("stylegan1", false);
}

static void fused_interfacegan_layout_matches(void **state)
{
    (void)state;
    check_interfacegan("stylegan1_fused", true);
}

/* The names of pytorch_GAN_zoo's StyleGAN at 16 x 16, as its modules give them. */
static void zoo_layout_has_the_zoos_names(void **state)
{
    (void)state;
    static const char *const names[] = {"mapping.FC.0.module.weight",
                                        "mapping.FC.1.module.bias",
                                        "baseScale0",
                                        "noiseMod00.module.weight",
                                        "noiseMod01.module.weight",
                                        "adain00.styleModulator.module.weight",
                                        "adain01.styleModulator.module.bias",
                                        "conv0.module.weight",
                                        "conv0.module.bias",
                                        "scaleLayers.0.0.module.weight",
                                        "scaleLayers.0.1.styleModulator.module.weight",
                                        "scaleLayers.1.2.module.bias",
                                        "scaleLayers.1.3.styleModulator.module.bias",
                                        "noiseModulators.0.0.module.weight",
                                        "noiseModulators.1.1.module.weight",
                                        "toRGBLayers.0.module.weight",
                                        "toRGBLayers.1.module.bias",
                                        "mean_w"};
    const char *with[] = {"layout=zoo",       "fused_scale=false", "noise_mode=random",
                          "widths=[8, 8, 4]", "z_dim=8",           "w_dim=8",
                          "mapping_layers=2", "mapping_width=8",   NULL};
    lw_model *model = test_model("zoo", LW_PART_GENERATOR, "generator/stylegan", with);
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!lw_store_has(store, names[i]))
            fail_msg("the zoo layout lacks '%s'", names[i]);
    assert_int_equal(lw_store_count(store), 2 * 2 + 1 + 2 + 4 + 2 + 2 * (4 + 4 + 2) + 4 + 1);
    lwi_model_destroy(model);
}

static void full_size_model_fits_into_four_gibibytes(void **state)
{
    (void)state;
    lw_model *model = test_model("ffhq", LW_PART_GENERATOR, "generator/stylegan", NULL);
    assert_int_equal(lw_model_dim(model, "height"), 1024);
    assert_int_equal(lw_model_dim(model, "num_ws"), 18);
    assert_true(planned_bytes(model) < 4.0 * 1024 * 1024 * 1024);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfused_model_matches),
        cmocka_unit_test(unfused_model_matches_on_clblast),
        cmocka_unit_test(fused_model_matches),
        cmocka_unit_test(interfacegan_layout_matches),
        cmocka_unit_test(fused_interfacegan_layout_matches),
        cmocka_unit_test(zoo_layout_has_the_zoos_names),
        cmocka_unit_test(full_size_model_fits_into_four_gibibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
