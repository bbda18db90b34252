/* schedule.c — see schedule.h. */
#include "schedule.h"

#include <math.h>

static lw_status open_stages(schedule *s, const lw_args *args, lw_model *model)
{
    int64_t side = lw_model_dim(model, "height"), first = lw_int(args, "grow_from");
    if (lw_model_dim(model, "width") != side)
        return lw_fail(LW_UNSUPPORTED, "grow_from: images of model '%s' are not square",
                       lw_model_name(model));
    for (s->stages = 0; s->stages < MAX_STAGES && first << s->stages <= side; s->stages++)
        s->resolution[s->stages] = first << s->stages;
    if (s->stages == 0 || s->resolution[s->stages - 1] != side)
        return lw_fail(LW_INVALID, "grow_from: %lld px do not double to the %lld of model '%s'",
                       (long long)first, (long long)side, lw_model_name(model));
    s->shown = (double)lw_int(args, "stage_images");
    s->faded = (double)lw_int(args, "fade_images");
    double needed = ceil((s->stages - 1) * (s->shown + s->faded) / (double)s->images);
    if ((double)s->iterations <= needed)
        return lw_fail(
            LW_INVALID,
            "iterations: growing from %lld to %lld px takes the first %.0f of them with this batch, "
            "stage_images and fade_images; %lld do not reach the whole network",
            (long long)first, (long long)side, needed, (long long)s->iterations);
    return LW_OK;
}

lw_status schedule_open(schedule *s, const lw_args *args, lw_model *model)
{
    *s = (schedule){.iterations = lw_int(args, "iterations"),
                    .images = lw_int(args, "batch") * lw_int(args, "accumulate"),
                    .stages = 1,
                    .average = lw_float(args, "average")};
    s->decay_from =
        lw_is_set(args, "decay_from") ? (double)lw_int(args, "decay_from") : (double)s->iterations;
    if (lw_is_set(args, "average_half_life"))
        s->half_life = 1000 * lw_float(args, "average_half_life");
    if (lw_is_set(args, "average_ramp"))
        s->ramp = lw_float(args, "average_ramp");
    return lw_is_set(args, "grow_from") ? open_stages(s, args, model) : LW_OK;
}

/* stylegan2-ada-pytorch, training_loop.py: with a half-life in images, at first a share of the images
 * seen. */
static double decay_of_average(const schedule *s, double images)
{
    if (s->half_life == 0)
        return s->average;
    double half_life = s->ramp > 0 ? fmin(s->half_life, images * s->ramp) : s->half_life;
    return pow(0.5, (double)s->images / fmax(half_life, 1e-8));
}

moment schedule_at(const schedule *s, int64_t iteration)
{
    double images = (double)iteration * (double)s->images;
    double left = (double)s->iterations - fmax((double)iteration, s->decay_from);
    moment m = {.fade = 1, .average = (float)decay_of_average(s, images)};
    m.rate =
        (float)(s->decay_from < (double)s->iterations ? left / ((double)s->iterations - s->decay_from) : 1);
    if (s->stages == 1)
        return m;
    /* A stage by itself, then the next one while it is faded in. */
    double within = s->shown + s->faded, done = fmin(floor(images / within), s->stages - 1);
    double over = images - done * within - s->shown;
    m.stage = (int)done;
    if (over >= 0 && m.stage + 1 < s->stages) {
        m.stage++;
        m.fades = true;
        m.fade = (float)(over / s->faded);
    }
    return m;
}

bool schedule_turns(const schedule *s, int64_t iteration)
{
    if (iteration == 0)
        return false;
    moment now = schedule_at(s, iteration), before = schedule_at(s, iteration - 1);
    return now.stage != before.stage || now.fades != before.fades;
}
