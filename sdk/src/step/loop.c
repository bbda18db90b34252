/* loop.c — lw_next: counting, progress, cancelling, checkpoints between iterations.
 *
 * What a run computes must not depend on when checkpoints are taken: taking one only reads. */
#include <string.h>
#include <time.h>

#include "runtime.h"

/* A dry run goes through a loop as a real one does, so that what happens now and then is counted as often as
 * it will, but spends no more than this on it. */
static const clock_t MOST_DRY = CLOCKS_PER_SEC;

static void begin(lw_step *step, int64_t total)
{
    step->in_loop = true;
    step->total = total;
    step->iteration = 0;
    step->loop_began = clock();
    for (int i = 0; i < step->program_count; i++) {
        lw_program_stats stats;
        if (lw_program_describe(step->programs[i].program, &stats) == LW_OK)
            step->programs[i].runs_before = stats.runs;
    }
}

/* The runs of the iterations so far stand for those of all others, which a dry run leaves out. */
static void estimate_rest(lw_step *step)
{
    const double rest = (double)(step->total - step->iteration) / (double)step->iteration;
    for (int i = 0; i < step->program_count; i++) {
        lwi_step_program *p = &step->programs[i];
        lw_program_stats stats;
        if (lw_program_describe(p->program, &stats) == LW_OK)
            p->estimated += (double)(stats.runs - p->runs_before) * rest;
    }
    step->estimated = true;
    step->iteration = step->total;
}

static bool end(lw_step *step)
{
    step->in_loop = false;
    step->loop++;
    return false;
}

static void tell_progress(lw_step *step)
{
    if (step->setup.hooks.progress && !step->setup.dry)
        step->setup.hooks.progress(step->setup.hooks.user, step, step->iteration, step->total);
}

static bool is_due(lw_step *step)
{
    return lwi_clock() - step->last_checkpoint >= step->setup.checkpoint_every;
}

/* Between two iterations: may the next one begin? While a resumed run still has its checkpoint, it goes again
 * through a loop before that, and the checkpoint stays the one to go on from. */
static bool may_continue(lw_step *step)
{
    bool stop = step->setup.hooks.cancelled(step->setup.hooks.user);
    if (!step->setup.dry && !step->resumed && (stop || (step->iteration > 0 && is_due(step))) &&
        lwi_checkpoint_save(step) != LW_OK) {
        lwi_step_fail(step);
        return false;
    }
    step->cancelled = stop;
    return !stop;
}

static bool next(lw_step *step, int64_t total, bool again, int64_t *iteration)
{
    if (step->status != LW_OK || step->cancelled)
        return false;
    if (!step->in_loop) {
        const bool over = step->resumed && step->loop < step->resumed_loop; /* before the checkpoint */
        if (over && !again) {
            step->loop++;
            return false;
        }
        begin(step, total);
        if (step->resumed && !over) {
            step->iteration = again ? 0 : step->resumed_iteration;
            lw_store_destroy(step->resumed);
            step->resumed = NULL;
        }
    } else {
        step->iteration++;
        if (step->setup.dry && step->iteration < step->total && clock() - step->loop_began > MOST_DRY)
            estimate_rest(step);
    }
    tell_progress(step);
    if (step->iteration >= step->total)
        return end(step);
    if (!may_continue(step))
        return false;
    *iteration = step->iteration;
    return true;
}

bool lw_next(lw_step *step, int64_t total, int64_t *iteration)
{
    return next(step, total, false, iteration);
}

bool lw_next_again(lw_step *step, int64_t total, int64_t *iteration)
{
    return next(step, total, true, iteration);
}

bool lw_step_cancelled(const lw_step *step)
{
    return step->cancelled;
}

lw_status lw_step_finish(lw_step *step)
{
    if (step->status != LW_OK)
        return lw_fail(step->status, "%s", step->error ? step->error : lw_status_text(step->status));
    return step->cancelled ? lw_fail(LW_CANCELLED, "cancelled") : LW_OK;
}
