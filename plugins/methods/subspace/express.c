/* express.c — see express.h. */
#include "express.h"

#include <math.h>
#include <string.h>

enum { SWEEPS = 10000 };

static double shrink(double x, double by)
{
    return x > by ? x - by : x < -by ? x + by : 0;
}

/* One pass over the coefficients `told` [n] of channel c; `left` [n] = gram (e_c - told). The largest change
 * of one. */
static double sweep(int64_t n, const double *gram, double eta, int64_t c, double *told, double *left)
{
    double largest = 0;
    for (int64_t a = 0; a < n; a++) {
        const double own = gram[a * n + a];
        if (a == c || !(own > 0))
            continue;
        const double value = shrink(left[a] + own * told[a], eta / 2) / own, change = value - told[a];
        if (change == 0)
            continue;
        told[a] = value;
        for (int64_t b = 0; b < n; b++)
            left[b] -= change * gram[a * n + b];
        largest = fmax(largest, fabs(change));
    }
    return largest;
}

static void express_column(int64_t n, const double *gram, double eta, int64_t c, double *told, double *left)
{
    memset(told, 0, (size_t)n * sizeof *told);
    memcpy(left, gram + c * n, (size_t)n * sizeof *left);
    for (int i = 0; i < SWEEPS && sweep(n, gram, eta, c, told, left) > 1e-6; i++) {
    }
}

lw_status express(int64_t n, const double *gram, double eta, double *r)
{
    double *room = lw_alloc((size_t)(2 * n), sizeof *room);
    if (!room)
        return lw_error_status();
    for (int64_t i = 0; i < n * n; i++)
        if (!isfinite(gram[i])) {
            lw_free(room);
            return lw_fail(LW_NUMERIC, "the features of channel %lld are not finite", (long long)(i / n));
        }
    for (int64_t c = 0; c < n; c++) {
        express_column(n, gram, eta, c, room, room + n);
        for (int64_t a = 0; a < n; a++)
            r[a * n + c] = room[a];
    }
    lw_free(room);
    return LW_OK;
}
