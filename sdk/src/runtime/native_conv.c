/* native_conv.c — convolution, its transpose and its filter gradient on the native dense back end.
 *
 * Each is one blocked product (gemm.cl) over NHWC images. The transpose of a strided convolution is stride x
 * stride independent dense convolutions, one per phase of the output, so no zero is ever multiplied. */
#include "runtime/native.h"
#include "runtime/tuning.h"

#include <limits.h>

static lw_status check(const lwi_conv *c)
{
    const int64_t sizes[] = {c->n, c->h, c->w, c->c, c->k, c->r, c->s, c->oh, c->ow, c->stride};
    const int64_t counts[] = {(int64_t)c->n * c->h * c->w, (int64_t)c->n * c->oh * c->ow,
                              (int64_t)c->r * c->s * c->c, (int64_t)c->r * c->s * c->k,
                              (int64_t)c->h * c->w * c->c, (int64_t)c->oh * c->ow * c->k};
    bool fits = c->padding >= 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fits = fits && sizes[i] >= 1;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        fits = fits && counts[i] <= INT_MAX / 2;
    if (!fits)
        return lw_fail(
            LW_UNSUPPORTED,
            "convolution of %d x %d x %d x %d with %d filters of %d x %d is beyond the native kernels", c->n,
            c->h, c->w, c->c, c->k, c->r, c->s);
    return LW_OK;
}

static int64_t panel_floats(const lwi_lowering *l, int64_t columns)
{
    return lwi_ceil_div(columns, lwi_panel(l)) * lwi_panel(l);
}

/* w [k][c][r][s] -> panels over k, or over c and by phases for the transpose (see pack.cl). */
static lwi_buffer pack_filter(lwi_lowering *l, const lwi_conv *c, lwi_buffer w, bool transposed)
{
    const int columns = transposed ? c->c : c->k, steps = transposed ? c->k : c->c;
    if (!transposed)
        return lwi_pack_transposed(l, w, 1, c->c, c->k, c->r * c->s, 0);
    const lwi_buffer to = lwi_scratch(l, (size_t)(panel_floats(l, columns) * steps * c->r * c->s));
    lwi_launch launch = lwi_native_launch(l, "pack_phases");
    launch.global[0] = (size_t)lwi_ceil_div(columns, lwi_panel(l)), launch.global[1] = (size_t)steps;
    lwi_push(&launch, lwi_read(w));
    lwi_push(&launch, lwi_write(to));
    const int64_t size[] = {c->k, c->c, c->r, c->s, c->stride};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_emit(l, &launch);
    return to;
}

static double flops(const lwi_conv *c)
{
    return 2.0 * c->n * c->oh * c->ow * c->k * c->c * c->r * c->s;
}

/* What forward and filter_gradient have alike: both gather the windows of x. */
static lwi_dense windows_of(const lwi_conv *c, bool outer, lwi_buffer x)
{
    return (lwi_dense){.outer = outer,
                       .batch = 1,
                       .images = c->n,
                       .ih = c->h,
                       .iw = c->w,
                       .ic = c->c,
                       .r = c->r,
                       .s = c->s,
                       .stride = c->stride,
                       .padding = c->padding,
                       .oh = c->oh,
                       .ow = c->ow,
                       .oc = c->k,
                       .x = x,
                       .flops = flops(c)};
}

static void forward(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                    const lwi_epilogue *e)
{
    lwi_dense d = windows_of(c, false, x);
    d.rows = (int64_t)c->n * c->oh * c->ow;
    d.steps = (int64_t)c->r * c->s * c->c;
    d.count = d.rows * c->k;
    d.packed = true;
    d.b = pack_filter(l, c, w, false);
    d.y = y;
    lwi_dense_emit(l, &d, e);
}

/* The pixels of x times the filters, few as they are, just as both lie. */
static lw_status few_columns(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                             const lwi_epilogue *e)
{
    const int64_t rows = (int64_t)c->n * c->h * c->w, block = 256;
    lwi_launch launch = lwi_native_launch(l, "few_columns");
    launch.global[0] = (size_t)lwi_ceil_div(rows, block);
    launch.flops = flops(c);
    lwi_push(&launch, lwi_read(x));
    lwi_push(&launch, lwi_read(w));
    lwi_push_buffers(&launch, y, e);
    const int64_t size[] = {rows, c->c, c->k, (int64_t)c->h * c->w, block, e ? e->scale_per_image : 0};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
    return LW_OK;
}

/* Multiplies each pixel of y with all filters, then sums the taps that meet in each pixel of x. */
static lw_status transpose_by_taps(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w,
                                   lwi_buffer y, const lwi_epilogue *e)
{
    const lwi_gemm product = {
        .batch = 1, .m = (int64_t)c->n * c->oh * c->ow, .n = (int64_t)c->c * c->r * c->s, .k = c->k};
    const lwi_buffer turned = lwi_scratch(l, (size_t)(product.k * product.n));
    lwi_launch pack = lwi_native_launch(l, "pack_taps");
    pack.global[0] = (size_t)c->k;
    lwi_push(&pack, lwi_read(w));
    lwi_push(&pack, lwi_write(turned));
    lwi_push_ints(&pack, (int64_t[]){c->c, c->r * c->s}, 2);
    lwi_emit(l, &pack);
    const lwi_buffer taps = lwi_scratch(l, (size_t)(product.m * product.n + lwi_panel(l) / 2));
    LW_TRY(lwi_native.gemm(l, &product, y, turned, taps, NULL));
    lwi_launch launch = lwi_native_launch(l, "sum_taps");
    launch.global[0] = (size_t)c->h, launch.global[1] = (size_t)c->n;
    lwi_push(&launch, lwi_read(taps));
    lwi_push_buffers(&launch, x, e);
    const int64_t size[] = {
        c->w, c->c, c->r, c->s, c->oh, c->ow, c->stride, c->padding, e ? e->scale_per_image : 0};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
    return LW_OK;
}

static void transpose(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                      const lwi_epilogue *e)
{
    const int64_t down = lwi_ceil_div(c->h, c->stride), across = lwi_ceil_div(c->w, c->stride);
    const int64_t taps = lwi_ceil_div(c->r, c->stride) * lwi_ceil_div(c->s, c->stride);
    const lwi_dense d = {.batch = 1,
                         .images = c->n,
                         .ih = c->oh,
                         .iw = c->ow,
                         .ic = c->k,
                         .r = c->r,
                         .s = c->s,
                         .stride = c->stride,
                         .padding = c->padding,
                         .oh = c->h,
                         .ow = c->w,
                         .oc = c->c,
                         .transposed = true,
                         .rows = c->n * down * across,
                         .steps = taps * c->k,
                         .count = (int64_t)c->n * c->h * c->w * c->c,
                         .packed = true,
                         .x = y,
                         .b = pack_filter(l, c, w, true),
                         .y = x,
                         .flops = flops(c)};
    lwi_dense_emit(l, &d, e);
}

/* The product has one row per (r, s, c) and one column per k; the sum of its parts brings it into graph
 * order. */
static void filter_gradient(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                            const lwi_epilogue *e)
{
    const int64_t pixels = (int64_t)c->n * c->oh * c->ow, rows = (int64_t)c->r * c->s * c->c;
    lwi_dense d = windows_of(c, true, x);
    d.rows = rows;
    d.steps = pixels;
    d.count = rows * c->k;
    d.b = lwi_pack_matrix(l, y, 1, pixels, c->k, 0, &d.packed);
    int splits;
    const lwi_buffer part = lwi_dense_emit_parts(l, &d, &splits);
    lwi_sum_filter(l, c, part, splits, w, e);
}

void lwi_sum_filter(lwi_lowering *l, const lwi_conv *c, lwi_buffer part, int splits, lwi_buffer w,
                    const lwi_epilogue *e)
{
    const int64_t rows = (int64_t)c->r * c->s * c->c;
    lwi_launch launch = lwi_native_launch(l, "sum_filter");
    launch.global[0] = (size_t)lwi_ceil_div(c->k, lwi_panel(l) / 2);
    launch.global[1] = (size_t)lwi_ceil_div(rows, lwi_panel(l) / 2);
    lwi_push(&launch, lwi_read(part));
    lwi_push_buffers(&launch, w, e);
    const int64_t size[] = {c->k, c->c, c->r, c->s, splits};
    lwi_push_ints(&launch, size, sizeof size / sizeof *size);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
}

static lw_status direct(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                        const lwi_epilogue *e)
{
    if (c->kind == LWI_CONV_FORWARD)
        forward(l, c, x, w, y, e);
    else if (c->kind == LWI_CONV_TRANSPOSE)
        transpose(l, c, x, w, y, e);
    else
        filter_gradient(l, c, x, w, y, e);
    return LW_OK;
}

/* --- which way -------------------------------------------------------------------------------------- */

static bool always(const lwi_conv *c)
{
    (void)c;
    return true;
}

static double direct_cost(const lwi_lowering *l, const lwi_conv *c)
{
    const bool transposed = c->kind == LWI_CONV_TRANSPOSE;
    const double columns = (double)panel_floats(l, transposed ? c->c : c->k);
    return 1.15 * c->n * c->oh * c->ow * c->r * c->s * (transposed ? c->k : c->c) * columns * 2 /
           lwi_panel(l);
}

/* Unless the products take too much memory. */
static bool taps_can(const lwi_conv *c)
{
    const int64_t columns = (int64_t)c->c * c->r * c->s, pixels = (int64_t)c->oh * c->ow;
    return c->kind == LWI_CONV_TRANSPOSE && columns <= INT_MAX / 4 && c->stride * c->c <= 512 &&
           c->n * pixels * columns <= INT64_C(1) << 24;
}

/* Pays where few channels leave most of a panel empty; the sum costs as much as the product, and more. */
static double taps_cost(const lwi_lowering *l, const lwi_conv *c)
{
    const double columns = (double)panel_floats(l, (int64_t)c->c * c->r * c->s);
    return 2.5 * 1.15 * c->n * c->oh * c->ow * c->k * columns * 2 / lwi_panel(l);
}

static bool few_columns_can(const lwi_conv *c)
{
    return c->kind == LWI_CONV_FORWARD && c->r == 1 && c->s == 1 && c->stride == 1 && c->padding == 0 &&
           c->k <= 4;
}

static double few_columns_cost(const lwi_lowering *l, const lwi_conv *c)
{
    return (double)c->n * c->h * c->w * (c->k + 1) * (2.0 * c->c / lwi_panel(l) + 8);
}

/* What each costs is a rough estimate in vector operations. */
static const struct algorithm {
    const char *name;
    bool (*can)(const lwi_conv *);
    double (*cost)(const lwi_lowering *, const lwi_conv *);
    lw_status (*emit)(lwi_lowering *, const lwi_conv *, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                      const lwi_epilogue *);
} algorithms[LWI_ALGORITHMS] = {
    [LWI_DIRECT] = {"direct", always, direct_cost, direct},
    [LWI_BY_TAPS] = {"by-taps", taps_can, taps_cost, transpose_by_taps},
    [LWI_FEW_COLUMNS] = {"few-columns", few_columns_can, few_columns_cost, few_columns},
    [LWI_WINOGRAD] = {"winograd", lwi_winograd_can, lwi_winograd_cost, lwi_winograd},
};

const char *lwi_algorithm_name(lwi_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

bool lwi_conv_can(lwi_algorithm algorithm, const lwi_conv *c)
{
    return algorithms[algorithm].can(c);
}

double lwi_conv_cost(const lwi_lowering *l, lwi_algorithm algorithm, const lwi_conv *c)
{
    return algorithms[algorithm].cost(l, c);
}

lwi_algorithm lwi_cheapest(const lwi_lowering *l, const lwi_conv *c)
{
    lwi_algorithm best = LWI_DIRECT;
    for (int a = 0; a < LWI_ALGORITHMS; a++)
        if (algorithms[a].can(c) && algorithms[a].cost(l, c) < algorithms[best].cost(l, c))
            best = (lwi_algorithm)a;
    return best;
}

lw_status lwi_conv_by(lwi_lowering *l, lwi_algorithm algorithm, const lwi_conv *c, lwi_buffer x, lwi_buffer w,
                      lwi_buffer y, const lwi_epilogue *e)
{
    LW_TRY(check(c));
    return algorithms[algorithm].emit(l, c, x, w, y, e);
}

lw_status lwi_native_conv(lwi_lowering *l, const lwi_conv *c, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                          const lwi_epilogue *e)
{
    lwi_conv single = *c;
    if (c->oh == 1 && c->ow == 1 && c->kind == LWI_CONV_TRANSPOSE) /* no two windows: one phase per tap */
        single.stride = c->r > c->s ? c->r : c->s;
    LW_TRY(check(&single));
    lwi_tuning *tuning = lwi_lowering_target(l)->tuning;
    const lwi_algorithm algorithm = tuning ? lwi_tuned(tuning, l, &single) : lwi_cheapest(l, &single);
    return lwi_conv_by(l, algorithm, &single, x, w, y, e);
}
