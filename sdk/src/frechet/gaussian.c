/* gaussian.c — mean and covariance of a stream of rows. */
#include "frechet/gaussian.h"

#include "latentwalk/linalg.h"

#include <math.h>

#define BLOCK 64 /* rows added at a time */

lw_gaussian *lw_gaussian_create(int64_t size)
{
    if (size < 1 || size > LW_LINALG_MAX) {
        lw_fail(LW_INVALID, "a Gaussian of %lld features cannot be: 1 … %d", (long long)size, LW_LINALG_MAX);
        return NULL;
    }
    lw_gaussian *g = lw_alloc(1, sizeof *g);
    if (!g)
        return NULL;
    size_t n = (size_t)size;
    g->size = size;
    g->origin = lw_alloc(n, sizeof(double));
    g->sum = lw_alloc(n, sizeof(double));
    g->squares = lw_alloc(n * n, sizeof(double));
    g->columns = lw_alloc(n * BLOCK, sizeof(double));
    if (g->origin && g->sum && g->squares && g->columns)
        return g;
    lw_gaussian_destroy(g);
    return NULL;
}

void lw_gaussian_destroy(lw_gaussian *g)
{
    if (!g)
        return;
    lw_free(g->origin);
    lw_free(g->sum);
    lw_free(g->squares);
    lw_free(g->columns);
    lw_free(g);
}

int64_t lw_gaussian_count(const lw_gaussian *g)
{
    return g->count;
}

/* Up to BLOCK rows as differences from the origin, one column after the other. */
static lw_status centre(lw_gaussian *g, const float *rows, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < g->size; c++) {
            double x = (double)rows[i * g->size + c];
            if (!isfinite(x))
                return lw_fail(LW_NUMERIC, "feature %lld of sample %lld is %s", (long long)c,
                               (long long)(g->count + i), isnan(x) ? "not a number" : "infinite");
            g->columns[c * BLOCK + i] = x - g->origin[c];
        }
    return LW_OK;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum[8] = {0}, total = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        total += a[i] * b[i];
    for (int k = 0; k < 8; k++)
        total += sum[k];
    return total;
}

static lw_status add_block(lw_gaussian *g, const float *rows, int64_t n)
{
    LW_TRY(centre(g, rows, n));
    for (int64_t r = 0; r < g->size; r++) {
        const double *row = g->columns + r * BLOCK;
        for (int64_t i = 0; i < n; i++)
            g->sum[r] += row[i];
        for (int64_t c = 0; c <= r; c++)
            g->squares[r * g->size + c] += dot(row, g->columns + c * BLOCK, n);
    }
    g->count += n;
    return LW_OK;
}

lw_status lw_gaussian_add(lw_gaussian *g, const float *rows, int64_t n)
{
    for (int64_t c = 0; g->count == 0 && n > 0 && c < g->size; c++)
        g->origin[c] = isfinite(rows[c]) ? (double)rows[c] : 0;
    for (int64_t first = 0; first < n; first += BLOCK)
        LW_TRY(add_block(g, rows + first * g->size, n - first < BLOCK ? n - first : BLOCK));
    return LW_OK;
}

lw_status lw_gaussian_moments(const lw_gaussian *g, double *mean, double *covariance)
{
    if (g->count < 2)
        return lw_fail(LW_INVALID, "a covariance needs at least 2 samples, not %lld", (long long)g->count);
    double n = (double)g->count;
    for (int64_t r = 0; r < g->size; r++) {
        mean[r] = g->origin[r] + g->sum[r] / n;
        for (int64_t c = 0; c <= r; c++) {
            double value = (g->squares[r * g->size + c] - g->sum[r] * g->sum[c] / n) / (n - 1);
            covariance[r * g->size + c] = covariance[c * g->size + r] = value;
        }
    }
    return LW_OK;
}
