/* train.c — training (section 3.2, equation 11; section 4.1), and the order of what was found. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE_BATCHES = 4 };

void lase_scope(lw_graph *g, lw_step *step, lw_store *networks)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "method/dp-lase",
                                 .store = networks,
                                 .seed = lw_step_seed(step),
                                 .create = true});
}

/* Fresh latents [B, d] and strides [B, 1]. */
static lw_value latents(lw_graph *g, const lase *l)
{
    lw_value z = lw_random_normal(g, LW_SHAPE(l->batch, lw_model_dim(l->model, "z_dim")), "dp-lase latents");
    return l->in_w ? lw_map(g, l->model, z) : z;
}

static lw_value strides(lw_graph *g, const lase *l)
{
    return lw_affine(g, lw_random_uniform(g, LW_SHAPE(l->batch, 1), "dp-lase strides"), 2 * l->range,
                     -l->range);
}

/* --- training ---------------------------------------------------------------------------------------- */
/* Directions to start from, unless the run was resumed. */
static lw_status begin(lw_step *step, const lase *l, lw_store *networks)
{
    const lw_stream stream = {.seed = lw_step_seed(step), .purpose = lw_purpose("dp-lase directions")};
    if (lw_store_has(networks, "directions"))
        return LW_OK;
    float *rows = lw_alloc((size_t)(l->count * l->size), sizeof *rows);
    if (!rows)
        return lw_error_status();
    lw_normal(stream, 0, (size_t)(l->count * l->size), rows);
    lase_orthogonalise(rows, l->count, l->size);
    lw_status status = lw_store_set(networks, "directions", LW_SHAPE(l->count, l->size), rows);
    lw_free(rows);
    return status;
}

static int rising(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The released code's weights of the directions: sorted sizes of normal numbers. */
static lw_value ladder(lw_graph *g, lw_step *step, const lase *l)
{
    const lw_stream stream = {.seed = lw_step_seed(step), .purpose = lw_purpose("dp-lase ladder")};
    float *weights = lw_alloc((size_t)l->count, sizeof *weights);
    if (!weights)
        return lw_graph_fail(g, LW_MEMORY, "out of memory");
    lw_normal(stream, 0, (size_t)l->count, weights);
    for (int64_t k = 0; k < l->count; k++)
        weights[k] = fabsf(weights[k]);
    qsort(weights, (size_t)l->count, sizeof *weights, rising);
    lw_value value = lw_constant(g, LW_SHAPE(l->count), weights);
    lw_free(weights);
    return value;
}

/* The parts that this training has, by the names of their curves. */
static int parts(const lase_losses *s, const lase *l, const char **names, lw_value *values)
{
    const struct {
        const char *name;
        lw_value value;
    } all[] = {{"loss", s->total},
               {"loss/variation", s->variation},
               {"loss/orthogonality", s->orthogonality},
               {"loss/monotone", s->monotone},
               {"loss/likelihood", s->likelihood},
               {"loss/density", s->density}};
    const int count = lase_learns_density(l) ? 6 : 3;
    for (int i = 0; i < count; i++) {
        names[i] = all[i].name;
        if (values)
            values[i] = all[i].value;
    }
    return count;
}

static lw_program *compile_training(lw_step *step, const lase *l, lw_store *networks)
{
    const char *names[6];
    lw_value values[6];
    lw_store *adam = lw_step_store(step, "adam");
    lw_graph *g = adam ? lw_graph_create() : NULL;
    if (!g)
        return NULL;
    lase_scope(g, step, networks);
    lw_value drawn = lw_input(g, "drawn", LW_SHAPE(l->batch, l->drawn));
    lase_losses losses = lase_build(g, l, latents(g, l), strides(g, l), drawn,
                                    l->released ? ladder(g, step, l) : (lw_value){0});
    lw_scope_pop(g);
    const int count = parts(&losses, l, names, values);
    for (int i = 0; i < count; i++)
        lw_output(g, names[i], values[i]);
    lw_adam(g, losses.total, networks, adam,
            .learning_rate = (float)lw_float(lw_step_args(step), "learning_rate"), .beta1 = 0.9f);
    return lw_step_compile(step, g, "train");
}

/* Which directions are tried on each latent: [B, m], all different in a row; as they come in the released
 * code. */
static void draw(lw_step *step, const lase *l, int64_t iteration, uint32_t *order, float *drawn)
{
    lw_stream stream = {
        .seed = lw_step_seed(step), .step = (uint64_t)iteration, .purpose = lw_purpose("dp-lase drawn")};
    if (l->released) {
        lw_uniform(stream, 0, (size_t)(l->batch * l->drawn), drawn);
        for (int64_t i = 0; i < l->batch * l->drawn; i++)
            drawn[i] = floorf(drawn[i] * (float)l->count);
        return;
    }
    for (int64_t b = 0; b < l->batch; b++) {
        stream.step = (uint64_t)(iteration * l->batch + b);
        lw_shuffle(stream, (size_t)l->count, order);
        for (int64_t j = 0; j < l->drawn; j++)
            drawn[b * l->drawn + j] = (float)order[j];
    }
}

/* The loss is looked at after every step: what is not a number ends the run before a checkpoint can hold
 * it. */
static lw_status tell(lw_step *step, const lase *l, lw_program *program, bool all)
{
    const char *names[6];
    const int count = all ? parts(&(lase_losses){0}, l, names, NULL) : 1;
    for (int i = 0; i < count; i++) {
        float value;
        LW_TRY(lw_program_read(program, i ? names[i] : "loss", &value, 1));
        if (all || !isfinite(value))
            LW_TRY(lw_step_log(step, i ? names[i] : "loss", value));
    }
    return LW_OK;
}

static lw_status iterate(lw_step *step, const lase *l, lw_program *program, uint32_t *order, float *drawn)
{
    const int64_t iterations = lw_int(lw_step_args(step), "iterations");
    for (int64_t i; lw_next(step, iterations, &i);) {
        draw(step, l, i, order, drawn);
        LW_TRY(lw_program_write(program, "drawn", drawn, (size_t)(l->batch * l->drawn)));
        LW_TRY(lw_program_seed(program, lw_step_seed(step), (uint64_t)i));
        LW_TRY(lw_program_run(program));
        LW_TRY(tell(step, l, program, i % 10 == 0 || i == iterations - 1));
    }
    return lw_step_finish(step);
}

static lw_status save(lw_step *step, lw_store *networks)
{
    char *path = lw_step_is_dry(step) ? NULL : lw_step_path(step, "networks.safetensors");
    lw_status status = lw_step_is_dry(step) ? LW_OK
                       : path               ? lw_store_save(networks, path, LW_STORE_F32)
                                            : lw_error_status();
    lw_free(path);
    return status;
}

lw_status lase_train(lw_step *step, const lase *l, lw_store *networks)
{
    LW_TRY(begin(step, l, networks));
    lw_program *program = compile_training(step, l, networks);
    if (!program)
        return lw_error_status();
    uint32_t *order = lw_alloc((size_t)l->count, sizeof *order);
    float *drawn = lw_alloc((size_t)(l->batch * l->drawn), sizeof *drawn);
    lw_status status = order && drawn ? iterate(step, l, program, order, drawn) : LW_MEMORY;
    lw_free(order);
    lw_free(drawn);
    return status == LW_OK ? save(step, networks) : status;
}

/* --- what was found ------------------------------------------------------------------------------------ */
/* Input "direction" [1, d], output "change": a batch's mean squared change of the features. */
static lw_program *compile_score(lw_step *step, const lase *l, lw_store *networks)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lase_scope(g, step, networks);
    lw_value from = latents(g, l);
    lw_value along =
        lw_broadcast(g, lw_input(g, "direction", LW_SHAPE(1, l->size)), LW_SHAPE(l->batch, l->size));
    lw_value end = lase_walk(g, l, from, strides(g, l), along);
    lw_value f = lase_features(g, l, lw_concat(g, (lw_value[]){from, end}, 2, 0));
    lw_value change = lw_sub(g, lw_slice(g, f, 0, 0, l->batch, 1), lw_slice(g, f, 0, l->batch, l->batch, 1));
    lw_output(g, "change", lw_mean(g, lw_square(g, change), LW_ALL_AXES, false));
    lw_scope_pop(g);
    return lw_step_compile(step, g, "score");
}

static lw_status score(lw_step *step, lw_program *program, const float *direction, int64_t size, float *mean)
{
    double sum = 0;
    LW_TRY(lw_program_write(program, "direction", direction, (size_t)size));
    for (uint64_t i = 0; i < SCORE_BATCHES; i++) { /* the same latents for every direction */
        float change;
        LW_TRY(lw_program_seed(program, lw_step_seed(step), i));
        LW_TRY(lw_program_run(program));
        LW_TRY(lw_program_read(program, "change", &change, 1));
        sum += change;
    }
    *mean = (float)(sum / SCORE_BATCHES);
    return LW_OK;
}

static void unit(const float *row, int64_t size, float *out)
{
    double squares = 0;
    for (int64_t i = 0; i < size; i++)
        squares += (double)row[i] * row[i];
    for (int64_t i = 0; i < size; i++)
        out[i] = squares > 0 ? (float)(row[i] / sqrt(squares)) : 0;
}

/* Puts direction k, whose score is known, where it belongs among those before it. */
static void insert(lw_directions *d, int64_t k, const float *vector, float value)
{
    int64_t at = k;
    for (; at > 0 && d->scores[at - 1] < value; at--) {
        d->scores[at] = d->scores[at - 1];
        memcpy(d->vectors + at * d->size, d->vectors + (at - 1) * d->size, (size_t)d->size * sizeof *vector);
    }
    d->scores[at] = value;
    memcpy(d->vectors + at * d->size, vector, (size_t)d->size * sizeof *vector);
}

lw_directions *lase_found(lw_step *step, const lase *l, lw_store *networks)
{
    const lw_tensor *rows = lw_store_get(networks, "directions");
    lw_program *program = rows ? compile_score(step, l, networks) : NULL;
    lw_directions *found = program ? lw_directions_create(l->in_w ? "w" : "z", l->count, l->size) : NULL;
    float *vector = found ? lw_alloc((size_t)l->size, sizeof *vector) : NULL;
    lw_status status = vector ? LW_OK : lw_error_status();
    for (int64_t k = 0; status == LW_OK && k < l->count; k++) {
        float value;
        unit(rows->data + k * l->size, l->size, vector);
        if ((status = score(step, program, vector, l->size, &value)) == LW_OK)
            insert(found, k, vector, value);
    }
    lw_free(vector);
    if (status == LW_OK)
        return found;
    lw_directions_destroy(found);
    return NULL;
}
