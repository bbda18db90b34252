/* generate.h — the parts of `latentwalk generate`: latents, images, videos. */
#ifndef LWH_GENERATE_H
#define LWH_GENERATE_H

#include "network.h"

typedef struct lwh_generation {
    const lwh_options *options;
    const char *outdir;
    uint32_t *seeds;  /* owned; NULL with --latents */
    int64_t count;    /* images */
    int frames;       /* from one latent to the next */
    bool truncated_z; /* z is drawn from the normal cut at two deviations, times the truncation */
    double truncation;
    lw_model *model;
    lw_device *device;
    const char *space;  /* of the latents: z, w or w+ */
    lw_tensor *latents; /* [count, z_dim], [count, w_dim] or [count, num_ws, w_dim] */
    lw_program *program;
} lwh_generation;

/* The latents of the seeds, as the official scripts draw them: numpy.random.RandomState(seed).randn(1,
 * z_dim), or for BigGAN with a truncation scipy's truncnorm.rvs(-2, 2, size=(1, z_dim), random_state) *
 * truncation. */
lw_status lwh_generate_draw(lwh_generation *g);
/* Of --latents, checked against the model. */
lw_status lwh_generate_load(lwh_generation *g);

/* OUTDIR/seed0000.png, … or latent0000.png, …; and --save-tensors. */
lw_status lwh_generate_images(lwh_generation *g);
/* OUTDIR/FILE: a closed loop through the latents, straight in W, on great circles in Z. */
lw_status lwh_generate_video(lwh_generation *g);

#endif
