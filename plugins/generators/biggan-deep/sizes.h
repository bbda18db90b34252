/* sizes.h — finding BigGAN-deep's sizes in weights. */
#ifndef BIGGAN_DEEP_SIZES_H
#define BIGGAN_DEEP_SIZES_H

#include <latentwalk/latentwalk.h>

lw_status deep_detect(const lw_weights *weights, lw_args *args);
#endif
