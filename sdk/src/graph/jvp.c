/* jvp.c — forward mode: how y moves when x moves along a tangent, as nodes of the same graph. */
#include "graph/build.h"

typedef struct forward {
    lw_graph *g;
    bool *needed;      /* by id: whether y depends on this value */
    lw_value *tangent; /* by id: how it moves, null for not at all */
} forward;

/* The same op on other operands. */
static lw_value again(lw_graph *g, const lwi_node *n, lw_value *in)
{
    lwi_node node = *n;
    node.in = in;
    return lwi_make(g, &node);
}

/* How a node linear in its first operand moves with it: the same op on the tangent. */
static lw_value along(forward *f, const lwi_node *n)
{
    lw_graph *g = f->g;
    lw_value in[2] = {f->tangent[n->in[0].id], n->in_count > 1 ? n->in[1] : (lw_value){0}};
    int axes[LW_MAX_RANK] = {0};
    switch (n->op) { /* through the builders, which simplify */
    case LWI_SUM: return lw_sum(g, in[0], (unsigned)n->i[0], true);
    case LWI_RESHAPE: return lw_reshape(g, in[0], n->shape);
    case LWI_PERMUTE:
        for (int i = 0; i < n->shape.rank; i++)
            axes[i] = (int)n->i[i];
        return lw_permute(g, in[0], axes);
    case LWI_SLICE: return lw_slice(g, in[0], (int)n->i[0], n->i[1], n->shape.dim[n->i[0]], n->i[2]);
    default: return again(g, n, in);
    }
}

/* y = max of x: the mean of the tangents of those that are equal to it */
static lw_value along_max(forward *f, lw_value y, const lwi_node *n)
{
    lw_graph *g = f->g;
    unsigned axes = (unsigned)n->i[0];
    lw_value most = lw_equal(g, n->in[0], y);
    lw_value moved = lw_sum(g, lw_mul(g, most, f->tangent[n->in[0].id]), axes, true);
    return lw_div(g, moved, lw_sum(g, most, axes, true));
}

static lw_value along_concat(forward *f, const lwi_node *n)
{
    lw_graph *g = f->g;
    lw_value *in = lwi_graph_alloc(g, (size_t)n->in_count, sizeof *in);
    for (int k = 0; in && k < n->in_count; k++) {
        lw_value t = f->tangent[n->in[k].id];
        in[k] = lw_is_null(t) ? lw_fill(g, lwi_node_of(g, n->in[k])->shape, 0) : t;
    }
    return in ? lw_concat(g, in, n->in_count, (int)n->i[0]) : (lw_value){0};
}

/* How the value moves with operand k alone. */
static lw_value along_operand(forward *f, lw_value y, const lwi_node *n, int k)
{
    lw_graph *g = f->g;
    lw_value t = f->tangent[n->in[k].id];
    if (lwi_op_class(n->op) == 'E')
        return lw_broadcast(g, lw_mul(g, t, lwi_local(g, y, k)), n->shape);
    if (n->op == LWI_MAX)
        return along_max(f, y, n);
    if (n->op == LWI_MATMUL || n->op == LWI_CONV2D || n->op == LWI_CONV2D_TRANSPOSE ||
        n->op == LWI_CONV2D_WEIGHT)
        return again(g, n, k == 0 ? (lw_value[]){t, n->in[1]} : (lw_value[]){n->in[0], t});
    return along(f, n);
}

static void step_on(forward *f, int32_t id)
{
    const lwi_node n = f->g->node[id]; /* a copy: the array moves when nodes are made */
    bool moves = false;
    for (int k = 0; k < n.in_count; k++)
        moves = moves || (lwi_flows(&n, k) && !lw_is_null(f->tangent[n.in[k].id]));
    if (!moves)
        return;
    if (n.op == LWI_CONCAT) {
        f->tangent[id] = along_concat(f, &n);
        return;
    }
    lw_value sum = {0};
    for (int k = 0; k < n.in_count; k++) {
        if (!lwi_flows(&n, k) || lw_is_null(f->tangent[n.in[k].id]))
            continue;
        lw_value part = along_operand(f, (lw_value){id}, &n, k);
        sum = lw_is_null(sum) ? part : lw_add(f->g, sum, part);
    }
    f->tangent[id] = sum;
}

static void walk_on(forward *f, lw_value y, lw_value x, lw_value tangent)
{
    f->needed[y.id] = true;
    for (int32_t id = y.id; id > x.id; id--)
        for (int k = 0; f->needed[id] && k < f->g->node[id].in_count; k++)
            if (lwi_flows(&f->g->node[id], k))
                f->needed[f->g->node[id].in[k].id] = true;
    f->tangent[x.id] = tangent;
    for (int32_t id = x.id + 1; id <= y.id && f->g->build->status == LW_OK; id++)
        if (f->needed[id])
            step_on(f, id);
}

lw_value lw_jvp(lw_graph *g, lw_value y, lw_value x, lw_value tangent)
{
    const lw_value in[3] = {y, x, tangent};
    if (!lwi_usable(g, "jvp", in, 3))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, st = lwi_node_of(g, tangent)->shape;
    if (!lw_shape_equal(sx, st)) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "jvp", in, 3, "the tangent is %s, but the value is %s",
                         lw_shape_text(st, a), lw_shape_text(sx, b));
    }
    const int outer = g->build->private_from;
    lw_value result = {0};
    forward f = {.g = g};
    f.needed = lw_alloc((size_t)y.id + 1, sizeof *f.needed);
    f.tangent = lw_alloc((size_t)y.id + 1, sizeof *f.tangent);
    if (f.needed && f.tangent) {
        g->build->private_from = g->count;
        if (x.id <= y.id)
            walk_on(&f, y, x, tangent);
        result = f.tangent[y.id];
        if (lw_is_null(result))
            result = lw_fill(g, lwi_node_of(g, y)->shape, 0);
        g->build->private_from = outer;
    } else
        lw_graph_fail(g, LW_MEMORY, "out of memory for the tangents");
    lw_free(f.needed);
    lw_free(f.tangent);
    return result;
}
