/* reduce.c — sums and maxima of fused expressions.
 *
 * A work-item owns some results and, where results are few, one part of the reduced range; a second
 * kernel then joins the parts in a fixed order, so the same run gives the same bytes. Sums run over
 * blocks of 64 plain additions joined by compensated (Kahan) ones: the error stays at a few ulp.
 * Sums over the same range that read the same values share a kernel. */
#include "compile/reduce.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 16, BLOCK = 64, ITEM_MIN = 8192, COLUMNS = 64, ITEMS_PER_UNIT = 4, MOST_LOADS = 8 };

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

/* Declares a variable of each result: its number follows the name; `many` makes it an array. */
static void print_clear(lwi_reduction *r, const char *indent, const char *name, int width)
{
    for (int k = 0; k < r->count; k++)
        lwi_print(&r->text, "%s%s %s%d = %s;\n", indent, type(width), name, k,
                  r->max && strcmp(name, "rest") != 0 ? "-INFINITY" : "0.0f");
}

/* block joined with the term, for one element. */
static void print_step(lwi_reduction *r, const char *indent)
{
    for (int k = 0; k < r->count; k++)
        lwi_print(&r->text, r->max ? "%sblock%d = fmax(block%d, t%d);\n" : "%sblock%d = block%d + t%d;\n",
                  indent, k, k, r->result[k]);
}

/* acc joined with a finished block; `index` follows the accumulators' names. */
static void print_join(lwi_reduction *r, const char *indent, const char *acc, const char *rest,
                       const char *index, int width)
{
    for (int k = 0; k < r->count; k++)
        if (r->max)
            lwi_print(&r->text, "%s%s%d%s = fmax(%s%d%s, block%d);\n", indent, acc, k, index, acc, k, index,
                      k);
        else
            lwi_print(&r->text, "%s%s(%s%d%s, %s%d%s, block%d);\n", indent, width > 1 ? "ADD16" : "ADD", acc,
                      k, index, rest, k, index, k);
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
    print_clear(r, "        ", "rest", 1);
    if (vector) {
        print_clear(r, "        ", "wide", WIDTH);
        if (!r->max)
            print_clear(r, "        ", "wide_rest", WIDTH);
    }
    lwi_sign_int(&r->s, r->e->size[inner], "n");
    int depth = open_reduced(r, inner);
    lwi_expr_pointers(r->e, &r->s, &r->text, "            ");
    lwi_print(&r->text, "            int i = %s;\n            const int end = %s;\n", only ? "low" : "0",
              only ? "high" : "n");
    if (vector) {
        lwi_print(&r->text,
                  "            while (i + 16 <= end) {\n                const int stop = min(end, i + %d);\n",
                  BLOCK * WIDTH);
        print_clear(r, "                ", "block", WIDTH);
        lwi_print(&r->text, "                for (; i + 16 <= stop; i += 16) {\n");
        lwi_expr_body(r->e, &r->s, &r->text, WIDTH, "                    ");
        print_step(r, "                    ");
        lwi_print(&r->text, "                }\n");
        print_join(r, "                ", "wide", "wide_rest", "", WIDTH);
        lwi_print(&r->text, "            }\n");
    }
    lwi_print(&r->text, "            while (i < end) {\n                const int stop = min(end, i + %d);\n",
              BLOCK);
    print_clear(r, "                ", "block", 1);
    lwi_print(&r->text, "                for (; i < stop; i++) {\n");
    lwi_expr_body(r->e, &r->s, &r->text, 1, "                    ");
    print_step(r, "                    ");
    lwi_print(&r->text, "                }\n");
    print_join(r, "                ", "acc", "rest", "", 1);
    lwi_print(&r->text, "            }\n");
    close_loops(r, depth);
    for (int k = 0; k < r->count; k++) {
        if (vector && r->max)
            lwi_print(&r->text, "        acc%d = fmax(acc%d, MAX_LANES(wide%d));\n", k, k, k);
        else if (vector)
            lwi_print(&r->text,
                      "        { const float block = SUM_LANES(wide%d); ADD(acc%d, rest%d, block); }\n", k, k,
                      k);
        lwi_print(&r->text, "        b%d[q] = acc%d;\n", k, k);
    }
}

/* The innermost loop is kept: strips of `width` neighbouring results, from `begin` on. A block of rows is
 * summed strip by strip, so that what the first brings into the cache serves the others. */
static void print_columns(lwi_reduction *r, int width)
{
    int first = outermost_reduced(r->e), last = r->e->loops - 1,
        strips = width > 1 ? COLUMNS / WIDTH : COLUMNS;
    while (!r->e->reduced[last])
        last--;
    for (int k = 0; k < r->count; k++)
        lwi_print(&r->text, "        %s acc%d[%d], rest%d[%d];\n", type(width), k, strips, k, strips);
    lwi_print(&r->text, "        for (int k = 0; k < strips; k++) {\n");
    for (int k = 0; k < r->count; k++)
        lwi_print(&r->text, "            acc%d[k] = %s, rest%d[k] = 0.0f;\n", k,
                  r->max ? "-INFINITY" : "0.0f", k);
    lwi_print(&r->text, "        }\n");
    int depth = open_reduced(r, last);
    char end[16] = "high";
    if (last != first) {
        lwi_sign_int(&r->s, r->e->size[last], "d%d", last);
        snprintf(end, sizeof end, "d%d", last);
    }
    lwi_print(&r->text,
              "        for (int j = %s; j < %s; j += %d)\n        for (int k = 0; k < strips; k++) {\n"
              "            const int i = begin + k * %d;\n",
              last == first ? "low" : "0", end, BLOCK, width);
    print_clear(r, "            ", "block", width);
    lwi_print(&r->text, "            for (int i%d = j; i%d < min(%s, j + %d); i%d++) {\n", last, last, end,
              BLOCK, last);
    lwi_expr_pointers(r->e, &r->s, &r->text, "                ");
    lwi_expr_body(r->e, &r->s, &r->text, width, "                ");
    print_step(r, "                ");
    lwi_print(&r->text, "            }\n");
    print_join(r, "            ", "acc", "rest", "[k]", width);
    lwi_print(&r->text, "        }\n");
    close_loops(r, depth);
    lwi_print(&r->text, "        for (int k = 0; k < strips; k++) {\n");
    for (int k = 0; k < r->count; k++)
        lwi_print(&r->text,
                  width > 1 ? "            vstore16(acc%d[k], k, b%d + q + begin);\n"
                            : "            b%d[q + begin + k] = acc%d[k];\n",
                  k, k);
    lwi_print(&r->text, "        }\n");
}

/* Indices of the kept loops before `inner` from the number `row`, and the offset of their results. */
static void print_kept(lwi_reduction *r, int inner)
{
    lwi_print(&r->text, "        int at = row, q = part * part_stride;\n");
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

/* Runs of columns: vectors first, then what is left. */
static void print_strips(lwi_reduction *r, bool vector)
{
    if (vector) {
        lwi_print(&r->text, "        {\n        const int begin = first, strips = (stop - first) / %d;\n",
                  WIDTH);
        print_columns(r, WIDTH);
        lwi_print(&r->text, "        }\n        first += (stop - first) / %d * %d;\n", WIDTH, WIDTH);
    }
    lwi_print(&r->text,
              "        if (first < stop) {\n        const int begin = first, strips = stop - first;\n");
    print_columns(r, 1);
    lwi_print(&r->text, "        }\n");
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
                  "        const int row = unit / blocks, stop = min(n, (unit %% blocks + 1) * %d);\n"
                  "        int first = unit %% blocks * %d;\n",
                  COLUMNS, COLUMNS);
    } else {
        lwi_print(&r->text, "        const int row = unit;\n");
    }
    print_kept(r, inner);
    bool vector = n >= WIDTH;
    if (columns) {
        print_strips(r, vector);
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

typedef struct outcome {
    int count;
    int term[LWI_MOST_SUMS];
    lwi_buffer to[LWI_MOST_SUMS];
    lwi_view view; /* of each of them, but for the buffer: strides per root dim, 0 where reduced */
} outcome;

static void emit_reduction(lwi_lowering *l, lwi_expr *e, const outcome *what, bool max, unsigned reduced,
                           const int *order);

/* Joins [parts, count] into [count]. */
static void emit_join(lwi_lowering *l, lwi_buffer parts_buffer, int64_t parts, int64_t count, bool max,
                      lwi_buffer to)
{
    lwi_expr e;
    lwi_expr_init(&e, l, LW_SHAPE(parts, count));
    lwi_term only = {.kind = LWI_TERM_LOAD, .view = {.buffer = parts_buffer, .stride = {count, 1}}};
    e.term = &only;
    e.count = 1;
    const outcome what = {.count = 1, .to = {to}, .view = {.stride = {0, 1}}};
    emit_reduction(l, &e, &what, max, LW_AXIS(0), (int[]){0, 1});
}

static void emit_reduction(lwi_lowering *l, lwi_expr *e, const outcome *what, bool max, unsigned reduced,
                           const int *order)
{
    if (l->status != LW_OK)
        return;
    lwi_reduction r = {.l = l, .e = e, .count = what->count, .max = max, .out = what->view};
    const lwi_view *store = &r.out;
    lwi_expr_loops(e, order, reduced, &store, &r.loop, 1);
    int64_t count = 1;
    for (int d = 0; d < e->shape.rank; d++)
        count *= reduced >> d & 1 ? 1 : e->shape.dim[d];
    r.parts = l->target.is_cpu ? choose_parts(&r) : lwi_gpu_reduction_parts(&r);
    r.part_stride = r.parts > 1 ? count : 0;
    lwi_buffer to[LWI_MOST_SUMS];
    for (int k = 0; k < what->count; k++) {
        r.result[k] = what->term[k];
        to[k] = r.parts > 1 ? lwi_scratch(l, (size_t)(count * r.parts)) : what->to[k];
        lwi_sign_buffer(&r.s, LWI_ARG_WRITE, to[k]);
    }
    if (l->target.is_cpu)
        print_kernel(&r);
    else
        lwi_print_gpu_reduction(&r);
    for (int k = 0; k < what->count && r.parts > 1; k++)
        emit_join(l, to[k], r.parts, count, max, what->to[k]);
}

/* Adds further reductions to the expression that holds `node`'s: those over the same range that can be
 * computed by now and read some of the same values. Their nodes go to `member`; returns how many there
 * are. */
static int add_siblings(lwi_lowering *l, lwi_expr *e, int node, int *member, outcome *what)
{
    const lwi_ir *ir = l->ir;
    const int most = l->target.is_cpu ? LWI_MOST_SUMS : 1; /* reduce_gpu.c makes one at a time */
    member[0] = node;
    for (int k = 0; k < ir->order_count && what->count < most && l->status == LW_OK; k++) {
        const lwi_inst *inst = &ir->inst[node], *other = &ir->inst[ir->order[k]];
        if (ir->order[k] == node || other->op != inst->op || other->view.buffer ||
            other->i[0] != inst->i[0] || other->varies != inst->varies ||
            !lw_shape_equal(ir->inst[other->in[0]].shape, ir->inst[inst->in[0]].shape) ||
            !lwi_is_ready(ir, other->in[0]) || !lwi_expr_shares(e, other->in[0], MOST_LOADS))
            continue;
        member[what->count] = ir->order[k];
        what->term[what->count++] = lwi_expr_add(e, other->in[0]);
    }
    return what->count;
}

/* x -> the same rank, with size 1 along the axes in i[0]. */
void lwi_lower_reduce(lwi_lowering *l, int node)
{
    static const int plain[LW_MAX_RANK] = {0, 1, 2, 3, 4, 5}, nhwc[LW_MAX_RANK] = {0, 2, 3, 1};
    const lwi_inst inst = l->ir->inst[node];
    const lw_shape shape = l->ir->inst[inst.in[0]].shape;
    lwi_expr e;
    lwi_expr_init(&e, l, shape);
    int member[LWI_MOST_SUMS];
    outcome what = {.count = 1};
    what.term[0] = lwi_expr_add(&e, inst.in[0]);
    int count = add_siblings(l, &e, node, member, &what);
    lwi_order order = lwi_expr_order(&e, LWI_PLAIN);
    lwi_order_strides(inst.shape, order, what.view.stride);
    for (int k = 0; k < count; k++) {
        what.to[k] = lwi_scratch(l, (size_t)lw_shape_count(inst.shape));
        l->ir->inst[member[k]].view = what.view;
        l->ir->inst[member[k]].view.buffer = what.to[k];
    }
    unsigned reduced = 0;
    for (int d = 0; d < shape.rank; d++)
        if (inst.i[0] >> d & 1) {
            reduced |= LW_AXIS(d);
            what.view.stride[d] = 0;
        }
    emit_reduction(l, &e, &what, inst.op == LWI_MAX, reduced, order == LWI_NHWC ? nhwc : plain);
    lwi_expr_free(&e);
}
