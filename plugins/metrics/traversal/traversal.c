/* traversal.c — metric/traversal: how walks advance the way they were to go. */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const lw_param params[] = {
    {"at", LW_PARAM_INTS, "steps", "", 0, 1000000, NULL,
     "What the points of the walks are called on the axis of the curves: the traversal's `keep`; absent: 0, "
     "1, 2, …"},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, d]", .doc = "N walks of T points, z or w."},
    {"aims", "latent[N, d]", .doc = "The unit direction that each walk was to go in."},
};

/* From one point of a walk to another: how long that is, and how far along the aim. */
typedef struct advance {
    double length, along;
} advance;

static advance measure(const float *from, const float *to, const float *aim, int64_t size)
{
    double squares = 0, along = 0, unit = 0;
    for (int64_t i = 0; i < size; i++) {
        const double moved = (double)to[i] - from[i];
        squares += moved * moved;
        along += moved * aim[i];
        unit += (double)aim[i] * aim[i];
    }
    return (advance){sqrt(squares), unit > 0 ? along / sqrt(unit) : 0};
}

typedef struct sums {
    lw_spread cosine, length, along; /* of one step; of all that was gone so far */
} sums;

/* Steps t of all walks, from point t to point t + 1. */
static sums measure_steps(const lw_tensor *walks, const lw_tensor *aims, int64_t t)
{
    const int64_t points = walks->shape.dim[1], size = walks->shape.dim[2];
    sums s = {0};
    for (int64_t n = 0; n < walks->shape.dim[0]; n++) {
        const float *first = walks->data + n * points * size, *from = first + t * size,
                    *aim = aims->data + n * size;
        const advance step = measure(from, from + size, aim, size),
                      all = measure(first, from + size, aim, size);
        if (step.length > 0) /* standing still has no direction */
            lw_spread_add(&s.cosine, step.along / step.length);
        lw_spread_add(&s.length, step.length);
        lw_spread_add(&s.along, all.along);
    }
    return s;
}

static lw_status tell(lw_step *step, const lw_tensor *walks, const lw_tensor *aims)
{
    const lw_args *args = lw_step_args(step);
    lw_spread cosine = {0}, length = {0};
    sums s = {0};
    for (int64_t t = 0; t + 1 < walks->shape.dim[1]; t++) {
        s = measure_steps(walks, aims, t);
        const int64_t at = lw_point_name(args, "at", t + 1);
        LW_TRY(lw_step_log_spread(step, "cosine to the aim", at, &s.cosine));
        LW_TRY(lw_step_log_spread(step, "step length", at, &s.length));
        LW_TRY(lw_step_log_spread(step, "distance along the aim", at, &s.along));
        if (s.cosine.count > 0)
            lw_spread_add(&cosine, lw_spread_mean(&s.cosine));
        lw_spread_add(&length, lw_spread_mean(&s.length));
    }
    if (cosine.count > 0)
        LW_TRY(lw_step_metric(step, "walk", "cosine to the aim", lw_spread_mean(&cosine)));
    else
        lw_step_note(step, "all walks stand still, so they have no direction");
    LW_TRY(lw_step_metric(step, "walk", "step length", lw_spread_mean(&length)));
    LW_TRY(lw_step_metric(step, "walk", "distance along the aim", lw_spread_mean(&s.along)));
    return lw_step_metric(step, "walk", "distance along the aim \xc2\xb1", lw_spread_deviation(&s.along));
}

static lw_status run(lw_step *step)
{
    const lw_tensor *walks = lw_step_input(step, "walk", 0), *aims = lw_step_input(step, "aims", 0);
    const int64_t points = walks->shape.dim[1];
    if (points < 2)
        return lw_fail(LW_SHAPE, "a walk of %lld points has no steps to measure: at least 2 are needed",
                       (long long)points);
    LW_TRY(lw_check_point_names(lw_step_args(step), "at", points));
    return lw_step_is_dry(step) ? LW_OK : tell(step, walks, aims);
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "traversal", "1.0.0", "How walks advance the way they were to go",
          .source = "Harada et al., Bounded Local Space, section 4.1 and supplement 2.1", LW_PARAMS(params),
          LW_INPUTS(inputs), .functions = &runner);
