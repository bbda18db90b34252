/* search.c — see attribute_change.h. */
#include "attribute_change.h"

#include <math.h>

enum { HALVINGS = 12 };

lw_status change_percent(const float *before, const float *after, int64_t n, int count, double *percent,
                         int *column)
{
    for (int k = 0; k < count; k++) {
        double was = 0, moved = 0;
        for (int64_t i = k; i < n * count; i += count) {
            double difference = (double)after[i] - (double)before[i];
            was += (double)before[i];
            moved += k ? fabs(difference) : difference;
        }
        *column = k;
        if (!(was / (double)n > 1e-6))
            return lw_fail(LW_INVALID,
                           "its mean over the originals is %.3g, of which there are no percentages",
                           was / (double)n);
        percent[k] = 100 * moved / was;
    }
    return LW_OK;
}

lw_status change_search(change_at measure, void *user, const double *distance, int64_t points, double low,
                        double high, double *strength, change *found, bool *reached)
{
    const double middle = (low + high) / 2, near = (high - low) / 10;
    int64_t first = 1, farthest = 1;
    while (first < points && distance[first] < middle)
        first++;
    for (int64_t i = 2; i < points; i++)
        farthest = distance[i] > distance[farthest] ? i : farthest;
    double weak = (double)(first - 1), strong = (double)first;
    *strength = first < points ? strong : (double)farthest;
    LW_TRY(measure(user, *strength, found));
    for (int i = 0; first < points && i < HALVINGS && fabs(found->distance - middle) > near; i++) {
        *strength = (weak + strong) / 2;
        LW_TRY(measure(user, *strength, found));
        *(found->distance < middle ? &weak : &strong) = *strength;
    }
    *reached = found->distance >= low && found->distance <= high;
    return LW_OK;
}

void change_spread(const float *values, int64_t stride, int64_t n, double *mean, double *deviation)
{
    double squares = 0;
    *mean = 0;
    for (int64_t i = 0; i < n; i++)
        *mean += (double)values[i * stride] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += ((double)values[i * stride] - *mean) * ((double)values[i * stride] - *mean);
    *deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}
