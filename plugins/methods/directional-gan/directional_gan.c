/* directional_gan.c — latents conditioned on attributes: hyperplanes on which each has one value, directions
 * that change one and leave the others, and latents put where all of them are as wanted. */
#include "hyperplanes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"attributes", LW_PARAM_INTS, NULL, "", 0, 65535, NULL,
     "Which columns of the scores are the attributes; absent: all."},
    {"constant", LW_PARAM_INTS, NULL, "", 0, 65535, NULL,
     "Further columns, which are to stay as they are: no direction changes them, and conditioned latents "
     "keep their own."},
    {"values", LW_PARAM_FLOATS, NULL, "", -1e30, 1e30, NULL,
     "What the attributes are to become, in the unit of their scores; absent: 1 for each (of a class, that "
     "pictures have it)."},
    {"split", LW_PARAM_FLOAT, NULL, "0.7", 0.01, 1, NULL,
     "Share of the latents that the hyperplanes are fitted to; the others say how good they are (as "
     "InterFaceGAN: 0.7)."},
};

static const lw_port inputs[] = {
    {"latents", "latent[N, d]", .doc = "z or w of many pictures."},
    {"scores", "scores[N, \xe2\x80\xa6]",
     .doc = "What their attributes are: [N], or [N, K] with one column for each: classes, of which several "
            "may exclude each other, or amounts."},
    {"start", "latent[M, d]", .optional = 1, .doc = "Latents to be conditioned; absent: `latents`."},
};
static const lw_port outputs[] = {
    {"directions", "direction[K, \xe2\x80\xa6]",
     .doc = "Of each attribute the direction that changes it and leaves the others, and what is constant."},
    {"conditioned", "latent[M, d]",
     .doc = "`start`, moved the shortest way to where the attributes are `values`."},
};

typedef struct work {
    lw_step *step;
    const lw_tensor *latents, *scores, *start;
    int64_t columns, training;
    int64_t attributes; /* of the planes; those after them are of what is constant */
    int64_t *which;     /* [planes]: their columns */
    hyperplanes planes;
} work;

static lw_status check_finite(const lw_tensor *t, const char *what)
{
    const int64_t size = lw_shape_count(t->shape);
    for (int64_t i = 0; i < size; i++)
        if (!isfinite(t->data[i]))
            return lw_fail(LW_NUMERIC, "%s of latent %lld is not a finite number", what,
                           (long long)(i / (size / t->shape.dim[0])));
    return LW_OK;
}

/* The k-th plane's column. */
static int64_t column_of(const work *w, int64_t k)
{
    const lw_args *args = lw_step_args(w->step);
    if (k >= w->attributes)
        return lw_list_int(args, "constant", (int)(k - w->attributes));
    return lw_list_count(args, "attributes") ? lw_list_int(args, "attributes", (int)k) : k;
}

static lw_status choose(work *w)
{
    const lw_args *args = lw_step_args(w->step);
    const int64_t given = lw_list_count(args, "attributes");
    w->attributes = given ? given : w->columns;
    const int64_t count = w->attributes + lw_list_count(args, "constant");
    w->which = lw_alloc((size_t)count, sizeof *w->which);
    if (!w->which || !hyperplanes_create(&w->planes, count, w->latents->shape.dim[1]))
        return lw_error_status();
    for (int64_t k = 0; k < count; k++) {
        const char *list = k < w->attributes ? "attributes" : "constant";
        w->which[k] = column_of(w, k);
        if (w->which[k] >= w->columns)
            return lw_fail(LW_INVALID,
                           "%s: column %lld was asked for, but the scores have %lld (counted from 0)", list,
                           (long long)w->which[k], (long long)w->columns);
        for (int64_t i = 0; i < w->attributes && k >= w->attributes; i++)
            if (w->which[i] == w->which[k])
                return lw_fail(LW_INVALID, "constant: column %lld is one of the attributes that change",
                               (long long)w->which[k]);
    }
    const int values = lw_list_count(args, "values");
    if (values && values != w->attributes)
        return lw_fail(LW_INVALID, "values: %d for %lld attributes; give one for each", values,
                       (long long)w->attributes);
    if (count > w->planes.size)
        return lw_fail(
            LW_INVALID,
            "attributes: with `constant` they are %lld, but a latent has only %lld numbers to serve them; "
            "name fewer",
            (long long)count, (long long)w->planes.size);
    return LW_OK;
}

/* How much of the scores' variance rows first … last - 1 have explained. */
static double explained(const work *w, int64_t k, int64_t first, int64_t last)
{
    double mean = 0, total = 0, left = 0;
    for (int64_t n = first; n < last; n++)
        mean += (double)w->scores->data[n * w->columns + w->which[k]] / (double)(last - first);
    for (int64_t n = first; n < last; n++) {
        const double score = (double)w->scores->data[n * w->columns + w->which[k]];
        total += pow(score - mean, 2);
        left += pow(score - hyperplanes_estimate(&w->planes, k, w->latents->data + n * w->planes.size), 2);
    }
    return total > 0 ? 1 - left / total : 0;
}

/* The score of a direction is the share explained of the latents kept for validation, of all where none are
 * kept. */
static lw_status tell(const work *w, float *scores)
{
    const int64_t rows = w->latents->shape.dim[0];
    for (int64_t k = 0; k < w->planes.count; k++) {
        char row[32];
        snprintf(row, sizeof row, "attribute %lld", (long long)w->which[k]);
        double score = explained(w, k, 0, w->training);
        LW_TRY(lw_step_metric(w->step, row, "R\xc2\xb2 training", score));
        if (rows - w->training > 1) {
            score = explained(w, k, w->training, rows);
            LW_TRY(lw_step_metric(w->step, row, "R\xc2\xb2 validation", score));
        }
        if (k < w->attributes)
            scores[k] = (float)score;
    }
    return LW_OK;
}

static lw_status find(work *w, lw_directions *d)
{
    LW_TRY(check_finite(w->latents, "an element"));
    LW_TRY(check_finite(w->scores, "a score"));
    LW_TRY(hyperplanes_fit(&w->planes, w->latents->data, w->scores->data, w->training, w->columns, w->which));
    LW_TRY(tell(w, d->scores));
    LW_TRY(hyperplanes_directions(&w->planes, d->count, d->vectors));
    for (int64_t k = 0; k < d->count; k++) {
        double squares = 0;
        for (int64_t i = 0; i < d->size; i++)
            squares += pow((double)d->vectors[k * d->size + i], 2);
        if (!(squares > 0))
            return lw_fail(
                LW_INVALID,
                "attribute %lld: no direction changes it while the others stay; leave it out, or name fewer",
                (long long)w->which[k]);
        for (int64_t i = 0; i < d->size; i++)
            d->vectors[k * d->size + i] = (float)(d->vectors[k * d->size + i] / sqrt(squares));
    }
    return lw_directions_measure(d, w->latents);
}

static lw_status condition(const work *w, lw_tensor *latents)
{
    const lw_args *args = lw_step_args(w->step);
    double *values = lw_alloc((size_t)w->planes.count, sizeof *values);
    for (int64_t k = 0; values && k < w->planes.count; k++)
        values[k] = k >= w->attributes              ? (double)NAN
                    : lw_list_count(args, "values") ? lw_list_float(args, "values", (int)k)
                                                    : 1;
    lw_status status = values ? hyperplanes_project(&w->planes, values, latents->data, latents->shape.dim[0])
                              : lw_error_status();
    lw_free(values);
    return status;
}

static lw_status hand_over(work *w)
{
    LW_TRY(choose(w));
    lw_directions *d =
        lw_directions_create(lw_step_input_space(w->step, "latents", 0), w->attributes, w->planes.size);
    lw_tensor *moved = d ? lw_tensor_copy(w->start) : NULL;
    lw_status status = moved ? LW_OK : lw_error_status();
    if (status == LW_OK && !lw_step_is_dry(w->step)) {
        status = find(w, d);
        if (status == LW_OK)
            status = condition(w, moved);
    }
    if (status != LW_OK) {
        lw_directions_destroy(d);
        lw_tensor_destroy(moved);
        return status;
    }
    status = lw_step_output_directions(w->step, "directions", lw_step_model(w->step, "model"), d, true);
    lw_status set = lw_step_output(w->step, "conditioned", moved);
    return status != LW_OK ? status : set;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *start = lw_step_input(step, "start", 0);
    work w = {.step = step,
              .latents = lw_step_input(step, "latents", 0),
              .scores = lw_step_input(step, "scores", 0)};
    w.start = start ? start : w.latents;
    w.columns = lw_shape_count(w.scores->shape) / w.latents->shape.dim[0];
    w.training = (int64_t)((double)w.latents->shape.dim[0] * lw_float(lw_step_args(step), "split"));
    lw_status status = hand_over(&w);
    hyperplanes_destroy(&w.planes);
    lw_free(w.which);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "directional-gan", "1.0.0", "Latents conditioned on attributes, by hyperplanes of latent space",
    .source = "Agrawal et al., Directional GAN: A Novel Conditioning Strategy for Generative Networks, 2021 "
              "(the idea; README.md says what is ours)",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
