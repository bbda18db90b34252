/* resampled.c — convolutions beside nearest up-sampling by 2, at the low resolution.
 *
 * A 3 x 3 convolution of an image whose pixels were doubled is the transpose of a 4 x 4 convolution of stride
 * 2 of the image itself: each output sees 2 x 2 different pixels, with sums of taps as weights. That is 16
 * products for 4 outputs instead of 36, and the larger image is never stored. Its gradient, the sum over 2 x
 * 2 pixels of a transposed convolution, is that 4 x 4 convolution. A 1 x 1 convolution changes places with
 * the resampling. */
#include "compile/compile.h"

static bool is_pair(const lwi_inst *resample)
{
    return resample->i[4] == 2 && resample->data[0] == 1 && resample->data[1] == 1;
}

static bool doubles(const lwi_inst *inst)
{
    return inst->op == LWI_RESAMPLE2D && inst->i[0] == 2 && inst->i[1] == 1 && inst->i[2] == 1 &&
           is_pair(inst);
}

static bool sums_pairs(const lwi_inst *inst)
{
    return inst->op == LWI_RESAMPLE2D && inst->i[0] == 1 && inst->i[1] == 2 && inst->i[2] == 0 &&
           is_pair(inst);
}

/* A convolution that keeps the size, with a filter of `size` x `size`. */
static bool keeps(const lwi_ir *ir, const lwi_inst *conv, lwi_op op, int size)
{
    if (conv->op != op)
        return false;
    const lw_shape w = ir->inst[conv->in[1]].shape;
    return conv->i[0] == 1 && conv->i[1] == size / 2 && w.dim[2] == size && w.dim[3] == size;
}

/* Along one axis of 3 taps t: 4 taps, each the sum of t's at its place and the one before. */
static int widen(lwi_ir *ir, int w, int axis)
{
    lwi_inst pad = {.op = LWI_PAD, .shape = ir->inst[w].shape};
    pad.shape.dim[axis]++;
    lwi_inst behind = pad, before = pad, sum = {.op = LWI_ADD, .shape = pad.shape};
    behind.i[0] = before.i[0] = axis;
    behind.i[2] = before.i[1] = 1;
    const int both[2] = {lwi_ir_add(ir, &behind, &w, 1), lwi_ir_add(ir, &before, &w, 1)};
    return both[0] && both[1] ? lwi_ir_add(ir, &sum, both, 2) : 0;
}

static int mirror(lwi_ir *ir, int w, int axis)
{
    const lwi_inst slice = {.op = LWI_SLICE, .shape = ir->inst[w].shape, .i = {axis, 2, -1}};
    return lwi_ir_add(ir, &slice, &w, 1);
}

/* w [k][c][3][3] of a convolution of doubled pixels -> [c][k][4][4] of the transpose; 0 without memory. */
static int widened(lwi_ir *ir, int w)
{
    lwi_inst turn = {.op = LWI_PERMUTE, .shape = ir->inst[w].shape, .i = {1, 0, 2, 3}};
    turn.shape.dim[0] = ir->inst[w].shape.dim[1];
    turn.shape.dim[1] = ir->inst[w].shape.dim[0];
    int node = lwi_ir_add(ir, &turn, &w, 1);
    for (int axis = 2; axis < 4 && node; axis++) {
        node = mirror(ir, node, axis);
        node = node ? widen(ir, node, axis) : 0;
    }
    return node;
}

/* `node` becomes `op` of (x, w), of stride 2. */
static bool become_strided(lwi_ir *ir, int node, lwi_op op, int x, int w)
{
    w = widened(ir, w);
    const lwi_inst conv = {.op = op, .shape = ir->inst[node].shape, .i = {2, 1}};
    const int made = w ? lwi_ir_add(ir, &conv, (int[]){x, w}, 2) : 0;
    if (made) {
        const char *layer = ir->inst[node].layer, *plugin = ir->inst[node].plugin;
        ir->inst[node] = ir->inst[made];
        ir->inst[node].layer = layer, ir->inst[node].plugin = plugin;
    }
    return made != 0;
}

/* `node`, the outer of two operations on images, becomes the inner one of them, on x where the outer was. */
static bool change_places(lwi_ir *ir, int node, int inner, int x)
{
    lwi_inst first = ir->inst[node], second = ir->inst[inner];
    const lw_shape from = ir->inst[x].shape, to = first.shape;
    const bool conv_first = first.op != LWI_RESAMPLE2D;
    first.shape = from, first.shape.dim[0] = to.dim[0];
    if (conv_first) /* the channels of the result, at the size of x */
        first.shape.dim[1] = to.dim[1];
    else /* the size of the result, with the channels of x */
        first.shape.dim[2] = to.dim[2], first.shape.dim[3] = to.dim[3];
    second.shape = to;
    const int w = conv_first ? first.in[1] : second.in[1];
    const int made = lwi_ir_add(ir, &first, (int[]){x, w}, first.in_count);
    const int made_second = made ? lwi_ir_add(ir, &second, (int[]){made, w}, second.in_count) : 0;
    if (made_second)
        ir->inst[node] = ir->inst[made_second];
    return made_second != 0;
}

static bool rewrite(lwi_ir *ir, int node)
{
    const lwi_inst outer = ir->inst[node];
    if (outer.in_count < 1)
        return true;
    const int in = outer.in[0];
    const lwi_inst inner = ir->inst[in];
    if (doubles(&inner) && keeps(ir, &outer, LWI_CONV2D, 3))
        return become_strided(ir, node, LWI_CONV2D_TRANSPOSE, inner.in[0], outer.in[1]);
    if (doubles(&inner) && keeps(ir, &outer, LWI_CONV2D, 1))
        return change_places(ir, node, in, inner.in[0]);
    if (inner.uses == 1 && sums_pairs(&outer) && keeps(ir, &inner, LWI_CONV2D_TRANSPOSE, 3))
        return become_strided(ir, node, LWI_CONV2D, inner.in[0], inner.in[1]);
    if (inner.uses == 1 && sums_pairs(&outer) && keeps(ir, &inner, LWI_CONV2D_TRANSPOSE, 1))
        return change_places(ir, node, in, inner.in[0]);
    return true;
}

lw_status lwi_join_resampling(lwi_ir *ir)
{
    for (int k = 0; k < ir->order_count; k++)
        if (!rewrite(ir, ir->order[k]))
            return LW_MEMORY;
    return lwi_ir_sort(ir);
}
