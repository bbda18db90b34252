/* weights.c — the same kernels under five projects' names, layouts and scalings. README.md has the table. */
#include "pggan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool pggan_is_zoo(pggan_layout layout)
{
    return layout == PGGAN_ZOO || layout == PGGAN_ZOO_OLD;
}

/* The layer's place in the state dict, before ".weight" or ".bias". */
static int layer_name(pggan_layer l, char name[PGGAN_NAME])
{
    int side = 4 << (l.number / 2);
    if (pggan_is_zoo(l.layout))
        return l.rgb           ? snprintf(name, PGGAN_NAME, "toRGBLayers.%d", l.number)
               : l.number == 0 ? snprintf(name, PGGAN_NAME, "formatLayer")
               : l.number == 1
                   ? snprintf(name, PGGAN_NAME, "groupScale0.0")
                   : snprintf(name, PGGAN_NAME, "scaleLayers.%d.%d", l.number / 2 - 1, l.number % 2);
    if (l.layout == PGGAN_DISCOVERY)
        return l.rgb ? snprintf(name, PGGAN_NAME, "output")
                     : snprintf(name, PGGAN_NAME, "features.%d", l.number);
    if (l.layout != PGGAN_TF)
        return snprintf(name, PGGAN_NAME, l.rgb ? "output%d" : "layer%d", l.number);
    if (l.rgb)
        return snprintf(name, PGGAN_NAME, "ToRGB_lod%d", l.blocks - 1 - l.number);
    const char *kind = l.number == 0   ? "Dense"
                       : l.number == 1 ? "Conv"
                       : l.number % 2  ? "Conv1"
                       : l.fused       ? "Conv0_up"
                                       : "Conv0";
    return snprintf(name, PGGAN_NAME, "%dx%d/%s", side, side, kind);
}

static const char *full_name(pggan_layer l, const char *suffix, char name[PGGAN_NAME])
{
    int length = layer_name(l, name);
    snprintf(name + length, (size_t)(PGGAN_NAME - length), "%s", suffix);
    return name;
}

const char *pggan_weight_name(pggan_layer l, char name[PGGAN_NAME])
{
    static const char *const suffixes[] = {".module.weight", ".weight",      ".weight",
                                           ".conv.weight",   ".conv.weight", "/weight"};
    return full_name(l, l.layout == PGGAN_INTERFACEGAN && l.fused ? ".weight" : suffixes[l.layout], name);
}

const char *pggan_bias_name(pggan_layer l, char name[PGGAN_NAME])
{
    static const char *const suffixes[] = {".module.bias", ".bias",     ".bias",
                                           ".wscale.bias", ".wscale.b", "/bias"};
    return full_name(l, suffixes[l.layout], name);
}

static lw_value permute(lw_graph *g, lw_value x, int a, int b, int c, int d)
{
    return lw_permute(g, x, (const int[]){a, b, c, d});
}

/* The first layer as a matrix [out * 16, in]. As a 4x4 convolution with padding 3 on a 1x1 map it meets every
 * pixel with one entry of the kernel, turned by half. */
static lw_value first_weight(lw_graph *g, pggan_layout layout, const char *name, int64_t in, int64_t out,
                             lw_init init)
{
    if (pggan_is_zoo(layout))
        return lw_weight(g, LW_SHAPE(out * 16, in), init, "%s", name);
    if (layout == PGGAN_TF)
        return lw_transpose(g, lw_weight(g, LW_SHAPE(in, out * 16), init, "%s", name), 0, 1);
    lw_value w = lw_weight(g, LW_SHAPE(out, in, 4, 4), init, "%s", name);
    w = lw_slice(g, lw_slice(g, w, 2, 3, 4, -1), 3, 3, 4, -1);
    return lw_reshape(g, permute(g, w, 0, 2, 3, 1), LW_SHAPE(out * 16, in));
}

/* -> [out, in, k, k] */
static lw_value conv_weight(lw_graph *g, pggan_layout layout, const char *name, int64_t in, int64_t out,
                            int64_t k, lw_init init)
{
    if (layout == PGGAN_TF)
        return permute(g, lw_weight(g, LW_SHAPE(k, k, in, out), init, "%s", name), 3, 2, 0, 1);
    return lw_weight(g, LW_SHAPE(out, in, k, k), init, "%s", name);
}

/* -> [in, out, 4, 4]: the 3x3 kernel moved over a 2x2 square and summed (TF: upscale2d_conv2d). */
static lw_value fused_weight(lw_graph *g, pggan_layout layout, const char *name, int64_t in, int64_t out,
                             lw_init init)
{
    lw_value w;
    if (layout == PGGAN_TF)
        w = permute(g, lw_weight(g, LW_SHAPE(3, 3, out, in), init, "%s", name), 3, 2, 0, 1);
    else if (layout == PGGAN_INTERFACEGAN)
        w = permute(g, lw_weight(g, LW_SHAPE(3, 3, in, out), init, "%s", name), 2, 3, 0, 1);
    else
        w = lw_weight(g, LW_SHAPE(in, out, 3, 3), init, "%s", name);
    w = lw_add(g, lw_pad(g, w, 2, 0, 1), lw_pad(g, w, 2, 1, 0));
    return lw_add(g, lw_pad(g, w, 3, 0, 1), lw_pad(g, w, 3, 1, 0));
}

pggan_kernel pggan_fetch(lw_graph *g, pggan_layer l, int64_t in, int64_t out, bool scaled)
{
    char name[PGGAN_NAME];
    bool zoo = pggan_is_zoo(l.layout), first = l.number == 0 && !l.rgb;
    int64_t k = l.rgb ? 1 : 3;
    /* The first layer's gain is sqrt(2) / 4 in TF, for genforce the same as its kernel counts 16 inputs
     * more. */
    double gain = l.rgb && !zoo ? 1 : first && !zoo ? sqrt(2) / 4 : sqrt(2);
    double he = gain / sqrt((double)(first ? in : in * k * k));
    lw_init init = lw_init_normal(0, scaled ? 1 : he);
    pggan_weight_name(l, name);
    pggan_kernel kernel;
    kernel.weight = first     ? first_weight(g, l.layout, name, in, out, init)
                    : l.fused ? fused_weight(g, l.layout, name, in, out, init)
                              : conv_weight(g, l.layout, name, in, out, k, init);
    /* The zoo's first layer has a bias for each of its 16 * out numbers, the others one for each of out
     * maps. */
    kernel.bias = lw_weight(g, LW_SHAPE(first && zoo ? out * 16 : out), lw_init_constant(0), "%s",
                            pggan_bias_name(l, name));
    if (l.layout == PGGAN_DISCOVERY) {
        lw_value scale = lw_weight(g, LW_SHAPE(1), lw_init_constant(scaled ? he : 1), "%s",
                                   full_name(l, ".wscale.scale", name));
        kernel.weight = lw_mul(g, kernel.weight, scale);
    } else if (scaled) {
        kernel.weight = lw_affine(g, kernel.weight, he, 0);
        if (zoo) /* y = (W x + b) * he */
            kernel.bias = lw_affine(g, kernel.bias, he, 0);
    }
    return kernel;
}
