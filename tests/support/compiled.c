/* compiled.c — see compiled.h. */
#include "compiled.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "latentwalk/random.h"

lw_device *device;

int open_device(void **state)
{
    (void)state;
    device = lw_device_open("cpu", NULL);
    return device ? 0 : -1;
}

int close_device(void **state)
{
    (void)state;
    lw_device_close(device);
    return 0;
}

lw_program *compile(lw_graph *g)
{
    lw_program *p = lw_compile(g, device);
    if (!p)
        fail_msg("does not compile: %s", lw_error_text());
    return p;
}

void run(lw_program *p)
{
    if (lw_program_run(p) != LW_OK)
        fail_msg("does not run: %s", lw_error_text());
}

uint32_t kernels(lw_program *p)
{
    lw_program_stats stats;
    assert_int_equal(lw_program_describe(p, &stats), LW_OK);
    return stats.kernels;
}

float first_output(lw_program *p)
{
    float y = NAN;
    run(p);
    if (lw_program_read(p, "y", &y, 1) != LW_OK)
        fail_msg("%s", lw_error_text());
    return y;
}

void check_output(lw_program *p, reference *r, const char *name, double tolerance)
{
    size_t count;
    const double *want = reference_output(r, name, &count);
    lw_tensor *got = lw_program_read_tensor(p, name);
    if (!want || !got)
        fail_msg("no output %s: %s", name, lw_error_text());
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += want[i] * want[i];
    double scale = sqrt(square / (double)count) + 1e-9;
    for (size_t i = 0; i < count; i++)
        if (!(fabs(got->data[i] - want[i]) <= tolerance * (scale + fabs(want[i]))))
            fail_msg("%s[%zu] is %.9g, should be %.9g", name, i, (double)got->data[i], want[i]);
    lw_tensor_destroy(got);
}

void fill_normal(float *data, size_t count, const char *purpose)
{
    lw_normal((lw_stream){3, 0, lw_purpose(purpose)}, 0, count, data);
}

void set_normal(lw_store *store, const char *name, lw_shape shape)
{
    float *data = malloc((size_t)lw_shape_count(shape) * sizeof *data);
    fill_normal(data, (size_t)lw_shape_count(shape), name);
    assert_int_equal(lw_store_set(store, name, shape, data), LW_OK);
    free(data);
}
