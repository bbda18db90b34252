/* frechet.h — Gaussians fitted to streams of features, and the Fréchet distance between two of them.
 *
 * d² = |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^1/2) (Dowson & Landau 1982, equation 4). It is the FID of Heusel et al.
 * 2017 only where the features are those of the official Inception network; it is never called so here.
 *
 * A Gaussian belongs to one thread at a time. */
#ifndef LATENTWALK_FRECHET_H
#define LATENTWALK_FRECHET_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Mean and covariance of rows that pass by, in double precision; the rows are not kept. */
typedef struct lw_gaussian lw_gaussian;
LW_API lw_gaussian *lw_gaussian_create(int64_t size); /* of a row: 1 … LW_LINALG_MAX (linalg.h) */
LW_API void lw_gaussian_destroy(lw_gaussian *gaussian);
/* Adds rows [n, size]; how they are portioned changes nothing but rounding. LW_NUMERIC, naming feature and sample,
 * where one is not finite: the Gaussian is then of no more use. */
LW_API lw_status lw_gaussian_add(lw_gaussian *gaussian, const float *rows, int64_t n);
LW_API int64_t lw_gaussian_count(const lw_gaussian *gaussian); /* rows so far */
/* mean [size] and covariance [size, size] (divided by count - 1, as NumPy's cov); LW_INVALID with fewer than two
 * rows. */
LW_API lw_status lw_gaussian_moments(const lw_gaussian *gaussian, double *mean, double *covariance);

/* d² as its two terms, whose sum it is. The trace of the root is the sum of the square roots of the eigenvalues of
 * C1^1/2 C2 C1^1/2, which is symmetric. */
typedef struct lw_frechet {
    double means, covariances;
} lw_frechet;
/* LW_SHAPE for features of different numbers, LW_INVALID for fewer than two rows in either. Both are left as they are. */
LW_API lw_status lw_frechet_distance(const lw_gaussian *a, const lw_gaussian *b, lw_frechet *distance);

#ifdef __cplusplus
}
#endif
#endif
