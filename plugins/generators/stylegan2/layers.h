/* layers.h — what StyleGAN2's generator and discriminator share: equalised layers, the filter [1, 3, 3, 1],
 * labels. */
#ifndef STYLEGAN2_LAYERS_H
#define STYLEGAN2_LAYERS_H

#include <latentwalk/latentwalk.h>

#define SG2_NAME 128 /* bytes of a tensor's name */

/* Leaky ReLU 0.2, times sqrt(2) * gain, then within +-clamp * gain where clamp > 0 (bias_act.py). */
lw_value sg2_activate(lw_graph *g, lw_value x, double gain, double clamp);
/* x within +-clamp, where clamp > 0. */
lw_value sg2_clamp(lw_graph *g, lw_value x, double clamp);

/* A fully connected layer whose weight was made N(0, 1 / lr) and is scaled at run time:
 * x [N, in] -> x W^T lr / sqrt(in) + b lr [N, out]. */
typedef struct sg2_dense {
    int64_t out;
    double lr;         /* 0 means 1 */
    double bias_start; /* of a fresh bias, as stored */
} sg2_dense;
lw_value sg2_linear(lw_graph *g, lw_value x, const sg2_dense *layer, const char *weight, const char *bias);

/* x [N, d] -> x / sqrt(mean(x^2) + 1e-8) */
lw_value sg2_normalize(lw_graph *g, lw_value x);

/* The FIR [1, 3, 3, 1] in both directions with unit gain per output pixel: x [N, C, H, W] padded by `before`
 * and `after`, enlarged by `up` or shrunk by `down`. A sum over zeros: `gain` is 2 per axis after a zero
 * insertion. */
lw_value sg2_filter(lw_graph *g, lw_value x, int up, int down, int before, int after, double gain);

/* Labels [count, classes]: those of the model being built, or rows for the parameter `class`. */
lw_value sg2_labels(lw_graph *g, const lw_args *args, int64_t count);

/* w [N, w_dim] (where !repeat: one w_dim for each of `layers` layers, side by side) drawn to `mean` by `psi`
 * in the first `cutoff` layers: -> like w, or [N, layers, w_dim] where w is one for all layers but only some
 * are drawn. */
lw_value sg2_draw(lw_graph *g, lw_value w, lw_value mean, double psi, int64_t cutoff, int64_t layers,
                  bool repeat);

/* A number that detect found, for a parameter that the user did not give. */
lw_status sg2_found(lw_args *args, const char *key, double value);

/* Layers that take a w: two for each of args "widths". */
int64_t sg2_layer_count(const lw_args *args);
/* The named sizes of a generator. Where every layer has its own w (args "repeat_w" false), all of them
 * together are one w, and w+ has one entry. */
void sg2_dims(const lw_args *args, lw_dims *dims);

#endif
