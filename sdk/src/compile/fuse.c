/* fuse.c — which elementwise values get memory. The others are computed inside the kernels that use them.
 *
 * Walking from results to operands: a value that something other than an elementwise or reducing kernel
 * reads is stored. A value used by one kernel only is computed there. One used by several is stored
 * unless recomputing it costs no more than reading it. */
#include "compile/compile.h"

#include <string.h>

enum { NONE = 0, MANY = -1, LARGEST = 48, MOST_LEAVES = 8 };

bool lwi_is_map(const lwi_ir *ir, int node)
{
    const lwi_inst *inst = &ir->inst[node];
    switch (inst->op) {
    case LWI_BROADCAST:
    case LWI_PERMUTE:
    case LWI_SLICE: return true;
    case LWI_RESHAPE: return lwi_reshapes_ones(ir->inst[inst->in[0]].shape, inst->shape);
    default: return false;
    }
}

static bool is_elementwise(const lwi_ir *ir, int node)
{
    return lwi_op_class(ir->inst[node].op) == 'E' && ir->inst[node].op != LWI_BROADCAST;
}

/* A function of one large value that is as cheap as loading the result would be. */
static bool is_cheap(const lwi_ir *ir, const lwi_inst *inst)
{
    switch (inst->op) {
    case LWI_AFFINE:
    case LWI_ABS:
    case LWI_SIGN:
    case LWI_LEAKY_RELU:
    case LWI_LESS:
    case LWI_EQUAL:
    case LWI_ADD:
    case LWI_SUB:
    case LWI_MUL:
    case LWI_MAXIMUM:
    case LWI_MINIMUM: break;
    default: return false;
    }
    int large = 0;
    float number;
    for (int k = 0; k < inst->in_count; k++)
        large += !lwi_literal(ir, inst->in[k], &number);
    return large <= 1;
}

void lwi_mark_varying(lwi_ir *ir)
{
    for (int i = 0; i < ir->assign_count; i++)
        ir->inst[ir->assign_to[i]].varies = true;
    for (int k = 0; k < ir->order_count; k++) {
        lwi_inst *inst = &ir->inst[ir->order[k]];
        inst->varies |= inst->op == LWI_INPUT || inst->op == LWI_UNIFORM || inst->op == LWI_NORMAL;
        for (int o = 0; o < inst->in_count; o++)
            inst->varies |= ir->inst[inst->in[o]].varies;
        const int extra[3] = {inst->scale, inst->bias, inst->residual};
        for (int o = 0; o < 3; o++)
            inst->varies |= extra[o] && ir->inst[extra[o]].varies;
    }
}

bool lwi_is_ready(const lwi_ir *ir, int node)
{
    const lwi_inst *inst = &ir->inst[node];
    float number;
    if (inst->view.buffer || lwi_literal(ir, node, &number) || lwi_op_class(inst->op) == 'L')
        return inst->view.buffer || (inst->op != LWI_UNIFORM && inst->op != LWI_NORMAL);
    if (!lwi_is_map(ir, node) && (!is_elementwise(ir, node) || inst->stored))
        return false;
    for (int k = 0; k < inst->in_count; k++)
        if (!lwi_is_ready(ir, inst->in[k]))
            return false;
    return true;
}

typedef struct walk {
    lwi_ir *ir;
    int *root;    /* the kernel that computes the node: its result's index, NONE, MANY */
    bool *memory; /* some user needs the node in memory; for a map: what it maps, so that it is a view */
    bool *dense;  /* some user needs a copy of this map in memory, so the copy may compute its operands */
} walk;

static void use(walk *w, int operand, int root)
{
    w->root[operand] = w->root[operand] == NONE || w->root[operand] == root ? root : MANY;
}

/* What a node asks of its operands, once its own fate is known. */
static void ask(walk *w, int node)
{
    const lwi_inst *inst = &w->ir->inst[node];
    int64_t count = lw_shape_count(inst->shape);
    bool conv = inst->op == LWI_CONV2D || inst->op == LWI_CONV2D_TRANSPOSE || inst->op == LWI_CONV2D_WEIGHT ||
                inst->op == LWI_RESAMPLE2D;
    bool fuses = lwi_is_map(w->ir, node) || is_elementwise(w->ir, node) || inst->op == LWI_SUM ||
                 inst->op == LWI_MAX || inst->op == LWI_CONCAT || inst->op == LWI_PAD;
    int root = is_elementwise(w->ir, node) && !inst->stored ? w->root[node] : node;
    if (lwi_is_map(w->ir, node))
        root = w->dense[node] && w->root[node] == NONE ? node : w->dense[node] ? MANY : w->root[node];
    for (int k = 0; k < inst->in_count; k++) {
        int operand = inst->in[k];
        lwi_inst *in = &w->ir->inst[operand];
        bool stretched =
            lw_shape_count(in->shape) * 4 <= count && inst->op != LWI_CONCAT && inst->op != LWI_PAD;
        if (!fuses && inst->op != LWI_MATMUL && lwi_is_map(w->ir, operand))
            w->dense[operand] = true;
        else if (!fuses || (lwi_is_map(w->ir, node) && w->memory[node]) ||
                 (stretched && !(in->op == LWI_AFFINE && lw_shape_count(in->shape) == 1)))
            w->memory[operand] = true;
        if (conv && !(k == 1 && inst->op != LWI_CONV2D_WEIGHT))
            in->wants_nhwc = true;
        if (inst->wants_nhwc && is_elementwise(w->ir, node))
            in->wants_nhwc = true;
        use(w, operand, root);
    }
    const int extra[3] = {inst->scale, inst->bias, inst->residual};
    for (int k = 0; k < 3; k++)
        if (extra[k])
            w->memory[extra[k]] = true;
    if (conv && inst->residual)
        w->ir->inst[inst->residual].wants_nhwc = true;
}

/* A result must lie in memory. */
static void want(walk *w, int node)
{
    (lwi_is_map(w->ir, node) ? w->dense : w->memory)[node] = true;
}

static void decide(walk *w)
{
    lwi_ir *ir = w->ir;
    for (int i = 0; i < ir->output_count; i++)
        want(w, ir->output[i]);
    for (int i = 0; i < ir->assign_count; i++)
        want(w, ir->assign_from[i]);
    for (int k = ir->order_count - 1; k >= 0; k--) {
        int node = ir->order[k];
        lwi_inst *inst = &ir->inst[node];
        if (is_elementwise(ir, node))
            inst->stored = w->memory[node] || (w->root[node] == MANY && !is_cheap(ir, inst));
        ask(w, node);
    }
}

/* Expressions that grew too large, or load too much for one kernel's arguments, are cut at their largest
 * part. */
static void cut_large(lwi_ir *ir, int *size, int *leaves)
{
    for (int k = 0; k < ir->order_count; k++) {
        int node = ir->order[k];
        lwi_inst *inst = &ir->inst[node];
        bool fuses =
            is_elementwise(ir, node) || lwi_is_map(ir, node) || inst->op == LWI_SUM || inst->op == LWI_MAX;
        for (;;) {
            int largest = 0;
            size[node] = 1;
            leaves[node] = 0;
            for (int o = 0; o < inst->in_count; o++) {
                int in = inst->in[o];
                bool inlined = (is_elementwise(ir, in) && !ir->inst[in].stored) || lwi_is_map(ir, in);
                size[node] += inlined ? size[in] : 1;
                leaves[node] += inlined ? leaves[in] : 1;
                if (inlined && is_elementwise(ir, in) && (!largest || leaves[in] > leaves[largest]))
                    largest = in;
            }
            if (!fuses || !largest || (size[node] <= LARGEST && leaves[node] <= MOST_LEAVES))
                break;
            ir->inst[largest].stored = true;
        }
    }
}

lw_status lwi_choose_stored(lwi_ir *ir)
{
    walk w = {.ir = ir,
              .root = lw_alloc((size_t)ir->count, sizeof(int)),
              .memory = lw_alloc((size_t)ir->count, sizeof(bool)),
              .dense = lw_alloc((size_t)ir->count, sizeof(bool))};
    int *leaves = lw_alloc((size_t)ir->count, sizeof *leaves);
    lw_status status = LW_MEMORY;
    if (w.root && w.memory && w.dense && leaves) {
        decide(&w);
        memset(w.root, 0, sizeof(int) * (size_t)ir->count);
        cut_large(ir, w.root, leaves);
        status = LW_OK;
    }
    lw_free(w.root);
    lw_free(w.memory);
    lw_free(w.dense);
    lw_free(leaves);
    return status;
}
