/* test_parity_biggan.c — the BigGAN plugins against numbers of the official implementations: images,
 * features, normalised weights and scores within 1e-4 of their standard deviation, gradients within 1e-3. */
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

/* The expected class numbers [N] as rows of one-hot labels. */
static lw_value labels_of(fixture *f, lw_graph *g, const char *name, const char *part)
{
    lw_value y = fixture_constant(f, g, name);
    int64_t n = lw_dim(g, y, 0), classes = lw_model_dim(f->model, part);
    lw_value row = lw_reshape(g, lw_iota(g, classes), LW_SHAPE(1, classes));
    return lw_equal(g, lw_broadcast(g, row, LW_SHAPE(n, classes)), lw_reshape(g, y, LW_SHAPE(n, 1)));
}

static lw_value tap(fixture *f, lw_graph *g, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s.generator/%s", f->name, name);
    lw_value value = lw_tap_value(g, full);
    if (lw_is_null(value))
        fail_msg("%s has no tap '%s'", f->name, full);
    return value;
}

/* Everything of a BigGAN-PyTorch fixture; `attention`: its one tap behind an attention, or NULL. */
static void check_pytorch(const char *name, const char *attention, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    fixture_part(&f, LW_PART_GENERATOR, "generator/biggan", NULL, NULL);
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/biggan", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value labels = labels_of(&f, g, "y", "classes"), z = fixture_constant(&f, g, "z");
    lw_value image = lw_generate(g, f.model, z, .labels = labels);
    lw_value wrt[] = {z, tap(&f, g, "y_embed")}, gradients[2];
    assert_int_equal(lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), wrt, 2, gradients), LW_OK);
    lw_value score = lw_discriminate(g, f.model, fixture_constant(&f, g, "image"), .labels = labels);
    const fixture_check checks[] = {
        {"image", image, FIXTURE_IMAGE},
        {"y_embed", wrt[1], FIXTURE_IMAGE},
        {"feat_linear", tap(&f, g, "linear"), FIXTURE_IMAGE},
        {"feat_block0", tap(&f, g, "block0"), FIXTURE_IMAGE},
        {"sn_weight_block0_conv1", tap(&f, g, "sn_weight_block0_conv1"), FIXTURE_IMAGE},
        {"sigma_used_block0_conv1", tap(&f, g, "sigma_used_block0_conv1"), FIXTURE_IMAGE},
        {"D_score", score, FIXTURE_IMAGE},
        {"grad_z", gradients[0], FIXTURE_GRADIENT},
        {"grad_y_embed", gradients[1], FIXTURE_GRADIENT},
        {attention ? "feat_attn1" : "feat_block0", tap(&f, g, attention ? attention : "block0"),
         FIXTURE_IMAGE},
    };
    fixture_run(&f, g, checks, attention ? 10 : 9);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void biggan_matches(void **state)
{
    (void)state;
    check_pytorch("biggan", "attn1", "native");
}

static void biggan_matches_on_clblast(void **state)
{
    (void)state;
    check_pytorch("biggan", "attn1", "clblast");
}

static void biggan_without_hierarchy_matches(void **state)
{
    (void)state;
    check_pytorch("biggan_nohier", NULL, "native");
}

/* --- BigGAN-deep ---------------------------------------------------------------------------- */

/* What no weight tells. */
#define DEEP_LAYERS "upsample=[0, 1, 0, 1, 1, 0]"

/* The image at one truncation, of the class numbers or of mixed classes. */
static void check_truncation(const char *truncation, const char *expected, bool mixed, const char *blas)
{
    fixture f;
    char text[32];
    fixture_open(&f, "biggan_deep", blas);
    snprintf(text, sizeof text, "truncation=%s", truncation);
    fixture_part(&f, LW_PART_GENERATOR, "generator/biggan-deep", NULL,
                 (const char *[]){DEEP_LAYERS, text, NULL});
    lw_graph *g = lw_graph_create();
    lw_value labels = fixture_constant(&f, g, mixed ? "class_mix" : "class_vector");
    lw_value image = lw_generate(g, f.model, fixture_constant(&f, g, "z"), .labels = labels);
    fixture_run(&f, g, &(fixture_check){expected, image, FIXTURE_IMAGE}, 1);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void deep_statistics_follow_the_truncation(void **state)
{
    (void)state;
    check_truncation("1.0", "image_t1.0", false, "native");
    check_truncation("0.4", "image_t0.4", false, "native");
    check_truncation("0.55", "image_t0.55", false, "native");
    check_truncation("0.58", "image_t0.58", false, "native");
}

static void deep_mixes_classes(void **state)
{
    (void)state;
    check_truncation("1.0", "image_mix_t1.0", true, "native");
}

static void deep_matches_on_clblast(void **state)
{
    (void)state;
    check_truncation("0.55", "image_t0.55", false, "clblast");
}

static void deep_features_and_gradients_match(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "biggan_deep", "native");
    fixture_part(&f, LW_PART_GENERATOR, "generator/biggan-deep", NULL, (const char *[]){DEEP_LAYERS, NULL});
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z, .labels = labels_of(&f, g, "labels", "classes"));
    assert_int_equal(lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient), LW_OK);
    const fixture_check checks[] = {
        {"image_t1.0", image, FIXTURE_IMAGE},
        {"cond_vector", tap(&f, g, "cond_vector"), FIXTURE_IMAGE},
        {"feat_gen_z", tap(&f, g, "gen_z"), FIXTURE_IMAGE},
        {"feat_layer0", tap(&f, g, "layer0"), FIXTURE_IMAGE},
        {"sn_weight_layers0_conv_1", tap(&f, g, "sn_weight_layers0_conv_1"), FIXTURE_IMAGE},
        {"grad_z_t1.0", gradient, FIXTURE_GRADIENT},
    };
    fixture_run(&f, g, checks, 6);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* --- configurations without a fixture --------------------------------------------------------- */

/* A created model, saved, is found again by its shapes: the same image. */
static void check_round_trip(const char *id, const char *const *with, const char *const *again)
{
    lw_model *made = test_model("made", LW_PART_GENERATOR, id, with), *found = lwi_model_create("found");
    test_must(lwi_model_set_part(found, LW_PART_GENERATOR, test_plugin(id), test_args(id, again),
                                 lw_model_store(made, LW_PART_GENERATOR), NULL, 0));
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_tensor *z = lw_tensor_create(LW_SHAPE(2, lw_model_dim(made, "z_dim"))), *a = NULL, *b = NULL;
    for (int64_t i = 0; i < lw_shape_count(z->shape); i++)
        z->data[i] = (float)(i % 7) / 3 - 1;
    test_must(lw_model_images(made, device, "z", z, 2, &a, NULL));
    test_must(lw_model_images(found, device, "z", z, 2, &b, NULL));
    assert_true(lw_shape_equal(a->shape, b->shape));
    assert_memory_equal(a->data, b->data, (size_t)lw_shape_count(a->shape) * sizeof(float));
    lw_tensor_destroy(a);
    lw_tensor_destroy(b);
    lw_tensor_destroy(z);
    lwi_model_destroy(made);
    lwi_model_destroy(found);
    lw_device_close(device);
}

static void every_form_is_found_again(void **state)
{
    (void)state;
    const char *const cross[] = {"class=2", NULL};
    check_round_trip("generator/biggan",
                     (const char *[]){"resolution=64", "ch=2", "z_dim=22", "shared_dim=6", "classes=4",
                                      "attention=[16, 32]", "statistics=mybn", "class=2", NULL},
                     cross);
    check_round_trip("generator/biggan",
                     (const char *[]){"resolution=32", "ch=2", "z_dim=10", "classes=4", "attention=[]",
                                      "hier=false", "shared=false", "statistics=cross-replica", "class=2",
                                      NULL},
                     cross);
    check_round_trip("generator/biggan",
                     (const char *[]){"resolution=32", "ch=2", "z_dim=10", "classes=4", "attention=[8]",
                                      "hier=false", "shared_dim=4", "spectral_norm=false", "class=2", NULL},
                     cross);
    check_round_trip("generator/biggan-deep",
                     (const char *[]){"z_dim=6", "class_embed_dim=5", "classes=4", "channel_width=4",
                                      "multiples=[16, 8, 4, 2, 1]", "upsample=[0, 1, 0, 0, 1]",
                                      "attention_layer_position=1", "n_stats=11", "class=2", NULL},
                     (const char *[]){"class=2", "upsample=[0, 1, 0, 0, 1]", NULL});
}

static void a_class_that_is_not_there_is_refused(void **state)
{
    (void)state;
    const char *const id = "generator/biggan";
    lw_model *model = lwi_model_create("m");
    assert_int_equal(lwi_model_set_part(model, LW_PART_GENERATOR, test_plugin(id),
                                        test_args(id, (const char *[]){"resolution=32", "ch=2", "classes=4",
                                                                       "class=4", NULL}),
                                        NULL, NULL, 1),
                     LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "there is no class 4; the model has classes 0 to 3"));
    lwi_model_destroy(model);
}

static void biggan_128_fits_in_4_gib(void **state)
{
    (void)state;
    lw_model *model = test_model("full", LW_PART_GENERATOR, "generator/biggan", NULL);
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/biggan", NULL);
    lw_device *device = lw_device_open("none", "native");
    lw_graph *g = lw_graph_create();
    lw_value image = lw_generate(g, model, lw_input(g, "z", LW_SHAPE(1, 120)));
    lw_output(g, "image", image);
    lw_output(g, "score", lw_discriminate(g, model, image));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    lw_program_stats stats;
    test_must(lw_program_describe(program, &stats));
    uint64_t bytes = stats.arena_bytes + stats.parameter_bytes + stats.constant_bytes + stats.io_bytes;
    print_message("  BigGAN-128 and its discriminator: %.2f GiB\n", (double)bytes / (1 << 30));
    assert_true(stats.parameter_bytes > 4u * 70000000);
    assert_true(bytes < (uint64_t)4 << 30);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biggan_matches),
        cmocka_unit_test(biggan_matches_on_clblast),
        cmocka_unit_test(biggan_without_hierarchy_matches),
        cmocka_unit_test(deep_statistics_follow_the_truncation),
        cmocka_unit_test(deep_mixes_classes),
        cmocka_unit_test(deep_matches_on_clblast),
        cmocka_unit_test(deep_features_and_gradients_match),
        cmocka_unit_test(every_form_is_found_again),
        cmocka_unit_test(a_class_that_is_not_there_is_refused),
        cmocka_unit_test(biggan_128_fits_in_4_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
