/* test_jacobian_spectrum.c — singular values of a mapping as LAPACK finds them in differences. */
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

enum { COUNT = 5, SIZE = 4 };

typedef struct setup {
    lw_device *device;
    lw_model *model;
    lw_tensor *z;
} setup;

static int open(void **state)
{
    static setup s;
    s.device = lw_device_open("cpu", "native");
    s.model = test_model(
        "m", LW_PART_GENERATOR, "generator/stylegan2",
        (const char *[]){"widths=[4]", "z_dim=4", "w_dim=4", "mapping_width=4", "mapping_layers=2", NULL});
    s.z = lw_tensor_create(LW_SHAPE(COUNT, SIZE));
    lw_normal((lw_stream){.seed = 1}, 0, COUNT * SIZE, s.z->data);
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lw_tensor_destroy(s->z);
    lwi_model_destroy(s->model);
    lw_device_close(s->device);
    return 0;
}

static lw_status measure(harness *h, const setup *s)
{
    harness_open(h, "metric/jacobian-spectrum");
    h->device = s->device;
    h->model = s->model;
    harness_set(h, "model", "m");
    harness_set(h, "batch", "2"); /* which does not divide the latents */
    harness_input(h, "z", "start.z", "z", s->z);
    return harness_run(h);
}

/* w at z + h e_i and at z - h e_i for every element i of every latent, by the model itself. */
static void jacobians(const setup *s, float *jacobian)
{
    const float h = 1e-2f;
    enum { ROWS = COUNT * SIZE * 2 };
    lw_graph *g = lw_graph_create();
    lw_output(g, "w", lw_map(g, s->model, lw_input(g, "z", LW_SHAPE(ROWS, SIZE))));
    lw_program *program = lw_compile(g, s->device);
    float moved[ROWS * SIZE];
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < SIZE; i++)
            moved[r * SIZE + i] =
                s->z->data[r / (2 * SIZE) * SIZE + i] + (i == r / 2 % SIZE ? (r % 2 ? -h : h) : 0);
    test_must(lw_program_write(program, "z", moved, ROWS * SIZE));
    test_must(lw_program_run(program));
    lw_tensor *w = lw_program_read_tensor(program, "w");
    for (int n = 0; n < COUNT; n++)
        for (int i = 0; i < SIZE; i++)
            for (int o = 0; o < SIZE; o++) {
                const float *pair = w->data + ((n * SIZE + i) * 2) * SIZE + o;
                jacobian[(n * SIZE + o) * SIZE + i] = (pair[0] - pair[SIZE]) / (2 * h);
            }
    lw_tensor_destroy(w);
    lw_program_destroy(program);
    lw_graph_destroy(g);
}

static void values_are_those_of_differences(void **state)
{
    const setup *s = *state;
    float jacobian[COUNT * SIZE * SIZE], left[SIZE * SIZE], values[SIZE], right[SIZE * SIZE];
    double mean[SIZE] = {0}, alive = 0;
    jacobians(s, jacobian);
    for (int n = 0; n < COUNT; n++) {
        test_must(lw_svd(SIZE, SIZE, jacobian + n * SIZE * SIZE, left, values, right));
        for (int i = 0; i < SIZE; i++) {
            mean[i] += (double)values[i] / COUNT;
            alive += values[i] > 0.05f ? 1.0 / COUNT : 0;
        }
    }
    harness h;
    assert_int_equal(measure(&h, s), LW_OK);
    assert_int_equal(h.step->series[0].count, SIZE);
    for (int i = 0; i < SIZE; i++) {
        assert_int_equal(h.step->series[0].iteration[i], i + 1);
        assert_float_equal(h.step->series[0].value[i], mean[i], 0.02 * mean[0]);
    }
    assert_float_equal(harness_metric(&h, "Jacobian", "largest"), mean[0], 0.02 * mean[0]);
    assert_float_equal(harness_metric(&h, "Jacobian", "values above the cutoff"), alive, 1e-6);
    harness_close(&h);
}

static void a_model_without_mapping_needs_a_tap(void **state)
{
    setup s = *(setup *)*state;
    harness h;
    s.model = test_model("plain", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    assert_int_equal(measure(&h, &s), LW_UNSUPPORTED);
    harness_close(&h);
    lwi_model_destroy(s.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_differences),
        cmocka_unit_test(a_model_without_mapping_needs_a_tap),
    };
    return cmocka_run_group_tests(tests, open, close);
}
