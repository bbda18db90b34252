/* native_winograd.c — convolutions by winograd.cl: which ones it can do, what they should cost, and how their
 * work is cut into blocks. */
#include "runtime/native.h"

enum { TILE = 4, ROWS = 8, MOST_PANELS = 4, FILTER_PANELS = 2 };

/* Points of `tiles` x `depth` inputs and of sums of `tiles` x MOST_PANELS panels lie in private memory, which
 * should stay in a core's second cache; as native.cl has them. */
typedef struct block {
    int tiles, depth;
    int filter_channels, filter_tiles; /* for the filter's gradient, in the same memory */
} block;

static const block wide = {16, 256, 32, 48}, middle = {8, 128, 16, 32}, narrow = {8, 64, 16, 16};

/* The convolution as the kernel sees it: `input` and `output` are images, whichever of x and y they are. */
typedef struct view {
    bool transposed;
    int taps, points, planes, phases; /* of the dense convolutions that a strided one falls into */
    int ih, iw, ic, oh, ow, oc;
    int64_t tiles, panels, steps; /* tiles and panels of one phase */
} view;

static view view_of(const lwi_lowering *l, const lwi_conv *c)
{
    const bool transposed = c->kind == LWI_CONV_TRANSPOSE;
    const int all = c->stride * c->stride, vw = lwi_panel(l) / 2;
    view v = {.transposed = transposed,
              .taps = (c->r + c->stride - 1) / c->stride,
              .planes = transposed ? 1 : all,
              .phases = transposed ? all : 1,
              .ih = transposed ? c->oh : c->h,
              .iw = transposed ? c->ow : c->w,
              .ic = transposed ? c->k : c->c,
              .oh = transposed ? c->h : c->oh,
              .ow = transposed ? c->w : c->ow,
              .oc = transposed ? c->c : c->k};
    const int apart = transposed ? c->stride * TILE : TILE;
    v.points = (TILE + v.taps - 1) * (TILE + v.taps - 1);
    v.tiles = c->n * lwi_ceil_div(v.oh, apart) * lwi_ceil_div(v.ow, apart);
    v.panels = lwi_ceil_div(v.oc, lwi_panel(l));
    v.steps = v.planes * lwi_ceil_div(v.ic, vw) * vw;
    return v;
}

bool lwi_winograd_can(const lwi_conv *c)
{
    const int taps = (c->r + c->stride - 1) / c->stride;
    return c->r == c->s && (taps == 2 || taps == 3) && c->stride <= 4;
}

/* Fitted to measurements: vector operations, a transformed window or tile counted at 200, and a float of the
 * transformed filter, which comes from far, at 1; again and again where it is larger than caches are. */
double lwi_winograd_cost(const lwi_lowering *l, const lwi_conv *c)
{
    const view v = view_of(l, c);
    const double vw = lwi_panel(l) / 2.0, filter = (double)v.phases * v.points * v.steps * v.panels * 2 * vw;
    const double rows = (double)lwi_ceil_div(v.tiles, ROWS) * ROWS, blocks = (double)v.tiles / wide.tiles;
    const double windows = (double)v.tiles * v.phases * v.steps / vw * lwi_ceil_div(v.panels, MOST_PANELS);
    const double tiles = (double)v.tiles * v.phases * lwi_ceil_div(v.oc, (int)vw);
    if (c->kind == LWI_CONV_WEIGHT)
        return v.tiles * filter / vw * 1.15 + 200 * (windows * MOST_PANELS / FILTER_PANELS + tiles) + filter;
    /* Of the phases or planes along an axis, `short_ones` lack a tap, and so one of their points. */
    const double width = TILE + v.taps - 1, short_ones = (c->stride - c->r % c->stride) % c->stride;
    const double kept = 1 - short_ones / (c->stride * width);
    return rows * filter * kept * kept / vw + 200 * (windows + tiles) + (c->varies ? 2 * filter : 0) +
           kept * kept * filter * (filter > (4 << 20) && blocks > 1 ? 1 + 0.2 * (blocks - 1) : 1);
}

/* Blocks of the result: as large as fits, but several for every unit. */
static void cut(const lwi_lowering *l, const view *v, const block *b, int64_t *tiles, int64_t *panels)
{
    const int units = lwi_lowering_target(l)->units;
    *tiles = v->tiles < b->tiles ? lwi_ceil_div(v->tiles, ROWS) * ROWS : b->tiles;
    *panels = v->panels < MOST_PANELS ? v->panels : MOST_PANELS;
    while (*panels > 1 &&
           lwi_ceil_div(v->tiles, *tiles) * lwi_ceil_div(v->panels, *panels) * v->phases < 4 * units)
        *panels = (*panels + 1) / 2;
}

static lwi_buffer pack(lwi_lowering *l, const lwi_conv *c, const view *v, lwi_buffer w)
{
    const size_t filter = (size_t)(v->phases * v->points * v->panels * v->steps) * (size_t)lwi_panel(l);
    const lwi_buffer u = lwi_scratch(l, filter);
    lwi_launch launch = lwi_native_launch(l, v->taps == 2 ? "pack_winograd_2" : "pack_winograd_3");
    launch.global[0] = (size_t)v->panels;
    launch.global[1] = (size_t)(v->steps / v->planes / (lwi_panel(l) / 2));
    lwi_push(&launch, lwi_read(w));
    lwi_push(&launch, lwi_write(u));
    const int64_t size[] = {c->k, c->c, c->r, c->stride, c->padding, v->transposed};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_emit(l, &launch);
    return u;
}

static const block *block_of(const lwi_lowering *l)
{
    return lwi_panel(l) == 32 ? &wide : lwi_panel(l) == 16 ? &middle : &narrow;
}

/* Points of y's tiles first, once; then blocks of the filter's points, each summed over the tiles of its
 * split. */
static void filter_gradient(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                            const lwi_epilogue *e)
{
    const view v = view_of(l, c);
    const block *b = block_of(l);
    const lwi_buffer d = lwi_scratch(l, (size_t)(v.points * v.panels * v.tiles) * (size_t)lwi_panel(l));
    const int64_t run = 32, blocks = v.planes * lwi_ceil_div(v.ic, b->filter_channels);
    lwi_launch points = lwi_native_launch(l, v.taps == 2 ? "winograd_gradient_2" : "winograd_gradient_3");
    points.global[0] = (size_t)lwi_ceil_div(v.tiles, run), points.global[1] = (size_t)v.panels;
    lwi_push(&points, lwi_read(y));
    lwi_push(&points, lwi_write(d));
    lwi_push_ints(&points, (int64_t[]){c->n, v.oh, v.ow, v.oc, run}, 5);
    lwi_emit(l, &points);
    const int64_t across = lwi_ceil_div(v.panels, FILTER_PANELS), wanted = 4 * lwi_lowering_target(l)->units;
    const int64_t most = lwi_ceil_div(v.tiles, b->filter_tiles),
                  parts = lwi_ceil_div(wanted, blocks * across);
    const int splits = (int)(parts < most ? parts : most);
    const lwi_buffer part =
        lwi_scratch(l, (size_t)splits * (size_t)(c->r * c->s) * (size_t)v.ic * (size_t)v.oc);
    lwi_launch launch = lwi_native_launch(l, v.taps == 2 ? "winograd_filter_2" : "winograd_filter_3");
    launch.global[0] = (size_t)blocks, launch.global[1] = (size_t)across, launch.global[2] = (size_t)splits;
    launch.flops = 2.0 * c->n * c->oh * c->ow * c->k * c->c * c->r * c->s;
    lwi_push(&launch, lwi_read(x));
    lwi_push(&launch, lwi_read(d));
    lwi_push(&launch, lwi_write(part));
    const int64_t size[] = {c->n,
                            v.ih,
                            v.iw,
                            v.ic,
                            c->r,
                            c->stride,
                            c->padding,
                            v.oh,
                            v.ow,
                            v.oc,
                            b->filter_channels,
                            FILTER_PANELS,
                            b->filter_tiles};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_emit(l, &launch);
    lwi_sum_filter(l, c, part, splits, w, e);
}

lw_status lwi_winograd(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                       const lwi_epilogue *e)
{
    if (c->kind == LWI_CONV_WEIGHT) {
        filter_gradient(l, c, x, w, y, e);
        return LW_OK;
    }
    const view v = view_of(l, c);
    const block *b = block_of(l);
    const lwi_buffer u = pack(l, c, &v, w);
    /* Products with points that vanish in one plane are left out where planes are not mixed. */
    const int64_t plane = c->r % c->stride ? v.steps / v.planes : v.steps;
    const int64_t depth = plane < b->depth ? plane : b->depth;
    int64_t tiles, panels;
    cut(l, &v, b, &tiles, &panels);
    lwi_launch launch = lwi_native_launch(l, v.taps == 2 ? "winograd_2" : "winograd_3");
    launch.global[0] = (size_t)lwi_ceil_div(v.tiles, tiles);
    launch.global[1] = (size_t)lwi_ceil_div(v.panels, panels), launch.global[2] = (size_t)v.phases;
    launch.flops = 2.0 * c->n * c->oh * c->ow * c->k * c->c * c->r * c->s;
    lwi_push(&launch, lwi_read(v.transposed ? y : x));
    lwi_push(&launch, lwi_read(u));
    lwi_push_buffers(&launch, v.transposed ? x : y, e);
    const int64_t size[] = {c->n,         v.ih,       v.iw,   v.ic,  c->r,
                            c->stride,    c->padding, v.oh,   v.ow,  v.oc,
                            v.transposed, tiles,      panels, depth, e ? e->scale_per_image : 0};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
    return LW_OK;
}
