/* basis.h — choosing among the vectors of a Local Basis. */
#ifndef BASIS_H
#define BASIS_H

#include <latentwalk/local.h>

#include "../linear-traversal/traversal.h"

/* Parameters of the methods that move along one vector of the Local Basis. */
#define BASIS_PARAMS                                                                                         \
    {"basis",                                                                                                \
     LW_PARAM_INT,                                                                                           \
     NULL,                                                                                                   \
     "",                                                                                                     \
     0,                                                                                                      \
     65535,                                                                                                  \
     NULL,                                                                                                   \
     "Which vector of the Local Basis at the start, by falling singular value, is followed; absent: the "    \
     "one most "                                                                                             \
     "similar to the aim (Bounded Local Space, section 4.1)."},                                              \
        {"cutoff",                                                                                           \
         LW_PARAM_FLOAT,                                                                                     \
         NULL,                                                                                               \
         "0.05",                                                                                             \
         0,                                                                                                  \
         1e6,                                                                                                \
         NULL,                                                                                               \
         "Vectors with a singular value up to this are not taken (Bounded Local Space, supplement, section " \
         "1: 0.05; "                                                                                         \
         "Local Basis: 0)."},                                                                                \
    {                                                                                                        \
        "batch", LW_PARAM_INT, "latents", "16", 1, 1024, NULL, "Jacobians made at a time."                   \
    }

/* The local geometry that the parameters ask for, for at most as many latents as there are walks. */
lw_local *basis_open(traversal *t);
/* The vector of latent `index` most similar to `to` [w_dim], whatever its sign; -1 where the basis is empty.
 */
int64_t basis_most_similar(const lw_local *local, int64_t index, const float *to);
/* The vector that the parameter `basis` names, or an error; -1 where the basis is empty. */
lw_status basis_named(const traversal *t, const lw_local *local, int64_t index, int64_t *which);
/* 1, or -1 where the largest component of the vector is negative: LAPACK's signs are arbitrary, ours are not.
 */
double basis_sign(const lw_local *local, int64_t index, int64_t which);

#endif
