/* pggan.h — what the files of discriminator/pggan share: key layouts and the kernels found under their names.
 */
#ifndef PGGAN_D_H
#define PGGAN_D_H

#include <latentwalk/latentwalk.h>

#define PGGAN_MAX_BLOCKS 10 /* 4x4 … 2048x2048 */

typedef enum pggan_layout {
    PGGAN_ZOO,      /* pytorch_GAN_zoo */
    PGGAN_ZOO_OLD,  /* the same before the inner `module.` */
    PGGAN_GENFORCE, /* genforce, sefa */
    PGGAN_TF,       /* the official TensorFlow variables */
} pggan_layout;

typedef enum pggan_role { PGGAN_FROM_RGB, PGGAN_CONV0, PGGAN_CONV1, PGGAN_DENSE, PGGAN_DECISION } pggan_role;

/* A layer of the block at 4 << block pixels; the 4x4 block has CONV0, DENSE and DECISION. */
typedef struct pggan_layer {
    pggan_layout layout;
    pggan_role role;
    int block, blocks;
    bool fused; /* a CONV1 that halves the map itself */
} pggan_layer;

typedef struct pggan_kernel {
    lw_value weight, bias; /* [out, in, k, k] or [out, in], and [out] */
} pggan_kernel;

#define PGGAN_NAME 64
const char *pggan_weight_name(pggan_layer layer, char name[PGGAN_NAME]);
const char *pggan_bias_name(pggan_layer layer, char name[PGGAN_NAME]);

bool pggan_is_zoo(pggan_layout layout);
/* `scaled`: weights are stored with unit deviation and scaled at run time (He's constant). */
pggan_kernel pggan_fetch(lw_graph *g, pggan_layer layer, int64_t in, int64_t out, bool scaled);
#endif
