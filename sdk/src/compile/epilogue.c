/* epilogue.c — gives a dense node the elementwise work that follows it and that nothing else uses:
 * gain * activation(product * scale + bias + residual). Batch norm with fixed statistics, biases, residual
 * sums and activations become arguments of the product's kernel. */
#include "compile/compile.h"

#include <string.h>

typedef struct chain {
    lwi_ir *ir;
    int dense;   /* the product */
    int end;     /* the last node that it takes over */
    int channel; /* dim of the result that scale and bias run along */
    int scale, bias, residual;
    bool per_image;
    int activation;
    float slope, gain;
    bool failed; /* no memory */
} chain;

static int add(chain *c, const lwi_inst *inst, const int *in, int count)
{
    int node = lwi_ir_add(c->ir, inst, in, count);
    c->failed |= node == 0;
    return node;
}

/* [1, .., C, .., 1], or with the images in front. */
static lw_shape channel_shape(const chain *c, bool images)
{
    lw_shape shape = c->ir->inst[c->dense].shape;
    for (int d = 0; d < shape.rank; d++)
        if (d != c->channel && !(images && d == 0))
            shape.dim[d] = 1;
    return shape;
}

static int constant(chain *c, float value)
{
    return add(c, &(lwi_inst){.op = LWI_CONSTANT, .shape = channel_shape(c, false), .f = {value}}, NULL, 0);
}

static int affine(chain *c, int node, float scale, float shift)
{
    lwi_inst inst = {.op = LWI_AFFINE, .shape = c->ir->inst[node].shape, .f = {scale, shift}};
    return scale == 1 && shift == 0 ? node : add(c, &inst, &node, 1);
}

static int binary(chain *c, lwi_op op, int a, int b)
{
    bool images = c->ir->inst[a].shape.dim[0] > 1 || c->ir->inst[b].shape.dim[0] > 1;
    lwi_inst inst = {.op = op, .shape = channel_shape(c, images)};
    return add(c, &inst, (int[]){a, b}, 2);
}

/* The operand as [1, .., C, .., 1] (or [N, C, 1, 1] where `images` points at true on return), or 0 where it
 * varies along other dims. */
static int per_channel(chain *c, int node, bool *images)
{
    lw_shape to = c->ir->inst[c->dense].shape;
    while (c->ir->inst[node].op == LWI_BROADCAST)
        node = c->ir->inst[node].in[0];
    lw_shape from = c->ir->inst[node].shape, aligned = to;
    *images = false;
    if (from.rank > to.rank)
        return 0;
    for (int d = 0; d < to.rank; d++) {
        int skip = to.rank - from.rank;
        aligned.dim[d] = d < skip ? 1 : from.dim[d - skip];
        if (aligned.dim[d] == 1 || d == c->channel)
            continue;
        if (d != 0 || c->ir->inst[c->dense].op == LWI_MATMUL)
            return 0;
        *images = true;
    }
    if (from.rank != to.rank)
        node = add(c, &(lwi_inst){.op = LWI_RESHAPE, .shape = aligned}, &node, 1);
    lw_shape full = channel_shape(c, *images);
    if (node && !lw_shape_equal(aligned, full))
        node = add(c, &(lwi_inst){.op = LWI_BROADCAST, .shape = full}, &node, 1);
    return node;
}

/* product * f + g */
static bool take_affine(chain *c, float f, float g)
{
    if (c->activation || c->residual || c->gain != 1) {
        c->gain *= f;
        return g == 0 && f != 0; /* a gain of 0 would mean none */
    }
    if (f != 1)
        c->scale = c->scale ? affine(c, c->scale, f, 0) : constant(c, f);
    if (c->bias)
        c->bias = affine(c, c->bias, f, g);
    else if (g != 0)
        c->bias = constant(c, g);
    return true;
}

static bool take_product(chain *c, lwi_op op, int other)
{
    bool images;
    if (c->activation || c->residual || c->gain != 1)
        return false;
    int by = per_channel(c, other, &images);
    if (!by || (images && c->bias))
        return false;
    int scale = c->scale ? c->scale : op == LWI_DIV ? constant(c, 1) : 0;
    if (c->bias)
        c->bias = binary(c, op, c->bias, by);
    c->scale = scale ? binary(c, op, scale, by) : by;
    return true;
}

/* `sign` 1: product + other; -1: product - other. */
static bool take_sum(chain *c, int other, float sign)
{
    bool images;
    if (c->activation || c->gain != 1)
        return false;
    int by = per_channel(c, other, &images);
    if (by && !images) {
        by = affine(c, by, sign, 0);
        c->bias = c->bias ? binary(c, LWI_ADD, c->bias, by) : by;
        return true;
    }
    if (sign < 0 || c->residual || c->ir->inst[other].op == LWI_BROADCAST ||
        !lw_shape_equal(c->ir->inst[other].shape, c->ir->inst[c->dense].shape))
        return false;
    c->residual = other;
    return true;
}

static bool take_activation(chain *c, int kind, float slope)
{
    if (c->activation || c->gain != 1)
        return false;
    c->activation = kind;
    c->slope = slope;
    return true;
}

/* Whether the only user of the chain's end can become part of it. */
static bool take(chain *c, int user)
{
    const lwi_inst inst = c->ir->inst[user];
    if (!lw_shape_equal(inst.shape, c->ir->inst[c->dense].shape))
        return false;
    int other = inst.in_count == 2 ? inst.in[inst.in[0] == c->end ? 1 : 0] : 0;
    bool first = inst.in_count > 0 && inst.in[0] == c->end;
    switch (inst.op) {
    case LWI_AFFINE: return take_affine(c, inst.f[0], inst.f[1]);
    case LWI_MUL: return take_product(c, LWI_MUL, other);
    case LWI_DIV: return first && take_product(c, LWI_DIV, other);
    case LWI_ADD: return take_sum(c, other, 1);
    case LWI_SUB: return first && take_sum(c, other, -1);
    case LWI_LEAKY_RELU: return take_activation(c, 1, inst.f[0]);
    case LWI_TANH: return take_activation(c, 2, 0);
    case LWI_SIGMOID: return take_activation(c, 3, 0);
    default: return false;
    }
}

static void match(lwi_ir *ir, int dense, const int *user, bool *failed)
{
    int rank = ir->inst[dense].shape.rank;
    chain c = {.ir = ir, .dense = dense, .end = dense, .gain = 1};
    c.channel = ir->inst[dense].op == LWI_MATMUL ? rank - 1 : 1;
    while (ir->inst[c.end].uses == 1 && user[c.end]) {
        chain before = c;
        int next = user[c.end];
        if (!take(&c, next)) {
            before.failed = c.failed;
            c = before;
            break;
        }
        c.end = next;
    }
    *failed |= c.failed;
    if (c.end == dense || c.failed)
        return;
    int uses = ir->inst[c.end].uses;
    ir->inst[c.end] = ir->inst[dense];
    ir->inst[c.end].uses = uses;
    ir->inst[c.end].scale = c.scale;
    ir->inst[c.end].bias = c.bias;
    ir->inst[c.end].residual = c.residual;
    ir->inst[c.end].activation = c.activation;
    ir->inst[c.end].slope = c.slope;
    ir->inst[c.end].gain = c.gain;
}

lw_status lwi_match_epilogues(lwi_ir *ir)
{
    int count = ir->count;
    int *user = lw_alloc((size_t)count, sizeof *user);
    if (!user)
        return LW_MEMORY;
    for (int k = 0; k < ir->order_count; k++)
        for (int o = 0; o < ir->inst[ir->order[k]].in_count; o++)
            user[ir->inst[ir->order[k]].in[o]] = ir->order[k];
    bool failed = false;
    for (int k = 0; k < ir->order_count && !failed; k++) {
        lwi_op op = ir->inst[ir->order[k]].op;
        if (ir->inst[ir->order[k]].gain != 0) /* an end of a chain before */
            continue;
        if (op == LWI_MATMUL || op == LWI_CONV2D || op == LWI_CONV2D_TRANSPOSE)
            match(ir, ir->order[k], user, &failed);
    }
    lw_free(user);
    return failed ? LW_MEMORY : lwi_ir_sort(ir);
}
