/* objective.h — how far to go towards a protoimage, as a graph (equations 8 and 9). */
#ifndef OBJECTIVE_H
#define OBJECTIVE_H

#include <latentwalk/latentwalk.h>

/* proj(sigma proto + (1 - sigma) z): z, proto [B, n], sigma [B, 1] -> [B, n] on the sphere */
lw_value realism_between(lw_graph *g, lw_value z, lw_value proto, lw_value sigma);

/* mean (D(G(z)) - target)^2 + spread var D(G(z)), with the unbiased variance over the batch: z [B, n] ->
 * scalar. B at least 2 where spread is not 0. */
lw_value realism_objective(lw_graph *g, lw_model *model, double target, double spread, lw_value z);

#endif
