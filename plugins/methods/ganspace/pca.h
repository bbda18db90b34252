/* pca.h — principal components of more rows than fit in memory, and what latents go with them. */
#ifndef PCA_H
#define PCA_H

#include <latentwalk/linalg.h>

/* Incremental PCA (Ross et al. 2008, as scikit-learn's IncrementalPCA): after every batch the `kept` largest
 * components stay. With kept = size nothing is lost, and it is plain PCA. All state is float32, so that it
 * can be kept in a store. */
typedef struct pca {
    int64_t size, kept; /* of a row; components between batches */
    int64_t seen;       /* rows so far */
    int64_t count;      /* components so far: less than `kept` where fewer rows were seen */
    float *mean;        /* [size] */
    float *variance;    /* [size], ddof 0 */
    float *singular;    /* [kept], falling */
    float *components;  /* [kept, size], orthonormal rows */
} pca;

lw_status pca_create(pca *p, int64_t size, int64_t kept);
void pca_destroy(pca *p);
/* Takes `rows` rows [rows, size], which are overwritten. */
lw_status pca_update(pca *p, float *x, int64_t rows);
/* Variance of component i (ddof 1 or 0), and the share of all variance that it is. */
double pca_variance(const pca *p, int64_t i, int ddof);
double pca_share(const pca *p, int64_t i);

/* Least squares from whitened components to latents, batch by batch (GANSpace's linreg_lstsq): with
 * A = (x - mean) components^T / deviation, the M that makes |A M - latents| least. */
typedef struct regression {
    int64_t components, size; /* of a latent */
    double *square;           /* A^T A [components, components] */
    double *product;          /* A^T latents [components, size] */
} regression;

lw_status regression_create(regression *r, int64_t components, int64_t size);
void regression_destroy(regression *r);
lw_status regression_update(regression *r, const pca *p, const float *deviation, const float *x,
                            const float *latents, int64_t rows);
/* m [components, size], not normalised */
lw_status regression_solve(const regression *r, float *m);

#endif
