/* bench_dense.c — speed of the native dense back end: matrix products against OpenBLAS, and convolutions by
 * every algorithm that does them.
 *
 * Each number is the best of several runs; a product and its OpenBLAS counterpart take turns. "packed", for
 * convolutions in brackets, leaves out the packing of the right operand, as a program does whose weights do
 * not change. A star marks the algorithm of the lowest estimate. Usage: bench_dense [part of a name] */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "immediate.h"
#include "runtime/native.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *ones(size_t count)
{
    float *data = malloc(count * sizeof *data);
    if (!data)
        abort();
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(i % 7) * 0.25f - 0.75f;
    return data;
}

static int repeats(double flops)
{
    const int n = (int)(6e9 / flops);
    return n < 5 ? 5 : n > 50 ? 50 : n;
}

/* Seconds of a product, each time the faster of several; with and without the packing of b. `blas`, where not
 * NULL, is timed in turn. */
static double time_gemm(lwi_lowering *l, lwi_gemm g, const float *a, const float *b, float *c, double *blas)
{
    const size_t count_a = (size_t)(g.m * g.k), count_b = (size_t)(g.k * g.n), count_c = (size_t)(g.m * g.n);
    const int m = (int)g.m, n = (int)g.n, k = (int)g.k;
    if (lwi_native.gemm(l, &g, immediate_buffer(l, a, count_a), immediate_buffer(l, b, count_b),
                        immediate_buffer(l, NULL, count_c), NULL) != LW_OK)
        abort();
    double best = INFINITY;
    *blas = INFINITY;
    for (int i = 0; i < repeats(2.0 * m * n * k); i++) {
        best = fmin(best, immediate_replay(l, g.b_varies));
        const double from = now();
        cblas_sgemm(CblasRowMajor, g.ta ? CblasTrans : CblasNoTrans, g.tb ? CblasTrans : CblasNoTrans, m, n,
                    k, 1, a, g.ta ? m : k, b, g.tb ? k : n, 0, c, n);
        *blas = fmin(*blas, now() - from);
    }
    immediate_reset(l);
    return best;
}

static void bench_gemm(lwi_lowering *l, int m, int n, int k, bool ta, bool tb)
{
    lwi_gemm g = {.batch = 1, .m = m, .n = n, .k = k, .ta = ta, .tb = tb, .b_varies = true};
    float *a = ones((size_t)m * k), *b = ones((size_t)k * n), *c = ones((size_t)m * n);
    const double flops = 2.0 * m * n * k;
    double blas, blas_again, whole = time_gemm(l, g, a, b, c, &blas);
    g.b_varies = false;
    double packed = time_gemm(l, g, a, b, c, &blas_again);
    printf(
        "gemm%s%s %5d x %5d x %5d   %7.3f ms %6.1f GFLOP/s, packed %6.1f, OpenBLAS %6.1f: ratio %.2f, %.2f\n",
        ta ? " ta" : "   ", tb ? " tb" : "   ", m, n, k, whole * 1e3, flops / whole * 1e-9,
        flops / packed * 1e-9, flops / blas * 1e-9, blas / whole, blas_again / packed);
    fflush(stdout);
    free(a), free(b), free(c);
}

static void bench_conv(lwi_lowering *l, const char *name, lwi_conv c)
{
    static const char *const kinds[] = {"forward", "transpose", "filter"};
    c.oh = (c.h + 2 * c.padding - c.r) / c.stride + 1, c.ow = (c.w + 2 * c.padding - c.s) / c.stride + 1;
    const size_t count_x = (size_t)c.n * c.h * c.w * c.c, count_w = (size_t)c.k * c.c * c.r * c.s;
    const size_t count_y = (size_t)c.n * c.oh * c.ow * c.k;
    float *x = ones(count_x), *w = ones(count_w), *y = ones(count_y);
    const double flops = 2.0 * c.n * c.oh * c.ow * c.k * c.c * c.r * c.s;
    for (int kind = 0; kind < 3; kind++) {
        c.kind = (lwi_conv_kind)kind;
        printf("%-16s %6.2f GFLOP %-9s", name, flops * 1e-9, kinds[kind]);
        for (int a = 0; a < LWI_ALGORITHMS; a++) {
            const lwi_algorithm algorithm = (lwi_algorithm)a;
            if (!lwi_conv_can(algorithm, &c))
                continue;
            if (lwi_conv_by(l, algorithm, &c, immediate_buffer(l, x, count_x),
                            immediate_buffer(l, w, count_w), immediate_buffer(l, y, count_y), NULL) != LW_OK)
                abort();
            double whole = INFINITY, packed = INFINITY;
            for (int i = 0; i < repeats(flops); i++) {
                whole = fmin(whole, immediate_replay(l, true));
                packed = fmin(packed, immediate_replay(l, false));
            }
            printf("| %s%s %.2f ms %.0f (%.0f) ", algorithm == lwi_cheapest(l, &c) ? "*" : "",
                   lwi_algorithm_name(algorithm), whole * 1e3, flops / whole * 1e-9, flops / packed * 1e-9);
            immediate_reset(l);
        }
        printf("\n");
    }
    fflush(stdout);
    free(x), free(w), free(y);
}

typedef struct conv_case {
    const char *name;
    lwi_conv conv;
} conv_case;

/* A generator's layer "dcgan G 512>256" is the transpose of the convolution listed: its forward is our
 * transpose. */
#define CONV(n, size, c, k, r, stride, padding)             \
    {                                                       \
        0, n, size, size, c, k, r, r, 0, 0, stride, padding \
    }
static const conv_case cases[] = {
    {"dcgan G 100>512", CONV(64, 4, 512, 100, 4, 1, 0)},  {"dcgan G 512>256", CONV(64, 8, 256, 512, 4, 2, 1)},
    {"dcgan G 256>128", CONV(64, 16, 128, 256, 4, 2, 1)}, {"dcgan G 128>64", CONV(64, 32, 64, 128, 4, 2, 1)},
    {"dcgan G 64>3", CONV(64, 64, 3, 64, 4, 2, 1)},       {"dcgan D 64>128", CONV(64, 32, 64, 128, 4, 2, 1)},
    {"dcgan D 256>512", CONV(64, 8, 256, 512, 4, 2, 1)},  {"dcgan D 512>1", CONV(64, 4, 512, 1, 4, 1, 0)},
    {"3x3 512 at 4", CONV(8, 4, 512, 512, 3, 1, 1)},      {"3x3 512 at 16", CONV(1, 16, 512, 512, 3, 1, 1)},
    {"3x3 512 at 32", CONV(1, 32, 512, 512, 3, 1, 1)},    {"3x3 512 at 64", CONV(1, 64, 512, 512, 3, 1, 1)},
    {"3x3 128 at 256", CONV(1, 256, 128, 128, 3, 1, 1)},  {"3x3 64 at 64", CONV(1, 64, 64, 64, 3, 1, 1)},
    {"3x3 64 at 64 x8", CONV(8, 64, 64, 64, 3, 1, 1)},    {"3x3 64 at 128", CONV(1, 128, 64, 64, 3, 1, 1)},
    {"3x3 32 at 1024", CONV(1, 1024, 32, 32, 3, 1, 1)},   {"up 3x3 512>256", CONV(1, 65, 256, 512, 3, 2, 0)},
    {"up 3x3 64>32", CONV(1, 513, 32, 64, 3, 2, 0)},      {"1x1 32>3 at 1024", CONV(1, 1024, 32, 3, 1, 1, 0)},
    {"1x1 512>3 at 64", CONV(1, 64, 512, 3, 1, 1, 0)},
};

static const int gemms[][5] = {
    {256, 256, 256, 0, 0},    {512, 512, 512, 0, 0},    {1024, 1024, 1024, 0, 0}, {2048, 2048, 2048, 0, 0},
    {1024, 1024, 1024, 1, 0}, {1024, 1024, 1024, 0, 1}, {64, 512, 512, 0, 0},     {64, 512, 512, 0, 1},
    {512, 512, 64, 1, 0},     {256, 100, 512, 0, 1},    {1024, 512, 512, 0, 1},   {512, 512, 1024, 1, 0},
    {1, 512, 512, 0, 1},      {1, 512, 512, 0, 0},      {2, 512, 512, 0, 1},      {4, 512, 512, 0, 1},
    {8, 512, 512, 0, 1},      {8, 512, 512, 0, 0},      {16, 512, 512, 0, 1},     {32, 512, 512, 0, 1},
    {1, 4096, 4096, 0, 1},    {16, 1024, 1024, 0, 1},   {32, 32, 100000, 1, 0}};

int main(int argc, char **argv)
{
    lwi_lowering *l = immediate_open((lwi_target){true, 2, 16, 1, 0});
    if (!l) {
        fprintf(stderr, "no OpenCL CPU device\n");
        return 1;
    }
    const char *part = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++)
        if (strstr("gemm", part))
            bench_gemm(l, gemms[i][0], gemms[i][1], gemms[i][2], gemms[i][3], gemms[i][4]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strstr(cases[i].name, part))
            bench_conv(l, cases[i].name, cases[i].conv);
    immediate_close(l);
    return 0;
}
