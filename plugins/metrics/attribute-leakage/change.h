/* change.h — the arithmetic of metric/attribute-leakage. */
#ifndef CHANGE_H
#define CHANGE_H

#include <latentwalk/latentwalk.h>

/* From the first point of each walk to the last, as means over walks. */
typedef struct changes {
    int64_t outputs, moved; /* walks that moved at all */
    double *signed_change;  /* [outputs] */
    double *per_unit;       /* [outputs] divided by the length of the walk's path, of the walks that moved */
    double *absolute_per_unit; /* [outputs] the same of absolute changes */
} changes;

/* walks [N, T, ..], scores [N T, outputs]. The path's length is the sum of its steps', those of w+ being of
 * the root mean square over layers, so that a w repeated for each layer moves as far as w. */
lw_status changes_measure(changes *c, const lw_tensor *walks, const lw_tensor *scores, int64_t outputs);
void changes_forget(changes *c);

/* At point t, compared with point 0: the mean change of the output `wanted`, and the mean absolute one of the
 * others (0 where there are none). */
void change_at(const lw_tensor *scores, int64_t count, int64_t points, int64_t t, int64_t wanted, double *own,
               double *others);

#endif
