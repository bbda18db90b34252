/* gram.h — the singular values of a matrix above a cut-off, in memory given once. */
#ifndef LWI_GRAM_H
#define LWI_GRAM_H

#include "linalg/linalg.h"

typedef struct lwi_gram {
    int64_t m, n;                /* of the matrices */
    int64_t small, large;        /* the smaller and the larger of them */
    float *memory;               /* all of what follows */
    float *gram;                 /* [small, small], then its reflectors */
    float *eigen;                /* [small, small] eigenvectors of its tridiagonal form */
    float *diagonal, *off, *tau; /* [small] each */
    float *work;                 /* [large, small], and what LAPACK asks for */
    int64_t work_count;
    int32_t *integers; /* what LAPACK asks for */
} lwi_gram;

lw_status lwi_gram_create(lwi_gram *gram, int64_t m, int64_t n);
void lwi_gram_destroy(lwi_gram *gram);
/* One matrix of lw_svd_above. */
lw_status lwi_gram_svd(lwi_gram *gram, const float *a, float cutoff, int64_t *rank, float *left,
                       float *values, float *right);

#endif
