/* keys.h — the names and shapes under which the implementations of StyleGAN2 store the same tensors. */
#ifndef STYLEGAN2_KEYS_H
#define STYLEGAN2_KEYS_H

#include "layers.h"

/* Layers are counted through the network: 0 at 4x4, then 2k - 1 (enlarging) and 2k in block k, of side 4 <<
 * k. */
typedef struct sg2_keys {
    const char *layout;
    const char *weight, *bias, *style_weight, *style_bias, *strength; /* after a layer's name */
    const char *dense_weight, *dense_bias; /* formats of the number of a mapping layer */
    int first_dense;                       /* its first number */
    const char *label;                     /* matrix [classes, z_dim], or NULL: an embedding layer */
    const char *mean;                      /* of w */
    const char *constant;
    bool scaled; /* weights are scaled by 1 / sqrt(fan in) before demodulation too, which moves its epsilon */
    bool flipped;   /* enlarging kernels are mirrored against NVIDIA's PyTorch */
    bool plus_one;  /* the stored style bias lacks the 1 */
    bool leading;   /* convolutions are [1, O, I, k, k] */
    bool constant4; /* the constant is [1, C, 4, 4], the noise [1, 1, H, W]; otherwise [C, 4, 4] and [H, W] */
    int64_t strength_rank;
} sg2_keys;

/* The layout of that name, or the number-th; NULL after the last. */
const sg2_keys *sg2_keys_of(const char *layout);
const sg2_keys *sg2_keys_at(int number);
extern const char *const sg2_layouts[];

/* Names into a buffer of SG2_NAME bytes, which is returned. */
const char *sg2_layer_name(const sg2_keys *keys, int layer, char *name);
const char *sg2_rgb_name(const sg2_keys *keys, int block, char *name);
const char *sg2_skip_name(int block, char *name); /* of the nvidia layout */
const char *sg2_noise_name(const sg2_keys *keys, int layer, char *name);
const char *sg2_dense_name(const sg2_keys *keys, int number, bool bias, char *name);

/* Output channels of a stored convolution. */
int64_t sg2_outputs(const sg2_keys *keys, lw_shape shape);
/* The convolution `name` as [out, in, k, k], for an enlarging layer oriented as NVIDIA's PyTorch stores it.
 */
lw_value sg2_kernel(lw_graph *g, const sg2_keys *keys, const char *name, int64_t out, int64_t in, int k,
                    bool up);

#endif
