/* distance.c — the distance between two Gaussians. */
#include "frechet/gaussian.h"

#include "latentwalk/linalg.h"

#include <float.h>
#include <math.h>

/* out [n, n] = a b, or a b^T. */
static void multiply(int64_t n, const double *a, const double *b, bool transposed, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] = 0;
        for (int64_t k = 0; k < n; k++) {
            if (transposed) {
                double sum = 0;
                for (int64_t j = 0; j < n; j++)
                    sum += a[i * n + j] * b[k * n + j];
                out[i * n + k] = sum;
            } else {
                for (int64_t j = 0; j < n; j++)
                    out[i * n + j] += a[i * n + k] * b[k * n + j];
            }
        }
    }
}

/* What rounding has made of an eigenvalue that is zero must not count: its root would be 1e-8. */
static double root(double value, double largest, int64_t n)
{
    return value > largest * DBL_EPSILON * (double)n ? sqrt(value) : 0;
}

/* tr (A B)^1/2 for covariances A and B, both [n, n]. With A = V^T D V the matrix D^1/2 V B V^T D^1/2 has the
 * eigenvalues of A^1/2 B A^1/2. `work` [3, n, n]. */
static lw_status trace_of_root(int64_t n, const double *a, const double *b, double *work, double *values,
                               double *trace)
{
    double *half = work, *left = work + n * n, *whole = work + 2 * n * n;
    LW_TRY(lw_symmetric_eigen(n, a, values, half));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            half[i * n + j] *= root(values[i], values[0], n);
    multiply(n, half, b, false, left);
    multiply(n, left, half, true, whole);
    LW_TRY(lw_symmetric_eigen(n, whole, values, NULL));
    *trace = 0;
    for (int64_t i = 0; i < n; i++)
        *trace += root(values[i], values[0], n);
    return LW_OK;
}

static lw_status compare(const lw_gaussian *a, const lw_gaussian *b, double *memory, lw_frechet *distance)
{
    int64_t n = a->size;
    double *mean[2] = {memory, memory + n}, *values = memory + 2 * n, *work = memory + 3 * n;
    double *covariance[2] = {work + 3 * n * n, work + 4 * n * n}, trace;
    LW_TRY(lw_gaussian_moments(a, mean[0], covariance[0]));
    LW_TRY(lw_gaussian_moments(b, mean[1], covariance[1]));
    LW_TRY(trace_of_root(n, covariance[0], covariance[1], work, values, &trace));
    *distance = (lw_frechet){.covariances = -2 * trace};
    for (int64_t i = 0; i < n; i++) {
        double apart = mean[0][i] - mean[1][i];
        distance->means += apart * apart;
        distance->covariances += covariance[0][i * (n + 1)] + covariance[1][i * (n + 1)];
    }
    return LW_OK;
}

lw_status lw_frechet_distance(const lw_gaussian *a, const lw_gaussian *b, lw_frechet *distance)
{
    if (a->size != b->size)
        return lw_fail(LW_SHAPE, "Gaussians of %lld and %lld features have no distance", (long long)a->size,
                       (long long)b->size);
    size_t n = (size_t)a->size;
    double *memory = lw_alloc(3 * n + 5 * n * n, sizeof *memory);
    lw_status status = memory ? compare(a, b, memory, distance) : LW_MEMORY;
    lw_free(memory);
    return status;
}
