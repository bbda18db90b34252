/* sphere.h — latents on the sphere of radius sqrt(n), where normal latents of n elements lie, and great
 * circles on it
 * ("Diamond in the rough", section 3.2). Rows are latents [size]; results may overwrite operands. */
#ifndef SPHERE_H
#define SPHERE_H

#include <latentwalk/latentwalk.h>

/* Puts rows [count, size] onto the sphere: z / sqrt(mean z^2 + 1e-8), the official code's. */
void sphere_project(float *rows, int64_t count, int64_t size);
/* next = proj(at + (at - before)): the next point of the great circle through two. */
void sphere_step(const float *before, const float *at, float *next, int64_t size);
/* Between two latents, in degrees. */
double sphere_angle(const float *a, const float *b, int64_t size);

/* The projection in a graph: rows [N, size]. */
lw_value sphere_projected(lw_graph *g, lw_value rows);
/* Copies of rows [N, size] onto the sphere. NULL where memory is short. */
lw_tensor *sphere_copy(const lw_tensor *rows);

#endif
