/* jvp.c — forward mode: how y moves when x moves along a tangent, as nodes of the same graph. */
#include "graph/build.h"

typedef struct forward {
    lw_graph *g;
    int64_t many;      /* tangents at once, a leading dimension of all of them; 0 for one without it */
    bool *needed;      /* by id: whether y depends on this value */
    lw_value *tangent; /* by id: how it moves, null for not at all */
} forward;

/* The shape of a tangent of a value of this shape. */
static lw_shape led(const forward *f, lw_shape shape)
{
    if (!f->many)
        return shape;
    lw_shape longer = {.rank = shape.rank + 1, .dim = {f->many}};
    for (int i = 0; i < shape.rank && i + 1 < LW_MAX_RANK; i++)
        longer.dim[i + 1] = shape.dim[i];
    return longer;
}

/* Many tangents of a value that stretches to `rank` dimensions: [T, ..] -> [T, 1.., ..] */
static lw_value aligned(const forward *f, lw_value t, int rank)
{
    lw_shape from = lw_shape_of(f->g, t), to = {.rank = rank + 1, .dim = {f->many}};
    int ones = to.rank - from.rank;
    if (!f->many || ones <= 0 || to.rank > LW_MAX_RANK)
        return t;
    for (int i = 1; i < to.rank; i++)
        to.dim[i] = i <= ones ? 1 : from.dim[i - ones];
    return lw_reshape(f->g, t, to);
}

/* Many tangents side by side along an axis of the value they belong to, as one value more to compute with. */
static lw_value beside(const forward *f, lw_value t, int axis)
{
    int axes[LW_MAX_RANK] = {0};
    if (!f->many)
        return t;
    for (int i = 0; i < LW_MAX_RANK; i++)
        axes[i] = i < axis ? i + 1 : i == axis ? 0 : i;
    return lw_merge(f->g, axis ? lw_permute(f->g, t, axes) : t, axis, axis + 1);
}

/* The opposite, after that computation. */
static lw_value apart(const forward *f, lw_value t, int axis)
{
    int axes[LW_MAX_RANK] = {0};
    if (!f->many)
        return t;
    for (int i = 0; i < LW_MAX_RANK; i++)
        axes[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    lw_value split = lw_split(f->g, t, axis, f->many);
    return axis ? lw_permute(f->g, split, axes) : split;
}

static lw_shape times(const forward *f, lw_shape shape, int axis)
{
    shape.dim[axis] *= f->many ? f->many : 1;
    return shape;
}

/* How a node that moves, sums or filters elements of its first operand moves with it: likewise. */
static lw_value along(const forward *f, const lwi_node *n)
{
    lw_graph *g = f->g;
    lw_value t = f->tangent[n->in[0].id];
    int lead = f->many ? 1 : 0, axes[LW_MAX_RANK] = {0}, axis = (int)n->i[0] + lead;
    switch (n->op) { /* through the builders, which simplify */
    case LWI_SUM: return lw_sum(g, t, (unsigned)n->i[0] << lead, true);
    case LWI_RESHAPE: return lw_reshape(g, t, led(f, n->shape));
    case LWI_PERMUTE:
        for (int i = 0; i < n->shape.rank && i + lead < LW_MAX_RANK; i++)
            axes[i + lead] = (int)n->i[i] + lead;
        return lw_permute(g, t, axes);
    case LWI_SLICE: return lw_slice(g, t, axis, n->i[1], n->shape.dim[n->i[0]], n->i[2]);
    case LWI_PAD: return lw_pad(g, t, axis, n->i[1], n->i[2]);
    case LWI_GATHER: return lw_gather(g, t, n->in[1], axis);
    case LWI_SCATTER_ADD: return lw_scatter_add(g, t, n->in[1], axis, n->shape.dim[n->i[0]]);
    case LWI_RESAMPLE2D: {
        lwi_node same = *n;
        same.shape = times(f, n->shape, 0);
        lw_value in = beside(f, t, 0);
        same.in = &in;
        return apart(f, lwi_make(g, &same), 0);
    }
    default: return lwi_error(g, LW_INTERNAL, lwi_op_name(n->op), n->in, 1, "it has no tangent");
    }
}

/* y = max of x: the mean of the tangents of those that are equal to it */
static lw_value along_max(const forward *f, lw_value y, const lwi_node *n)
{
    lw_graph *g = f->g;
    unsigned axes = (unsigned)n->i[0];
    lw_value most = lw_equal(g, n->in[0], y);
    lw_value moved = lw_sum(g, lw_mul(g, most, f->tangent[n->in[0].id]), f->many ? axes << 1 : axes, true);
    return lw_div(g, moved, lw_sum(g, most, axes, true));
}

static lw_value along_concat(const forward *f, const lwi_node *n)
{
    lw_graph *g = f->g;
    lw_value *in = lwi_graph_alloc(g, (size_t)n->in_count, sizeof *in);
    for (int k = 0; in && k < n->in_count; k++) {
        lw_value t = f->tangent[n->in[k].id];
        in[k] = lw_is_null(t) ? lw_fill(g, led(f, lwi_node_of(g, n->in[k])->shape), 0) : t;
    }
    return in ? lw_concat(g, in, n->in_count, (int)n->i[0] + (f->many ? 1 : 0)) : (lw_value){0};
}

static lw_value along_matmul(const forward *f, const lwi_node *n, int k)
{
    bool ta = n->i[0], tb = n->i[1];
    lw_value t = aligned(f, f->tangent[n->in[k].id], n->shape.rank);
    const lwi_node *stretched = lwi_node_of(f->g, t);
    if (k == 0 && !ta && stretched->op == LWI_BROADCAST &&
        lwi_private(f->g, t)) { /* one product for all rows */
        lw_shape from = lwi_node_of(f->g, stretched->in[0])->shape;
        if (from.rank == stretched->shape.rank &&
            from.dim[from.rank - 1] == stretched->shape.dim[from.rank - 1] &&
            lwi_node_of(f->g, n->in[1])->shape.rank == 2)
            return lw_broadcast(f->g, lwi_matmul(f->g, stretched->in[0], n->in[1], ta, tb), led(f, n->shape));
    }
    return k == 0 ? lwi_matmul(f->g, t, n->in[1], ta, tb) : lwi_matmul(f->g, n->in[0], t, ta, tb);
}

/* Convolutions are linear in both operands. Many tangents of pictures are more pictures, or more channels;
 * many of weights are more channels. */
static lw_value along_conv(const forward *f, const lwi_node *n, int k)
{
    lw_graph *g = f->g;
    const int64_t stride = n->i[0], padding = n->i[1];
    /* by op and operand: the axis of the operand that gets longer, and that of the result which does */
    static const int grown[3][2][2] = {{{0, 0}, {0, 1}}, {{0, 0}, {1, 1}}, {{1, 1}, {1, 0}}};
    const int *axis = grown[n->op == LWI_CONV2D ? 0 : n->op == LWI_CONV2D_TRANSPOSE ? 1 : 2][k];
    lw_value t = beside(f, f->tangent[n->in[k].id], axis[0]);
    lw_value a = k == 0 ? t : n->in[0], b = k == 1 ? t : n->in[1];
    lw_shape shape = times(f, n->shape, axis[1]);
    lw_value y = n->op == LWI_CONV2D             ? lwi_conv2d(g, a, b, stride, padding)
                 : n->op == LWI_CONV2D_TRANSPOSE ? lwi_conv2d_transpose(g, a, b, shape, stride, padding)
                                                 : lwi_conv2d_weight(g, a, b, shape, stride, padding);
    return apart(f, y, axis[1]);
}

/* How the value moves with operand k alone. */
static lw_value along_operand(const forward *f, lw_value y, const lwi_node *n, int k)
{
    lw_graph *g = f->g;
    lw_value t = f->tangent[n->in[k].id];
    if (lwi_op_class(n->op) == 'E')
        return lw_broadcast(g, lw_mul(g, aligned(f, t, n->shape.rank), lwi_local(g, y, k)), led(f, n->shape));
    switch (n->op) {
    case LWI_MAX: return along_max(f, y, n);
    case LWI_MATMUL: return along_matmul(f, n, k);
    case LWI_CONV2D:
    case LWI_CONV2D_TRANSPOSE:
    case LWI_CONV2D_WEIGHT: return along_conv(f, n, k);
    default: return along(f, n);
    }
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

/* The number of tangents where `t` is [T, x..], 0 where it is like x, -1 where it is neither. */
static int64_t tangent_count(lw_shape x, lw_shape t)
{
    if (lw_shape_equal(x, t))
        return 0;
    bool fits = t.rank == x.rank + 1;
    for (int i = 0; fits && i < x.rank; i++)
        fits = t.dim[i + 1] == x.dim[i];
    return fits ? t.dim[0] : -1;
}

lw_value lw_jvp(lw_graph *g, lw_value y, lw_value x, lw_value tangent)
{
    const lw_value in[3] = {y, x, tangent};
    if (!lwi_usable(g, "jvp", in, 3))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, st = lwi_node_of(g, tangent)->shape;
    forward f = {.g = g, .many = tangent_count(sx, st)};
    if (f.many < 0) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(
            g, LW_SHAPE, "jvp", in, 3,
            "the tangent is %s, but the value is %s (many tangents at once lie along a first dimension "
            "of their own)",
            lw_shape_text(st, a), lw_shape_text(sx, b));
    }
    const int outer = g->build->private_from;
    lw_value result = {0};
    f.needed = lw_alloc((size_t)y.id + 1, sizeof *f.needed);
    f.tangent = lw_alloc((size_t)y.id + 1, sizeof *f.tangent);
    if (f.needed && f.tangent) {
        g->build->private_from = outer < g->count ? outer : g->count;
        if (x.id <= y.id)
            walk_on(&f, y, x, tangent);
        result = f.tangent[y.id];
        if (lw_is_null(result))
            result = lw_fill(g, led(&f, lwi_node_of(g, y)->shape), 0);
        g->build->private_from = outer;
    } else
        lw_graph_fail(g, LW_MEMORY, "out of memory for the tangents");
    lw_free(f.needed);
    lw_free(f.tangent);
    return result;
}
