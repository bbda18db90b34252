/* cluster.h — channels sorted into subspaces by how they tell each other (section 3.3, equation 14, and its
 * reference [29]). */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <latentwalk/base.h>

/* S = (|R| + |R^T|) / 2 (eq. 14). [n, n] both */
void affinity_paper(int64_t n, const double *r, double *s);
/* The released code's: positive coefficients alone, of each column the largest that make up `share` of its
 * sum, made symmetric, of which the row-normalised main factors of rank min(dimension clusters + 1, n - 1)
 * give cosines, to the power `power`. */
lw_status affinity_released(int64_t n, const double *r, int64_t clusters, double *s);
/* Its parts: of each column of c, what makes up `share` of the sum of sizes, the rest zero; and from the
 * symmetric part on. */
lw_status affinity_keep(int64_t n, const double *c, double share, double *kept);
lw_status affinity_refine(int64_t n, const double *c, int64_t clusters, int64_t dimension, double power,
                          double *s);

/* Spectral clustering (Ng, Jordan, Weiss 2002): label [n] in 0 … clusters - 1, by falling size of the
 * cluster. The affinities s [n, n] are symmetric and not negative; their diagonal does not count. The same
 * seed gives the same labels. */
lw_status cluster(int64_t n, const double *s, int64_t clusters, uint64_t seed, int64_t *label);

#endif
