/* factorize.c — see factorize.h. */
#include "factorize.h"

#include <math.h>

void sefa_add(const float *weight, int64_t rows, int64_t size, bool normalise, double *moments)
{
    for (int64_t r = 0; r < rows; r++, weight += size) {
        double squares = 0;
        for (int64_t i = 0; i < size; i++)
            squares += (double)weight[i] * weight[i];
        if (!(squares > 0))
            continue;
        double scale = normalise ? 1 / squares : 1;
        for (int64_t i = 0; i < size; i++)
            for (int64_t j = 0; j <= i; j++)
                moments[i * size + j] += scale * weight[i] * weight[j];
    }
}

lw_directions *sefa_factorize(const char *space, int64_t count, int64_t size, const double *moments)
{
    double *values = lw_alloc((size_t)size, sizeof *values);
    double *vectors = lw_alloc((size_t)(size * size), sizeof *vectors);
    lw_directions *d = values && vectors && lw_symmetric_eigen(size, moments, values, vectors) == LW_OK
                           ? lw_directions_create(space, count, size)
                           : NULL;
    for (int64_t k = 0; d && k < count; k++) {
        d->scores[k] = (float)values[k];
        for (int64_t i = 0; i < size; i++)
            d->vectors[k * size + i] = (float)vectors[k * size + i];
    }
    lw_free(values);
    lw_free(vectors);
    return d;
}
