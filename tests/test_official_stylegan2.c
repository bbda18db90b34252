/* test_official_stylegan2.c — the losses of a StyleGAN2's training and their gradients by all weights, next
 * to those of the official code: StyleGAN2Loss.accumulate_gradients of NVlabs/stylegan2-ada-pytorch d72cc7d0
 * (training/loss.py), run once in float32 by PyTorch 1.13 on the weights, latents and images made here
 * (style_mixing_prob 0, r1_gamma 10, and the noise of path length made here too).
 *
 * Of each gradient the table holds its length and its product with cos(1), cos(2), …; strengths of noise are
 * left out. */
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

typedef struct row {
    const char *weight;
    double length, product;
} row;

static const row generator[] = {
    {"synthesis.b4.const", 0.109181, 0.03286732},
    {"synthesis.b4.conv1.weight", 0.1183202, -0.01800342},
    {"synthesis.b4.conv1.bias", 0.2683919, 0.5903779},
    {"synthesis.b4.conv1.affine.weight", 0.1004246, 0.02492004},
    {"synthesis.b4.conv1.affine.bias", 0.09206518, -0.1035258},
    {"synthesis.b4.torgb.weight", 0.1904839, 0.02012765},
    {"synthesis.b4.torgb.bias", 0.1704145, 0.1665039},
    {"synthesis.b4.torgb.affine.weight", 0.1379446, 0.1287213},
    {"synthesis.b4.torgb.affine.bias", 0.1520192, 0.1791749},
    {"synthesis.b8.conv0.weight", 0.09812687, -0.06279838},
    {"synthesis.b8.conv0.bias", 0.147345, -0.1756997},
    {"synthesis.b8.conv0.affine.weight", 0.06592946, 0.007090615},
    {"synthesis.b8.conv0.affine.bias", 0.03851148, 0.007953416},
    {"synthesis.b8.conv1.weight", 0.09592814, 0.04463176},
    {"synthesis.b8.conv1.bias", 0.2209509, 0.2161692},
    {"synthesis.b8.conv1.affine.weight", 0.09089347, -0.06365728},
    {"synthesis.b8.conv1.affine.bias", 0.08230982, -0.05005375},
    {"synthesis.b8.torgb.weight", 0.1292244, 0.07138771},
    {"synthesis.b8.torgb.bias", 0.1870695, 0.1794137},
    {"synthesis.b8.torgb.affine.weight", 0.1231353, -0.07615826},
    {"synthesis.b8.torgb.affine.bias", 0.09048416, 0.05878807},
    {"mapping.fc0.weight", 0.001972163, -0.000562742},
    {"mapping.fc0.bias", 0.001995351, 0.0004028536},
    {"mapping.fc1.weight", 0.001910169, -0.0009717033},
    {"mapping.fc1.bias", 0.001709867, 0.0009317425},
};

static const row path_length[] = {
    {"synthesis.b4.const", 0.8504122, 0.3417352},
    {"synthesis.b4.conv1.weight", 0.883422, -0.5327371},
    {"synthesis.b4.conv1.bias", 1.294664, 1.27107},
    {"synthesis.b4.conv1.affine.weight", 0.6565778, 0.7875173},
    {"synthesis.b4.conv1.affine.bias", 0.5080569, -0.240041},
    {"synthesis.b4.torgb.weight", 1.001414, -0.390064},
    {"synthesis.b4.torgb.bias", 0, 0},
    {"synthesis.b4.torgb.affine.weight", 0.6935299, -0.1890407},
    {"synthesis.b4.torgb.affine.bias", 0.4644218, 0.3158304},
    {"synthesis.b8.conv0.weight", 0.3423445, 0.1050614},
    {"synthesis.b8.conv0.bias", 0.3580913, -0.2409641},
    {"synthesis.b8.conv0.affine.weight", 0.2705733, -0.09282511},
    {"synthesis.b8.conv0.affine.bias", 0.166806, -0.05891856},
    {"synthesis.b8.conv1.weight", 0.3944407, 0.0516333},
    {"synthesis.b8.conv1.bias", 0.4494798, 0.1366363},
    {"synthesis.b8.conv1.affine.weight", 0.1675128, 0.04690877},
    {"synthesis.b8.conv1.affine.bias", 0.179027, -0.163905},
    {"synthesis.b8.torgb.weight", 0.4768056, 0.1978334},
    {"synthesis.b8.torgb.bias", 0, 0},
    {"synthesis.b8.torgb.affine.weight", 0.4324865, -0.08050218},
    {"synthesis.b8.torgb.affine.bias", 0.3084974, -0.1481001},
    {"mapping.fc0.weight", 0.009241233, 0.001055592},
    {"mapping.fc0.bias", 0.005896736, 0.0006115944},
    {"mapping.fc1.weight", 0.009297397, 0.004692337},
    {"mapping.fc1.bias", 0.007233749, -0.008162074},
};

static const row discriminator[] = {
    {"b8.fromrgb.weight", 0.1295336, -0.07556203}, {"b8.fromrgb.bias", 0.1502047, -0.1955311},
    {"b8.conv0.weight", 0.1009486, -0.02441535},   {"b8.conv0.bias", 0.1061311, 0.05709762},
    {"b8.conv1.weight", 0.1005349, 0.008860657},   {"b8.conv1.bias", 0.1685446, -0.05953253},
    {"b8.skip.weight", 0.1391674, 0.1633434},      {"b4.conv.weight", 0.1583974, 0.02233824},
    {"b4.conv.bias", 0.3659606, -0.3029517},       {"b4.fc.weight", 0.1497701, -0.03030737},
    {"b4.fc.bias", 0.223351, 0.1326158},           {"b4.out.weight", 0.1386418, -0.1650247},
    {"b4.out.bias", 0.1793255, -0.09688998},
};

static const row r1[] = {
    {"b8.fromrgb.weight", 0.1733751, -0.245361},
    {"b8.fromrgb.bias", 0.002137986, -0.0004003046},
    {"b8.conv0.weight", 0.09759613, -0.02075617},
    {"b8.conv0.bias", 0.0007140165, 0.0009257668},
    {"b8.conv1.weight", 0.09420312, -0.008114995},
    {"b8.conv1.bias", 0.0004795086, 0.0005406647},
    {"b8.skip.weight", 0.1919582, 0.05739548},
    {"b4.conv.weight", 0.1577138, -0.0394177},
    {"b4.conv.bias", 0, 0},
    {"b4.fc.weight", 0.161346, 0.03927028},
    {"b4.fc.bias", 0, 0},
    {"b4.out.weight", 0.2592017, -0.1398774},
    {"b4.out.bias", 0, 0},
};

#define NEAR 2e-4 /* relative to the gradient's length: the official numbers are float32 */

/* Two networks for 8x8 images, freshly made, and what they are trained with. */
typedef struct training {
    lw_graph *g;
    lw_model *model;
    lw_store *state;
    lw_value z, real;
} training;

static lw_value noise(lw_graph *g, lw_shape shape, uint64_t seed)
{
    float data[4 * 3 * 8 * 8];
    lw_normal((lw_stream){.seed = seed}, 0, (size_t)lw_shape_count(shape), data);
    return lw_constant(g, shape, data);
}

static void start(training *t, int64_t latents)
{
    const char *const g[] = {"widths=[16, 8]",   "z_dim=8",         "w_dim=8", "mapping_width=8",
                             "mapping_layers=2", "noise_mode=none", NULL};
    const char *const d[] = {"widths=[16, 8]", NULL};
    *t = (training){.g = lw_graph_create(), .state = lw_store_create()};
    t->model = test_model("faces", LW_PART_GENERATOR, "generator/stylegan2", g);
    test_model_part(t->model, LW_PART_DISCRIMINATOR, "discriminator/stylegan2", d);
    t->z = noise(t->g, LW_SHAPE(latents, 8), 1);
    t->real = noise(t->g, LW_SHAPE(4, 3, 8, 8), 2);
}

static void finish(training *t)
{
    lw_graph_destroy(t->g);
    lwi_model_destroy(t->model);
    lw_store_destroy(t->state);
}

static lw_value make(training *t, bool trainable, lw_value *ws)
{
    const lw_build_options o = {.size = sizeof o, .training = true, .trainable = trainable};
    lw_value w = lw_map_with(t->g, t->model, t->z, &o);
    int64_t n = lw_dim(t->g, w, 0);
    *ws = lw_broadcast(t->g, lw_reshape(t->g, w, LW_SHAPE(n, 1, 8)), LW_SHAPE(n, 4, 8));
    return lw_synthesize_with(t->g, t->model, *ws, &o);
}

static lw_value build(training *t, const char *id, const lw_named_value *values, int count)
{
    lw_args *args = test_args(id, NULL);
    const lw_loss_inputs inputs = {
        .values = values, .count = count, .model = t->model, .state = t->state, .prefix = ""};
    lw_value loss = lwi_loss_build(t->g, test_plugin(id), args, &inputs);
    test_must(lw_graph_status(t->g));
    lwi_args_destroy(args);
    return loss;
}

/* Compares the gradients by the weights of a part; returns the graph's evaluation for further questions. */
static reference *expect_rows(training *t, lw_value loss, lw_part part, const row *rows, size_t count)
{
    reference *r = reference_create(t->g);
    reference_seed(r, 3, 0);
    for (size_t i = 0; i < count; i++) {
        lw_value weight = lw_parameter(t->g, lw_model_store(t->model, part), rows[i].weight), slope;
        test_must(lw_gradient(t->g, loss, (lw_value){0}, &weight, 1, &slope));
        const double *x = reference_value(r, slope);
        double square = 0, product = 0;
        assert_non_null(x);
        for (int64_t k = 0; k < lw_shape_count(lw_shape_of(t->g, slope)); k++) {
            square += x[k] * x[k];
            product += x[k] * cos((double)k + 1);
        }
        double near = NEAR * rows[i].length + 1e-9;
        if (!(fabs(sqrt(square) - rows[i].length) <= near && fabs(product - rows[i].product) <= near))
            fail_msg("%s: length %.7g and product %.7g, officially %.7g and %.7g", rows[i].weight,
                     sqrt(square), product, rows[i].length, rows[i].product);
    }
    return r;
}

#define ROWS(table) table, sizeof table / sizeof *table

static void the_generator_s_step(void **state)
{
    (void)state;
    training t;
    start(&t, 4);
    lw_value ws, images = make(&t, true, &ws);
    const lw_named_value values[] = {{"images", images},
                                     {"fake", lw_discriminate(t.g, t.model, images, .training = true)}};
    reference *r =
        expect_rows(&t, build(&t, "loss/adversarial", values, 2), LW_PART_GENERATOR, ROWS(generator));
    test_must(reference_assign(r)); /* the mean of w */
    const float *mean = lw_store_get(lw_model_store(t.model, LW_PART_GENERATOR), "mapping.w_avg")->data;
    double product = 0;
    for (int k = 0; k < 8; k++)
        product += (double)mean[k] * cos(k + 1.0);
    assert_float_equal(product, 0.004085041, 1e-7);
    reference_destroy(r);
    finish(&t);
}

static void the_generator_s_regulariser(void **state)
{
    (void)state;
    training t;
    start(&t, 2); /* pl_batch_shrink */
    lw_value ws, images = make(&t, true, &ws);
    const lw_named_value values[] = {{"images", images}, {"w+", ws}};
    lw_value loss = lw_affine(t.g, build(&t, "loss/path-length", values, 2), 2, 0);
    reference *r = expect_rows(&t, loss, LW_PART_GENERATOR, ROWS(path_length));
    test_must(reference_assign(r));
    assert_float_equal(lw_store_get(t.state, "mean")->data[0], 0.01024982, 1e-6);
    reference_destroy(r);
    finish(&t);
}

static void the_discriminator_s_step(void **state)
{
    (void)state;
    training t;
    start(&t, 4);
    const lw_build_options score = {.size = sizeof score, .training = true, .trainable = true};
    lw_value ws, fake = lw_stop_gradient(t.g, make(&t, false, &ws));
    const lw_named_value values[] = {{"images", fake},
                                     {"fake", lw_discriminate_with(t.g, t.model, fake, &score)},
                                     {"real", lw_discriminate_with(t.g, t.model, t.real, &score)}};
    reference_destroy(expect_rows(&t, build(&t, "loss/adversarial", values, 3), LW_PART_DISCRIMINATOR,
                                  ROWS(discriminator)));
    finish(&t);
}

static void the_discriminator_s_regulariser(void **state)
{
    (void)state;
    training t;
    start(&t, 4);
    const lw_build_options score = {.size = sizeof score, .training = true, .trainable = true};
    const lw_named_value values[] = {{"real_images", t.real},
                                     {"real", lw_discriminate_with(t.g, t.model, t.real, &score)}};
    reference_destroy(expect_rows(&t, build(&t, "loss/r1", values, 2), LW_PART_DISCRIMINATOR, ROWS(r1)));
    finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_s_step),
        cmocka_unit_test(the_generator_s_regulariser),
        cmocka_unit_test(the_discriminator_s_step),
        cmocka_unit_test(the_discriminator_s_regulariser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
