/* elementwise.c — leaves, and the ops that work element by element, broadcasting as NumPy does. */
#include "graph/build.h"

#include <string.h>

/* --- leaves --------------------------------------------------------------------------------- */

lw_value lw_input(lw_graph *g, const char *name, lw_shape shape)
{
    if (!lwi_usable(g, "input", NULL, 0))
        return (lw_value){0};
    if (!name || !*name)
        return lwi_error(g, LW_INVALID, "input", NULL, 0, "an input needs a name");
    lw_value v = lwi_make(g, &(lwi_node){.op = LWI_INPUT, .shape = shape, .name = name});
    if (lw_is_null(v) || lw_shape_equal(lwi_node_of(g, v)->shape, shape))
        return v;
    char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
    return lwi_error(g, LW_SHAPE, "input", NULL, 0, "'%s' is %s and is asked for again as %s", name,
                     lw_shape_text(lwi_node_of(g, v)->shape, a), lw_shape_text(shape, b));
}

lw_value lw_constant(lw_graph *g, lw_shape shape, const float *data)
{
    if (!lwi_usable(g, "constant", NULL, 0))
        return (lw_value){0};
    if (!data)
        return lwi_error(g, LW_INVALID, "constant", NULL, 0, "there is no data");
    int64_t count = lw_shape_count(shape);
    lwi_node node = {.op = LWI_CONSTANT, .shape = shape, .f = {data[0]}};
    if (count > 1 && count <= INT32_MAX) { /* other sizes are refused below */
        node.data = lwi_graph_alloc(g, (size_t)count, sizeof *data);
        if (!node.data)
            return (lw_value){0};
        memcpy(node.data, data, (size_t)count * sizeof *data);
    }
    return lwi_make(g, &node);
}

lw_value lw_fill(lw_graph *g, lw_shape shape, double value)
{
    return lwi_make(g, &(lwi_node){.op = LWI_CONSTANT, .shape = shape, .f = {(float)value}});
}

lw_value lw_scalar(lw_graph *g, double value)
{
    return lw_fill(g, LW_SCALAR, value);
}

lw_value lw_iota(lw_graph *g, int64_t count)
{
    return lwi_make(g, &(lwi_node){.op = LWI_IOTA, .shape = LW_SHAPE(count)});
}

static lw_value random_leaf(lw_graph *g, lwi_op op, lw_shape shape, const char *purpose)
{
    if (!lwi_usable(g, lwi_op_name(op), NULL, 0))
        return (lw_value){0};
    if (!purpose)
        return lwi_error(g, LW_INVALID, lwi_op_name(op), NULL, 0, "random numbers need a purpose");
    return lwi_make(g, &(lwi_node){.op = op, .shape = shape, .name = purpose});
}

lw_value lw_random_uniform(lw_graph *g, lw_shape shape, const char *purpose)
{
    return random_leaf(g, LWI_UNIFORM, shape, purpose);
}

lw_value lw_random_normal(lw_graph *g, lw_shape shape, const char *purpose)
{
    return random_leaf(g, LWI_NORMAL, shape, purpose);
}

/* --- of one value --------------------------------------------------------------------------- */

/* x [any] -> the same shape */
static lw_value unary(lw_graph *g, lwi_op op, lw_value x, float parameter)
{
    if (!lwi_usable(g, lwi_op_name(op), &x, 1))
        return (lw_value){0};
    return lwi_make(
        g,
        &(lwi_node){.op = op, .shape = lwi_node_of(g, x)->shape, .in = &x, .in_count = 1, .f = {parameter}});
}

lw_value lw_abs(lw_graph *g, lw_value x)
{
    return unary(g, LWI_ABS, x, 0);
}
lw_value lw_sign(lw_graph *g, lw_value x)
{
    return unary(g, LWI_SIGN, x, 0);
}
lw_value lw_floor(lw_graph *g, lw_value x)
{
    return unary(g, LWI_FLOOR, x, 0);
}
lw_value lw_sqrt(lw_graph *g, lw_value x)
{
    return unary(g, LWI_SQRT, x, 0);
}
lw_value lw_rsqrt(lw_graph *g, lw_value x)
{
    return unary(g, LWI_RSQRT, x, 0);
}
lw_value lw_exp(lw_graph *g, lw_value x)
{
    return unary(g, LWI_EXP, x, 0);
}
lw_value lw_log(lw_graph *g, lw_value x)
{
    return unary(g, LWI_LOG, x, 0);
}
lw_value lw_sin(lw_graph *g, lw_value x)
{
    return unary(g, LWI_SIN, x, 0);
}
lw_value lw_cos(lw_graph *g, lw_value x)
{
    return unary(g, LWI_COS, x, 0);
}
lw_value lw_asin(lw_graph *g, lw_value x)
{
    return unary(g, LWI_ASIN, x, 0);
}
lw_value lw_erf(lw_graph *g, lw_value x)
{
    return unary(g, LWI_ERF, x, 0);
}
lw_value lw_tanh(lw_graph *g, lw_value x)
{
    return unary(g, LWI_TANH, x, 0);
}
lw_value lw_sigmoid(lw_graph *g, lw_value x)
{
    return unary(g, LWI_SIGMOID, x, 0);
}
lw_value lw_softplus(lw_graph *g, lw_value x)
{
    return unary(g, LWI_SOFTPLUS, x, 0);
}
lw_value lw_relu(lw_graph *g, lw_value x)
{
    return unary(g, LWI_LEAKY_RELU, x, 0);
}
lw_value lw_stop_gradient(lw_graph *g, lw_value x)
{
    return unary(g, LWI_STOP, x, 0);
}

lw_value lw_leaky_relu(lw_graph *g, lw_value x, double slope)
{
    return unary(g, LWI_LEAKY_RELU, x, (float)slope);
}

lw_value lw_affine(lw_graph *g, lw_value x, double scale, double shift)
{
    float value;
    if (!lwi_usable(g, "affine", &x, 1))
        return (lw_value){0};
    if (scale == 1 && shift == 0)
        return x;
    const lwi_node *node = lwi_node_of(g, x);
    if (lwi_private_fill(g, x, &value))
        return lw_fill(g, node->shape, value * scale + shift);
    if (lwi_private(g, x) && node->op == LWI_AFFINE)
        return lw_affine(g, node->in[0], node->f[0] * scale, node->f[1] * scale + shift);
    return lwi_make(g, &(lwi_node){.op = LWI_AFFINE,
                                   .shape = node->shape,
                                   .in = &x,
                                   .in_count = 1,
                                   .f = {(float)scale, (float)shift}});
}

lw_value lw_neg(lw_graph *g, lw_value x)
{
    return lw_affine(g, x, -1, 0);
}

lw_value lw_square(lw_graph *g, lw_value x)
{
    return lw_mul(g, x, x);
}

/* lw_maximum or lw_minimum of x and a number, but the whole gradient flows to x where the two are equal. */
static lw_value bound(lw_graph *g, lwi_op op, lw_value x, double number)
{
    const lw_value in[2] = {x, lw_scalar(g, number)};
    if (!lwi_usable(g, "clamp", in, 2))
        return (lw_value){0};
    return lwi_make(
        g, &(lwi_node){
               .op = op, .shape = lwi_node_of(g, x)->shape, .in = (lw_value *)in, .in_count = 2, .i = {1}});
}

lw_value lw_clamp(lw_graph *g, lw_value x, double low, double high)
{
    return bound(g, LWI_MINIMUM, bound(g, LWI_MAXIMUM, x, low), high);
}

/* --- of two and three values ---------------------------------------------------------------- */

bool lwi_broadcast_shape(lw_shape a, lw_shape b, lw_shape *out)
{
    int rank = a.rank > b.rank ? a.rank : b.rank;
    *out = (lw_shape){.rank = rank};
    for (int i = 1; i <= rank; i++) {
        int64_t da = i <= a.rank ? a.dim[a.rank - i] : 1, db = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        out->dim[rank - i] = da == 1 ? db : da;
    }
    return true;
}

static double fold(lwi_op op, double a, double b)
{
    switch (op) {
    case LWI_ADD: return a + b;
    case LWI_SUB: return a - b;
    case LWI_MUL: return a * b;
    default: return a / b;
    }
}

/* Of what a derivative has made: c + x, x * c, x + x … become x * scale + shift; null where that does not
 * apply. */
static lw_value simplify(lw_graph *g, lwi_op op, lw_value a, lw_value b, lw_shape shape)
{
    float ca, cb;
    bool fa = lwi_private_fill(g, a, &ca), fb = lwi_private_fill(g, b, &cb);
    if (op != LWI_ADD && op != LWI_SUB && op != LWI_MUL && op != LWI_DIV)
        return (lw_value){0};
    if (op == LWI_ADD && a.id == b.id && lwi_private(g, a))
        return lw_affine(g, a, 2, 0);
    if (fa && fb)
        return lw_fill(g, shape, fold(op, (double)ca, (double)cb));
    if (fb && lw_shape_equal(lwi_node_of(g, a)->shape, shape))
        return op == LWI_ADD   ? lw_affine(g, a, 1, (double)cb)
               : op == LWI_SUB ? lw_affine(g, a, 1, -(double)cb)
               : op == LWI_MUL ? lw_affine(g, a, (double)cb, 0)
                               : lw_affine(g, a, 1 / (double)cb, 0);
    if (fa && op != LWI_DIV && lw_shape_equal(lwi_node_of(g, b)->shape, shape))
        return op == LWI_ADD   ? lw_affine(g, b, 1, (double)ca)
               : op == LWI_SUB ? lw_affine(g, b, -1, (double)ca)
                               : lw_affine(g, b, (double)ca, 0);
    return (lw_value){0};
}

/* [a], [b] -> [a and b stretched to each other] */
static lw_value binary(lw_graph *g, lwi_op op, lw_value a, lw_value b)
{
    const lw_value in[2] = {a, b};
    if (!lwi_usable(g, lwi_op_name(op), in, 2))
        return (lw_value){0};
    lw_shape sa = lwi_node_of(g, a)->shape, sb = lwi_node_of(g, b)->shape, shape;
    if (!lwi_broadcast_shape(sa, sb, &shape)) {
        char ta[LW_SHAPE_TEXT], tb[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, lwi_op_name(op), in, 2, "%s and %s do not stretch to each other",
                         lw_shape_text(sa, ta), lw_shape_text(sb, tb));
    }
    lw_value simple = simplify(g, op, a, b, shape);
    if (!lw_is_null(simple))
        return simple;
    return lwi_make(g, &(lwi_node){.op = op, .shape = shape, .in = (lw_value *)in, .in_count = 2});
}

lw_value lw_add(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_ADD, a, b);
}
lw_value lw_sub(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_SUB, a, b);
}
lw_value lw_mul(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_MUL, a, b);
}
lw_value lw_div(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_DIV, a, b);
}
lw_value lw_pow(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_POW, a, b);
}
lw_value lw_maximum(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_MAXIMUM, a, b);
}
lw_value lw_minimum(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_MINIMUM, a, b);
}
lw_value lw_less(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_LESS, a, b);
}
lw_value lw_equal(lw_graph *g, lw_value a, lw_value b)
{
    return binary(g, LWI_EQUAL, a, b);
}

lw_value lw_where(lw_graph *g, lw_value condition, lw_value yes, lw_value no)
{
    lw_value in[3] = {condition, yes, no};
    if (!lwi_usable(g, "where", in, 3))
        return (lw_value){0};
    lw_shape c = lwi_node_of(g, condition)->shape, y = lwi_node_of(g, yes)->shape,
             n = lwi_node_of(g, no)->shape;
    lw_shape both, shape;
    if (!lwi_broadcast_shape(y, n, &both) || !lwi_broadcast_shape(c, both, &shape)) {
        char tc[LW_SHAPE_TEXT], ty[LW_SHAPE_TEXT], tn[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "where", in, 3, "condition %s, %s and %s do not stretch to each other",
                         lw_shape_text(c, tc), lw_shape_text(y, ty), lw_shape_text(n, tn));
    }
    return lwi_make(g, &(lwi_node){.op = LWI_WHERE, .shape = shape, .in = in, .in_count = 3});
}

/* d y / d x of each unary op, written with y where that saves work. x [any], y [same] -> [same] */
lw_value lwi_slope(lw_graph *g, lw_value y)
{
    const lwi_node n = *lwi_node_of(g, y);
    lw_value x = n.in[0];
    switch (n.op) {
    case LWI_AFFINE: return lw_fill(g, n.shape, (double)n.f[0]);
    case LWI_ABS: return lw_sign(g, x);
    case LWI_SQRT: return lw_div(g, lw_scalar(g, 0.5), y);
    case LWI_RSQRT: return lw_affine(g, lw_mul(g, y, lw_square(g, y)), -0.5, 0);
    case LWI_EXP: return y;
    case LWI_LOG: return lw_div(g, lw_scalar(g, 1), x);
    case LWI_SIN: return lw_cos(g, x);
    case LWI_COS: return lw_neg(g, lw_sin(g, x));
    case LWI_ASIN: return lw_rsqrt(g, lw_affine(g, lw_square(g, x), -1, 1));
    case LWI_ERF: return lw_affine(g, lw_exp(g, lw_neg(g, lw_square(g, x))), 1.12837916709551257, 0);
    case LWI_TANH: return lw_affine(g, lw_square(g, y), -1, 1);
    case LWI_SIGMOID: return lw_mul(g, y, lw_affine(g, y, -1, 1));
    case LWI_SOFTPLUS: return lw_sigmoid(g, x);
    case LWI_LEAKY_RELU:
        return lw_affine(g, lw_less(g, lw_scalar(g, 0), x), 1 - (double)n.f[0], (double)n.f[0]);
    default: return lwi_error(g, LW_INTERNAL, lwi_op_name(n.op), &y, 1, "it is not an op of one value");
    }
}
