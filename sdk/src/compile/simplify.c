/* simplify.c — the graph as a smaller one: only what is needed, nodes that do nothing removed, equal
 * nodes merged. Derivatives repeat a lot of what the forward graph has; merging makes that free. */
#include "compile/compile.h"

#include <stdio.h>
#include <string.h>

static void *keep(lwi_ir *ir, void *memory)
{
    if (!memory)
        return NULL;
    if (ir->pool_count == ir->pool_capacity) {
        int capacity = ir->pool_capacity ? 2 * ir->pool_capacity : 64;
        void **pool = lw_resize(ir->pool, (size_t)capacity, sizeof *pool);
        if (!pool) {
            lw_free(memory);
            return NULL;
        }
        ir->pool = pool;
        ir->pool_capacity = capacity;
    }
    ir->pool[ir->pool_count++] = memory;
    return memory;
}

void lwi_ir_destroy(lwi_ir *ir)
{
    if (!ir)
        return;
    for (int i = 0; i < ir->pool_count; i++)
        lw_free(ir->pool[i]);
    lw_free(ir->pool);
    lw_free(ir->inst);
    lw_free(ir->order);
    lw_free(ir->output);
    lw_free(ir->assign_to);
    lw_free(ir->assign_from);
    lw_free(ir);
}

int lwi_ir_add(lwi_ir *ir, const lwi_inst *inst, const int *in, int in_count)
{
    if (ir->count == ir->capacity) {
        int capacity = ir->capacity ? 2 * ir->capacity : 256;
        lwi_inst *grown = lw_resize(ir->inst, (size_t)capacity, sizeof *grown);
        if (!grown)
            return 0;
        ir->inst = grown;
        ir->capacity = capacity;
    }
    int *copy = keep(ir, lw_alloc((size_t)(in_count ? in_count : 1), sizeof *copy));
    if (!copy)
        return 0;
    for (int i = 0; i < in_count; i++)
        copy[i] = in[i];
    ir->inst[ir->count] = *inst;
    ir->inst[ir->count].in = copy;
    ir->inst[ir->count].in_count = in_count;
    return ir->count++;
}

bool lwi_literal(const lwi_ir *ir, int node, float *value)
{
    const lwi_inst *inst = &ir->inst[node];
    if (inst->op == LWI_BROADCAST || inst->op == LWI_RESHAPE)
        return lwi_literal(ir, inst->in[0], value);
    if (inst->op != LWI_CONSTANT || (inst->data && lw_shape_count(inst->shape) != 1))
        return false;
    *value = inst->data ? inst->data[0] : inst->f[0];
    return true;
}

bool lwi_reshapes_ones(lw_shape from, lw_shape to)
{
    int f = 0, t = 0;
    for (;; f++, t++) {
        while (f < from.rank && from.dim[f] == 1)
            f++;
        while (t < to.rank && to.dim[t] == 1)
            t++;
        if (f == from.rank || t == to.rank)
            return f == from.rank && t == to.rank;
        if (from.dim[f] != to.dim[t])
            return false;
    }
}

/* An affine of its operand: sums and products with numbers become one kind of node. */
static bool as_affine(const lwi_ir *ir, lwi_inst *inst, int *in)
{
    float number;
    int other = -1, literal = -1;
    for (int i = 0; i < 2; i++)
        if (inst->in_count == 2 && lwi_literal(ir, in[i], &number))
            literal = i, other = 1 - i;
    if (literal < 0 || !lw_shape_equal(ir->inst[in[other]].shape, inst->shape))
        return false;
    lwi_literal(ir, in[literal], &number);
    if (inst->op == LWI_ADD)
        inst->f[0] = 1, inst->f[1] = number;
    else if (inst->op == LWI_SUB && literal == 1)
        inst->f[0] = 1, inst->f[1] = -number;
    else if (inst->op == LWI_SUB)
        inst->f[0] = -1, inst->f[1] = number;
    else if (inst->op == LWI_MUL)
        inst->f[0] = number, inst->f[1] = 0;
    else
        return false;
    in[0] = in[other];
    inst->op = LWI_AFFINE;
    inst->in_count = 1;
    return true;
}

static bool identity_permutation(const lwi_inst *inst)
{
    for (int d = 0; d < inst->shape.rank; d++)
        if (inst->i[d] != d)
            return false;
    return true;
}

/* Looks through what has no effect; returns the operand that stands for the node, or 0. */
static int no_effect(const lwi_ir *ir, const lwi_inst *inst, const int *in)
{
    if (inst->in_count < 1)
        return 0;
    bool same = lw_shape_equal(ir->inst[in[0]].shape, inst->shape);
    switch (inst->op) {
    case LWI_STOP: return in[0];
    case LWI_AFFINE: return inst->f[0] == 1 && inst->f[1] == 0 ? in[0] : 0;
    case LWI_PERMUTE: return identity_permutation(inst) ? in[0] : 0;
    case LWI_SLICE: return same && inst->i[2] == 1 ? in[0] : 0;
    case LWI_BROADCAST:
    case LWI_RESHAPE:
    case LWI_PAD:
    case LWI_SUM:
    case LWI_MAX: return same ? in[0] : 0;
    case LWI_CONCAT: return inst->in_count == 1 ? in[0] : 0;
    default: return 0;
    }
}

/* Joins a node with the one of the same kind before it. Affines join only where that rounds once at most
 * (a pure scale or shift), so that results stay those of the graph to an ulp. */
static void join(const lwi_ir *ir, lwi_inst *inst, int *in)
{
    if (inst->op == LWI_RESHAPE && ir->inst[in[0]].op == LWI_RESHAPE)
        in[0] = ir->inst[in[0]].in[0];
    if (inst->op == LWI_BROADCAST && ir->inst[in[0]].op == LWI_BROADCAST)
        in[0] = ir->inst[in[0]].in[0];
    if (inst->op == LWI_AFFINE && ir->inst[in[0]].op == LWI_AFFINE) {
        const lwi_inst *first = &ir->inst[in[0]];
        if (first->f[1] == 0 || (inst->f[0] == 1 || inst->f[0] == -1)) {
            inst->f[1] += inst->f[0] * first->f[1];
            inst->f[0] *= first->f[0];
            in[0] = first->in[0];
        }
    }
    if (inst->op == LWI_PERMUTE && ir->inst[in[0]].op == LWI_PERMUTE) {
        const lwi_inst *first = &ir->inst[in[0]];
        for (int d = 0; d < inst->shape.rank; d++)
            inst->i[d] = first->i[inst->i[d]];
        in[0] = first->in[0];
    }
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static uint64_t hash_inst(const lwi_inst *inst, const int *in)
{
    uint64_t hash = mix(inst->op, (uint64_t)inst->shape.rank);
    for (int d = 0; d < inst->shape.rank; d++)
        hash = mix(hash, (uint64_t)inst->shape.dim[d]);
    for (int k = 0; k < 8; k++)
        hash = mix(hash, (uint64_t)inst->i[k]);
    uint32_t bits[2];
    memcpy(bits, inst->f, sizeof bits);
    hash = mix(mix(hash, bits[0]), bits[1]);
    for (int k = 0; k < inst->in_count; k++)
        hash = mix(hash, (uint64_t)in[k]);
    hash = mix(hash, (uint64_t)(uintptr_t)inst->store);
    return inst->name ? mix(hash, lw_shape_count(inst->shape) + (uint64_t)strlen(inst->name)) : hash;
}

static bool equal_inst(const lwi_inst *a, const lwi_inst *b, const int *in)
{
    if (a->op != b->op || a->in_count != b->in_count || !lw_shape_equal(a->shape, b->shape) ||
        a->store != b->store || memcmp(a->i, b->i, sizeof a->i) != 0 || memcmp(a->f, b->f, sizeof a->f) != 0)
        return false;
    if (memcmp(a->in, in, sizeof *in * (size_t)a->in_count) != 0)
        return false;
    if ((a->name || b->name) && (!a->name || !b->name || strcmp(a->name, b->name) != 0))
        return false;
    if (a->op == LWI_RESAMPLE2D)
        return memcmp(a->data, b->data, sizeof(float) * (size_t)a->i[4]) == 0;
    return a->data == b->data;
}

typedef struct table {
    int *slot;
    size_t capacity; /* power of two, at least twice the nodes */
} table;

/* The node equal to `inst` if there is one, else a new one. */
static int find_or_add(lwi_ir *ir, table *seen, const lwi_inst *inst, const int *in)
{
    /* Random nodes of one purpose and shape give the same numbers by definition, so they merge too. */
    size_t at = hash_inst(inst, in) & (seen->capacity - 1);
    for (; seen->slot[at]; at = (at + 1) & (seen->capacity - 1))
        if (equal_inst(&ir->inst[seen->slot[at]], inst, in))
            return seen->slot[at];
    return seen->slot[at] = lwi_ir_add(ir, inst, in, inst->in_count);
}

static lwi_inst from_node(const lwi_node *node)
{
    lwi_inst inst = {.op = node->op,
                     .shape = node->shape,
                     .in_count = node->in_count,
                     .data = node->data,
                     .store = node->store,
                     .name = node->name,
                     .layer = node->layer,
                     .plugin = node->plugin};
    memcpy(inst.i, node->i, sizeof inst.i);
    memcpy(inst.f, node->f, sizeof inst.f);
    return inst;
}

static void mark_live(const lw_graph *graph, bool *live)
{
    for (int i = 0; i < graph->output_count; i++)
        live[graph->output[i].value.id] = true;
    for (int i = 0; i < graph->assign_count; i++)
        live[graph->assign[i].parameter.id] = live[graph->assign[i].value.id] = true;
    for (int id = graph->count - 1; id > 0; id--)
        for (int k = 0; live[id] && k < graph->node[id].in_count; k++)
            live[graph->node[id].in[k].id] = true;
}

static lw_status copy_nodes(lwi_ir *ir, const lw_graph *graph, const bool *live, int *map, table *seen)
{
    int widest = 2;
    for (int id = 1; id < graph->count; id++)
        widest = graph->node[id].in_count > widest ? graph->node[id].in_count : widest;
    int *in = lw_alloc((size_t)widest, sizeof *in);
    if (!in)
        return LW_MEMORY;
    for (int id = 1; id < graph->count; id++) {
        if (!live[id])
            continue;
        lwi_inst inst = from_node(&graph->node[id]);
        for (int k = 0; k < inst.in_count; k++)
            in[k] = map[graph->node[id].in[k].id];
        as_affine(ir, &inst, in);
        if (inst.in_count > 0)
            join(ir, &inst, in);
        map[id] = no_effect(ir, &inst, in);
        if (!map[id])
            map[id] = find_or_add(ir, seen, &inst, in);
        if (!map[id])
            break;
    }
    lw_free(in);
    return lw_error_status();
}

static lw_status copy_roots(lwi_ir *ir, const lw_graph *graph, const int *map)
{
    ir->output = lw_alloc((size_t)graph->output_count + 1, sizeof *ir->output);
    ir->assign_to = lw_alloc((size_t)graph->assign_count + 1, sizeof *ir->assign_to);
    ir->assign_from = lw_alloc((size_t)graph->assign_count + 1, sizeof *ir->assign_from);
    if (!ir->output || !ir->assign_to || !ir->assign_from)
        return LW_MEMORY;
    for (int i = 0; i < graph->output_count; i++)
        ir->output[ir->output_count++] = map[graph->output[i].value.id];
    for (int i = 0; i < graph->assign_count; i++) {
        ir->assign_to[i] = map[graph->assign[i].parameter.id];
        ir->assign_from[i] = map[graph->assign[i].value.id];
    }
    ir->assign_count = graph->assign_count;
    return LW_OK;
}

lwi_ir *lwi_simplify(const lw_graph *graph)
{
    lw_error_clear();
    lwi_ir *ir = lw_alloc(1, sizeof *ir);
    size_t count = (size_t)(graph->count > 0 ? graph->count : 1);
    bool *live = lw_alloc(count, sizeof *live);
    int *map = lw_alloc(count, sizeof *map);
    table seen = {.capacity = 64};
    while (seen.capacity < 2 * count)
        seen.capacity *= 2;
    seen.slot = lw_alloc(seen.capacity, sizeof *seen.slot);
    bool ok = ir && live && map && seen.slot;
    if (ok) {
        ir->graph = graph;
        lwi_inst none = {0};
        lwi_ir_add(ir, &none, NULL, 0); /* index 0 means nothing */
        mark_live(graph, live);
        ok = copy_nodes(ir, graph, live, map, &seen) == LW_OK && copy_roots(ir, graph, map) == LW_OK &&
             lwi_ir_sort(ir) == LW_OK;
    }
    lw_free(live);
    lw_free(map);
    lw_free(seen.slot);
    if (!ok) {
        lwi_ir_destroy(ir);
        return NULL;
    }
    return ir;
}

/* All operands of an instruction, those of its epilogue included, one after the other; 0 at the end. */
static int operand(const lwi_inst *inst, int k)
{
    if (k < inst->in_count)
        return inst->in[k];
    const int extra[3] = {inst->scale, inst->bias, inst->residual};
    for (int e = 0, seen = inst->in_count; e < 3; e++)
        if (extra[e] && seen++ == k)
            return extra[e];
    return 0;
}

/* Depth first without recursion: graphs may be thousands of nodes deep. */
static void visit(lwi_ir *ir, int root, int *next, int *stack)
{
    int depth = 0;
    if (next[root] >= 0)
        stack[depth++] = root;
    while (depth > 0) {
        int node = stack[depth - 1];
        int child = operand(&ir->inst[node], next[node]);
        if (!child) {
            if (next[node] >= 0)
                ir->order[ir->order_count++] = node;
            next[node] = -1;
            depth--;
            continue;
        }
        next[node]++;
        ir->inst[child].uses++;
        if (next[child] == 0 && ir->inst[child].uses == 1)
            stack[depth++] = child;
    }
}

lw_status lwi_ir_sort(lwi_ir *ir)
{
    int *order = lw_resize(ir->order, (size_t)ir->count, sizeof *order);
    if (!order)
        return LW_MEMORY;
    ir->order = order;
    ir->order_count = 0;
    int *next = lw_alloc((size_t)ir->count, sizeof *next);
    int *stack = lw_alloc((size_t)ir->count, sizeof *stack);
    for (int i = 0; i < ir->count; i++)
        ir->inst[i].uses = 0;
    if (next && stack) {
        for (int i = 0; i < ir->output_count; i++)
            if (ir->inst[ir->output[i]].uses++ == 0)
                visit(ir, ir->output[i], next, stack);
        for (int i = 0; i < ir->assign_count; i++) {
            if (ir->inst[ir->assign_to[i]].uses++ == 0)
                visit(ir, ir->assign_to[i], next, stack);
            if (ir->inst[ir->assign_from[i]].uses++ == 0)
                visit(ir, ir->assign_from[i], next, stack);
        }
    }
    lw_free(next);
    lw_free(stack);
    return next && stack ? LW_OK : LW_MEMORY;
}
