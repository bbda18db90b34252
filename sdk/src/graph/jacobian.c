/* jacobian.c — Jacobians of batches: forward mode through the products, reverse mode through what comes
 * before them.
 *
 * Forward mode pushes the identity through the graph. Where the inputs first pass through elementwise ops and
 * sums alone (a mapping network normalises z), it starts behind them: the identity then meets the first
 * weight matrix itself, which is a constant, and what comes before is applied at the end to the Jacobian, row
 * by row. Of the eight products of StyleGAN's mapping that leaves seven. */
#include "graph/build.h"

typedef struct paths {
    const lw_graph *g;
    bool *between; /* by id: depends on x, and y depends on it */
} paths;

static void find_between(paths *p, lw_value y, lw_value x, bool *needed)
{
    needed[y.id] = true;
    for (int32_t id = y.id; id > x.id; id--)
        for (int k = 0; needed[id] && k < p->g->node[id].in_count; k++)
            if (lwi_flows(&p->g->node[id], k))
                needed[p->g->node[id].in[k].id] = true;
    p->between[x.id] = needed[x.id];
    for (int32_t id = x.id + 1; id <= y.id; id++)
        for (int k = 0; needed[id] && k < p->g->node[id].in_count; k++)
            if (lwi_flows(&p->g->node[id], k) && p->between[p->g->node[id].in[k].id])
                p->between[id] = true;
}

/* The last value of x's shape before the first product through which all ways from x to y lead. */
static lw_value narrow(const paths *p, lw_value y, lw_value x)
{
    int32_t open = x.id, best = x.id; /* `open`: the last node that uses one already passed */
    for (int32_t id = x.id; id <= y.id && lwi_op_class(p->g->node[id].op) != 'D'; id++) {
        if (!p->between[id])
            continue;
        if (open <= id && lw_shape_equal(p->g->node[id].shape, p->g->node[x.id].shape))
            best = id;
        for (int32_t user = id + 1; user <= y.id; user++)
            for (int k = 0; p->between[user] && k < p->g->node[user].in_count; k++)
                if (p->g->node[user].in[k].id == id && user > open)
                    open = user;
    }
    return (lw_value){best};
}

/* [n, rows, ..]: the unit vectors of x's rows, the same ones for every row */
static lw_value unit_tangents(lw_graph *g, lw_shape x, int64_t n)
{
    lw_shape units = {.rank = x.rank + 1, .dim = {n, 1}}, all = units;
    for (int i = 0; i < x.rank; i++) {
        units.dim[i + 1] = i ? x.dim[i] : 1;
        all.dim[i + 1] = x.dim[i];
    }
    lw_value count = lw_iota(g, n);
    lw_value identity =
        lw_equal(g, lw_reshape(g, count, LW_SHAPE(n, 1)), lw_reshape(g, count, LW_SHAPE(1, n)));
    return lw_broadcast(g, lw_reshape(g, identity, units), all);
}

/* rows [m, N, ..] of y's derivatives by `from` -> by x: reverse mode, which is linear in its seed */
static lw_value pull_back(lw_graph *g, lw_value from, lw_value x, lw_value seed, lw_value rows)
{
    lw_value by_x;
    if (lw_gradient(g, from, seed, &x, 1, &by_x) != LW_OK)
        return (lw_value){0};
    return lw_jvp(g, by_x, seed, rows);
}

static lw_value build(lw_graph *g, lw_value y, lw_value x, lw_value from, lw_value seed)
{
    lw_shape sx = lwi_node_of(g, x)->shape;
    int64_t rows = sx.dim[0], n = lw_shape_count(sx) / rows,
            m = lw_shape_count(lwi_node_of(g, y)->shape) / rows;
    lw_value moved = lw_jvp(g, y, from, unit_tangents(g, sx, n));
    moved = lw_reshape(g, moved, LW_SHAPE(n, rows, m));
    if (from.id == x.id)
        return lw_permute(g, moved, (const int[]){1, 2, 0});
    lw_shape like_x = {.rank = sx.rank + 1, .dim = {m}};
    for (int i = 0; i < sx.rank; i++)
        like_x.dim[i + 1] = sx.dim[i];
    moved = lw_reshape(g, lw_permute(g, moved, (const int[]){2, 1, 0}), like_x);
    moved = lw_reshape(g, pull_back(g, from, x, seed, moved), LW_SHAPE(m, rows, n));
    return lw_permute(g, moved, (const int[]){1, 0, 2});
}

lw_value lw_jacobian(lw_graph *g, lw_value y, lw_value x)
{
    const lw_value in[2] = {y, x};
    if (!lwi_usable(g, "jacobian", in, 2))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, sy = lwi_node_of(g, y)->shape;
    if (sx.rank < 1 || sy.rank < 1 || sx.dim[0] != sy.dim[0] || sx.rank == LW_MAX_RANK) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "jacobian", in, 2, "the rows of %s cannot each depend on a row of %s",
                         lw_shape_text(sy, a), lw_shape_text(sx, b));
    }
    paths p = {.g = g, .between = lw_alloc((size_t)g->count, sizeof *p.between)};
    bool *needed = lw_alloc((size_t)g->count, sizeof *needed);
    lw_value result = {0};
    if (p.between && needed) {
        lw_value from = x, seed = lw_fill(g, sx, 0);
        if (x.id <= y.id) {
            find_between(&p, y, x, needed);
            from = narrow(&p, y, x);
        }
        const int outer = g->build->private_from;
        g->build->private_from = outer < g->count ? outer : g->count;
        result = build(g, y, x, from, seed);
        g->build->private_from = outer;
    } else
        lw_graph_fail(g, LW_MEMORY, "out of memory for the Jacobian");
    lw_free(p.between);
    lw_free(needed);
    return result;
}
