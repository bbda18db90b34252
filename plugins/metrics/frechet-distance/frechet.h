/* frechet.h — the arithmetic of metric/frechet-distance: Gaussians fitted to streams of features. */
#ifndef FRECHET_H
#define FRECHET_H

#include <latentwalk/latentwalk.h>

/* What is kept of the rows seen so far. Sums are of differences from the first row, so that nothing cancels
 * where features lie far from zero. */
typedef struct gaussian {
    int64_t size, count;
    double *origin;  /* [size] */
    double *sum;     /* [size]: of x - origin */
    double *squares; /* [size, size], lower triangle: of (x - origin) (x - origin)^T */
    double *columns; /* [size, block]: workspace */
} gaussian;

lw_status gaussian_open(gaussian *g, int64_t size);
void gaussian_close(gaussian *g);
/* Adds rows [n, size]; LW_NUMERIC, naming the row, where one is not finite. */
lw_status gaussian_add(gaussian *g, const float *rows, int64_t n);
/* mean [size] and covariance [size, size] (divided by count - 1); LW_INVALID with fewer than two rows. */
lw_status gaussian_finish(const gaussian *g, double *mean, double *covariance);

/* d² = |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^1/2) (Dowson & Landau 1982, equation 4), its two terms apart. The root's
 * trace is the sum of the square roots of the eigenvalues of C1^1/2 C2 C1^1/2, which is symmetric. */
typedef struct frechet {
    double means, covariances; /* d² is their sum */
} frechet;
lw_status frechet_distance(const gaussian *a, const gaussian *b, frechet *distance);

#endif
