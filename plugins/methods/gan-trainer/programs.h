/* programs.h — what the GAN trainer compiles: one program per half of the game, and those that look on. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <latentwalk/latentwalk.h>

typedef struct trainer {
    lw_step *step;
    const lw_args *args;
    lw_model *model;
    lw_store *generator, *discriminator; /* the model's own, in training */
    lw_store *average;                   /* moving average of the generator */
    lw_store *adam_generator, *adam_discriminator;
    lw_shape image;                      /* [batch, C, H, W] */
} trainer;

/* Input "real" [batch, C, H, W]; output "loss"; updates the discriminator. */
lw_program *compile_discriminator_half(trainer *t);
/* Output "loss"; updates the generator and its moving average. */
lw_program *compile_generator_half(trainer *t);
/* Input "real"; outputs "discriminator", "generator" (losses), "real", "fake" (mean scores); updates nothing. */
lw_program *compile_validation(trainer *t);
/* Updates the running statistics of the moving average with those of one batch of its own images. */
lw_program *compile_calibration(trainer *t);
/* Input "z" [batch, z_dim]; output "images" by the moving average. */
lw_program *compile_sampler(trainer *t);

#endif
