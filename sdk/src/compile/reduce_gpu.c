/* reduce_gpu.c — sums and maxima on GPUs; reduce.c says how they are joined.
 *
 * Neighbouring work-items read neighbouring elements: where the innermost loop is kept, a work-item has a
 * result of its own; where it is reduced, `lanes` of a work-group share one, stride along the row and are
 * joined in local memory. Parts take turns along the outermost reduced loop, for the same reason. */
#include "compile/reduce.h"

enum { GROUP = 64, BLOCK = 64, FULL = 16384 /* work-items that keep a GPU busy */, ITEM_MIN = 64 };

/* The cut of the work. */
typedef struct cut {
    int first, last; /* reduced loops: the outermost, the innermost */
    bool row;        /* the innermost loop of all is reduced */
    int64_t units, lanes;
} cut;

static cut cut_of(const lwi_expr *e)
{
    cut c = {.first = -1, .units = 1, .lanes = 1};
    for (int k = 0; k < e->loops; k++) {
        if (!e->reduced[k])
            c.units *= e->size[k];
        else if (c.first < 0)
            c.first = k;
        c.last = e->reduced[k] ? k : c.last;
    }
    c.row = c.last == e->loops - 1;
    while (c.row && c.lanes < GROUP && c.lanes < e->size[c.last])
        c.lanes *= 2;
    return c;
}

int64_t lwi_gpu_reduction_parts(const lwi_reduction *r)
{
    const cut c = cut_of(r->e);
    int64_t items = c.units * c.lanes, range = r->e->size[c.first] / (c.first == c.last ? c.lanes : 1);
    int64_t parts = FULL / items, useful = lw_shape_count(r->e->shape) / items / ITEM_MIN;
    parts = parts > useful ? useful : parts;
    parts = parts > range ? range : parts;
    return parts < 1 ? 1 : parts;
}

/* Indices of the kept loops from `unit`, and q, where its result goes. */
static void print_kept(lwi_reduction *r)
{
    lwi_print(&r->text, "    int at = unit;\n    global float *q = b0 + part * part_stride;\n");
    lwi_sign_int(&r->s, r->part_stride, "part_stride");
    for (int k = r->e->loops - 1; k >= 0; k--) {
        if (r->e->reduced[k])
            continue;
        bool inner = k == r->e->loops - 1;
        lwi_sign_int(&r->s, r->e->size[k], "d%d", k);
        lwi_sign_int(&r->s, r->loop[k], "sq%d", k);
        lwi_print(&r->text, "    const int i%d = at %% d%d;\n    at /= d%d;\n    q += i%d * sq%d;\n", k, k, k,
                  k, k);
        if (inner)
            lwi_print(&r->text, "    const int i = i%d;\n", k);
    }
}

/* acc = the sum (maximum) of this lane's share of this part, in blocks. */
static void print_loops(lwi_reduction *r, const cut *c)
{
    lwi_text *text = &r->text;
    const char *clear = r->max ? "-INFINITY" : "0.0f";
    for (int k = c->first; k < c->last; k++) {
        if (!r->e->reduced[k])
            continue;
        lwi_sign_int(&r->s, r->e->size[k], "d%d", k);
        lwi_print(text, "    for (int i%d = %s; i%d < d%d; i%d += %s)\n", k, k == c->first ? "part" : "0", k,
                  k, k, k == c->first ? "parts" : "1");
    }
    const bool only = c->first == c->last;
    lwi_sign_int(&r->s, r->e->size[c->last], "d%d", c->last);
    lwi_print(text, "    for (int j = %s; j < d%d;) {\n        float block = %s;\n",
              only ? "part * lanes + lane" : "lane", c->last, clear);
    if (c->row)
        lwi_expr_pointers(r->e, &r->s, text, "        ");
    lwi_print(text, "        for (int k = 0; k < %d && j < d%d; k++, j += %s) {\n", BLOCK, c->last,
              only ? "lanes * parts" : "lanes");
    if (c->row)
        lwi_print(text, "            const int i = j;\n");
    else
        lwi_print(text, "            const int i%d = j;\n", c->last);
    if (!c->row)
        lwi_expr_pointers(r->e, &r->s, text, "            ");
    lwi_expr_body(r->e, &r->s, text, 1, "            ");
    lwi_print(text, r->max ? "            block = fmax(block, t%d);\n" : "            block = block + t%d;\n",
              r->result[0]);
    lwi_print(text, "        }\n        %s\n    }\n",
              r->max ? "acc = fmax(acc, block);" : "ADD(acc, rest, block);");
}

void lwi_print_gpu_reduction(lwi_reduction *r)
{
    const cut c = cut_of(r->e);
    const int64_t items = c.units * r->parts * c.lanes;
    r->s.launch.local[0] = GROUP;
    r->s.launch.global[0] = (size_t)((items + GROUP - 1) / GROUP * GROUP);
    lwi_sign_int(&r->s, c.units, "units");
    lwi_sign_int(&r->s, r->parts, "parts");
    lwi_sign_int(&r->s, c.lanes, "lanes");
    lwi_print(&r->text,
              "    const int lane = (int)get_local_id(0) %% lanes, number = (int)get_global_id(0) / lanes;\n"
              "    const int unit = number %% units, part = number / units;\n"
              "    float acc = %s, rest = 0.0f;\n",
              r->max ? "-INFINITY" : "0.0f");
    print_kept(r);
    lwi_print(&r->text, "    if (part < parts) {\n");
    print_loops(r, &c);
    lwi_print(&r->text, "    }\n");
    if (c.row)
        lwi_print(
            &r->text,
            "    local float shared[%d];\n    local float *own = shared + get_local_id(0);\n    *own = acc;\n"
            "    for (int apart = lanes / 2; apart > 0; apart /= 2) {\n"
            "        barrier(CLK_LOCAL_MEM_FENCE);\n"
            "        if (lane < apart)\n            *own = %s;\n    }\n    acc = *own;\n",
            GROUP, r->max ? "fmax(own[0], own[apart])" : "own[0] + own[apart]");
    lwi_print(&r->text, "    if (lane == 0 && part < parts)\n        q[0] = acc;\n");
    lwi_emit_generated(r->l, &r->s, &r->text, r->max ? "max" : "sum");
}
