/* diamond.h — for the tests of "Diamond in the rough"'s methods: numbers of the official code on a tiny
 * progressive GAN. */
#ifndef DIAMOND_H
#define DIAMOND_H

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>

static inline void open_official(fixture *f)
{
    fixture_open(f, "method_ditr", "native");
    fixture_part(f, LW_PART_GENERATOR, "generator/pggan", "netG.", NULL);
    fixture_part(f, LW_PART_DISCRIMINATOR, "discriminator/pggan", "netD.", NULL);
}

/* A tiny DCGAN with fresh weights, whose critic sees each image by itself; z_dim 6, 16 px. */
static inline lw_model *tiny_dcgan(void)
{
    lw_model *model = test_model("tiny", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=6", "width=4", "depth=1", NULL});
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/dcgan",
                    (const char *[]){"width=4", "depth=1", NULL});
    return model;
}

static inline void open_method(harness *h, const char *id, lw_model *model, lw_device *device)
{
    harness_open(h, id);
    h->model = model;
    h->device = device;
    harness_set(h, "model", "m");
}

static inline lw_tensor *normal_rows(int64_t count, int64_t size, uint64_t seed)
{
    lw_tensor *t = lw_tensor_create(LW_SHAPE(count, size));
    lw_normal((lw_stream){.seed = seed}, 0, (size_t)(count * size), t->data);
    return t;
}

/* The largest difference of any element, which must not be over the tolerance. */
static inline void near(const char *what, const lw_tensor *found, const lw_tensor *expected, double tolerance)
{
    double worst = 0;
    assert_true(lw_shape_count(found->shape) == lw_shape_count(expected->shape));
    for (int64_t i = 0; i < lw_shape_count(found->shape); i++)
        worst = fmax(worst, fabs((double)found->data[i] - expected->data[i]));
    if (!(worst <= tolerance))
        fail_msg("%s is off by %g, more than %g", what, worst, tolerance);
}

static inline double evaluate(lw_program *program, const float *x, int64_t count, const char *output)
{
    float value;
    test_must(lw_program_write(program, "x", x, (size_t)count));
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, output, &value, 1));
    return (double)value;
}

/* The graph's `loss` has the slope at x [shape], an input named "x", along a random direction that central
 * differences of `step` tell. */
static inline void check_slope(lw_graph *g, lw_device *device, lw_value x, lw_value loss, const lw_tensor *at,
                               double step, double tolerance)
{
    const int64_t count = lw_shape_count(at->shape);
    lw_tensor *way = normal_rows(1, count, 77), *moved = lw_tensor_copy(at);
    lw_value slope;
    test_must(lw_gradient(g, loss, (lw_value){0}, &x, 1, &slope));
    slope = lw_mul(g, slope, lw_constant(g, at->shape, way->data));
    lw_output(g, "loss", loss);
    lw_output(g, "slope", lw_sum(g, slope, LW_ALL_AXES, false));
    lw_program *program = lw_compile(g, device);
    if (!program)
        fail_msg("%s", lw_error_text());
    const double told = evaluate(program, at->data, count, "slope");
    double end[2];
    for (int s = 0; s < 2; s++) {
        for (int64_t i = 0; i < count; i++)
            moved->data[i] = (float)(at->data[i] + (s ? step : -step) * way->data[i]);
        end[s] = evaluate(program, moved->data, count, "loss");
    }
    const double measured = (end[1] - end[0]) / (2 * step);
    if (!(fabs(told - measured) <= tolerance * fabs(measured)))
        fail_msg("the gradient says %g, differences say %g", told, measured);
    lw_program_destroy(program);
    lw_tensor_destroy(way);
    lw_tensor_destroy(moved);
}

#endif
