/* programs.h — what the GAN trainer compiles: for each stage of growing, a program per kind of update, and
 * those that look on. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <latentwalk/latentwalk.h>

typedef struct trainer {
    lw_step *step;
    const lw_args *args;
    lw_model *model;
    lw_store *generator, *discriminator; /* the model's own, in training */
    lw_store *average;                   /* moving average of the generator */
    lw_store *adam[2];                   /* of the discriminator, of the generator */
    lw_store *sums[2];                   /* of their gradients; NULL without accumulation */
    lw_shape image;                      /* [batch, C, H, W] */
} trainer;

/* The kinds of update, in the order in which an iteration makes them. */
typedef enum update_kind {
    DISCRIMINATOR,
    DISCRIMINATOR_LAZY, /* its regularisers, now and then */
    GENERATOR_LAZY,
    GENERATOR,
    UPDATE_KINDS
} update_kind;

bool is_generators(update_kind kind);
bool is_lazy(update_kind kind);
/* The parameter that lists the losses of this kind: "losses" or "regularisers". */
const char *losses_of(update_kind kind);
/* Whether the index-th of those losses is built in updates of this kind. A loss that needs `real` or
 * `real_images` is the discriminator's, one that needs `w+` the generator's, any other both sides'. */
bool takes_part(const trainer *t, update_kind kind, int index);
/* How many of them take part. */
int loss_count(const trainer *t, update_kind kind);

/* The network as far as images of one resolution. */
typedef struct stage {
    int64_t resolution; /* 0: the whole network */
    bool fades;         /* its last doubling is faded in */
    /* Inputs "rate" and, where it fades, "fade"; the discriminator's also "real" [batch, C, H, W], always of
     * full size, and GENERATOR "average". Outputs "loss" and "loss/ID". NULL where no loss takes part. */
    lw_program *update[UPDATE_KINDS];
    /* The same without "rate" and "average": adds gradients to the sums. NULL without accumulation. */
    lw_program *gather[UPDATE_KINDS];
    /* Input "real"; outputs "discriminator", "generator" (losses), "real", "fake" (mean scores); updates
     * nothing. */
    lw_program *validation;
    /* Updates the running statistics of the moving average with those of one batch of its own images; NULL
     * where it has none. */
    lw_program *calibration;
    /* Input "z" [batch, z_dim]; output "images" by the moving average, always of full size. */
    lw_program *sampler;
} stage;

lw_status compile_stage(trainer *t, stage *s, bool with_validation);

#endif
