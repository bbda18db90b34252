/* attribute_change.c — metric/attribute-change: how much an edit changes an attribute and how much others, at
 * equal distances of the edited pictures from the originals. */
#include "attribute_change.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const model_needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = model_needs, .doc = "The model that makes the pictures."},
    {"regressor", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network tells the attributes; not the one that the edits were found with, which "
            "they may have learnt to deceive."},
    {"network", LW_PARAM_MODEL, NULL, "", .choices = network_needs,
     .doc = "The model whose network sees the features; absent: the regressor's."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc = "Where in the network the features are, as in metric/frechet-distance."},
    {"attribute", LW_PARAM_STRING,
     .doc = "The output of the regressor that was to change, by label or number."},
    {"others", LW_PARAM_STRINGS, NULL, "", .doc = "Outputs that were not to change."},
    {"ranges", LW_PARAM_FLOATS, NULL, "[5, 15, 25, 35]", 0, 1e9, NULL,
     "Fréchet distances where one range ends and the next begins (tables 1 and 2, for Inception's features: "
     "5 to 15, 15 to 25, 25 to 35)."},
    {"from", LW_PARAM_INT, "point", "0", 0, 1000000, NULL,
     "The point of the walks where the latent is unchanged, counted from 0."},
    {"to", LW_PARAM_INT, "point", "", 0, 1000000, NULL,
     "The point of the strongest edit; one before `from` means that walks are taken backwards. Absent: the "
     "last."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures made and seen at a time."},
};

static const lw_port inputs[] = {
    {"walks", "latent[N, T, …]", .many = 1,
     .doc =
         "Walks of growing strength from the point where the latent is unchanged: one set of them for every "
         "run."},
};

typedef struct work {
    lw_step *step;
    const lw_args *args;
    lw_model *model, *regressor, *network;
    const char *outputs[MOST_OUTPUTS]; /* the attribute, then the others */
    int count, runs, ranges;
    int64_t length, from, to; /* points of a walk, and which of them are followed */
    int64_t points, row;      /* how many those are; floats of one */
    int64_t batch, features;  /* pictures at a time; floats seen of one */
    lw_program *program;
    float *latents, *scores, *seen; /* of a batch */
    int run;                        /* whose originals are known, -1 for none */
    lw_gaussian *original;
    float *before, *after; /* [N, count] of the run */
    lw_store *kept;
    float *along; /* [runs, points, 1 + count]: distance and changes at the walks' points */
    float *found; /* [runs, ranges, 3 + count]: reached, strength, distance, changes */
} work;

/* --- looking at pictures -------------------------------------------------------------------------- */
static const lw_tensor *walks_of(const work *w, int run)
{
    return lw_step_input(w->step, "walks", run);
}

/* Images [n, C, H, W] -> scores [n, count]; *features [n, F]. */
static lw_value see(lw_graph *g, work *w, lw_value images, int64_t n, lw_value *features)
{
    lw_value columns[MOST_OUTPUTS];
    lw_value scores = lw_reshape(g, lw_apply(g, w->regressor, images), LW_SHAPE(n, -1));
    for (int k = 0; k < w->count && !lw_is_null(scores); k++) {
        int64_t column = lw_model_find_output(w->regressor, w->outputs[k], lw_dim(g, scores, 1));
        if (column < 0)
            return lw_graph_fail(g, LW_INVALID, "%s", lw_error_text());
        columns[k] = lw_slice(g, scores, 1, column, 1, 1);
    }
    *features = lw_features(g, w->network, lw_text(w->args, "tap"), images);
    return lw_is_null(scores) ? scores : lw_concat(g, columns, w->count, 1);
}

/* Input "latents" [batch, …], outputs "scores" [batch, count] and "features". */
static lw_status compile(work *w)
{
    lw_shape shape = walks_of(w, 0)->shape;
    memmove(shape.dim, shape.dim + 1, (LW_MAX_RANK - 1) * sizeof *shape.dim);
    shape.dim[--shape.rank] = 0;
    shape.dim[0] = w->batch;
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    const bool z = strcmp(lw_step_input_space(w->step, "walks", 0), "z") == 0;
    lw_value latents = lw_input(g, "latents", shape), features = {0};
    lw_value images = z ? lw_generate(g, w->model, latents) : lw_synthesize(g, w->model, latents);
    lw_output(g, "scores", see(g, w, images, w->batch, &features));
    lw_output(g, "features", features);
    w->features = lw_is_null(features) ? 0 : lw_dim(g, features, 1);
    w->program = lw_step_compile(w->step, g, "see");
    return w->program ? LW_OK : lw_error_status();
}

/* Between the points before and after it a walk [length, row] is straight. */
static void interpolate(const work *w, const float *walk, double strength, float *latent)
{
    int64_t point = (int64_t)strength < w->points - 1 ? (int64_t)strength : w->points - 2;
    double along = strength - (double)point;
    const int64_t onward = w->to > w->from ? 1 : -1;
    const float *before = walk + (w->from + onward * point) * w->row, *after = before + onward * w->row;
    for (int64_t i = 0; i < w->row; i++)
        latent[i] = (float)((1 - along) * (double)before[i] + along * (double)after[i]);
}

/* A run's pictures at this strength: scores [N, count], their features added to the Gaussian. */
static lw_status look(work *w, int run, double strength, lw_gaussian *features, float *scores)
{
    const lw_tensor *walks = walks_of(w, run);
    const int64_t n = walks->shape.dim[0];
    const size_t floats = (size_t)(w->batch * w->row);
    for (int64_t first = 0; first < n; first += w->batch) {
        const int64_t real = n - first < w->batch ? n - first : w->batch;
        for (int64_t i = 0; i < w->batch; i++)
            interpolate(w, walks->data + (first + (i < real ? i : real - 1)) * w->length * w->row, strength,
                        w->latents + i * w->row);
        LW_TRY(lw_program_write(w->program, "latents", w->latents, floats));
        LW_TRY(lw_program_run(w->program));
        LW_TRY(lw_program_read(w->program, "scores", w->scores, (size_t)(w->batch * w->count)));
        LW_TRY(lw_program_read(w->program, "features", w->seen, (size_t)(w->batch * w->features)));
        memcpy(scores + first * w->count, w->scores, (size_t)(real * w->count) * sizeof *scores);
        LW_TRY(lw_gaussian_add(features, w->seen, real));
    }
    return LW_OK;
}

/* The originals of the run, unless they are known. */
static lw_status open_run(work *w, int run)
{
    if (w->run == run)
        return LW_OK;
    const size_t table = (size_t)(walks_of(w, run)->shape.dim[0] * w->count);
    lw_gaussian_destroy(w->original);
    lw_free(w->before);
    lw_free(w->after);
    w->run = -1;
    w->original = lw_gaussian_create(w->features);
    w->before = lw_alloc(table, sizeof *w->before);
    w->after = lw_alloc(table, sizeof *w->after);
    if (!w->original || !w->before || !w->after)
        return lw_error_status();
    LW_TRY(look(w, run, 0, w->original, w->before));
    w->run = run;
    return LW_OK;
}

/* change_at, of the open run. */
static lw_status measure(void *user, double strength, change *found)
{
    work *w = user;
    lw_frechet distance = {0};
    int column = 0;
    lw_gaussian *edited = lw_gaussian_create(w->features);
    lw_status status = edited ? look(w, w->run, strength, edited, w->after) : lw_error_status();
    if (status == LW_OK)
        status = lw_frechet_distance(w->original, edited, &distance);
    lw_gaussian_destroy(edited);
    LW_TRY(status);
    found->distance = distance.means + distance.covariances;
    if (change_percent(w->before, w->after, walks_of(w, w->run)->shape.dim[0], w->count, found->percent,
                       &column) == LW_OK ||
        lw_step_is_dry(w->step))
        return LW_OK;
    return lw_wrap("attribute '%s'", w->outputs[column]);
}

/* --- the walks' points, then the strengths -------------------------------------------------------- */
/* What was measured before a checkpoint is not measured again. */
static lw_status keep(work *w, const char *name, float *values, lw_shape shape, bool restore)
{
    const lw_tensor *before = restore && lw_store_has(w->kept, name) ? lw_store_get(w->kept, name) : NULL;
    if (before)
        memcpy(values, before->data, (size_t)lw_shape_count(shape) * sizeof *values);
    return restore ? LW_OK : lw_store_set(w->kept, name, shape, values);
}

static lw_status measure_points(work *w)
{
    const lw_shape shape = LW_SHAPE(w->runs, w->points, 1 + w->count);
    LW_TRY(keep(w, "along", w->along, shape, true));
    for (int64_t i; lw_next(w->step, w->runs * w->points, &i);) {
        change found = {0};
        float *row = w->along + i * (1 + w->count);
        LW_TRY(open_run(w, (int)(i / w->points)));
        if (i % w->points)
            LW_TRY(measure(w, (double)(i % w->points), &found));
        row[0] = (float)found.distance;
        for (int k = 0; k < w->count; k++)
            row[1 + k] = (float)found.percent[k];
        LW_TRY(keep(w, "along", w->along, shape, false));
    }
    return lw_step_finish(w->step);
}

static lw_status search_range(work *w, int run, int range, float *row)
{
    change found = {0};
    double strength = 0;
    bool reached = false;
    double *distance = lw_alloc((size_t)w->points, sizeof *distance);
    if (!distance)
        return LW_MEMORY;
    for (int64_t i = 0; i < w->points; i++)
        distance[i] = (double)w->along[(run * w->points + i) * (1 + w->count)];
    lw_status status =
        change_search(measure, w, distance, w->points, lw_list_float(w->args, "ranges", range),
                      lw_list_float(w->args, "ranges", range + 1), &strength, &found, &reached);
    lw_free(distance);
    row[0] = reached ? 1 : 0;
    row[1] = (float)(100 * strength / (double)(w->points - 1));
    row[2] = (float)found.distance;
    for (int k = 0; k < w->count; k++)
        row[3 + k] = (float)found.percent[k];
    return status;
}

static lw_status search(work *w)
{
    const lw_shape shape = LW_SHAPE(w->runs, w->ranges, 3 + w->count);
    LW_TRY(keep(w, "found", w->found, shape, true));
    for (int64_t i; lw_next(w->step, w->runs * w->ranges, &i);) {
        LW_TRY(open_run(w, (int)(i / w->ranges)));
        LW_TRY(search_range(w, (int)(i / w->ranges), (int)(i % w->ranges), w->found + i * (3 + w->count)));
        LW_TRY(keep(w, "found", w->found, shape, false));
    }
    return lw_step_finish(w->step);
}

/* --- telling -------------------------------------------------------------------------------------- */
static lw_status tell_spread(work *w, const char *row, const char *name, const float *values, int64_t n)
{
    double mean, deviation;
    char column[160];
    change_spread(values, 3 + w->count, n, &mean, &deviation);
    LW_TRY(lw_step_metric(w->step, row, name, mean));
    snprintf(column, sizeof column, "± %s", name);
    return n > 1 ? lw_step_metric(w->step, row, column, deviation) : LW_OK;
}

/* A row of the table: means and deviations over the runs that reached the range. */
static lw_status tell_range(work *w, int range)
{
    const double low = lw_list_float(w->args, "ranges", range),
                 high = lw_list_float(w->args, "ranges", range + 1);
    const int64_t stride = 3 + w->count;
    char row[64], name[96];
    float *reached = lw_alloc((size_t)(w->runs * stride), sizeof *reached);
    if (!reached)
        return LW_MEMORY;
    int64_t n = 0;
    double farthest = 0;
    for (int run = 0; run < w->runs; run++) {
        const float *found = w->found + (run * w->ranges + range) * stride;
        farthest = fmax(farthest, (double)found[2]);
        if (found[0] > 0)
            memcpy(reached + n++ * stride, found, (size_t)stride * sizeof *found);
    }
    snprintf(row, sizeof row, "%g to %g", low, high);
    lw_status status = lw_step_metric(w->step, row, "runs", (double)n);
    if (n < w->runs)
        lw_step_note(w->step,
                     "%lld of %d runs reach no Fréchet distance from %g to %g; the farthest comes to %.3g",
                     (long long)(w->runs - n), w->runs, low, high, farthest);
    for (int k = 0; status == LW_OK && n > 0 && k < w->count; k++) {
        snprintf(name, sizeof name, "change of %.64s %%", w->outputs[k]);
        status = tell_spread(w, row, name, reached + 3 + k, n);
    }
    if (status == LW_OK && n > 0)
        status = tell_spread(w, row, "Fréchet distance", reached + 2, n);
    if (status == LW_OK && n > 0)
        status = tell_spread(w, row, "of the walk %", reached + 1, n);
    lw_free(reached);
    return status;
}

/* What happens along the walk, as means over the runs. */
static lw_status draw(work *w)
{
    char series[128];
    const int64_t stride = 1 + w->count;
    for (int64_t i = 0; i < w->points; i++)
        for (int k = 0; k <= w->count; k++) {
            double mean, deviation;
            change_spread(w->along + i * stride + k, w->points * stride, w->runs, &mean, &deviation);
            snprintf(series, sizeof series,
                     k ? "change in %% along the walk/%.64s" : "Fréchet distance along the walk",
                     k ? w->outputs[k - 1] : "");
            LW_TRY(lw_step_log_at(w->step, series, i * 100 / (w->points - 1), mean));
        }
    return LW_OK;
}

static lw_status tell(work *w)
{
    for (int range = 0; range < w->ranges; range++)
        LW_TRY(tell_range(w, range));
    for (int run = 0; run < w->runs; run++)
        if (walks_of(w, run)->shape.dim[0] <= w->features) {
            lw_step_note(
                w->step,
                "%lld pictures of %lld features leave the covariance without full rank; compare distances of "
                "as many pictures only",
                (long long)walks_of(w, run)->shape.dim[0], (long long)w->features);
            break;
        }
    return draw(w);
}

/* --- the step ------------------------------------------------------------------------------------- */
static lw_status check_ranges(work *w)
{
    int edges = lw_list_count(w->args, "ranges");
    if (edges < 2)
        return lw_fail(LW_INVALID,
                       "ranges: at least two distances are needed, where a range begins and ends");
    for (int i = 1; i < edges; i++)
        if (!(lw_list_float(w->args, "ranges", i) > lw_list_float(w->args, "ranges", i - 1)))
            return lw_fail(LW_INVALID, "ranges: %g does not come after %g; list them from small to large",
                           lw_list_float(w->args, "ranges", i), lw_list_float(w->args, "ranges", i - 1));
    w->ranges = edges - 1;
    return LW_OK;
}

static lw_status check_walks(work *w)
{
    const lw_shape first = walks_of(w, 0)->shape;
    for (int run = 0; run < w->runs; run++) {
        lw_shape shape = walks_of(w, run)->shape;
        if (shape.dim[0] < 2)
            return lw_fail(LW_INVALID, "'%s' holds %lld walk; at least 2 are needed",
                           lw_step_input_name(w->step, "walks", run), (long long)shape.dim[0]);
        shape.dim[0] = first.dim[0]; /* runs may have different numbers of walks */
        if (!lw_shape_equal(shape, first) ||
            strcmp(lw_step_input_space(w->step, "walks", run), lw_step_input_space(w->step, "walks", 0)) != 0)
            return lw_fail(
                LW_SHAPE,
                "the walks of '%s' and '%s' have different points; all runs need as many, of one space",
                lw_step_input_name(w->step, "walks", 0), lw_step_input_name(w->step, "walks", run));
    }
    w->length = first.dim[1];
    w->row = lw_shape_count(first) / (first.dim[0] * first.dim[1]);
    w->from = lw_int(w->args, "from");
    w->to = lw_is_set(w->args, "to") ? lw_int(w->args, "to") : w->length - 1;
    w->points = (w->to > w->from ? w->to - w->from : w->from - w->to) + 1;
    if (w->from >= w->length || w->to >= w->length || w->points < 2)
        return lw_fail(LW_INVALID,
                       "walks of %lld points, 0 to %lld, cannot be followed from %lld to %lld; set `from` "
                       "and `to` to two different ones of these points",
                       (long long)w->length, (long long)w->length - 1, (long long)w->from, (long long)w->to);
    return LW_OK;
}

static lw_status name_outputs(work *w)
{
    const int others = lw_list_count(w->args, "others");
    if (others >= MOST_OUTPUTS)
        return lw_fail(LW_INVALID, "others: %d attributes are too many; at most %d are possible", others,
                       MOST_OUTPUTS - 1);
    w->outputs[w->count++] = lw_text(w->args, "attribute");
    for (int i = 0; i < others; i++) {
        w->outputs[w->count++] = lw_list_text(w->args, "others", i);
        if (strcmp(w->outputs[i + 1], w->outputs[0]) == 0)
            return lw_fail(LW_INVALID, "others: '%s' is the attribute that was to change", w->outputs[0]);
    }
    return LW_OK;
}

static work open_step(lw_step *step)
{
    work w = {.step = step, .args = lw_step_args(step), .run = -1};
    w.model = lw_step_model(step, "model");
    w.regressor = lw_step_model(step, "regressor");
    w.network = lw_is_set(w.args, "network") ? lw_step_model(step, "network") : w.regressor;
    w.runs = lw_step_input_count(step, "walks");
    w.batch = lw_int(w.args, "batch");
    return w;
}

/* Outputs and features that are not there are found by asking for them. */
static lw_status check(lw_step *step)
{
    work w = open_step(step);
    lw_value features;
    LW_TRY(check_ranges(&w));
    LW_TRY(name_outputs(&w));
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lw_value z = lw_input(g, "z", LW_SHAPE(1, lw_model_dim(w.model, "z_dim")));
    see(g, &w, lw_generate(g, w.model, z), 1, &features);
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

static lw_status open_work(work *w)
{
    LW_TRY(check_ranges(w));
    LW_TRY(check_walks(w));
    LW_TRY(name_outputs(w));
    LW_TRY(compile(w));
    w->kept = lw_step_store(w->step, "kept");
    w->latents = lw_alloc((size_t)(w->batch * w->row), sizeof *w->latents);
    w->scores = lw_alloc((size_t)(w->batch * w->count), sizeof *w->scores);
    w->seen = lw_alloc((size_t)(w->batch * w->features), sizeof *w->seen);
    w->along = lw_alloc((size_t)(w->runs * w->points * (1 + w->count)), sizeof *w->along);
    w->found = lw_alloc((size_t)(w->runs * w->ranges * (3 + w->count)), sizeof *w->found);
    return w->kept && w->latents && w->scores && w->seen && w->along && w->found ? LW_OK : lw_error_status();
}

static void close_work(work *w)
{
    lw_gaussian_destroy(w->original);
    lw_free(w->before);
    lw_free(w->after);
    lw_free(w->latents);
    lw_free(w->scores);
    lw_free(w->seen);
    lw_free(w->along);
    lw_free(w->found);
}

static lw_status run(lw_step *step)
{
    work w = open_step(step);
    lw_status status = open_work(&w);
    if (status == LW_OK)
        status = measure_points(&w);
    if (status == LW_OK)
        status = search(&w);
    if (status == LW_OK && !lw_step_is_dry(step))
        status = tell(&w);
    close_work(&w);
    return status;
}

static const lw_runner runner = {sizeof runner, run, check};

LW_PLUGIN(
    METRIC, "attribute-change", "1.0.0",
    "How much an edit changes an attribute, and others, at equal distance from the originals",
    .source = "Neural Latent Traversal with Semantic Constraints (SeNT-Gen), section 4, tables 1, 2, 4, 5",
    LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
