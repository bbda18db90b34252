/* expr.c — builds elementwise expressions and chooses their loops; see expr.h. The text is written by emit.c.
 */
#include "compile/expr.h"

#include <stdlib.h>
#include <string.h>

void lwi_expr_init(lwi_expr *e, lwi_lowering *l, lw_shape shape)
{
    memset(e, 0, sizeof *e);
    e->l = l;
    e->shape = shape;
}

void lwi_expr_free(lwi_expr *e)
{
    lw_free(e->term);
}

static int add_term(lwi_expr *e, const lwi_term *term)
{
    if (e->count == e->capacity) {
        int capacity = e->capacity ? 2 * e->capacity : 32;
        lwi_term *grown = lw_resize(e->term, (size_t)capacity, sizeof *grown);
        if (!grown) {
            e->l->status = LW_MEMORY;
            return 0;
        }
        e->term = grown;
        e->capacity = capacity;
    }
    e->term[e->count] = *term;
    return e->count++;
}

/* The map of an operand of shape `from`, which stretches to the user's shape `to` seen through `map`. */
static lwi_map stretched(const lwi_map *map, lw_shape from, lw_shape to)
{
    lwi_map out = {0};
    int skip = to.rank - from.rank;
    for (int d = 0; d < from.rank; d++) {
        bool fixed = from.dim[d] == 1;
        out.dim[d] = fixed ? -1 : map->dim[d + skip];
        out.factor[d] = fixed ? 0 : map->factor[d + skip];
        out.offset[d] = fixed ? 0 : map->offset[d + skip];
    }
    return out;
}

/* The map of a reshape's operand where only dims of size 1 come and go. */
static lwi_map without_ones(const lwi_map *map, lw_shape from, lw_shape to)
{
    lwi_map out = {0};
    int t = 0;
    for (int d = 0; d < from.rank; d++) {
        out.dim[d] = -1;
        if (from.dim[d] == 1)
            continue;
        while (to.dim[t] == 1)
            t++;
        out.dim[d] = map->dim[t];
        out.factor[d] = map->factor[t];
        out.offset[d] = map->offset[t];
        t++;
    }
    return out;
}

static lwi_map operand_map(const lwi_inst *inst, lw_shape from, const lwi_map *map)
{
    lwi_map out = *map;
    switch (inst->op) {
    case LWI_PERMUTE:
        for (int d = 0; d < inst->shape.rank; d++) {
            out.dim[inst->i[d]] = map->dim[d];
            out.factor[inst->i[d]] = map->factor[d];
            out.offset[inst->i[d]] = map->offset[d];
        }
        return out;
    case LWI_SLICE: {
        int axis = (int)inst->i[0];
        out.factor[axis] = map->factor[axis] * inst->i[2];
        out.offset[axis] = inst->i[1] + map->offset[axis] * inst->i[2];
        return out;
    }
    case LWI_RESHAPE: return without_ones(map, from, inst->shape);
    default: return stretched(map, from, inst->shape);
    }
}

static lwi_view through(const lwi_map *map, const lwi_view *view, int rank)
{
    lwi_view out = {.buffer = view->buffer, .offset = view->offset};
    for (int d = 0; d < rank; d++) {
        out.offset += map->offset[d] * view->stride[d];
        if (map->dim[d] >= 0)
            out.stride[map->dim[d]] += map->factor[d] * view->stride[d];
    }
    return out;
}

static bool same_map(const lwi_map *a, const lwi_map *b, int rank)
{
    for (int d = 0; d < rank; d++)
        if (a->dim[d] != b->dim[d] || a->factor[d] != b->factor[d] || a->offset[d] != b->offset[d])
            return false;
    return true;
}

static int build(lwi_expr *e, int node, const lwi_map *map)
{
    float number;
    if (!lwi_literal(e->l->ir, node, &number))
        lwi_need(e->l, node);
    if (e->l->status != LW_OK)
        return 0;
    const lwi_inst *inst = &e->l->ir->inst[node];
    for (int t = 0; t < e->count; t++)
        if (e->term[t].node == node && same_map(&e->term[t].map, map, inst->shape.rank))
            return t;
    lwi_term term = {.node = node, .map = *map};
    if (lwi_literal(e->l->ir, node, &number)) {
        term.kind = LWI_TERM_LITERAL;
        term.value = number;
    } else if (inst->view.buffer) {
        term.kind = LWI_TERM_LOAD;
        term.view = through(map, &inst->view, inst->shape.rank);
    } else if (inst->op == LWI_IOTA) {
        term.kind = LWI_TERM_INDEX;
        term.view = through(map, &(lwi_view){.stride = {1}}, 1);
    } else if (lwi_is_map(e->l->ir, node)) {
        lwi_map inner = operand_map(inst, e->l->ir->inst[inst->in[0]].shape, map);
        return build(e, inst->in[0], &inner);
    } else {
        term.kind = LWI_TERM_OP;
        term.op = inst->op;
        memcpy(term.f, inst->f, sizeof term.f);
        for (int k = 0; k < inst->in_count; k++) {
            int in = e->l->ir->inst[node].in[k];
            lwi_map inner = operand_map(&e->l->ir->inst[node], e->l->ir->inst[in].shape, map);
            term.in[k] = build(e, in, &inner);
        }
    }
    return add_term(e, &term);
}

int lwi_expr_add(lwi_expr *e, int node)
{
    lwi_map map = {0};
    for (int d = 0; d < e->shape.rank; d++) {
        map.dim[d] = d;
        map.factor[d] = 1;
    }
    map = stretched(&map, e->l->ir->inst[node].shape, e->shape);
    return build(e, node, &map);
}

static int count_loads(const lwi_expr *e)
{
    int loads = 0;
    for (int t = 0; t < e->count; t++)
        loads += e->term[t].kind == LWI_TERM_LOAD;
    return loads;
}

static bool same_view(const lwi_view *a, const lwi_view *b, lw_shape shape)
{
    bool same = a->buffer == b->buffer && a->offset == b->offset;
    for (int d = 0; d < shape.rank; d++)
        same = same && (shape.dim[d] == 1 || a->stride[d] == b->stride[d]);
    return same;
}

/* A load that is no broadcast. */
static bool is_whole(const lwi_term *term, lw_shape shape)
{
    bool whole = term->kind == LWI_TERM_LOAD;
    for (int d = 0; d < shape.rank; d++)
        whole = whole && (shape.dim[d] == 1 || term->view.stride[d] != 0);
    return whole;
}

bool lwi_expr_shares(const lwi_expr *e, int node, int most)
{
    lwi_expr other;
    lwi_expr_init(&other, e->l, e->shape);
    lwi_expr_add(&other, node);
    int loads = count_loads(e);
    bool shares = false;
    for (int t = 0; t < other.count; t++) {
        bool found = false;
        for (int k = 0; k < e->count && other.term[t].kind == LWI_TERM_LOAD && !found; k++)
            found = e->term[k].kind == LWI_TERM_LOAD &&
                    same_view(&e->term[k].view, &other.term[t].view, e->shape);
        shares |= found && is_whole(&other.term[t], e->shape);
        loads += other.term[t].kind == LWI_TERM_LOAD && !found;
    }
    lwi_expr_free(&other);
    return shares && loads <= most;
}

lwi_order lwi_expr_order(const lwi_expr *e, lwi_order tie)
{
    if (e->shape.rank != 4)
        return LWI_PLAIN;
    int plain = 0, nhwc = 0;
    for (int t = 0; t < e->count; t++) {
        const lwi_view *view = &e->term[t].view;
        if (e->term[t].kind != LWI_TERM_LOAD || e->shape.dim[1] == 1 || !view->stride[1])
            continue;
        bool flat = (e->shape.dim[2] == 1 || !view->stride[2]) && (e->shape.dim[3] == 1 || !view->stride[3]);
        if (flat)
            continue;
        int64_t pixel = e->shape.dim[3] > 1 ? view->stride[3] : view->stride[2];
        if (llabs(view->stride[1]) < llabs(pixel))
            nhwc++;
        else
            plain++;
    }
    if (plain == nhwc)
        return tie;
    return nhwc > plain ? LWI_NHWC : LWI_PLAIN;
}

/* Whether dim `inner` continues dim `outer` in this stride table. */
static bool continues(const int64_t *stride, const int64_t *size, int outer, int inner)
{
    return stride[outer] == stride[inner] * size[inner];
}

/* Copies column `from` of every stride table to column `to`. */
static void move_loop(lwi_expr *e, int64_t (*loop)[LW_MAX_RANK], int count, int from, int to)
{
    for (int t = 0; t < e->count; t++)
        e->term[t].loop[to] = e->term[t].loop[from];
    for (int s = 0; s < count; s++)
        loop[s][to] = loop[s][from];
    e->size[to] = e->size[from];
    e->reduced[to] = e->reduced[from];
}

static bool can_merge(const lwi_expr *e, int64_t (*loop)[LW_MAX_RANK], int count, int outer)
{
    bool ok = e->reduced[outer] == e->reduced[outer + 1];
    for (int t = 0; ok && t < e->count; t++)
        if (e->term[t].kind == LWI_TERM_LOAD || e->term[t].kind == LWI_TERM_INDEX)
            ok = continues(e->term[t].loop, e->size, outer, outer + 1);
    for (int s = 0; ok && s < count; s++)
        ok = continues(loop[s], e->size, outer, outer + 1);
    return ok;
}

void lwi_expr_loops(lwi_expr *e, const int *order, unsigned reduced, const lwi_view *const *store,
                    int64_t (*loop)[LW_MAX_RANK], int count)
{
    e->loops = 0;
    for (int k = 0; k < e->shape.rank; k++) {
        int d = order[k];
        if (e->shape.dim[d] == 1)
            continue;
        int at = e->loops++;
        e->size[at] = e->shape.dim[d];
        e->reduced[at] = reduced >> d & 1;
        for (int t = 0; t < e->count; t++)
            e->term[t].loop[at] = e->term[t].view.stride[d];
        for (int s = 0; s < count; s++)
            loop[s][at] = store[s]->stride[d];
    }
    for (int at = 0; at + 1 < e->loops;) {
        if (!can_merge(e, loop, count, at)) {
            at++;
            continue;
        }
        int64_t merged = e->size[at] * e->size[at + 1];
        for (int from = at + 1; from < e->loops; from++)
            move_loop(e, loop, count, from, from - 1);
        e->size[at] = merged;
        e->loops--;
    }
    if (e->loops == 0) { /* one element */
        e->loops = 1;
        e->size[0] = 1;
        e->reduced[0] = reduced != 0;
        for (int t = 0; t < e->count; t++)
            e->term[t].loop[0] = 1;
        for (int s = 0; s < count; s++)
            loop[s][0] = 1;
    }
}
