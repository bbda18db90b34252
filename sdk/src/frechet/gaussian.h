/* gaussian.h — what is kept of the rows seen so far. Sums are of differences from the first row, so that nothing
 * cancels where features lie far from zero. */
#ifndef LWI_GAUSSIAN_H
#define LWI_GAUSSIAN_H

#include "latentwalk/frechet.h"

struct lw_gaussian {
    int64_t size, count;
    double *origin;  /* [size] */
    double *sum;     /* [size]: of x - origin */
    double *squares; /* [size, size], lower triangle: of (x - origin) (x - origin)^T */
    double *columns; /* [size, block]: workspace */
};

#endif
