/* bounds.h — Bounded Local Space, equations 4 to 8: a wanted step of w as a step of z within bounds. */
#ifndef BOUNDS_H
#define BOUNDS_H

#include <latentwalk/local.h>

/* The step of z [z_dim] for the wanted step of w [w_dim] at latent `index` of the local geometry.
 * Coefficients of the wanted step along the singular vectors (eq. 6) are clamped to alpha times their
 * singular values (eq. 7); directions below the geometry's cutoff have none (supplement, section 1).
 * Coefficients, where not NULL, gets them, clamped, [k]. */
void bounded_step(const lw_local *local, int64_t index, const float *wanted, double alpha, float *step,
                  float *coefficients);

#endif
