/* test_perceptual.c — the distance recomputed in double precision from the taps' values, its gradient against
 * differences, and what cannot be compared. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugin/args.h"
#include "plugins.h"

#include <math.h>
#include <string.h>

enum { N = 2, SIDE = 16, PIXELS = 3 * SIDE * SIDE, COUNT = N * PIXELS };

typedef struct bench {
    lw_device *device;
    lw_model *judge; /* a network and a discriminator */
    float images[COUNT], targets[COUNT];
} bench;

static lw_model *find_model(void *user, const char *name)
{
    (void)name;
    return user;
}

static lw_value build(bench *b, lw_graph *g, const char *const *with, lw_model *own, lw_value images)
{
    lw_args *args = test_args("loss/perceptual", with);
    const lw_named_value values[] = {{"images", images},
                                     {"targets", lw_constant(g, LW_SHAPE(N, 3, SIDE, SIDE), b->targets)}};
    lw_loss_inputs inputs = {
        .values = values, .count = 2, .model = own, .find = find_model, .user = b->judge};
    lw_value loss = lwi_loss_build(g, test_plugin("loss/perceptual"), args, &inputs);
    lwi_args_destroy(args);
    return loss;
}

static lw_program *compile(bench *b, lw_graph *g)
{
    lw_program *program = lw_compile(g, b->device);
    if (!program)
        fail_msg("%s", lw_error_text());
    lw_graph_destroy(g);
    return program;
}

static double loss_of(bench *b, const char *const *with, lw_model *own)
{
    float value;
    lw_graph *g = lw_graph_create();
    lw_output(g, "loss", build(b, g, with, own, lw_constant(g, LW_SHAPE(N, 3, SIDE, SIDE), b->images)));
    lw_program *program = compile(b, g);
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "loss", &value, 1));
    lw_program_destroy(program);
    return (double)value;
}

/* [N, C, P] of a tap of the network or, with `part` that, the discriminator */
static lw_tensor *tap_of(bench *b, lw_part part, const char *tap, const float *pictures)
{
    lw_graph *g = lw_graph_create();
    lw_value x = lw_constant(g, LW_SHAPE(N, 3, SIDE, SIDE), pictures);
    part == LW_PART_NETWORK ? lw_apply(g, b->judge, x) : lw_discriminate(g, b->judge, x);
    lw_value value = lw_part_tap(g, b->judge, part, tap);
    lw_output(g, "tap", lw_reshape(g, value, LW_SHAPE(N, lw_dim(g, value, 1), -1)));
    lw_program *program = compile(b, g);
    test_must(lw_program_run(program));
    lw_tensor *result = lw_program_read_tensor(program, "tap");
    lw_program_destroy(program);
    return result;
}

/* The length over the channels of picture n at pixel p; 1 where features are taken as they are. */
static double length_at(const lw_tensor *t, int64_t n, int64_t p, bool normalise)
{
    const int64_t c = t->shape.dim[1], pixels = t->shape.dim[2];
    double sum = 0;
    for (int64_t i = 0; normalise && i < c; i++)
        sum += pow((double)t->data[(n * c + i) * pixels + p], 2);
    return normalise ? sqrt(sum) + 1e-10 : 1;
}

/* LPIPS' arithmetic without learned weights, or Diamond in the rough's: means of absolute differences. */
static double reference(const lw_tensor *a, const lw_tensor *b, bool normalise, bool l1, bool mean)
{
    const int64_t c = a->shape.dim[1], pixels = a->shape.dim[2];
    double sum = 0;
    for (int64_t n = 0; n < N; n++)
        for (int64_t p = 0; p < pixels; p++) {
            double la = length_at(a, n, p, normalise), lb = length_at(b, n, p, normalise);
            for (int64_t i = 0; i < c; i++) {
                int64_t at = (n * c + i) * pixels + p;
                double d = a->data[at] / la - b->data[at] / lb;
                sum += l1 ? fabs(d) : d * d;
            }
        }
    return sum / (double)(N * pixels * (mean ? c : 1));
}

static double expected(bench *b, lw_part part, const char *tap, bool normalise, bool l1, bool mean)
{
    lw_tensor *seen = tap_of(b, part, tap, b->images), *wanted = tap_of(b, part, tap, b->targets);
    double result = reference(seen, wanted, normalise, l1, mean);
    lw_tensor_destroy(seen);
    lw_tensor_destroy(wanted);
    return result;
}

static void near(double found, double wanted)
{
    if (!(fabs(found - wanted) <= 1e-5 * fabs(wanted)))
        fail_msg("%.8g, not %.8g", found, wanted);
}

static void maps_of_a_network_are_compared_as_lpips_does(void **state)
{
    bench *b = *state;
    double first = expected(b, LW_PART_NETWORK, "block0", true, false, false),
           second = expected(b, LW_PART_NETWORK, "block1", true, false, false);
    near(loss_of(b, (const char *[]){"network=judge", "taps=[block0, block1]", NULL}, NULL), first + second);
    near(loss_of(b, (const char *[]){"network=judge", "taps=[block0, block1]", "weights=[0.5, 3]", NULL},
                 NULL),
         0.5 * first + 3 * second);
}

static void features_of_a_discriminator_are_compared_as_in_diamond_in_the_rough(void **state)
{
    bench *b = *state;
    double wanted = expected(b, LW_PART_DISCRIMINATOR, "features", false, true, true);
    const char *by_name[] = {"discriminator=judge", "taps=[features]", "distance=l1",
                             "normalise=false",     "channels=mean",   NULL};
    near(loss_of(b, by_name, NULL), wanted);
    near(loss_of(b, by_name + 1, b->judge), wanted); /* that of the method's own model */
}

static void pixels_need_no_one_to_look(void **state)
{
    bench *b = *state;
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += fabs((double)b->images[i] - b->targets[i]);
    near(loss_of(b,
                 (const char *[]){"taps=[pixels]", "distance=l1", "normalise=false", "channels=mean", NULL},
                 NULL),
         sum / COUNT);
}

/* Along the gradient itself, where the slope is largest. */
static void check_gradient(bench *b, const char *const *with)
{
    const double h = 0.02;
    static float gradient[COUNT], moved[COUNT];
    float ends[2];
    double length = 0;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(N, 3, SIDE, SIDE)), loss = build(b, g, with, NULL, x), dx;
    test_must(lw_gradient(g, loss, (lw_value){0}, &x, 1, &dx));
    lw_output(g, "loss", loss);
    lw_output(g, "gradient", dx);
    lw_program *program = compile(b, g);
    test_must(lw_program_write(program, "x", b->images, COUNT));
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "gradient", gradient, COUNT));
    for (int i = 0; i < COUNT; i++)
        length += (double)gradient[i] * gradient[i];
    length = sqrt(length);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < COUNT; i++)
            moved[i] = (float)(b->images[i] + (s ? h : -h) * gradient[i] / length);
        test_must(lw_program_write(program, "x", moved, COUNT));
        test_must(lw_program_run(program));
        test_must(lw_program_read(program, "loss", &ends[s], 1));
    }
    lw_program_destroy(program);
    double difference = ((double)ends[1] - ends[0]) / (2 * h);
    if (!(fabs(difference - length) <= 2e-3 * length))
        fail_msg("%s: gradient says %g, differences say %g", with[1], length, difference);
}

static void gradients_agree_with_differences(void **state)
{
    bench *b = *state;
    check_gradient(b, (const char *[]){"network=judge", "taps=[block0, block1, pixels]", NULL});
    check_gradient(b, (const char *[]){"discriminator=judge", "taps=[block0, features]", "distance=l1",
                                       "normalise=false", "channels=mean", NULL});
}

/* Where all features are zero, their direction has no meaning, and the slope is still a number. */
static void the_slope_at_zero_features_is_finite(void **state)
{
    bench *b = *state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_fill(g, LW_SHAPE(N, 3, SIDE, SIDE), 0), dx;
    lw_value loss = build(b, g, (const char *[]){"taps=[pixels]", NULL}, NULL, x);
    test_must(lw_gradient(g, loss, (lw_value){0}, &x, 1, &dx));
    lw_output(g, "dx", dx);
    lw_program *program = compile(b, g);
    static float slope[COUNT];
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "dx", slope, COUNT));
    for (int i = 0; i < COUNT; i++)
        assert_true(isfinite(slope[i]));
    lw_program_destroy(program);
}

static void must_fail(bench *b, const char *const *with, lw_model *own, const char *message)
{
    lw_graph *g = lw_graph_create();
    build(b, g, with, own, lw_fill(g, LW_SHAPE(N, 3, SIDE, SIDE), 0));
    assert_int_not_equal(lw_graph_status(g), LW_OK);
    if (!strstr(lw_error_text(), message))
        fail_msg("'%s' does not say '%s'", lw_error_text(), message);
    lw_graph_destroy(g);
}

static void what_cannot_be_compared_is_refused(void **state)
{
    bench *b = *state;
    must_fail(b, (const char *[]){"network=judge", "taps=[block7]", NULL}, NULL,
              "the network of model 'judge' has no tap 'block7'; it has block0, block1, features");
    must_fail(b, (const char *[]){"taps=[block7]", NULL}, b->judge,
              "the discriminator of model 'judge' has no tap 'block7'; it has block0, block1, features");
    must_fail(b, (const char *[]){"taps=[block0, block1]", "weights=[1]", NULL}, b->judge,
              "2 `taps` and 1 `weights`");
}

static int open(void **state)
{
    static bench b;
    b.device = lw_device_open("cpu", "native");
    const char *cnn[] = {"widths=[4, 8]", "side=16", "outputs=3", NULL},
               *critic[] = {"width=4", "depth=1", NULL};
    b.judge = test_model("judge", LW_PART_NETWORK, "network/cnn", cnn);
    test_model_part(b.judge, LW_PART_DISCRIMINATOR, "discriminator/dcgan", critic);
    lw_normal((lw_stream){.seed = 5}, 0, COUNT, b.images);
    lw_normal((lw_stream){.seed = 6}, 0, COUNT, b.targets);
    *state = &b;
    return b.device ? 0 : -1;
}

static int close(void **state)
{
    bench *b = *state;
    lwi_model_destroy(b->judge);
    lw_device_close(b->device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_a_network_are_compared_as_lpips_does),
        cmocka_unit_test(features_of_a_discriminator_are_compared_as_in_diamond_in_the_rough),
        cmocka_unit_test(pixels_need_no_one_to_look),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(the_slope_at_zero_features_is_finite),
        cmocka_unit_test(what_cannot_be_compared_is_refused),
    };
    return cmocka_run_group_tests(tests, open, close);
}
