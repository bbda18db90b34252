/* tensorflow_names.c — which variable of a TensorFlow network is which tensor of its PyTorch port; see
 * tensorflow.c. */
#include "checkpoint/tensorflow.h"

#include <stdio.h>
#include <string.h>

/* "{r}x{r}/REST" -> r = 2^power, at least 4, and the rest; NULL for another name. */
static const char *resolution(const char *name, int *power)
{
    int r = 0, same = 0, used = 0;
    if (sscanf(name, "%5dx%5d/%n", &r, &same, &used) != 2 || used == 0 || r != same || r < 4 || (r & (r - 1)))
        return NULL;
    for (*power = 0; 1 << *power < r; ++*power)
        ;
    return name + used;
}

const char *lwi_tensorflow_numbered(const char *name, const char *prefix, int *n)
{
    size_t length = strlen(prefix);
    int used = 0;
    if (strncmp(name, prefix, length) != 0 || sscanf(name + length, "%5d%n", n, &used) != 1 || *n < 0)
        return NULL;
    const char *rest = name + length + used;
    return *rest == '/' ? rest + 1 : *rest ? NULL : rest;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* genforce's index of the layer that a variable of {r}x{r}/… belongs to, and what follows the layer's
 * name. */
static const char *layer(const char *rest, int power, int *index)
{
    static const struct {
        const char *name;
        int offset;
    } layers[] = {{"Dense/", 0}, {"Const/", 0}, {"Conv0_up/", 0}, {"Conv0/", 0}, {"Conv1/", 1}, {"Conv/", 1}};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        if (strncmp(rest, layers[i].name, strlen(layers[i].name)) == 0) {
            *index = 2 * (power - 2) + layers[i].offset;
            return rest + strlen(layers[i].name);
        }
    return NULL;
}

static bool pggan_name(const char *name, int lods, char *out, change *how)
{
    int power = 0, index = 0;
    const char *rest = lwi_tensorflow_numbered(name, "ToRGB_lod", &index), *leaf;
    *how = KEEP;
    if (is(name, "lod")) {
        snprintf(out, LONGEST_NAME, "lod");
    } else if (rest && (is(rest, "weight") || is(rest, "bias"))) {
        snprintf(out, LONGEST_NAME, "output%d.%s", lods - index, rest);
        *how = is(rest, "weight") ? KERNEL : KEEP;
    } else {
        rest = resolution(name, &power);
        leaf = rest ? layer(rest, power, &index) : NULL;
        if (!leaf || !(is(leaf, "weight") || is(leaf, "bias")))
            return false;
        snprintf(out, LONGEST_NAME, "layer%d.%s", index, leaf);
        *how = is(leaf, "bias") ? KEEP : strncmp(rest, "Dense", 5) == 0 ? DENSE_TO_4X4 : KERNEL;
    }
    return true;
}

static bool stylegan_layer(const char *leaf, int index, char *out, change *how)
{
    static const struct {
        const char *from, *to;
        change how;
    } leaves[] = {{"const", "const", KEEP},
                  {"weight", "weight", KERNEL},
                  {"bias", "bias", KEEP},
                  {"Noise/weight", "apply_noise.weight", KEEP},
                  {"StyleMod/weight", "style.weight", TURN},
                  {"StyleMod/bias", "style.bias", KEEP}};
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++)
        if (is(leaf, leaves[i].from)) {
            snprintf(out, LONGEST_NAME, "synthesis.layer%d.%s", index, leaves[i].to);
            *how = leaves[i].how;
            return true;
        }
    return false;
}

static bool stylegan_name(const char *name, int lods, char *out, change *how)
{
    static const char synthesis[] = "synthesis/";
    int n = 0, power = 0;
    const char *rest = lwi_tensorflow_numbered(name, "mapping/Dense", &n);
    *how = KEEP;
    if (rest && (is(rest, "weight") || is(rest, "bias"))) {
        *how = is(rest, "weight") ? TURN : KEEP;
        return snprintf(out, LONGEST_NAME, "mapping.dense%d.%s", n, rest) > 0;
    }
    if (is(name, "mapping/LabelConcat/weight"))
        return snprintf(out, LONGEST_NAME, "mapping.label_weight") > 0;
    if (is(name, "dlatent_avg"))
        return snprintf(out, LONGEST_NAME, "truncation.w_avg") > 0;
    if (strncmp(name, synthesis, sizeof synthesis - 1) != 0)
        return false;
    name += sizeof synthesis - 1;
    if (is(name, "lod"))
        return snprintf(out, LONGEST_NAME, "synthesis.lod") > 0;
    rest = lwi_tensorflow_numbered(name, "noise", &n);
    if (rest && !*rest)
        return snprintf(out, LONGEST_NAME, "synthesis.layer%d.apply_noise.noise", n) > 0;
    rest = lwi_tensorflow_numbered(name, "ToRGB_lod", &n);
    if (rest && (is(rest, "weight") || is(rest, "bias"))) {
        *how = is(rest, "weight") ? KERNEL : KEEP;
        return snprintf(out, LONGEST_NAME, "synthesis.output%d.%s", lods - n, rest) > 0;
    }
    rest = resolution(name, &power);
    const char *leaf = rest ? layer(rest, power, &n) : NULL;
    return leaf && stylegan_layer(leaf, n, out, how);
}

/* Modulated layers of StyleGAN2: {r}x{r}/{Conv0_up,Conv1,Conv,ToRGB}/LEAF; Skip and Const have one leaf
 * each. */
static bool stylegan2_layer(const char *rest, int resolved, char *out, change *how)
{
    static const struct {
        const char *from, *to;
        change weight;
    } layers[] = {{"Conv0_up/", "conv0", KERNEL_FLIP},
                  {"Conv1/", "conv1", KERNEL},
                  {"Conv/", "conv1", KERNEL},
                  {"ToRGB/", "torgb", KERNEL},
                  {"Skip/", "skip", KERNEL_FLIP}};
    static const struct {
        const char *from, *to;
        change how;
    } leaves[] = {{"weight", "weight", KERNEL},
                  {"bias", "bias", KEEP},
                  {"noise_strength", "noise_strength", KEEP},
                  {"mod_weight", "affine.weight", TURN},
                  {"mod_bias", "affine.bias", PLUS_ONE}};
    if (is(rest, "Const/const")) {
        *how = DROP_FIRST;
        return snprintf(out, LONGEST_NAME, "synthesis.b%d.const", resolved) > 0;
    }
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        size_t length = strlen(layers[i].from);
        if (strncmp(rest, layers[i].from, length) != 0)
            continue;
        for (size_t k = 0; k < sizeof leaves / sizeof leaves[0]; k++)
            if (is(rest + length, leaves[k].from)) {
                *how = k == 0 ? layers[i].weight : leaves[k].how;
                return snprintf(out, LONGEST_NAME, "synthesis.b%d.%s.%s", resolved, layers[i].to,
                                leaves[k].to) > 0;
            }
    }
    return false;
}

static bool stylegan2_name(const char *name, char *out, change *how)
{
    static const char synthesis[] = "synthesis/";
    int n = 0, power = 0;
    const char *rest = lwi_tensorflow_numbered(name, "mapping/Dense", &n);
    *how = KEEP;
    if (rest && (is(rest, "weight") || is(rest, "bias"))) {
        *how = is(rest, "weight") ? TURN : KEEP;
        return snprintf(out, LONGEST_NAME, "mapping.fc%d.%s", n, rest) > 0;
    }
    if (is(name, "mapping/LabelEmbed/weight") || is(name, "mapping/LabelEmbed/bias")) {
        *how = is(name, "mapping/LabelEmbed/weight") ? TURN : KEEP;
        return snprintf(out, LONGEST_NAME, "mapping.embed.%s", *how == TURN ? "weight" : "bias") > 0;
    }
    if (is(name, "dlatent_avg"))
        return snprintf(out, LONGEST_NAME, "mapping.w_avg") > 0;
    if (strncmp(name, synthesis, sizeof synthesis - 1) != 0)
        return false;
    name += sizeof synthesis - 1;
    rest = lwi_tensorflow_numbered(name, "noise", &n);
    if (rest && !*rest && n < 40) { /* 0: 4x4; then conv0 and conv1 of each resolution */
        *how = DROP_TWO;
        return snprintf(out, LONGEST_NAME, "synthesis.b%d.conv%d.noise_const", 4 << (n + 1) / 2,
                        n % 2 ? 0 : 1) > 0;
    }
    rest = resolution(name, &power);
    return rest && stylegan2_layer(rest, 1 << power, out, how);
}

static bool discriminator_name(const char *name, char *out, change *how)
{
    static const struct {
        const char *from, *to;
    } layers[] = {{"FromRGB/", "fromrgb"}, {"Conv0/", "conv0"}, {"Conv1_down/", "conv1"},
                  {"Skip/", "skip"},       {"Conv/", "conv"},   {"Dense0/", "fc"}};
    int n = 0, power = 0;
    const char *rest = lwi_tensorflow_numbered(name, "Mapping", &n);
    bool label = strncmp(name, "LabelEmbed/", 11) == 0, output = strncmp(name, "Output/", 7) == 0;
    const char *leaf = strrchr(name, '/') ? strrchr(name, '/') + 1 : "";
    *how = is(leaf, "weight") ? TURN : KEEP;
    if (!is(leaf, "weight") && !is(leaf, "bias"))
        return false;
    if (rest)
        return snprintf(out, LONGEST_NAME, "mapping.fc%d.%s", n, leaf) > 0;
    if (label || output)
        return snprintf(out, LONGEST_NAME, "%s.%s", label ? "mapping.embed" : "b4.out", leaf) > 0;
    rest = resolution(name, &power);
    for (size_t i = 0; rest && i < sizeof layers / sizeof layers[0]; i++) {
        size_t length = strlen(layers[i].from);
        if (strncmp(rest, layers[i].from, length) != 0 || rest + length != leaf)
            continue;
        *how = is(leaf, "bias") ? KEEP : i == 5 ? TURN : KERNEL;
        return snprintf(out, LONGEST_NAME, "b%d.%s.%s", 1 << power, layers[i].to, leaf) > 0;
    }
    return false;
}

bool lwi_tensorflow_rename(family kind, const char *name, int lods, char *out, change *how)
{
    switch (kind) {
    case PGGAN: return pggan_name(name, lods, out, how);
    case STYLEGAN: return stylegan_name(name, lods, out, how);
    case STYLEGAN2: return stylegan2_name(name, out, how);
    case STYLEGAN2_D: return discriminator_name(name, out, how);
    default: return false;
    }
}
