/* path.c — metric/path: how walks move, in latent space and in pictures, beside the straight line. */
#include "path.h"

#include <math.h>
#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const baselines[] = {"straight", "none", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs,
     .doc = "The model the walks go through; its discriminator, if any, scores."},
    {"baseline", LW_PARAM_CHOICE, NULL, "straight", .choices = baselines,
     .doc = "`straight` measures linear interpolation between the same end points beside each walk."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images made at a time."},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, …]",
     .doc = "N walks of T points: z [N, T, d], w [N, T, d] or w+ [N, T, layers, d]."},
};

static const char *const columns[] = {
#define X(name, text) text,
    PATH_COLUMNS(X)
#undef X
};

/* walks [N, T, …] -> the same end points joined by straight lines, at an even pace. */
static lw_tensor *straighten(const lw_tensor *walks)
{
    int64_t count = walks->shape.dim[0], points = walks->shape.dim[1];
    int64_t size = lw_shape_count(walks->shape) / (count * points);
    lw_tensor *straight = lw_tensor_create(walks->shape);
    for (int64_t n = 0; straight && n < count; n++) {
        const float *first = walks->data + n * points * size, *last = first + (points - 1) * size;
        float *out = straight->data + n * points * size;
        for (int64_t t = 0; t < points; t++) {
            double along = (double)t / (double)(points - 1);
            for (int64_t i = 0; i < size; i++)
                *out++ = (float)((1 - along) * first[i] + along * last[i]);
        }
    }
    return straight;
}

/* Means over walks of what is defined, as cells of one row. */
static lw_status tell(lw_step *step, const char *row, const lw_tensor *walks, const lw_tensor *images,
                      const lw_tensor *scores)
{
    int64_t count = walks->shape.dim[0], points = walks->shape.dim[1], total = count * points;
    walk w = {.points = points,
              .size = lw_shape_count(walks->shape) / total,
              .pixels = lw_shape_count(images->shape) / total};
    double sum[PATH_COLUMN_COUNT] = {0}, values[PATH_COLUMN_COUNT];
    int64_t defined[PATH_COLUMN_COUNT] = {0};
    for (int64_t n = 0; n < count; n++) {
        w.latents = walks->data + n * points * w.size;
        w.images = images->data + n * points * w.pixels;
        w.scores = scores ? scores->data + n * points : NULL;
        measure(&w, values);
        for (int c = 0; c < PATH_COLUMN_COUNT; c++) {
            if (!isnan(values[c])) {
                sum[c] += values[c];
                defined[c]++;
            }
        }
    }
    for (int c = 0; c < PATH_COLUMN_COUNT; c++)
        if (defined[c])
            LW_TRY(lw_step_metric(step, row, columns[c], sum[c] / (double)defined[c]));
    if (defined[PATH_COSINE] < count && points > 2)
        lw_step_note(step, "%s: %lld of %lld walks stand still, so they have no curvature", row,
                     (long long)(count - defined[PATH_COSINE]), (long long)count);
    return LW_OK;
}

/* `walks` [N, T, …], seen as [N * T, …] while images are made of it. */
static lw_status measure_row(lw_step *step, const char *row, const char *space, const lw_tensor *walks)
{
    lw_model *model = lw_step_model(step, "model");
    lw_tensor flat = *walks, *images = NULL, *scores = NULL;
    flat.shape.rank = walks->shape.rank - 1;
    flat.shape.dim[0] = walks->shape.dim[0] * walks->shape.dim[1];
    for (int i = 1; i < flat.shape.rank; i++)
        flat.shape.dim[i] = walks->shape.dim[i + 1];
    flat.shape.dim[flat.shape.rank] = 0;
    bool judged = lw_model_has(model, "discriminator");
    LW_TRY(lw_model_images(model, lw_step_device(step), space, &flat, lw_int(lw_step_args(step), "batch"),
                           &images, judged ? &scores : NULL));
    lw_status status = tell(step, row, walks, images, scores);
    lw_tensor_destroy(images);
    lw_tensor_destroy(scores);
    return status;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *walks = lw_step_input(step, "walk", 0);
    const char *space = lw_step_input_space(step, "walk", 0);
    if (walks->shape.dim[1] < 2 || lw_shape_count(walks->shape) == 0)
        return lw_fail(LW_SHAPE, "a walk of %lld points has no steps to measure: at least 2 are needed",
                       (long long)walks->shape.dim[1]);
    LW_TRY(measure_row(step, "walk", space, walks));
    if (lw_step_cancelled(step) || strcmp(lw_text(lw_step_args(step), "baseline"), "none") == 0)
        return lw_step_finish(step);
    lw_tensor *straight = straighten(walks);
    lw_status status = straight ? measure_row(step, "straight line", space, straight) : lw_error_status();
    lw_tensor_destroy(straight);
    return status == LW_OK ? lw_step_finish(step) : status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "path", "1.0.0", "How walks move in latent space and in pictures, beside a straight line",
          .source = "Latent Trajectory Optimization for Smooth Semantic Edits (the smoothness term); the "
                    "rest is geometry",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
