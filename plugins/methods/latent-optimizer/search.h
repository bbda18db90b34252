/* search.h — a batch of latents that descends losses: the programs that start it and move it by one step. */
#ifndef SEARCH_H
#define SEARCH_H

#include <latentwalk/latentwalk.h>

#define SEARCH_MAX_CURVES 64
#define SEARCH_NAME 128

typedef struct search {
    lw_step *step;
    lw_model *model;
    const char *space; /* searched: "z", "w" or "w+" */
    bool projected;    /* every step is taken by bounded-local-space */
    int64_t batch;     /* latents at a time */
    lw_shape shape;    /* of a batch: [batch, d] or [batch, num_ws, w_dim] */
    int64_t size;      /* floats of one latent */
    lw_store *latents; /* "latents"; "z" they are mapped from; "good", the last ones whose loss was finite */
    lw_store *optimiser; /* moments */
    /* "latents0", and "targets" where a loss needs them. The program of the descent never changes them, so
     * whatever depends on them alone (the targets' features) is computed once for a batch. */
    lw_store *given;
    lw_program *start, *descend;
    char curve[SEARCH_MAX_CURVES][SEARCH_NAME]; /* names */
    int losses;                                 /* the first curves: scalar outputs of `descend` */
    int curves;                                 /* then those of the projection */
} search;

/* Reads the parameters and makes the stores. LW_INVALID for parameters that do not go together. */
lw_status search_prepare(search *s, lw_step *step, int64_t batch);
/* Everything that can be wrong with the descent's graph, without compiling it. */
lw_status search_check(search *s);
lw_status search_compile(search *s);
/* Puts the batch at z [batch, z_dim], with targets [batch, ..] or NULL. */
lw_status search_begin(search *s, const float *z, const float *targets);
/* One step of the optimiser. */
lw_status search_descend(search *s, int64_t iteration);
/* The latents' values now: [batch, size], borrowed until the next step. */
const float *search_latents(search *s);

#endif
