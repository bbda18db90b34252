/* reference.c — every op as the loop one would write down first. Slow and plain on purpose. */
#include "reference.h"

#include "graph/ir.h"
#include "latentwalk/random.h"

#include <math.h>
#include <string.h>

struct reference {
    lw_graph *g;
    int capacity;      /* of the arrays below, by node id */
    double **given;    /* written inputs and replaced values */
    double **computed; /* until something changes */
    uint64_t seed, step;
};

/* --- life ----------------------------------------------------------------------------------- */

static bool make_room(reference *r)
{
    int count = r->g->count;
    if (count <= r->capacity)
        return true;
    double **given = lw_resize(r->given, (size_t)count, sizeof *given);
    if (given)
        r->given = given;
    double **computed = lw_resize(r->computed, (size_t)count, sizeof *computed);
    if (computed)
        r->computed = computed;
    if (!given || !computed)
        return false;
    for (int i = r->capacity; i < count; i++)
        given[i] = computed[i] = NULL;
    r->capacity = count;
    return true;
}

static void forget(reference *r)
{
    for (int i = 0; i < r->capacity; i++) {
        lw_free(r->computed[i]);
        r->computed[i] = NULL;
    }
}

reference *reference_create(lw_graph *graph)
{
    reference *r = lw_alloc(1, sizeof *r);
    if (r)
        r->g = graph;
    return r;
}

void reference_destroy(reference *r)
{
    if (!r)
        return;
    forget(r);
    for (int i = 0; i < r->capacity; i++)
        lw_free(r->given[i]);
    lw_free(r->given);
    lw_free(r->computed);
    lw_free(r);
}

void reference_seed(reference *r, uint64_t seed, uint64_t step)
{
    r->seed = seed;
    r->step = step;
    forget(r);
}

void reference_replace(reference *r, lw_value value, const double *data)
{
    if (!make_room(r))
        return;
    forget(r);
    lw_free(r->given[value.id]);
    r->given[value.id] = NULL;
    if (!data)
        return;
    size_t count = (size_t)lw_shape_count(r->g->node[value.id].shape);
    if ((r->given[value.id] = lw_alloc(count, sizeof *data)))
        memcpy(r->given[value.id], data, count * sizeof *data);
}

lw_status reference_write(reference *r, const char *name, const float *data)
{
    for (int i = 1; i < r->g->count; i++) {
        const lwi_node *n = &r->g->node[i];
        if (n->op != LWI_INPUT || strcmp(n->name, name) != 0)
            continue;
        size_t count = (size_t)lw_shape_count(n->shape);
        double *wide = lw_alloc(count, sizeof *wide);
        if (!wide)
            return LW_MEMORY;
        for (size_t k = 0; k < count; k++)
            wide[k] = (double)data[k];
        reference_replace(r, (lw_value){i}, wide);
        lw_free(wide);
        return LW_OK;
    }
    return lw_fail(LW_NOT_FOUND, "the graph has no input '%s'", name);
}

/* --- index arithmetic ----------------------------------------------------------------------- */

static void unravel(lw_shape shape, int64_t flat, int64_t index[LW_MAX_RANK])
{
    for (int i = shape.rank - 1; i >= 0; i--) {
        index[i] = flat % shape.dim[i];
        flat /= shape.dim[i];
    }
}

static int64_t ravel(lw_shape shape, const int64_t *index)
{
    int64_t flat = 0;
    for (int i = 0; i < shape.rank; i++)
        flat = flat * shape.dim[i] + index[i];
    return flat;
}

/* Where the element `index` of `shape` comes from in an operand that is stretched to it. */
static int64_t stretched(lw_shape operand, lw_shape shape, const int64_t *index)
{
    int64_t from[LW_MAX_RANK];
    for (int i = 0; i < operand.rank; i++)
        from[i] = operand.dim[i] == 1 ? 0 : index[i + shape.rank - operand.rank];
    return ravel(operand, from);
}

/* --- ops ------------------------------------------------------------------------------------ */

typedef struct operand {
    lw_shape shape;
    const double *data;
} operand;

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static double elementwise(const lwi_node *n, double a, double b, double c)
{
    switch (n->op) {
    case LWI_AFFINE: return a * (double)n->f[0] + (double)n->f[1];
    case LWI_ABS: return fabs(a);
    case LWI_SIGN: return sign(a);
    case LWI_FLOOR: return floor(a);
    case LWI_SQRT: return sqrt(a);
    case LWI_RSQRT: return 1 / sqrt(a);
    case LWI_EXP: return exp(a);
    case LWI_LOG: return log(a);
    case LWI_SIN: return sin(a);
    case LWI_COS: return cos(a);
    case LWI_ASIN: return asin(a);
    case LWI_ERF: return erf(a);
    case LWI_TANH: return tanh(a);
    case LWI_SIGMOID: return 1 / (1 + exp(-a));
    case LWI_SOFTPLUS: return fmax(a, 0) + log1p(exp(-fabs(a)));
    case LWI_LEAKY_RELU: return a > 0 ? a : a * (double)n->f[0];
    case LWI_STOP:
    case LWI_BROADCAST: return a;
    case LWI_ADD: return a + b;
    case LWI_SUB: return a - b;
    case LWI_MUL: return a * b;
    case LWI_DIV: return a / b;
    case LWI_POW: return pow(a, b);
    case LWI_MAXIMUM: return a > b ? a : b;
    case LWI_MINIMUM: return a < b ? a : b;
    case LWI_LESS: return a < b;
    case LWI_EQUAL: return a == b;
    case LWI_WHERE: return a != 0 ? b : c;
    default: return NAN;
    }
}

static void run_elementwise(const lwi_node *n, const operand *in, double *out)
{
    int64_t count = lw_shape_count(n->shape), at[LW_MAX_RANK];
    for (int64_t k = 0; k < count; k++) {
        double v[3] = {0};
        unravel(n->shape, k, at);
        for (int i = 0; i < n->in_count; i++)
            v[i] = in[i].data[stretched(in[i].shape, n->shape, at)];
        out[k] = elementwise(n, v[0], v[1], v[2]);
    }
}

static void run_reduction(const lwi_node *n, const operand *in, double *out)
{
    int64_t count = lw_shape_count(n->shape), all = lw_shape_count(in->shape), at[LW_MAX_RANK];
    for (int64_t k = 0; k < count; k++)
        out[k] = n->op == LWI_SUM ? 0 : -INFINITY;
    for (int64_t k = 0; k < all; k++) {
        unravel(in->shape, k, at);
        double *to = &out[stretched(n->shape, in->shape, at)];
        *to = n->op == LWI_SUM ? *to + in->data[k] : fmax(*to, in->data[k]);
    }
}

/* Each element of the result is one element of the operand, or a zero. */
static void run_view(const lwi_node *n, const operand *in, double *out)
{
    int64_t count = lw_shape_count(n->shape), at[LW_MAX_RANK], from[LW_MAX_RANK];
    for (int64_t k = 0; k < count; k++) {
        unravel(n->shape, k, at);
        memcpy(from, at, sizeof from);
        bool inside = true;
        const int64_t axis = n->i[0];
        switch (n->op) {
        case LWI_RESHAPE: unravel(in->shape, k, from); break;
        case LWI_PERMUTE:
            for (int i = 0; i < n->shape.rank; i++)
                from[n->i[i]] = at[i];
            break;
        case LWI_SLICE: from[axis] = n->i[1] + at[axis] * n->i[2]; break;
        default:
            from[axis] = at[axis] - n->i[1];
            inside = from[axis] >= 0 && from[axis] < in->shape.dim[axis];
        }
        out[k] = inside ? in->data[ravel(in->shape, from)] : 0;
    }
}

static void run_concat(const lwi_node *n, const operand *in, double *out)
{
    int64_t start = 0, at[LW_MAX_RANK];
    for (int i = 0; i < n->in_count; i++) {
        int64_t count = lw_shape_count(in[i].shape);
        for (int64_t k = 0; k < count; k++) {
            unravel(in[i].shape, k, at);
            at[n->i[0]] += start;
            out[ravel(n->shape, at)] = in[i].data[k];
        }
        start += in[i].shape.dim[n->i[0]];
    }
}

/* Pairs each element of the shape with many indices with the one it meets in the shape with one axis. */
static void run_index(const lwi_node *n, const operand *in, double *out)
{
    bool gather = n->op == LWI_GATHER;
    lw_shape many = gather ? n->shape : in[0].shape, one = gather ? in[0].shape : n->shape;
    lw_shape index = in[1].shape;
    int64_t axis = n->i[0], count = lw_shape_count(many), at[LW_MAX_RANK], to[LW_MAX_RANK] = {0};
    if (!gather)
        memset(out, 0, (size_t)lw_shape_count(one) * sizeof *out);
    for (int64_t k = 0; k < count; k++) {
        unravel(many, k, at);
        for (int i = 0; i < one.rank; i++)
            to[i] = i < axis ? at[i] : i > axis ? at[i - 1 + index.rank] : 0;
        double wanted = in[1].data[ravel(index, at + axis)], last = (double)(one.dim[axis] - 1);
        to[axis] = (int64_t)fmin(fmax(wanted, 0), last);
        if (gather)
            out[k] = in[0].data[ravel(one, to)];
        else
            out[ravel(one, to)] += in[0].data[k];
    }
}

static void run_matmul(const lwi_node *n, const operand *in, double *out)
{
    const lw_shape a = in[0].shape, b = in[1].shape, c = n->shape;
    bool ta = n->i[0], tb = n->i[1];
    int64_t inner = a.dim[a.rank - 1 - ta], count = lw_shape_count(c), at[LW_MAX_RANK];
    for (int64_t k = 0; k < count; k++) {
        int64_t ia[LW_MAX_RANK], ib[LW_MAX_RANK];
        unravel(c, k, at);
        for (int i = 0; i < a.rank - 2; i++)
            ia[i] = a.dim[i] == 1 ? 0 : at[i + c.rank - a.rank];
        for (int i = 0; i < b.rank - 2; i++)
            ib[i] = b.dim[i] == 1 ? 0 : at[i + c.rank - b.rank];
        double sum = 0;
        for (int64_t j = 0; j < inner; j++) {
            ia[a.rank - 2] = ta ? j : at[c.rank - 2];
            ia[a.rank - 1] = ta ? at[c.rank - 2] : j;
            ib[b.rank - 2] = tb ? at[c.rank - 1] : j;
            ib[b.rank - 1] = tb ? j : at[c.rank - 1];
            sum += in[0].data[ravel(a, ia)] * in[1].data[ravel(b, ib)];
        }
        out[k] = sum;
    }
}

/* All three: wherever y[n][k][p][q] meets x[n][c][p * s - pad + r][…] through w[k][c][r][t]. */
static void run_conv(const lwi_node *n, const operand *in, double *out)
{
    const lwi_op op = n->op;
    const lw_shape sx = op == LWI_CONV2D_TRANSPOSE ? n->shape : in[0].shape;
    const lw_shape sy = op == LWI_CONV2D ? n->shape : op == LWI_CONV2D_WEIGHT ? in[1].shape : in[0].shape;
    const lw_shape sw = op == LWI_CONV2D_WEIGHT ? n->shape : in[1].shape;
    memset(out, 0, (size_t)lw_shape_count(n->shape) * sizeof *out);
    int64_t count = lw_shape_count(sy), window = sw.dim[1] * sw.dim[2] * sw.dim[3];
    for (int64_t iy = 0; iy < count; iy++)
        for (int64_t j = 0; j < window; j++) {
            int64_t y[LW_MAX_RANK];
            unravel(sy, iy, y);
            int64_t t = j % sw.dim[3], r = j / sw.dim[3] % sw.dim[2], c = j / sw.dim[3] / sw.dim[2];
            int64_t row = y[2] * n->i[0] - n->i[1] + r, column = y[3] * n->i[0] - n->i[1] + t;
            if (row < 0 || column < 0 || row >= sx.dim[2] || column >= sx.dim[3])
                continue;
            int64_t ix = ravel(sx, (int64_t[]){y[0], c, row, column});
            int64_t iw = y[1] * window + j;
            if (op == LWI_CONV2D)
                out[iy] += in[0].data[ix] * in[1].data[iw];
            else if (op == LWI_CONV2D_TRANSPOSE)
                out[ix] += in[0].data[iy] * in[1].data[iw];
            else
                out[iw] += in[0].data[ix] * in[1].data[iy];
        }
}

static void run_resample(const lwi_node *n, const operand *in, double *out)
{
    const int64_t up = n->i[0], down = n->i[1], before = n->i[2], taps = n->i[4];
    const lw_shape sx = in->shape;
    int64_t count = lw_shape_count(n->shape), at[LW_MAX_RANK];
    for (int64_t k = 0; k < count; k++) {
        unravel(n->shape, k, at);
        out[k] = 0;
        for (int64_t r = 0; r < taps; r++)
            for (int64_t t = 0; t < taps; t++) {
                int64_t row = at[2] * down + r - before, column = at[3] * down + t - before;
                if (row < 0 || column < 0 || row % up || column % up || row / up >= sx.dim[2] ||
                    column / up >= sx.dim[3])
                    continue;
                out[k] += (double)n->data[r] * (double)n->data[t] *
                          in->data[ravel(sx, (int64_t[]){at[0], at[1], row / up, column / up})];
            }
    }
}

/* --- leaves --------------------------------------------------------------------------------- */

static lw_status widen(const lwi_node *n, const float *data, double *out)
{
    int64_t count = lw_shape_count(n->shape);
    for (int64_t k = 0; k < count; k++)
        out[k] = (double)(data ? data[k] : n->f[0]);
    return LW_OK;
}

static lw_status run_random(const reference *r, const lwi_node *n, double *out)
{
    size_t count = (size_t)lw_shape_count(n->shape);
    lw_stream stream = {r->seed, r->step, lw_purpose(n->name)};
    float *data = lw_alloc(count, sizeof *data);
    if (!data)
        return LW_MEMORY;
    if (n->op == LWI_UNIFORM)
        lw_uniform(stream, 0, count, data);
    else
        lw_normal(stream, 0, count, data);
    widen(n, data, out);
    lw_free(data);
    return LW_OK;
}

static lw_status run_leaf(const reference *r, const lwi_node *n, double *out)
{
    const lw_tensor *tensor;
    switch (n->op) {
    case LWI_CONSTANT: return widen(n, n->data, out);
    case LWI_PARAMETER:
        tensor = lw_store_get(n->store, n->name);
        if (!tensor || !lw_shape_equal(tensor->shape, n->shape))
            return lw_fail(LW_NOT_FOUND, "the store has no '%s' of the graph's shape", n->name);
        return widen(n, tensor->data, out);
    case LWI_IOTA:
        for (int64_t k = 0; k < n->shape.dim[0]; k++)
            out[k] = (double)k;
        return LW_OK;
    case LWI_INPUT: return lw_fail(LW_INVALID, "the input '%s' was not written", n->name);
    default: return run_random(r, n, out);
    }
}

/* --- running -------------------------------------------------------------------------------- */

static const double *have(const reference *r, int id)
{
    return r->given[id] ? r->given[id] : r->computed[id];
}

static lw_status compute(reference *r, int id)
{
    const lwi_node *n = &r->g->node[id];
    double *out = lw_alloc((size_t)lw_shape_count(n->shape), sizeof *out);
    operand *in = lw_alloc((size_t)n->in_count + 1, sizeof *in);
    lw_status status = out && in ? LW_OK : LW_MEMORY;
    for (int i = 0; status == LW_OK && i < n->in_count; i++)
        in[i] = (operand){r->g->node[n->in[i].id].shape, have(r, n->in[i].id)};
    if (status == LW_OK)
        switch (n->op) {
        case LWI_SUM:
        case LWI_MAX: run_reduction(n, in, out); break;
        case LWI_RESHAPE:
        case LWI_PERMUTE:
        case LWI_SLICE:
        case LWI_PAD: run_view(n, in, out); break;
        case LWI_CONCAT: run_concat(n, in, out); break;
        case LWI_GATHER:
        case LWI_SCATTER_ADD: run_index(n, in, out); break;
        case LWI_MATMUL: run_matmul(n, in, out); break;
        case LWI_CONV2D:
        case LWI_CONV2D_TRANSPOSE:
        case LWI_CONV2D_WEIGHT: run_conv(n, in, out); break;
        case LWI_RESAMPLE2D: run_resample(n, in, out); break;
        default:
            if (lwi_op_class(n->op) == 'L')
                status = run_leaf(r, n, out);
            else
                run_elementwise(n, in, out);
        }
    lw_free(in);
    if (status == LW_OK)
        r->computed[id] = out;
    else
        lw_free(out);
    return status;
}

const double *reference_value(reference *r, lw_value value)
{
    if (value.id <= 0 || value.id >= r->g->count || !make_room(r)) {
        lw_fail(LW_INVALID, "not a value of the graph");
        return NULL;
    }
    bool *needed = lw_alloc((size_t)value.id + 1, sizeof *needed);
    if (!needed)
        return NULL;
    needed[value.id] = true;
    for (int id = value.id; id > 0; id--)
        for (int i = 0; needed[id] && !have(r, id) && i < r->g->node[id].in_count; i++)
            needed[r->g->node[id].in[i].id] = true;
    lw_status status = LW_OK;
    for (int id = 1; status == LW_OK && id <= value.id; id++)
        if (needed[id] && !have(r, id))
            status = compute(r, id);
    lw_free(needed);
    return status == LW_OK ? have(r, value.id) : NULL;
}

const double *reference_output(reference *r, const char *name, size_t *count)
{
    for (int i = 0; i < r->g->output_count; i++)
        if (strcmp(r->g->output[i].name, name) == 0) {
            if (count)
                *count = (size_t)lw_shape_count(r->g->node[r->g->output[i].value.id].shape);
            return reference_value(r, r->g->output[i].value);
        }
    lw_fail(LW_NOT_FOUND, "the graph has no output '%s'", name);
    return NULL;
}

lw_status reference_assign(reference *r)
{
    for (int i = 0; i < r->g->assign_count; i++) /* all from the old values */
        if (!reference_value(r, r->g->assign[i].value))
            return lw_error_status();
    lw_status status = LW_OK;
    for (int i = 0; status == LW_OK && i < r->g->assign_count; i++) {
        const lwi_node *p = &r->g->node[r->g->assign[i].parameter.id];
        const double *value = have(r, r->g->assign[i].value.id);
        size_t count = (size_t)lw_shape_count(p->shape);
        float *data = lw_alloc(count, sizeof *data);
        if (!data)
            return LW_MEMORY;
        for (size_t k = 0; k < count; k++)
            data[k] = (float)value[k];
        status = lw_store_set(p->store, p->name, p->shape, data);
        lw_free(data);
    }
    forget(r);
    return status;
}
