/* sizes.c — the generator's sizes, and how weights and constructor arguments tell them. */
#include "biggan.h"

#include <string.h>

/* BigGAN.py, G_arch */
static const biggan_arch archs[] = {
    {"32", 3, {4, 4, 4}, {4, 4, 4}},
    {"64", 4, {16, 16, 8, 4}, {16, 8, 4, 2}},
    {"128", 5, {16, 16, 8, 4, 2}, {16, 8, 4, 2, 1}},
    {"256", 6, {16, 16, 8, 8, 4, 2}, {16, 8, 8, 4, 2, 1}},
    {"512", 7, {16, 16, 8, 8, 4, 2, 1}, {16, 8, 8, 4, 2, 1, 1}},
};

const biggan_arch *biggan_arch_of(const lw_args *args)
{
    const biggan_arch *arch = archs;
    while (strcmp(arch->resolution, lw_text(args, "resolution")) != 0)
        arch++;
    return arch;
}

int64_t biggan_chunk(const lw_args *args)
{
    return lw_bool(args, "hier") ? lw_int(args, "z_dim") / (biggan_arch_of(args)->blocks + 1)
                                 : lw_int(args, "z_dim");
}

int64_t biggan_z_dim(const lw_args *args)
{
    return lw_bool(args, "hier") ? biggan_chunk(args) * (biggan_arch_of(args)->blocks + 1)
                                 : lw_int(args, "z_dim");
}

/* --- finding -------------------------------------------------------------------------------- */

/* At which sides, [16, 32], the weights have self-attention. */
static lw_status set_attention(const lw_weights *weights, lw_args *args, int blocks)
{
    int64_t found[9];
    int count = 0;
    for (int j = 0; j < blocks; j++)
        if (lw_weights_shape(weights, NULL, "blocks.%d.1.gamma", j))
            found[count++] = 8 << j;
    return lw_args_set_ints(args, "attention", found, count);
}

/* hier, shared, shared_dim, classes, z_dim: from the first layer and the first block's gains. */
static lw_status set_latent(const lw_weights *weights, lw_args *args, int blocks, int64_t chunk,
                            lw_shape gain)
{
    lw_shape shared;
    bool is_shared = lw_weights_shape(weights, &shared, "shared.weight") && shared.rank == 2;
    bool hier = is_shared && gain.dim[1] == shared.dim[1] + chunk;
    LW_TRY(lw_args_set_bool(args, "shared", is_shared));
    LW_TRY(lw_args_set_bool(args, "hier", hier));
    if (is_shared)
        LW_TRY(lw_args_set_int(args, "shared_dim", shared.dim[1]));
    LW_TRY(lw_args_set_int(args, "classes", is_shared ? shared.dim[0] : gain.dim[0]));
    return lw_args_set_int(args, "z_dim", hier ? chunk * (blocks + 1) : chunk);
}

/* BN_eps of the constructor's arguments, which no shape tells. */
static lw_status set_from_config(const lw_weights *weights, lw_args *args)
{
    double eps;
    if (lw_is_given(args, "bn_eps") || !lw_weights_config_number(weights, "BN_eps", &eps))
        return LW_OK;
    return lw_args_set_float(args, "bn_eps", eps);
}

lw_status biggan_detect(const lw_weights *weights, lw_args *args)
{
    lw_shape linear, gain, last;
    int blocks = 0;
    while (blocks < 9 && lw_weights_shape(weights, NULL, "blocks.%d.0.bn1.gain.weight", blocks))
        blocks++;
    if (blocks < 3 || blocks > 7 || !lw_weights_shape(weights, &linear, "linear.weight") ||
        linear.rank != 2 || !lw_weights_shape(weights, &last, "output_layer.2.weight") || last.rank != 4 ||
        !lw_weights_shape(weights, &gain, "blocks.0.0.bn1.gain.weight") || gain.rank != 2)
        return lw_fail(LW_UNSUPPORTED,
                       "no BigGAN generator: no linear.weight, output_layer.2.weight and three to seven "
                       "blocks.N.0.bn1.gain.weight (BigGAN-PyTorch)");
    const biggan_arch *arch = &archs[blocks - 3];
    LW_TRY(lw_args_set_text(args, "resolution", arch->resolution));
    LW_TRY(lw_args_set_int(args, "ch", last.dim[1] / arch->out[blocks - 1]));
    LW_TRY(set_latent(weights, args, blocks, linear.dim[1], gain));
    LW_TRY(set_attention(weights, args, blocks));
    bool mybn = lw_weights_shape(weights, NULL, "blocks.0.0.bn1.bn.stored_mean");
    bool sync = lw_weights_shape(weights, NULL, "blocks.0.0.bn1.bn.running_mean");
    LW_TRY(lw_args_set_text(args, "statistics", mybn ? "mybn" : sync ? "cross-replica" : "bn"));
    LW_TRY(lw_args_set_bool(args, "spectral_norm", lw_weights_shape(weights, NULL, "linear.u0")));
    return set_from_config(weights, args);
}
