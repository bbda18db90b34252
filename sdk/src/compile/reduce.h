/* reduce.h — a reduction on its way to a kernel. Internal to reduce.c and reduce_gpu.c. */
#ifndef LWI_REDUCE_H
#define LWI_REDUCE_H

#include "compile/expr.h"

enum { LWI_MOST_SUMS = 4 };

typedef struct lwi_reduction {
    lwi_lowering *l;
    lwi_expr *e;
    int result[LWI_MOST_SUMS]; /* terms, all of one shape; stored to the first buffers */
    int count;
    bool max;
    lwi_view out;               /* strides per root dim, 0 where reduced */
    int64_t loop[LW_MAX_RANK];  /* the same per loop */
    int64_t parts, part_stride; /* the outermost reduced loop is cut in parts, stored part_stride apart */
    lwi_signature s;
    lwi_text text;
} lwi_reduction;

/* Into how many parts a GPU cuts the reduced range, and the kernel that makes them. */
int64_t lwi_gpu_reduction_parts(const lwi_reduction *r);
void lwi_print_gpu_reduction(lwi_reduction *r);

#endif
