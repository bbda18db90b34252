/* weights.c — the same kernels under three projects' names, layouts and scalings. README.md has the table. */
#include "pggan.h"

#include <math.h>
#include <stdio.h>

bool pggan_is_zoo(pggan_layout layout)
{
    return layout == PGGAN_ZOO || layout == PGGAN_ZOO_OLD;
}

static int zoo_name(pggan_layer l, char name[PGGAN_NAME])
{
    switch (l.role) {
    case PGGAN_FROM_RGB: return snprintf(name, PGGAN_NAME, "fromRGBLayers.%d", l.block);
    case PGGAN_DENSE: return snprintf(name, PGGAN_NAME, "groupScaleZero.1");
    case PGGAN_DECISION: return snprintf(name, PGGAN_NAME, "decisionLayer");
    default: break;
    }
    return l.block == 0 ? snprintf(name, PGGAN_NAME, "groupScaleZero.0")
                        : snprintf(name, PGGAN_NAME, "scaleLayers.%d.%d", l.block - 1, l.role == PGGAN_CONV1);
}

/* Numbered from the largest resolution down. */
static int genforce_name(pggan_layer l, char name[PGGAN_NAME])
{
    int level = l.blocks - 1 - l.block;
    if (l.role == PGGAN_FROM_RGB)
        return snprintf(name, PGGAN_NAME, "input%d", level);
    return snprintf(name, PGGAN_NAME, "layer%d",
                    2 * level + (l.role == PGGAN_CONV0      ? 0
                                 : l.role == PGGAN_DECISION ? 2
                                                            : 1));
}

static int tf_name(pggan_layer l, char name[PGGAN_NAME])
{
    int side = 4 << l.block;
    if (l.role == PGGAN_FROM_RGB)
        return snprintf(name, PGGAN_NAME, "FromRGB_lod%d", l.blocks - 1 - l.block);
    const char *kind = l.role == PGGAN_DENSE      ? "Dense0"
                       : l.role == PGGAN_DECISION ? "Dense1"
                       : l.block == 0             ? "Conv"
                       : l.role == PGGAN_CONV0    ? "Conv0"
                       : l.fused                  ? "Conv1_down"
                                                  : "Conv1";
    return snprintf(name, PGGAN_NAME, "%dx%d/%s", side, side, kind);
}

static const char *full_name(pggan_layer l, const char *suffix, char name[PGGAN_NAME])
{
    int length = pggan_is_zoo(l.layout)       ? zoo_name(l, name)
                 : l.layout == PGGAN_GENFORCE ? genforce_name(l, name)
                                              : tf_name(l, name);
    snprintf(name + length, (size_t)(PGGAN_NAME - length), "%s", suffix);
    return name;
}

const char *pggan_weight_name(pggan_layer l, char name[PGGAN_NAME])
{
    static const char *const suffixes[] = {".module.weight", ".weight", ".weight", "/weight"};
    return full_name(l, suffixes[l.layout], name);
}

const char *pggan_bias_name(pggan_layer l, char name[PGGAN_NAME])
{
    static const char *const suffixes[] = {".module.bias", ".bias", ".bias", "/bias"};
    return full_name(l, suffixes[l.layout], name);
}

/* -> [out, in, k, k], or [out, in] of a dense layer */
static lw_value plain_weight(lw_graph *g, pggan_layer l, int64_t in, int64_t out, int64_t k, lw_init init)
{
    char name[PGGAN_NAME];
    bool dense = l.role == PGGAN_DENSE || l.role == PGGAN_DECISION, tf = l.layout == PGGAN_TF;
    pggan_weight_name(l, name);
    if (dense)
        return tf ? lw_transpose(g, lw_weight(g, LW_SHAPE(in, out), init, "%s", name), 0, 1)
                  : lw_weight(g, LW_SHAPE(out, in), init, "%s", name);
    if (!tf)
        return lw_weight(g, LW_SHAPE(out, in, k, k), init, "%s", name);
    return lw_permute(g, lw_weight(g, LW_SHAPE(k, k, in, out), init, "%s", name), (const int[]){3, 2, 0, 1});
}

/* [out, in, 3, 3] -> [out, in, 4, 4]: convolution and mean of 2x2 in one kernel (TF: conv2d_downscale2d) */
static lw_value fuse(lw_graph *g, lw_value w)
{
    w = lw_add(g, lw_pad(g, w, 2, 0, 1), lw_pad(g, w, 2, 1, 0));
    return lw_affine(g, lw_add(g, lw_pad(g, w, 3, 0, 1), lw_pad(g, w, 3, 1, 0)), 0.25, 0);
}

pggan_kernel pggan_fetch(lw_graph *g, pggan_layer l, int64_t in, int64_t out, bool scaled)
{
    char name[PGGAN_NAME];
    bool zoo = pggan_is_zoo(l.layout);
    int64_t k = l.role == PGGAN_CONV0 || l.role == PGGAN_CONV1 ? 3 : 1;
    double gain = l.role == PGGAN_DECISION && !zoo ? 1 : sqrt(2), he = gain / sqrt((double)(in * k * k));
    pggan_kernel kernel;
    kernel.weight = plain_weight(g, l, in, out, k, lw_init_normal(0, scaled ? 1 : he));
    kernel.bias = lw_weight(g, LW_SHAPE(out), lw_init_constant(0), "%s", pggan_bias_name(l, name));
    if (scaled) {
        kernel.weight = lw_affine(g, kernel.weight, he, 0);
        if (zoo) /* y = (W x + b) * he */
            kernel.bias = lw_affine(g, kernel.bias, he, 0);
    }
    if (l.fused)
        kernel.weight = fuse(g, kernel.weight);
    return kernel;
}
