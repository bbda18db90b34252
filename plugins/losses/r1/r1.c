/* r1.c — the R1 regulariser: how steep the discriminator is at real images (Mescheder, Geiger, Nowozin 2018,
 * eq. 9). */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"gamma", LW_PARAM_FLOAT, NULL, "10", 0, 1e6, NULL,
     "The loss is gamma / 2 times the mean squared gradient (StyleGAN2, config-f at 1024 px: 10; "
     "stylegan2-ada's `auto`: 0.0002 side^2 / batch)."},
};

/* real [N, 1], real_images [N, C, H, W] -> scalar. A score depends on its own image alone (but for batch norm
 * and minibatch deviation), so the gradient of the sum holds each image's own. */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value images = lw_loss_value(inputs, "real_images"), gradient;
    lw_gradient(g, lw_loss_value(inputs, "real"), (lw_value){0}, &images, 1, &gradient);
    lw_value squared = lw_sum(g, lw_square(g, gradient), LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3), false);
    return lw_affine(g, lw_mean(g, squared, LW_ALL_AXES, false), lw_float(args, "gamma") / 2, 0);
}

static const char *const needs[] = {"real", "real_images", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(
    LOSS, "r1", "1.0.0", "Gradient of the discriminator at real images",
    .source = "Mescheder, Geiger, Nowozin 2018, eq. 9; stylegan2-ada-pytorch d72cc7d0, training/loss.py",
    LW_PARAMS(params), .needs = needs, .functions = &functions);
