/* recovery.h — the parts of latent-recovery: what the critic sees in pictures, where descents start, what
 * they descend. */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "descent.h"

/* --- views.c: features of pictures, each seen with a copy of itself as the official code does, so that a
 * critic that looks at how a batch varies sees none ---------------------------------------------------------
 */
typedef struct views {
    lw_program *of_image,
        *of_latent; /* inputs "image" [1, C, H, W] and "z" [1, z_dim]; output "features" [size] */
    int64_t size;
} views;
/* Is there such a tap of the model's discriminator? LW_NOT_FOUND with those that there are. */
lw_status views_check(lw_model *model, const char *tap);
/* Features at this tap. */
lw_status views_open(views *v, lw_step *step, lw_model *model, const char *tap);
/* images [N, C, H, W] -> features [N, size] */
lw_status views_see(const views *v, const lw_tensor *images, float *features);
/* Of `candidates` normal latents, keyed by the step's seed, the one whose features are nearest to each row of
 * features [N, size] (Euclidean): starts [N, z_dim]. A loop of the step. */
lw_status views_nearest(const views *v, lw_step *step, const float *features, int64_t candidates,
                        lw_tensor *starts);

/* --- objective.c: equations 2 and 3 ----------------------------------------------------------- */
typedef struct recovery_weights {
    double image, features; /* of the mean absolute differences of pixels and of features */
} recovery_weights;
/* z [B, z_dim], target [B, C, H, W], features [B, size] -> scalar; *images: what z makes. */
lw_value recovery_objective(lw_graph *g, lw_model *model, const char *tap, recovery_weights weights,
                            lw_value z, lw_value target, lw_value features, lw_value *images);

#endif
