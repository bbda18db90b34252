/* test_parity_sngan.c — generator/sngan against numbers of GANLatentDiscovery's code: images and features
 * within 1e-4 of their standard deviation, gradients within 1e-3, on both back ends; and its other two
 * layouts. */
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

static void check(const char *blas)
{
    fixture f;
    fixture_open(&f, "sngan", blas);
    fixture_part(&f, LW_PART_GENERATOR, "generator/sngan", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z);
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    const fixture_check checks[] = {{"image", image, FIXTURE_IMAGE},
                                    {"feat_dense", lw_tap_value(g, "sngan.generator/dense"), FIXTURE_IMAGE},
                                    {"feat_block0", lw_tap_value(g, "sngan.generator/block0"), FIXTURE_IMAGE},
                                    {"grad_z", gradient, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 4);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void latent_discovery_matches(void **state)
{
    (void)state;
    check("native");
}

static void latent_discovery_matches_on_clblast(void **state)
{
    (void)state;
    check("clblast");
}

/* --- the official layout: the same network where its 1x1 shortcuts are the identity ------------------- */

static void copy(fixture *f, lw_store *to, const char *from, const char *name)
{
    const lw_tensor *tensor = lw_store_get(f->weights, from);
    if (!tensor)
        fail_msg("%s", lw_error_text());
    test_must(lw_store_set(to, name, tensor->shape, tensor->data));
}

/* The fixture's gain or bias as the last row of [classes, C], or as [C] where classes is 0. */
static void copy_for_class(fixture *f, lw_store *to, const char *from, const char *name, int64_t classes)
{
    const lw_tensor *tensor = lw_store_get(f->weights, from);
    int64_t channels = tensor->shape.dim[0];
    lw_tensor *rows = lw_tensor_create(classes ? LW_SHAPE(classes, channels) : LW_SHAPE(channels));
    memcpy(rows->data + (classes ? (classes - 1) * channels : 0), tensor->data,
           (size_t)channels * sizeof(float));
    test_must(lw_store_set(to, name, rows->shape, rows->data));
    lw_tensor_destroy(rows);
}

/* Chainer adds 2e-5 to the variance where torch adds 1e-5. */
static void copy_norm(fixture *f, lw_store *to, const char *from, const char *name, int64_t classes)
{
    char a[64], b[64];
    snprintf(a, sizeof a, "%s.weight", from),
        snprintf(b, sizeof b, classes ? "%s/gammas/W" : "%s/gamma", name);
    copy_for_class(f, to, a, b, classes);
    snprintf(a, sizeof a, "%s.bias", from), snprintf(b, sizeof b, classes ? "%s/betas/W" : "%s/beta", name);
    copy_for_class(f, to, a, b, classes);
    snprintf(a, sizeof a, "%s.running_mean", from), snprintf(b, sizeof b, "%s/avg_mean", name);
    copy(f, to, a, b);
    snprintf(a, sizeof a, "%s.running_var", from), snprintf(b, sizeof b, "%s/avg_var", name);
    lw_tensor *variance = lw_tensor_copy(lw_store_get(f->weights, a));
    for (int64_t i = 0; i < variance->shape.dim[0]; i++)
        variance->data[i] -= 1e-5f;
    test_must(lw_store_set(to, b, variance->shape, variance->data));
    lw_tensor_destroy(variance);
    snprintf(b, sizeof b, "%s/N", name);
    test_must(lw_store_set(to, b, LW_SCALAR, (const float[]){0}));
}

static void set_identity(lw_store *to, int block, int64_t channels)
{
    char name[64];
    lw_tensor *w = lw_tensor_create(LW_SHAPE(channels, channels, 1, 1)),
              *b = lw_tensor_create(LW_SHAPE(channels));
    for (int64_t i = 0; i < channels; i++)
        w->data[i * channels + i] = 1;
    snprintf(name, sizeof name, "block%d/c_sc/W", block);
    test_must(lw_store_set(to, name, w->shape, w->data));
    snprintf(name, sizeof name, "block%d/c_sc/b", block);
    test_must(lw_store_set(to, name, b->shape, b->data));
    lw_tensor_destroy(w);
    lw_tensor_destroy(b);
}

static lw_store *as_chainer(fixture *f, int64_t classes, const char *last)
{
    lw_store *to = lw_store_create();
    char from[64], name[64];
    copy(f, to, "model.0.weight", "l1/W");
    copy(f, to, "model.0.bias", "l1/b");
    for (int block = 2; block < 5; block++) {
        for (int i = 1; i <= 2; i++) {
            snprintf(from, sizeof from, "model.%d.conv%d.weight", block, i),
                snprintf(name, sizeof name, "block%d/c%d/W", block, i);
            copy(f, to, from, name);
            snprintf(from, sizeof from, "model.%d.conv%d.bias", block, i),
                snprintf(name, sizeof name, "block%d/c%d/b", block, i);
            copy(f, to, from, name);
            snprintf(from, sizeof from, "model.%d.model.%d", block, i == 1 ? 0 : 4),
                snprintf(name, sizeof name, "block%d/b%d", block, i);
            copy_norm(f, to, from, name, classes);
        }
        set_identity(to, block, 16);
    }
    copy_norm(f, to, "model.5", "b5", 0);
    snprintf(name, sizeof name, "%s/W", last);
    copy(f, to, "model.7.weight", name);
    snprintf(name, sizeof name, "%s/b", last);
    copy(f, to, "model.7.bias", name);
    return to;
}

static void check_chainer(int64_t classes, const char *last, const char *const *with)
{
    fixture f;
    fixture_open(&f, "sngan", "native");
    lw_store *weights = f.weights;
    f.weights = as_chainer(&f, classes, last);
    fixture_part(&f, LW_PART_GENERATOR, "generator/sngan", NULL, with);
    assert_int_equal(lw_model_dim(f.model, "classes"), classes);
    lw_graph *g = lw_graph_create();
    const fixture_check image = {"image", lw_generate(g, f.model, fixture_constant(&f, g, "z")),
                                 FIXTURE_IMAGE};
    fixture_run(&f, g, &image, 1);
    lw_graph_destroy(g);
    lw_store_destroy(weights);
    fixture_close(&f);
}

static void official_names_give_the_same_images(void **state)
{
    (void)state;
    check_chainer(0, "c5", NULL);
    check_chainer(0, "l5", NULL);
}

static void a_class_chooses_its_gains_and_biases(void **state)
{
    (void)state;
    const char *with[] = {"class=2", NULL};
    check_chainer(3, "c5", with);
}

/* --- mimicry ------------------------------------------------------------------------------------------ */

/* Of one block with nothing in its main path, what is left is the shortcut: the dense map, bilinearly
 * enlarged. */
static void mimicry_enlarges_bilinearly(void **state)
{
    (void)state;
    static const char *const with[] = {"layout=mimicry", "widths=[1, 1]", "z_dim=1", "channels=1", NULL};
    static const float zeros[9] = {0}, one = 1;
    float map[16];
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/sngan", with);
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    for (int i = 0; i < 16; i++)
        map[i] = (float)((i * 7) % 16);
    test_must(lw_store_set(store, "l1.weight", LW_SHAPE(16, 1), (const float[16]){0}));
    test_must(lw_store_set(store, "l1.bias", LW_SHAPE(16), map));
    test_must(lw_store_set(store, "block2.c2.weight", LW_SHAPE(1, 1, 3, 3), zeros));
    test_must(lw_store_set(store, "block2.c_sc.weight", LW_SHAPE(1, 1, 1, 1), &one));
    lw_graph *g = lw_graph_create();
    lw_generate(g, model, lw_fill(g, LW_SHAPE(1, 1), 0));
    lw_output(g, "block0", lw_tap_value(g, "m.generator/block0"));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_run(program));
    lw_tensor *got = lw_program_read_tensor(program, "block0");
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            /* align_corners false: pixel y lies at (y + 0.5) / 2 - 0.5, kept within the map */
            double v = y / 2.0 - 0.25, u = x / 2.0 - 0.25;
            v = v < 0 ? 0 : v, u = u < 0 ? 0 : u;
            int y0 = (int)v, x0 = (int)u, y1 = y0 < 3 ? y0 + 1 : 3, x1 = x0 < 3 ? x0 + 1 : 3;
            double above = map[y0 * 4 + x0] * (1 - (u - x0)) + map[y0 * 4 + x1] * (u - x0);
            double below = map[y1 * 4 + x0] * (1 - (u - x0)) + map[y1 * 4 + x1] * (u - x0);
            assert_float_equal(got->data[y * 8 + x], above * (1 - (v - y0)) + below * (v - y0), 1e-4);
        }
    lw_tensor_destroy(got);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lw_device_close(device);
}

/* sn_resnet64 of GANLatentDiscovery's configurations, whose shortcuts have 3x3 convolutions. */
static void the_64_pixel_configuration_builds(void **state)
{
    (void)state;
    static const char *const with[] = {"widths=[1024, 512, 256, 128, 64]", NULL};
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/sngan", with);
    lw_shape shape;
    test_must(lw_store_shape(lw_model_store(model, LW_PART_GENERATOR), "model.2.bypass.1.weight", &shape));
    assert_true(lw_shape_equal(shape, LW_SHAPE(512, 1024, 3, 3)));
    assert_int_equal(lw_model_dim(model, "height"), 64);
    lwi_model_destroy(model);
}

/* --- the official discriminator ------------------------------------------------------------------------ */

/* Spectral normalisation takes the size of a weight away, and labels choose a row of the embedding. */
static void weights_sizes_do_not_change_the_scores(void **state)
{
    (void)state;
    static const char *const with[] = {"size=8",    "widths=[4, 4, 6]", "halves=[1, 0, 1]",
                                       "classes=3", "class=1",          NULL};
    static const float second[] = {0, 1, 0, 0, 1, 0};
    float pixels[2 * 3 * 8 * 8];
    for (int i = 0; i < 2 * 3 * 8 * 8; i++)
        pixels[i] = sinf((float)i * 0.37f);
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_model *model = test_model("m", LW_PART_DISCRIMINATOR, "discriminator/sngan", with);
    lw_store *store = lw_model_store(model, LW_PART_DISCRIMINATOR);
    float scores[3][2];
    for (int run = 0; run < 2; run++) {
        lw_graph *g = lw_graph_create();
        lw_value image = lw_constant(g, LW_SHAPE(2, 3, 8, 8), pixels);
        lw_output(g, "score", lw_discriminate(g, model, image));
        lw_value labels = lw_constant(g, LW_SHAPE(2, 3), second);
        lw_output(g, "labelled", lw_discriminate(g, model, image, .labels = labels));
        test_must(lw_graph_status(g));
        lw_program *program = lw_compile(g, device);
        if (!program)
            fail_msg("%s", lw_error_text());
        test_must(lw_program_run(program));
        test_must(lw_program_read(program, "score", scores[run], 2));
        test_must(lw_program_read(program, "labelled", scores[2], 2));
        for (int i = 0; i < 2; i++)
            assert_float_equal(scores[run][i], scores[2][i], 1e-5);
        lw_program_destroy(program);
        lw_graph_destroy(g);
        for (size_t i = 0; run == 0 && i < lw_store_count(store); i++) {
            const char *name = lw_store_name(store, i);
            if (name[strlen(name) - 1] != 'W')
                continue;
            lw_tensor *larger = lw_tensor_copy(lw_store_get(store, name));
            for (int64_t k = 0; k < lw_shape_count(larger->shape); k++)
                larger->data[k] *= 3;
            test_must(lw_store_set(store, name, larger->shape, larger->data));
            lw_tensor_destroy(larger);
        }
    }
    for (int i = 0; i < 2; i++)
        assert_float_equal(scores[0][i], scores[1][i], 1e-4);
    assert_true(fabsf(scores[0][0] - scores[0][1]) > 1e-3f);
    /* Found again by keys and shapes. */
    lw_model *found = lwi_model_create("found");
    static const char *const size[] = {"size=8", NULL};
    test_must(lwi_model_set_part(found, LW_PART_DISCRIMINATOR, test_plugin("discriminator/sngan"),
                                 test_args("discriminator/sngan", size), store, NULL, 0));
    assert_int_equal(lw_model_dim(found, "classes"), 3);
    lwi_model_destroy(found);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latent_discovery_matches),
        cmocka_unit_test(latent_discovery_matches_on_clblast),
        cmocka_unit_test(official_names_give_the_same_images),
        cmocka_unit_test(a_class_chooses_its_gains_and_biases),
        cmocka_unit_test(mimicry_enlarges_bilinearly),
        cmocka_unit_test(the_64_pixel_configuration_builds),
        cmocka_unit_test(weights_sizes_do_not_change_the_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
