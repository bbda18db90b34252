/* products.c — single matrix products and convolutions of script/bench.
 *
 *   product/512          x y of two square matrices
 *   linear/16x512x512    x [16, 512] times a weight, with bias, as in a mapping network
 *   conv/128-128@256     3x3, padding 1, one image, with bias */
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A tensor of b->weights, normal numbers times `scale`. */
static lw_value weight(bench *b, lw_graph *g, const char *name, lw_shape shape, double scale)
{
    size_t count = (size_t)lw_shape_count(shape);
    float *data = malloc(count * sizeof *data);
    if (!data)
        abort();
    lw_normal((lw_stream){.seed = 2, .purpose = lw_purpose(name)}, 0, count, data);
    for (size_t i = 0; i < count; i++)
        data[i] *= (float)scale;
    bench_must(lw_store_set(b->weights, name, shape, data));
    free(data);
    return lw_parameter(g, b->weights, name);
}

bool bench_build_product(bench *b, const char *name)
{
    int n, in, out;
    lw_graph *g = lw_graph_create();
    lw_value y;
    if (sscanf(name, "product/%d", &n) == 1) {
        lw_value a = bench_input(b, g, "a", LW_SHAPE(n, n), 1);
        y = lw_matmul(g, a, bench_input(b, g, "b", LW_SHAPE(n, n), 1));
    } else if (sscanf(name, "linear/%dx%dx%d", &n, &in, &out) == 3) {
        lw_value x = bench_input(b, g, "x", LW_SHAPE(n, in), 1);
        lw_value w = weight(b, g, "weight", LW_SHAPE(out, in), 1 / sqrt(in));
        y = lw_linear(g, x, w, weight(b, g, "bias", LW_SHAPE(out), 1));
    } else if (sscanf(name, "conv/%d-%d@%d", &in, &out, &n) == 3) {
        lw_value x = bench_input(b, g, "x", LW_SHAPE(1, in, n, n), 1);
        lw_value w = weight(b, g, "weight", LW_SHAPE(out, in, 3, 3), 1 / sqrt(9.0 * in));
        y = lw_conv2d(g, x, w, .padding = 1, .bias = weight(b, g, "bias", LW_SHAPE(out), 1));
    } else {
        lw_graph_destroy(g);
        return false;
    }
    bench_output(b, g, "y", y);
    bench_compile(b, g);
    return true;
}
