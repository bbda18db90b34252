/* lapack.c — the decompositions of linalg.h. LAPACK counts in columns: a row-major matrix is its transpose.
 */
#include "linalg/linalg.h"

#include <string.h>

#include <lapacke.h>

/* Rows in reverse order: LAPACK's eigenvalues ascend. */
static void reverse_rows(int64_t rows, int64_t size, double *a)
{
    for (int64_t i = 0, j = rows - 1; i < j; i++, j--)
        for (int64_t k = 0; k < size; k++) {
            double kept = a[i * size + k];
            a[i * size + k] = a[j * size + k];
            a[j * size + k] = kept;
        }
}

lw_status lw_symmetric_eigen(int64_t n, const double *a, double *values, double *vectors)
{
    LW_TRY(lwi_matrix_size("symmetric eigenvalues", n, n));
    LW_TRY(lwi_finite_double("symmetric eigenvalues", a, n, n));
    double *work = vectors ? vectors : lw_alloc((size_t)(n * n), sizeof *work);
    if (!work)
        return lw_error_status();
    memcpy(work, a, (size_t)(n * n) * sizeof *work);
    /* Our lower triangle is the upper one of LAPACK's transpose; its columns come out as our rows. */
    lapack_int size = (lapack_int)n;
    int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'U', size, work, size, values);
    if (vectors)
        reverse_rows(n, n, vectors);
    else
        lw_free(work);
    reverse_rows(n, 1, values);
    return lwi_lapack("dsyevd", info);
}

lw_status lw_svd(int64_t m, int64_t n, const float *a, float *left, float *values, float *right)
{
    LW_TRY(lwi_matrix_size("singular values", m, n));
    LW_TRY(lwi_finite("singular values", a, m, n));
    int64_t k = m < n ? m : n;
    float *work = lw_alloc((size_t)(m * n), sizeof *work);
    float *columns = lw_alloc((size_t)(m * k), sizeof *columns); /* [m, k] */
    lw_status status = work && columns ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        memcpy(work, a, (size_t)(m * n) * sizeof *work);
        /* A^T = sum of values right left^T: what LAPACK calls left is ours on the right. */
        int info = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', (lapack_int)n, (lapack_int)m, work, (lapack_int)n,
                                  values, right, (lapack_int)n, columns, (lapack_int)k);
        status = lwi_lapack("sgesdd", info);
        lwi_transpose(m, k, columns, left);
    }
    lw_free(work);
    lw_free(columns);
    return status;
}

lw_status lw_least_squares(int64_t m, int64_t n, int64_t r, const double *a, const double *b, double cutoff,
                           double *x, int64_t *rank)
{
    LW_TRY(lwi_matrix_size("least squares", m, n));
    LW_TRY(lwi_matrix_size("least squares (right-hand sides)", m > n ? m : n, r));
    LW_TRY(lwi_finite_double("least squares", a, m, n));
    LW_TRY(lwi_finite_double("least squares (right-hand sides)", b, m, r));
    int64_t rows = m > n ? m : n, least = m < n ? m : n; /* gelsd leaves x in b's columns */
    double *at = lw_alloc((size_t)(m * n), sizeof *at), *bt = lw_alloc((size_t)(rows * r), sizeof *bt);
    double *values = lw_alloc((size_t)least, sizeof *values);
    lw_status status = at && bt && values ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        lapack_int found = 0;
        lwi_transpose_double(m, n, a, at);
        for (int64_t j = 0; j < r; j++)
            for (int64_t i = 0; i < m; i++)
                bt[j * rows + i] = b[i * r + j];
        int info = LAPACKE_dgelsd(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, (lapack_int)r, at,
                                  (lapack_int)m, bt, (lapack_int)rows, values, cutoff, &found);
        status = lwi_lapack("dgelsd", info);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < r; j++)
                x[i * r + j] = bt[j * rows + i];
        if (rank)
            *rank = found;
    }
    lw_free(at);
    lw_free(bt);
    lw_free(values);
    return status;
}
