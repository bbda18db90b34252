/* test_score.c — the two losses of Bounded Local Space's score-driven search: values by hand, gradients
 * against differences, outputs that are not there. */
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

enum { N = 2, SIDE = 16, COUNT = N * 3 * SIDE * SIDE };

static lw_device *device;
static lw_model *judge; /* of two labels: Smiling and age=0..80 */

static lw_model *find_model(void *user, const char *name)
{
    (void)user, (void)name;
    return judge;
}

static lw_value build(lw_graph *g, const char *id, const char *const *with, const lw_named_value *values,
                      int count)
{
    lw_args *args = test_args(id, with);
    lw_loss_inputs inputs = {.values = values, .count = count, .find = find_model};
    lw_value loss = lwi_loss_build(g, test_plugin(id), args, &inputs);
    lwi_args_destroy(args);
    return loss;
}

/* The graph's outputs "loss" and "gradient" at x. */
static double run(lw_program *program, const float *x, int count, float *gradient)
{
    float loss;
    if (!program)
        fail_msg("%s", lw_error_text());
    test_must(lw_program_write(program, "x", x, (size_t)count));
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "loss", &loss, 1));
    if (gradient)
        test_must(lw_program_read(program, "gradient", gradient, (size_t)count));
    return (double)loss;
}

static lw_program *compile(lw_graph *g, lw_value loss, lw_value x)
{
    lw_value gradient;
    lw_gradient(g, loss, (lw_value){0}, &x, 1, &gradient);
    lw_output(g, "loss", loss);
    lw_output(g, "gradient", gradient);
    lw_program *program = lw_compile(g, device);
    lw_graph_destroy(g);
    return program;
}

/* Along the gradient itself, where the slope is largest. ReLUs bend it: small steps. */
static void check_gradient(lw_program *program, const float *x, int count, double h, double tolerance)
{
    static float gradient[COUNT], moved[COUNT];
    double length = 0, ends[2];
    run(program, x, count, gradient);
    for (int i = 0; i < count; i++)
        length += (double)gradient[i] * gradient[i];
    length = sqrt(length);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < count; i++)
            moved[i] = (float)(x[i] + (s ? h : -h) * gradient[i] / length);
        ends[s] = run(program, moved, count, NULL);
    }
    double difference = (ends[1] - ends[0]) / (2 * h);
    if (!(fabs(difference - length) <= tolerance * length))
        fail_msg("gradient says %g, differences say %g", length, difference);
}

static void fill(float *images)
{
    lw_normal((lw_stream){.seed = 5}, 0, COUNT, images);
}

/* What the network says of the images: [N, 2], before the sigmoid where `logits`. */
static lw_tensor *scores(const float *images, bool logits)
{
    lw_graph *g = lw_graph_create();
    lw_value y = lw_apply(g, judge, lw_constant(g, LW_SHAPE(N, 3, SIDE, SIDE), images));
    lw_output(g, "y", logits ? lw_part_tap(g, judge, LW_PART_NETWORK, "logits") : y);
    lw_program *program = lw_compile(g, device);
    lw_graph_destroy(g);
    assert_non_null(program);
    test_must(lw_program_run(program));
    lw_tensor *result = lw_program_read_tensor(program, "y");
    lw_program_destroy(program);
    return result;
}

static void check_score(const char *const *with, const float *images, double expected)
{
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(N, 3, SIDE, SIDE));
    const lw_named_value values[] = {{"images", x}};
    lw_program *program = compile(g, build(g, "loss/score", with, values, 1), x);
    double found = run(program, images, COUNT, NULL);
    if (!(fabs(found - expected) <= 1e-5 * fabs(expected)))
        fail_msg("%.8g, not %.8g", found, expected);
    check_gradient(program, images, COUNT, 1e-3, 2e-3);
    lw_program_destroy(program);
}

/* Mean over images of (E - s)^2, in the label's unit, or of the logit. */
static void a_score_is_led_to_its_target(void **state)
{
    (void)state;
    static float images[COUNT];
    fill(images);
    lw_tensor *said = scores(images, false), *logit = scores(images, true);
    double smile = 0, age = 0, sure = 0;
    for (int n = 0; n < N; n++) {
        smile += pow(said->data[2 * n] - 0.9, 2) / N;
        age += pow(80 * (double)said->data[2 * n + 1] - 20, 2) / N;
        sure += pow(logit->data[2 * n] - 4.0, 2) / N;
    }
    check_score((const char *[]){"network=judge", "output=Smiling", "target=0.9", NULL}, images, smile);
    check_score((const char *[]){"network=judge", "output=age", "target=20", NULL}, images, age);
    check_score((const char *[]){"network=judge", "target=4", "of=logit", NULL}, images, sure);
    lw_tensor_destroy(said);
    lw_tensor_destroy(logit);
}

static void an_output_that_is_not_there_is_refused(void **state)
{
    (void)state;
    static const char *const with[][4] = {{"network=judge", "output=Smilin", "target=1", NULL},
                                          {"network=judge", "output=2", "target=1", NULL}};
    static const char *const said[] = {"did you mean 'Smiling'?", "has no output 2: it has 2 (0 to 1)"};
    for (int i = 0; i < 2; i++) {
        lw_graph *g = lw_graph_create();
        const lw_named_value values[] = {{"images", lw_fill(g, LW_SHAPE(N, 3, SIDE, SIDE), 0)}};
        build(g, "loss/score", with[i], values, 1);
        assert_int_equal(lw_graph_status(g), LW_INVALID);
        assert_non_null(strstr(lw_error_text(), said[i]));
        lw_graph_destroy(g);
    }
}

/* (|w - w0|^2 - d)^2: squared distances 5 and 1 from a wanted 3. */
static void latents_are_led_to_a_distance(void **state)
{
    (void)state;
    const float start[] = {1, 2, 3, 4}, at[] = {2, 4, 3, 3};
    for (int k = 0; k < 2; k++) {
        lw_graph *g = lw_graph_create();
        lw_shape shape = k ? LW_SHAPE(2, 2) : LW_SHAPE(2, 1, 2); /* of z or w, or of w+ */
        lw_value x = lw_input(g, "x", shape);
        const lw_named_value values[] = {{"latents", x}, {"latents0", lw_constant(g, shape, start)}};
        lw_program *program =
            compile(g, build(g, "loss/latent-distance", (const char *[]){"target=3", NULL}, values, 2), x);
        assert_float_equal(run(program, at, 4, NULL), (4 + 4) / 2.0, 1e-6);
        check_gradient(program, at, 4, 1e-2, 1e-3);
        lw_program_destroy(program);
    }
}

static int open(void **state)
{
    (void)state;
    device = lw_device_open("cpu", "native");
    judge = test_model(
        "judge", LW_PART_NETWORK, "network/resnet",
        (const char *[]){"labels=[Smiling, age=0..80]", "widths=[4, 4]", "blocks=[0, 1]", "side=16", NULL});
    /* A fresh network is undecided about everything; this one has opinions. */
    lw_store *weights = lw_model_store(judge, LW_PART_NETWORK);
    float last[2 * 4];
    lw_normal((lw_stream){.seed = 7}, 0, 8, last);
    test_must(lw_store_set(weights, "fc.weight", LW_SHAPE(2, 4), last));
    return device ? 0 : -1;
}

static int close(void **state)
{
    (void)state;
    lwi_model_destroy(judge);
    lw_device_close(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_is_led_to_its_target),
        cmocka_unit_test(an_output_that_is_not_there_is_refused),
        cmocka_unit_test(latents_are_led_to_a_distance),
    };
    return cmocka_run_group_tests(tests, open, close);
}
