/* trajectory.c — the network of TrajectoryNet (section III.B) and its smoothing (section IV.C). */
#include "trajectory.h"

#include <math.h>
#include <string.h>

/* x [N, T, d] -> [N, T, d]: sums of 3 neighbours along axis 1, zeros beyond the ends. */
static lw_value sum_of_3(lw_graph *g, lw_value x)
{
    int64_t points = lw_dim(g, x, 1);
    lw_value padded = lw_pad(g, x, 1, 1, 1);
    lw_value before = lw_slice(g, padded, 1, 0, points, 1), after = lw_slice(g, padded, 1, 2, points, 1);
    return lw_add(g, lw_add(g, before, x), after);
}

lw_value trajectory_smooth(lw_graph *g, const char *smoothing, lw_value walk)
{
    int64_t n = lw_dim(g, walk, 0), points = lw_dim(g, walk, 1), d = lw_dim(g, walk, 2);
    if (strcmp(smoothing, "average") == 0) {
        lw_value count = sum_of_3(g, lw_fill(g, LW_SHAPE(1, points, 1), 1));
        return lw_div(g, sum_of_3(g, walk), count);
    }
    if (strcmp(smoothing, "notebook") == 0) {
        lw_value viewed = lw_transpose(g, lw_reshape(g, walk, LW_SHAPE(n, d, points)), 1, 2);
        return lw_affine(g, sum_of_3(g, viewed), 1.0 / 3, 0);
    }
    return walk;
}

/* x [N, in] -> [N, out], initialised as torch.nn.Linear. */
static lw_value linear(lw_graph *g, lw_value x, int64_t out, int index)
{
    int64_t in = lw_dim(g, x, 1);
    double bound = 1 / sqrt((double)in);
    lw_value weight = lw_weight(g, LW_SHAPE(out, in), lw_init_uniform(-bound, bound), "fc.%d.weight", index);
    return lw_linear(g, x, weight,
                     lw_weight(g, LW_SHAPE(out), lw_init_uniform(-bound, bound), "fc.%d.bias", index));
}

lw_value trajectory(lw_graph *g, const lw_args *args, lw_value z)
{
    int64_t n = lw_dim(g, z, 0), d = lw_dim(g, z, 1), points = lw_int(args, "points");
    int layers = lw_list_count(args, "hidden");
    lw_value h = z;
    for (int i = 0; i < layers; i++)
        h = lw_relu(g, linear(g, h, lw_list_int(args, "hidden", i), 2 * i));
    lw_value walk = lw_reshape(g, linear(g, h, points * d, 2 * layers), LW_SHAPE(n, points, d));
    walk = trajectory_smooth(g, lw_text(args, "smoothing"), walk);
    if (strcmp(lw_text(args, "start"), "z0") != 0)
        return walk;
    return lw_add(g, lw_sub(g, walk, lw_slice(g, walk, 1, 0, 1, 1)), lw_reshape(g, z, LW_SHAPE(n, 1, d)));
}
