/* judge.h — how near the GAN trainer's samples are to the held-out photographs, and the nearest so far. */
#ifndef JUDGE_H
#define JUDGE_H

#include "programs.h"

typedef struct judge {
    const trainer *t;
    lw_model *network; /* NULL: nobody judges */
    lw_program *program;
    lw_gaussian *photographs;
    lw_store *best; /* "distance" and "iteration" of the nearest samples so far */
    float *z, *features;
    int64_t samples, size; /* of the features */
} judge;

/* Without a `network` in the arguments there is nothing to do, now and later. Looks at all photographs. Of
 * the whole network alone: samples of a growing one are not judged. */
lw_status judge_open(judge *j, const trainer *t, const lw_dataset *photographs);
void judge_close(judge *j);
/* The Fréchet distance of the moving average's samples as a point of a curve; where it is the smallest so
 * far, best.safetensors is written with the average as its generator. `iteration`: how many are done. */
lw_status judge_samples(judge *j, int64_t iteration);
/* The table's rows of the best and the last samples. */
lw_status judge_report(judge *j);

#endif
