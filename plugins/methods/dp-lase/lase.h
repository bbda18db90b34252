/* lase.h — what DP-LaSE minimises (section 3.2, equations 1 to 11), as graphs.
 *
 * F, C and the directions are weights of the current scope: F.I, C.I, and `directions` [k, d], whose rows
 * count as unit vectors wherever they are used (as the released code does; by the paper's equations alone
 * they would grow without bound, because a longer direction changes more). */
#ifndef DP_LASE_LASE_H
#define DP_LASE_LASE_H

#include "density.h"

/* How a walk keeps its density: not at all (eq. 1), as that of a known Gaussian, by its norm (eq. 2), as F
 * and C have learned it (eq. 6), or as F has learned it, by the shortest way (ours, in place of C:
 * README.md). */
typedef enum lase_density { LASE_NONE, LASE_GAUSSIAN, LASE_LEARNED, LASE_RESTORED } lase_density;

typedef struct lase {
    lw_model *model;
    const char *tap; /* where G1 ends */
    bool in_w;       /* walks go through W, from mapped latents, not truncated; otherwise Z */
    bool released;   /* variation and orthogonality as in the released code */
    lase_density preserve;
    int64_t count, size;  /* k directions of d elements */
    int64_t batch, drawn; /* latents, and how many directions are tried on each */
    int64_t correction;   /* hidden units of C */
    density f;
    double range; /* strides lie in [-range, range] */
    double nu, lambda, zeta;
} lase;

/* Is F trained? */
bool lase_learns_density(const lase *l);
/* Rows of unit length of the weight `directions` [k, d]. */
lw_value lase_directions(lw_graph *g, const lase *l);
/* Normal numbers made orthogonal to the rows before them, not normalised (the released code's start). [k, d]
 * in place */
void lase_orthogonalise(float *rows, int64_t count, int64_t size);

/* z_dp (eq. 1, 2, 6, or restored) of latents, strides [M, 1] and directions, [M, d] all. */
lw_value lase_walk(lw_graph *g, const lase *l, lw_value latent, lw_value stride, lw_value direction);
/* G1 (the tap) of latents [M, d] -> [M, P, C]: P pixels of C channels, or, of a tap without pixels, C = 1. */
lw_value lase_features(lw_graph *g, const lase *l, lw_value latent);

/* Changes of features [B, m, P, C], of m directions out of k tried on each latent, to a scalar: the
 * expectation of equation 8 over which directions those are. With m = k it is equation 8 itself. */
lw_value lase_variation(lw_graph *g, lw_value change, int64_t count, double lambda);
/* The released code's, of m = 2: minus the mean squared change, weighted by `weight` [B] of the first
 * direction, plus lambda times the mean squared cosine between the two changes of a channel, over the latents
 * whose directions differ. */
typedef struct lase_released {
    lw_value positive, negative; /* the two means */
} lase_released;
lase_released lase_variation_released(lw_graph *g, lw_value change, lw_value weight, lw_value drawn);

/* Everything that a training step minimises, and its parts; null where a part does not apply. */
typedef struct lase_losses {
    lw_value total;                         /* eq. 11 */
    lw_value monotone, likelihood, density; /* eq. 4, 5, 7, where F learns the density */
    lw_value variation, orthogonality;      /* eq. 8, 10 */
    lase_released released;
} lase_losses;
/* latent [B, d], stride [B, 1], drawn [B, m] (numbers of directions; all different, or as they come where
 * `released`), ladder [k] (where `released`: the weights of the directions). */
lase_losses lase_build(lw_graph *g, const lase *l, lw_value latent, lw_value stride, lw_value drawn,
                       lw_value ladder);

#endif
