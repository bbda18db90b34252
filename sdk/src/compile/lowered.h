/* lowered.h — the seam between the compiler and the kernels: a program as a list of launches on buffers.
 *
 * The compiler walks the graph and asks generators of launches (elementwise codegen, reductions, data
 * movement, the dense back ends) to emit. A launch names its kernel and its arguments; each buffer
 * argument says whether it is read or written. From that list the compiler finds what is constant
 * (all operands constant: run once, kept), plans memory (liveness of buffers) and makes the run a list
 * of enqueues. Internal. */
#ifndef LWI_LOWERED_H
#define LWI_LOWERED_H

#include "latentwalk/program.h"

typedef struct lwi_lowering lwi_lowering;
typedef int lwi_buffer; /* 0 is none */

/* A new working buffer of `count` floats; contents undefined until a launch writes it. */
lwi_buffer lwi_scratch(lwi_lowering *lowering, size_t count);

typedef enum lwi_arg_kind {
    LWI_ARG_READ,
    LWI_ARG_WRITE,
    LWI_ARG_INT,
    LWI_ARG_FLOAT,
    LWI_ARG_STREAM
} lwi_arg_kind;
typedef struct lwi_arg {
    lwi_arg_kind kind;
    lwi_buffer buffer; /* READ, WRITE: __global float *, NULL when 0. A buffer both read and written is WRITE
                          and never folded */
    int32_t i; /* INT: int; STREAM: purpose, passed as uint8 {seed lo, hi, step lo, hi, purpose, 0…} */
    float f;
} lwi_arg;
#define LWI_READ(b)             \
    {                           \
        LWI_ARG_READ, (b), 0, 0 \
    }
#define LWI_WRITE(b)             \
    {                            \
        LWI_ARG_WRITE, (b), 0, 0 \
    }
#define LWI_INT(v)                      \
    {                                   \
        LWI_ARG_INT, 0, (int32_t)(v), 0 \
    }
#define LWI_FLOAT(v)                    \
    {                                   \
        LWI_ARG_FLOAT, 0, 0, (float)(v) \
    }

#define LWI_MAX_ARGS 96
typedef struct lwi_launch {
    const char *source;  /* text of an OpenCL program: embedded (lwi_source("conv")) or generated; copied if
                            `generated` */
    const char *kernel;  /* entry point */
    const char *options; /* build options "-DROWS=12", "" for none. Same source + options = one cl_program */
    bool generated;
    size_t global[3],
        local[3]; /* unused dims 1. Work-group sizes from a fixed small set: PoCL compiles each */
    lwi_arg arg[LWI_MAX_ARGS];
    int arg_count;
    double flops;
} lwi_launch;
void lwi_emit(lwi_lowering *lowering, const lwi_launch *launch);

/* A launch that is a library call (CLBlast): at run time `call(context, queue, mem, offset)` with the cl_mem
 * and the offset in floats of each buffer in order. `context` is freed with lw_free at the end. */
typedef lw_status (*lwi_call)(void *context, void *queue, void *const *mem, const size_t *offset);
void lwi_emit_call(lwi_lowering *lowering, lwi_call call, void *context, const lwi_arg *buffers, int count,
                   double flops);

/* Text of an embedded kernel file sdk/src/kernels/NAME.cl. Never NULL for the names that exist. */
const char *lwi_source(const char *name);
/* Of a kernel of native.cl, the program with all embedded kernels that CPUs use; to be filled. */
lwi_launch lwi_native_launch(const lwi_lowering *l, const char *kernel);

/* The device as kernels must know it. */
typedef struct lwi_target {
    bool is_cpu;
    int units;        /* compute units */
    int vector_width; /* preferred float vector width: 16 with AVX-512, 8 with AVX2, 1 on GPUs */
    int group_items;  /* the most work-items in a group, and the bytes of local memory that they share: */
    int local_bytes;
    struct lwi_tuning *tuning; /* NULL: algorithms are chosen by estimate */
} lwi_target;
const lwi_target *lwi_lowering_target(const lwi_lowering *lowering);

/* --- dense back ends --------------------------------------------------------------------------
 * Convolution activations are NHWC: [N][H][W][C]. Weights arrive as the graph has them (PyTorch order,
 * row-major) and are packed by the back end with a launch of its own, which folds when they are constant. */

/* y = clamp(activation(acc * scale + bias + residual) * gain): what a dense kernel does to its tile before
 * storing. "channel" is the last dim of the stored layout (a GEMM's column). */
typedef struct lwi_epilogue {
    lwi_buffer scale;     /* 0: none */
    bool scale_per_image; /* scale is [N][channels] rather than [channels] (convolutions) */
    lwi_buffer bias;      /* [channels], 0: none */
    lwi_buffer residual;  /* laid out as y, 0: none */
    int activation;       /* 0 none, 1 leaky relu, 2 tanh, 3 sigmoid */
    float slope;          /* leaky relu */
    float gain;           /* 0 means 1 */
    float clamp;          /* 0: none */
} lwi_epilogue;

/* c[b] (m x n) = op(a[b]) op(b[b]). Row-major, dense. ta: a is stored [k][m]; tb: b is stored [n][k].
 * A batch stride in floats of 0 shares one operand between all. */
typedef struct lwi_gemm {
    int64_t batch, m, n, k;
    bool ta, tb;
    bool b_varies; /* another one in each run, so that packing it would cost each time */
    int64_t stride_a, stride_b, stride_c;
} lwi_gemm;

typedef enum lwi_conv_kind { LWI_CONV_FORWARD, LWI_CONV_TRANSPOSE, LWI_CONV_WEIGHT } lwi_conv_kind;
/* x [n][h][w][c], w [k][c][r][s] (graph order), y [n][oh][ow][k]; y[oy] sums x[oy * stride - padding + r].
 * FORWARD reads x, w, writes y. TRANSPOSE reads y, w, writes x. WEIGHT reads x, y, writes w (graph order). */
typedef struct lwi_conv {
    lwi_conv_kind kind;
    int n, h, w, c, k, r, s, oh, ow, stride, padding;
    bool varies; /* w is another one in every run; else packing it costs nothing */
} lwi_conv;

typedef struct lwi_backend {
    const char *name; /* "native", "clblast" */
    lw_status (*gemm)(lwi_lowering *l, const lwi_gemm *gemm, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                      const lwi_epilogue *epilogue);
    lw_status (*conv)(lwi_lowering *l, const lwi_conv *conv, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                      const lwi_epilogue *epilogue);
} lwi_backend;
extern const lwi_backend lwi_native, lwi_clblast;

#endif
