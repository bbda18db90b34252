/* bounds.c — see bounds.h. */
#include "bounds.h"

#include <math.h>
#include <string.h>

void bounded_step(const lw_local *local, int64_t index, const float *wanted, double alpha, float *step,
                  float *coefficients)
{
    const int64_t k = local->k, w_dim = local->w_dim, z_dim = local->z_dim;
    memset(step, 0, (size_t)z_dim * sizeof *step);
    if (coefficients)
        memset(coefficients, 0, (size_t)k * sizeof *coefficients);
    for (int64_t i = 0; i < local->rank[index]; i++) {
        const float *u = local->left + (index * k + i) * w_dim, *v = local->right + (index * k + i) * z_dim;
        double value = local->values[index * k + i], a = 0;
        for (int64_t j = 0; j < w_dim; j++) /* A = dw U: U is orthonormal, so its inverse is its transpose */
            a += (double)wanted[j] * u[j];
        a = fmax(-alpha * value, fmin(alpha * value, a));
        if (coefficients)
            coefficients[i] = (float)a;
        for (int64_t j = 0; j < z_dim; j++) /* A_c S^-1 V^T */
            step[j] += (float)(a / value * v[j]);
    }
}
