/* progress.h — telling how far a run is: a bar on a terminal, lines when piped, JSON for programs. */
#ifndef LWH_PROGRESS_H
#define LWH_PROGRESS_H

#include <stdint.h>

#include <jansson.h>

#include "latentwalk/step.h"
#include "options.h"

typedef struct lwh_progress {
    enum { LWH_SILENT, LWH_LINES, LWH_BAR, LWH_JSON } mode;
    int step, step_count; /* the running one counts from 1 */
    double began, last;   /* seconds: the step, the last sign of life */
    int64_t first;        /* iteration the loop began at, for the rate after a resume */
    int last_tenth;
    bool drawn; /* a bar is on the screen */
} lwh_progress;

void lwh_progress_init(lwh_progress *progress, const lwh_options *options, int step_count);
void lwh_progress_step(lwh_progress *progress, const char *id, const char *uses, bool done_before);
void lwh_progress_tick(lwh_progress *progress, lw_step *step, int64_t iteration, int64_t total);
/* {"event": "progress", "step", "iteration", "total", "values": {series: newest}}; a new reference. */
json_t *lwh_progress_event(lw_step *step, int64_t iteration, int64_t total);
void lwh_progress_note(lwh_progress *progress, const char *id, const char *text);
void lwh_progress_done(lwh_progress *progress, const char *id, double seconds);
/* Before anything else is written to the terminal. */
void lwh_progress_clear(lwh_progress *progress);

#endif
