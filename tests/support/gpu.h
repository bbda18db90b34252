/* gpu.h — the code for GPUs, run on a CPU. */
#ifndef TEST_GPU_H
#define TEST_GPU_H

#include <latentwalk/latentwalk.h>

/* The OpenCL CPU device, which the compiler takes for a GPU: its kernels and its back end are those of GPUs.
 * NULL with an error where there is none. */
lw_device *test_open_as_gpu(void);

#endif
