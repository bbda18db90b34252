/* pairs.c — pairs of latents that differ in the attribute alone (section 3.3). */
#include "sent_gen.h"

#include <stdlib.h>

enum { BLOCK = 4096, DRAWS = 1000 }; /* draws at a time; at most so many for each pair */

/* Draw `number`: two rows, and the squared difference in the other attributes (-1 for a latent with
 * itself). */
static double draw(const float *scores, int64_t count, int columns, const float *chance, uint32_t pair[2])
{
    double apart = 0;
    for (int i = 0; i < 2; i++) {
        int64_t row = (int64_t)((double)chance[i] * (double)count);
        pair[i] = (uint32_t)(row < count ? row : count - 1);
    }
    const float *a = scores + (int64_t)pair[0] * columns, *b = scores + (int64_t)pair[1] * columns;
    for (int k = 1; k < columns; k++)
        apart += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return pair[0] == pair[1] ? -1 : apart;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The difference that one in ten pairs of `apart` [n] do not exceed. */
static double tenth(double *apart, size_t n)
{
    qsort(apart, n, sizeof *apart, by_size);
    return n ? apart[n / 10] : 0;
}

lw_status pairs_draw(const float *scores, int64_t count, int columns, double epsilon, lw_stream stream,
                     int64_t wanted, uint32_t *pairs, double *rate)
{
    float *chance = lw_alloc(2 * BLOCK, sizeof *chance);
    double *apart = lw_alloc(BLOCK, sizeof *apart); /* of the last block */
    int64_t kept = 0, draws = 0;
    size_t seen = 0;
    lw_status status = chance && apart ? LW_OK : LW_MEMORY;
    for (; status == LW_OK && kept < wanted && draws < DRAWS * wanted; stream.step++) {
        lw_uniform(stream, 0, 2 * BLOCK, chance);
        seen = 0;
        for (int i = 0; i < BLOCK && kept < wanted; i++) {
            uint32_t pair[2];
            double difference = draw(scores, count, columns, chance + 2 * i, pair);
            if (difference < 0)
                continue;
            draws++;
            apart[seen++] = difference;
            if (difference > epsilon)
                continue;
            pairs[2 * kept] = pair[0];
            pairs[2 * kept + 1] = pair[1];
            kept++;
        }
    }
    *rate = draws ? (double)kept / (double)draws : 0;
    if (status == LW_OK && kept < wanted)
        status = lw_fail(LW_INVALID,
                         "epsilon: only %lld of %lld pairs (%.3g %%) differ by at most %g in the other "
                         "attributes, too few for the %lld `pairs` wanted; %.2g would accept one in ten",
                         (long long)kept, (long long)draws, 100 * *rate, epsilon, (long long)wanted,
                         tenth(apart, seen));
    lw_free(chance);
    lw_free(apart);
    return status;
}
