/* native_gemm.c — the native dense back end: how a product is cut into blocks, and matrix products by it.
 *
 * Everything goes through the two kernels of gemm.cl. This file chooses the register tile for the device, the
 * block of the result that one work-item computes, and, for small results, into how many parts the reduction
 * is cut. */
#include "runtime/native.h"

#include <limits.h>

/* What a device's work-items hold: a tile of `rows` x 2 vectors in registers, blocks of tiles x panels in
 * memory. */
typedef struct shape {
    int rows, tiles, panels;
    const char *by_rows, *outer; /* kernels */
} shape;

/* As native.cl has them. A few rows only (batch 1): a lower tile wastes less. */
static const shape wide[] = {{12, 8, 8, "dense_rows_12", "dense_outer_12"},
                             {4, 8, 8, "dense_rows_4", "dense_outer_4"}};
static const shape middle[] = {{6, 8, 8, "dense_rows_6", "dense_outer_6"},
                               {4, 8, 8, "dense_rows_4", "dense_outer_4"}};
static const shape narrow[] = {{8, 2, 1, "dense_rows_8", "dense_outer_8"},
                               {4, 2, 1, "dense_rows_4", "dense_outer_4"}};

static const shape *shapes(const lwi_lowering *l)
{
    const lwi_target *target = lwi_lowering_target(l);
    if (!target->is_cpu || target->vector_width < 8)
        return narrow;
    return target->vector_width >= 16 ? wide : middle;
}

static int vector_width(const lwi_lowering *l)
{
    const shape *s = shapes(l);
    return s == wide ? 16 : s == middle ? 8 : 4;
}

int lwi_panel(const lwi_lowering *l)
{
    return 2 * vector_width(l);
}

/* The tile that computes the fewest rows, the lower one counted a ninth dearer: it loads more per
 * multiplication, though with AVX-512 on Zen 4 a row of it takes no longer where the right matrix is in a
 * cache. */
static const shape *shape_for(const lwi_lowering *l, int64_t rows)
{
    const shape *s = shapes(l);
    const int64_t high = lwi_ceil_div(rows, s[0].rows) * s[0].rows,
                  low = lwi_ceil_div(rows, s[1].rows) * s[1].rows;
    return low * 10 < high * 9 ? &s[1] : &s[0];
}

void lwi_push(lwi_launch *launch, lwi_arg arg)
{
    launch->arg[launch->arg_count++] = arg;
}

void lwi_push_ints(lwi_launch *launch, const int64_t *value, int count)
{
    for (int i = 0; i < count; i++)
        lwi_push(launch, (lwi_arg)LWI_INT(value[i]));
}

static const lwi_epilogue no_epilogue;

void lwi_push_activation(lwi_launch *launch, const lwi_epilogue *e)
{
    e = e ? e : &no_epilogue;
    lwi_push(launch, (lwi_arg)LWI_INT(e->activation));
    lwi_push(launch, (lwi_arg)LWI_FLOAT(e->slope));
    lwi_push(launch, (lwi_arg)LWI_FLOAT(e->gain == 0 ? 1 : e->gain));
    lwi_push(launch, (lwi_arg)LWI_FLOAT(e->clamp));
}

void lwi_push_buffers(lwi_launch *launch, lwi_buffer y, const lwi_epilogue *e)
{
    e = e ? e : &no_epilogue;
    lwi_push(launch, lwi_write(y));
    lwi_push(launch, lwi_read(e->scale));
    lwi_push(launch, lwi_read(e->bias));
    lwi_push(launch, lwi_read(e->residual));
}

lwi_launch lwi_native_launch(const lwi_lowering *l, const char *kernel)
{
    const int width = vector_width(l);
    return (lwi_launch){.source = lwi_source("native"),
                        .kernel = kernel,
                        .options = width == 16  ? "-DVW=16"
                                   : width == 8 ? "-DVW=8"
                                                : "-DVW=4",
                        .global = {1, 1, 1},
                        .local = {1, 1, 1}};
}

/* How the result [rows][panels] is cut: large blocks reuse what they load, but every unit wants several. */
typedef struct cut {
    const shape *shape;
    int64_t tiles, panels; /* of a block */
    int64_t down, across, splits;
} cut;

static cut choose_cut(const lwi_lowering *l, const lwi_dense *d)
{
    const int64_t units = lwi_lowering_target(l)->units > 0 ? lwi_lowering_target(l)->units : 1;
    const int64_t wanted = 8 * units;
    const int64_t others = (int64_t)d->batch * (d->transposed ? d->stride * d->stride : 1);
    cut c = {.shape = shape_for(l, d->rows), .splits = 1};
    const int64_t tiles = lwi_ceil_div(d->rows, c.shape->rows), panels = lwi_ceil_div(d->oc, lwi_panel(l));
    c.tiles = tiles < c.shape->tiles ? tiles : c.shape->tiles;
    c.panels = panels < c.shape->panels ? panels : c.shape->panels;
    const int64_t largest = lwi_ceil_div(tiles, c.tiles) * lwi_ceil_div(panels, c.panels) * others;
    const int64_t parts = lwi_ceil_div(wanted, largest);
    if (parts > 1 && d->steps / parts >= 1024 && d->batch * d->count * parts <= 1 << 22) {
        /* long sums of a small result: cut those rather than lose reuse in smaller blocks */
        c.down = lwi_ceil_div(tiles, c.tiles), c.across = lwi_ceil_div(panels, c.panels), c.splits = parts;
        return c;
    }
    for (;;) {
        c.down = lwi_ceil_div(tiles, c.tiles), c.across = lwi_ceil_div(panels, c.panels);
        if (c.down * c.across * others >= wanted || (c.tiles == 1 && c.panels == 1))
            break;
        if (c.tiles >= c.panels)
            c.tiles = (c.tiles + 1) / 2;
        else
            c.panels = (c.panels + 1) / 2;
    }
    c.tiles = lwi_ceil_div(tiles, c.down), c.panels = lwi_ceil_div(panels, c.across);
    const int64_t blocks = c.down * c.across * others, most = d->steps / 64;
    if (blocks < 2 * units && most > 1) {
        c.splits = lwi_ceil_div(2 * units, blocks);
        c.splits = c.splits < most ? c.splits : most;
    }
    return c;
}

static void emit_product(lwi_lowering *l, const lwi_dense *d, const cut *c, lwi_buffer y,
                         const lwi_epilogue *e)
{
    const int64_t phases = d->transposed ? d->stride * d->stride : 1;
    lwi_launch launch = lwi_native_launch(l, d->outer ? c->shape->outer : c->shape->by_rows);
    launch.global[0] = (size_t)c->down, launch.global[1] = (size_t)c->across;
    launch.global[2] = (size_t)(d->batch * c->splits * phases);
    launch.flops = d->flops;
    lwi_push(&launch, lwi_read(d->x));
    lwi_push(&launch, lwi_read(d->b));
    lwi_push_buffers(&launch, y, e);
    const int64_t size[] = {d->images,   d->ih,
                            d->iw,       d->ic,
                            d->r,        d->s,
                            d->stride,   d->padding,
                            d->oh,       d->ow,
                            d->oc,       d->transposed,
                            c->splits,   d->stride_x,
                            d->stride_b, c->splits > 1 ? d->count : d->stride_y,
                            d->packed,   c->tiles * c->shape->rows,
                            c->panels,   e ? e->scale_per_image : 0};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
}

static void emit_sum(lwi_lowering *l, const lwi_dense *d, lwi_buffer part, int64_t splits,
                     const lwi_epilogue *e)
{
    const int64_t block = 1024;
    lwi_launch launch = lwi_native_launch(l, "sum_splits");
    launch.global[0] = (size_t)lwi_ceil_div(d->count, block), launch.global[1] = (size_t)d->batch;
    lwi_push(&launch, lwi_read(part));
    lwi_push_buffers(&launch, d->y, e);
    const int64_t size[] = {d->count,
                            splits,
                            d->oc,
                            (int64_t)d->oh * d->ow * d->oc,
                            d->stride_y,
                            block,
                            e ? e->scale_per_image : 0};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
}

void lwi_dense_emit(lwi_lowering *l, const lwi_dense *d, const lwi_epilogue *e)
{
    const cut c = choose_cut(l, d);
    if (c.splits == 1) {
        emit_product(l, d, &c, d->y, e);
        return;
    }
    const lwi_buffer part = lwi_scratch(l, (size_t)(d->batch * c.splits * d->count));
    emit_product(l, d, &c, part, NULL);
    emit_sum(l, d, part, c.splits, e);
}

lwi_buffer lwi_dense_emit_parts(lwi_lowering *l, const lwi_dense *d, int *splits)
{
    const cut c = choose_cut(l, d);
    const lwi_buffer part = lwi_scratch(l, (size_t)(d->batch * c.splits * d->count));
    emit_product(l, d, &c, part, NULL);
    *splits = (int)c.splits;
    return part;
}

lwi_buffer lwi_pack_matrix(lwi_lowering *l, lwi_buffer b, int64_t batch, int64_t k, int64_t n, int64_t stride,
                           bool *packed)
{
    const int64_t panel = lwi_panel(l), panels = lwi_ceil_div(n, panel), block = 64;
    *packed = n % panel != 0;
    if (!*packed)
        return b;
    const lwi_buffer to = lwi_scratch(l, (size_t)(batch * panels * panel * k));
    lwi_launch launch = lwi_native_launch(l, "pack_matrix");
    launch.global[0] = (size_t)panels, launch.global[1] = (size_t)lwi_ceil_div(k, block);
    launch.global[2] = (size_t)batch;
    lwi_push(&launch, lwi_read(b));
    lwi_push(&launch, lwi_write(to));
    const int64_t size[] = {k, n, stride, block};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_emit(l, &launch);
    return to;
}

lwi_buffer lwi_pack_transposed(lwi_lowering *l, lwi_buffer b, int64_t batch, int64_t k, int64_t n,
                               int64_t taps, int64_t stride)
{
    const int64_t panel = lwi_panel(l), panels = lwi_ceil_div(n, panel), steps = k * taps;
    const lwi_buffer to = lwi_scratch(l, (size_t)(batch * panels * panel * steps));
    lwi_launch launch = lwi_native_launch(l, "pack_transposed");
    launch.global[0] = (size_t)panels, launch.global[1] = (size_t)lwi_ceil_div(steps, panel / 2);
    launch.global[2] = (size_t)batch;
    lwi_push(&launch, lwi_read(b));
    lwi_push(&launch, lwi_write(to));
    const int64_t size[] = {k, n, taps, stride};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_emit(l, &launch);
    return to;
}

/* c [m][n] = a [m][k] b [k][n]: rows of a are m images of one pixel with k channels. Stored [k][m], the rows
 * are k pixels with m channels, as in a filter's gradient. */
static lw_status gemm(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                      const lwi_epilogue *e)
{
    const int64_t sizes[] = {g->batch, g->m, g->n, g->k, g->stride_a, g->stride_b, g->stride_c, g->m * g->n};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < (i < 4) || sizes[i] > INT_MAX / 2)
            return lw_fail(LW_UNSUPPORTED,
                           "matrix product %lld x (%lld x %lld x %lld) is beyond the native kernels",
                           (long long)g->batch, (long long)g->m, (long long)g->n, (long long)g->k);
    lwi_gemm plain = *g; /* a single row or column lies the same either way */
    plain.ta = g->ta && g->m > 1 && g->k > 1;
    plain.tb = g->tb && g->n > 1 && g->k > 1;
    g = &plain;
    if (lwi_few_rows(l, g, a, b, c, e))
        return LW_OK;
    lwi_dense d = {.outer = g->ta,
                   .batch = (int)g->batch,
                   .ih = 1,
                   .iw = 1,
                   .r = 1,
                   .s = 1,
                   .stride = 1,
                   .oh = 1,
                   .ow = 1,
                   .oc = (int)g->n,
                   .rows = g->m,
                   .steps = g->k,
                   .count = g->m * g->n,
                   .stride_x = g->stride_a,
                   .stride_b = g->stride_b,
                   .stride_y = g->stride_c,
                   .x = a,
                   .y = c,
                   .flops = 2.0 * g->batch * g->m * g->n * g->k};
    d.images = (int)(g->ta ? g->k : g->m), d.ic = (int)(g->ta ? g->m : g->k);
    const int64_t right = g->stride_b ? g->batch : 1;
    d.packed = g->tb;
    d.b = g->tb ? lwi_pack_transposed(l, b, right, g->k, g->n, 1, g->stride_b)
                : lwi_pack_matrix(l, b, right, g->k, g->n, g->stride_b, &d.packed);
    if (d.packed && g->stride_b)
        d.stride_b = lwi_ceil_div(g->n, lwi_panel(l)) * lwi_panel(l) * g->k;
    lwi_dense_emit(l, &d, e);
    return LW_OK;
}

const lwi_backend lwi_native = {"native", gemm, lwi_native_conv};
