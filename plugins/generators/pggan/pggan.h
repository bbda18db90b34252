/* pggan.h — what the files of generator/pggan share: key layouts and the kernels found under their names. */
#ifndef PGGAN_H
#define PGGAN_H

#include <latentwalk/latentwalk.h>

#define PGGAN_MAX_BLOCKS 10 /* 4x4 … 2048x2048 */

typedef enum pggan_layout {
    PGGAN_ZOO,          /* pytorch_GAN_zoo */
    PGGAN_ZOO_OLD,      /* the same before the inner `module.` */
    PGGAN_GENFORCE,     /* genforce, sefa */
    PGGAN_INTERFACEGAN, /* interfacegan */
    PGGAN_DISCOVERY,    /* GANLatentDiscovery, netdissect */
    PGGAN_TF,           /* the official TensorFlow variables */
} pggan_layout;

/* A convolution of the network: number 0 … 2 * blocks - 1, or the toRGB layer of block `number`. */
typedef struct pggan_layer {
    pggan_layout layout;
    int number;
    bool rgb, fused; /* fused: up-sampling and convolution in one, of the even layers from 2 on */
    int blocks;
} pggan_layer;

/* Its kernel made ready: convolution [out, in, k, k]; fused [in, out, 4, 4]; first layer [out * 16, in]. */
typedef struct pggan_kernel {
    lw_value weight, bias;
} pggan_kernel;

#define PGGAN_NAME 64
const char *pggan_weight_name(pggan_layer layer, char name[PGGAN_NAME]);
const char *pggan_bias_name(pggan_layer layer, char name[PGGAN_NAME]);

pggan_layout pggan_layout_of(const lw_args *args);
bool pggan_is_zoo(pggan_layout layout);
/* `scaled`: weights are stored with unit deviation and scaled at run time (He's constant). */
pggan_kernel pggan_fetch(lw_graph *g, pggan_layer layer, int64_t in, int64_t out, bool scaled);

/* z [N, z_dim] -> image [N, channels, side, side] */
lw_value pggan_synthesize(lw_graph *g, const lw_args *args, lw_value z);
#endif
