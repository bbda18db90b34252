/* schedule.h — what changes while the GAN trainer runs: the stage of growing, rates, the average's decay. All
 * of it depends on the iteration alone, so that a resumed training needs to remember none of it. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <latentwalk/latentwalk.h>

#define MAX_STAGES 12

typedef struct schedule {
    int64_t iterations, images;      /* images of one iteration */
    int stages;                      /* 1 where nothing grows */
    int64_t resolution[MAX_STAGES];  /* 0 where nothing grows */
    double shown, faded;             /* images of a stage by itself, and while the next one fades in */
    double decay_from;               /* iteration from which on rates fall to 0; `iterations`: none */
    double average, half_life, ramp; /* decay; or images of its half-life (0: none), at most this share of
                                        those seen (0: no limit) */
} schedule;

typedef struct moment {
    int stage;
    bool fades;    /* its last doubling is still being faded in */
    float fade;    /* how far it counts, 1 when done */
    float rate;    /* factor of the learning rates */
    float average; /* decay of the moving average */
} moment;

/* Fails where the training would end before the whole network is in it. */
lw_status schedule_open(schedule *s, const lw_args *args, lw_model *model);
moment schedule_at(const schedule *s, int64_t iteration);
/* Whether the optimisers start afresh: as a doubling begins to fade in, and when it is done
 * (progressive_growing_of_gans: reset_opt_for_new_lod). */
bool schedule_turns(const schedule *s, int64_t iteration);

#endif
