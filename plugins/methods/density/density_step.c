/* density_step.c — method/density: DP-LaSE's density module alone, learned from latents given. */
#include "../dp-lase/density.h"

#include <math.h>
#include <string.h>

static const lw_param params[] = {
    {"iterations", LW_PARAM_INT, NULL, "50000", 1, 10000000, NULL, "Training steps (DP-LaSE: 50,000)."},
    {"batch", LW_PARAM_INT, "latents", "16", 1, 65536, NULL,
     "Latents per step, drawn from those given (released code: 16)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-4", 0, 10, NULL,
     "Adam's, betas 0.9 and 0.999 (DP-LaSE: 0.0001)."},
    {"nu", LW_PARAM_FLOAT, NULL, "0.01", 0, 1e6, .doc = DENSITY_NU_DOC},
    {"width", LW_PARAM_INT, "units", "64", 1, 65536, .doc = DENSITY_WIDTH_DOC},
    {"increment", LW_PARAM_FLOAT, NULL, "0.01", 1e-4, 1, .doc = DENSITY_INCREMENT_DOC},
};

static const lw_port inputs[] = {
    {"latents", "latent[N, \xe2\x80\xa6]", .doc = "Latents whose elements' distribution is learned."},
};
static const lw_port outputs[] = {
    {"scores", "scores[N, 1]", .doc = "The log density of each latent: the sum over its elements."},
};

typedef struct estimator {
    lw_step *step;
    const lw_args *args;
    const float *latents; /* [count, size] */
    int64_t count, size;
    density f;
    lw_store *network;
} estimator;

static void scope(estimator *e, lw_graph *g)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "method/density",
                                 .store = e->network,
                                 .seed = lw_step_seed(e->step),
                                 .create = true});
}

/* --- learning ------------------------------------------------------------------------------------------- */
static lw_program *compile_training(estimator *e)
{
    const int64_t batch = lw_int(e->args, "batch");
    lw_store *adam = lw_step_store(e->step, "adam");
    lw_graph *g = adam ? lw_graph_create() : NULL;
    if (!g)
        return NULL;
    scope(e, g);
    lw_value slope = density_slope(g, &e->f, lw_input(g, "latents", LW_SHAPE(batch, e->size)), false);
    lw_scope_pop(g);
    lw_value likelihood = lw_neg(g, lw_mean(g, density_log(g, slope), LW_ALL_AXES, false));
    lw_value monotone = lw_mean(g, density_flatness(g, slope, lw_float(e->args, "nu")), LW_ALL_AXES, false);
    lw_output(g, "likelihood", likelihood);
    lw_output(g, "monotone", monotone);
    lw_adam(g, lw_add(g, likelihood, monotone), e->network, adam,
            .learning_rate = (float)lw_float(e->args, "learning_rate"), .beta1 = 0.9f);
    return lw_step_compile(e->step, g, "train");
}

static lw_status tell(estimator *e, lw_program *program, bool log)
{
    float likelihood, monotone;
    LW_TRY(lw_program_read(program, "likelihood", &likelihood, 1));
    LW_TRY(lw_program_read(program, "monotone", &monotone, 1));
    if (!log && isfinite(likelihood) && isfinite(monotone))
        return LW_OK;
    LW_TRY(lw_step_log(e->step, "loss/likelihood", likelihood));
    return lw_step_log(e->step, "loss/monotone", monotone);
}

static lw_status learn(estimator *e, lw_program *program, float *drawn, float *rows)
{
    const int64_t batch = lw_int(e->args, "batch"), iterations = lw_int(e->args, "iterations");
    lw_stream stream = {.seed = lw_step_seed(e->step), .purpose = lw_purpose("density batches")};
    for (int64_t i; lw_next(e->step, iterations, &i);) {
        lw_uniform(stream, (uint64_t)(i * batch), (size_t)batch, drawn);
        for (int64_t b = 0; b < batch; b++) {
            const int64_t row = (int64_t)(drawn[b] * (double)e->count);
            memcpy(rows + b * e->size, e->latents + row * e->size, (size_t)e->size * sizeof *rows);
        }
        LW_TRY(lw_program_write(program, "latents", rows, (size_t)(batch * e->size)));
        LW_TRY(lw_program_run(program));
        LW_TRY(tell(e, program, i % 10 == 0 || i == iterations - 1));
    }
    return lw_step_finish(e->step);
}

static lw_status train(estimator *e)
{
    const size_t batch = (size_t)lw_int(e->args, "batch");
    lw_program *program = compile_training(e);
    if (!program)
        return lw_error_status();
    float *drawn = lw_alloc(batch, sizeof *drawn), *rows = lw_alloc(batch * (size_t)e->size, sizeof *rows);
    lw_status status = drawn && rows ? learn(e, program, drawn, rows) : LW_MEMORY;
    lw_free(drawn);
    lw_free(rows);
    return status;
}

/* --- what was learned ------------------------------------------------------------------------- */
enum { POINTS = 101, ROWS = 256 };

/* Input "latents" [ROWS, d]; outputs "scores" [ROWS], and "slopes" [POINTS, 1] at places from `low` to
 * `high`. */
static lw_program *compile_judging(estimator *e, float low, float high)
{
    float places[POINTS];
    for (int i = 0; i < POINTS; i++)
        places[i] = low + (high - low) * (float)i / (POINTS - 1);
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    scope(e, g);
    lw_output(g, "scores",
              density_log(g, density_slope(g, &e->f, lw_input(g, "latents", LW_SHAPE(ROWS, e->size)), true)));
    lw_output(g, "slopes", density_slope(g, &e->f, lw_constant(g, LW_SHAPE(POINTS, 1), places), true));
    lw_scope_pop(g);
    return lw_step_compile(e->step, g, "judge");
}

static lw_status judge_rows(estimator *e, lw_program *program, float *rows, float *out)
{
    float scores[ROWS];
    for (int64_t first = 0; first < e->count; first += ROWS) {
        const int64_t left = e->count - first < ROWS ? e->count - first : ROWS;
        memcpy(rows, e->latents + first * e->size, (size_t)(left * e->size) * sizeof *rows);
        LW_TRY(lw_program_write(program, "latents", rows, (size_t)(ROWS * e->size)));
        LW_TRY(lw_program_run(program));
        LW_TRY(lw_program_read(program, "scores", scores, ROWS));
        memcpy(out + first, scores, (size_t)left * sizeof *out);
    }
    return LW_OK;
}

/* The density from the least to the greatest element, in percent of the way: the curve of figure 3. */
static lw_status draw_curve(estimator *e, lw_program *program, float low, float high)
{
    float slopes[POINTS];
    LW_TRY(lw_program_read(program, "slopes", slopes, POINTS));
    for (int i = 0; i < POINTS; i++)
        LW_TRY(lw_step_log_at(e->step, "density", i, slopes[i]));
    LW_TRY(lw_step_metric(e->step, "elements", "least", low));
    return lw_step_metric(e->step, "elements", "greatest", high);
}

static lw_status judge(estimator *e)
{
    float low = e->latents[0], high = low;
    for (int64_t i = 0; i < e->count * e->size; i++) {
        low = fminf(low, e->latents[i]);
        high = fmaxf(high, e->latents[i]);
    }
    lw_program *program = compile_judging(e, low, high);
    lw_tensor *scores = program ? lw_tensor_create(LW_SHAPE(e->count, 1)) : NULL;
    float *rows = scores ? lw_alloc((size_t)(ROWS * e->size), sizeof *rows) : NULL;
    lw_status status = rows ? judge_rows(e, program, rows, scores->data) : lw_error_status();
    lw_free(rows);
    if (status == LW_OK)
        status = draw_curve(e, program, low, high);
    if (status == LW_OK)
        return lw_step_output(e->step, "scores", scores);
    lw_tensor_destroy(scores);
    return status;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *latents = lw_step_input(step, "latents", 0);
    estimator e = {
        .step = step, .args = lw_step_args(step), .latents = latents->data, .count = latents->shape.dim[0]};
    if (e.count < 1)
        return lw_fail(LW_SHAPE, "there are no latents to learn from");
    for (int64_t i = 0; i < lw_shape_count(latents->shape); i++)
        if (!isfinite(latents->data[i]))
            return lw_fail(LW_NUMERIC, "latent %lld is not finite",
                           (long long)(i / (lw_shape_count(latents->shape) / e.count)));
    e.size = lw_shape_count(latents->shape) / e.count;
    e.f = (density){.width = lw_int(e.args, "width"), .increment = lw_float(e.args, "increment")};
    e.network = lw_step_store(step, "network");
    if (!e.network)
        return lw_error_status();
    LW_TRY(train(&e));
    return judge(&e);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "density", "1.0.0",
    "The distribution of latents' elements, learned as a cumulative distribution function",
    .source =
        "Li et al., Discovering Density-Preserving Latent Space Walks in GANs (MM 2021), equations 3 to 5",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
