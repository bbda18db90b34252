/* native.h — what the native back end's GEMM and convolutions share: the blocked product of gemm.cl.
 * Internal to native_*.c. */
#ifndef LWI_NATIVE_H
#define LWI_NATIVE_H

#include "compile/lowered.h"

/* A product as the kernels dense_rows and dense_outer see it; see gemm.cl for the meaning of the sizes. */
typedef struct lwi_dense {
    bool outer; /* dense_outer */
    int batch, images, ih, iw, ic, r, s, stride, padding, oh, ow, oc;
    bool transposed;
    int64_t rows, steps;                  /* of the result (of the largest phase), of the reduction */
    int64_t count;                        /* floats of the result, one batch */
    int64_t stride_x, stride_b, stride_y; /* between batches, in floats */
    bool packed;                          /* b lies in panels */
    lwi_buffer x, b, y;
    double flops;
} lwi_dense;

/* Emits y = epilogue(product), cutting the reduction and summing the parts where the result alone is too
 * small to keep every unit busy. */
void lwi_dense_emit(lwi_lowering *l, const lwi_dense *dense, const lwi_epilogue *epilogue);
/* The product before any epilogue, as parts [splits][count] still to be summed, in new scratch. */
lwi_buffer lwi_dense_emit_parts(lwi_lowering *l, const lwi_dense *dense, int *splits);

/* Right operand b [batch][k][n] in panels; b itself, with *packed false, where the kernel can use it. */
lwi_buffer lwi_pack_matrix(lwi_lowering *l, lwi_buffer b, int64_t batch, int64_t k, int64_t n, int64_t stride,
                           bool *packed);
/* b [batch][n][k][taps] in panels of n with the steps (tap, k). */
lwi_buffer lwi_pack_transposed(lwi_lowering *l, lwi_buffer b, int64_t batch, int64_t k, int64_t n,
                               int64_t taps, int64_t stride);
int lwi_panel(const lwi_lowering *l); /* columns of a panel on this device */

void lwi_push(lwi_launch *launch, lwi_arg arg);
void lwi_push_ints(lwi_launch *launch, const int64_t *value, int count);
/* A kernel's arguments y, scale, bias, residual; and activation, slope, gain, clamp. No epilogue: NULL. */
void lwi_push_buffers(lwi_launch *launch, lwi_buffer y, const lwi_epilogue *epilogue);
void lwi_push_activation(lwi_launch *launch, const lwi_epilogue *epilogue);

/* A product with few rows, where the kernels of rows.cl serve it best; false where they do not. */
bool lwi_few_rows(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                  const lwi_epilogue *e);

/* How a convolution can be done; not every way can do every one. */
typedef enum lwi_algorithm {
    LWI_DIRECT,      /* one blocked product */
    LWI_BY_TAPS,     /* a transpose: products with all taps, then their sums */
    LWI_FEW_COLUMNS, /* 1 x 1 to a few channels: dot products */
    LWI_WINOGRAD,    /* fewer multiplications */
    LWI_ALGORITHMS
} lwi_algorithm;
const char *lwi_algorithm_name(lwi_algorithm algorithm);
bool lwi_conv_can(lwi_algorithm algorithm, const lwi_conv *conv);
double lwi_conv_cost(const lwi_lowering *l, lwi_algorithm algorithm, const lwi_conv *conv); /* an estimate */
lwi_algorithm lwi_cheapest(const lwi_lowering *l, const lwi_conv *conv); /* by that estimate */
lw_status lwi_conv_by(lwi_lowering *l, lwi_algorithm algorithm, const lwi_conv *conv, lwi_buffer x,
                      lwi_buffer w, lwi_buffer y, const lwi_epilogue *epilogue);
lw_status lwi_native_conv(lwi_lowering *l, const lwi_conv *conv, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                          const lwi_epilogue *epilogue);
/* w [k][c][r][s] = epilogue(the sum of part [splits][r][s][c][k]): the end of a filter's gradient. */
void lwi_sum_filter(lwi_lowering *l, const lwi_conv *conv, lwi_buffer part, int splits, lwi_buffer w,
                    const lwi_epilogue *epilogue);
bool lwi_winograd_can(const lwi_conv *conv);
double lwi_winograd_cost(const lwi_lowering *l, const lwi_conv *conv);
lw_status lwi_winograd(lwi_lowering *l, const lwi_conv *conv, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                       const lwi_epilogue *epilogue);

static inline int64_t lwi_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline lwi_arg lwi_read(lwi_buffer b)
{
    return (lwi_arg)LWI_READ(b);
}
static inline lwi_arg lwi_write(lwi_buffer b)
{
    return (lwi_arg)LWI_WRITE(b);
}

#endif
