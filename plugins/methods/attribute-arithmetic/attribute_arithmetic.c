/* attribute_arithmetic.c — the mean of the latents that have an attribute, minus the mean of those that lack
 * it. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <string.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"attribute", LW_PARAM_INT, NULL, "0", 0, 65535, NULL, "Which column of the scores is the attribute."},
    {"threshold", LW_PARAM_FLOAT, NULL, "0.5", -1e30, 1e30, NULL,
     "Latents with this score or a higher one have the attribute (0.5: of probabilities, the likelier)."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, d]", .doc = "z or w of many pictures."},
    {"scores", "scores[N, \xe2\x80\xa6]",
     .doc = "What their attributes are: [N], or [N, K] with one column for each."},
};
static const lw_port outputs[] = {
    {"directions", "direction[1, \xe2\x80\xa6]", .doc = "The direction of the attribute."},
};

/* Sums of the latents [rows, size] that have the attribute (sums[0 …]) and of those that lack it (sums[size
 * …]). */
static lw_status add_up(const lw_tensor *latents, const float *scores, int64_t stride, double threshold,
                        double *sums, int64_t count[2])
{
    const int64_t rows = latents->shape.dim[0], size = latents->shape.dim[1];
    for (int64_t n = 0; n < rows; n++) {
        if (!isfinite(scores[n * stride]))
            return lw_fail(LW_NUMERIC, "the score of latent %lld is not a finite number", (long long)n);
        int lacks = !((double)scores[n * stride] >= threshold);
        count[lacks]++;
        for (int64_t i = 0; i < size; i++)
            sums[lacks * size + i] += (double)latents->data[n * size + i];
    }
    if (count[0] && count[1])
        return LW_OK;
    return lw_fail(
        LW_INVALID,
        "all %lld latents %s the attribute (their scores are all %s the threshold of %g): one class "
        "alone has no difference",
        (long long)rows, count[0] ? "have" : "lack", count[0] ? "at or above" : "below", threshold);
}

static lw_status find(lw_step *step, const lw_tensor *latents, double *sums, float *vector)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *scores = lw_step_input(step, "scores", 0);
    const int64_t size = latents->shape.dim[1],
                  stride = lw_shape_count(scores->shape) / latents->shape.dim[0];
    int64_t count[2] = {0};
    if (lw_int(args, "attribute") >= stride)
        return lw_fail(LW_INVALID,
                       "attribute: column %lld was asked for, but the scores have %lld (counted from 0)",
                       (long long)lw_int(args, "attribute"), (long long)stride);
    LW_TRY(add_up(latents, scores->data + lw_int(args, "attribute"), stride, lw_float(args, "threshold"),
                  sums, count));
    for (int64_t i = 0; i < size; i++)
        vector[i] = (float)(sums[i] / (double)count[0] - sums[size + i] / (double)count[1]);
    LW_TRY(lw_step_metric(step, "latents", "with it", (double)count[0]));
    return lw_step_metric(step, "latents", "without it", (double)count[1]);
}

/* The score is how far the means lie apart, in deviations of all latents along the direction. */
static lw_status rate(lw_directions *d, const lw_tensor *latents)
{
    double squares = 0;
    for (int64_t i = 0; i < d->size; i++)
        squares += (double)d->vectors[i] * d->vectors[i];
    if (!(squares > 0))
        return lw_fail(LW_INVALID, "the latents with the attribute and those without it have the same mean");
    for (int64_t i = 0; i < d->size; i++)
        d->vectors[i] = (float)(d->vectors[i] / sqrt(squares));
    LW_TRY(lw_directions_measure(d, latents));
    d->scores[0] = (float)(sqrt(squares) / (double)d->deviations[0]);
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *latents = lw_step_input(step, "latents", 0);
    lw_directions *d =
        lw_directions_create(lw_step_input_space(step, "latents", 0), 1, latents->shape.dim[1]);
    double *sums = d ? lw_alloc((size_t)(2 * d->size), sizeof *sums) : NULL;
    lw_status status = !sums                  ? lw_error_status()
                       : lw_step_is_dry(step) ? LW_OK
                                              : find(step, latents, sums, d->vectors);
    if (status == LW_OK && !lw_step_is_dry(step))
        status = rate(d, latents);
    lw_free(sums);
    if (status == LW_OK)
        return lw_step_output_directions(step, "directions", lw_step_model(step, "model"), d, true);
    lw_directions_destroy(d);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "attribute-arithmetic", "1.0.0",
          "The direction of an attribute: difference of the latents' means",
          .source = "Radford, Metz, Chintala 2016, section 6.3.2 (vector arithmetic)", LW_PARAMS(params),
          LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
