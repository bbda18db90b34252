/* gradient_penalty.c — WGAN-GP: the critic's gradient has length 1 between real and made images (Gulrajani et
 * al. 2017, eq. 3). */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"target", LW_PARAM_FLOAT, NULL, "1", 1e-6, 1e6, NULL,
     "The length wanted (WGAN-GP: 1; Karras et al. 2018 tried 750 with CIFAR); the loss is relative to its "
     "square."},
};

/* real_images, images [N, C, H, W] -> scalar: the mean of (|gradient| / target - 1)^2 at one point on the
 * line between each pair. */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value real = lw_loss_value(inputs, "real_images"), made = lw_loss_value(inputs, "images"), gradient;
    lw_value share = lw_random_uniform(g, LW_SHAPE(lw_dim(g, real, 0), 1, 1, 1), "gradient-penalty");
    lw_value between = lw_add(g, real, lw_mul(g, share, lw_sub(g, made, real)));
    lw_gradient(g, lw_loss_score(g, inputs, between), (lw_value){0}, &between, 1, &gradient);
    lw_value squared = lw_sum(g, lw_square(g, gradient), LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3), false);
    lw_value length = lw_sqrt(g, lw_affine(g, squared, 1, 1e-12)); /* whose slope at 0 stays finite */
    lw_value away = lw_square(g, lw_affine(g, length, 1 / lw_float(args, "target"), -1));
    return lw_mean(g, away, LW_ALL_AXES, false);
}

static const char *const needs[] = {"real_images", "images", "discriminator", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(
    LOSS, "gradient-penalty", "1.0.0", "A critic whose gradient has length 1 between real and made images",
    .source = "Gulrajani et al. 2017, eq. 3; improved_wgan_training fa66c574; Karras et al. 2018 (target)",
    LW_PARAMS(params), .needs = needs, .functions = &functions);
