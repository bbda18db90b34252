/* elementwise.c — one generated kernel for an expression, or for several that read the same: on CPUs a
 * work-item loops over a run of rows or of a row with float16 and a scalar tail; on GPUs it computes one
 * element. */
#include "compile/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, TILE = 64, ITEM_MIN = 8192, ITEMS_PER_UNIT = 4, GPU_LOCAL = 64 };
enum { MOST_RESULTS = 4, MOST_LOADS = 8, NEAR = 32 };

/* What a kernel stores: terms of one expression into buffers of one layout. */
typedef struct stores {
    int count;
    int term[MOST_RESULTS];
    lwi_buffer to[MOST_RESULTS];
    lwi_view view;             /* of each of them, but for the buffer */
    int64_t loop[LW_MAX_RANK]; /* its strides per loop */
} stores;

void lwi_order_strides(lw_shape shape, lwi_order order, int64_t *stride)
{
    static const int nhwc[4] = {0, 2, 3, 1};
    int64_t step = 1;
    for (int k = shape.rank - 1; k >= 0; k--) {
        int d = order == LWI_NHWC && shape.rank == 4 ? nhwc[k] : k;
        stride[d] = step;
        step *= shape.dim[d];
    }
}

bool lwi_view_is(const lwi_view *view, lw_shape shape, lwi_order order)
{
    int64_t stride[LW_MAX_RANK];
    lwi_order_strides(shape, order, stride);
    if (!view->buffer || view->offset)
        return false;
    for (int d = 0; d < shape.rank; d++)
        if (shape.dim[d] > 1 && view->stride[d] != stride[d])
            return false;
    return true;
}

/* Sorts root dims by falling stride of the store. */
static void store_order(lw_shape shape, const lwi_view *out, int *order)
{
    for (int d = 0; d < shape.rank; d++) {
        int at = d;
        for (; at > 0 && llabs(out->stride[order[at - 1]]) < llabs(out->stride[d]); at--)
            order[at] = order[at - 1];
        order[at] = d;
    }
}

/* Where the innermost dim is shorter than a vector, another one that loads step along by 1 serves better. */
static void better_inner(const lwi_expr *e, int *order)
{
    int last = -1;
    for (int k = 0; k < e->shape.rank; k++)
        if (e->shape.dim[order[k]] > 1)
            last = k;
    if (last < 0 || e->shape.dim[order[last]] >= WIDTH)
        return;
    for (int k = last - 1; k >= 0; k--) {
        int d = order[k];
        bool unit = false;
        for (int t = 0; t < e->count; t++)
            unit |= e->term[t].kind == LWI_TERM_LOAD && e->term[t].view.stride[d] == 1;
        if (e->shape.dim[d] < WIDTH || !unit)
            continue;
        memmove(order + k, order + k + 1, sizeof *order * (size_t)(e->shape.rank - 1 - k));
        order[e->shape.rank - 1] = d;
        return;
    }
}

static void print_indices(lwi_text *text, const lwi_expr *e, lwi_signature *s, const char *indent)
{
    int rows = e->loops - 1;
    if (rows > 1)
        lwi_print(text, "%sint r = row;\n", indent);
    for (int k = rows - 1; k > 0; k--) {
        lwi_sign_int(s, e->size[k], "d%d", k);
        lwi_print(text, "%sconst int i%d = r %% d%d;\n%sr /= d%d;\n", indent, k, k, indent, k);
    }
    if (rows > 0)
        lwi_print(text, "%sconst int i0 = %s;\n", indent, rows > 1 ? "r" : "row");
}

/* q: where the row of results begins in each buffer. */
static void print_store_offset(lwi_text *text, const lwi_expr *e, lwi_signature *s, const stores *out,
                               const char *indent)
{
    lwi_print(text, "%sconst int q = 0", indent);
    if (out->view.offset) {
        lwi_sign_int(s, out->view.offset, "oq");
        lwi_print(text, " + oq");
    }
    for (int k = 0; k + 1 < e->loops; k++) {
        lwi_sign_int(s, out->loop[k], "sq%d", k);
        lwi_print(text, " + i%d * sq%d", k, k);
    }
    lwi_print(text, ";\n");
    if (out->loop[e->loops - 1] != 1)
        lwi_sign_int(s, out->loop[e->loops - 1], "gq");
}

static void print_stores(lwi_text *text, const lwi_expr *e, const stores *out, int width, const char *indent)
{
    bool dense = out->loop[e->loops - 1] == 1;
    const char *format =
        dense       ? width > 1 ? "%svstore16(t%d, 0, b%d + q + i);\n" : "%sSTORE(t%d, b%d + q + i);\n"
        : width > 1 ? "%sSCATTER(t%d, b%d + q + i * gq, gq);\n"
                    : "%sSTORE(t%d, b%d + q + i * gq);\n";
    for (int k = 0; k < out->count; k++)
        lwi_print(text, format, indent, out->term[k], k);
}

/* Whether neighbours in the innermost loop lie apart somewhere. */
static bool gathers(const lwi_expr *e, const stores *out)
{
    int inner = e->loops - 1;
    bool apart = out->loop[inner] != 1;
    for (int t = 0; t < e->count; t++)
        apart |=
            e->term[t].kind == LWI_TERM_LOAD && e->term[t].loop[inner] != 0 && e->term[t].loop[inner] != 1;
    return apart;
}

/* Work split on a CPU: `slots` runs of rows, each row in `parts` runs of `chunk` elements. */
static void print_cpu(lwi_text *text, const lwi_expr *e, lwi_signature *s, const stores *out)
{
    int64_t inner = e->size[e->loops - 1], rows = 1;
    for (int k = 0; k + 1 < e->loops; k++)
        rows *= e->size[k];
    int64_t items = rows * inner / ITEM_MIN, most = (int64_t)e->l->target.units * ITEMS_PER_UNIT;
    items = items < 1 ? 1 : items > most ? most : items;
    int64_t slots = rows >= items ? items : rows, parts = rows >= items ? 1 : items / rows;
    int64_t chunk = ((inner + parts - 1) / parts + TILE - 1) / TILE * TILE;
    if (gathers(e, out) && inner > TILE &&
        rows >= TILE) { /* narrow tiles: what a row gathers, the next rows share */
        chunk = TILE;
        parts = (inner + TILE - 1) / TILE;
        slots = parts >= items ? 1 : (items + parts - 1) / parts;
    }
    s->launch.global[0] = (size_t)(slots * parts);
    bool loops_rows = e->loops > 1;
    const char *indent = loops_rows ? "        " : "    ";
    lwi_sign_int(s, inner, "n");
    lwi_sign_int(s, chunk, "chunk");
    if (loops_rows) {
        lwi_sign_int(s, rows, "rows");
        lwi_sign_int(s, (rows + slots - 1) / slots, "run");
        lwi_sign_int(s, parts, "parts");
        lwi_print(
            text,
            "    const int part = (int)get_global_id(0) %% parts, slot = (int)get_global_id(0) / parts;\n"
            "    const int begin = part * chunk, end = min(n, begin + chunk);\n"
            "    for (int row = slot * run; row < min(rows, (slot + 1) * run); row++) {\n");
        print_indices(text, e, s, indent);
    } else {
        lwi_print(text,
                  "    const int begin = (int)get_global_id(0) * chunk, end = min(n, begin + chunk);\n");
    }
    print_store_offset(text, e, s, out, indent);
    lwi_expr_pointers(e, s, text, indent);
    lwi_print(text, "%sint i = begin;\n", indent);
    const char *deeper = loops_rows ? "            " : "        ";
    if (inner >= WIDTH) {
        lwi_print(text, "%sfor (; i + 16 <= end; i += 16) {\n", indent);
        lwi_expr_body(e, s, text, WIDTH, deeper);
        print_stores(text, e, out, WIDTH, deeper);
        lwi_print(text, "%s}\n", indent);
    }
    lwi_print(text, "%sfor (; i < end; i++) {\n", indent);
    lwi_expr_body(e, s, text, 1, deeper);
    print_stores(text, e, out, 1, deeper);
    lwi_print(text, "%s}\n", indent);
    if (loops_rows)
        lwi_print(text, "    }\n");
}

static void print_gpu(lwi_text *text, const lwi_expr *e, lwi_signature *s, const stores *out)
{
    int64_t count = lw_shape_count(e->shape);
    s->launch.local[0] = GPU_LOCAL;
    s->launch.global[0] = (size_t)((count + GPU_LOCAL - 1) / GPU_LOCAL * GPU_LOCAL);
    lwi_sign_int(s, count, "count");
    lwi_sign_int(s, e->size[e->loops - 1], "n");
    lwi_print(
        text,
        "    if (get_global_id(0) >= count)\n        return;\n"
        "    const int i = (int)get_global_id(0) %% n, row = (int)get_global_id(0) / n;\n    (void)row;\n");
    print_indices(text, e, s, "    ");
    print_store_offset(text, e, s, out, "    ");
    lwi_expr_pointers(e, s, text, "    ");
    lwi_expr_body(e, s, text, 1, "    ");
    print_stores(text, e, out, 1, "    ");
}

/* Which read arguments lie, element by element, where the results are stored. */
static uint64_t in_place_arguments(const lwi_expr *e, const lwi_signature *s, const stores *out)
{
    uint64_t good = 0, bad = 0;
    for (int t = 0; t < e->count; t++) {
        if (e->term[t].kind != LWI_TERM_LOAD)
            continue;
        bool same = e->term[t].view.offset == out->view.offset;
        for (int k = 0; k < e->loops; k++)
            same = same && e->term[t].loop[k] == out->loop[k];
        for (int a = 0; a < s->launch.arg_count && a < 64; a++)
            if (s->launch.arg[a].kind == LWI_ARG_READ && s->launch.arg[a].buffer == e->term[t].view.buffer)
                *(same ? &good : &bad) |= (uint64_t)1 << a;
    }
    return good & ~bad;
}

/* One kernel that stores terms of a complete expression. */
static void emit(lwi_lowering *l, lwi_expr *e, stores *out)
{
    if (l->status != LW_OK)
        return;
    int order[LW_MAX_RANK];
    const lwi_view *view = &out->view;
    store_order(e->shape, view, order);
    better_inner(e, order);
    lwi_expr_loops(e, order, 0, &view, &out->loop, 1);
    lwi_signature s = {0};
    lwi_text text = {0};
    for (int k = 0; k < out->count; k++)
        lwi_sign_buffer(&s, LWI_ARG_WRITE, out->to[k]);
    if (l->target.is_cpu)
        print_cpu(&text, e, &s, out);
    else
        print_gpu(&text, e, &s, out);
    uint64_t in_place = in_place_arguments(e, &s, out);
    lwi_emit_generated(l, &s, &text, "map");
    lwi_mark_in_place(l, in_place);
}

void lwi_emit_elementwise(lwi_lowering *l, int node, const lwi_view *to)
{
    if (l->status != LW_OK)
        return;
    lwi_expr e;
    lwi_expr_init(&e, l, l->ir->inst[node].shape);
    stores out = {.count = 1, .to = {to->buffer}, .view = *to};
    out.term[0] = lwi_expr_add(&e, node);
    emit(l, &e, &out);
    lwi_expr_free(&e);
}

lwi_order lwi_preferred_order(lwi_lowering *l, int node)
{
    if (l->status != LW_OK || l->ir->inst[node].shape.rank != 4)
        return LWI_PLAIN;
    lwi_expr e;
    lwi_expr_init(&e, l, l->ir->inst[node].shape);
    lwi_expr_add(&e, node);
    lwi_order order = lwi_expr_order(&e, LWI_PLAIN);
    lwi_expr_free(&e);
    return order;
}

static int position(const lwi_ir *ir, int node)
{
    int at = 0;
    while (at < ir->order_count && ir->order[at] != node)
        at++;
    return at;
}

/* Adds what else could be computed now from the same values, into memory of the same layout: an optimiser's
 * moments and its parameter, an activation and its slope. Only what is needed soon, or memory would be held
 * for long. The members are not `stored` meanwhile, so they may use each other. */
static int add_siblings(lwi_lowering *l, lwi_expr *e, int node, int *member, stores *out)
{
    lwi_ir *ir = l->ir;
    int first = position(ir, node);
    member[0] = node;
    for (int k = first + 1;
         k < ir->order_count && k <= first + NEAR && out->count < MOST_RESULTS && l->status == LW_OK; k++) {
        const lwi_inst *inst = &ir->inst[node];
        int other = ir->order[k];
        lwi_inst *candidate = &ir->inst[other];
        if (lwi_op_class(candidate->op) != 'E' || !candidate->stored || candidate->view.buffer ||
            candidate->varies != inst->varies || candidate->wants_nhwc != inst->wants_nhwc ||
            !lw_shape_equal(candidate->shape, inst->shape))
            continue;
        candidate->stored = false;
        if (lwi_is_ready(ir, other) && lwi_expr_shares(e, other, MOST_LOADS)) {
            member[out->count] = other;
            out->term[out->count++] = lwi_expr_add(e, other);
        } else {
            ir->inst[other].stored = true;
        }
    }
    return out->count;
}

void lwi_lower_elementwise(lwi_lowering *l, int node)
{
    const lwi_inst inst = l->ir->inst[node];
    int member[MOST_RESULTS];
    lwi_expr e;
    lwi_expr_init(&e, l, inst.shape);
    stores out = {.count = 1};
    l->ir->inst[node].stored = false; /* the root itself is to be computed, not loaded */
    out.term[0] = lwi_expr_add(&e, node);
    int count = add_siblings(l, &e, node, member, &out);
    lwi_order order = inst.shape.rank == 4 && inst.wants_nhwc ? LWI_NHWC : lwi_expr_order(&e, LWI_PLAIN);
    lwi_order_strides(inst.shape, order, out.view.stride);
    for (int k = 0; k < count; k++)
        out.to[k] = lwi_scratch(l, (size_t)lw_shape_count(inst.shape));
    emit(l, &e, &out);
    for (int k = 0; k < count; k++) {
        l->ir->inst[member[k]].view = out.view;
        l->ir->inst[member[k]].view.buffer = out.to[k];
        l->ir->inst[member[k]].stored = true;
    }
    lwi_expr_free(&e);
}

static void emit_linear(lwi_lowering *l, lwi_buffer to, size_t count, const lwi_term *term)
{
    lwi_expr e;
    lwi_expr_init(&e, l, LW_SHAPE((int64_t)count));
    lwi_term only = *term;
    e.term = &only;
    e.count = 1;
    emit(l, &e, &(stores){.count = 1, .to = {to}, .view = {.stride = {1}}});
}

void lwi_emit_copy(lwi_lowering *l, lwi_buffer from, lwi_buffer to, size_t count)
{
    emit_linear(l, to, count, &(lwi_term){.kind = LWI_TERM_LOAD, .view = {.buffer = from, .stride = {1}}});
}

void lwi_emit_fill(lwi_lowering *l, lwi_buffer to, size_t count, float value)
{
    emit_linear(l, to, count, &(lwi_term){.kind = LWI_TERM_LITERAL, .value = value});
}
