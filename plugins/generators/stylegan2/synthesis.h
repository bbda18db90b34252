/* synthesis.h — StyleGAN2's synthesis network: w or w+ -> image. */
#ifndef STYLEGAN2_SYNTHESIS_H
#define STYLEGAN2_SYNTHESIS_H

#include "keys.h"

/* The latent [N, num_ws, w_dim], or [N, w_dim] for all layers -> image [N, channels, side, side]. */
lw_value sg2_synthesize(lw_graph *g, const lw_args *args, lw_value latent);

#endif
