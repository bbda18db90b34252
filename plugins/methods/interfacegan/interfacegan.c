/* interfacegan.c — the boundary between latents that have an attribute and latents that lack it; its normal
 * is the direction of the attribute. */
#include "boundary.h"

#include <math.h>
#include <string.h>

#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"attribute", LW_PARAM_INT, NULL, "0", 0, 65535, NULL, "Which column of the scores is the attribute."},
    {"chosen", LW_PARAM_FLOAT, NULL, "0.02", 1e-6, 1e9, NULL,
     "How many of the highest scores are positive examples, and of the lowest negative ones: a share of the "
     "latents up to 1, above it a number; at most half (official code: 0.02)."},
    {"split", LW_PARAM_FLOAT, NULL, "0.7", 0.01, 1, NULL,
     "Share of the examples that train the boundary; the others validate it (official code: 0.7)."},
    {"c", LW_PARAM_FLOAT, NULL, "1", 1e-6, 1e6, NULL,
     "Penalty of examples on the wrong side (scikit-learn's default: 1)."},
    {"invalid", LW_PARAM_FLOAT, NULL, "", -1e30, 1e30, NULL,
     "Latents with this score do not count (official code: invalid_value); absent: all do."},
};

static const lw_port inputs[] = {
    {"latents", "latent[N, d]", .doc = "z or w of many pictures."},
    {"scores", "scores[N, \xe2\x80\xa6]",
     .doc = "What their attributes are: [N], or [N, K] with one column for each."},
    {"conditions", "direction[K, \xe2\x80\xa6]", .optional = 1,
     .doc = "Directions along which the result must not move: their parts are taken out (conditional "
            "manipulation)."},
};
static const lw_port outputs[] = {
    {"directions", "direction[1, \xe2\x80\xa6]", .doc = "The direction of the attribute."},
};

typedef struct finder {
    lw_step *step;
    lw_model *model;
    const lw_tensor *latents;
    int64_t rows, size;
    boundary_examples examples;
    int64_t *positive, *negative; /* [examples.count], in the order that training takes them */
    int64_t training;             /* the first of both */
    float *normal;
    double offset;
} finder;

static lw_status check(const finder *f, const lw_tensor *scores, int64_t *stride)
{
    const int64_t attribute = lw_int(lw_step_args(f->step), "attribute");
    *stride = lw_shape_count(scores->shape) / f->rows;
    if (attribute >= *stride)
        return lw_fail(LW_INVALID,
                       "attribute: column %lld was asked for, but the scores have %lld (counted from 0)",
                       (long long)attribute, (long long)*stride);
    for (int64_t i = 0; i < f->rows * f->size; i++)
        if (!isfinite(f->latents->data[i]))
            return lw_fail(LW_NUMERIC, "latent %lld is not finite", (long long)(i / f->size));
    return LW_OK;
}

/* Positives and negatives, each shuffled, so that those kept for validation are any of them. */
static lw_status draw(finder *f)
{
    const int64_t count = f->examples.count;
    uint32_t *order = lw_alloc((size_t)count, sizeof *order);
    f->positive = lw_alloc((size_t)count, sizeof *f->positive);
    f->negative = lw_alloc((size_t)count, sizeof *f->negative);
    if (order && f->positive && f->negative) {
        const uint64_t seed = lw_step_seed(f->step);
        lw_shuffle((lw_stream){.seed = seed, .purpose = lw_purpose("positives")}, (size_t)count, order);
        for (int64_t i = 0; i < count; i++)
            f->positive[i] = f->examples.order[order[i]];
        lw_shuffle((lw_stream){.seed = seed, .purpose = lw_purpose("negatives")}, (size_t)count, order);
        for (int64_t i = 0; i < count; i++)
            f->negative[i] = f->examples.order[f->examples.valid - count + order[i]];
    }
    lw_status status = f->negative && f->positive && order ? LW_OK : lw_error_status();
    lw_free(order);
    f->training = (int64_t)((double)count * lw_float(lw_step_args(f->step), "split"));
    if (status == LW_OK && f->training < 1)
        return lw_fail(
            LW_INVALID,
            "split: its share of %lld examples of each kind is none to train on; raise it, or `chosen`",
            (long long)count);
    return status;
}

static bool is_positive(const finder *f, int64_t row)
{
    double sum = -f->offset;
    for (int64_t i = 0; i < f->size; i++)
        sum += (double)f->latents->data[row * f->size + i] * f->normal[i];
    return sum > 0;
}

static double accuracy(const finder *f, int64_t first, int64_t last)
{
    int64_t right = 0;
    for (int64_t i = first; i < last; i++)
        right += (is_positive(f, f->positive[i]) ? 1 : 0) + (is_positive(f, f->negative[i]) ? 0 : 1);
    return (double)right / (double)(2 * (last - first));
}

/* As the official script prints it: training, validation, and the latents between, split at the middle
 * score. */
static lw_status tell(const finder *f, const float *scores, int64_t stride, double *score)
{
    const boundary_examples *e = &f->examples;
    const double middle = (e->highest + e->lowest) / 2;
    int64_t right = 0, between = e->valid - 2 * e->count;
    *score = accuracy(f, 0, f->training);
    LW_TRY(lw_step_metric(f->step, "accuracy", "training", *score));
    if (f->training < e->count) {
        *score = accuracy(f, f->training, e->count);
        LW_TRY(lw_step_metric(f->step, "accuracy", "validation", *score));
    }
    for (int64_t i = e->count; i < e->valid - e->count; i++)
        right += is_positive(f, e->order[i]) == ((double)scores[e->order[i] * stride] >= middle);
    return between ? lw_step_metric(f->step, "accuracy", "between", (double)right / (double)between) : LW_OK;
}

/* The conditions as vectors of the latents' space [K, size]: those of W must move all layers alike. */
static lw_status condition(finder *f)
{
    const lw_tensor *given = lw_step_input(f->step, "conditions", 0);
    if (!given)
        return LW_OK;
    const int64_t count = given->shape.dim[0], row = lw_shape_count(given->shape) / count;
    const bool w = strcmp(lw_step_input_space(f->step, "latents", 0), "w") == 0;
    char text[LW_SHAPE_TEXT];
    if (row % f->size != 0 || given->shape.rank != (w ? 3 : 2))
        return lw_fail(
            LW_SHAPE,
            "conditions: the latents are in %s with %lld numbers each, but these directions, %s, are not",
            w ? "w" : "z", (long long)f->size, lw_shape_text(given->shape, text));
    float *vectors = lw_alloc((size_t)(count * f->size), sizeof *vectors);
    if (!vectors)
        return lw_error_status();
    lw_status status = LW_OK;
    for (int64_t k = 0; k < count; k++) {
        memcpy(vectors + k * f->size, given->data + k * row, (size_t)f->size * sizeof *vectors);
        for (int64_t l = 1; status == LW_OK && l < row / f->size; l++)
            if (memcmp(given->data + k * row, given->data + k * row + l * f->size,
                       (size_t)f->size * sizeof *vectors))
                status = lw_fail(
                    LW_UNSUPPORTED,
                    "conditions: direction %lld moves some layers only, but a boundary in W moves all",
                    (long long)k);
    }
    if (status == LW_OK)
        status = boundary_project(f->normal, vectors, count, f->size);
    lw_free(vectors);
    return status;
}

static lw_status find(finder *f, double *score)
{
    const lw_args *args = lw_step_args(f->step);
    const lw_tensor *scores = lw_step_input(f->step, "scores", 0);
    const double invalid = lw_is_set(args, "invalid") ? lw_float(args, "invalid") : 0;
    int64_t stride;
    LW_TRY(check(f, scores, &stride));
    const float *column = scores->data + lw_int(args, "attribute");
    LW_TRY(boundary_choose(column, f->rows, stride, lw_float(args, "chosen"),
                           lw_is_set(args, "invalid") ? &invalid : NULL, &f->examples));
    LW_TRY(draw(f));
    LW_TRY(boundary_train(f->latents->data, f->size, f->positive, f->negative, f->training,
                          lw_float(args, "c"), f->normal, &f->offset));
    LW_TRY(tell(f, column, stride, score));
    return condition(f);
}

static lw_status hand_over(finder *f, double score)
{
    lw_directions *d = lw_directions_create(lw_step_input_space(f->step, "latents", 0), 1, f->size);
    if (d) {
        memcpy(d->vectors, f->normal, (size_t)f->size * sizeof *d->vectors);
        d->scores[0] = (float)score;
        if (lw_directions_measure(d, f->latents) != LW_OK) {
            lw_directions_destroy(d);
            d = NULL;
        }
    }
    return lw_step_output_directions(f->step, "directions", f->model, d, true);
}

static lw_status run(lw_step *step)
{
    finder f = {
        .step = step, .model = lw_step_model(step, "model"), .latents = lw_step_input(step, "latents", 0)};
    double score = 0;
    f.rows = f.latents->shape.dim[0];
    f.size = f.latents->shape.dim[1];
    f.normal = lw_alloc((size_t)f.size, sizeof *f.normal);
    lw_status status = !f.normal ? lw_error_status() : lw_step_is_dry(step) ? LW_OK : find(&f, &score);
    if (status == LW_OK)
        status = hand_over(&f, score);
    boundary_forget(&f.examples);
    lw_free(f.positive);
    lw_free(f.negative);
    lw_free(f.normal);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "interfacegan", "1.0.0",
          "The direction of an attribute: normal of the linear boundary between latents",
          .source =
              "Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing (InterFaceGAN); "
              "genforce/interfacegan 8da3fc0f",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
