/* diversity.c — keeps a walk from standing still: minus the mean squared distance between its images. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const pairs[] = {"all", "ends", NULL};
static const lw_param params[] = {
    {"pairs", LW_PARAM_CHOICE, NULL, "all", 0, 0, pairs,
     "All pairs of a walk's images (official code; best served by one jump in the middle), or only its first "
     "and last (ours)."},
};

/* walk [N, T, C, H, W] -> scalar: the mean squared pixel difference between first and last images */
static lw_value between_ends(lw_graph *g, lw_value walk)
{
    lw_value last = lw_slice(g, walk, 1, lw_dim(g, walk, 1) - 1, 1, 1);
    return lw_mean(g, lw_square(g, lw_sub(g, last, lw_slice(g, walk, 1, 0, 1, 1))), LW_ALL_AXES, false);
}

/* latents [N, T, ...], images [N * T, C, H, W] -> scalar.
 * The mean over pairs i < j of mean_pixels (x_i - x_j)^2 equals 2 / (T - 1) * sum_i mean_pixels (x_i - m)^2
 * with m the walk's mean image, so no pair is formed. */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    int64_t points = lw_dim(g, lw_loss_value(inputs, "latents"), 1);
    if (points < 2)
        return lw_graph_fail(g, LW_SHAPE, "loss/diversity: a walk needs at least 2 points, this one has %lld",
                             (long long)points);
    lw_value images = lw_loss_value(inputs, "images");
    lw_value walk = lw_split(g, images, 0, lw_dim(g, images, 0) / points); /* [N, T, C, H, W] */
    if (strcmp(lw_text(args, "pairs"), "ends") == 0)
        return lw_neg(g, between_ends(g, walk));
    lw_value away = lw_sub(g, walk, lw_mean(g, walk, LW_AXIS(1), true));
    lw_value spread = lw_mean(g, lw_square(g, away), LW_ALL_AXES, false);
    return lw_affine(g, spread, -2.0 * (double)points / (double)(points - 1), 0);
}

static const char *const needs[] = {"latents", "images", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "diversity", "1.0.0",
          "Different images along a walk: minus the mean pairwise squared image distance",
          .source = "lateGAN a4604a17, second variant (not in the paper)", LW_PARAMS(params), .needs = needs,
          .functions = &functions);
