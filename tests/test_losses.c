/* test_losses.c — the loss plugins: values computed by hand, gradients against finite differences. */
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

static lw_device *device;

static lw_model *find_model(void *user, const char *name)
{
    (void)name;
    return user;
}

/* The loss plugin on values, with the model for its MODEL parameters and its own. */
static lw_value build(lw_graph *g, const char *id, lw_args *args, lw_model *model,
                      const lw_named_value *values, int count)
{
    lw_loss_inputs inputs = {
        .values = values, .count = count, .model = model, .find = find_model, .user = model};
    return lwi_loss_build(g, test_plugin(id), args, &inputs);
}

static float run(lw_graph *g, lw_value value)
{
    float result;
    lw_output(g, "value", value);
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "value", &result, 1));
    lw_program_destroy(program);
    return result;
}

/* The generator's side (real NULL) or the discriminator's on two scores each. */
static float adversarial(const char *form, const float *real, const float *fake)
{
    char setting[64];
    snprintf(setting, sizeof setting, "form=%s", form);
    const char *with[] = {setting, NULL};
    lw_args *args = test_args("loss/adversarial", with);
    const char *critic[] = {"width=4", "depth=1", NULL};
    lw_model *model = test_model("faces", LW_PART_DISCRIMINATOR, "discriminator/dcgan", critic);
    lw_graph *g = lw_graph_create();
    lw_named_value values[3] = {{"fake", lw_constant(g, LW_SHAPE(2, 1), fake)},
                                {"images", lw_fill(g, LW_SHAPE(2, 3, 8, 8), 0)}}; /* offered, not looked at */
    if (real)
        values[2] = (lw_named_value){"real", lw_constant(g, LW_SHAPE(2, 1), real)};
    float result = run(g, build(g, "loss/adversarial", args, model, values, real ? 3 : 2));
    lw_graph_destroy(g);
    lwi_model_destroy(model);
    lwi_args_destroy(args);
    return result;
}

static double softplus(double x)
{
    return log1p(exp(x));
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void adversarial_generator_forms(void **state)
{
    (void)state;
    const float s[] = {0.5f, -1.5f};
    assert_float_equal(adversarial("non-saturating", NULL, s), (softplus(-0.5) + softplus(1.5)) / 2, 1e-6);
    assert_float_equal(adversarial("saturating", NULL, s), -(softplus(0.5) + softplus(-1.5)) / 2, 1e-6);
    assert_float_equal(adversarial("wasserstein", NULL, s), 0.5, 1e-6);
    assert_float_equal(adversarial("hinge", NULL, s), 0.5, 1e-6);
    assert_float_equal(adversarial("probability", NULL, s), -(sigmoid(0.5) + sigmoid(-1.5)) / 2, 1e-6);
}

static void adversarial_discriminator_forms(void **state)
{
    (void)state;
    const float real[] = {2, 0.25f}, fake[] = {0.5f, -1.5f};
    double bce = (softplus(-2) + softplus(-0.25) + softplus(0.5) + softplus(-1.5)) / 2;
    assert_float_equal(adversarial("non-saturating", real, fake), bce, 1e-6);
    assert_float_equal(adversarial("saturating", real, fake), bce, 1e-6);
    assert_float_equal(adversarial("wasserstein", real, fake), -0.5 - 1.125, 1e-6);
    assert_float_equal(adversarial("hinge", real, fake), (0 + 0.75) / 2 + (1.5 + 0) / 2, 1e-6);
    double p = (sigmoid(0.5) + sigmoid(-1.5) - sigmoid(2) - sigmoid(0.25)) / 2;
    assert_float_equal(adversarial("probability", real, fake), p, 1e-6);
}

/* Two walks of three points in two dimensions. */
static const float walks[12] = {0, 0, 1, 0, 1, 2, 5, 5, 5, 5, 4, 4};

static const float pictures[12] = {1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3};

static float smoothness(const char *setting)
{
    const char *with[] = {setting, NULL};
    lw_args *args = test_args("loss/smoothness", with);
    lw_graph *g = lw_graph_create();
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)},
                                     {"images", lw_constant(g, LW_SHAPE(6, 1, 1, 2), pictures)}};
    float result = run(g, build(g, "loss/smoothness", args, NULL, values, 2));
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    return result;
}

static void smoothness_sums_squared_steps_per_walk(void **state)
{
    (void)state;
    assert_float_equal(smoothness("reduction=sum"), (1 + 4 + 0 + 2) / 2.0, 1e-6);
}

static void smoothness_mean_is_over_steps_and_components(void **state)
{
    (void)state;
    assert_float_equal(smoothness("reduction=mean"), (1 + 4 + 0 + 2) / 8.0, 1e-6);
}

static float hypersphere(const char *setting)
{
    const float z[] = {3, 0, 0, 4, 0, 0, 0, 1};
    const char *with[] = {setting, NULL};
    lw_args *args = test_args("loss/hypersphere", with);
    lw_graph *g = lw_graph_create();
    const lw_named_value value = {"latents", lw_constant(g, LW_SHAPE(2, 4), z)};
    float result = run(g, build(g, "loss/hypersphere", args, NULL, &value, 1));
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    return result;
}

static void hypersphere_measures_from_the_root_of_the_dimension(void **state)
{
    (void)state;
    assert_float_equal(hypersphere("form=squared"), (9 + 1) / 2.0, 1e-5); /* norms 5 and 1, radius 2 */
    assert_float_equal(hypersphere("form=absolute"), (3 + 1) / 2.0, 1e-5);
}

static void smoothness_of_images_takes_their_steps(void **state)
{
    (void)state;
    assert_float_equal(smoothness("of=images"), (1 + 0 + 4 + 9) / 2.0, 1e-6);
}

static void diversity_of_ends_takes_first_and_last(void **state)
{
    (void)state;
    const char *with[] = {"pairs=ends", NULL};
    lw_args *args = test_args("loss/diversity", with);
    lw_graph *g = lw_graph_create();
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)},
                                     {"images", lw_constant(g, LW_SHAPE(6, 1, 1, 2), pictures)}};
    assert_float_equal(run(g, build(g, "loss/diversity", args, NULL, values, 2)), -(1 + 0 + 4 + 9) / 4.0,
                       1e-6);
    lw_graph_destroy(g);
    lwi_args_destroy(args);
}

static void diversity_is_minus_the_mean_pairwise_difference(void **state)
{
    (void)state;
    float images[6 * 3 * 2 * 2];
    lw_normal((lw_stream){.seed = 3}, 0, 72, images);
    double expected = 0; /* walks 2, points 3, pairs 3, pixels 12 */
    for (int w = 0; w < 2; w++)
        for (int i = 0; i < 3; i++)
            for (int j = i + 1; j < 3; j++)
                for (int p = 0; p < 12; p++) {
                    double d = (double)images[(w * 3 + i) * 12 + p] - images[(w * 3 + j) * 12 + p];
                    expected -= d * d / (2 * 3 * 12);
                }
    lw_args *args = test_args("loss/diversity", NULL);
    lw_graph *g = lw_graph_create();
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)},
                                     {"images", lw_constant(g, LW_SHAPE(6, 3, 2, 2), images)}};
    assert_float_equal(run(g, build(g, "loss/diversity", args, NULL, values, 2)), expected, 1e-5);
    lw_graph_destroy(g);
    lwi_args_destroy(args);
}

static void a_walk_of_one_point_is_refused(void **state)
{
    (void)state;
    lw_args *args = test_args("loss/smoothness", NULL);
    lw_graph *g = lw_graph_create();
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(6, 1, 2), walks)},
                                     {"images", lw_constant(g, LW_SHAPE(6, 1, 1, 2), pictures)}};
    assert_true(lw_is_null(build(g, "loss/smoothness", args, NULL, values, 2)));
    assert_int_equal(lw_graph_status(g), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "at least 2 points"));
    lw_graph_destroy(g);
    lwi_args_destroy(args);
}

/* d loss / d images of a loss on 2 walks of 3 points, against central differences along random directions. */
static void check_gradient(const char *id, const char *const *with, lw_model *model)
{
    enum { COUNT = 6 * 3 * 16 * 16 };
    float *images = lw_alloc(COUNT, sizeof(float)), *direction = lw_alloc(COUNT, sizeof(float));
    lw_normal((lw_stream){.seed = 5}, 0, COUNT, images);
    lw_normal((lw_stream){.seed = 6}, 0, COUNT, direction);
    lw_args *args = test_args(id, with);
    lw_graph *g = lw_graph_create();
    lw_shape shape = LW_SHAPE(6, 3, 16, 16);
    lw_value x = lw_input(g, "x", shape), t = lw_constant(g, shape, direction), dx;
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)}, {"images", x}};
    lw_value loss = build(g, id, args, model, values, 2);
    test_must(lw_gradient(g, loss, (lw_value){0}, &x, 1, &dx));
    lw_output(g, "loss", loss);
    lw_output(g, "slope", lw_sum(g, lw_mul(g, dx, t), LW_ALL_AXES, false));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    float slope, ends[2];
    const double h = 2e-3;
    test_must(lw_program_write(program, "x", images, COUNT));
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "slope", &slope, 1));
    for (int s = 0; s < 2; s++) {
        float *moved = lw_alloc(COUNT, sizeof(float));
        for (int i = 0; i < COUNT; i++)
            moved[i] = (float)(images[i] + (s ? h : -h) * direction[i]);
        test_must(lw_program_write(program, "x", moved, COUNT));
        test_must(lw_program_run(program));
        test_must(lw_program_read(program, "loss", &ends[s], 1));
        lw_free(moved);
    }
    double difference = ((double)ends[1] - ends[0]) / (2 * h);
    if (fabs(difference - slope) > 2e-2 * fabs(slope) + 1e-4)
        fail_msg("%s: gradient says %g, differences say %g", id, slope, difference);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    lw_free(images);
    lw_free(direction);
}

static void gradients_agree_with_differences(void **state)
{
    (void)state;
    const char *cnn[] = {"widths=[4, 8]", "side=16", "outputs=3", NULL};
    lw_model *judge = test_model("judge", LW_PART_NETWORK, "network/cnn", cnn);
    const char *critic[] = {"width=4", "depth=1", NULL};
    test_model_part(judge, LW_PART_DISCRIMINATOR, "discriminator/dcgan", critic);
    const char *classifier[] = {"network=judge", "output=2", NULL};
    const char *contrastive[] = {"network=judge", "form=contrastive", NULL};
    const char *ends[] = {"pairs=ends", NULL}, *of_images[] = {"of=images", NULL};
    check_gradient("loss/smoothness", of_images, judge);
    check_gradient("loss/diversity", ends, judge);
    check_gradient("loss/diversity", NULL, judge);
    check_gradient("loss/adversarial", NULL, judge);
    check_gradient("loss/attribute", classifier, judge);
    check_gradient("loss/attribute", contrastive, judge);
    lwi_model_destroy(judge);
}

static void attribute_refuses_an_output_the_network_lacks(void **state)
{
    (void)state;
    const char *cnn[] = {"widths=[4]", "side=16", "outputs=3", NULL};
    lw_model *judge = test_model("judge", LW_PART_NETWORK, "network/cnn", cnn);
    const char *with[] = {"network=judge", "output=3", NULL};
    lw_args *args = test_args("loss/attribute", with);
    lw_graph *g = lw_graph_create();
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)},
                                     {"images", lw_fill(g, LW_SHAPE(6, 3, 16, 16), 0)}};
    build(g, "loss/attribute", args, judge, values, 2);
    assert_int_equal(lw_graph_status(g), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "0 to 2"));
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    lwi_model_destroy(judge);
}

static double attribute_loss(lw_model *judge, const char *output)
{
    char setting[64];
    snprintf(setting, sizeof setting, "output=%s", output);
    const char *with[] = {"network=judge", setting, NULL};
    lw_args *args = test_args("loss/attribute", with);
    lw_graph *g = lw_graph_create();
    float *images = lw_alloc(6 * 3 * 256, sizeof *images);
    lw_normal((lw_stream){.seed = 3}, 0, 6 * 3 * 256, images);
    const lw_named_value values[] = {{"latents", lw_constant(g, LW_SHAPE(2, 3, 2), walks)},
                                     {"images", lw_constant(g, LW_SHAPE(6, 3, 16, 16), images)}};
    lw_output(g, "loss", build(g, "loss/attribute", args, judge, values, 2));
    lw_program *program = lw_graph_status(g) == LW_OK ? lw_compile(g, device) : NULL;
    float loss = NAN;
    if (program) {
        test_must(lw_program_run(program));
        test_must(lw_program_read(program, "loss", &loss, 1));
    }
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    lw_free(images);
    return (double)loss;
}

/* A fresh network of labels is about undecided, as a logit 0 and not as a probability 1/2: the mean
 * cross-entropy of a ramp 0, 1/2, 1 with it is log 2. */
static void attribute_finds_outputs_by_label_and_takes_their_logits(void **state)
{
    (void)state;
    const char *resnet[] = {"labels=[Male, Smiling]", "widths=[4, 4]", "blocks=[0, 1]", "side=16", NULL};
    lw_model *judge = test_model("judge", LW_PART_NETWORK, "network/resnet", resnet);
    double smiling = attribute_loss(judge, "Smiling");
    assert_true(fabs(smiling - log(2)) < 0.02);
    assert_true(smiling == attribute_loss(judge, "1") && smiling != attribute_loss(judge, "Male"));
    assert_true(isnan(attribute_loss(judge, "Smilin")));
    assert_non_null(strstr(lw_error_text(), "did you mean 'Smiling'?"));
    lwi_model_destroy(judge);
}

static int open_device(void **state)
{
    (void)state;
    device = lw_device_open("cpu", "native");
    return device ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    lw_device_close(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adversarial_generator_forms),
        cmocka_unit_test(adversarial_discriminator_forms),
        cmocka_unit_test(smoothness_sums_squared_steps_per_walk),
        cmocka_unit_test(smoothness_mean_is_over_steps_and_components),
        cmocka_unit_test(hypersphere_measures_from_the_root_of_the_dimension),
        cmocka_unit_test(smoothness_of_images_takes_their_steps),
        cmocka_unit_test(diversity_of_ends_takes_first_and_last),
        cmocka_unit_test(diversity_is_minus_the_mean_pairwise_difference),
        cmocka_unit_test(a_walk_of_one_point_is_refused),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(attribute_refuses_an_output_the_network_lacks),
        cmocka_unit_test(attribute_finds_outputs_by_label_and_takes_their_logits),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
