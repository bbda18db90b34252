/* attribute_change.h — the parts of the metric: what is seen of edited pictures, and the strength of an edit
 * that keeps them at a wanted distance from the originals. */
#ifndef ATTRIBUTE_CHANGE_H
#define ATTRIBUTE_CHANGE_H

#include <latentwalk/latentwalk.h>

enum { MOST_OUTPUTS = 16 };

/* What an edit did to a run's pictures, all together. */
typedef struct change {
    double distance;              /* Fréchet distance from the originals */
    double percent[MOST_OUTPUTS]; /* see change_percent */
} change;

/* --- search.c ------------------------------------------------------------------------------------- */
/* before, after [n, count] -> percent [count], of the mean amount before. Column 0: by how much its mean has
 * changed, which may be negative; the others: by how much the amounts have on average, whichever way.
 * LW_INVALID where a mean before is not positive; *column says which. */
lw_status change_percent(const float *before, const float *after, int64_t n, int count, double *percent,
                         int *column);

/* Measures a run's edits of this strength, counted in points of the walk. */
typedef lw_status (*change_at)(void *user, double strength, change *found);
/* The strength whose distance is within a tenth of the range of its middle: halving between the first point
 * of the walk that is as far away and the one before. Where none is, the farthest point. `distance` [points]
 * are those of the walk's points. *reached: what was found lies in the range. */
lw_status change_search(change_at measure, void *user, const double *distance, int64_t points, double low,
                        double high, double *strength, change *found, bool *reached);

/* Mean and deviation (n - 1; NaN for one) of n values that lie `stride` apart. */
void change_spread(const float *values, int64_t stride, int64_t n, double *mean, double *deviation);

#endif
