/* trajectory.h — the network of TrajectoryNet, apart from its training so that tests can build it too. */
#ifndef TRAJECTORY_H
#define TRAJECTORY_H

#include <latentwalk/latentwalk.h>

/* z [N, d] -> walk [N, points, d]: linear layers with ReLU between, sizes args "hidden" then points * d, and args
 * "smoothing" along the walk, then, with args "start" z0, moved so that it starts at z. Weights fc.0, fc.2, … as in torch's Sequential, from the current scope. */
lw_value trajectory(lw_graph *g, const lw_args *args, lw_value z);

/* walk [N, T, d] -> the same: 1-D average pooling over 3 points, "average" along the walk (ends over the 2 points
 * there are), or "notebook", the official code's: the row-major walk is viewed, not transposed, as [N, d, T], so
 * it mixes components, and zeros count at the ends. */
lw_value trajectory_smooth(lw_graph *g, const char *smoothing, lw_value walk);

#endif
