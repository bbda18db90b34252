/* pca.c — see pca.h. */
#include "pca.h"

#include <math.h>
#include <string.h>

/* --- components -------------------------------------------------------------------------------------- */
lw_status pca_create(pca *p, int64_t size, int64_t kept)
{
    *p = (pca){.size = size, .kept = kept};
    p->mean = lw_alloc((size_t)size, sizeof *p->mean);
    p->variance = lw_alloc((size_t)size, sizeof *p->variance);
    p->singular = lw_alloc((size_t)kept, sizeof *p->singular);
    p->components = lw_alloc((size_t)(kept * size), sizeof *p->components);
    return p->mean && p->variance && p->singular && p->components ? LW_OK : lw_error_status();
}

void pca_destroy(pca *p)
{
    lw_free(p->mean);
    lw_free(p->variance);
    lw_free(p->singular);
    lw_free(p->components);
    *p = (pca){0};
}

/* The batch's mean of each column; mean and variance of all rows seen (Chan et al.'s update); the columns of
 * x centred. */
static void centre(pca *p, float *x, int64_t rows, float *batch_mean)
{
    const double n = (double)p->seen, m = (double)rows;
    for (int64_t j = 0; j < p->size; j++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < rows; i++)
            sum += x[i * p->size + j];
        double mean = sum / m, apart = mean - p->mean[j];
        for (int64_t i = 0; i < rows; i++) {
            double off = x[i * p->size + j] - mean;
            squares += off * off;
            x[i * p->size + j] = (float)off;
        }
        p->variance[j] = (float)((p->variance[j] * n + squares + apart * apart * n * m / (n + m)) / (n + m));
        batch_mean[j] = (float)mean;
    }
}

/* [components so far by their singular values; x; what the two means are apart, weighted] */
static void stack(const pca *p, const float *x, int64_t rows, const float *batch_mean, float *out)
{
    const double n = (double)p->seen, m = (double)rows, weight = sqrt(n * m / (n + m));
    for (int64_t k = 0; k < p->count; k++)
        for (int64_t j = 0; j < p->size; j++)
            *out++ = p->singular[k] * p->components[k * p->size + j];
    memcpy(out, x, (size_t)(rows * p->size) * sizeof *out);
    out += rows * p->size;
    for (int64_t j = 0; p->seen && j < p->size; j++)
        *out++ = (float)(weight * ((double)p->mean[j] - batch_mean[j]));
}

static lw_status decompose(pca *p, const float *x, int64_t rows, const float *batch_mean)
{
    const int64_t height = p->count + rows + (p->seen ? 1 : 0), least = height < p->size ? height : p->size;
    float *stacked = lw_alloc((size_t)(height * p->size), sizeof *stacked);
    float *left = lw_alloc((size_t)(least * height), sizeof *left),
          *values = lw_alloc((size_t)least, sizeof *values);
    float *right = lw_alloc((size_t)(least * p->size), sizeof *right);
    lw_status status = stacked && left && values && right ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        stack(p, x, rows, batch_mean, stacked);
        status = lw_svd(height, p->size, stacked, left, values, right);
    }
    if (status == LW_OK) {
        p->count = least < p->kept ? least : p->kept;
        memcpy(p->singular, values, (size_t)p->count * sizeof *values);
        memcpy(p->components, right, (size_t)(p->count * p->size) * sizeof *right);
    }
    lw_free(stacked);
    lw_free(left);
    lw_free(values);
    lw_free(right);
    return status;
}

lw_status pca_update(pca *p, float *x, int64_t rows)
{
    float *batch_mean = lw_alloc((size_t)p->size, sizeof *batch_mean);
    if (!batch_mean)
        return lw_error_status();
    centre(p, x, rows, batch_mean);
    lw_status status = decompose(p, x, rows, batch_mean);
    const double n = (double)p->seen, m = (double)rows;
    for (int64_t j = 0; j < p->size; j++)
        p->mean[j] = (float)((n * p->mean[j] + m * batch_mean[j]) / (n + m));
    p->seen += rows;
    lw_free(batch_mean);
    return status;
}

double pca_variance(const pca *p, int64_t i, int ddof)
{
    return (double)p->singular[i] * p->singular[i] / (double)(p->seen - ddof);
}

double pca_share(const pca *p, int64_t i)
{
    double total = 0;
    for (int64_t j = 0; j < p->size; j++)
        total += p->variance[j];
    return total > 0 ? pca_variance(p, i, 0) / total : 0;
}

/* --- latents of components ----------------------------------------------------------------------------- */
lw_status regression_create(regression *r, int64_t components, int64_t size)
{
    *r = (regression){.components = components, .size = size};
    r->square = lw_alloc((size_t)(components * components), sizeof *r->square);
    r->product = lw_alloc((size_t)(components * size), sizeof *r->product);
    return r->square && r->product ? LW_OK : lw_error_status();
}

void regression_destroy(regression *r)
{
    lw_free(r->square);
    lw_free(r->product);
    *r = (regression){0};
}

lw_status regression_update(regression *r, const pca *p, const float *deviation, const float *x,
                            const float *latents, int64_t rows)
{
    const int64_t c = r->components;
    double *a = lw_alloc((size_t)c, sizeof *a);
    if (!a)
        return lw_error_status();
    for (int64_t n = 0; n < rows; n++, x += p->size, latents += r->size) {
        for (int64_t k = 0; k < c; k++) {
            double along = 0;
            for (int64_t j = 0; j < p->size; j++)
                along += ((double)x[j] - p->mean[j]) * p->components[k * p->size + j];
            a[k] = along / deviation[k];
        }
        for (int64_t k = 0; k < c; k++) {
            for (int64_t j = 0; j < c; j++)
                r->square[k * c + j] += a[k] * a[j];
            for (int64_t j = 0; j < r->size; j++)
                r->product[k * r->size + j] += a[k] * latents[j];
        }
    }
    lw_free(a);
    return LW_OK;
}

lw_status regression_solve(const regression *r, float *m)
{
    double *x = lw_alloc((size_t)(r->components * r->size), sizeof *x);
    lw_status status =
        x ? lw_least_squares(r->components, r->components, r->size, r->square, r->product, -1, x, NULL)
          : lw_error_status();
    for (int64_t i = 0; status == LW_OK && i < r->components * r->size; i++)
        m[i] = (float)x[i];
    lw_free(x);
    return status;
}
