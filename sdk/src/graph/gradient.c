/* gradient.c — reverse mode: derivatives as nodes of the same graph, so that they have derivatives too.
 *
 * Going back from y, each node hands the derivative of y by its own value on to its operands. Only nodes
 * between `wrt` and y take part, so nothing is made that is not used. */
#include "graph/build.h"

typedef struct reverse {
    lw_graph *g;
    bool *depends;    /* by id: whether the value depends on one of wrt */
    lw_value *toward; /* by id: the derivative of y by this value, null for zero */
} reverse;

bool lwi_flows(const lwi_node *node, int k)
{
    switch (node->op) {
    case LWI_LESS:
    case LWI_EQUAL:
    case LWI_SIGN:
    case LWI_FLOOR:
    case LWI_STOP: return false;
    case LWI_WHERE: return k != 0;
    case LWI_GATHER:
    case LWI_SCATTER_ADD: return k == 0;
    default: return true;
    }
}

/* Adds a contribution to the derivative by operand k, summed back to its shape. */
static void hand(reverse *r, const lwi_node *n, int k, lw_value contribution)
{
    int32_t to = n->in[k].id;
    if (lw_is_null(contribution))
        return;
    contribution = lwi_unbroadcast(r->g, contribution, r->g->node[to].shape);
    r->toward[to] = lw_is_null(r->toward[to]) ? contribution : lw_add(r->g, r->toward[to], contribution);
}

static bool wanted(const reverse *r, const lwi_node *n, int k)
{
    return lwi_flows(n, k) && r->depends[n->in[k].id];
}

/* 1 where a wins, 1/2 where a and b are equal (a wins where it is less, or greater) */
static lw_value share(lw_graph *g, lw_value less, lw_value greater)
{
    return lw_add(g, lw_less(g, less, greater), lw_affine(g, lw_equal(g, less, greater), 0.5, 0));
}

/* 1 where operand k of a maximum or minimum is taken. */
static lw_value taken(lw_graph *g, const lwi_node *n, int k)
{
    lw_value a = n->in[0], b = n->in[1];
    bool maximum = n->op == LWI_MAXIMUM;
    if (!n->i[0])
        return (k == 0) == maximum ? share(g, b, a) : share(g, a, b);
    lw_value second = maximum ? lw_less(g, a, b) : lw_less(g, b, a);
    return k ? second : lw_affine(g, second, -1, 1);
}

lw_value lwi_local(lw_graph *g, lw_value y, int k)
{
    const lwi_node n = *lwi_node_of(g, y);
    lw_value a = n.in[0], b = n.in_count > 1 ? n.in[1] : a;
    switch (n.op) {
    case LWI_ADD: return lw_scalar(g, 1);
    case LWI_SUB: return lw_scalar(g, k ? -1 : 1);
    case LWI_MUL: return k ? a : b;
    case LWI_DIV: return k ? lw_neg(g, lw_div(g, y, b)) : lw_div(g, lw_scalar(g, 1), b);
    case LWI_POW:
        if (k == 0)
            return lw_mul(g, b, lw_pow(g, a, lw_affine(g, b, 1, -1)));
        /* y log a, where a > 0; at 0 it is 0 and not 0 * -infinity */
        return lw_mul(g, y, lw_log(g, lw_where(g, lw_less(g, lw_scalar(g, 0), a), a, lw_scalar(g, 1))));
    case LWI_MAXIMUM:
    case LWI_MINIMUM: return taken(g, &n, k);
    case LWI_WHERE: /* 1 where operand k is taken */
        return k == 1 ? lw_where(g, n.in[0], lw_scalar(g, 1), lw_scalar(g, 0))
                      : lw_where(g, n.in[0], lw_scalar(g, 0), lw_scalar(g, 1));
    case LWI_BROADCAST: return lw_scalar(g, 1);
    default: return lwi_slope(g, y);
    }
}

/* --- movement ------------------------------------------------------------------------------- */

/* t like the slice -> like x: the elements back in their places, zeros between */
static lw_value unslice(lw_graph *g, const lwi_node *n, lw_shape x, lw_value t)
{
    int axis = (int)n->i[0];
    int64_t start = n->i[1], step = n->i[2], count = n->shape.dim[axis];
    if (step < 0) {
        t = lw_slice(g, t, axis, count - 1, count, -1);
        start += (count - 1) * step;
        step = -step;
    }
    if (step > 1 &&
        count > 1) { /* [.., count, ..] -> [.., count * step, ..], by padding all but the axis' inside */
        lw_shape apart = n->shape, rows;
        int64_t inner = 1, outer = 1;
        for (int i = 0; i < apart.rank; i++)
            *(i < axis ? &outer : &inner) *= i == axis ? 1 : apart.dim[i];
        rows = LW_SHAPE(outer * count, 1, inner);
        apart.dim[axis] = count * step;
        t = lw_reshape(g, lw_pad(g, lw_reshape(g, t, rows), 1, 0, step - 1), apart);
        count *= step;
    }
    return lw_pad(g, t, axis, start, x.dim[axis] - start - count);
}

static void unconcat(reverse *r, const lwi_node *n, lw_value t)
{
    int axis = (int)n->i[0];
    int64_t start = 0;
    for (int k = 0; k < n->in_count; k++) {
        int64_t size = r->g->node[n->in[k].id].shape.dim[axis];
        if (wanted(r, n, k))
            hand(r, n, k, lw_slice(r->g, t, axis, start, size, 1));
        start += size;
    }
}

static lw_value unpermute(lw_graph *g, const lwi_node *n, lw_value t)
{
    int axes[LW_MAX_RANK] = {0};
    for (int i = 0; i < n->shape.rank; i++)
        axes[n->i[i]] = i;
    return lw_permute(g, t, axes);
}

/* t like y -> like operand 0 of a node that moves or reduces elements */
static lw_value move_back(lw_graph *g, lw_value y, const lwi_node *n, lw_value t)
{
    lw_shape x = lwi_node_of(g, n->in[0])->shape;
    int axis = (int)n->i[0];
    switch (n->op) {
    case LWI_SUM: return lw_broadcast(g, t, x);
    case LWI_MAX: { /* ties share */
        lw_value most = lw_equal(g, n->in[0], y);
        return lw_mul(g, lw_div(g, t, lw_sum(g, most, (unsigned)n->i[0], true)), most);
    }
    case LWI_RESHAPE: return lw_reshape(g, t, x);
    case LWI_PERMUTE: return unpermute(g, n, t);
    case LWI_SLICE: return unslice(g, n, x, t);
    case LWI_PAD: return lw_slice(g, t, axis, n->i[1], x.dim[axis], 1);
    case LWI_GATHER: return lw_scatter_add(g, t, n->in[1], axis, x.dim[axis]);
    case LWI_SCATTER_ADD: return lw_gather(g, t, n->in[1], axis);
    default: return lwi_resample2d_transpose(g, n, x, t);
    }
}

/* --- dense algebra -------------------------------------------------------------------------- */

/* The derivative by operand k of c = a b, whichever of them are stored transposed. */
static lw_value matmul_back(lw_graph *g, const lwi_node *n, int k, lw_value t)
{
    bool ta = n->i[0], tb = n->i[1];
    if (k == 0)
        return ta ? lwi_matmul(g, n->in[1], t, tb, true) : lwi_matmul(g, t, n->in[1], false, !tb);
    return tb ? lwi_matmul(g, t, n->in[0], true, ta) : lwi_matmul(g, n->in[0], t, !ta, false);
}

/* Each of the three is linear in both operands, and the derivatives are the other two. */
static lw_value conv_back(lw_graph *g, const lwi_node *n, int k, lw_value t)
{
    const int64_t stride = n->i[0], padding = n->i[1];
    lw_value other = n->in[1 - k];
    lw_shape shape = lwi_node_of(g, n->in[k])->shape;
    if (n->op == LWI_CONV2D)
        return k == 0 ? lwi_conv2d_transpose(g, t, other, shape, stride, padding)
                      : lwi_conv2d_weight(g, other, t, shape, stride, padding);
    if (n->op == LWI_CONV2D_TRANSPOSE)
        return k == 0 ? lwi_conv2d(g, t, other, stride, padding)
                      : lwi_conv2d_weight(g, t, other, shape, stride, padding);
    return k == 0 ? lwi_conv2d_transpose(g, other, t, shape, stride, padding)
                  : lwi_conv2d(g, other, t, stride, padding);
}

/* --- the walk ------------------------------------------------------------------------------- */

static void step_back(reverse *r, int32_t id)
{
    lw_graph *g = r->g;
    const lwi_node n = g->node[id]; /* a copy: the array moves when nodes are made */
    const lw_value y = {id}, t = r->toward[id];
    if (n.op == LWI_CONCAT) {
        unconcat(r, &n, t);
        return;
    }
    for (int k = 0; k < n.in_count; k++) {
        if (!wanted(r, &n, k))
            continue;
        switch (n.op) {
        case LWI_MATMUL: hand(r, &n, k, matmul_back(g, &n, k, t)); break;
        case LWI_CONV2D:
        case LWI_CONV2D_TRANSPOSE:
        case LWI_CONV2D_WEIGHT: hand(r, &n, k, conv_back(g, &n, k, t)); break;
        default:
            hand(r, &n, k,
                 lwi_op_class(n.op) == 'E' ? lw_mul(g, t, lwi_local(g, y, k)) : move_back(g, y, &n, t));
        }
    }
}

/* Marks what depends on wrt, up to y. */
static void mark(reverse *r, int32_t y, const lw_value *wrt, int count)
{
    int32_t first = y + 1;
    for (int i = 0; i < count; i++)
        if (wrt[i].id <= y) {
            r->depends[wrt[i].id] = true;
            first = wrt[i].id < first ? wrt[i].id : first;
        }
    for (int32_t id = first; id <= y; id++) {
        const lwi_node *n = &r->g->node[id];
        for (int k = 0; k < n->in_count && !r->depends[id]; k++)
            r->depends[id] = wanted(r, n, k);
    }
}

static void walk_back(reverse *r, lw_value y, lw_value seed, const lw_value *wrt, int count)
{
    mark(r, y.id, wrt, count);
    if (r->depends[y.id])
        r->toward[y.id] = lw_is_null(seed) ? lw_fill(r->g, r->g->node[y.id].shape, 1) : seed;
    for (int32_t id = y.id; id > 0 && r->g->build->status == LW_OK; id--)
        if (!lw_is_null(r->toward[id]))
            step_back(r, id);
}

lw_status lw_gradient(lw_graph *g, lw_value y, lw_value seed, const lw_value *wrt, int count,
                      lw_value *gradients)
{
    for (int i = 0; i < count; i++)
        gradients[i] = (lw_value){0};
    bool usable = lwi_usable(g, "gradient", &y, 1) && lwi_usable(g, "gradient", wrt, count) &&
                  (lw_is_null(seed) || lwi_usable(g, "gradient", &seed, 1));
    if (!usable)
        return lw_graph_status(g);
    if (!lw_is_null(seed) && !lw_shape_equal(g->node[seed.id].shape, g->node[y.id].shape)) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        lwi_error(g, LW_SHAPE, "gradient", &y, 1, "the seed is %s, but the value is %s",
                  lw_shape_text(g->node[seed.id].shape, a), lw_shape_text(g->node[y.id].shape, b));
        return lw_graph_status(g);
    }
    const int outer = g->build->private_from;
    reverse r = {.g = g};
    r.depends = lw_alloc((size_t)y.id + 1, sizeof *r.depends);
    r.toward = lw_alloc((size_t)y.id + 1, sizeof *r.toward);
    if (r.depends && r.toward) {
        g->build->private_from = outer < g->count ? outer : g->count;
        walk_back(&r, y, seed, wrt, count);
        for (int i = 0; i < count; i++) {
            lw_value found = wrt[i].id <= y.id ? r.toward[wrt[i].id] : (lw_value){0};
            gradients[i] = lw_is_null(found) ? lw_fill(g, g->node[wrt[i].id].shape, 0) : found;
        }
        g->build->private_from = outer;
    } else
        lw_graph_fail(g, LW_MEMORY, "out of memory for the gradient");
    lw_free(r.depends);
    lw_free(r.toward);
    return lw_graph_status(g);
}
