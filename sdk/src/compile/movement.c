/* movement.c — what moves elements and is no mere view: padding, concatenation, gather, scatter, random
 * numbers, resampling. */
#include "compile/compile.h"

#include "latentwalk/random.h"
#include "random/philox_internal.h"

#include <string.h>

enum { GPU_LOCAL = 64 };

static lwi_view new_view(lwi_lowering *l, int node, lwi_order order)
{
    lwi_inst *inst = &l->ir->inst[node];
    lwi_view view = {.buffer = lwi_scratch(l, (size_t)lw_shape_count(inst->shape))};
    lwi_order_strides(inst->shape, order, view.stride);
    return view;
}

/* Each operand's kernel writes straight into its part of the result. */
static void lower_concat(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    lwi_order order = inst.shape.rank == 4 && inst.wants_nhwc ? LWI_NHWC : lwi_preferred_order(l, inst.in[0]);
    lwi_view view = new_view(l, node, order), part = view;
    int axis = (int)inst.i[0];
    for (int k = 0; k < inst.in_count; k++) {
        lwi_emit_elementwise(l, inst.in[k], &part);
        part.offset += view.stride[axis] * l->ir->inst[inst.in[k]].shape.dim[axis];
    }
    l->ir->inst[node].view = view;
}

static void lower_pad(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    lwi_order order = inst.shape.rank == 4 && inst.wants_nhwc ? LWI_NHWC : lwi_preferred_order(l, inst.in[0]);
    lwi_view view = new_view(l, node, order), inside = view;
    lwi_emit_fill(l, view.buffer, (size_t)lw_shape_count(inst.shape), 0);
    inside.offset += view.stride[inst.i[0]] * inst.i[1];
    lwi_emit_elementwise(l, inst.in[0], &inside);
    l->ir->inst[node].view = view;
}

static lwi_launch embedded(const lwi_lowering *l, const char *file, const char *kernel, int64_t items)
{
    if (l->target.is_cpu) {
        lwi_launch launch = lwi_native_launch(l, kernel);
        launch.global[0] = (size_t)items;
        return launch;
    }
    return (lwi_launch){.source = lwi_source(file),
                        .kernel = kernel,
                        .options = "-DLANES=1",
                        .global = {(size_t)((items + GPU_LOCAL - 1) / GPU_LOCAL * GPU_LOCAL), 1, 1},
                        .local = {GPU_LOCAL, 1, 1}};
}

static void push(lwi_launch *launch, lwi_arg arg)
{
    launch->arg[launch->arg_count++] = arg;
}

static void push_ints(lwi_launch *launch, const int64_t *value, int count)
{
    for (int k = 0; k < count; k++)
        push(launch, (lwi_arg)LWI_INT(value[k]));
}

/* x [outer, size, inner] with index [many] -> [outer, many, inner], or the transpose of that. */
static void lower_indexed(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    bool gather = inst.op == LWI_GATHER;
    lwi_buffer x = lwi_dense_buffer(l, inst.in[0], LWI_PLAIN);
    lwi_buffer index = lwi_dense_buffer(l, inst.in[1], LWI_PLAIN);
    int axis = (int)inst.i[0];
    lw_shape table = gather ? l->ir->inst[inst.in[0]].shape : inst.shape;
    int64_t outer = 1, inner = 1, many = lw_shape_count(l->ir->inst[inst.in[1]].shape);
    for (int d = 0; d < axis; d++)
        outer *= table.dim[d];
    for (int d = axis + 1; d < table.rank; d++)
        inner *= table.dim[d];
    lwi_view view = new_view(l, node, LWI_PLAIN);
    int64_t width = l->target.is_cpu && inner ? inner : 1;
    int64_t items = outer * (gather ? many : table.dim[axis]) * (inner / width);
    lwi_launch launch = embedded(l, "movement", gather ? "gather_rows" : "scatter_rows", items);
    push(&launch, (lwi_arg)LWI_WRITE(view.buffer));
    push(&launch, (lwi_arg)LWI_READ(x));
    push(&launch, (lwi_arg)LWI_READ(index));
    push_ints(&launch, (int64_t[]){items, table.dim[axis], many, inner, width}, 5);
    lwi_emit(l, &launch);
    l->ir->inst[node].view = view;
}

void lwi_lower_movement(lwi_lowering *l, int node)
{
    switch (l->ir->inst[node].op) {
    case LWI_CONCAT: lower_concat(l, node); break;
    case LWI_PAD: lower_pad(l, node); break;
    default: lower_indexed(l, node);
    }
}

void lwi_lower_random(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    int64_t count = lw_shape_count(inst.shape), blocks = (count + 3) / 4, run = l->target.is_cpu ? 1024 : 1;
    bool normal = inst.op == LWI_NORMAL;
    lwi_view view = new_view(l, node, LWI_PLAIN);
    lwi_launch launch =
        embedded(l, "random", normal ? "normal_numbers" : "uniform_numbers", (blocks + run - 1) / run);
    push(&launch, (lwi_arg)LWI_WRITE(view.buffer));
    push(&launch, (lwi_arg){.kind = LWI_ARG_STREAM, .i = (int32_t)lw_purpose(inst.name)});
    push_ints(&launch, (int64_t[]){count, run}, 2);
    if (normal)
        push(&launch, (lwi_arg)LWI_READ(lwi_constant_buffer(l, &lwi_normal_table[0][0], 32 * 8)));
    lwi_emit(l, &launch);
    l->ir->inst[node].view = view;
}

void lwi_lower_resample(lwi_lowering *l, int node)
{
    lwi_inst inst = l->ir->inst[node];
    lw_shape in = l->ir->inst[inst.in[0]].shape;
    lwi_buffer x = lwi_dense_buffer(l, inst.in[0], LWI_NHWC);
    lwi_view view = new_view(l, node, LWI_NHWC);
    lwi_buffer taps = lwi_constant_buffer(l, inst.data, (size_t)inst.i[4]);
    bool cpu = l->target.is_cpu;
    int64_t items = cpu ? inst.shape.dim[0] * inst.shape.dim[2] : lw_shape_count(inst.shape);
    lwi_launch launch = embedded(l, "resample", cpu ? "resample_row" : "resample_element", items);
    push(&launch, (lwi_arg)LWI_WRITE(view.buffer));
    push(&launch, (lwi_arg)LWI_READ(x));
    push(&launch, (lwi_arg)LWI_READ(taps));
    push_ints(&launch,
              (int64_t[]){items, in.dim[2], in.dim[3], inst.shape.dim[2], inst.shape.dim[3], in.dim[1]}, 6);
    push_ints(&launch, (int64_t[]){inst.i[0], inst.i[1], inst.i[2], inst.i[4]}, 4);
    lwi_emit(l, &launch);
    l->ir->inst[node].view = view;
}
