/* deform.h — the direction matrix A of Voynov & Babenko (section 3.2): shifts along k directions -> a shift
 * of a latent. */
#ifndef DEFORM_H
#define DEFORM_H

#include <latentwalk/latentwalk.h>

typedef enum deform_kind {
    DEFORM_ORTHO,      /* columns of exp(B - B^T): orthonormal */
    DEFORM_PROJECTIVE, /* |x| (A x + b) / |A x + b|: every shift keeps its length */
    DEFORM_LINEAR      /* A x + b */
} deform_kind;

/* shifts [N, k] -> [N, size]. Weights of the current scope, named as released: log_mat_half, or linear.weight
 * and linear.bias. */
lw_value deform(lw_graph *g, deform_kind kind, lw_value shifts, int64_t size);
/* The directions [k, size]: the columns of A, without the offset b. */
lw_value deform_directions(lw_graph *g, deform_kind kind, int64_t count, int64_t size);
/* exp(x) of a square matrix with a spectral norm of at most 256 */
lw_value deform_exponential(lw_graph *g, lw_value x);
/* u in [-1, 1] -> scale u, but at least `least` away from 0 (the released make_shifts) */
lw_value deform_shifts(lw_graph *g, lw_value u, double scale, double least);

#endif
