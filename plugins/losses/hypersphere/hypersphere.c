/* hypersphere.c — keeps Gaussian latents where they are likely: near the sphere of radius sqrt(d), on which
 * almost all draws from N(0, I) lie. Without it, a loss on images is free to leave the latents a generator
 * was trained on. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <string.h>

static const char *const forms[] = {"squared", "absolute", NULL};
static const lw_param params[] = {
    {"form", LW_PARAM_CHOICE, NULL, "squared", 0, 0, forms,
     "Mean of (|z| - sqrt(d))^2, as the code of \"Diamond in the rough\" has it, or of its absolute value, "
     "as the paper."},
};

/* latents [N, d] or [N, T, d] -> scalar */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value z = lw_loss_value(inputs, "latents");
    int last = lw_shape_of(g, z).rank - 1;
    lw_value norm = lw_sqrt(g, lw_affine(g, lw_sum(g, lw_square(g, z), LW_AXIS(last), false), 1, 1e-8));
    lw_value away = lw_affine(g, norm, 1, -sqrt((double)lw_dim(g, z, last)));
    away = strcmp(lw_text(args, "form"), "squared") == 0 ? lw_square(g, away) : lw_abs(g, away);
    return lw_mean(g, away, LW_ALL_AXES, false);
}

static const char *const needs[] = {"latents", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "hypersphere", "1.0.0", "Latents near the sphere of radius sqrt(d), where Gaussian ones are",
          .source = "Diamond in the rough, eq. 4; diamondintherough d90ff185 (squared)", LW_PARAMS(params),
          .needs = needs, .functions = &functions);
