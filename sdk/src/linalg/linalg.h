/* linalg.h — what the files around LAPACK share. */
#ifndef LWI_LINALG_H
#define LWI_LINALG_H

#include "latentwalk/linalg.h"

/* What a LAPACKE function of that name returned, as a status: memory, an argument of ours, no convergence. */
lw_status lwi_lapack(const char *name, int info);
/* LW_SHAPE unless 1 <= m, n, their product is a LAPACK index and the smaller is at most LW_LINALG_MAX. */
lw_status lwi_matrix_size(const char *what, int64_t m, int64_t n);
/* LW_NUMERIC where an element is not finite; the message names the first one. */
lw_status lwi_finite(const char *what, const float *a, int64_t m, int64_t n);
lw_status lwi_finite_double(const char *what, const double *a, int64_t m, int64_t n);
/* a [m, n] -> out [n, m] */
void lwi_transpose(int64_t m, int64_t n, const float *a, float *out);
void lwi_transpose_double(int64_t m, int64_t n, const double *a, double *out);

#endif
