/* layers.h — a stack of fully connected layers, initialised as torch.nn.Linear. */
#ifndef DP_LASE_LAYERS_H
#define DP_LASE_LAYERS_H

#include <latentwalk/latentwalk.h>

/* x [N, in] -> [N, out]: `layers` of them, the hidden ones of `width` units with `activation` after each.
 * Weights NAME.I.weight, NAME.I.bias of the current scope; no gradient reaches them where they are `fixed`.
 */
lw_value layers(lw_graph *g, lw_value x, const char *name, int count, int64_t width, int64_t out,
                lw_value (*activation)(lw_graph *g, lw_value x), bool fixed);

#endif
