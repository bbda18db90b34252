/* path_length.c — StyleGAN2's path length regularisation: a step in w changes the image by about as much
 * everywhere (Karras et al. 2020, section 3.2, eq. 4). */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const lw_param params[] = {
    {"decay", LW_PARAM_FLOAT, NULL, "0.01", 1e-6, 1, NULL,
     "How fast the wanted length follows the mean of those met (StyleGAN2: 0.01)."},
};

/* images [N, C, H, W] of w+ [N, num_ws, w_dim] -> scalar. |J^T y| for an image y of noise is the gradient of
 * their product; its square is averaged over the layers. The wanted length is the running mean, this batch
 * counted in. */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value images = lw_loss_value(inputs, "images"), ws = lw_loss_value(inputs, "w+"), gradient;
    double pixels = (double)lw_dim(g, images, 2) * (double)lw_dim(g, images, 3),
           decay = lw_float(args, "decay");
    lw_value noise = lw_random_normal(g, lw_shape_of(g, images), "path-length");
    noise = lw_affine(g, noise, 1 / sqrt(pixels), 0);
    lw_gradient(g, images, noise, &ws, 1, &gradient);
    lw_value squared = lw_mean(g, lw_sum(g, lw_square(g, gradient), LW_AXIS(2), false), LW_AXIS(1), false);
    lw_value length = lw_sqrt(g, lw_affine(g, squared, 1, 1e-12)); /* [N]; its slope at 0 stays finite */
    lw_value kept = lw_loss_state(g, inputs, "mean", LW_SCALAR, 0);
    lw_value wanted = lw_add(g, lw_affine(g, kept, 1 - decay, 0),
                             lw_affine(g, lw_mean(g, length, LW_ALL_AXES, false), decay, 0));
    lw_assign(g, kept, wanted);
    return lw_mean(g, lw_square(g, lw_sub(g, length, wanted)), LW_ALL_AXES, false);
}

static const char *const needs[] = {"images", "w+", "map", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "path-length", "1.0.0", "Equal steps in w change images by equal amounts",
          .source = "Karras et al. 2020, eq. 4; stylegan2-ada-pytorch d72cc7d0, training/loss.py",
          LW_PARAMS(params), .needs = needs, .functions = &functions);
