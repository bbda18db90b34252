/* test_parity_wgangp.c — generator/wgan-gp against numbers of jalola's port: images and features within 1e-4
 * of their standard deviation, gradients within 1e-3, on both back ends; its other layouts, and the
 * critic. */
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
    fixture_open(&f, "wgangp_resnet", blas);
    fixture_part(&f, LW_PART_GENERATOR, "generator/wgan-gp", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z);
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    const fixture_check checks[] = {
        {"image", image, FIXTURE_IMAGE},
        {"feat_rb1", lw_tap_value(g, "wgangp_resnet.generator/rb1"), FIXTURE_IMAGE},
        {"grad_z", gradient, FIXTURE_GRADIENT}};
    fixture_run(&f, g, checks, 3);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void residual_generator_matches(void **state)
{
    (void)state;
    check("native");
}

static void residual_generator_matches_on_clblast(void **state)
{
    (void)state;
    check("clblast");
}

static lw_tensor *run(lw_graph *g, lw_device *device, lw_value value)
{
    lw_output(g, "value", value);
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_run(program));
    lw_tensor *got = lw_program_read_tensor(program, "value");
    lw_program_destroy(program);
    return got;
}

/* --- TensorFlow's names ------------------------------------------------------------------------------- */

/* "rb1.conv_1.conv.conv.weight" [out, in, k, k] as "Generator.Res1.Conv1.Filters" [k, k, in, out], and so
 * on. */
static void set_tf(lw_store *to, const char *name, const lw_tensor *t)
{
    lw_shape s = t->shape;
    lw_shape shape = s.rank == 4   ? LW_SHAPE(s.dim[2], s.dim[3], s.dim[1], s.dim[0])
                     : s.rank == 2 ? LW_SHAPE(s.dim[1], s.dim[0])
                                   : s;
    lw_tensor *made = lw_tensor_create(shape);
    int64_t patch = s.rank == 4 ? s.dim[2] * s.dim[3] : 1, in = s.rank > 1 ? s.dim[1] : 1;
    for (int64_t o = 0; o < s.dim[0]; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t p = 0; p < patch; p++)
                made->data[(p * in + i) * s.dim[0] + o] = t->data[(o * in + i) * patch + p];
    test_must(lw_store_set(to, name, made->shape, made->data));
    lw_tensor_destroy(made);
}

static lw_store *as_tf(fixture *f)
{
    static const char *const names[][2] = {
        {"conv_shortcut.conv.conv.weight", "Shortcut.Filters"},
        {"conv_shortcut.conv.conv.bias", "Shortcut.Biases"},
        {"conv_1.conv.conv.weight", "Conv1.Filters"},
        {"conv_2.conv.weight", "Conv2.Filters"},
        {"conv_2.conv.bias", "Conv2.Biases"},
        {"bn1.weight", "BN1.scale"},
        {"bn1.bias", "BN1.offset"},
        {"bn2.weight", "BN2.scale"},
        {"bn2.bias", "BN2.offset"},
    };
    static const char *const ends[][2] = {{"ln1.weight", "Generator.Input.W"},
                                          {"ln1.bias", "Generator.Input.b"},
                                          {"bn.weight", "Generator.OutputN.scale"},
                                          {"bn.bias", "Generator.OutputN.offset"},
                                          {"conv1.conv.weight", "Generator.Output.Filters"},
                                          {"conv1.conv.bias", "Generator.Output.Biases"}};
    lw_store *to = lw_store_create();
    for (int block = 1; block <= 4; block++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            char from[64], name[64];
            snprintf(from, sizeof from, "rb%d.%s", block, names[i][0]);
            snprintf(name, sizeof name, "Generator.Res%d.%s", block, names[i][1]);
            set_tf(to, name, lw_store_get(f->weights, from));
        }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        set_tf(to, ends[i][1], lw_store_get(f->weights, ends[i][0]));
    return to;
}

/* The official code samples by batch statistics: the port does the same where it is told to. */
static void tensorflow_names_give_the_images_by_batch_statistics(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "wgangp_resnet", "native");
    const char *with[] = {"statistics=batch", NULL};
    fixture_part(&f, LW_PART_GENERATOR, "generator/wgan-gp", NULL, with);
    lw_graph *g = lw_graph_create();
    lw_tensor *port = run(g, f.device, lw_generate(g, f.model, fixture_constant(&f, g, "z")));
    lw_graph_destroy(g);
    lw_store *weights = f.weights;
    f.weights = as_tf(&f);
    fixture_part(&f, LW_PART_GENERATOR, "generator/wgan-gp", NULL, NULL);
    g = lw_graph_create();
    lw_tensor *tf = run(g, f.device, lw_generate(g, f.model, fixture_constant(&f, g, "z")));
    double apart = 0;
    for (int64_t i = 0; i < lw_shape_count(port->shape); i++) {
        assert_float_equal(tf->data[i], port->data[i], 1e-5);
        apart = fmax(apart, fabs(tf->data[i] - fixture_expected(&f, "image")->data[i]));
    }
    assert_true(apart > 0.01); /* running averages give something else */
    lw_tensor_destroy(port);
    lw_tensor_destroy(tf);
    lw_graph_destroy(g);
    lw_store_destroy(weights);
    fixture_close(&f);
}

/* --- models made here ----------------------------------------------------------------------------------- */

/* A saved model is found again by its keys and shapes alone. */
static void check_found_again(const char *id, lw_part part, const char *const *with, const char *dim,
                              int64_t expected)
{
    lw_model *made = test_model("made", part, id, with), *found = lwi_model_create("found");
    test_must(lwi_model_set_part(found, part, test_plugin(id), test_args(id, NULL),
                                 lw_model_store(made, part), NULL, 0));
    assert_int_equal(lw_model_dim(found, dim), expected);
    lwi_model_destroy(made);
    lwi_model_destroy(found);
}

static void every_layout_is_found_by_its_keys(void **state)
{
    (void)state;
    static const char *const jalola[] = {"layout=jalola", "width=4", "bottom=2", NULL};
    static const char *const tf[] = {"layout=tf", "width=4", NULL}, *const cifar[] = {"layout=cifar",
                                                                                      "width=6", NULL};
    check_found_again("generator/wgan-gp", LW_PART_GENERATOR, jalola, "height", 32);
    check_found_again("generator/wgan-gp", LW_PART_GENERATOR, tf, "height", 64);
    check_found_again("generator/wgan-gp", LW_PART_GENERATOR, cifar, "height", 32);
    check_found_again("discriminator/wgan-gp", LW_PART_DISCRIMINATOR, jalola, "height", 32);
    static const char *const critic_tf[] = {"layout=tf", "width=4", NULL};
    check_found_again("discriminator/wgan-gp", LW_PART_DISCRIMINATOR, critic_tf, "height", 64);
}

static void cifar_network_makes_images(void **state)
{
    (void)state;
    static const char *const with[] = {"layout=cifar", "width=6", NULL};
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/wgan-gp", with);
    lw_graph *g = lw_graph_create();
    lw_tensor *image = run(g, device, lw_generate(g, model, lw_random_normal(g, LW_SHAPE(2, 128), "z")));
    assert_true(lw_shape_equal(image->shape, LW_SHAPE(2, 3, 32, 32)));
    for (int64_t i = 0; i < lw_shape_count(image->shape); i++)
        assert_true(fabsf(image->data[i]) <= 1);
    lw_tensor_destroy(image);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lw_device_close(device);
}

/* Why the critic has layer norm: a score is of its image alone. */
static void scores_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    static const char *const with[] = {"width=4", "bottom=2", NULL};
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_model *model = test_model("m", LW_PART_DISCRIMINATOR, "discriminator/wgan-gp", with);
    float pixels[2 * 3 * 32 * 32];
    for (int i = 0; i < 2 * 3 * 32 * 32; i++)
        pixels[i] = sinf((float)i * 0.37f);
    lw_graph *g = lw_graph_create();
    lw_value image = lw_constant(g, LW_SHAPE(2, 3, 32, 32), pixels);
    lw_value both = lw_discriminate(g, model, image);
    lw_value second = lw_discriminate(g, model, lw_slice(g, image, 0, 1, 1, 1));
    lw_tensor *scores = run(g, device, lw_concat(g, (const lw_value[]){both, second}, 2, 0));
    assert_true(lw_shape_equal(scores->shape, LW_SHAPE(3, 1)));
    assert_float_equal(scores->data[1], scores->data[2], 1e-5);
    assert_true(fabsf(scores->data[0] - scores->data[1]) > 1e-4f);
    lw_tensor_destroy(scores);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_generator_matches),
        cmocka_unit_test(residual_generator_matches_on_clblast),
        cmocka_unit_test(tensorflow_names_give_the_images_by_batch_statistics),
        cmocka_unit_test(every_layout_is_found_by_its_keys),
        cmocka_unit_test(cifar_network_makes_images),
        cmocka_unit_test(scores_do_not_depend_on_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
