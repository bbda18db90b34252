/* projection.h — the step that an optimiser wants, taken within Bounded Local Space instead (eq. 4 to 9). */
#ifndef PROJECTION_H
#define PROJECTION_H

#include "search.h"

typedef struct projection {
    search *s;
    lw_local *local;
    lw_program *map;      /* z -> latents, within the store */
    float *before;        /* [batch, w_dim]: where the latents were mapped to */
    float *z;             /* [batch, z_dim] what they are mapped from */
    float *wanted, *step; /* [w_dim], [z_dim] */
} projection;

lw_status projection_open(projection *p, search *s);
void projection_close(projection *p);
/* After the batch began or a run was resumed: takes up where the latents are. */
lw_status projection_begin(projection *p);
/* After a step of the optimiser: puts the latents where the step leads within bounds. Lengths of the step
 * wanted and of the one taken, in W, as means over the batch. */
lw_status projection_apply(projection *p, double *wanted, double *taken);

#endif
