/* sizes.c — see sizes.h. */
#include "sizes.h"

#include <stdio.h>

enum { MOST = 64 }; /* layers */

/* Which blocks double the side. No shape tells: the constructor's arguments do, or the user; every published
 * configuration doubles in each second block. */
static lw_status set_upsample(const lw_weights *weights, lw_args *args, int blocks)
{
    int64_t doubles[MOST];
    char key[32];
    if (lw_is_given(args, "upsample"))
        return LW_OK;
    for (int i = 0; i < blocks; i++) {
        double up = i % 2;
        snprintf(key, sizeof key, "layers.%d.0", i);
        lw_weights_config_number(weights, key, &up);
        doubles[i] = up != 0;
    }
    return lw_args_set_ints(args, "upsample", doubles, blocks);
}

/* blocks, their channels, and where the attention stands among them */
static lw_status set_layers(const lw_weights *weights, lw_args *args, int64_t width)
{
    int64_t multiples[MOST], attention = -1;
    int blocks = 0;
    lw_shape out;
    for (int i = 0; i < MOST; i++) {
        if (lw_weights_shape(weights, NULL, "generator.layers.%d.gamma", i))
            attention = i;
        else if (lw_weights_shape(weights, &out, "generator.layers.%d.conv_3.bias", i) && out.rank == 1)
            multiples[blocks++] = out.dim[0] / width;
        else
            break;
    }
    LW_TRY(lw_args_set_ints(args, "multiples", multiples, blocks));
    LW_TRY(lw_args_set_int(args, "attention_layer_position", attention));
    return set_upsample(weights, args, blocks);
}

static lw_status set_eps(const lw_weights *weights, lw_args *args)
{
    double eps;
    if (lw_is_given(args, "eps") || !lw_weights_config_number(weights, "eps", &eps))
        return LW_OK;
    return lw_args_set_float(args, "eps", eps);
}

lw_status deep_detect(const lw_weights *weights, lw_args *args)
{
    lw_shape embed, first, rgb, means;
    if (!lw_weights_shape(weights, &embed, "embeddings.weight") || embed.rank != 2 ||
        !lw_weights_shape(weights, &first, "generator.gen_z.weight_orig") || first.rank != 2 ||
        !lw_weights_shape(weights, &rgb, "generator.conv_to_rgb.weight_orig") || rgb.rank != 4 ||
        !lw_weights_shape(weights, &means, "generator.bn.running_means") || means.rank != 2)
        return lw_fail(
            LW_UNSUPPORTED,
            "no BigGAN-deep generator: no embeddings.weight, generator.gen_z.weight_orig, "
            "generator.bn.running_means and generator.conv_to_rgb.weight_orig (pytorch-pretrained-BigGAN)");
    LW_TRY(lw_args_set_int(args, "classes", embed.dim[1]));
    LW_TRY(lw_args_set_int(args, "class_embed_dim", embed.dim[0]));
    LW_TRY(lw_args_set_int(args, "z_dim", first.dim[1] - embed.dim[0]));
    LW_TRY(lw_args_set_int(args, "channel_width", rgb.dim[1]));
    LW_TRY(lw_args_set_int(args, "n_stats", means.dim[0]));
    LW_TRY(set_eps(weights, args));
    return set_layers(weights, args, rgb.dim[1]);
}
