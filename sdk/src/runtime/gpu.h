/* gpu.h — the pieces of the back end for GPUs. Internal to blas_clblast.c and gpu_*.c. */
#ifndef LWI_GPU_H
#define LWI_GPU_H

#include "runtime/native.h"

bool lwi_gpu_is_plain(const lwi_epilogue *epilogue);
/* y = epilogue(sum of parts [splits][rows][channels]); an image has `image` rows. */
void lwi_gpu_finish(lwi_lowering *l, const lwi_epilogue *epilogue, lwi_buffer parts, int splits, lwi_buffer y,
                    int64_t rows, int64_t channels, int64_t image);
lw_status lwi_gpu_conv(lwi_lowering *l, const lwi_conv *conv, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                       const lwi_epilogue *epilogue);

#endif
