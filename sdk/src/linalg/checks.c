/* checks.c — operands looked at before LAPACK sees them, and what it says in the house's words. */
#include "linalg/linalg.h"

#include <math.h>

#include <lapacke.h>

lw_status lwi_lapack(const char *name, int info)
{
    if (info == 0)
        return LW_OK;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return lw_fail(LW_MEMORY, "out of memory for LAPACK's %s", name);
    if (info < 0)
        return lw_fail(LW_INTERNAL, "LAPACK's %s refused its argument %d", name, -info);
    return lw_fail(LW_NUMERIC, "LAPACK's %s did not converge (%d)", name, info);
}

lw_status lwi_matrix_size(const char *what, int64_t m, int64_t n)
{
    int64_t count, less = m < n ? m : n;
    if (less < 1)
        return lw_fail(LW_SHAPE, "%s: a matrix of %lld x %lld cannot be decomposed", what, (long long)m,
                       (long long)n);
    if (less > LW_LINALG_MAX || __builtin_mul_overflow(m, n, &count) || count > INT32_MAX)
        return lw_fail(
            LW_SHAPE, "%s: a matrix of %lld x %lld is too large (%d for the smaller side, 2^31 - 1 elements)",
            what, (long long)m, (long long)n, LW_LINALG_MAX);
    return LW_OK;
}

static lw_status not_finite(const char *what, int64_t index, int64_t n)
{
    return lw_fail(LW_NUMERIC, "%s: the element in row %lld, column %lld is not a finite number", what,
                   (long long)(index / n), (long long)(index % n));
}

lw_status lwi_finite(const char *what, const float *a, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m * n; i++)
        if (!isfinite(a[i]))
            return not_finite(what, i, n);
    return LW_OK;
}

lw_status lwi_finite_double(const char *what, const double *a, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m * n; i++)
        if (!isfinite(a[i]))
            return not_finite(what, i, n);
    return LW_OK;
}

/* In tiles that stay in cache. */
enum { TILE = 32 };
#define TRANSPOSE(m, n, a, out)                                     \
    for (int64_t i0 = 0; i0 < (m); i0 += TILE)                      \
        for (int64_t j0 = 0; j0 < (n); j0 += TILE)                  \
            for (int64_t i = i0; i < (m) && i < i0 + TILE; i++)     \
                for (int64_t j = j0; j < (n) && j < j0 + TILE; j++) \
    (out)[j * (m) + i] = (a)[i * (n) + j]

void lwi_transpose(int64_t m, int64_t n, const float *a, float *out)
{
    TRANSPOSE(m, n, a, out);
}

void lwi_transpose_double(int64_t m, int64_t n, const double *a, double *out)
{
    TRANSPOSE(m, n, a, out);
}
