/* spread.c — means and deviations of numbers as they come, and their curves. */
#include <math.h>
#include <stdio.h>

#include "runtime.h"

void lw_spread_add(lw_spread *spread, double value)
{
    spread->count++;
    spread->sum += value;
    spread->squares += value * value;
}

double lw_spread_mean(const lw_spread *spread)
{
    return spread->sum / spread->count;
}

double lw_spread_deviation(const lw_spread *spread)
{
    const double mean = lw_spread_mean(spread);
    return spread->count > 0 ? sqrt(fmax(0, spread->squares / spread->count - mean * mean)) : NAN;
}

lw_status lw_step_log_spread(lw_step *step, const char *series, int64_t at, const lw_spread *spread)
{
    char band[128];
    if (spread->count == 0)
        return LW_OK;
    snprintf(band, sizeof band, "%s \xc2\xb1", series);
    LW_TRY(lw_step_log_at(step, series, at, lw_spread_mean(spread)));
    return lw_step_log_at(step, band, at, lw_spread_deviation(spread));
}
