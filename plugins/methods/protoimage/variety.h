/* variety.h — does a critic look at how much a batch of images varies, as one with a minibatch standard
 * deviation does? */
#ifndef VARIETY_H
#define VARIETY_H

#include <latentwalk/latentwalk.h>

/* Whether the score of the first image of z [batch, z_dim] is another one among copies of itself. */
lw_status variety_is_seen(lw_step *step, lw_model *model, const float *z, int64_t batch, bool *seen);
/* What then is said, "the critic of model 'faces' does not look at how much a batch varies: …". */
void variety_note(lw_step *step, lw_model *model, const char *consequence);

#endif
