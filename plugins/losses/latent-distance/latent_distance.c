/* latent_distance.c — latents at a given distance from where they started (Bounded Local Space, eq. 11). */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"target", LW_PARAM_FLOAT, "squared length", "100", 0, 1e12, NULL,
     "The squared distance wanted (section 4.2: 100, in W of StyleGAN2)."},
};

/* latents [N, ..], latents0 [N, ..] -> scalar */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value moved = lw_sub(g, lw_loss_value(inputs, "latents"), lw_loss_value(inputs, "latents0"));
    lw_value squared = lw_sum(g, lw_square(g, lw_flatten(g, moved, 1)), LW_AXIS(1), false);
    return lw_mean(g, lw_square(g, lw_affine(g, squared, 1, -lw_float(args, "target"))), LW_ALL_AXES, false);
}

static const char *const needs[] = {"latents", "latents0", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "latent-distance", "1.0.0", "Latents at a given distance from where they started",
          .source = "Harada et al., Bounded Local Space, eq. 11", LW_PARAMS(params), .needs = needs,
          .functions = &functions);
