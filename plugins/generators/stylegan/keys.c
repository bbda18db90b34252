/* keys.c — see keys.h. */
#include "keys.h"

#include <stdio.h>
#include <string.h>

const char *const sg1_layouts[] = {"genforce", "interfacegan", "zoo", NULL};

static const char *const genforce[SG1_TENSORS] = {
    [SG1_WEIGHT] = "synthesis.layer%d.weight",
    [SG1_BIAS] = "synthesis.layer%d.bias",
    [SG1_NOISE_WEIGHT] = "synthesis.layer%d.apply_noise.weight",
    [SG1_NOISE] = "synthesis.layer%d.apply_noise.noise",
    [SG1_STYLE_WEIGHT] = "synthesis.layer%d.style.weight",
    [SG1_STYLE_BIAS] = "synthesis.layer%d.style.bias",
    [SG1_KERNEL] = "synthesis.layer%d.blur.kernel",
    [SG1_RGB_WEIGHT] = "synthesis.output%d.weight",
    [SG1_RGB_BIAS] = "synthesis.output%d.bias",
    [SG1_DENSE_WEIGHT] = "mapping.dense%d.weight",
    [SG1_DENSE_BIAS] = "mapping.dense%d.bias",
    [SG1_MEAN] = "truncation.w_avg",
};

static const char *const interfacegan[SG1_TENSORS] = {
    [SG1_WEIGHT] = "synthesis.layer%d.conv.weight",
    [SG1_BIAS] = "synthesis.layer%d.epilogue.bias",
    [SG1_NOISE_WEIGHT] = "synthesis.layer%d.epilogue.apply_noise.weight",
    [SG1_NOISE] = "synthesis.layer%d.epilogue.apply_noise.noise",
    [SG1_STYLE_WEIGHT] = "synthesis.layer%d.epilogue.style_mod.dense.linear.weight",
    [SG1_STYLE_BIAS] = "synthesis.layer%d.epilogue.style_mod.dense.wscale.bias",
    [SG1_KERNEL] = "synthesis.layer%d.blur.kernel",
    [SG1_RGB_WEIGHT] = "synthesis.output%d.conv.weight",
    [SG1_RGB_BIAS] = "synthesis.output%d.bias",
    [SG1_DENSE_WEIGHT] = "mapping.dense%d.linear.weight",
    [SG1_DENSE_BIAS] = "mapping.dense%d.wscale.bias",
    [SG1_MEAN] = "truncation.w_avg",
};

/* Layers and blocks after the first are numbered in two levels: see zoo_name. */
static const char *const zoo[SG1_TENSORS] = {
    [SG1_WEIGHT] = "conv0.module.weight",
    [SG1_BIAS] = "conv0.module.bias",
    [SG1_NOISE_WEIGHT] = "noiseMod0%d.module.weight",
    [SG1_STYLE_WEIGHT] = "adain0%d.styleModulator.module.weight",
    [SG1_STYLE_BIAS] = "adain0%d.styleModulator.module.bias",
    [SG1_RGB_WEIGHT] = "toRGBLayers.%d.module.weight",
    [SG1_RGB_BIAS] = "toRGBLayers.%d.module.bias",
    [SG1_DENSE_WEIGHT] = "mapping.FC.%d.module.weight",
    [SG1_DENSE_BIAS] = "mapping.FC.%d.module.bias",
    [SG1_MEAN] = "mean_w",
};

static const sg1_keys table[] = {
    {"genforce", genforce, false}, {"interfacegan", interfacegan, false}, {"zoo", zoo, true}};

const sg1_keys *sg1_keys_at(int number)
{
    return number < (int)(sizeof table / sizeof *table) ? &table[number] : NULL;
}

const sg1_keys *sg1_keys_of(const char *layout)
{
    int i = 0;
    while (strcmp(table[i].layout, layout) != 0)
        i++;
    return &table[i];
}

/* A layer's tensor in block `block`, after the first: scaleLayers.K.{0,1,2,3} are convolution, AdaIN,
 * twice. */
static const char *zoo_name(sg1_tensor tensor, int block, int second, char *name)
{
    static const char *const formats[SG1_TENSORS] = {
        [SG1_WEIGHT] = "scaleLayers.%d.%d.module.weight",
        [SG1_BIAS] = "scaleLayers.%d.%d.module.bias",
        [SG1_NOISE_WEIGHT] = "noiseModulators.%d.%d.module.weight",
        [SG1_STYLE_WEIGHT] = "scaleLayers.%d.%d.styleModulator.module.weight",
        [SG1_STYLE_BIAS] = "scaleLayers.%d.%d.styleModulator.module.bias",
    };
    bool style = tensor == SG1_STYLE_WEIGHT || tensor == SG1_STYLE_BIAS;
    int item = tensor == SG1_NOISE_WEIGHT ? second : 2 * second + (style ? 1 : 0);
    const char *format = formats[tensor], *first = strstr(format, "%d");
    snprintf(name, SG2_NAME, "%.*s%d.%d%s", (int)(first - format), format, block - 1, item,
             first + strlen("%d.%d"));
    return name;
}

const char *sg1_name(const sg1_keys *keys, sg1_tensor tensor, int number, char *name)
{
    const char *format = keys->name[tensor], *digit = format ? strstr(format, "%d") : NULL;
    bool rgb = tensor == SG1_RGB_WEIGHT || tensor == SG1_RGB_BIAS;
    if (!format || (keys->zoo && ((rgb && number == 0) || (tensor == SG1_BIAS && number == 0))))
        return NULL;
    if (tensor == SG1_WEIGHT && number == 0)
        format = keys->zoo                ? "baseScale0"
                 : keys->name == genforce ? "synthesis.layer0.const"
                                          : "synthesis.layer0.first_layer";
    else if (keys->zoo && tensor <= SG1_STYLE_BIAS && number > 1)
        return zoo_name(tensor, number / 2, number % 2, name);
    digit = strstr(format, "%d");
    if (digit)
        snprintf(name, SG2_NAME, "%.*s%d%s", (int)(digit - format), format, number - (keys->zoo && rgb),
                 digit + 2);
    else
        snprintf(name, SG2_NAME, "%s", format);
    return name;
}
