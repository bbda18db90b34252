/* hyperplanes.c — see hyperplanes.h. */
#include "hyperplanes.h"

#include <math.h>
#include <string.h>

/* Attributes that say the same (the classes of one softmax, which sum to 1) make the hyperplanes dependent up
 * to rounding; such combinations count as none. */
#define DEPENDENT 1e-6

bool hyperplanes_create(hyperplanes *h, int64_t count, int64_t size)
{
    *h = (hyperplanes){.count = count, .size = size};
    h->normals = lw_alloc((size_t)(count * size), sizeof *h->normals);
    h->offsets = lw_alloc((size_t)(3 * count), sizeof *h->offsets);
    h->means = h->offsets ? h->offsets + count : NULL;
    h->spreads = h->offsets ? h->offsets + 2 * count : NULL;
    return h->normals && h->offsets;
}

void hyperplanes_destroy(hyperplanes *h)
{
    lw_free(h->normals);
    lw_free(h->offsets);
    *h = (hyperplanes){0};
}

/* Mean and deviation of an attribute's scores. */
static lw_status look_at(hyperplanes *h, int64_t k, const float *scores, int64_t rows, int64_t stride,
                         int64_t column)
{
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < rows; n++)
        sum += (double)scores[n * stride];
    h->means[k] = sum / (double)rows;
    for (int64_t n = 0; n < rows; n++)
        squares += pow((double)scores[n * stride] - h->means[k], 2);
    h->spreads[k] = sqrt(squares / (double)rows);
    if (h->spreads[k] > 1e-7 * fabs(h->means[k]))
        return LW_OK;
    return lw_fail(
        LW_INVALID,
        "attribute %lld: all %lld scores are %g; what does not vary has no direction in latent space",
        (long long)column, (long long)rows, h->means[k]);
}

/* The system: a row (latent, 1) for each, and on the right its scores in deviations. */
static lw_status solve(hyperplanes *h, const float *latents, const float *scores, int64_t rows,
                       int64_t columns, const int64_t *which)
{
    const int64_t unknown = h->size + 1;
    double *a = lw_alloc((size_t)(rows * unknown), sizeof *a);
    double *b = lw_alloc((size_t)(rows * h->count), sizeof *b);
    double *x = lw_alloc((size_t)(unknown * h->count), sizeof *x);
    for (int64_t n = 0; a && b && x && n < rows; n++) {
        for (int64_t i = 0; i < h->size; i++)
            a[n * unknown + i] = (double)latents[n * h->size + i];
        a[n * unknown + h->size] = 1;
        for (int64_t k = 0; k < h->count; k++)
            b[n * h->count + k] = ((double)scores[n * columns + which[k]] - h->means[k]) / h->spreads[k];
    }
    lw_status status =
        a && b && x ? lw_least_squares(rows, unknown, h->count, a, b, -1, x, NULL) : lw_error_status();
    for (int64_t k = 0; status == LW_OK && k < h->count; k++) {
        for (int64_t i = 0; i < h->size; i++)
            h->normals[k * h->size + i] = x[i * h->count + k];
        h->offsets[k] = -x[h->size * h->count + k];
    }
    lw_free(a);
    lw_free(b);
    lw_free(x);
    return status;
}

lw_status hyperplanes_fit(hyperplanes *h, const float *latents, const float *scores, int64_t rows,
                          int64_t columns, const int64_t *which)
{
    if (rows < h->size + 2)
        return lw_fail(LW_INVALID,
                       "%lld latents are too few to fit hyperplanes among: more than the %lld numbers of one "
                       "are needed, better ten times as many",
                       (long long)rows, (long long)h->size + 1);
    for (int64_t k = 0; k < h->count; k++)
        LW_TRY(look_at(h, k, scores + which[k], rows, columns, which[k]));
    return solve(h, latents, scores, rows, columns, which);
}

/* In deviations from the mean. */
static double estimate(const hyperplanes *h, int64_t k, const float *latent)
{
    double sum = -h->offsets[k];
    for (int64_t i = 0; i < h->size; i++)
        sum += h->normals[k * h->size + i] * latent[i];
    return sum;
}

double hyperplanes_estimate(const hyperplanes *h, int64_t k, const float *latent)
{
    return h->means[k] + h->spreads[k] * estimate(h, k, latent);
}

/* The shortest ways x [size, ways] that change the attributes by `changes` [count, ways], in deviations. */
static lw_status ways(const hyperplanes *h, const double *changes, int64_t count, double *x)
{
    return lw_least_squares(h->count, h->size, count, h->normals, changes, DEPENDENT, x, NULL);
}

lw_status hyperplanes_directions(const hyperplanes *h, int64_t first, float *directions)
{
    double *changes = lw_alloc((size_t)(h->count * first), sizeof *changes);
    double *x = lw_alloc((size_t)(h->size * first), sizeof *x);
    for (int64_t k = 0; changes && k < first; k++)
        changes[k * first + k] = 1;
    lw_status status = changes && x ? ways(h, changes, first, x) : lw_error_status();
    for (int64_t k = 0; status == LW_OK && k < first; k++)
        for (int64_t i = 0; i < h->size; i++)
            directions[k * h->size + i] = (float)x[i * first + k];
    lw_free(changes);
    lw_free(x);
    return status;
}

lw_status hyperplanes_project(const hyperplanes *h, const double *values, float *latents, int64_t rows)
{
    double *changes = lw_alloc((size_t)(h->count * rows), sizeof *changes);
    double *x = lw_alloc((size_t)(h->size * rows), sizeof *x);
    for (int64_t k = 0; changes && k < h->count; k++)
        for (int64_t n = 0; n < rows; n++)
            changes[k * rows + n] = isnan(values[k]) ? 0
                                                     : (values[k] - h->means[k]) / h->spreads[k] -
                                                           estimate(h, k, latents + n * h->size);
    lw_status status = changes && x ? ways(h, changes, rows, x) : lw_error_status();
    for (int64_t n = 0; status == LW_OK && n < rows; n++)
        for (int64_t i = 0; i < h->size; i++)
            latents[n * h->size + i] += (float)x[i * rows + n];
    lw_free(changes);
    lw_free(x);
    return status;
}
