/* keys.h — the names under which the implementations of StyleGAN store the same tensors. */
#ifndef STYLEGAN_KEYS_H
#define STYLEGAN_KEYS_H

#include "layers.h"

/* Layers are counted through the network: 2k (enlarging, for 0 the constant) and 2k + 1 in block k, of side 4
 * << k. */
typedef enum sg1_tensor {
    SG1_WEIGHT, /* of the convolution; for layer 0 the constant */
    SG1_BIAS,
    SG1_NOISE_WEIGHT,
    SG1_NOISE,
    SG1_STYLE_WEIGHT,
    SG1_STYLE_BIAS,
    SG1_KERNEL,     /* of the blur */
    SG1_RGB_WEIGHT, /* of a block */
    SG1_RGB_BIAS,
    SG1_DENSE_WEIGHT, /* of a layer of the mapping */
    SG1_DENSE_BIAS,
    SG1_MEAN, /* of w */
    SG1_TENSORS
} sg1_tensor;

typedef struct sg1_keys {
    const char *layout;
    const char *const *name; /* by sg1_tensor: formats of one number, NULL where there is no such tensor */
    bool zoo;                /* pytorch_GAN_zoo's arithmetic, see README.md */
} sg1_keys;

extern const char *const sg1_layouts[];
/* The layout of that name, or the number-th; NULL after the last. */
const sg1_keys *sg1_keys_of(const char *layout);
const sg1_keys *sg1_keys_at(int number);
/* The tensor's name, of the layer, block or mapping layer `number`; NULL where the layout has none. In a
 * buffer of SG2_NAME bytes. */
const char *sg1_name(const sg1_keys *keys, sg1_tensor tensor, int number, char *name);

#endif
