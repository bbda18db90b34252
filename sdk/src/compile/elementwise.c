/* elementwise.c — one generated kernel for an expression: on CPUs a work-item loops over a run of rows or of
 * a row with float16 and a scalar tail; on GPUs it computes one element. */
#include "compile/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, TILE = 64, ITEM_MIN = 8192, ITEMS_PER_UNIT = 4, GPU_LOCAL = 64 };

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

static void print_store_pointer(lwi_text *text, const lwi_expr *e, lwi_signature *s, const int64_t *loop,
                                int64_t offset, const char *indent)
{
    lwi_print(text, "%sglobal float *q = b0", indent);
    if (offset) {
        lwi_sign_int(s, offset, "oq");
        lwi_print(text, " + oq");
    }
    for (int k = 0; k + 1 < e->loops; k++) {
        lwi_sign_int(s, loop[k], "sq%d", k);
        lwi_print(text, " + i%d * sq%d", k, k);
    }
    lwi_print(text, ";\n");
    if (loop[e->loops - 1] != 1)
        lwi_sign_int(s, loop[e->loops - 1], "gq");
}

static void print_store(lwi_text *text, int term, int64_t inner, int width, const char *indent)
{
    if (inner == 1)
        lwi_print(text, width > 1 ? "%svstore16(t%d, 0, q + i);\n" : "%sq[i] = t%d;\n", indent, term);
    else
        lwi_print(text, width > 1 ? "%sSCATTER(q + i * gq, gq, t%d);\n" : "%sq[i * gq] = t%d;\n", indent,
                  term);
}

/* Whether neighbours in the innermost loop lie apart somewhere. */
static bool gathers(const lwi_expr *e, const int64_t *loop)
{
    int inner = e->loops - 1;
    bool apart = loop[inner] != 1;
    for (int t = 0; t < e->count; t++)
        apart |=
            e->term[t].kind == LWI_TERM_LOAD && e->term[t].loop[inner] != 0 && e->term[t].loop[inner] != 1;
    return apart;
}

/* Work split on a CPU: `slots` runs of rows, each row in `parts` runs of `chunk` elements. */
static void print_cpu(lwi_text *text, const lwi_expr *e, lwi_signature *s, const int64_t *loop,
                      int64_t offset, int result)
{
    int64_t inner = e->size[e->loops - 1], rows = 1;
    for (int k = 0; k + 1 < e->loops; k++)
        rows *= e->size[k];
    int64_t items = rows * inner / ITEM_MIN, most = (int64_t)e->l->target.units * ITEMS_PER_UNIT;
    items = items < 1 ? 1 : items > most ? most : items;
    int64_t slots = rows >= items ? items : rows, parts = rows >= items ? 1 : items / rows;
    int64_t chunk = ((inner + parts - 1) / parts + TILE - 1) / TILE * TILE;
    if (gathers(e, loop) && inner > TILE &&
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
    print_store_pointer(text, e, s, loop, offset, indent);
    lwi_expr_pointers(e, s, text, indent);
    lwi_print(text, "%sint i = begin;\n", indent);
    const char *deeper = loops_rows ? "            " : "        ";
    if (inner >= WIDTH) {
        lwi_print(text, "%sfor (; i + 16 <= end; i += 16) {\n", indent);
        lwi_expr_body(e, s, text, WIDTH, deeper);
        print_store(text, result, loop[e->loops - 1], WIDTH, deeper);
        lwi_print(text, "%s}\n", indent);
    }
    lwi_print(text, "%sfor (; i < end; i++) {\n", indent);
    lwi_expr_body(e, s, text, 1, deeper);
    print_store(text, result, loop[e->loops - 1], 1, deeper);
    lwi_print(text, "%s}\n", indent);
    if (loops_rows)
        lwi_print(text, "    }\n");
}

static void print_gpu(lwi_text *text, const lwi_expr *e, lwi_signature *s, const int64_t *loop,
                      int64_t offset, int result)
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
    print_store_pointer(text, e, s, loop, offset, "    ");
    lwi_expr_pointers(e, s, text, "    ");
    lwi_expr_body(e, s, text, 1, "    ");
    print_store(text, result, loop[e->loops - 1], 1, "    ");
}

/* Which read arguments lie, element by element, where the result is stored. */
static uint64_t in_place_arguments(const lwi_expr *e, const lwi_signature *s, const int64_t *loop,
                                   int64_t offset)
{
    uint64_t good = 0, bad = 0;
    for (int t = 0; t < e->count; t++) {
        if (e->term[t].kind != LWI_TERM_LOAD)
            continue;
        bool same = e->term[t].view.offset == offset;
        for (int k = 0; k < e->loops; k++)
            same = same && e->term[t].loop[k] == loop[k];
        for (int a = 0; a < s->launch.arg_count && a < 64; a++)
            if (s->launch.arg[a].kind == LWI_ARG_READ && s->launch.arg[a].buffer == e->term[t].view.buffer)
                *(same ? &good : &bad) |= (uint64_t)1 << a;
    }
    return good & ~bad;
}

/* One kernel that stores the term `result` of a complete expression. */
static void emit(lwi_lowering *l, lwi_expr *e, int result, const lwi_view *out)
{
    if (l->status != LW_OK)
        return;
    int order[LW_MAX_RANK];
    int64_t loop[1][LW_MAX_RANK];
    store_order(e->shape, out, order);
    better_inner(e, order);
    lwi_expr_loops(e, order, 0, &out, loop, 1);
    lwi_signature s = {0};
    lwi_text text = {0};
    lwi_sign_buffer(&s, LWI_ARG_WRITE, out->buffer);
    if (l->target.is_cpu)
        print_cpu(&text, e, &s, loop[0], out->offset, result);
    else
        print_gpu(&text, e, &s, loop[0], out->offset, result);
    uint64_t in_place = in_place_arguments(e, &s, loop[0], out->offset);
    lwi_emit_generated(l, &s, &text, "map");
    lwi_mark_in_place(l, in_place);
}

void lwi_emit_elementwise(lwi_lowering *l, int node, const lwi_view *out)
{
    if (l->status != LW_OK)
        return;
    lwi_expr e;
    lwi_expr_init(&e, l, l->ir->inst[node].shape);
    int result = lwi_expr_add(&e, node);
    emit(l, &e, result, out);
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

static void emit_linear(lwi_lowering *l, lwi_buffer to, size_t count, const lwi_term *term)
{
    lwi_expr e;
    lwi_expr_init(&e, l, LW_SHAPE((int64_t)count));
    lwi_term only = *term;
    e.term = &only;
    e.count = 1;
    emit(l, &e, 0, &(lwi_view){.buffer = to, .stride = {1}});
}

void lwi_emit_copy(lwi_lowering *l, lwi_buffer from, lwi_buffer to, size_t count)
{
    emit_linear(l, to, count, &(lwi_term){.kind = LWI_TERM_LOAD, .view = {.buffer = from, .stride = {1}}});
}

void lwi_emit_fill(lwi_lowering *l, lwi_buffer to, size_t count, float value)
{
    emit_linear(l, to, count, &(lwi_term){.kind = LWI_TERM_LITERAL, .value = value});
}
