/* layers.h — what the BigGAN generators and the discriminator share. */
#ifndef BIGGAN_LAYERS_H
#define BIGGAN_LAYERS_H

#include <latentwalk/latentwalk.h>

/* Labels [count, classes] as given, or the class of the parameter `class` in every row. */
lw_value biggan_labels(lw_graph *g, const lw_args *args, int64_t count);

/* NAME.weight of `shape`, divided by what BigGAN-PyTorch (layers.py, SN) takes for its largest singular
 * value: one power step from the stored u0, also outside training. As it is where `spectral` is false. The
 * quotient and the divisor become taps sn_weight_TAP and sigma_used_TAP, unless `tap` is NULL. */
lw_value biggan_weight(lw_graph *g, bool spectral, lw_shape shape, const char *name, const char *tap);
/* x [N, C, H, W] -> [N, channels, H, W] with that weight and NAME.bias; kernel 1 or 3. */
lw_value biggan_conv(lw_graph *g, bool spectral, lw_value x, int64_t channels, int kernel, const char *name,
                     const char *tap);

/* What the latent enters by, gathered while the network is built: `so_far` (null at first) with one more
 * affine function of it [N, C] beside it. The whole becomes the tap affine0. */
lw_value biggan_gather(lw_graph *g, lw_value so_far, lw_value affine);

/* Self-attention (Zhang et al. 2019 without the scaling): x [N, C, H, W] -> gamma * o(..) + x. The weights of
 * 1x1 convolutions: theta and phi [C/8, C], g [C/2, C], o [C, C/2], each [.., .., 1, 1]. */
typedef struct biggan_attention {
    lw_value theta, phi, g, o, gamma;
} biggan_attention;
lw_value biggan_attend(lw_graph *g, lw_value x, const biggan_attention *weights);
/* The same with BigGAN-PyTorch's keys NAME.theta … NAME.gamma. */
lw_value biggan_attend_at(lw_graph *g, bool spectral, lw_value x, const char *name);
#endif
