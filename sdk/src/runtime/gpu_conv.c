/* gpu_conv.c — convolution, its transpose and its filter gradient on GPUs, by implicit_gemm.cl: which tile of
 * the result a work-group computes, and into how many parts the reduction is cut.
 *
 * There is no im2col beside it. Columns are r s times the image, written once and read once (by CLBlast,
 * which copies operands that do not fit its tiles, even twice more): 2 r s c floats moved per pixel for 2 r s
 * c k operations, k / 4 operations per byte. A GPU does 25 to 50 in the time of a byte, so below a few
 * hundred filters memory alone would cost more than the product, and columns take scratch that batches
 * want. */
#include "runtime/gpu.h"

#include <limits.h>
#include <stdio.h>

enum { LOCAL = 64, DEPTH = 16, SPLIT_STEPS = 16 * DEPTH, MOST_PARTS = 1 << 24 /* floats */ };

/* A work-group's tile: items across and down, results of an item across and down. */
typedef struct tile {
    int items_x, items_y, across, down;
} tile;

static const tile tiles[] = {
    {16, 16, 8, 8}, /* 128 rows x 128 columns: the least traffic */
    {16, 16, 4, 4}, /* 64 x 64 */
    {8, 32, 4, 4},  /* 128 x 32: few channels, many pixels */
    {4, 64, 1, 4},  /* 256 x 4: to RGB */
    {8, 8, 4, 4},   /* 32 x 32: small results, small work-groups */
    {1, 1, 4, 4},   /* any device */
};
enum { TILES = sizeof tiles / sizeof *tiles };

static int64_t rows_of(const tile *t)
{
    return (int64_t)t->items_y * t->down;
}

static int64_t columns_of(const tile *t)
{
    return (int64_t)t->items_x * t->across;
}

static bool fits(const tile *t, const lwi_target *target)
{
    const int64_t floats = DEPTH * (rows_of(t) + 4 + columns_of(t)), places = rows_of(t) + DEPTH;
    return t->items_x * t->items_y <= target->group_items && 4 * floats + 16 * places <= target->local_bytes;
}

/* Time on a device of so many units, in steps' time of a multiplication: each round a unit computes a tile,
 * for which an item loads from local and, dearer, from global memory. Up to 64 items run side by side. */
static double cost_of(const tile *t, int64_t rows, int64_t columns, int64_t phases, int units)
{
    const int64_t groups = lwi_ceil_div(rows, rows_of(t)) * lwi_ceil_div(columns, columns_of(t)) * phases;
    const int items = t->items_x * t->items_y;
    const double step =
        t->across * t->down + 2 * (t->across + t->down) + 4 * (double)(rows_of(t) + columns_of(t)) / items;
    return (double)lwi_ceil_div(groups, units) * step * (double)lwi_ceil_div(items, 64);
}

/* The product as implicit_gemm sees it. */
typedef struct product {
    int kind; /* FORWARD, TRANSPOSE, FILTER there; lwi_conv_kind here */
    int images, ih, iw, ic, oh, ow, oc;
    int64_t rows, steps, phases; /* of the largest phase */
    int64_t count;               /* of the result */
    const tile *tile;
    int64_t splits, part; /* steps of a part */
} product;

static product product_of(const lwi_conv *c, const lwi_target *target)
{
    const bool transposed = c->kind == LWI_CONV_TRANSPOSE, filter = c->kind == LWI_CONV_WEIGHT;
    product p = {.kind = (int)c->kind, .images = c->n, .phases = 1};
    if (transposed) {
        p.ih = c->oh, p.iw = c->ow, p.ic = c->k, p.oh = c->h, p.ow = c->w, p.oc = c->c;
        p.phases = (int64_t)c->stride * c->stride;
        p.rows = c->n * lwi_ceil_div(c->h, c->stride) * lwi_ceil_div(c->w, c->stride);
        p.steps = lwi_ceil_div(c->r, c->stride) * lwi_ceil_div(c->s, c->stride) * c->k;
    } else {
        p.ih = c->h, p.iw = c->w, p.ic = c->c, p.oh = c->oh, p.ow = c->ow, p.oc = c->k;
        const int64_t places = (int64_t)c->n * c->oh * c->ow, shifts = (int64_t)c->r * c->s * c->c;
        p.rows = filter ? shifts : places, p.steps = filter ? places : shifts;
    }
    p.count = (filter ? p.rows : (int64_t)c->n * p.oh * p.ow) * p.oc;
    const int units = target->units > 0 ? target->units : 1;
    double best = 0;
    for (int i = 0; i < TILES; i++) {
        const double cost = cost_of(&tiles[i], p.rows, p.oc, p.phases, units);
        if (fits(&tiles[i], target) && (!p.tile || cost < best))
            p.tile = &tiles[i], best = cost;
    }
    p.tile = p.tile ? p.tile : &tiles[TILES - 1];
    /* Too few tiles to fill the device: cut long sums, two groups for each unit. */
    const int64_t groups =
        lwi_ceil_div(p.rows, rows_of(p.tile)) * lwi_ceil_div(p.oc, columns_of(p.tile)) * p.phases;
    p.splits = 2 * units / groups;
    p.splits = p.splits > p.steps / SPLIT_STEPS ? p.steps / SPLIT_STEPS : p.splits;
    p.splits = p.splits > MOST_PARTS / p.count ? MOST_PARTS / p.count : p.splits;
    p.splits = p.splits < 1 ? 1 : p.splits;
    p.part = lwi_ceil_div(lwi_ceil_div(p.steps, p.splits), DEPTH) * DEPTH;
    return p;
}

static lw_status check(const lwi_conv *c)
{
    const int64_t count[] = {(int64_t)c->n * c->h * c->w * c->c, (int64_t)c->n * c->oh * c->ow * c->k,
                             (int64_t)c->k * c->c * c->r * c->s};
    for (int i = 0; i < 3; i++)
        if (count[i] > INT_MAX / 2)
            return lw_fail(
                LW_UNSUPPORTED,
                "convolution of %d x %d x %d x %d with %d filters of %d x %d: a tensor of more than "
                "2^30 floats; a smaller batch would do",
                c->n, c->h, c->w, c->c, c->k, c->r, c->s);
    return LW_OK;
}

/* --- launches -------------------------------------------------------------------------------------- */
/* A work-item for each of `items`. */
static lwi_launch launch_of(const char *kernel, int64_t items)
{
    return (lwi_launch){.source = lwi_source("implicit_gemm"),
                        .kernel = kernel,
                        .options = "",
                        .global = {(size_t)(lwi_ceil_div(items, LOCAL) * LOCAL), 1, 1},
                        .local = {LOCAL, 1, 1}};
}

static void push_scale_mode_and_activation(lwi_launch *launch, const lwi_epilogue *e)
{
    lwi_push(launch, (lwi_arg)LWI_INT(e && e->scale_per_image));
    lwi_push_activation(launch, e);
}

bool lwi_gpu_is_plain(const lwi_epilogue *e)
{
    return !e || (!e->scale && !e->bias && !e->residual && !e->activation && (e->gain == 0 || e->gain == 1) &&
                  e->clamp == 0);
}

void lwi_gpu_finish(lwi_lowering *l, const lwi_epilogue *e, lwi_buffer parts, int splits, lwi_buffer y,
                    int64_t rows, int64_t channels, int64_t image)
{
    lwi_launch launch = launch_of("finish", rows * channels);
    lwi_push_buffers(&launch, y, e);
    lwi_push(&launch, lwi_read(parts));
    lwi_push_ints(&launch, (int64_t[]){rows * channels, splits, channels, image * channels}, 4);
    push_scale_mode_and_activation(&launch, e);
    lwi_emit(l, &launch);
}

/* Filters as the product's right matrix; the launch folds where they are constant. */
static lwi_buffer turned(lwi_lowering *l, const lwi_conv *c, lwi_buffer w)
{
    const int64_t count = (int64_t)c->k * c->c * c->r * c->s;
    const lwi_buffer to = lwi_scratch(l, (size_t)count);
    lwi_launch launch = launch_of("turn_filter", count);
    lwi_push(&launch, lwi_write(to));
    lwi_push(&launch, lwi_read(w));
    lwi_push_ints(&launch,
                  (int64_t[]){count, c->k, c->c, (int64_t)c->r * c->s, c->kind == LWI_CONV_TRANSPOSE}, 5);
    lwi_emit(l, &launch);
    return to;
}

static void sum_filter(lwi_lowering *l, const lwi_conv *c, lwi_buffer parts, int64_t splits, lwi_buffer w)
{
    const int64_t count = (int64_t)c->k * c->c * c->r * c->s;
    lwi_launch launch = launch_of("sum_filter", count);
    lwi_push(&launch, lwi_write(w));
    lwi_push(&launch, lwi_read(parts));
    lwi_push_ints(&launch, (int64_t[]){count, splits, c->k, c->c, (int64_t)c->r * c->s}, 5);
    lwi_emit(l, &launch);
}

static void multiply(lwi_lowering *l, const lwi_conv *c, const product *p, lwi_buffer image, lwi_buffer right,
                     lwi_buffer y, const lwi_epilogue *e)
{
    const tile *t = p->tile;
    char options[96];
    snprintf(options, sizeof options, "-DITEMS_X=%d -DITEMS_Y=%d -DACROSS=%d -DDOWN=%d -DDEPTH=%d",
             t->items_x, t->items_y, t->across, t->down, DEPTH);
    lwi_launch launch = {.source = lwi_source("implicit_gemm"),
                         .kernel = "implicit_gemm",
                         .options = options,
                         .local = {(size_t)t->items_x, (size_t)t->items_y, 1},
                         .flops = 2.0 * c->n * c->oh * c->ow * c->k * c->c * c->r * c->s};
    launch.global[0] = (size_t)(lwi_ceil_div(p->oc, columns_of(t)) * t->items_x);
    launch.global[1] = (size_t)(lwi_ceil_div(p->rows, rows_of(t)) * t->items_y);
    launch.global[2] = (size_t)(p->splits * p->phases);
    lwi_push_buffers(&launch, y, e);
    lwi_push(&launch, lwi_read(image));
    lwi_push(&launch, lwi_read(right));
    lwi_push_ints(&launch,
                  (int64_t[]){p->kind, p->images, p->ih, p->iw, p->ic, c->r, c->s, c->stride, c->padding,
                              p->oh, p->ow, p->oc, p->splits, p->part},
                  14);
    push_scale_mode_and_activation(&launch, e);
    lwi_emit(l, &launch);
}

lw_status lwi_gpu_conv(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                       const lwi_epilogue *epilogue)
{
    LW_TRY(check(c));
    const product p = product_of(c, lwi_lowering_target(l));
    const lwi_buffer parts =
        p.splits > 1 || c->kind == LWI_CONV_WEIGHT ? lwi_scratch(l, (size_t)(p.count * p.splits)) : 0;
    if (c->kind == LWI_CONV_WEIGHT) {
        if (!lwi_gpu_is_plain(epilogue))
            return lw_fail(LW_UNSUPPORTED, "filter gradients on GPUs take no epilogue");
        multiply(l, c, &p, x, y, parts, NULL);
        sum_filter(l, c, parts, p.splits, w);
        return LW_OK;
    }
    const bool transposed = c->kind == LWI_CONV_TRANSPOSE;
    const lwi_buffer from = transposed ? y : x, to = transposed ? x : y;
    const lwi_buffer right = turned(l, c, w);
    multiply(l, c, &p, from, right, parts ? parts : to, parts ? NULL : epilogue);
    if (parts)
        lwi_gpu_finish(l, epilogue, parts, (int)p.splits, to, (int64_t)c->n * p.oh * p.ow, p.oc,
                       (int64_t)p.oh * p.ow);
    return LW_OK;
}
