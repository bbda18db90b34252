/* test_dense.c — the native dense back end, and convolutions on GPUs, against naive loops in double
 * precision.
 *
 * Every product is checked element by element: |difference| <= 4e-7 * sqrt(steps + 16) * sum of |products|,
 * plus the same share of what the epilogue adds. Buffers lie between pages that cannot be touched
 * (support/immediate.h), so a read or write out of bounds ends the program. Each test runs with the tiles of
 * AVX-512, of AVX2 and of other devices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "immediate.h"
#include "runtime/native.h"

static const lwi_target targets[] = {
    {true, 2, 16, 1, 0},        {true, 2, 8, 1, 0},
    {false, 8, 1, 1, 0},        /* what the native kernels tell apart */
    {false, 1, 1, 256, 32768},  /* GPUs: one unit, so that large tiles are best; */
    {false, 64, 1, 256, 32768}, /* many, so that small tiles and cut reductions are; */
    {false, 4, 1, 64, 16384},   /* small work-groups; */
    {false, 4, 1, 1, 1024}};    /* none at all */
enum { NATIVE = 3, TARGETS = sizeof targets / sizeof *targets };
static lwi_lowering *lowering[TARGETS];

static int open_targets(void **state)
{
    (void)state;
    for (int i = 0; i < TARGETS; i++) {
        lowering[i] = immediate_open(targets[i]);
        if (!lowering[i]) {
            print_error("there is no OpenCL CPU device: apt install pocl-opencl-icd\n");
            return -1;
        }
    }
    return 0;
}

static int close_targets(void **state)
{
    (void)state;
    for (int i = 0; i < TARGETS; i++)
        immediate_close(lowering[i]);
    return 0;
}

static float noise(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (float)(1 << 23) - 1;
}

static float *random_floats(int64_t count)
{
    float *data = malloc((size_t)count * sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++)
        data[i] = noise();
    return data;
}

/* A sum of products and the sum of their sizes, which bounds the rounding error. */
typedef struct sum {
    double value, size;
} sum;

static void add(sum *s, double a, double b)
{
    s->value += a * b;
    s->size += fabs(a * b);
}

/* The epilogue in words, with its operands on the host. */
typedef struct finish {
    bool scale, per_image, bias, residual;
    int activation;
    float slope, gain, clamp;
} finish;

static const finish plain = {0};
static const finish finishes[] = {
    {.bias = true},
    {.scale = true, .bias = true, .activation = 1, .slope = 0.2f, .gain = 1.4142f},
    {.scale = true, .per_image = true, .bias = true, .residual = true, .activation = 1, .clamp = 0.7f},
    {.residual = true, .activation = 2},
    {.bias = true, .activation = 3, .gain = 2},
};

typedef struct operands {
    float *scale, *bias, *residual;
    lwi_epilogue epilogue;
} operands;

static operands make_operands(lwi_lowering *l, const finish *f, int64_t images, int64_t channels,
                              int64_t count)
{
    operands o = {.epilogue = {.scale_per_image = f->per_image,
                               .activation = f->activation,
                               .slope = f->slope,
                               .gain = f->gain,
                               .clamp = f->clamp}};
    const int64_t scales = f->per_image ? images * channels : channels;
    o.scale = random_floats(scales), o.bias = random_floats(channels), o.residual = random_floats(count);
    o.epilogue.scale = f->scale ? immediate_buffer(l, o.scale, (size_t)scales) : 0;
    o.epilogue.bias = f->bias ? immediate_buffer(l, o.bias, (size_t)channels) : 0;
    o.epilogue.residual = f->residual ? immediate_buffer(l, o.residual, (size_t)count) : 0;
    return o;
}

static void free_operands(operands *o)
{
    free(o->scale), free(o->bias), free(o->residual);
}

static double apply(const finish *f, const operands *o, double v, int64_t image, int64_t channels,
                    int64_t channel, int64_t at)
{
    v *= f->scale ? o->scale[(f->per_image ? image * channels : 0) + channel] : 1;
    v += f->bias ? o->bias[channel] : 0;
    v += f->residual ? o->residual[at] : 0;
    if (f->activation == 1)
        v = v > 0 ? v : v * f->slope;
    else if (f->activation == 2)
        v = tanh(v);
    else if (f->activation == 3)
        v = 1 / (1 + exp(-v));
    v *= f->gain != 0 ? f->gain : 1;
    if (f->clamp > 0)
        v = fmin(fmax(v, -f->clamp), f->clamp);
    return v;
}

/* The epilogues of the tests scale errors by at most 2. */
static void check(double found, double expected, double size, int64_t steps, const char *what, int64_t at)
{
    const double bound = 4e-7 * sqrt((double)steps + 16) * (size + 1);
    if (!(fabs(found - expected) <= 2 * bound))
        fail_msg("%s: element %lld is %.9g, expected %.9g, error bound %.2g", what, (long long)at, found,
                 expected, 2 * bound);
}

/* --- matrix products ---------------------------------------------------------------------------- */

static void check_gemm(lwi_lowering *l, const lwi_gemm *g, const finish *f)
{
    const int64_t count_a = g->stride_a * (g->batch - 1) + g->m * g->k;
    const int64_t count_b = g->stride_b * (g->batch - 1) + g->k * g->n;
    const int64_t count_c = g->stride_c * (g->batch - 1) + g->m * g->n;
    float *a = random_floats(count_a), *b = random_floats(count_b);
    operands o = make_operands(l, f, 1, g->n, count_c);
    const lwi_buffer c = immediate_buffer(l, NULL, (size_t)count_c);
    assert_int_equal(lwi_native.gemm(l, g, immediate_buffer(l, a, (size_t)count_a),
                                     immediate_buffer(l, b, (size_t)count_b), c, &o.epilogue),
                     LW_OK);
    const float *found = immediate_data(l, c);
    for (int64_t z = 0; z < g->batch; z++)
        for (int64_t i = 0; i < g->m; i++)
            for (int64_t j = 0; j < g->n; j++) {
                sum s = {0, 0};
                for (int64_t k = 0; k < g->k; k++)
                    add(&s, a[z * g->stride_a + (g->ta ? k * g->m + i : i * g->k + k)],
                        b[z * g->stride_b + (g->tb ? j * g->k + k : k * g->n + j)]);
                const int64_t at = z * g->stride_c + i * g->n + j;
                check(found[at], apply(f, &o, s.value, 0, g->n, j, at), s.size, g->k, "gemm", at);
            }
    assert_true(immediate_guards_hold(l));
    free(a), free(b), free_operands(&o);
    immediate_reset(l);
}

static void check_gemm_everywhere(lwi_gemm g, const finish *f)
{
    for (int i = 0; i < NATIVE; i++)
        for (int t = 0; t < 8; t++) {
            g.ta = t & 1, g.tb = t & 2, g.b_varies = t & 4;
            check_gemm(lowering[i], &g, f);
        }
}

static const int64_t gemm_sizes[][3] = {/* m, n, k */
                                        {1, 1, 1},      {1, 1, 1000},   {1, 37, 5},   {1, 512, 300},
                                        {2, 3, 4},      {3, 1, 700},    {12, 32, 16}, {13, 33, 17},
                                        {16, 100, 129}, {64, 100, 512}, {100, 64, 1}, {97, 65, 257},
                                        {5, 300, 31},   {128, 32, 40},  {31, 7, 600}, {2, 260, 33},
                                        {3, 130, 20},   {8, 65, 48},    {1, 1030, 70}};

static void gemm_of_any_size_and_transposition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gemm_sizes / sizeof *gemm_sizes; i++) {
        const int64_t *s = gemm_sizes[i];
        check_gemm_everywhere((lwi_gemm){.batch = 1, .m = s[0], .n = s[1], .k = s[2]}, &plain);
    }
}

static void gemm_batches_may_share_an_operand(void **state)
{
    (void)state;
    const int64_t m = 14, n = 35, k = 70;
    check_gemm_everywhere((lwi_gemm){3, m, n, k, false, false, false, m * k, k * n, m * n}, &plain);
    check_gemm_everywhere((lwi_gemm){3, m, n, k, false, false, false, 0, k * n, m * n}, &plain);
    check_gemm_everywhere((lwi_gemm){3, m, n, k, false, false, false, m * k, 0, m * n}, &plain);
    check_gemm_everywhere((lwi_gemm){2, 3, 64, 1000, false, false, false, 3000, 0, 192}, &finishes[3]);
}

static void gemm_finishes_its_tile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++) {
        finish f = finishes[i];
        f.per_image = false;
        check_gemm_everywhere((lwi_gemm){.batch = 1, .m = 25, .n = 70, .k = 40}, &f);
        check_gemm_everywhere((lwi_gemm){.batch = 1, .m = 2, .n = 5, .k = 900}, &f);
    }
}

/* --- convolutions --------------------------------------------------------------------------------- */

typedef struct images {
    float *x, *w, *y;
    int64_t count_x, count_w, count_y;
} images;

static int64_t x_at(const lwi_conv *c, int n, int h, int w, int i)
{
    return (((int64_t)n * c->h + h) * c->w + w) * c->c + i;
}

static int64_t y_at(const lwi_conv *c, int n, int h, int w, int i)
{
    return (((int64_t)n * c->oh + h) * c->ow + w) * c->k + i;
}

static int64_t w_at(const lwi_conv *c, int k, int i, int r, int s)
{
    return (((int64_t)k * c->c + i) * c->r + r) * c->s + s;
}

/* The definition: every product of the convolution, added where this kind of it sums. */
static void accumulate(const lwi_conv *c, const images *d, sum *to)
{
    for (int n = 0; n < c->n; n++)
        for (int oh = 0; oh < c->oh; oh++)
            for (int ow = 0; ow < c->ow; ow++)
                for (int r = 0; r < c->r; r++)
                    for (int s = 0; s < c->s; s++) {
                        const int h = oh * c->stride - c->padding + r, w = ow * c->stride - c->padding + s;
                        if (h < 0 || h >= c->h || w < 0 || w >= c->w)
                            continue;
                        for (int k = 0; k < c->k; k++)
                            for (int i = 0; i < c->c; i++) {
                                const int64_t x = x_at(c, n, h, w, i), y = y_at(c, n, oh, ow, k);
                                const int64_t f = w_at(c, k, i, r, s);
                                if (c->kind == LWI_CONV_FORWARD)
                                    add(&to[y], d->x[x], d->w[f]);
                                else if (c->kind == LWI_CONV_TRANSPOSE)
                                    add(&to[x], d->y[y], d->w[f]);
                                else
                                    add(&to[f], d->x[x], d->y[y]);
                            }
                    }
}

/* The way that the back end would choose. */
enum { CHOSEN = -1 };

static void check_conv_by(int target, int algorithm, const lwi_conv *c, const finish *f)
{
    lwi_lowering *l = lowering[target];
    const lwi_backend *backend = target < NATIVE ? &lwi_native : &lwi_clblast;
    images d = {.count_x = (int64_t)c->n * c->h * c->w * c->c,
                .count_w = (int64_t)c->k * c->c * c->r * c->s,
                .count_y = (int64_t)c->n * c->oh * c->ow * c->k};
    d.x = random_floats(d.count_x), d.w = random_floats(d.count_w), d.y = random_floats(d.count_y);
    const bool to_x = c->kind == LWI_CONV_TRANSPOSE, to_w = c->kind == LWI_CONV_WEIGHT;
    const int64_t count = to_x ? d.count_x : to_w ? d.count_w : d.count_y;
    const int64_t channels = to_x ? c->c : to_w ? c->s : c->k, image = count / (to_w ? c->k : c->n);
    const int64_t steps = to_x ? c->r * c->s * c->k : to_w ? c->n * c->oh * c->ow : c->r * c->s * c->c;
    operands o = make_operands(l, f, c->n, channels, count);
    const lwi_buffer x = immediate_buffer(l, to_x ? NULL : d.x, (size_t)d.count_x);
    const lwi_buffer w = immediate_buffer(l, to_w ? NULL : d.w, (size_t)d.count_w);
    const lwi_buffer y = immediate_buffer(l, to_x || to_w ? d.y : NULL, (size_t)d.count_y);
    assert_int_equal(algorithm == CHOSEN ? backend->conv(l, c, x, w, y, &o.epilogue)
                                         : lwi_conv_by(l, (lwi_algorithm)algorithm, c, x, w, y, &o.epilogue),
                     LW_OK);
    sum *expected = calloc((size_t)count, sizeof *expected);
    assert_non_null(expected);
    accumulate(c, &d, expected);
    const float *found = immediate_data(l, to_x ? x : to_w ? w : y);
    for (int64_t i = 0; i < count; i++)
        check(found[i], apply(f, &o, expected[i].value, i / image, channels, i % channels, i),
              expected[i].size, steps,
              to_x   ? "transpose"
              : to_w ? "filter gradient"
                     : "convolution",
              i);
    assert_true(immediate_guards_hold(l));
    free(expected), free(d.x), free(d.w), free(d.y), free_operands(&o);
    immediate_reset(l);
}

/* By every way that the back end has. */
static void check_conv(int target, const lwi_conv *c, const finish *f)
{
    if (target >= NATIVE) {
        check_conv_by(target, CHOSEN, c, f);
        return;
    }
    for (int a = 0; a < LWI_ALGORITHMS; a++)
        if (lwi_conv_can((lwi_algorithm)a, c))
            check_conv_by(target, a, c, f);
}

/* n, h, w, c, k, r, s, stride, padding; output sizes follow, with `extra` input rows that no window reaches
 */
static const int conv_sizes[][9] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0},
    {2, 5, 7, 3, 5, 3, 3, 1, 1},
    {1, 8, 8, 16, 33, 3, 3, 1, 1},
    {2, 9, 6, 17, 3, 3, 3, 2, 1},
    {3, 8, 8, 3, 64, 4, 4, 2, 1},
    {2, 8, 8, 64, 3, 4, 4, 2, 1},
    {5, 4, 4, 40, 1, 4, 4, 1, 0},
    {2, 4, 4, 50, 12, 4, 4, 1, 0},
    {1, 6, 6, 100, 35, 5, 5, 1, 2},
    {2, 7, 5, 20, 24, 1, 1, 1, 0},
    {1, 10, 10, 6, 7, 5, 3, 3, 2},
    {1, 7, 7, 4, 4, 1, 1, 2, 0},
    {2, 3, 3, 5, 4, 3, 3, 1, 3},
    {1, 12, 12, 300, 20, 3, 3, 1, 1},
    {1, 13, 1, 8, 70, 3, 1, 2, 0},
    {2, 6, 6, 9, 9, 2, 2, 3, 0},
    {3, 4, 4, 2, 20, 4, 4, 1, 0},
    {1, 15, 17, 14, 250, 3, 3, 1, 1},
    {1, 17, 15, 250, 14, 3, 3, 1, 1},
    {2, 16, 16, 8, 30, 3, 3, 1, 1},
    {2, 16, 17, 30, 8, 3, 3, 1, 1},
    /* for Winograd: tiles that end outside, several blocks of channels and of tiles, every stride */
    {3, 17, 11, 40, 70, 3, 3, 1, 1},
    {1, 9, 9, 3, 33, 3, 3, 1, 0},
    {2, 5, 6, 16, 130, 3, 3, 1, 2},
    {1, 4, 5, 270, 20, 3, 3, 1, 1},
    {2, 13, 10, 18, 20, 2, 2, 1, 0},
    {1, 11, 14, 33, 17, 6, 6, 2, 2},
    {1, 15, 15, 20, 40, 5, 5, 2, 0},
    {1, 20, 19, 9, 8, 8, 8, 3, 3},
    {30, 4, 4, 20, 5, 3, 3, 1, 1}};

static lwi_conv conv_of(const int *v, lwi_conv_kind kind)
{
    lwi_conv c = {kind, v[0], v[1], v[2], v[3], v[4], v[5], v[6], 0, 0, v[7], v[8]};
    c.oh = (c.h + 2 * c.padding - c.r) / c.stride + 1;
    c.ow = (c.w + 2 * c.padding - c.s) / c.stride + 1;
    return c;
}

static void check_kind(int first, int end, lwi_conv_kind kind)
{
    for (size_t i = 0; i < sizeof conv_sizes / sizeof *conv_sizes; i++)
        for (int t = first; t < end; t++) {
            const lwi_conv c = conv_of(conv_sizes[i], kind);
            check_conv(t, &c, &plain);
        }
}

static void convolution_of_any_shape(void **state)
{
    (void)state;
    check_kind(0, NATIVE, LWI_CONV_FORWARD);
}

static void transposed_convolution_of_any_shape(void **state)
{
    (void)state;
    check_kind(0, NATIVE, LWI_CONV_TRANSPOSE);
}

static void filter_gradient_of_any_shape(void **state)
{
    (void)state;
    check_kind(0, NATIVE, LWI_CONV_WEIGHT);
}

static void gpu_convolution_of_any_shape(void **state)
{
    (void)state;
    check_kind(NATIVE, TARGETS, LWI_CONV_FORWARD);
}

static void gpu_transposed_convolution_of_any_shape(void **state)
{
    (void)state;
    check_kind(NATIVE, TARGETS, LWI_CONV_TRANSPOSE);
}

static void gpu_filter_gradient_of_any_shape(void **state)
{
    (void)state;
    check_kind(NATIVE, TARGETS, LWI_CONV_WEIGHT);
}

/* Small enough for oclgrind, yet with each tile of gpu_conv.c for each kind, and several steps of the loop.
 */
static void gpu_tiles_one_by_one(void **state)
{
    (void)state;
    static const struct {
        int target, size[3][9]; /* forward, transpose, filter gradient */
    } rows[] = {
        {3,
         {{1, 12, 10, 4, 120, 3, 3, 1, 1}, {1, 12, 10, 120, 4, 3, 3, 1, 1}, {1, 6, 6, 14, 120, 3, 3, 1, 1}}},
        {3, {{1, 8, 7, 4, 60, 3, 3, 1, 1}, {1, 8, 7, 60, 4, 3, 3, 1, 1}, {1, 6, 6, 7, 60, 3, 3, 1, 1}}},
        {3, {{1, 12, 10, 4, 30, 3, 3, 1, 1}, {1, 12, 10, 30, 4, 3, 3, 1, 1}, {1, 6, 6, 13, 30, 3, 3, 1, 1}}},
        {3, {{1, 16, 15, 4, 3, 3, 3, 1, 1}, {1, 16, 15, 3, 4, 3, 3, 1, 1}, {1, 6, 6, 27, 3, 3, 3, 1, 1}}},
        {4, {{2, 4, 4, 67, 5, 4, 4, 2, 1}, {2, 4, 4, 5, 7, 4, 4, 2, 1}, {2, 16, 17, 2, 3, 3, 3, 1, 1}}},
        {6, {{1, 3, 3, 3, 5, 3, 3, 1, 1}, {1, 4, 4, 3, 5, 4, 4, 2, 1}, {1, 3, 3, 1, 2, 3, 3, 2, 1}}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int kind = 0; kind < 3; kind++) {
            const lwi_conv c = conv_of(rows[i].size[kind], (lwi_conv_kind)kind);
            check_conv(rows[i].target, &c, kind == 2 ? &plain : &finishes[2]);
        }
}

static void check_finishes(int first, int end, int kinds)
{
    static const int sizes[][9] = {{2, 6, 6, 20, 37, 3, 3, 1, 1},
                                   {1, 4, 4, 200, 3, 4, 4, 1, 0},
                                   {2, 8, 10, 20, 18, 4, 4, 2, 1},
                                   {2, 17, 9, 37, 3, 1, 1, 1, 0}};
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        for (int t = first; t < end; t++)
            for (int kind = 0; kind < kinds; kind++) {
                finish f = finishes[i];
                f.per_image = f.per_image && kind != LWI_CONV_WEIGHT;
                for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
                    const lwi_conv c = conv_of(sizes[j], (lwi_conv_kind)kind);
                    check_conv(t, &c, &f);
                }
            }
}

static void convolutions_finish_their_tile(void **state)
{
    (void)state;
    check_finishes(0, NATIVE, 3);
}

static void gpu_convolutions_finish_their_tile(void **state)
{
    (void)state;
    check_finishes(NATIVE, TARGETS, 2); /* their filter gradients take no epilogue */
}

static void same_product_gives_same_bytes(void **state)
{
    (void)state;
    lwi_lowering *l = lowering[0];
    static const int shape[] = {4, 16, 16, 3, 8, 4, 4, 2, 1};
    const lwi_conv c = conv_of(shape, LWI_CONV_WEIGHT);
    float *x = random_floats(4 * 16 * 16 * 3), *y = random_floats(4 * 8 * 8 * 8), first[8 * 3 * 16];
    const lwi_buffer w = immediate_buffer(l, NULL, 8 * 3 * 16);
    assert_int_equal(lwi_native.conv(l, &c, immediate_buffer(l, x, 4 * 16 * 16 * 3), w,
                                     immediate_buffer(l, y, 4 * 8 * 8 * 8), NULL),
                     LW_OK);
    memcpy(first, immediate_data(l, w), sizeof first);
    for (int i = 0; i < 5; i++) {
        immediate_replay(l, true);
        assert_memory_equal(first, immediate_data(l, w), sizeof first);
    }
    free(x), free(y);
    immediate_reset(l);
}

static void sizes_beyond_the_kernels_are_refused(void **state)
{
    (void)state;
    const lwi_gemm g = {.batch = 1, .m = INT64_C(1) << 32, .n = 1, .k = 1};
    assert_int_equal(lwi_native.gemm(lowering[0], &g, 0, 0, 0, NULL), LW_UNSUPPORTED);
    const lwi_conv c = {LWI_CONV_FORWARD, 1 << 16, 1 << 10, 1 << 10, 1, 1, 1, 1, 1 << 10, 1 << 10, 1, 0};
    assert_int_equal(lwi_native.conv(lowering[0], &c, 0, 0, 0, NULL), LW_UNSUPPORTED);
}

/* With a word as argument, only the tests with it in their names (test_oclgrind.sh). */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_of_any_size_and_transposition),
        cmocka_unit_test(gemm_batches_may_share_an_operand),
        cmocka_unit_test(gemm_finishes_its_tile),
        cmocka_unit_test(convolution_of_any_shape),
        cmocka_unit_test(transposed_convolution_of_any_shape),
        cmocka_unit_test(filter_gradient_of_any_shape),
        cmocka_unit_test(convolutions_finish_their_tile),
        cmocka_unit_test(gpu_convolution_of_any_shape),
        cmocka_unit_test(gpu_transposed_convolution_of_any_shape),
        cmocka_unit_test(gpu_filter_gradient_of_any_shape),
        cmocka_unit_test(gpu_convolutions_finish_their_tile),
        cmocka_unit_test(gpu_tiles_one_by_one),
        cmocka_unit_test(same_product_gives_same_bytes),
        cmocka_unit_test(sizes_beyond_the_kernels_are_refused),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
