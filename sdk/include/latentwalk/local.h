/* local.h — the local geometry of a generator at latents z: where they are mapped to, the Jacobian of that, and its
 * singular vectors (the Local Basis: Choi et al., "Do Not Escape From the Manifold", ICLR 2022).
 *
 * At each z, with J = dw/dz = sum over i of values[i] left[i] right[i]^T: a small step of 1 along right[i] in Z is
 * one of values[i] along left[i] in W. For the geometry of a tap instead of w (of a generator without a mapping,
 * say), w is that tap, flattened.
 *
 * J takes one product per layer (lw_jacobian), the vectors come from lw_svd_above. On the pipeline's thread. */
#ifndef LATENTWALK_LOCAL_H
#define LATENTWALK_LOCAL_H

#include "linalg.h"
#include "step.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_local_options {
    uint32_t size;
    const char *tap; /* "block0": a tap of the generator; NULL for w */
    int64_t batch;   /* latents at a time; 0 means 16 */
    float cutoff;    /* vectors are wanted of singular values above it; 0 for all of them */
} lw_local_options;

/* Everything is row-major, belongs to the object and is overwritten by the next lw_local_at. */
typedef struct lw_local {
    int64_t batch, z_dim, w_dim, k; /* k = min(z_dim, w_dim) */
    const float *w;                 /* [batch, w_dim], not truncated */
    const float *jacobian;          /* [batch, w_dim, z_dim] */
    const int64_t *rank;            /* [batch]: how many singular values are above the cutoff */
    const float *values;            /* [batch, k], descending; zeros from rank on */
    const float *left;              /* [batch, k, w_dim]: rows are unit vectors in W; zeros from rank on */
    const float *right;             /* [batch, k, z_dim]: rows are unit vectors in Z; zeros from rank on */
} lw_local;

/* NULL with LW_UNSUPPORTED where the generator has no mapping and no tap is named, with LW_NOT_FOUND for a tap it
 * does not have (and those it has). The model and the device must outlive it. For a step: its program belongs to
 * the step and its cost is reported. */
LW_API lw_local *lw_local_create_with(lw_model *model, lw_device *device, const lw_local_options *options);
LW_API lw_local *lw_step_local_with(lw_step *step, lw_model *model, const lw_local_options *options);
#define lw_local_create(model, device, ...)                                                        \
    lw_local_create_with(model, device, LW_OPTIONS(lw_local_options, __VA_ARGS__))
#define lw_step_local(step, model, ...) lw_step_local_with(step, model, LW_OPTIONS(lw_local_options, __VA_ARGS__))
LW_API void lw_local_destroy(lw_local *local);
/* z [count, z_dim], 1 <= count <= batch (LW_INVALID otherwise): w, jacobian and the vectors of the first `count`. */
LW_API lw_status lw_local_at(lw_local *local, const float *z, int64_t count);
/* The same without the decomposition: w and jacobian only. */
LW_API lw_status lw_local_jacobian(lw_local *local, const float *z, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
