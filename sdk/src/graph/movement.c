/* movement.c — ops that move elements without computing: reshape, permute, slice, pad, concat, gather. */
#include "graph/build.h"

/* --- views ---------------------------------------------------------------------------------- */

lw_value lw_reshape(lw_graph *g, lw_value x, lw_shape shape)
{
    if (!lwi_usable(g, "reshape", &x, 1))
        return (lw_value){0};
    const lwi_node node = *lwi_node_of(g, x);
    const lw_shape asked = shape;
    int64_t count = lw_shape_count(node.shape), known = 1;
    int open = -1;
    bool ok = shape.rank >= 0 && shape.rank <= LW_MAX_RANK;
    for (int i = 0; ok && i < shape.rank; i++) {
        if (shape.dim[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        ok = shape.dim[i] >= 1 && shape.dim[i] <= count / known;
        known *= ok ? shape.dim[i] : 1;
    }
    if (ok && open >= 0)
        shape.dim[open] = count / known;
    if (!ok || known * (open >= 0 ? shape.dim[open] : 1) != count) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "reshape", &x, 1, "%s has %lld elements and cannot become %s",
                         lw_shape_text(node.shape, a), (long long)count, lw_shape_text(asked, b));
    }
    float fill;
    if (lw_shape_equal(shape, node.shape))
        return x;
    if (lwi_private_fill(g, x, &fill))
        return lw_fill(g, shape, (double)fill);
    if (node.op == LWI_RESHAPE && lwi_private(g, x))
        return lw_reshape(g, node.in[0], shape);
    return lwi_make(g, &(lwi_node){.op = LWI_RESHAPE, .shape = shape, .in = &x, .in_count = 1});
}

lw_value lw_merge(lw_graph *g, lw_value x, int first, int last)
{
    if (!lwi_usable(g, "merge", &x, 1) || (first = lwi_axis(g, "merge", x, first)) < 0 ||
        (last = lwi_axis(g, "merge", x, last)) < 0)
        return (lw_value){0};
    if (first > last)
        return lwi_error(g, LW_SHAPE, "merge", &x, 1, "the first axis, %d, comes after the last, %d", first,
                         last);
    lw_shape from = lwi_node_of(g, x)->shape, to = {0};
    for (int i = 0; i < from.rank; i++)
        if (i > first && i <= last)
            to.dim[to.rank - 1] *= from.dim[i];
        else
            to.dim[to.rank++] = from.dim[i];
    return lw_reshape(g, x, to);
}

lw_value lw_flatten(lw_graph *g, lw_value x, int axis)
{
    return lw_merge(g, x, axis, -1);
}

lw_value lw_split(lw_graph *g, lw_value x, int axis, int64_t outer)
{
    if (!lwi_usable(g, "split", &x, 1) || (axis = lwi_axis(g, "split", x, axis)) < 0)
        return (lw_value){0};
    lw_shape from = lwi_node_of(g, x)->shape, to = {0};
    char text[LW_SHAPE_TEXT];
    if (outer < 1 || from.dim[axis] % outer)
        return lwi_error(g, LW_SHAPE, "split", &x, 1, "axis %d of %s cannot be split into %lld equal parts",
                         axis, lw_shape_text(from, text), (long long)outer);
    if (from.rank == LW_MAX_RANK)
        return lwi_error(g, LW_SHAPE, "split", &x, 1, "%s already has %d dimensions",
                         lw_shape_text(from, text), LW_MAX_RANK);
    for (int i = 0; i < from.rank; i++) {
        if (i == axis)
            to.dim[to.rank++] = outer;
        to.dim[to.rank++] = i == axis ? from.dim[i] / outer : from.dim[i];
    }
    return lw_reshape(g, x, to);
}

/* x [N, C * h * w] -> [N, C, h, w] */
lw_value lw_unflatten(lw_graph *g, lw_value x, int64_t height, int64_t width)
{
    if (!lwi_usable(g, "unflatten", &x, 1))
        return (lw_value){0};
    lw_shape from = lwi_node_of(g, x)->shape;
    if (from.rank != 2 || height < 1 || width < 1 || from.dim[1] % height || from.dim[1] / height % width) {
        char text[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "unflatten", &x, 1, "%s is not [N, C * %lld * %lld]",
                         lw_shape_text(from, text), (long long)height, (long long)width);
    }
    return lw_reshape(g, x, LW_SHAPE(from.dim[0], from.dim[1] / height / width, height, width));
}

lw_value lw_permute(lw_graph *g, lw_value x, const int *axes)
{
    if (!lwi_usable(g, "permute", &x, 1))
        return (lw_value){0};
    const lwi_node from = *lwi_node_of(g, x);
    lwi_node node = {.op = LWI_PERMUTE, .shape = {.rank = from.shape.rank}, .in = &x, .in_count = 1};
    unsigned seen = 0;
    bool identity = true;
    for (int i = 0; i < from.shape.rank; i++) {
        int axis = lwi_axis(g, "permute", x, axes[i]);
        if (axis < 0)
            return (lw_value){0};
        seen |= LW_AXIS(axis);
        identity = identity && axis == i;
        node.i[i] = axis;
        node.shape.dim[i] = from.shape.dim[axis];
    }
    if (seen != (1u << from.shape.rank) - 1)
        return lwi_error(g, LW_SHAPE, "permute", &x, 1, "an axis is named twice");
    if (identity)
        return x;
    if (from.op == LWI_PERMUTE && lwi_private(g, x)) {
        int both[LW_MAX_RANK] = {0};
        for (int i = 0; i < from.shape.rank; i++)
            both[i] = (int)from.i[node.i[i]];
        return lw_permute(g, from.in[0], both);
    }
    return lwi_make(g, &node);
}

lw_value lw_transpose(lw_graph *g, lw_value x, int a, int b)
{
    if (!lwi_usable(g, "transpose", &x, 1) || (a = lwi_axis(g, "transpose", x, a)) < 0 ||
        (b = lwi_axis(g, "transpose", x, b)) < 0)
        return (lw_value){0};
    int axes[LW_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    axes[a] = b;
    axes[b] = a;
    return lw_permute(g, x, axes);
}

lw_value lw_broadcast(lw_graph *g, lw_value x, lw_shape shape)
{
    float fill;
    if (!lwi_usable(g, "broadcast", &x, 1))
        return (lw_value){0};
    lw_shape from = lwi_node_of(g, x)->shape, both;
    if (!lwi_broadcast_shape(from, shape, &both) || !lw_shape_equal(both, shape)) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "broadcast", &x, 1, "%s does not stretch to %s", lw_shape_text(from, a),
                         lw_shape_text(shape, b));
    }
    if (lw_shape_equal(from, shape))
        return x;
    if (lwi_private_fill(g, x, &fill))
        return lw_fill(g, shape, (double)fill);
    return lwi_make(g, &(lwi_node){.op = LWI_BROADCAST, .shape = shape, .in = &x, .in_count = 1});
}

/* --- parts ---------------------------------------------------------------------------------- */

lw_value lw_slice(lw_graph *g, lw_value x, int axis, int64_t start, int64_t count, int64_t step)
{
    float fill;
    if (!lwi_usable(g, "slice", &x, 1) || (axis = lwi_axis(g, "slice", x, axis)) < 0)
        return (lw_value){0};
    lw_shape shape = lwi_node_of(g, x)->shape;
    int64_t size = shape.dim[axis];
    bool ok =
        start >= 0 && start < size && count >= 1 && count <= size && step && step >= -size && step <= size;
    int64_t last = ok ? start + (count - 1) * step : 0;
    if (!ok || last < 0 || last >= size) {
        char text[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "slice", &x, 1,
                         "%lld elements from %lld in steps of %lld leave axis %d of %s", (long long)count,
                         (long long)start, (long long)step, axis, lw_shape_text(shape, text));
    }
    if (count == size && step == 1)
        return x;
    shape.dim[axis] = count;
    if (lwi_private_fill(g, x, &fill))
        return lw_fill(g, shape, (double)fill);
    return lwi_make(
        g, &(lwi_node){.op = LWI_SLICE, .shape = shape, .in = &x, .in_count = 1, .i = {axis, start, step}});
}

lw_value lw_pad(lw_graph *g, lw_value x, int axis, int64_t before, int64_t after)
{
    if (!lwi_usable(g, "pad", &x, 1) || (axis = lwi_axis(g, "pad", x, axis)) < 0)
        return (lw_value){0};
    lw_shape shape = lwi_node_of(g, x)->shape;
    const int64_t limit = INT32_MAX;
    int64_t front = before < 0 ? -before : 0, back = after < 0 ? -after : 0;
    if (before < -limit || before > limit || after < -limit || after > limit ||
        front + back >= shape.dim[axis]) {
        char text[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "pad", &x, 1,
                         "%lld before and %lld after leave nothing of axis %d of %s", (long long)before,
                         (long long)after, axis, lw_shape_text(shape, text));
    }
    if (front || back)
        x = lw_slice(g, x, axis, front, shape.dim[axis] - front - back, 1);
    before = before > 0 ? before : 0;
    after = after > 0 ? after : 0;
    if (before == 0 && after == 0)
        return x;
    shape.dim[axis] += before + after - front - back;
    return lwi_make(
        g, &(lwi_node){.op = LWI_PAD, .shape = shape, .in = &x, .in_count = 1, .i = {axis, before, after}});
}

lw_value lw_concat(lw_graph *g, const lw_value *values, int count, int axis)
{
    if (!lwi_usable(g, "concat", values, count))
        return (lw_value){0};
    if (count < 1)
        return lwi_error(g, LW_INVALID, "concat", NULL, 0, "there is nothing to join");
    if ((axis = lwi_axis(g, "concat", values[0], axis)) < 0)
        return (lw_value){0};
    lw_shape shape = lwi_node_of(g, values[0])->shape;
    for (int i = 1; i < count; i++) {
        lw_shape other = lwi_node_of(g, values[i])->shape, same = other;
        if (other.rank == shape.rank)
            same.dim[axis] = shape.dim[axis];
        if (!lw_shape_equal(same, shape)) {
            char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
            return lwi_error(g, LW_SHAPE, "concat", values, count,
                             "part %d is %s and does not fit to %s: they may differ on axis %d only", i + 1,
                             lw_shape_text(other, a), lw_shape_text(shape, b), axis);
        }
        shape.dim[axis] += other.dim[axis];
    }
    if (count == 1)
        return values[0];
    return lwi_make(
        g, &(lwi_node){
               .op = LWI_CONCAT, .shape = shape, .in = (lw_value *)values, .in_count = count, .i = {axis}});
}

lw_value lw_stack(lw_graph *g, const lw_value *values, int count, int axis)
{
    if (!lwi_usable(g, "stack", values, count))
        return (lw_value){0};
    if (count < 1)
        return lwi_error(g, LW_INVALID, "stack", NULL, 0, "there is nothing to join");
    lw_shape part = lwi_node_of(g, values[0])->shape, shape = {.rank = part.rank + 1};
    int at = axis < 0 ? axis + shape.rank : axis;
    char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
    if (at < 0 || at > part.rank || shape.rank > LW_MAX_RANK)
        return lwi_error(g, LW_SHAPE, "stack", values, count, "%s cannot get a new axis %d",
                         lw_shape_text(part, a), axis);
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < at ? part.dim[i] : i == at ? 1 : part.dim[i - 1];
    lw_value *parts = lwi_graph_alloc(g, (size_t)count, sizeof *parts);
    for (int i = 0; parts && i < count; i++) {
        lw_shape other = lwi_node_of(g, values[i])->shape;
        if (!lw_shape_equal(other, part))
            return lwi_error(g, LW_SHAPE, "stack", values, count, "part %d is %s, the first one is %s", i + 1,
                             lw_shape_text(other, a), lw_shape_text(part, b));
        parts[i] = lw_reshape(g, values[i], shape);
    }
    return parts ? lw_concat(g, parts, count, at) : (lw_value){0};
}

/* --- by index ------------------------------------------------------------------------------- */

/* x [.., D, ..], index [I..] -> [.., I.., ..] */
lw_value lw_gather(lw_graph *g, lw_value x, lw_value index, int axis)
{
    lw_value in[2] = {x, index};
    if (!lwi_usable(g, "gather", in, 2) || (axis = lwi_axis(g, "gather", x, axis)) < 0)
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, si = lwi_node_of(g, index)->shape;
    lw_shape shape = {.rank = sx.rank - 1 + si.rank};
    if (shape.rank > LW_MAX_RANK)
        return lwi_error(g, LW_SHAPE, "gather", in, 2,
                         "the result would have %d dimensions; at most %d are possible", shape.rank,
                         LW_MAX_RANK);
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < axis ? sx.dim[i] : i < axis + si.rank ? si.dim[i - axis] : sx.dim[i - si.rank + 1];
    return lwi_make(g, &(lwi_node){.op = LWI_GATHER, .shape = shape, .in = in, .in_count = 2, .i = {axis}});
}

/* x [.., I.., ..], index [I..] -> [.., size, ..] */
lw_value lw_scatter_add(lw_graph *g, lw_value x, lw_value index, int axis, int64_t size)
{
    lw_value in[2] = {x, index};
    if (!lwi_usable(g, "scatter_add", in, 2))
        return (lw_value){0};
    lw_shape sx = lwi_node_of(g, x)->shape, si = lwi_node_of(g, index)->shape;
    lw_shape shape = {.rank = sx.rank + 1 - si.rank};
    int at = axis < 0 ? axis + shape.rank : axis;
    bool ok = shape.rank <= LW_MAX_RANK && at >= 0 && at < shape.rank;
    for (int i = 0; ok && i < si.rank; i++)
        ok = sx.dim[at + i] == si.dim[i];
    if (!ok) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        return lwi_error(g, LW_SHAPE, "scatter_add", in, 2,
                         "%s does not have the index's dimensions %s at axis %d", lw_shape_text(sx, a),
                         lw_shape_text(si, b), axis);
    }
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < at ? sx.dim[i] : i == at ? size : sx.dim[i - 1 + si.rank];
    return lwi_make(g,
                    &(lwi_node){.op = LWI_SCATTER_ADD, .shape = shape, .in = in, .in_count = 2, .i = {at}});
}
