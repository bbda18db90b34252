/* test_parity_pggan.c — the progressive GAN plugins against numbers of the official implementations: images,
 * features and scores within 1e-4 of their standard deviation, gradients within 1e-3, on both back ends. */
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
    char full[96];
    snprintf(full, sizeof full, "%s.%s", f->name, name);
    lw_value value = lw_tap_value(g, full);
    if (lw_is_null(value))
        fail_msg("no tap '%s'", full);
    return value;
}

/* --- pytorch_GAN_zoo -------------------------------------------------------------------------- */

static void check_zoo_generator(const char *name, const char *const *with, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    fixture_part(&f, LW_PART_GENERATOR, "generator/pggan", NULL, with); /* finds avgG */
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/pggan", NULL, with);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0}, gradient_d = {0};
    lw_value image = lw_generate(g, f.model, z);
    lw_value preact = tap(g, &f, "generator/scale0_conv1_preact");
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    lw_gradient(g, lw_discriminate(g, f.model, image), (lw_value){0}, &z, 1, &gradient_d);
    const fixture_check checks[] = {{"image", image, FIXTURE_IMAGE},
                                    {"feat_scale0_conv1_preact", preact, FIXTURE_IMAGE},
                                    {"grad_z", gradient, FIXTURE_GRADIENT},
                                    {"grad_z_of_sumD", gradient_d, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 4);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* The scores depend on the batch: four images, one alone, and each beside its own copy as DitR asks. */
static void check_zoo_discriminator(const char *name, const char *const *with, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/pggan", NULL, with);
    lw_graph *g = lw_graph_create();
    lw_value image = fixture_constant(&f, g, "image"), twice[4];
    lw_value score = lw_discriminate(g, f.model, image);
    lw_value features = tap(g, &f, "discriminator/features");
    lw_value first = lw_slice(g, image, 0, 0, 1, 1);
    lw_value single = lw_discriminate(g, f.model, first);
    for (int i = 0; i < 4; i++) {
        lw_value one = lw_slice(g, image, 0, i, 1, 1);
        lw_value both = lw_discriminate(g, f.model, lw_concat(g, (const lw_value[]){one, one}, 2, 0));
        twice[i] = lw_slice(g, both, 0, 0, 1, 1);
    }
    const fixture_check checks[] = {{"D_score", score, FIXTURE_IMAGE},
                                    {"D_feat", features, FIXTURE_IMAGE},
                                    {"D_score_single0", single, FIXTURE_IMAGE},
                                    {"D_score_doubled", lw_concat(g, twice, 4, 0), FIXTURE_IMAGE}};
    fixture_run(&f, g, checks, 4);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void zoo_generator_matches(void **state)
{
    (void)state;
    check_zoo_generator("pggan_zoo", NULL, "native");
}

static void zoo_generator_matches_on_clblast(void **state)
{
    (void)state;
    check_zoo_generator("pggan_zoo", NULL, "clblast");
}

static void zoo_discriminator_matches(void **state)
{
    (void)state;
    check_zoo_discriminator("pggan_zoo", NULL, "native");
}

static void zoo_discriminator_matches_on_clblast(void **state)
{
    (void)state;
    check_zoo_discriminator("pggan_zoo", NULL, "clblast");
}

static const char *const alpha[] = {"lod=0.6", NULL};

static void zoo_generator_matches_while_a_scale_fades_in(void **state)
{
    (void)state;
    check_zoo_generator("pggan_zoo_alpha", alpha, "native");
}

static void zoo_discriminator_matches_while_a_scale_fades_in(void **state)
{
    (void)state;
    check_zoo_discriminator("pggan_zoo_alpha", alpha, "native");
}

/* Images of the generator under `prefix`, found in f->weights or `weights`, against an expected tensor. */
static void check_image(fixture *f, const char *prefix, const char *const *with, const char *expected)
{
    fixture_part(f, LW_PART_GENERATOR, "generator/pggan", prefix, with);
    lw_graph *g = lw_graph_create();
    const fixture_check check = {expected, lw_generate(g, f->model, fixture_constant(f, g, "z")),
                                 FIXTURE_IMAGE};
    fixture_run(f, g, &check, 1);
    lw_graph_destroy(g);
}

static void zoo_raw_generator_is_found_by_its_prefix(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_zoo", "native");
    check_image(&f, "netG.", NULL, "image_netG");
    fixture_close(&f);
    fixture_open(&f, "pggan_zoo_alpha", "native");
    check_image(&f, "netG.", alpha, "image_netG");
    fixture_close(&f);
}

static void alpha_and_activation_are_read_from_the_zoos_configuration(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_zoo_alpha", "native");
    test_must(lw_store_set_metadata(f.weights, "config",
                                    "{\"alpha\": 0.6, \"lossCriterion\": \"WGANGP\", \"leakyReluLeak\": 0.2, "
                                    "\"categoryVectorDim\": 0, \"equalizedlR\": true}"));
    check_image(&f, NULL, NULL, "image");
    fixture_close(&f);
}

/* --- genforce --------------------------------------------------------------------------------- */

static void check_genforce(const char *name, const char *output, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    const char *half[] = {output, "lod=0.4", NULL}, *whole[] = {output, "lod=1", NULL},
               *none[] = {output, NULL};
    check_image(&f, NULL, half, "image_lod0.4");
    check_image(&f, NULL, whole, "image_lod1");
    fixture_part(&f, LW_PART_GENERATOR, "generator/pggan", NULL, none);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z);
    lw_value layer3 = tap(g, &f, "generator/layer3");
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    const fixture_check checks[] = {{"image", image, FIXTURE_IMAGE},
                                    {"feat_layer3", layer3, FIXTURE_IMAGE},
                                    {"grad_z", gradient, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 3);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void genforce_matches(void **state)
{
    (void)state;
    check_genforce("pggan_genforce", "output=none", "native");
}

static void genforce_matches_on_clblast(void **state)
{
    (void)state;
    check_genforce("pggan_genforce", "output=none", "clblast");
}

static void genforce_fused_matches(void **state)
{
    (void)state;
    check_genforce("pggan_genforce_fused", "output=tanh", "native");
}

static void genforce_fused_matches_on_clblast(void **state)
{
    (void)state;
    check_genforce("pggan_genforce_fused", "output=tanh", "clblast");
}

/* The level of detail kept in the file counts where none is given. */
static void the_weights_own_level_of_detail_is_used(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_genforce", "native");
    test_must(lw_store_set(f.weights, "lod", LW_SCALAR, (const float[]){0.4f}));
    check_image(&f, NULL, NULL, "image_lod0.4");
    fixture_close(&f);
}

/* --- the same weights under other projects' names ------------------------------------------------ */

/* to[i, j, k, l] = scale * from, where the result's axes are those of `from` in the order `axes`. */
static void set_permuted(lw_store *store, const char *name, const lw_tensor *from, const int axes[4],
                         double scale)
{
    int64_t stride[4] = {from->shape.dim[1] * from->shape.dim[2] * from->shape.dim[3],
                         from->shape.dim[2] * from->shape.dim[3], from->shape.dim[3], 1};
    lw_shape s = LW_SHAPE(from->shape.dim[axes[0]], from->shape.dim[axes[1]], from->shape.dim[axes[2]],
                          from->shape.dim[axes[3]]);
    lw_tensor *to = lw_tensor_create(s);
    float *p = to->data;
    for (int64_t a = 0; a < s.dim[0]; a++)
        for (int64_t b = 0; b < s.dim[1]; b++)
            for (int64_t c = 0; c < s.dim[2]; c++)
                for (int64_t d = 0; d < s.dim[3]; d++)
                    *p++ = (float)(scale * from->data[a * stride[axes[0]] + b * stride[axes[1]] +
                                                      c * stride[axes[2]] + d * stride[axes[3]]]);
    test_must(lw_store_set(store, name, to->shape, to->data));
    lw_tensor_destroy(to);
}

static const lw_tensor *weight_of(fixture *f, const char *format, int number)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    return lw_store_get(f->weights, name);
}

static void rename_one(fixture *f, lw_store *to, const char *from, const char *format, int number)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    const lw_tensor *tensor = weight_of(f, from, number);
    test_must(lw_store_set(to, name, tensor->shape, tensor->data));
}

static const int same[] = {0, 1, 2, 3};

static lw_store *as_interfacegan(fixture *f, bool fused, int blocks)
{
    lw_store *to = lw_store_create();
    for (int i = 0; i < 2 * blocks; i++) {
        char name[64];
        bool up = fused && i >= 2 && i % 2 == 0;
        snprintf(name, sizeof name, up ? "layer%d.weight" : "layer%d.conv.weight", i);
        set_permuted(to, name, weight_of(f, "layer%d.weight", i), up ? (const int[]){2, 3, 0, 1} : same, 1);
        rename_one(f, to, "layer%d.bias", "layer%d.wscale.bias", i);
    }
    for (int i = 0; i < blocks; i++) {
        rename_one(f, to, "output%d.weight", "output%d.conv.weight", i);
        rename_one(f, to, "output%d.bias", "output%d.wscale.bias", i);
    }
    test_must(lw_store_set(to, "lod", LW_SCALAR, (const float[]){0}));
    return to;
}

/* Scales are stored here: the kernels halved and the scales doubled must come to the same. */
static lw_store *as_discovery(fixture *f, int blocks)
{
    lw_store *to = lw_store_create();
    for (int i = 0; i <= 2 * blocks; i++) {
        char name[64];
        bool last = i == 2 * blocks;
        const lw_tensor *w =
            last ? weight_of(f, "output%d.weight", blocks - 1) : weight_of(f, "layer%d.weight", i);
        const lw_tensor *b =
            last ? weight_of(f, "output%d.bias", blocks - 1) : weight_of(f, "layer%d.bias", i);
        double fan_in = (double)(w->shape.dim[1] * w->shape.dim[2] * w->shape.dim[3]);
        float scale = (float)(2 * (last ? 1 : sqrt(2)) / sqrt(fan_in));
        snprintf(name, sizeof name, last ? "output.conv.weight" : "features.%d.conv.weight", i);
        set_permuted(to, name, w, same, 0.5);
        snprintf(name, sizeof name, last ? "output.wscale.scale" : "features.%d.wscale.scale", i);
        test_must(lw_store_set(to, name, LW_SHAPE(1), &scale));
        snprintf(name, sizeof name, last ? "output.wscale.b" : "features.%d.wscale.b", i);
        test_must(lw_store_set(to, name, b->shape, b->data));
    }
    return to;
}

/* TensorFlow: kernels [kh, kw, in, out], fused ones [kh, kw, out, in], the first a matrix [in, out * 16]. */
static lw_store *as_tf(fixture *f, bool fused, int blocks)
{
    lw_store *to = lw_store_create();
    for (int i = 0; i < 2 * blocks; i++) {
        char name[64];
        int side = 4 << (i / 2);
        const char *kind = i == 0   ? "Dense"
                           : i == 1 ? "Conv"
                           : i % 2  ? "Conv1"
                           : fused  ? "Conv0_up"
                                    : "Conv0";
        const lw_tensor *w = weight_of(f, "layer%d.weight", i), *b = weight_of(f, "layer%d.bias", i);
        snprintf(name, sizeof name, "%dx%d/%s/weight", side, side, kind);
        if (i == 0) {
            int64_t out = w->shape.dim[0], in = w->shape.dim[1];
            lw_tensor *dense = lw_tensor_create(LW_SHAPE(in, out * 16));
            for (int64_t o = 0; o < out; o++)
                for (int64_t c = 0; c < in; c++)
                    for (int64_t p = 0; p < 16; p++) /* turned by half: 15 - p */
                        dense->data[c * out * 16 + o * 16 + p] = w->data[(o * in + c) * 16 + 15 - p];
            test_must(lw_store_set(to, name, dense->shape, dense->data));
            lw_tensor_destroy(dense);
        } else {
            set_permuted(to, name, w, (const int[]){2, 3, 1, 0}, 1);
        }
        snprintf(name, sizeof name, "%dx%d/%s/bias", side, side, kind);
        test_must(lw_store_set(to, name, b->shape, b->data));
    }
    for (int i = 0; i < blocks; i++) {
        char name[64];
        const lw_tensor *b = weight_of(f, "output%d.bias", i);
        snprintf(name, sizeof name, "ToRGB_lod%d/weight", blocks - 1 - i);
        set_permuted(to, name, weight_of(f, "output%d.weight", i), (const int[]){2, 3, 1, 0}, 1);
        snprintf(name, sizeof name, "ToRGB_lod%d/bias", blocks - 1 - i);
        test_must(lw_store_set(to, name, b->shape, b->data));
    }
    test_must(lw_store_set(to, "lod", LW_SCALAR, (const float[]){0}));
    return to;
}

/* The fixture's official images from the renamed weights. */
static void check_renamed(fixture *f, lw_store *renamed, const char *layout, const char *output)
{
    const char *with[] = {layout, output, NULL};
    lw_store *weights = f->weights;
    f->weights = renamed;
    check_image(f, NULL, with, "image");
    f->weights = weights;
    lw_store_destroy(renamed);
}

static void interfacegan_names_give_the_same_images(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_genforce", "native");
    check_renamed(&f, as_interfacegan(&f, false, 4), "layout=interfacegan", "output=none");
    fixture_close(&f);
    fixture_open(&f, "pggan_genforce_fused", "native");
    check_renamed(&f, as_interfacegan(&f, true, 3), "layout=interfacegan", "output=tanh");
    fixture_close(&f);
}

static void latent_discovery_names_give_the_same_images(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_genforce", "native");
    check_renamed(&f, as_discovery(&f, 4), "layout=discovery", "output=none");
    fixture_close(&f);
}

static void tensorflow_names_give_the_same_images(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_genforce", "native");
    check_renamed(&f, as_tf(&f, false, 4), "layout=tf", "output=none");
    fixture_close(&f);
    fixture_open(&f, "pggan_genforce_fused", "native");
    check_renamed(&f, as_tf(&f, true, 3), "layout=tf", "output=tanh");
    fixture_close(&f);
}

static void old_zoo_names_give_the_same_images(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_zoo", "native");
    lw_store *renamed = lw_store_create();
    for (size_t i = 0; i < lw_store_count(f.weights); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s", lw_store_name(f.weights, i));
        const lw_tensor *tensor = lw_store_get(f.weights, name);
        char *inner = strstr(name, ".module.");
        assert_non_null(inner);
        memmove(inner, inner + 7, strlen(inner + 7) + 1);
        test_must(lw_store_set(renamed, name, tensor->shape, tensor->data));
    }
    check_renamed(&f, renamed, "layout=zoo-old", "output=none");
    fixture_close(&f);
}

/* --- labels ------------------------------------------------------------------------------------- */

/* genforce normalises the latent before the labels join it: the model without labels makes the same image of
 * the normalised latent beside the label. */
static void labels_join_the_normalised_latent(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "pggan_genforce", "native");
    enum { LABELS = 3 };
    lw_graph *g = lw_graph_create();
    lw_value all = fixture_constant(&f, g, "z");
    int64_t n = lw_dim(g, all, 0), size = lw_dim(g, all, 1) - LABELS;
    lw_value z = lw_slice(g, all, 1, 0, size, 1);
    lw_value row = lw_constant(g, LW_SHAPE(1, LABELS), (const float[]){0, 0, 1});
    lw_value label = lw_broadcast(g, row, LW_SHAPE(n, LABELS));
    lw_value length = lw_rsqrt(g, lw_affine(g, lw_mean(g, lw_square(g, z), LW_AXIS(1), true), 1, 1e-8));

    fixture_part(&f, LW_PART_GENERATOR, "generator/pggan", NULL, NULL);
    lw_value parts[] = {lw_mul(g, z, length), label};
    lw_output(g, "plain", lw_generate(g, f.model, lw_concat(g, parts, 2, 1)));
    lw_model *plain = f.model;
    f.model = lwi_model_create("conditional");
    const char *with[] = {"classes=3", "class=2", NULL};
    fixture_part(&f, LW_PART_GENERATOR, "generator/pggan", NULL, with);
    assert_int_equal(lw_model_dim(f.model, "classes"), 3);
    lw_output(g, "class", lw_generate(g, f.model, z));
    lw_output(g, "labels", lw_generate(g, f.model, z, .labels = label));
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, f.device);
    assert_non_null(program);
    test_must(lw_program_run(program));
    lw_tensor *expected = lw_program_read_tensor(program, "plain");
    const char *const outputs[] = {"class", "labels"};
    for (int i = 0; i < 2; i++) {
        lw_tensor *got = lw_program_read_tensor(program, outputs[i]);
        for (int64_t k = 0; k < lw_shape_count(expected->shape); k++)
            assert_float_equal(got->data[k], expected->data[k], 1e-4);
        lw_tensor_destroy(got);
    }
    lw_tensor_destroy(expected);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_model_destroy(plain);
    fixture_close(&f);
}

/* --- full size ----------------------------------------------------------------------------------- */

static void the_published_1024_network_fits_into_4_gib(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("none", "native");
    lw_model *model = test_model("full", LW_PART_GENERATOR, "generator/pggan", NULL);
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/pggan", NULL);
    lw_graph *g = lw_graph_create();
    lw_value image = lw_generate(g, model, lw_input(g, "z", LW_SHAPE(1, 512)));
    assert_true(lw_shape_equal(lw_shape_of(g, image), LW_SHAPE(1, 3, 1024, 1024)));
    lw_output(g, "image", image);
    lw_output(g, "score", lw_discriminate(g, model, image));
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    lw_program_stats stats;
    test_must(lw_program_describe(program, &stats));
    uint64_t bytes = stats.arena_bytes + stats.parameter_bytes + stats.constant_bytes + stats.io_bytes;
    print_message("  1024x1024: %.0f MiB planned, %.0f GFLOP\n", (double)bytes / 1048576, stats.flops / 1e9);
    assert_true(stats.flops > 1e11);
    assert_true(bytes < (uint64_t)4 << 30);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo_generator_matches),
        cmocka_unit_test(zoo_generator_matches_on_clblast),
        cmocka_unit_test(zoo_discriminator_matches),
        cmocka_unit_test(zoo_discriminator_matches_on_clblast),
        cmocka_unit_test(zoo_generator_matches_while_a_scale_fades_in),
        cmocka_unit_test(zoo_discriminator_matches_while_a_scale_fades_in),
        cmocka_unit_test(zoo_raw_generator_is_found_by_its_prefix),
        cmocka_unit_test(alpha_and_activation_are_read_from_the_zoos_configuration),
        cmocka_unit_test(genforce_matches),
        cmocka_unit_test(genforce_matches_on_clblast),
        cmocka_unit_test(genforce_fused_matches),
        cmocka_unit_test(genforce_fused_matches_on_clblast),
        cmocka_unit_test(the_weights_own_level_of_detail_is_used),
        cmocka_unit_test(interfacegan_names_give_the_same_images),
        cmocka_unit_test(latent_discovery_names_give_the_same_images),
        cmocka_unit_test(tensorflow_names_give_the_same_images),
        cmocka_unit_test(old_zoo_names_give_the_same_images),
        cmocka_unit_test(labels_join_the_normalised_latent),
        cmocka_unit_test(the_published_1024_network_fits_into_4_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
