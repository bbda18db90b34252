/* test_lase_density.c — figure 3 of DP-LaSE: densities that F, alone, recovers from samples. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../density.h"
#include "plugins.h"

#include <math.h>

static double uniform_density(double x)
{
    return fabs(x) < 1 ? 0.5 : 0;
}

static double mixture_density(double x)
{
    const double centre[] = {-1.5, 1}, width[] = {0.5, 0.7}, share[] = {0.4, 0.6};
    double p = 0;
    for (int i = 0; i < 2; i++)
        p += share[i] * exp(-pow((x - centre[i]) / width[i], 2) / 2) / (width[i] * sqrt(2 * acos(-1.0)));
    return p;
}

/* Samples by the inverse of a cumulative sum. */
static void sample(double (*density_of)(double), float *out, size_t count, uint64_t step)
{
    enum { CELLS = 4000 };
    static double sum[CELLS];
    for (int i = 0; i < CELLS; i++)
        sum[i] = (i ? sum[i - 1] : 0) + density_of(-4 + (i + 0.5) * 8 / CELLS);
    lw_uniform((lw_stream){.seed = 9, .step = step}, 0, count, out);
    for (size_t n = 0; n < count; n++) {
        int low = 0, high = CELLS - 1;
        while (low < high) {
            int middle = (low + high) / 2;
            *(sum[middle] < out[n] * sum[CELLS - 1] ? &low : &high) =
                sum[middle] < out[n] * sum[CELLS - 1] ? middle + 1 : middle;
        }
        out[n] = (float)(-4 + (low + 0.5) * 8 / CELLS);
    }
}

/* Half the integral of |F' - p| over [-4, 4], after a short training: 0 where they are the same, 1 where they
 * are apart. */
static double distance_of_densities(lw_device *device, double (*density_of)(double))
{
    enum { BATCH = 512, ITERATIONS = 1500, POINTS = 400 };
    const density f = {.width = 32, .increment = 0.01};
    static float batch[BATCH], found[POINTS];
    lw_store *store = lw_store_create(), *adam = lw_store_create();
    lw_graph *g = lw_graph_create();
    lw_scope_push(
        g,
        &(lw_scope){.size = sizeof(lw_scope), .plugin = "test", .store = store, .seed = 8, .create = true});
    lw_value slope = density_slope(g, &f, lw_input(g, "x", LW_SHAPE(BATCH, 1)), false);
    lw_value loss = lw_sub(g, density_flatness(g, slope, 0.01), density_log(g, slope));
    float places[POINTS];
    for (int i = 0; i < POINTS; i++)
        places[i] = (float)(-4 + (i + 0.5) * 8 / POINTS);
    lw_output(g, "found", density_slope(g, &f, lw_constant(g, LW_SHAPE(POINTS, 1), places), true));
    lw_scope_pop(g);
    lw_adam(g, lw_mean(g, loss, LW_ALL_AXES, false), store, adam, .learning_rate = 5e-3f, .beta1 = 0.9f);
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    for (int i = 0; i < ITERATIONS; i++) {
        sample(density_of, batch, BATCH, (uint64_t)i);
        test_must(lw_program_write(program, "x", batch, BATCH));
        test_must(lw_program_run(program));
    }
    test_must(lw_program_read(program, "found", found, POINTS));
    double apart = 0;
    for (int i = 0; i < POINTS; i++)
        apart += fabs(found[i] - density_of(places[i])) * 8 / POINTS / 2;
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lw_store_destroy(store);
    lw_store_destroy(adam);
    return apart;
}

static void uniform_and_mixture_densities_are_recovered(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    const double uniform = distance_of_densities(device, uniform_density),
                 mixture = distance_of_densities(device, mixture_density);
    print_message("half the integral of the difference: uniform %.3f, mixture %.3f\n", uniform, mixture);
    assert_true(uniform < 0.08 && mixture < 0.06);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_and_mixture_densities_are_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
