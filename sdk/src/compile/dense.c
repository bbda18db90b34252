/* dense.c — hands matrix products and convolutions to the back end in the form it knows. */
#include "compile/compile.h"

#include <string.h>

/* A matrix operand as it lies: [batch…, rows, columns], perhaps stored transposed. */
typedef struct matrix {
    lwi_buffer buffer;
    bool transposed;
    bool shared;    /* one for all batches */
    int64_t stride; /* between batches */
} matrix;

/* Whether the view is dense once its last two dims are swapped. */
static bool is_swapped(const lwi_view *view, lw_shape shape)
{
    if (!view->buffer || shape.rank < 2)
        return false;
    lwi_view swapped = *view;
    lw_shape turned = shape;
    int a = shape.rank - 2, b = shape.rank - 1;
    swapped.stride[a] = view->stride[b];
    swapped.stride[b] = view->stride[a];
    turned.dim[a] = shape.dim[b];
    turned.dim[b] = shape.dim[a];
    return lwi_view_is(&swapped, turned, LWI_PLAIN);
}

/* The operand behind broadcasts of its batch dims only. */
static int unbroadcast(const lwi_ir *ir, int node)
{
    while (ir->inst[node].op == LWI_BROADCAST) {
        int in = ir->inst[node].in[0];
        lw_shape from = ir->inst[in].shape, to = ir->inst[node].shape;
        if (from.rank < 2 || from.dim[from.rank - 1] != to.dim[to.rank - 1] ||
            from.dim[from.rank - 2] != to.dim[to.rank - 2])
            break;
        node = in;
    }
    return node;
}

static int64_t batch_of(lw_shape shape)
{
    int64_t batch = 1;
    for (int d = 0; d < shape.rank - 2; d++)
        batch *= shape.dim[d];
    return batch;
}

/* The operand with all batches of the result `to`, or one shared by them all. */
static matrix operand(lwi_lowering *l, int node, lw_shape to, bool transposed)
{
    matrix m = {.transposed = transposed};
    int bare = unbroadcast(l->ir, node);
    lw_shape shape = l->ir->inst[bare].shape;
    int64_t batch = batch_of(to), own = batch_of(shape);
    if (own != 1 && own != batch) { /* broadcast along some batch dims: spelled out */
        lwi_inst spread = {.op = LWI_BROADCAST, .shape = to};
        spread.shape.dim[to.rank - 2] = shape.dim[shape.rank - 2];
        spread.shape.dim[to.rank - 1] = shape.dim[shape.rank - 1];
        bare = lwi_ir_add(l->ir, &spread, &bare, 1);
        if (!bare) {
            l->status = LW_MEMORY;
            return m;
        }
        shape = spread.shape;
        own = batch;
    }
    lwi_need(l, bare);
    if (l->status != LW_OK)
        return m;
    if (is_swapped(&l->ir->inst[bare].view, shape)) {
        m.transposed = !transposed;
        m.buffer = l->ir->inst[bare].view.buffer;
    } else {
        m.buffer = lwi_dense_buffer(l, bare, LWI_PLAIN);
    }
    m.shared = own == 1 && batch > 1;
    m.stride = own == 1 ? 0 : shape.dim[shape.rank - 2] * shape.dim[shape.rank - 1];
    return m;
}

/* A result of the given order in new memory. */
static lwi_buffer result(lwi_lowering *l, int node, lwi_order order)
{
    lwi_inst *inst = &l->ir->inst[node];
    lwi_view view = {.buffer = lwi_scratch(l, (size_t)lw_shape_count(inst->shape))};
    lwi_order_strides(inst->shape, order, view.stride);
    inst->view = view;
    return view.buffer;
}

static lwi_epilogue epilogue_of(lwi_lowering *l, int node, lwi_order order)
{
    lwi_inst inst = l->ir->inst[node];
    lwi_epilogue epilogue = {.activation = inst.activation, .slope = inst.slope, .gain = inst.gain};
    if (inst.scale) {
        epilogue.scale = lwi_dense_buffer(l, inst.scale, LWI_PLAIN);
        epilogue.scale_per_image = inst.op != LWI_MATMUL && l->ir->inst[inst.scale].shape.dim[0] > 1;
    }
    if (inst.bias)
        epilogue.bias = lwi_dense_buffer(l, inst.bias, LWI_PLAIN);
    if (inst.residual)
        epilogue.residual = lwi_dense_buffer(l, inst.residual, order);
    return epilogue;
}

static void lower_matmul(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    int rank = inst.shape.rank;
    matrix a = operand(l, inst.in[0], inst.shape, inst.i[0] != 0);
    matrix b = operand(l, inst.in[1], inst.shape, inst.i[1] != 0);
    lwi_epilogue epilogue = epilogue_of(l, node, LWI_PLAIN);
    if (l->status != LW_OK)
        return;
    lw_shape sa = l->ir->inst[inst.in[0]].shape;
    lwi_gemm gemm = {.batch = batch_of(inst.shape),
                     .m = inst.shape.dim[rank - 2],
                     .n = inst.shape.dim[rank - 1],
                     .k = sa.dim[sa.rank - (inst.i[0] ? 2 : 1)],
                     .ta = a.transposed,
                     .tb = b.transposed,
                     .b_varies = l->ir->inst[inst.in[1]].varies,
                     .stride_a = a.stride,
                     .stride_b = b.stride};
    if (gemm.batch > 1 && b.stride == 0 && !a.transposed && a.stride) { /* one tall product */
        gemm.m *= gemm.batch;
        gemm.batch = 1;
    }
    gemm.stride_c = gemm.m * gemm.n;
    lwi_buffer c = result(l, node, LWI_PLAIN);
    if (l->status == LW_OK)
        l->status = l->backend->gemm(l, &gemm, a.buffer, b.buffer, c, &epilogue);
}

static void lower_conv(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    lw_shape first = l->ir->inst[inst.in[0]].shape, second = l->ir->inst[inst.in[1]].shape;
    lwi_conv_kind kind = inst.op == LWI_CONV2D             ? LWI_CONV_FORWARD
                         : inst.op == LWI_CONV2D_TRANSPOSE ? LWI_CONV_TRANSPOSE
                                                           : LWI_CONV_WEIGHT;
    lw_shape x = kind == LWI_CONV_TRANSPOSE ? inst.shape : first;
    lw_shape y = kind == LWI_CONV_FORWARD ? inst.shape : kind == LWI_CONV_TRANSPOSE ? first : second;
    lw_shape w = kind == LWI_CONV_WEIGHT ? inst.shape : second;
    lwi_conv conv = {.kind = kind,
                     .n = (int)x.dim[0],
                     .c = (int)x.dim[1],
                     .h = (int)x.dim[2],
                     .w = (int)x.dim[3],
                     .k = (int)w.dim[0],
                     .r = (int)w.dim[2],
                     .s = (int)w.dim[3],
                     .oh = (int)y.dim[2],
                     .ow = (int)y.dim[3],
                     .stride = (int)inst.i[0],
                     .padding = (int)inst.i[1]};
    bool weight = kind == LWI_CONV_WEIGHT;
    conv.varies = !weight && l->ir->inst[inst.in[1]].varies;
    lwi_buffer a = lwi_dense_buffer(l, inst.in[0], LWI_NHWC);
    lwi_buffer b = lwi_dense_buffer(l, inst.in[1], weight ? LWI_NHWC : LWI_PLAIN);
    lwi_epilogue epilogue = epilogue_of(l, node, LWI_NHWC);
    lwi_buffer out = result(l, node, weight ? LWI_PLAIN : LWI_NHWC);
    if (l->status != LW_OK)
        return;
    /* The back end takes x, w, y whatever is read and written. */
    l->status = kind == LWI_CONV_FORWARD     ? l->backend->conv(l, &conv, a, b, out, &epilogue)
                : kind == LWI_CONV_TRANSPOSE ? l->backend->conv(l, &conv, out, b, a, &epilogue)
                                             : l->backend->conv(l, &conv, a, out, b, &epilogue);
}

void lwi_lower_dense(lwi_lowering *l, int node)
{
    if (l->ir->inst[node].op == LWI_MATMUL)
        lower_matmul(l, node);
    else
        lower_conv(l, node);
}
