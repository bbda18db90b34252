/* differences.c — see differences.h. */
#include "differences.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

void fill_apart(double *out, int64_t count, double low, double high, unsigned seed)
{
    for (int64_t i = 0; i < count; i++) {
        double t = fmod(0.5 + 0.6180339887498949 * (double)(i + 1) + 0.377 * seed, 1.0);
        out[i] = low + (high - low) * t;
    }
}

const double *value_of(reference *r, lw_value v)
{
    const double *data = reference_value(r, v);
    if (!data)
        fail_msg("%s", lw_error_text());
    return data;
}

/* sum over y of weight * y */
static double weighted(lw_graph *g, reference *r, lw_value y, const double *weight)
{
    const double *data = value_of(r, y);
    double sum = 0;
    for (int64_t i = 0; i < lw_shape_count(lw_shape_of(g, y)); i++)
        sum += data[i] * weight[i];
    return sum;
}

/* Fourth-order central difference of weighted(y) by element k of x, whose values are `at`. */
static double difference(lw_graph *g, reference *r, lw_value y, const double *weight, lw_value x, double *at,
                         int64_t k)
{
    const double h = 1e-4, here = at[k], offset[4] = {-2, -1, 1, 2}, factor[4] = {1, -8, 8, -1};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        at[k] = here + offset[i] * h;
        reference_replace(r, x, at);
        sum += factor[i] * weighted(g, r, y, weight);
    }
    at[k] = here;
    reference_replace(r, x, at);
    return sum / (12 * h);
}

void check_gradient(const char *name, lw_graph *g, reference *r, lw_value y, const double *weight, lw_value x,
                    double *at, lw_value gradient)
{
    int64_t count = lw_shape_count(lw_shape_of(g, x));
    double found[MAX_ELEMENTS];
    assert_true(count <= MAX_ELEMENTS);
    assert_true(lw_shape_equal(lw_shape_of(g, gradient), lw_shape_of(g, x)));
    memcpy(found, value_of(r, gradient), (size_t)count * sizeof *found);
    for (int64_t k = 0; k < count; k++) {
        double expected = difference(g, r, y, weight, x, at, k);
        if (!(fabs(found[k] - expected) <= 2e-6 * (1 + fabs(expected))))
            fail_msg("%s: element %d of the gradient is %.9g, differences say %.9g", name, (int)k, found[k],
                     expected);
    }
}

void start(setup *s, const op_case *c)
{
    *s = (setup){.g = lw_graph_create()};
    assert_non_null(s->g);
    const char *names[3] = {"a", "b", "c"};
    s->r = reference_create(s->g);
    for (int i = 0; i < c->count; i++) {
        s->x[i] = lw_input(s->g, names[i], c->shape[i]);
        fill_apart(s->at[i], lw_shape_count(c->shape[i]), c->low, c->high, (unsigned)i);
        reference_replace(s->r, s->x[i], s->at[i]);
    }
    s->y = c->build(s->g, s->x);
    if (lw_graph_status(s->g) != LW_OK)
        fail_msg("%s: %s", c->name, lw_error_text());
    assert_true(lw_shape_count(lw_shape_of(s->g, s->y)) <= MAX_ELEMENTS);
    s->seed = lw_input(s->g, "seed", lw_shape_of(s->g, s->y));
    fill_apart(s->weight, lw_shape_count(lw_shape_of(s->g, s->y)), 0.5, 1.5, 7);
    reference_replace(s->r, s->seed, s->weight);
}

void finish(setup *s)
{
    reference_destroy(s->r);
    lw_graph_destroy(s->g);
}
