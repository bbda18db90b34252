/* alloc_internal.h — memory that devices may use as it is. */
#ifndef LWI_ALLOC_INTERNAL_H
#define LWI_ALLOC_INTERNAL_H

#include "latentwalk/base.h"

/* Where OpenCL's largest type (16 doubles) may lie; device buffers may be laid over memory aligned so. */
#define LWI_ALIGNMENT 128

/* As lw_alloc, but aligned to LWI_ALIGNMENT, and what it holds is anything; released with lw_free. */
void *lwi_alloc_aligned(size_t count, size_t size);

#endif
