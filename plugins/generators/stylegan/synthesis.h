/* synthesis.h — StyleGAN's synthesis network: w or w+ -> image. */
#ifndef STYLEGAN_SYNTHESIS_H
#define STYLEGAN_SYNTHESIS_H

#include "keys.h"

/* An equalised dense layer: x [N, in] -> x W^T c + b [N, out] with c = gain * lr / sqrt(in) and the bias
 * times lr, or in the zoo all of it times c. */
typedef struct sg1_dense {
    int64_t out;
    double gain, lr;
} sg1_dense;
lw_value sg1_linear(lw_graph *g, const sg1_keys *keys, lw_value x, const sg1_dense *layer, const char *weight,
                    const char *bias);

/* The latent [N, num_ws, w_dim], or [N, w_dim] for all layers -> image [N, channels, side, side]. */
lw_value sg1_synthesize(lw_graph *g, const lw_args *args, lw_value latent);

#endif
