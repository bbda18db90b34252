/* train.c — algorithm 1: judges latents, pairs them, finds the components that count, trains the network. */
#include "information.h"
#include "sent_gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct training {
    sent_gen *s;
    const char *outputs[MOST_OUTPUTS]; /* the attribute, then the others */
    int count;
    int64_t pool, pairs, batch;
    lw_tensor *z;                  /* [pool, D] */
    lw_store *adam;                /* the optimiser's */
    lw_store *judged;              /* "scores" [pool, count], as far as the judging has come */
    float *scores;                 /* the same */
    float *amounts;                /* [pool]: of the attribute */
    uint32_t *pair;                /* [pairs, 2] */
    double *r, *gaussian, *binned; /* [D] */
    float *mask, *other_mask;      /* [D]: rho, and what the other estimator would make of it */
    lw_program *program;
    float *rows; /* a batch: z, aim [batch, D], unit, c, wanted [batch] */
} training;

/* --- what is known of latents --------------------------------------------------------------------- */
static lw_status open_training(training *t)
{
    const lw_args *args = t->s->args;
    const size_t d = (size_t)t->s->net.size;
    LW_TRY(sent_gen_outputs(t->s, t->outputs, &t->count));
    t->pool = lw_int(args, "latents");
    t->pairs = lw_int(args, "pairs");
    t->batch = lw_int(args, "batch");
    t->judged = lw_step_store(t->s->step, "judged");
    t->adam = lw_step_store(t->s->step, "adam");
    t->s->net.weights = lw_step_store(t->s->step, "traversal");
    t->z = lw_step_latents(t->s->step, t->s->model, "z", t->pool, "sent-gen latents");
    t->scores = lw_alloc((size_t)(t->pool * t->count), sizeof *t->scores);
    t->amounts = lw_alloc((size_t)t->pool, sizeof *t->amounts);
    t->pair = lw_alloc((size_t)(2 * t->pairs), sizeof *t->pair);
    t->r = lw_alloc(3 * d, sizeof *t->r);
    t->mask = lw_alloc(2 * d, sizeof *t->mask);
    t->rows = lw_alloc((size_t)t->batch * (2 * d + 3), sizeof *t->rows);
    if (!t->judged || !t->adam || !t->s->net.weights || !t->z || !t->scores || !t->amounts || !t->pair ||
        !t->r || !t->mask || !t->rows)
        return lw_error_status();
    t->gaussian = t->r + d;
    t->binned = t->gaussian + d;
    t->other_mask = t->mask + d;
    return lw_store_has(t->s->net.weights, "out") ? LW_OK : network_start(&t->s->net);
}

static void close_training(training *t)
{
    lw_tensor_destroy(t->z);
    lw_free(t->scores);
    lw_free(t->amounts);
    lw_free(t->pair);
    lw_free(t->r);
    lw_free(t->mask);
    lw_free(t->rows);
}

/* Scores are kept in checkpoints: nothing is judged twice. */
static lw_status judge(training *t)
{
    lw_program *program = pool_compile(t->s, t->outputs, t->count);
    if (!program)
        return lw_error_status();
    const lw_tensor *before = lw_store_has(t->judged, "scores") ? lw_store_get(t->judged, "scores") : NULL;
    if (before)
        memcpy(t->scores, before->data, (size_t)(t->pool * t->count) * sizeof *t->scores);
    for (int64_t i; lw_next(t->s->step, (t->pool + POOL_BATCH - 1) / POOL_BATCH, &i);) {
        const int64_t first = i * POOL_BATCH, left = t->pool - first;
        LW_TRY(pool_judge(t->s, program, t->z->data + first * t->s->net.size,
                          left < POOL_BATCH ? left : POOL_BATCH, t->outputs, t->count,
                          t->scores + first * t->count));
        LW_TRY(lw_store_set(t->judged, "scores", LW_SHAPE(t->pool, t->count), t->scores));
    }
    return lw_step_finish(t->s->step);
}

/* The components that count, by the estimator asked for and by the other one. */
static lw_status find_components(training *t)
{
    sent_gen *s = t->s;
    const int64_t d = s->net.size;
    const double gamma = lw_float(s->args, "gamma");
    const bool binned = strcmp(lw_text(s->args, "information"), "binned") == 0;
    for (int64_t k = 0; k < t->pool; k++)
        t->amounts[k] = t->scores[k * t->count];
    if (information_correlation(t->z->data, t->amounts, t->pool, d, t->r) != LW_OK)
        return lw_wrap("attribute '%s'", s->net.attribute);
    for (int64_t i = 0; i < d; i++)
        t->gaussian[i] = information_gaussian(t->r[i]);
    LW_TRY(information_binned(t->z->data, t->amounts, t->pool, d, t->binned));
    information_mask(binned ? t->binned : t->gaussian, d, gamma, t->mask);
    information_mask(binned ? t->gaussian : t->binned, d, gamma, t->other_mask);
    return LW_OK;
}

/* All latents' largest component, or 0: each its own. */
static float find_unit(const training *t)
{
    float unit = 0;
    if (strcmp(lw_text(t->s->args, "scale"), "latent") != 0)
        for (int64_t i = 0; i < t->pool * t->s->net.size; i++)
            unit = fmaxf(unit, fabsf(t->z->data[i]));
    return unit;
}

static lw_status study(training *t)
{
    sent_gen *s = t->s;
    double rate;
    s->net.unit = find_unit(t);
    if (lw_step_is_dry(s->step))
        return LW_OK;
    LW_TRY(find_components(t));
    LW_TRY(pairs_draw(t->scores, t->pool, t->count, lw_float(s->args, "epsilon"),
                      (lw_stream){.seed = lw_step_seed(s->step), .purpose = lw_purpose("sent-gen pairs")},
                      t->pairs, t->pair, &rate));
    return lw_step_metric(s->step, s->net.attribute, "valid pairs %", 100 * rate);
}

/* --- the training --------------------------------------------------------------------------------- */
static lw_status compile(training *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    const int64_t d = t->s->net.size;
    network_batch b = {.z = lw_input(g, "z", LW_SHAPE(t->batch, d)),
                       .aim = lw_input(g, "aim", LW_SHAPE(t->batch, d)),
                       .unit = lw_input(g, "unit", LW_SHAPE(t->batch, 1)),
                       .c = lw_input(g, "c", LW_SHAPE(t->batch, 1)),
                       .wanted = lw_input(g, "wanted", LW_SHAPE(t->batch, 1)),
                       .mask = lw_constant(g, LW_SHAPE(1, d), t->mask)};
    network_losses l = network_losses_of(g, t->s, &b);
    lw_output(g, "losses", lw_stack(g, (lw_value[]){l.total, l.relevant, l.irrelevant, l.attribute}, 4, 0));
    lw_adam(g, l.total, t->s->net.weights, t->adam,
            .learning_rate = (float)lw_float(t->s->args, "learning_rate"), .beta1 = 0.9f);
    t->program = lw_step_compile(t->s->step, g, "train");
    return t->program ? LW_OK : lw_error_status();
}

/* Pairs that depend on (seed, i) alone. */
static lw_status write_batch(training *t, int64_t i)
{
    const int64_t d = t->s->net.size, n = t->batch;
    float *z = t->rows, *aim = z + n * d, *unit = aim + n * d, *c = unit + n, *wanted = c + n;
    lw_uniform((lw_stream){.seed = lw_step_seed(t->s->step),
                           .step = (uint64_t)i,
                           .purpose = lw_purpose("sent-gen batch")},
               0, (size_t)n, wanted);
    for (int64_t k = 0; k < n; k++) {
        int64_t drawn = (int64_t)((double)wanted[k] * (double)t->pairs);
        const uint32_t *pair = t->pair + 2 * (drawn < t->pairs ? drawn : t->pairs - 1);
        unit[k] = network_scale(&t->s->net, t->z->data + pair[0] * d, z + k * d);
        network_scale(&t->s->net, t->z->data + pair[1] * d, aim + k * d);
        c[k] = t->scores[pair[0] * t->count];
        wanted[k] = t->scores[pair[1] * t->count];
    }
    LW_TRY(lw_program_write(t->program, "z", z, (size_t)(n * d)));
    LW_TRY(lw_program_write(t->program, "aim", aim, (size_t)(n * d)));
    LW_TRY(lw_program_write(t->program, "unit", unit, (size_t)n));
    LW_TRY(lw_program_write(t->program, "c", c, (size_t)n));
    return lw_program_write(t->program, "wanted", wanted, (size_t)n);
}

static lw_status optimise(training *t)
{
    static const char *const names[] = {"loss/total", "loss/relevant components", "loss/other components",
                                        "loss/attribute"};
    const int64_t iterations = lw_int(t->s->args, "iterations");
    LW_TRY(compile(t));
    for (int64_t i; lw_next(t->s->step, iterations, &i);) {
        float losses[4];
        LW_TRY(write_batch(t, i));
        LW_TRY(lw_program_run(t->program));
        if (i % 10 != 0 && i != iterations - 1)
            continue;
        LW_TRY(lw_program_read(t->program, "losses", losses, 4));
        for (int k = 0; k < 4; k++)
            LW_TRY(lw_step_log(t->s->step, names[k], (double)losses[k]));
    }
    return lw_step_finish(t->s->step);
}

/* --- what it saw: figure 2 ------------------------------------------------------------------------ */
static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static lw_status draw_sorted(training *t, const char *series, const double *values, double *room)
{
    const int64_t d = t->s->net.size;
    memcpy(room, values, (size_t)d * sizeof *room);
    qsort(room, (size_t)d, sizeof *room, falling);
    for (int64_t i = 0; i < d; i++)
        LW_TRY(lw_step_log_at(t->s->step, series, i, room[i]));
    return LW_OK;
}

/* The component with the largest |r| that is not among the first `count` of `taken`. */
static int64_t most_correlated(const training *t, const int64_t *taken, int count)
{
    int64_t best = -1;
    for (int64_t i = 0; i < t->s->net.size; i++) {
        bool is_new = true;
        for (int k = 0; k < count; k++)
            is_new = is_new && taken[k] != i;
        if (is_new && (best < 0 || fabs(t->r[i]) > fabs(t->r[best])))
            best = i;
    }
    return best;
}

/* The means of the three most correlated components over latents of like amounts, with their deviations: a
 * straight line, were they linear. */
static lw_status draw_components(training *t)
{
    enum { BINS = 20 };
    int64_t taken[3];
    for (int k = 0; k < 3 && k < t->s->net.size; k++) {
        lw_spread spread[BINS] = {{0}};
        taken[k] = most_correlated(t, taken, k);
        for (int64_t n = 0; n < t->pool; n++) {
            int bin = (int)(t->amounts[n] * BINS);
            bin = bin < BINS ? bin : BINS - 1;
            lw_spread_add(&spread[bin], (double)t->z->data[n * t->s->net.size + taken[k]]);
        }
        char series[160];
        snprintf(series, sizeof series, "most correlated components by %s in %%/z%lld", t->s->net.attribute,
                 (long long)taken[k]);
        for (int b = 0; b < BINS; b++)
            if (spread[b].count >= 10) /* fewer say little */
                LW_TRY(lw_step_log_spread(t->s->step, series, b * 100 / BINS, &spread[b]));
    }
    return LW_OK;
}

static lw_status tell(training *t)
{
    lw_step *step = t->s->step;
    const int64_t d = t->s->net.size;
    const char *row = t->s->net.attribute;
    double kept = 0, both = 0, most_gaussian = 0, most_binned = 0;
    for (int64_t i = 0; i < d; i++) {
        kept += (double)t->mask[i];
        both += (double)(t->mask[i] * t->other_mask[i]);
        most_gaussian = fmax(most_gaussian, t->gaussian[i]);
        most_binned = fmax(most_binned, t->binned[i]);
    }
    LW_TRY(lw_step_metric(step, row, "components kept", kept));
    LW_TRY(lw_step_metric(step, row, "sparsity %", 100 * (1 - kept / (double)d)));
    LW_TRY(lw_step_metric(step, row, "kept by the other estimator too", both));
    LW_TRY(lw_step_metric(step, row, "most information, Gaussian", most_gaussian));
    LW_TRY(lw_step_metric(step, row, "most information, binned", most_binned));
    double *room = lw_alloc((size_t)d, sizeof *room);
    lw_status status = room ? draw_sorted(t, "correlation with z, sorted", t->r, room) : LW_MEMORY;
    if (status == LW_OK)
        status = draw_sorted(t, "mutual information with z, sorted/Gaussian", t->gaussian, room);
    if (status == LW_OK)
        status = draw_sorted(t, "mutual information with z, sorted/binned", t->binned, room);
    lw_free(room);
    return status == LW_OK ? draw_components(t) : status;
}

lw_status train(sent_gen *s)
{
    training t = {.s = s};
    lw_status status = open_training(&t);
    if (status == LW_OK)
        status = judge(&t);
    if (status == LW_OK)
        status = study(&t);
    if (status == LW_OK)
        status = optimise(&t);
    if (status == LW_OK && !lw_step_is_dry(s->step))
        status = tell(&t);
    close_training(&t);
    return status;
}
