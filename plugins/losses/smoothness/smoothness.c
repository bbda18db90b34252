/* smoothness.c — TrajectoryNet's smoothness: squared distances between neighbouring points of a walk, in
 * latent space or between their images. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const spaces[] = {"latents", "images", NULL};
static const char *const reductions[] = {"sum", "mean", NULL};
static const lw_param params[] = {
    {"of", LW_PARAM_CHOICE, NULL, "latents", 0, 0, spaces,
     "Whose steps: the latents' (the paper), or the images', so that every step changes the picture alike "
     "(ours)."},
    {"reduction", LW_PARAM_CHOICE, NULL, "sum", 0, 0, reductions,
     "The paper's sum over a walk's steps (mean over walks), or the official code's mean over steps and "
     "components."},
};

/* latents [N, T, ...], images [N * T, C, H, W] -> scalar */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_value path = lw_loss_value(inputs, "latents");
    int64_t walks = lw_dim(g, path, 0), points = lw_dim(g, path, 1);
    if (points < 2)
        return lw_graph_fail(g, LW_SHAPE,
                             "loss/smoothness: a walk needs at least 2 points, this one has %lld",
                             (long long)points);
    if (strcmp(lw_text(args, "of"), "images") == 0)
        path = lw_split(g, lw_loss_value(inputs, "images"), 0, walks);
    lw_value step = lw_sub(g, lw_slice(g, path, 1, 1, points - 1, 1), lw_slice(g, path, 1, 0, points - 1, 1));
    lw_value squared = lw_square(g, step);
    if (strcmp(lw_text(args, "reduction"), "mean") == 0)
        return lw_mean(g, squared, LW_ALL_AXES, false);
    return lw_affine(g, lw_sum(g, squared, LW_ALL_AXES, false), 1.0 / (double)walks, 0);
}

static const char *const needs[] = {"latents", "images", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "smoothness", "1.0.0", "Short, even steps along a walk: the sum of |z[i+1] - z[i]|^2",
          .source = "TrajectoryNet, section III.C; lateGAN a4604a17 (mean)", LW_PARAMS(params),
          .needs = needs, .functions = &functions);
