/* sphere.c — see sphere.h. */
#include "sphere.h"

#include <math.h>

#define EPSILON 1e-8

void sphere_project(float *rows, int64_t count, int64_t size)
{
    for (int64_t n = 0; n < count; n++, rows += size) {
        double squares = 0;
        for (int64_t i = 0; i < size; i++)
            squares += (double)rows[i] * rows[i];
        const double scale = 1 / sqrt(squares / (double)size + EPSILON);
        for (int64_t i = 0; i < size; i++)
            rows[i] = (float)(rows[i] * scale);
    }
}

void sphere_step(const float *before, const float *at, float *next, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        next[i] = at[i] + (at[i] - before[i]);
    sphere_project(next, 1, size);
}

double sphere_angle(const float *a, const float *b, int64_t size)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < size; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? acos(fmax(-1, fmin(1, ab / sqrt(aa * bb)))) * 180 / acos(-1) : 0;
}

lw_value sphere_projected(lw_graph *g, lw_value rows)
{
    lw_value squares = lw_mean(g, lw_square(g, rows), LW_AXIS(1), true);
    return lw_mul(g, rows, lw_rsqrt(g, lw_affine(g, squares, 1, EPSILON)));
}

lw_tensor *sphere_copy(const lw_tensor *rows)
{
    lw_tensor *copy = lw_tensor_copy(rows);
    if (copy)
        sphere_project(copy->data, copy->shape.dim[0], copy->shape.dim[1]);
    return copy;
}
