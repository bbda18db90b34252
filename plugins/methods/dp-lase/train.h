/* train.h — the step's parts: training and the order of what was found (train.c), and walks along it
 * (show.c). */
#ifndef DP_LASE_TRAIN_H
#define DP_LASE_TRAIN_H

#include "lase.h"

/* Opens the scope whose weights are those of `networks`. */
void lase_scope(lw_graph *g, lw_step *step, lw_store *networks);
/* Trains F, C and the directions in `networks` (the step's store of that name), and saves them as
 * networks.safetensors. */
lw_status lase_train(lw_step *step, const lase *l, lw_store *networks);
/* The directions by falling score: the mean squared change of the features, over strides as in training. */
lw_directions *lase_found(lw_step *step, const lase *l, lw_store *networks);
/* Outputs `walk` and `images`. */
lw_status lase_show(lw_step *step, const lase *l, lw_store *networks, const lw_directions *found);

#endif
