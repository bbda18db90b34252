/* critic_score.c — metric/critic-score: how real the pictures along walks look to a discriminator. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const needs[] = {"synthesize", "discriminator", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs,
     .doc = "The model that the walks go through; its discriminator scores."},
    {"at", LW_PARAM_INTS, "steps", "", 0, 1000000, NULL,
     "What the points of the walks are called: the walk's `keep`; absent: 0, 1, 2, …"},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL,
     "Pictures scored at a time, all of one point; a discriminator may compare those of a batch."},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, …]", .doc = "N walks of T points, z, w or w+."},
};

/* Point t of all walks: [N, …] */
static lw_tensor *point_of(const lw_tensor *walks, int64_t t)
{
    const int64_t count = walks->shape.dim[0], points = walks->shape.dim[1];
    const size_t size = (size_t)(lw_shape_count(walks->shape) / (count * points));
    lw_shape shape = walks->shape;
    shape.rank--;
    memmove(shape.dim + 1, shape.dim + 2, (size_t)(shape.rank - 1) * sizeof *shape.dim);
    shape.dim[shape.rank] = 0;
    lw_tensor *point = lw_tensor_create(shape);
    for (int64_t n = 0; point && n < count; n++)
        memcpy(point->data + (size_t)n * size, walks->data + (size_t)(n * points + t) * size,
               size * sizeof(float));
    return point;
}

/* A curve's point, and a row of the table for the first and the last. */
static lw_status tell(lw_step *step, int64_t t, int64_t points, const lw_tensor *scores)
{
    const int64_t count = scores->shape.dim[0], at = lw_point_name(lw_step_args(step), "at", t);
    lw_spread spread = {0};
    for (int64_t n = 0; n < count; n++)
        lw_spread_add(&spread, (double)scores->data[n]);
    LW_TRY(lw_step_log_spread(step, "critic's score", at, &spread));
    if (t > 0 && t < points - 1)
        return LW_OK;
    LW_TRY(lw_step_metric(step, t ? "end" : "start", "critic's score", lw_spread_mean(&spread)));
    return lw_step_metric(step, t ? "end" : "start", "critic's score ±", lw_spread_deviation(&spread));
}

static lw_status score_point(lw_step *step, int64_t t)
{
    const lw_tensor *walks = lw_step_input(step, "walk", 0);
    lw_tensor *point = point_of(walks, t), *scores = NULL;
    if (!point)
        return lw_error_status();
    lw_status status = lw_model_images(lw_step_model(step, "model"), lw_step_device(step),
                                       lw_step_input_space(step, "walk", 0), point,
                                       lw_int(lw_step_args(step), "batch"), NULL, &scores);
    if (status == LW_OK)
        status = tell(step, t, walks->shape.dim[1], scores);
    lw_tensor_destroy(point);
    lw_tensor_destroy(scores);
    return status;
}

static lw_status run(lw_step *step)
{
    const int64_t points = lw_step_input(step, "walk", 0)->shape.dim[1];
    LW_TRY(lw_check_point_names(lw_step_args(step), "at", points));
    for (int64_t t = 0; t < points; t++)
        LW_TRY(score_point(step, t));
    return LW_OK;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "critic-score", "1.0.0", "How real pictures along walks look to the model's discriminator",
          .source = "Goodfellow et al. 2014: a discriminator's score is high for what looks real",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
