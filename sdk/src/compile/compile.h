/* compile.h — the compiler's own data: a simplified graph, views of buffers, and the lowered program.
 *
 * simplify.c copies the graph into an lwi_ir (dead code gone, equal nodes merged), epilogue.c gives dense
 * nodes what follows them, fuse.c decides which elementwise values get memory, lower.c emits launches,
 * lowering.c finds what is constant and plan.c places buffers. The runtime (program.c) then runs it. */
#ifndef LWI_COMPILE_H
#define LWI_COMPILE_H

#include "compile/lowered.h"
#include "graph/ir.h"

/* --- the graph being compiled ----------------------------------------------------------------- */
/* Where an element of a logical tensor lies: buffer[offset + sum of index[d] * stride[d]]. */
typedef struct lwi_view {
    lwi_buffer buffer; /* 0: the value has no memory (yet): it is computed where it is used */
    int64_t offset;
    int64_t stride[LW_MAX_RANK];
} lwi_view;

typedef enum lwi_order { LWI_PLAIN, LWI_NHWC } lwi_order;

typedef struct lwi_inst {
    lwi_op op;
    lw_shape shape;
    int in_count;
    int *in; /* indices of operands, in the ir's pool */
    int64_t i[8];
    float f[2];
    const float *data; /* CONSTANT (NULL: f[0] everywhere), RESAMPLE2D taps; borrowed from the graph */
    lw_store *store;
    const char *name;
    const char *layer, *plugin; /* for messages */
    /* What a dense node does to its result (epilogue.c); operands are indices, 0 none. */
    int scale, bias, residual;
    int activation;
    float slope, gain;
    /* Decisions (fuse.c) and results (lower.c). */
    int uses;
    bool stored;      /* gets memory; otherwise computed inside its users' kernels */
    bool wants_nhwc;  /* a convolution reads it */
    bool varies;      /* from run to run; otherwise it is computed once */
    lwi_view view;
    lwi_buffer dense[2]; /* copies made for users that need one order, by lwi_order */
} lwi_inst;

typedef struct lwi_ir {
    lwi_inst *inst; /* inst[0] is unused */
    int count, capacity;
    int *order; /* live instructions, operands first */
    int order_count;
    int *output, output_count; /* instruction of each output of the graph */
    int *assign_to, *assign_from, assign_count;
    void **pool; /* everything else to free */
    int pool_count, pool_capacity;
    const lw_graph *graph;
} lwi_ir;

lwi_ir *lwi_simplify(const lw_graph *graph);
void lwi_ir_destroy(lwi_ir *ir);
/* Appends a node; 0 with the error set when there is no memory. */
int lwi_ir_add(lwi_ir *ir, const lwi_inst *inst, const int *in, int in_count);
/* Lists what the outputs and assignments need, operands first, and counts uses. */
lw_status lwi_ir_sort(lwi_ir *ir);
lw_status lwi_join_resampling(lwi_ir *ir);
lw_status lwi_match_epilogues(lwi_ir *ir);
lw_status lwi_choose_stored(lwi_ir *ir);
/* Marks what varies from run to run. */
void lwi_mark_varying(lwi_ir *ir);
/* Whether a kernel could compute the node now: all that it would load has memory already. */
bool lwi_is_ready(const lwi_ir *ir, int node);
/* The value of a node that is one number everywhere, known now. */
bool lwi_literal(const lwi_ir *ir, int node, float *value);
/* Whether a node only renames elements (broadcast, permute, slice, reshape that moves 1s). */
bool lwi_is_map(const lwi_ir *ir, int node);
/* Whether a reshape merely inserts or removes dims of size 1. */
bool lwi_reshapes_ones(lw_shape from, lw_shape to);

/* --- the lowered program ---------------------------------------------------------------------- */
typedef enum lwi_memory { LWI_MEMORY_ARENA, LWI_MEMORY_OWN, LWI_MEMORY_INPUT, LWI_MEMORY_PARAMETER } lwi_memory;

typedef struct lwi_buffer_info {
    lwi_memory memory;
    size_t count;
    float *data;       /* a constant's values, owned; NULL otherwise */
    lw_store *store;   /* PARAMETER */
    char *name;        /* PARAMETER, INPUT; owned */
    bool output;       /* read by the host after a run */
    bool constant;     /* holds the same values in every run */
    bool assigned;     /* PARAMETER that this program changes */
    int first, last;   /* steps between which it is needed */
    size_t offset;     /* ARENA: in floats */
} lwi_buffer_info;

typedef struct lwi_step {
    lwi_launch launch;  /* source owned when generated */
    lwi_call call;      /* a library call instead */
    void *context;
    uint64_t in_place;  /* bit a: argument a is read element by element where the output is written */
    bool constant;      /* runs once */
    char *label;        /* for people: the node it computes, "conv2d main.conv1 [64,256,16,16]" */
} lwi_step;

typedef struct lwi_output {
    char *name;
    lwi_buffer buffer;
    lw_shape shape;
} lwi_output;

struct lwi_lowering {
    lwi_target target;
    const lwi_backend *backend;
    lwi_ir *ir; /* while lowering */
    int node;   /* being lowered; 0 is none */
    lw_status status;
    lwi_buffer_info *buffer; /* buffer[0] is unused */
    int buffer_count, buffer_capacity;
    lwi_step *step;
    int step_count, step_capacity;
    lwi_output *output;
    int output_count;
    size_t alignment;   /* of buffers in the arena, in floats */
    size_t arena_count; /* floats */
};

/* The whole compiler: NULL with an error. */
lwi_lowering *lwi_lower(const lw_graph *graph, const lwi_target *target, const lwi_backend *backend,
                        size_t alignment);
void lwi_lowering_destroy(lwi_lowering *lowering);
lwi_buffer lwi_buffer_add(lwi_lowering *l, const lwi_buffer_info *info);
lwi_buffer lwi_constant_buffer(lwi_lowering *l, const float *data, size_t count);
/* Marks the last emitted launch: these arguments may share memory with its result. */
void lwi_mark_in_place(lwi_lowering *l, uint64_t arguments);
/* Assigned values: written in place where nothing reads the old one later, else copied at the end. */
void lwi_place_assignments(lwi_lowering *l, const lwi_buffer *to, const lwi_buffer *from, int count);
void lwi_fold_constants(lwi_lowering *l);
lw_status lwi_plan_memory(lwi_lowering *l);

/* --- lowering of single nodes ------------------------------------------------------------------ */
/* The node's values in one buffer, without gaps, in this order; emits what is missing. 0 after an error. */
lwi_buffer lwi_dense_buffer(lwi_lowering *l, int node, lwi_order order);
/* Makes sure that the node has a view or can be computed inside a kernel. */
void lwi_need(lwi_lowering *l, int node);
void lwi_order_strides(lw_shape shape, lwi_order order, int64_t *stride);
bool lwi_view_is(const lwi_view *view, lw_shape shape, lwi_order order);
/* One generated kernel that computes `node` into the view `out`. */
void lwi_emit_elementwise(lwi_lowering *l, int node, const lwi_view *out);
void lwi_emit_copy(lwi_lowering *l, lwi_buffer from, lwi_buffer to, size_t count);
void lwi_emit_fill(lwi_lowering *l, lwi_buffer to, size_t count, float value);
/* Computes a node that gets memory, together with others that read the same. */
void lwi_lower_elementwise(lwi_lowering *l, int node);
/* The order in which the values that `node` is computed from mostly lie. */
lwi_order lwi_preferred_order(lwi_lowering *l, int node);
void lwi_lower_reduce(lwi_lowering *l, int node);
void lwi_lower_movement(lwi_lowering *l, int node);
void lwi_lower_random(lwi_lowering *l, int node);
void lwi_lower_resample(lwi_lowering *l, int node);
void lwi_lower_dense(lwi_lowering *l, int node);

/* --- growing text ------------------------------------------------------------------------------ */
typedef struct lwi_text {
    char *data;
    size_t length, capacity;
    bool failed;
} lwi_text;
void lwi_print(lwi_text *text, const char *format, ...) LW_PRINTF(2, 3);

#endif
