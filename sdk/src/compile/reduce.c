/* reduce.c — sums and maxima of fused expressions.
 *
 * A work-item owns some results and, where results are few, one part of the reduced range; a second
 * kernel then joins the parts in a fixed order, so the same run gives the same bytes. Sums run over
 * blocks of 64 plain additions joined by compensated (Kahan) ones: the error stays at a few ulp. */
#include "compile/reduce.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 16, BLOCK = 64, ITEM_MIN = 8192, COLUMNS = 64, ITEMS_PER_UNIT = 4 };

static int outermost_reduced(const lwi_expr *e)
{
    for (int k = 0; k < e->loops; k++)
        if (e->reduced[k])
            return k;
    return -1;
}

static const char *type(int width)
{
    return width > 1 ? "float16" : "float";
}

/* acc joined with the term, for one element and for a finished block. */
static void print_step(lwi_reduction *r, const char *indent, const char *into)
{
    lwi_print(&r->text, r->max ? "%s%s = fmax(%s, t%d);\n" : "%s%s = %s + t%d;\n", indent, into, into,
              r->result);
}

static void print_join(lwi_reduction *r, const char *indent, int width)
{
    const char *sum = width > 1 ? "%sADD16(acc, rest, block);\n" : "%sADD(acc, rest, block);\n";
    lwi_print(&r->text, r->max ? "%sacc = fmax(acc, block);\n" : sum, indent);
}

static void print_clear(lwi_reduction *r, const char *indent, const char *name, int width)
{
    lwi_print(&r->text, "%s%s %s = %s;\n", indent, type(width), name, r->max ? "-INFINITY" : "0.0f");
}

/* for loops over reduced dims, all but `except`, outermost limited to this part. Returns how many. */
static int open_reduced(lwi_reduction *r, int except)
{
    int depth = 0, first = outermost_reduced(r->e);
    for (int k = 0; k < r->e->loops; k++) {
        if (!r->e->reduced[k] || k == except)
            continue;
        if (k == first)
            lwi_print(&r->text, "        for (int i%d = low; i%d < high; i%d++) {\n", k, k, k);
        else {
            lwi_sign_int(&r->s, r->e->size[k], "d%d", k);
            lwi_print(&r->text, "        for (int i%d = 0; i%d < d%d; i%d++) {\n", k, k, k, k);
        }
        depth++;
    }
    return depth;
}

static void close_loops(lwi_reduction *r, int depth)
{
    while (depth-- > 0)
        lwi_print(&r->text, "        }\n");
}

/* The innermost loop is reduced: `width` elements of a row at once, then across the lanes. */
static void print_row_sum(lwi_reduction *r, bool vector)
{
    int inner = r->e->loops - 1;
    bool only = outermost_reduced(r->e) == inner;
    print_clear(r, "        ", "acc", 1);
    lwi_print(&r->text, "        float rest = 0.0f;\n");
    if (vector)
        lwi_print(&r->text, "        float16 wide = %s, wide_rest = 0.0f;\n", r->max ? "-INFINITY" : "0.0f");
    lwi_sign_int(&r->s, r->e->size[inner], "n");
    int depth = open_reduced(r, inner);
    lwi_expr_pointers(r->e, &r->s, &r->text, "            ");
    lwi_print(&r->text, "            int i = %s;\n            const int end = %s;\n", only ? "low" : "0",
              only ? "high" : "n");
    if (vector) {
        lwi_print(&r->text,
                  "            while (i + 16 <= end) {\n                const int stop = min(end, i + %d);\n",
                  BLOCK * WIDTH);
        lwi_print(&r->text, "                float16 block = %s;\n", r->max ? "-INFINITY" : "0.0f");
        lwi_print(&r->text, "                for (; i + 16 <= stop; i += 16) {\n");
        lwi_expr_body(r->e, &r->s, &r->text, WIDTH, "                    ");
        print_step(r, "                    ", "block");
        lwi_print(&r->text, "                }\n%s            }\n",
                  r->max ? "                wide = fmax(wide, block);\n"
                         : "                ADD16(wide, wide_rest, block);\n");
    }
    lwi_print(&r->text, "            while (i < end) {\n                const int stop = min(end, i + %d);\n",
              BLOCK);
    print_clear(r, "                ", "block", 1);
    lwi_print(&r->text, "                for (; i < stop; i++) {\n");
    lwi_expr_body(r->e, &r->s, &r->text, 1, "                    ");
    print_step(r, "                    ", "block");
    lwi_print(&r->text, "                }\n");
    print_join(r, "                ", 1);
    lwi_print(&r->text, "            }\n");
    close_loops(r, depth);
    if (vector)
        lwi_print(&r->text,
                  r->max ? "        { const float block = MAX_LANES(wide); acc = fmax(acc, block); }\n"
                         : "        { const float block = SUM_LANES(wide); ADD(acc, rest, block); }\n");
    lwi_print(&r->text, "        q[0] = acc;\n");
}

/* The innermost loop is kept: `width` neighbouring results at index i at once. */
static void print_columns(lwi_reduction *r, int width)
{
    int first = outermost_reduced(r->e), last = r->e->loops - 1;
    while (!r->e->reduced[last])
        last--;
    print_clear(r, "        ", "acc", width);
    lwi_print(&r->text, "        %s rest = 0.0f;\n", type(width));
    int depth = open_reduced(r, last);
    char end[16] = "high";
    if (last != first) {
        lwi_sign_int(&r->s, r->e->size[last], "d%d", last);
        snprintf(end, sizeof end, "d%d", last);
    }
    lwi_print(&r->text, "        for (int j = %s; j < %s; j += %d) {\n", last == first ? "low" : "0", end,
              BLOCK);
    print_clear(r, "            ", "block", width);
    lwi_print(&r->text, "            for (int i%d = j; i%d < min(%s, j + %d); i%d++) {\n", last, last, end,
              BLOCK, last);
    lwi_expr_pointers(r->e, &r->s, &r->text, "                ");
    lwi_expr_body(r->e, &r->s, &r->text, width, "                ");
    print_step(r, "                ", "block");
    lwi_print(&r->text, "            }\n");
    print_join(r, "            ", width);
    lwi_print(&r->text, "        }\n");
    close_loops(r, depth);
    lwi_print(&r->text, width > 1 ? "        vstore16(acc, 0, q + i);\n" : "        q[i] = acc;\n");
}

/* Indices of the kept loops before `inner` from the number `row`, and the pointer to their result. */
static void print_kept(lwi_reduction *r, int inner)
{
    lwi_print(&r->text, "        int at = row;\n        global float *q = b0 + part * part_stride;\n");
    lwi_sign_int(&r->s, r->part_stride, "part_stride");
    for (int k = inner - 1; k >= 0; k--) {
        if (r->e->reduced[k])
            continue;
        lwi_sign_int(&r->s, r->e->size[k], "d%d", k);
        lwi_sign_int(&r->s, r->loop[k], "sq%d", k);
        lwi_print(&r->text,
                  "        const int i%d = at %% d%d;\n        at /= d%d;\n        q += i%d * sq%d;\n", k, k,
                  k, k, k);
    }
}

/* Rows (combinations of kept loops), and for kept innermost loops runs of columns. */
static void print_kernel(lwi_reduction *r)
{
    const lwi_expr *e = r->e;
    int inner = e->loops - 1;
    bool columns = !e->reduced[inner];
    int64_t rows = 1, n = e->size[inner], blocks = columns ? (n + COLUMNS - 1) / COLUMNS : 1;
    for (int k = 0; k < inner; k++)
        rows *= e->reduced[k] ? 1 : e->size[k];
    int64_t range = e->size[outermost_reduced(e)];
    int64_t most = (int64_t)r->l->target.units * ITEMS_PER_UNIT;
    int64_t units = rows * blocks, want = lw_shape_count(e->shape) / ITEM_MIN;
    want = want < 1 ? 1 : want > most ? most : want;
    int64_t slots = units < want ? units : want;
    r->s.launch.global[0] = (size_t)(slots * r->parts);
    lwi_sign_int(&r->s, r->parts, "parts");
    lwi_sign_int(&r->s, range, "range");
    lwi_sign_int(&r->s, units, "units");
    lwi_sign_int(&r->s, (units + slots - 1) / slots, "run");
    lwi_print(&r->text,
              "    const int part = (int)get_global_id(0) %% parts, slot = (int)get_global_id(0) / parts;\n"
              "    const int low = (int)((long)range * part / parts), high = (int)((long)range * (part + 1) "
              "/ parts);\n"
              "    for (int unit = slot * run; unit < min(units, (slot + 1) * run); unit++) {\n");
    if (columns) {
        lwi_sign_int(&r->s, n, "n");
        lwi_sign_int(&r->s, blocks, "blocks");
        lwi_print(&r->text,
                  "        const int row = unit / blocks, begin = unit %% blocks * %d, stop = min(n, begin + "
                  "%d);\n",
                  COLUMNS, COLUMNS);
    } else {
        lwi_print(&r->text, "        const int row = unit;\n");
    }
    print_kept(r, inner);
    bool vector = n >= WIDTH;
    if (columns) {
        lwi_print(&r->text, "        int i = begin;\n");
        if (vector) {
            lwi_print(&r->text, "        for (; i + 16 <= stop; i += 16) {\n");
            print_columns(r, WIDTH);
            lwi_print(&r->text, "        }\n");
        }
        lwi_print(&r->text, "        for (; i < stop; i++) {\n");
        print_columns(r, 1);
        lwi_print(&r->text, "        }\n");
    } else {
        print_row_sum(r, vector);
    }
    lwi_print(&r->text, "    }\n");
    lwi_emit_generated(r->l, &r->s, &r->text, r->max ? "max" : "sum");
}

/* How many parts the outermost reduced loop is cut into, so that there is work for all units. */
static int64_t choose_parts(const lwi_reduction *r)
{
    const lwi_expr *e = r->e;
    int inner = e->loops - 1;
    int64_t units = 1, total = lw_shape_count(e->shape), range = e->size[outermost_reduced(e)];
    for (int k = 0; k < e->loops; k++)
        if (!e->reduced[k])
            units *= k == inner ? (e->size[k] + COLUMNS - 1) / COLUMNS : e->size[k];
    int64_t most = (int64_t)r->l->target.units * ITEMS_PER_UNIT;
    int64_t parts = units >= most ? 1 : (most + units - 1) / units;
    int64_t useful = total / ITEM_MIN, rows = outermost_reduced(e) == inner ? range / 256 : range;
    parts = parts > useful ? useful : parts;
    parts = parts > rows ? rows : parts;
    return parts < 1 ? 1 : parts;
}

static void emit_reduction(lwi_lowering *l, lwi_expr *e, int result, bool max, unsigned reduced,
                           const int *order, const lwi_view *out);

/* Joins [parts, count] into [count]. */
static void emit_join(lwi_lowering *l, lwi_buffer parts_buffer, int64_t parts, int64_t count, bool max,
                      lwi_buffer to)
{
    lwi_expr e;
    lwi_expr_init(&e, l, LW_SHAPE(parts, count));
    lwi_term only = {.kind = LWI_TERM_LOAD, .view = {.buffer = parts_buffer, .stride = {count, 1}}};
    e.term = &only;
    e.count = 1;
    emit_reduction(l, &e, 0, max, LW_AXIS(0), (int[]){0, 1}, &(lwi_view){.buffer = to, .stride = {0, 1}});
}

static void emit_reduction(lwi_lowering *l, lwi_expr *e, int result, bool max, unsigned reduced,
                           const int *order, const lwi_view *out)
{
    if (l->status != LW_OK)
        return;
    lwi_reduction r = {.l = l, .e = e, .result = result, .max = max, .out = *out};
    const lwi_view *store = &r.out;
    lwi_expr_loops(e, order, reduced, &store, &r.loop, 1);
    int64_t count = 1;
    for (int d = 0; d < e->shape.rank; d++)
        count *= reduced >> d & 1 ? 1 : e->shape.dim[d];
    r.parts = l->target.is_cpu ? choose_parts(&r) : lwi_gpu_reduction_parts(&r);
    r.part_stride = r.parts > 1 ? count : 0;
    lwi_buffer to = r.parts > 1 ? lwi_scratch(l, (size_t)(count * r.parts)) : out->buffer;
    lwi_sign_buffer(&r.s, LWI_ARG_WRITE, to);
    if (l->target.is_cpu)
        print_kernel(&r);
    else
        lwi_print_gpu_reduction(&r);
    if (r.parts > 1)
        emit_join(l, to, r.parts, count, max, out->buffer);
}

/* x -> the same rank, with size 1 along the axes in i[0]. */
void lwi_lower_reduce(lwi_lowering *l, int node)
{
    static const int plain[LW_MAX_RANK] = {0, 1, 2, 3, 4, 5}, nhwc[LW_MAX_RANK] = {0, 2, 3, 1};
    lwi_inst *inst = &l->ir->inst[node];
    int operand = inst->in[0];
    lw_shape shape = l->ir->inst[operand].shape;
    lwi_expr e;
    lwi_expr_init(&e, l, shape);
    int result = lwi_expr_add(&e, operand);
    lwi_order order = lwi_expr_order(&e, LWI_PLAIN);
    lwi_view view = {.buffer = lwi_scratch(l, (size_t)lw_shape_count(inst->shape))};
    lwi_order_strides(inst->shape, order, view.stride);
    lwi_view out = view;
    unsigned reduced = 0;
    for (int d = 0; d < shape.rank; d++)
        if (inst->i[0] >> d & 1) {
            reduced |= LW_AXIS(d);
            out.stride[d] = 0;
        }
    emit_reduction(l, &e, result, inst->op == LWI_MAX, reduced, order == LWI_NHWC ? nhwc : plain, &out);
    inst->view = view;
    lwi_expr_free(&e);
}
