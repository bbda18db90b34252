/* direction.h — directions in a latent space: found by one step, kept in a file of their own, applied by another.
 *
 * A direction is a unit vector with the standard deviation of the latents along it, so that a walk can be told in
 * deviations. It belongs to the weights it was found in: lw_directions_fit refuses others. In W it moves some layers
 * of w+, by default all.
 *
 * Files are .safetensors: "vectors" [K, d], "deviations" [K], "scores" [K]; metadata "latentwalk.directions" = "1", "space",
 * "first_layer" and "last_layer" (W only), "method", "model" (the identity), and "forced" where it was made with those of
 * other weights.
 *
 * Between steps, on ports of space "direction", directions are displacements of one deviation each:
 * [K, z_dim] in Z, [K, num_ws, w_dim] in W, zero in the layers not moved.
 *
 * On the pipeline's thread; files and measures also elsewhere. */
#ifndef LATENTWALK_DIRECTION_H
#define LATENTWALK_DIRECTION_H

#include "step.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_directions {
    char space[4];                   /* "z" or "w" */
    int64_t count, size;             /* K, d */
    int64_t first_layer, last_layer; /* of w+, both included; last -1: the last of the model, whichever it is */
    char method[64];                 /* "method/sefa", or where an imported file came from */
    char model[17];                  /* lw_model_identity; "" in an imported file: unknown */
    bool forced;                     /* used with, or derived by force from, other weights */
    float *vectors;                  /* [K, d], unit length; owned */
    float *deviations;               /* [K]; owned */
    float *scores;                   /* [K]: eigenvalue, accuracy, …, as the method says; owned */
} lw_directions;

/* Zeros, deviations 1, all layers. NULL with LW_INVALID for another space, LW_SHAPE for impossible sizes. */
LW_API lw_directions *lw_directions_create(const char *space, int64_t count, int64_t size);
LW_API void lw_directions_destroy(lw_directions *directions);

/* Atomic. Vectors are made unit length first (LW_INVALID for a zero one, LW_NUMERIC for what is not finite). */
LW_API lw_status lw_directions_save(lw_directions *directions, const char *path);
/* A file of ours; or, with `space` for what it does not say: InterFaceGAN's boundaries (.npy [d] or [K, d], or [1, 1, d]
 * and the like), or GANSpace's components (.npz: lat_comp with lat_stdev). Refuses NaN, zero vectors, negative deviations,
 * with the file and the direction. `space` may be NULL for ours. */
LW_API lw_directions *lw_directions_load(const char *path, const char *space);

/* Do they belong to this model: identity, space, size, layers? LW_INVALID with an explanation otherwise. With `force` another
 * identity is accepted, and `forced` set; sizes and layers never. A file that does not say is accepted. */
LW_API lw_status lw_directions_fit(lw_directions *directions, lw_model *model, bool force);
/* What goes to a port, for a model that they fit; the caller's. */
LW_API lw_tensor *lw_directions_displacements(const lw_directions *directions, lw_model *model);

/* Latents of the model as generation draws them: z of normal numbers keyed by the seed and the purpose, [count, z_dim],
 * and in W what they are mapped to, not truncated, [count, w_dim]. Compiled for the step; the tensor is the caller's. */
LW_API lw_tensor *lw_step_latents(lw_step *step, lw_model *model, const char *space, int64_t count,
                                  const char *purpose);
/* Sets the deviations to those of latents [M, d] of their space along the directions (M >= 2, ddof 0). */
LW_API lw_status lw_directions_measure(lw_directions *directions, const lw_tensor *latents);
/* How a finder ends: the directions become the step's own (method, model), are measured on 5000 latents of the model
 * (GANSpace's number) unless `measured`, are saved as "directions.safetensors" in the step's folder and set as the output
 * `port`. Takes ownership, also on failure; NULL passes on the error that stands. */
LW_API lw_status lw_step_output_directions(lw_step *step, const char *port, lw_model *model,
                                           lw_directions *directions, bool measured);

#ifdef __cplusplus
}
#endif
#endif
