/* walk.h — a latent moved along a direction by so much. */
#ifndef WALK_H
#define WALK_H

#include <stdbool.h>
#include <stdint.h>

/* latent and displacement [layers, size] -> out [layers, size]: latent + amount displacement; with
 * `boundary`, every layer that is moved is put at that distance from the boundary through the origin instead
 * of being moved by it. A displacement is as long as its layer's unit. */
void walk_point(const float *latent, const float *displacement, int64_t layers, int64_t size, double amount,
                bool boundary, float *out);
/* Gives `point` the length of `latent`, [size] both, and so its density where latents are normal (DP-LaSE,
 * equation 2). */
void walk_keep_norm(const float *latent, int64_t size, float *point);

#endif
