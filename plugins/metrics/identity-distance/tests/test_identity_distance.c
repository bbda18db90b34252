/* test_identity_distance.c — distances along a walk in a network's features, from its start or another point.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

enum { WALKS = 2, POINTS = 3, Z = 5 };

typedef struct setup {
    lw_device *device;
    lw_model *model; /* generator and network as parts of one, since the harness knows one */
    lw_tensor *walks;
} setup;

static int open(void **state)
{
    static setup s;
    s.device = lw_device_open("cpu", "native");
    s.model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=5", "width=4", "depth=1", NULL});
    test_model_part(s.model, LW_PART_NETWORK, "network/cnn",
                    (const char *[]){"side=16", "widths=[4]", "outputs=3", NULL});
    s.walks = lw_tensor_create(LW_SHAPE(WALKS, POINTS, Z));
    lw_normal((lw_stream){.seed = 1}, 0, WALKS * POINTS * Z, s.walks->data);
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lw_tensor_destroy(s->walks);
    lwi_model_destroy(s->model);
    lw_device_close(s->device);
    return 0;
}

static lw_status measure(harness *h, const setup *s, const char *from, const char *tap)
{
    harness_open(h, "metric/identity-distance");
    h->model = s->model;
    h->device = s->device;
    harness_set(h, "model", "m");
    harness_set(h, "network", "m");
    harness_set(h, "from", from);
    harness_set(h, "tap", tap);
    harness_set(h, "batch", "4"); /* which does not divide the pictures */
    harness_input(h, "walk", "walk.walk", "z", s->walks);
    return harness_run(h);
}

/* 1 - cosine of the network's outputs for point t and point `from`, as a mean over walks. */
static double expected(const setup *s, int from, int t)
{
    lw_graph *g = lw_graph_create();
    lw_value z = lw_input(g, "z", LW_SHAPE(WALKS * POINTS, Z));
    lw_output(g, "y", lw_features(g, s->model, "output", lw_generate(g, s->model, z)));
    lw_program *program = lw_compile(g, s->device);
    test_must(lw_program_write(program, "z", s->walks->data, WALKS * POINTS * Z));
    test_must(lw_program_run(program));
    lw_tensor *y = lw_program_read_tensor(program, "y");
    double sum = 0;
    for (int n = 0; n < WALKS; n++) {
        double ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < 3; i++) {
            double a = y->data[(n * POINTS + from) * 3 + i], b = y->data[(n * POINTS + t) * 3 + i];
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        sum += 1 - ab / sqrt(aa * bb);
    }
    lw_tensor_destroy(y);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    return sum / WALKS;
}

static void points_are_compared_with_the_start(void **state)
{
    const setup *s = *state;
    harness h;
    test_must(measure(&h, s, "0", "output"));
    assert_float_equal(harness_metric(&h, "walk", "at the end"), expected(s, 0, 2), 1e-6);
    assert_float_equal(harness_metric(&h, "walk", "mean over the other points"),
                       (expected(s, 0, 1) + expected(s, 0, 2)) / 2, 1e-6);
    for (int i = 0; i < h.step->series_count; i++) /* and the start with itself */
        assert_float_equal(h.step->series[i].value[0], 0, 1e-6);
    harness_close(&h);
}

static void another_point_can_be_the_one_compared_with(void **state)
{
    const setup *s = *state;
    harness h;
    test_must(measure(&h, s, "1", "output"));
    assert_float_equal(harness_metric(&h, "walk", "at the end"), expected(s, 1, 2), 1e-6);
    harness_close(&h);
    assert_int_equal(measure(&h, s, "3", "output"), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "point 3"));
    harness_close(&h);
    assert_int_equal(measure(&h, s, "0", "no such"), LW_NOT_FOUND);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_compared_with_the_start),
        cmocka_unit_test(another_point_can_be_the_one_compared_with),
    };
    return cmocka_run_group_tests(tests, open, close);
}
