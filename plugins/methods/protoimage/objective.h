/* objective.h — the search for protoimages as a graph (algorithm 1, equations 6 and 7, appendix C's equation
 * 4). */
#ifndef OBJECTIVE_H
#define OBJECTIVE_H

#include <latentwalk/latentwalk.h>

/* The next point of each walk: proj(at + (q . d) d / |d|^2) with d = at - before; all [B, n]. */
lw_value proto_step(lw_graph *g, lw_value before, lw_value at, lw_value q);

typedef struct proto_weights {
    double cosine, score_spread, cosine_spread; /* lambda, gamma, delta */
} proto_weights;
/* mean D(G(z)) + lambda mean cos(z, z0) + gamma std D(G(z)) + delta std cos(z, z0), with unbiased deviations
 * over the batch. z, z0 [B, n] -> scalar; B at least 2 where gamma or delta is not 0. */
lw_value proto_objective(lw_graph *g, lw_model *model, proto_weights weights, lw_value z, lw_value z0);

#endif
