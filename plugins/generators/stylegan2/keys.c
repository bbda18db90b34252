/* keys.c — see keys.h. */
#include "keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const sg2_layouts[] = {"nvidia", "rosinality", "genforce", NULL};

static const sg2_keys table[] = {
    {.layout = "nvidia",
     .weight = ".weight",
     .bias = ".bias",
     .style_weight = ".affine.weight",
     .style_bias = ".affine.bias",
     .strength = ".noise_strength",
     .dense_weight = "mapping.fc%d.weight",
     .dense_bias = "mapping.fc%d.bias",
     .mean = "mapping.w_avg",
     .constant = "synthesis.b4.const"},
    {.layout = "rosinality",
     .weight = ".conv.weight",
     .bias = ".activate.bias",
     .style_weight = ".conv.modulation.weight",
     .style_bias = ".conv.modulation.bias",
     .strength = ".noise.weight",
     .dense_weight = "style.%d.weight",
     .dense_bias = "style.%d.bias",
     .first_dense = 1,
     .mean = "latent_avg",
     .constant = "input.input",
     .scaled = true,
     .leading = true,
     .constant4 = true,
     .strength_rank = 1},
    {.layout = "genforce",
     .weight = ".weight",
     .bias = ".bias",
     .style_weight = ".style.weight",
     .style_bias = ".style.bias",
     .strength = ".noise_strength",
     .dense_weight = "mapping.dense%d.weight",
     .dense_bias = "mapping.dense%d.bias",
     .label = "mapping.label_weight",
     .mean = "truncation.w_avg",
     .constant = "synthesis.early_layer.const",
     .scaled = true,
     .flipped = true,
     .plus_one = true,
     .constant4 = true},
};

const sg2_keys *sg2_keys_at(int number)
{
    return number < (int)(sizeof table / sizeof *table) ? &table[number] : NULL;
}

const sg2_keys *sg2_keys_of(const char *layout)
{
    int i = 0;
    while (strcmp(table[i].layout, layout) != 0)
        i++;
    return &table[i];
}

static bool is(const sg2_keys *keys, const char *layout)
{
    return strcmp(keys->layout, layout) == 0;
}

const char *sg2_layer_name(const sg2_keys *keys, int layer, char *name)
{
    int side = 4 << (layer + 1) / 2, odd = layer % 2;
    if (is(keys, "nvidia"))
        snprintf(name, SG2_NAME, "synthesis.b%d.conv%d", side, odd ? 0 : 1);
    else if (is(keys, "genforce"))
        snprintf(name, SG2_NAME, "synthesis.layer%d", layer);
    else if (layer == 0)
        snprintf(name, SG2_NAME, "conv1");
    else
        snprintf(name, SG2_NAME, "convs.%d", layer - 1);
    return name;
}

const char *sg2_rgb_name(const sg2_keys *keys, int block, char *name)
{
    int side = 4 << block;
    if (is(keys, "nvidia"))
        snprintf(name, SG2_NAME, "synthesis.b%d.torgb", side);
    else if (is(keys, "genforce"))
        snprintf(name, SG2_NAME, "synthesis.output%d", block);
    else if (block == 0)
        snprintf(name, SG2_NAME, "to_rgb1");
    else
        snprintf(name, SG2_NAME, "to_rgbs.%d", block - 1);
    return name;
}

const char *sg2_skip_name(int block, char *name)
{
    snprintf(name, SG2_NAME, "synthesis.b%d.skip", 4 << block);
    return name;
}

const char *sg2_noise_name(const sg2_keys *keys, int layer, char *name)
{
    if (is(keys, "rosinality"))
        snprintf(name, SG2_NAME, "noises.noise_%d", layer);
    else if (is(keys, "genforce"))
        snprintf(name, SG2_NAME, "synthesis.layer%d.noise", layer);
    else
        snprintf(name, SG2_NAME, "synthesis.b%d.conv%d.noise_const", 4 << (layer + 1) / 2, layer % 2 ? 0 : 1);
    return name;
}

const char *sg2_dense_name(const sg2_keys *keys, int number, bool bias, char *name)
{
    const char *format = bias ? keys->dense_bias : keys->dense_weight, *digit = strstr(format, "%d");
    snprintf(name, SG2_NAME, "%.*s%d%s", (int)(digit - format), format, number + keys->first_dense,
             digit + 2);
    return name;
}

int64_t sg2_outputs(const sg2_keys *keys, lw_shape shape)
{
    return shape.dim[keys->leading ? 1 : 0];
}

/* [O, I, k, k], mirrored in both directions */
static lw_value mirrored(lw_graph *g, lw_value w, int k)
{
    return lw_slice(g, lw_slice(g, w, 2, k - 1, k, -1), 3, k - 1, k, -1);
}

lw_value sg2_kernel(lw_graph *g, const sg2_keys *keys, const char *name, int64_t out, int64_t in, int k,
                    bool up)
{
    lw_shape shape = keys->leading ? LW_SHAPE(1, out, in, k, k) : LW_SHAPE(out, in, k, k);
    lw_value w = lw_weight(g, shape, lw_init_normal(0, 1), "%s", name);
    if (keys->leading)
        w = lw_reshape(g, w, LW_SHAPE(out, in, k, k));
    if (up && keys->flipped)
        w = mirrored(g, w, k);
    return keys->scaled ? lw_affine(g, w, 1 / sqrt((double)(in * k * k)), 0) : w;
}
