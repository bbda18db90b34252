/* hyperplanes.h — Directional-GAN's parts: hyperplanes of latent space on which attributes have one value,
 * and the way from a latent to given values of all of them. */
#ifndef HYPERPLANES_H
#define HYPERPLANES_H

#include <latentwalk/linalg.h>

/* Attribute k of latent x is estimated as mean[k] + deviation[k] (normal[k] . x - offset[k]). */
typedef struct hyperplanes {
    int64_t count, size;     /* attributes, elements of a latent */
    double *normals;         /* [count, size] */
    double *offsets;         /* [count] */
    double *means, *spreads; /* [count] of the scores: mean, deviation */
} hyperplanes;

/* Of the first `rows` latents [.., size] with scores [.., columns], of which `which` [count] says the
 * columns: the hyperplanes that estimate the scores best in the least squares' sense. LW_INVALID for too few
 * rows and for an attribute whose scores do not vary; scores and latents must be finite. */
lw_status hyperplanes_fit(hyperplanes *h, const float *latents, const float *scores, int64_t rows,
                          int64_t columns, const int64_t *which);
/* Zeros, to be fitted. False where memory is short. */
bool hyperplanes_create(hyperplanes *h, int64_t count, int64_t size);
void hyperplanes_destroy(hyperplanes *h);

double hyperplanes_estimate(const hyperplanes *h, int64_t k, const float *latent);
/* The shortest ways [first, size] that change attribute k, one of the first ones, by one deviation and leave
 * all others. */
lw_status hyperplanes_directions(const hyperplanes *h, int64_t first, float *directions);
/* Latents [rows, size] moved the shortest way to where the attributes are estimated to be `values` [count];
 * NaN stands for what they are estimated to be now. */
lw_status hyperplanes_project(const hyperplanes *h, const double *values, float *latents, int64_t rows);

#endif
