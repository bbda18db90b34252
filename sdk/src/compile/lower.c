/* lower.c — walks the simplified graph and has launches emitted for every value that needs memory. */
#include "compile/compile.h"

#include <string.h>

static lwi_view dense_view(lwi_buffer buffer, lw_shape shape, lwi_order order)
{
    lwi_view view = {.buffer = buffer};
    lwi_order_strides(shape, order, view.stride);
    return view;
}

/* A tensor of the host's: an input or a parameter, one buffer for each name. */
static void lower_named(lwi_lowering *l, int node, lwi_memory memory)
{
    lwi_inst *inst = &l->ir->inst[node];
    lwi_buffer_info info = {
        .memory = memory, .count = (size_t)lw_shape_count(inst->shape), .store = inst->store};
    info.name = lw_strdup(inst->name);
    if (!info.name)
        l->status = LW_MEMORY;
    lwi_buffer buffer = lwi_buffer_add(l, &info);
    if (!buffer)
        lw_free(info.name);
    inst->view = dense_view(buffer, inst->shape, LWI_PLAIN);
}

/* The view of a broadcast, permute, slice or trivial reshape of something in memory. */
static void lower_map(lwi_lowering *l, int node)
{
    lwi_inst *inst = &l->ir->inst[node];
    lwi_need(l, inst->in[0]);
    const lwi_inst *in = &l->ir->inst[inst->in[0]];
    if (!in->view.buffer)
        return;
    lwi_view view = in->view;
    memset(view.stride, 0, sizeof view.stride);
    int skip = inst->shape.rank - in->shape.rank;
    if (inst->op == LWI_BROADCAST) {
        for (int d = 0; d < in->shape.rank; d++)
            view.stride[d + skip] = in->shape.dim[d] == 1 ? 0 : in->view.stride[d];
    } else if (inst->op == LWI_PERMUTE) {
        for (int d = 0; d < inst->shape.rank; d++)
            view.stride[d] = in->view.stride[inst->i[d]];
    } else if (inst->op == LWI_SLICE) {
        memcpy(view.stride, in->view.stride, sizeof view.stride);
        view.offset += inst->i[1] * view.stride[inst->i[0]];
        view.stride[inst->i[0]] *= inst->i[2];
    } else {
        for (int d = 0, t = 0; d < in->shape.rank; d++) {
            if (in->shape.dim[d] == 1)
                continue;
            while (inst->shape.dim[t] == 1)
                t++;
            view.stride[t++] = in->view.stride[d];
        }
    }
    inst->view = view;
}

static void lower_reshape(lwi_lowering *l, int node)
{
    lwi_inst *inst = &l->ir->inst[node];
    lwi_buffer buffer = lwi_dense_buffer(l, inst->in[0], LWI_PLAIN);
    inst->view = dense_view(buffer, inst->shape, LWI_PLAIN);
}

static void lower(lwi_lowering *l, int node)
{
    lwi_inst *inst = &l->ir->inst[node];
    if (lwi_is_map(l->ir, node)) {
        lower_map(l, node);
        return;
    }
    switch (inst->op) {
    case LWI_INPUT: lower_named(l, node, LWI_MEMORY_INPUT); break;
    case LWI_PARAMETER: lower_named(l, node, LWI_MEMORY_PARAMETER); break;
    case LWI_CONSTANT:
        if (inst->data)
            inst->view = dense_view(lwi_constant_buffer(l, inst->data, (size_t)lw_shape_count(inst->shape)),
                                    inst->shape, LWI_PLAIN);
        break;
    case LWI_IOTA: break;
    case LWI_UNIFORM:
    case LWI_NORMAL: lwi_lower_random(l, node); break;
    case LWI_RESHAPE: lower_reshape(l, node); break;
    case LWI_SUM:
    case LWI_MAX: lwi_lower_reduce(l, node); break;
    case LWI_PAD:
    case LWI_CONCAT:
    case LWI_GATHER:
    case LWI_SCATTER_ADD: lwi_lower_movement(l, node); break;
    case LWI_RESAMPLE2D: lwi_lower_resample(l, node); break;
    case LWI_MATMUL:
    case LWI_CONV2D:
    case LWI_CONV2D_TRANSPOSE:
    case LWI_CONV2D_WEIGHT: lwi_lower_dense(l, node); break;
    default:
        if (inst->stored)
            lwi_lower_elementwise(l, node);
        break;
    }
}

void lwi_need(lwi_lowering *l, int node)
{
    if (l->status != LW_OK || l->ir->inst[node].view.buffer)
        return;
    int outer = l->node;
    l->node = node;
    lower(l, node);
    l->node = outer;
}

lwi_buffer lwi_dense_buffer(lwi_lowering *l, int node, lwi_order order)
{
    lwi_need(l, node);
    if (l->status != LW_OK)
        return 0;
    lwi_inst *inst = &l->ir->inst[node];
    if (inst->shape.rank != 4)
        order = LWI_PLAIN;
    if (lwi_view_is(&inst->view, inst->shape, order))
        return inst->view.buffer;
    if (!inst->dense[order]) {
        lwi_view view = dense_view(lwi_scratch(l, (size_t)lw_shape_count(inst->shape)), inst->shape, order);
        int outer = l->node;
        l->node = node;
        lwi_emit_elementwise(l, node, &view);
        l->node = outer;
        inst = &l->ir->inst[node];
        inst->dense[order] = view.buffer;
        if (!inst->view.buffer)
            inst->view = view;
    }
    return inst->dense[order];
}

static void lower_outputs(lwi_lowering *l, const lw_graph *graph)
{
    l->output = lw_alloc((size_t)graph->output_count + 1, sizeof *l->output);
    if (!l->output) {
        l->status = LW_MEMORY;
        return;
    }
    for (int i = 0; i < graph->output_count && l->status == LW_OK; i++) {
        int node = l->ir->output[i];
        lwi_buffer buffer = lwi_dense_buffer(l, node, LWI_PLAIN);
        if (l->status != LW_OK)
            return;
        /* What the host reads must not change under it: neither by another program nor by the next write. */
        if (l->buffer[buffer].memory != LWI_MEMORY_ARENA) {
            lwi_buffer copy = lwi_scratch(l, l->buffer[buffer].count);
            lwi_emit_copy(l, buffer, copy, l->buffer[buffer].count);
            buffer = copy;
        }
        if (l->status != LW_OK)
            return;
        l->buffer[buffer].output = true;
        char *name = lw_strdup(graph->output[i].name);
        if (!name) {
            l->status = LW_MEMORY;
            return;
        }
        l->output[l->output_count++] = (lwi_output){name, buffer, l->ir->inst[node].shape};
    }
}

static void lower_assignments(lwi_lowering *l)
{
    size_t count = (size_t)l->ir->assign_count;
    lwi_buffer *to = lw_alloc(count + 1, sizeof *to), *from = lw_alloc(count + 1, sizeof *from);
    if (!to || !from)
        l->status = LW_MEMORY;
    for (size_t i = 0; i < count && l->status == LW_OK; i++) {
        to[i] = lwi_dense_buffer(l, l->ir->assign_to[i], LWI_PLAIN);
        from[i] = lwi_dense_buffer(l, l->ir->assign_from[i], LWI_PLAIN);
        if (l->status != LW_OK)
            break;
        if (l->buffer[from[i]].memory == LWI_MEMORY_PARAMETER ||
            l->buffer[from[i]].memory == LWI_MEMORY_INPUT) {
            lwi_buffer copy = lwi_scratch(l, l->buffer[from[i]].count);
            lwi_emit_copy(l, from[i], copy, l->buffer[from[i]].count);
            from[i] = copy;
        }
        if (l->status == LW_OK)
            l->buffer[to[i]].assigned = true;
    }
    if (l->status == LW_OK)
        lwi_place_assignments(l, to, from, (int)count);
    lw_free(to);
    lw_free(from);
}

static void lower_all(lwi_lowering *l, const lw_graph *graph)
{
    l->ir = lwi_simplify(graph);
    if (!l->ir) {
        l->status = lw_error_status();
        return;
    }
    l->status = lwi_join_resampling(l->ir);
    if (l->status == LW_OK)
        l->status = lwi_match_epilogues(l->ir);
    if (l->status == LW_OK)
        l->status = lwi_choose_stored(l->ir);
    lwi_mark_varying(l->ir);
    for (int k = 0; k < l->ir->order_count && l->status == LW_OK; k++)
        lwi_need(l, l->ir->order[k]);
    if (l->status == LW_OK)
        lower_outputs(l, graph);
    if (l->status == LW_OK)
        lower_assignments(l);
    if (l->status == LW_OK)
        lwi_fold_constants(l);
    if (l->status == LW_OK)
        l->status = lwi_plan_memory(l);
}

lwi_lowering *lwi_lower(const lw_graph *graph, const lwi_target *target, const lwi_backend *backend,
                        size_t alignment)
{
    lwi_lowering *l = lw_alloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->target = *target;
    l->backend = backend;
    l->alignment = alignment ? alignment : 1;
    lwi_buffer_add(l, &(lwi_buffer_info){.count = 1}); /* buffer 0 is none */
    if (l->status == LW_OK)
        lower_all(l, graph);
    if (l->status != LW_OK) {
        lwi_lowering_destroy(l);
        return NULL;
    }
    lwi_ir_destroy(l->ir);
    l->ir = NULL;
    return l;
}
