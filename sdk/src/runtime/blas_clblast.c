/* blas_clblast.c — the back end that leaves products to CLBlast: tuned for GPUs, everywhere else a check on
 * the native one. Convolutions are im2col, a product, and where needed col2im, some images at a time. */
#include "runtime/device.h"

#include <clblast_c.h>
#include <string.h>

enum { LOCAL = 64, MOST_COLUMNS = 1 << 25 /* floats of unfolded images at once */ };

/* --- one product ------------------------------------------------------------------------------- */
typedef struct product {
    lwi_gemm gemm;
    size_t offset_a, offset_b, offset_c;
    float beta; /* 1: added to c */
} product;

static lw_status run_product(void *context, void *queue, void *const *mem, const size_t *offset)
{
    const product *p = context;
    const lwi_gemm *g = &p->gemm;
    cl_command_queue q = queue;
    CLBlastTranspose ta = g->ta ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastTranspose tb = g->tb ? CLBlastTransposeYes : CLBlastTransposeNo;
    size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k, lda = g->ta ? m : k, ldb = g->tb ? k : n;
    size_t a = p->offset_a + offset[0], b = p->offset_b + offset[1], c = p->offset_c + offset[2];
    CLBlastStatusCode code;
    if (g->batch == 1)
        code = CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, m, n, k, 1.0f, mem[0], a, lda, mem[1], b, ldb,
                            p->beta, mem[2], c, n, &q, NULL);
    else
        code = CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, m, n, k, 1.0f, mem[0], a, lda,
                                          (size_t)g->stride_a, mem[1], b, ldb, (size_t)g->stride_b, p->beta,
                                          mem[2], c, n, (size_t)g->stride_c, (size_t)g->batch, &q, NULL);
    if (code == CLBlastSuccess)
        return LW_OK;
    return lw_fail(LW_DEVICE, "CLBlast could not multiply %zu x %zu by %zu x %zu: error %d", m, k, k, n,
                   (int)code);
}

static lw_status emit_product(lwi_lowering *l, const product *p, lwi_buffer a, lwi_buffer b, lwi_buffer c)
{
    product *context = lw_alloc(1, sizeof *context);
    if (!context)
        return LW_MEMORY;
    *context = *p;
    const lwi_arg arg[3] = {LWI_READ(a), LWI_READ(b), LWI_WRITE(c)};
    const lwi_gemm *g = &p->gemm;
    lwi_emit_call(l, run_product, context, arg, 3,
                  2.0 * (double)g->batch * (double)g->m * (double)g->n * (double)g->k);
    return LW_OK;
}

/* --- small kernels around it ------------------------------------------------------------------------ */
static lwi_launch launch_of(const char *kernel, int64_t items)
{
    lwi_launch launch = {
        .source = lwi_source("columns"), .kernel = kernel, .options = "", .local = {LOCAL, 1, 1}};
    launch.global[0] = (size_t)((items + LOCAL - 1) / LOCAL * LOCAL);
    return launch;
}

static void push(lwi_launch *launch, lwi_arg arg)
{
    launch->arg[launch->arg_count++] = arg;
}

/* y = epilogue(acc), acc [rows][channels]; an image has `image` rows. */
static void emit_epilogue(lwi_lowering *l, const lwi_epilogue *e, lwi_buffer acc, lwi_buffer y, int64_t rows,
                          int64_t channels, int64_t image)
{
    lwi_launch launch = launch_of("finish", rows * channels);
    push(&launch, (lwi_arg)LWI_WRITE(y));
    push(&launch, (lwi_arg)LWI_READ(acc));
    push(&launch, (lwi_arg)LWI_READ(e->scale));
    push(&launch, (lwi_arg)LWI_READ(e->bias));
    push(&launch, (lwi_arg)LWI_READ(e->residual));
    const int64_t number[5] = {rows * channels, channels, image * channels, e->scale_per_image,
                               e->activation};
    for (int i = 0; i < 5; i++)
        push(&launch, (lwi_arg)LWI_INT(number[i]));
    push(&launch, (lwi_arg)LWI_FLOAT(e->slope));
    push(&launch, (lwi_arg)LWI_FLOAT(e->gain == 0 ? 1 : e->gain));
    push(&launch, (lwi_arg)LWI_FLOAT(e->clamp));
    lwi_emit(l, &launch);
}

static bool is_plain(const lwi_epilogue *e)
{
    return !e || (!e->scale && !e->bias && !e->residual && !e->activation && (e->gain == 0 || e->gain == 1) &&
                  e->clamp == 0);
}

static lw_status gemm(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                      const lwi_epilogue *epilogue)
{
    bool plain = is_plain(epilogue);
    lwi_buffer acc = plain ? c : lwi_scratch(l, (size_t)(g->batch * g->m * g->n));
    LW_TRY(emit_product(l, &(product){.gemm = *g}, a, b, acc));
    if (!plain)
        emit_epilogue(l, epilogue, acc, c, g->batch * g->m, g->n, g->m);
    return LW_OK;
}

/* --- convolutions ------------------------------------------------------------------------------------ */
/* Between images x [n][h][w][c] and columns [n][oh][ow][r][s][c], for `images` from `first`. */
static void emit_columns(lwi_lowering *l, const lwi_conv *v, const char *kernel, lwi_buffer image,
                         lwi_buffer columns, int first, int images)
{
    bool fold = strcmp(kernel, "fold") == 0;
    int64_t items =
        fold ? (int64_t)images * v->h * v->w * v->c : (int64_t)images * v->oh * v->ow * v->r * v->s * v->c;
    lwi_launch launch = launch_of(kernel, items);
    push(&launch, (lwi_arg){.kind = LWI_ARG_WRITE, .buffer = fold ? image : columns});
    push(&launch, (lwi_arg){.kind = LWI_ARG_READ, .buffer = fold ? columns : image});
    const int64_t number[] = {items, first, v->h,  v->w,      v->c,      v->r,
                              v->s,  v->oh, v->ow, v->stride, v->padding};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        push(&launch, (lwi_arg)LWI_INT(number[i]));
    lwi_emit(l, &launch);
}

/* Weights [k][c][r][s] <-> [k][r][s][c]. */
static void emit_turn(lwi_lowering *l, const lwi_conv *v, const char *kernel, lwi_buffer from, lwi_buffer to)
{
    int64_t items = (int64_t)v->k * v->c * v->r * v->s;
    lwi_launch launch = launch_of(kernel, items);
    push(&launch, (lwi_arg)LWI_WRITE(to));
    push(&launch, (lwi_arg)LWI_READ(from));
    const int64_t number[] = {items, v->c, (int64_t)v->r * v->s};
    for (int i = 0; i < 3; i++)
        push(&launch, (lwi_arg)LWI_INT(number[i]));
    lwi_emit(l, &launch);
}

static lw_status conv(lwi_lowering *l, const lwi_conv *v, lwi_buffer x, lwi_buffer w, lwi_buffer y,
                      const lwi_epilogue *epilogue)
{
    int64_t taps = (int64_t)v->r * v->s * v->c, pixels = (int64_t)v->oh * v->ow, weights = v->k * taps;
    int64_t fit = MOST_COLUMNS / (taps * pixels);
    int chunk = fit < 1 ? 1 : fit > v->n ? v->n : (int)fit;
    lwi_buffer columns = lwi_scratch(l, (size_t)(taps * pixels * chunk));
    lwi_buffer turned = lwi_scratch(l, (size_t)weights);
    bool transpose = v->kind == LWI_CONV_TRANSPOSE, plain = is_plain(epilogue) || v->kind == LWI_CONV_WEIGHT;
    int64_t out_pixels = transpose ? (int64_t)v->h * v->w : pixels, channels = transpose ? v->c : v->k;
    lwi_buffer out = transpose ? x : y;
    lwi_buffer acc = plain ? out : lwi_scratch(l, (size_t)(v->n * out_pixels * channels));
    if (v->kind != LWI_CONV_WEIGHT)
        emit_turn(l, v, "turn", w, turned);
    for (int first = 0; first < v->n; first += chunk) {
        int images = v->n - first < chunk ? v->n - first : chunk;
        int64_t rows = images * pixels;
        size_t at = (size_t)(first * pixels * v->k);
        product p = {.gemm = {.batch = 1}};
        if (v->kind == LWI_CONV_FORWARD) {
            emit_columns(l, v, "unfold", x, columns, first, images);
            p.gemm = (lwi_gemm){.batch = 1, .m = rows, .n = v->k, .k = taps, .tb = true};
            p.offset_c = at;
            LW_TRY(emit_product(l, &p, columns, turned, acc));
        } else if (transpose) {
            p.gemm = (lwi_gemm){.batch = 1, .m = rows, .n = taps, .k = v->k};
            p.offset_a = at;
            LW_TRY(emit_product(l, &p, y, turned, columns));
            emit_columns(l, v, "fold", acc, columns, first, images);
        } else {
            emit_columns(l, v, "unfold", x, columns, first, images);
            p.gemm = (lwi_gemm){.batch = 1, .m = v->k, .n = taps, .k = rows, .ta = true};
            p.offset_a = at;
            p.beta = first ? 1 : 0;
            LW_TRY(emit_product(l, &p, y, columns, turned));
        }
    }
    if (v->kind == LWI_CONV_WEIGHT)
        emit_turn(l, v, "turn_back", turned, w);
    else if (!plain)
        emit_epilogue(l, epilogue, acc, out, v->n * out_pixels, channels, out_pixels);
    return LW_OK;
}

const lwi_backend lwi_clblast = {"clblast", gemm, conv};
