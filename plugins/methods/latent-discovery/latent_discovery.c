/* latent_discovery.c — directions that a network can tell apart by their images (Voynov & Babenko 2020). */
#include "deform.h"
#include "reconstructor.h"

#include <math.h>
#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const spaces[] = {"z", "w", NULL};
static const char *const deformators[] = {"ortho", "projective", "linear", NULL};
static const char *const reconstructors[] = {"resnet18", "lenet", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The generator that is explored; it is not changed."},
    {"space", LW_PARAM_CHOICE, NULL, "z", .choices = spaces,
     .doc = "What is shifted: z, or w, mapped and not truncated (released code: w_shift)."},
    {"count", LW_PARAM_INT, "directions", "", 1, 65536, NULL,
     "Directions (released code: as many as the latent has dimensions)."},
    {"deformator", LW_PARAM_CHOICE, NULL, "ortho", .choices = deformators,
     .doc = "The direction matrix: orthonormal columns, shifts that keep their length, or any matrix."},
    {"reconstructor", LW_PARAM_CHOICE, NULL, "resnet18", .choices = reconstructors,
     .doc = "The network that tells directions apart."},
    {"width", LW_PARAM_INT, "channels", "", 1, 1024, NULL,
     "The reconstructor's unit of width (released code: ResNet-18's 64, LeNet's 2)."},
    {"size", LW_PARAM_INT, "px", "", 1, 4096, NULL,
     "Side of the images that the reconstructor sees, a whole part of the generator's, by dropping pixels; "
     "absent: as they are."},
    {"iterations", LW_PARAM_INT, NULL, "100000", 1, 10000000, NULL,
     "Training steps (released code: 100,000)."},
    {"batch", LW_PARAM_INT, "latents", "32", 2, 4096, NULL, "Pairs of images per step (released code: 32)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-4", 0, 10, NULL,
     "Adam's, betas 0.9 and 0.999, for both (released code: 0.0001)."},
    {"shift_scale", LW_PARAM_FLOAT, NULL, "6", 1e-6, 1e6, NULL,
     "Shifts lie between minus this and this (paper and code: 6)."},
    {"min_shift", LW_PARAM_FLOAT, NULL, "0.5", 0, 1e6, NULL,
     "Smaller ones become this long (paper and code: 0.5)."},
    {"label_weight", LW_PARAM_FLOAT, NULL, "1", 0, 1e6, NULL,
     "Weight of the direction's cross-entropy (released code: 1)."},
    {"shift_weight", LW_PARAM_FLOAT, NULL, "0.25", 0, 1e6, NULL,
     "Weight of the shift's absolute error (paper: 0.25)."},
    {"judged", LW_PARAM_INT, "batches", "100", 1, 1000000, NULL,
     "Batches over which the accuracy is taken after training (released code: 100)."},
};

static const lw_port outputs[] = {
    {"directions", "direction[K, \xe2\x80\xa6]",
     .doc = "Directions by falling share of shifts that the reconstructor tells right."},
};

typedef struct discovery {
    lw_step *step;
    const lw_args *args;
    lw_model *model;
    deform_kind kind;
    bool in_w, lenet;
    int64_t count, size, batch;
    lw_store *deformator, *reconstructor, *adam_d, *adam_r;
} discovery;

/* --- programs ------------------------------------------------------------------------------------------ */
static void scope(discovery *d, lw_graph *g, lw_store *store, bool training)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "method/latent-discovery",
                                 .store = store,
                                 .seed = lw_step_seed(d->step),
                                 .create = true,
                                 .training = training});
}

static lw_value images(discovery *d, lw_graph *g, lw_value latents)
{
    lw_value x = d->in_w ? lw_synthesize(g, d->model, latents) : lw_generate(g, d->model, latents);
    const int64_t side = lw_is_set(d->args, "size") ? lw_int(d->args, "size") : 0;
    const int64_t height = lw_is_null(x) ? 0 : lw_dim(g, x, 2), width = lw_is_null(x) ? 0 : lw_dim(g, x, 3);
    if (side == 0 || lw_is_null(x))
        return x;
    if (height != width || height % side != 0)
        return lw_graph_fail(g, LW_INVALID,
                             "size: %lld px cannot be had from images of %lld x %lld px by dropping rows and "
                             "columns evenly; they must be square, and `size` divide their side",
                             (long long)side, (long long)height, (long long)width);
    return lw_slice(g, lw_slice(g, x, 2, 0, side, height / side), 3, 0, side, height / side);
}

/* What a batch is, and what the reconstructor makes of it. */
typedef struct batch {
    lw_value index, shift; /* [B, 1] */
    reconstruction told;
} batch;

static batch build(discovery *d, lw_graph *g, bool training)
{
    const lw_shape each = LW_SHAPE(d->batch, 1);
    batch b = {0};
    lw_value z =
        lw_random_normal(g, LW_SHAPE(d->batch, lw_model_dim(d->model, "z_dim")), "latent-discovery latents");
    lw_value u = lw_affine(g, lw_random_uniform(g, each, "latent-discovery shifts"), 2, -1);
    b.index = lw_floor(
        g, lw_affine(g, lw_random_uniform(g, each, "latent-discovery directions"), (double)d->count, 0));
    b.shift = deform_shifts(g, u, lw_float(d->args, "shift_scale"), lw_float(d->args, "min_shift"));
    lw_value chosen = lw_equal(g, lw_reshape(g, lw_iota(g, d->count), LW_SHAPE(1, d->count)), b.index);
    lw_value from = d->in_w ? lw_map(g, d->model, z) : z;
    scope(d, g, d->deformator, training);
    lw_value to = lw_add(g, from, deform(g, d->kind, lw_mul(g, chosen, b.shift), d->size));
    lw_scope_pop(g);
    lw_value x = images(d, g, lw_concat(g, (lw_value[]){from, to}, 2, 0));
    if (lw_is_null(x))
        return b;
    lw_value pair = lw_concat(
        g, (lw_value[]){lw_slice(g, x, 0, 0, d->batch, 1), lw_slice(g, x, 0, d->batch, d->batch, 1)}, 2, 1);
    const int64_t width = lw_is_set(d->args, "width") ? lw_int(d->args, "width") : d->lenet ? 2 : 64;
    scope(d, g, d->reconstructor, training);
    b.told = (d->lenet ? reconstruct_lenet : reconstruct_resnet18)(g, pair, d->count, width);
    lw_scope_pop(g);
    return b;
}

static lw_program *compile_training(discovery *d)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    batch b = build(d, g, true);
    lw_value entropy = reconstruction_entropy(g, &b.told, b.index),
             error = reconstruction_error(g, &b.told, b.shift);
    lw_value loss = lw_add(g, lw_affine(g, entropy, lw_float(d->args, "label_weight"), 0),
                           lw_affine(g, error, lw_float(d->args, "shift_weight"), 0));
    lw_output(g, "loss", loss);
    lw_output(g, "loss/direction", entropy);
    lw_output(g, "loss/shift", error);
    const float rate = (float)lw_float(d->args, "learning_rate");
    lw_adam(g, loss, d->deformator, d->adam_d, .learning_rate = rate, .beta1 = 0.9f);
    lw_adam(g, loss, d->reconstructor, d->adam_r, .learning_rate = rate, .beta1 = 0.9f);
    return lw_step_compile(d->step, g, "train");
}

/* Outputs "index" and "right" [B, 1], and "directions" [k, d]. */
static lw_program *compile_judging(discovery *d)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    batch b = build(d, g, false);
    lw_value chosen = lw_equal(g, lw_reshape(g, lw_iota(g, d->count), LW_SHAPE(1, d->count)), b.index);
    lw_value its = lw_sum(g, lw_mul(g, b.told.logits, chosen), LW_AXIS(1), true);
    lw_output(g, "index", b.index);
    lw_output(g, "right", lw_equal(g, its, lw_max(g, b.told.logits, LW_AXIS(1), true)));
    scope(d, g, d->deformator, false);
    lw_output(g, "directions", deform_directions(g, d->kind, d->count, d->size));
    lw_scope_pop(g);
    return lw_step_compile(d->step, g, "judge");
}

/* --- training ------------------------------------------------------------------------------------------ */
/* The loss is looked at after every step: what is not a number ends the run before a checkpoint can hold
 * it. */
static lw_status tell(lw_step *step, lw_program *program, bool all)
{
    static const char *const names[] = {"loss", "loss/direction", "loss/shift"};
    for (int i = 0; i < (all ? 3 : 1); i++) {
        float value;
        LW_TRY(lw_program_read(program, names[i], &value, 1));
        if (all || !isfinite(value))
            LW_TRY(lw_step_log(step, names[i], value));
    }
    return LW_OK;
}

static lw_status train(discovery *d)
{
    const int64_t iterations = lw_int(d->args, "iterations");
    lw_program *program = compile_training(d);
    if (!program)
        return lw_error_status();
    for (int64_t i; lw_next(d->step, iterations, &i);) {
        LW_TRY(lw_program_seed(program, lw_step_seed(d->step), (uint64_t)i));
        LW_TRY(lw_program_run(program));
        LW_TRY(tell(d->step, program, i % 10 == 0 || i == iterations - 1));
    }
    return lw_step_finish(d->step);
}

/* --- what was found --------------------------------------------------------------------------- */
/* How often each direction was shifted along and told right: [k] both. */
static lw_status count_right(discovery *d, lw_program *program, float *index, float *right, double *seen,
                             double *told)
{
    const int64_t judged = lw_int(d->args, "judged"), after = lw_int(d->args, "iterations");
    for (int64_t i = 0; i < judged && !lw_step_cancelled(d->step); i++) {
        LW_TRY(lw_program_seed(program, lw_step_seed(d->step),
                               (uint64_t)(after + i))); /* not seen in training */
        LW_TRY(lw_program_run(program));
        LW_TRY(lw_program_read(program, "index", index, (size_t)d->batch));
        LW_TRY(lw_program_read(program, "right", right, (size_t)d->batch));
        for (int64_t b = 0; b < d->batch; b++) {
            seen[(int64_t)index[b]] += 1;
            told[(int64_t)index[b]] += right[b] != 0;
        }
    }
    return LW_OK;
}

/* Scores and vectors by falling score. */
static lw_status put_in_order(discovery *d, lw_program *program, const double *seen, const double *told,
                              lw_directions *found)
{
    lw_tensor *rows = lw_program_read_tensor(program, "directions");
    double all = 0, right = 0;
    for (int64_t k = 0; rows && k < d->count; k++) {
        const float score = seen[k] > 0 ? (float)(told[k] / seen[k]) : 0;
        int64_t at = k;
        for (; at > 0 && found->scores[at - 1] < score; at--) {
            found->scores[at] = found->scores[at - 1];
            memcpy(found->vectors + at * d->size, found->vectors + (at - 1) * d->size,
                   (size_t)d->size * sizeof *rows->data);
        }
        found->scores[at] = score;
        memcpy(found->vectors + at * d->size, rows->data + k * d->size, (size_t)d->size * sizeof *rows->data);
        all += seen[k];
        right += told[k];
    }
    lw_tensor_destroy(rows);
    return rows ? lw_step_metric(d->step, "reconstructor", "accuracy in %", 100 * right / all)
                : lw_error_status();
}

static lw_directions *judge(discovery *d)
{
    lw_program *program = compile_judging(d);
    lw_directions *found = program ? lw_directions_create(d->in_w ? "w" : "z", d->count, d->size) : NULL;
    float *index = found ? lw_alloc((size_t)d->batch * 2, sizeof *index) : NULL;
    double *seen = index ? lw_alloc((size_t)d->count * 2, sizeof *seen) : NULL;
    lw_status status =
        seen ? count_right(d, program, index, index + d->batch, seen, seen + d->count) : lw_error_status();
    if (status == LW_OK)
        status = put_in_order(d, program, seen, seen + d->count, found);
    lw_free(index);
    lw_free(seen);
    if (status == LW_OK)
        return found;
    lw_directions_destroy(found);
    return NULL;
}

static int chosen(const char *const *choices, const char *text)
{
    int i = 0;
    while (choices[i + 1] && strcmp(choices[i], text) != 0)
        i++;
    return i;
}

static lw_status read(discovery *d, lw_step *step)
{
    d->step = step;
    d->args = lw_step_args(step);
    d->model = lw_step_model(step, "model");
    d->kind = (deform_kind)chosen(deformators, lw_text(d->args, "deformator"));
    d->lenet = chosen(reconstructors, lw_text(d->args, "reconstructor")) == 1;
    d->in_w = chosen(spaces, lw_text(d->args, "space")) == 1;
    if (d->in_w && !lw_model_has(d->model, "map"))
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no mapping network, so there is no W; set `space: z`",
                       lw_model_name(d->model));
    d->size = lw_model_dim(d->model, d->in_w ? "w_dim" : "z_dim");
    d->count = lw_is_set(d->args, "count") ? lw_int(d->args, "count") : d->size;
    d->batch = lw_int(d->args, "batch");
    if (d->count > d->size)
        return lw_fail(LW_INVALID, "count: %lld directions, but %s of model '%s' has %lld dimensions",
                       (long long)d->count, d->in_w ? "W" : "Z", lw_model_name(d->model), (long long)d->size);
    return LW_OK;
}

static lw_status check(lw_step *step)
{
    discovery d = {0};
    return read(&d, step);
}

static lw_status open(discovery *d, lw_step *step)
{
    LW_TRY(read(d, step));
    d->deformator = lw_step_store(step, "deformator");
    d->reconstructor = lw_step_store(step, "reconstructor");
    d->adam_d = lw_step_store(step, "deformator's adam");
    d->adam_r = lw_step_store(step, "reconstructor's adam");
    return d->deformator && d->reconstructor && d->adam_d && d->adam_r ? LW_OK : lw_error_status();
}

static lw_status run(lw_step *step)
{
    discovery d = {0};
    LW_TRY(open(&d, step));
    LW_TRY(train(&d));
    return lw_step_output_directions(step, "directions", d.model, judge(&d), false);
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "latent-discovery", "1.0.0",
          "Directions that a network can tell apart by what they do to images",
          .source = "Voynov and Babenko, Unsupervised Discovery of Interpretable Directions in the GAN "
                    "Latent Space (ICML 2020); anvoynov/GANLatentDiscovery 5ca8d67b",
          LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
