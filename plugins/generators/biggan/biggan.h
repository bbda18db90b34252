/* biggan.h — the sizes of BigGAN-PyTorch's generator, and finding them in weights. */
#ifndef BIGGAN_H
#define BIGGAN_H

#include <latentwalk/latentwalk.h>

/* Channels of block j in multiples of `ch`: from in[j] to out[j], at 8 * 2^j pixels. */
typedef struct biggan_arch {
    const char *resolution;
    int blocks, in[7], out[7];
} biggan_arch;

/* Of the parameter `resolution`. */
const biggan_arch *biggan_arch_of(const lw_args *args);
/* z_dim as the network takes it: with a hierarchical z, a multiple of the number of chunks. */
int64_t biggan_z_dim(const lw_args *args);
/* Of z: what goes to the first layer (and, with a hierarchical z, to every block). */
int64_t biggan_chunk(const lw_args *args);

lw_status biggan_detect(const lw_weights *weights, lw_args *args);
#endif
