/* linalg.h — dense decompositions on the host, through LAPACK.
 *
 * Matrices are row-major and hold finite numbers; NaN or infinity anywhere is LW_NUMERIC. Results go to buffers
 * of the caller, which do not overlap the operands; where a function fails, what they hold is undefined.
 * Singular vectors and eigenvectors are *rows* of what is returned, largest value first. Their signs are
 * LAPACK's choice; vectors of (nearly) equal values span the right space, but which ones do is arbitrary.
 *
 * Any thread, and several at a time. Each call may use all cores (OPENBLAS_NUM_THREADS says how many). The same
 * call on the same machine with as many threads gives the same bytes. */
#ifndef LATENTWALK_LINALG_H
#define LATENTWALK_LINALG_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest size of a matrix to be decomposed (the smaller side, where it is not square); no matrix may have
 * more than 2^31 - 1 elements. */
#define LW_LINALG_MAX 16384

/* Symmetric A [n, n] = sum over i of values[i] vectors[i] vectors[i]^T, values descending (syevd: divide and
 * conquer). Of A, its lower triangle counts. `values` [n]; `vectors` [n, n], orthonormal rows, or NULL. */
LW_API lw_status lw_symmetric_eigen(int64_t n, const double *a, double *values, double *vectors);

/* A [m, n] = sum over i of values[i] left[i] right[i]^T, values descending, with k = min(m, n) terms (gesdd).
 * `values` [k]; `left` [k, m] and `right` [k, n], orthonormal rows. */
LW_API lw_status lw_svd(int64_t m, int64_t n, const float *a, float *left, float *values, float *right);

/* Of each A of a batch a [count, m, n] the singular values above `cutoff` (>= 0), descending, and their vectors:
 * rank[i] of them. `values` [count, k], `left` [count, k, m], `right` [count, k, n], k = min(m, n); what lies
 * beyond the rank is zero. Several times faster than lw_svd: the eigenvectors wanted of A^T A (or A A^T, if
 * smaller) in float32, then corrected for what that loses of small values. With r = largest value / cutoff the
 * vectors are orthonormal to 1e-6 r, and values differ from lw_svd's by up to 1e-5 of the largest; where r
 * is over LW_SVD_ABOVE_RATIO (so with a cutoff of 0), lw_svd itself is used. A batch is spread over the cores, a
 * matrix to each. */
#define LW_SVD_ABOVE_RATIO 1000
LW_API lw_status lw_svd_above(int64_t count, int64_t m, int64_t n, const float *a, float cutoff,
                              int64_t *rank, float *left, float *values, float *right);

/* x [n, r] that makes |A x - b| least, for A [m, n] and each of the r columns of b [m, r]; of several the
 * shortest (gelsd). Singular values of A up to `cutoff` times the largest count as zero; a negative cutoff
 * stands for the machine's precision. `rank`, where not NULL, gets how many did not. */
LW_API lw_status lw_least_squares(int64_t m, int64_t n, int64_t r, const double *a, const double *b,
                                  double cutoff, double *x, int64_t *rank);

#ifdef __cplusplus
}
#endif
#endif
