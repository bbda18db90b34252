/* subspace.c — channels of a tap sorted into subspaces, and walks confined to one of them (DP-LaSE,
 * section 3.3). */
#include "cluster.h"
#include "express.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const affinities[] = {"paper", "released", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The generator whose channels are sorted."},
    {"tap", LW_PARAM_STRING, .doc = "Where G1 ends and the channels are mixed."},
    {"subspaces", LW_PARAM_INT, NULL, "4", 1, 4096, NULL, "Sets of channels (paper: 4; released code: 6)."},
    {"eta", LW_PARAM_FLOAT, NULL, "0.5", 0, 1e9, NULL,
     "Weight of the coefficients' sizes (eq. 13; paper: 0.5)."},
    {"affinity", LW_PARAM_CHOICE, NULL, "paper", .choices = affinities,
     .doc = "How alike channels are: by the sizes of their coefficients (eq. 14), or as the released code "
            "sharpens them."},
    {"origin", LW_PARAM_INT, NULL, "0", 0, 1000000, NULL,
     "Which point of a walk is its z0, whose other channels stay (eq. 15)."},
    {"only", LW_PARAM_INT, NULL, "", 0, 4095, NULL,
     "Confine walks to this subspace alone, counted from the largest, 0 (m* of eq. 15). Absent: to each in "
     "turn."},
    {"batch", LW_PARAM_INT, "images", "16", 1, 4096, NULL, "Images made at a time."},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, \xe2\x80\xa6]",
     .doc =
         "Walks along one direction; the channels are sorted by all their points, and the walks confined."},
};
static const lw_port outputs[] = {
    {"confined", "image[M, T, channels, height, width]",
     .doc = "Each walk in each subspace alone, the largest first: M = N subspaces; with `only`, M = N."},
    {"exchanged", "image[K, N, channels, height, width]",
     .doc = "For each subspace the walks' z0, with its channels taken from the next walk's."},
};

typedef struct work {
    lw_step *step;
    const lw_args *args;
    lw_model *model;
    const char *tap, *space;
    const lw_tensor *walk;
    int64_t walks, points, row;     /* row: floats of a latent */
    int64_t batch, channels, count; /* count: subspaces */
    int64_t first, each;            /* subspaces that a walk is confined to: so many, from this one on */
    lw_shape latent;                /* [batch, …] */
    double *gram, *r, *s;           /* [channels, channels] */
    int64_t *label;                 /* [channels] */
    lw_program *mix;
    float *moved, *still, *mask, *image; /* of one batch */
} work;

static const float *point(const work *w, int64_t n, int64_t t)
{
    return w->walk->data + (n * w->points + t) * w->row;
}

/* --- what is built ---------------------------------------------------------------------------- */
static lw_value generate(work *w, lw_graph *g, lw_value latent, const lw_build_options *options)
{
    return strcmp(w->space, "z") == 0 ? lw_generate_with(g, w->model, latent, options)
                                      : lw_synthesize_with(g, w->model, latent, options);
}

/* The tap of latents, as it is. */
static lw_value features(work *w, lw_graph *g, lw_value latent)
{
    generate(w, g, latent, &(lw_build_options){.size = sizeof(lw_build_options)});
    lw_value f = lw_require_tap(g, w->model, LW_PART_GENERATOR, w->tap);
    if (!lw_is_null(f) && lw_shape_of(g, f).rank < 2)
        return lw_graph_fail(g, LW_SHAPE, "tap '%s' has no channels", w->tap);
    return f;
}

/* Input "latent" [batch, …] and "real" [batch] (0 for padding), output "gram" [C, C]: the sum of M^T M. */
static lw_program *compile_gram(work *w)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value f = features(w, g, lw_input(g, "latent", w->latent));
    if (!lw_is_null(f)) {
        f = lw_reshape(g, f, LW_SHAPE(w->batch, lw_dim(g, f, 1), -1));
        w->channels = lw_dim(g, f, 1);
        f = lw_mul(g, f, lw_reshape(g, lw_input(g, "real", LW_SHAPE(w->batch)), LW_SHAPE(w->batch, 1, 1)));
        lw_value rows = lw_reshape(g, lw_transpose(g, f, 0, 1), LW_SHAPE(w->channels, -1));
        lw_output(g, "gram", lw_matmul(g, rows, lw_transpose(g, rows, 0, 1)));
    }
    return lw_step_compile(w->step, g, "channels");
}

typedef struct exchange {
    const char *tap;
    lw_value moved, mask; /* features [batch, C, …], mask [batch, C] */
} exchange;

/* m F1 + (1 - m) F0 in place of F0 (eq. 15) */
static lw_value mix_here(lw_graph *g, const char *tap, lw_value value, void *user)
{
    const exchange *e = user;
    if (strcmp(tap, e->tap) != 0)
        return value;
    lw_shape shape = lw_shape_of(g, value);
    for (int i = 2; i < shape.rank; i++)
        shape.dim[i] = 1;
    return lw_add(g, value, lw_mul(g, lw_reshape(g, e->mask, shape), lw_sub(g, e->moved, value)));
}

/* Inputs "moved" and "still" [batch, …], "mask" [batch, C], output "image": of `still`, but for the channels
 * in the mask. What of the generator takes the latent after the tap takes the still one: only those channels
 * move. */
static lw_program *compile_mix(work *w)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    exchange e = {.tap = w->tap, .mask = lw_input(g, "mask", LW_SHAPE(w->batch, w->channels))};
    e.moved = features(w, g, lw_input(g, "moved", w->latent));
    lw_output(
        g, "image",
        generate(w, g, lw_input(g, "still", w->latent),
                 &(lw_build_options){.size = sizeof(lw_build_options), .on_tap = mix_here, .user = &e}));
    return lw_step_compile(w->step, g, "mixed images");
}

/* --- sorting ---------------------------------------------------------------------------------- */
/* gram = E M^T M over all points of the walks. */
static lw_status measure(work *w, lw_program *program, float *rows, float *real, float *part)
{
    const int64_t count = w->walks * w->points, square = w->channels * w->channels;
    for (int64_t first = 0; first < count; first += w->batch) {
        for (int64_t i = 0; i < w->batch; i++) {
            const int64_t at = first + i < count ? first + i : count - 1;
            memcpy(rows + i * w->row, w->walk->data + at * w->row, (size_t)w->row * sizeof *rows);
            real[i] = first + i < count;
        }
        LW_TRY(lw_program_write(program, "latent", rows, (size_t)(w->batch * w->row)));
        LW_TRY(lw_program_write(program, "real", real, (size_t)w->batch));
        LW_TRY(lw_program_run(program));
        LW_TRY(lw_program_read(program, "gram", part, (size_t)square));
        for (int64_t i = 0; i < square; i++)
            w->gram[i] += (double)part[i] / (double)count;
    }
    return LW_OK;
}

static lw_status sort_channels(work *w)
{
    LW_TRY(express(w->channels, w->gram, lw_float(w->args, "eta"), w->r));
    if (strcmp(lw_text(w->args, "affinity"), "paper") == 0)
        affinity_paper(w->channels, w->r, w->s);
    else
        LW_TRY(affinity_released(w->channels, w->r, w->count, w->s));
    /* Not the step's seed: steps that look at the same walks (`only`) are to find the same subspaces. */
    return cluster(w->channels, w->s, w->count, 0, w->label);
}

/* How large each subspace is, and how much of the affinity stays within it. */
static lw_status tell(work *w)
{
    for (int64_t k = 0; k < w->count; k++) {
        char row[32];
        double size = 0, within = 0, all = 0;
        for (int64_t i = 0; i < w->channels; i++) {
            size += w->label[i] == k;
            for (int64_t j = 0; w->label[i] == k && j < w->channels; j++) {
                all += i == j ? 0 : w->s[i * w->channels + j];
                within += i == j || w->label[j] != k ? 0 : w->s[i * w->channels + j];
            }
        }
        snprintf(row, sizeof row, "subspace %lld", (long long)k);
        LW_TRY(lw_step_metric(w->step, row, "channels", size));
        LW_TRY(lw_step_metric(w->step, row, "affinity within, in %", all > 0 ? 100 * within / all : 0));
    }
    return LW_OK;
}

/* Labels and coefficients, as subspaces.safetensors. */
static lw_status save(work *w)
{
    const int64_t n = w->channels;
    lw_store *store = lw_store_create();
    float *numbers = lw_alloc((size_t)(n * n), sizeof *numbers);
    char *path = lw_step_path(w->step, "subspaces.safetensors");
    lw_status status = store && numbers && path ? LW_OK : LW_MEMORY;
    for (int64_t i = 0; status == LW_OK && i < n; i++)
        numbers[i] = (float)w->label[i];
    if (status == LW_OK)
        status = lw_store_set(store, "labels", LW_SHAPE(n), numbers);
    for (int64_t i = 0; status == LW_OK && i < n * n; i++)
        numbers[i] = (float)w->r[i];
    if (status == LW_OK)
        status = lw_store_set(store, "coefficients", LW_SHAPE(n, n), numbers);
    if (status == LW_OK)
        status = lw_store_save(store, path, LW_STORE_F32);
    lw_store_destroy(store);
    lw_free(numbers);
    lw_free(path);
    return status;
}

static lw_status find_subspaces(work *w)
{
    lw_program *program = compile_gram(w);
    if (!program)
        return lw_error_status();
    const size_t square = (size_t)(w->channels * w->channels);
    w->gram = lw_alloc(square, sizeof *w->gram);
    w->r = lw_alloc(square, sizeof *w->r);
    w->s = lw_alloc(square, sizeof *w->s);
    w->label = lw_alloc((size_t)w->channels, sizeof *w->label);
    float *room = lw_alloc((size_t)(w->batch * (w->row + 1)) + square, sizeof *room);
    lw_status status = w->gram && w->r && w->s && w->label && room ? LW_OK : LW_MEMORY;
    if (status == LW_OK)
        status = measure(w, program, room, room + w->batch * w->row, room + w->batch * (w->row + 1));
    lw_free(room);
    LW_TRY(status);
    LW_TRY(sort_channels(w));
    if (lw_step_is_dry(w->step))
        return LW_OK;
    LW_TRY(tell(w));
    return save(w);
}

/* --- mixed images ----------------------------------------------------------------------------- */
/* One image to make: these latents, and the subspace that moves. */
typedef struct mixture {
    const float *moved, *still;
    int64_t subspace;
} mixture;

/* Walk m / each in subspace first + m % each, at its t-th point. */
static mixture confined(const work *w, int64_t i)
{
    const int64_t m = i / w->points, walk = m / w->each;
    return (mixture){point(w, walk, i % w->points), point(w, walk, lw_int(w->args, "origin")),
                     w->first + m % w->each};
}

static mixture exchanged(const work *w, int64_t i)
{
    const int64_t n = i % w->walks, origin = lw_int(w->args, "origin");
    return (mixture){point(w, (n + 1) % w->walks, origin), point(w, n, origin), i / w->walks};
}

static lw_status make(work *w, int64_t count, mixture (*of)(const work *w, int64_t i), float *out)
{
    const int64_t pixels = lw_model_dim(w->model, "channels") * lw_model_dim(w->model, "height") *
                           lw_model_dim(w->model, "width");
    for (int64_t first = 0; first < count; first += w->batch) {
        const int64_t left = count - first < w->batch ? count - first : w->batch;
        for (int64_t i = 0; i < w->batch; i++) {
            const mixture m = of(w, i < left ? first + i : count - 1);
            memcpy(w->moved + i * w->row, m.moved, (size_t)w->row * sizeof *m.moved);
            memcpy(w->still + i * w->row, m.still, (size_t)w->row * sizeof *m.still);
            for (int64_t c = 0; c < w->channels; c++)
                w->mask[i * w->channels + c] = w->label[c] == m.subspace;
        }
        LW_TRY(lw_program_write(w->mix, "moved", w->moved, (size_t)(w->batch * w->row)));
        LW_TRY(lw_program_write(w->mix, "still", w->still, (size_t)(w->batch * w->row)));
        LW_TRY(lw_program_write(w->mix, "mask", w->mask, (size_t)(w->batch * w->channels)));
        LW_TRY(lw_program_run(w->mix));
        LW_TRY(lw_program_read(w->mix, "image", w->image, (size_t)(w->batch * pixels)));
        memcpy(out + first * pixels, w->image, (size_t)(left * pixels) * sizeof *out);
    }
    return LW_OK;
}

/* [a, b, channels, height, width] */
static lw_status output(work *w, const char *port, int64_t a, int64_t b,
                        mixture (*of)(const work *w, int64_t i))
{
    lw_tensor *images =
        lw_tensor_create(LW_SHAPE(a, b, lw_model_dim(w->model, "channels"), lw_model_dim(w->model, "height"),
                                  lw_model_dim(w->model, "width")));
    lw_status status = images ? make(w, a * b, of, images->data) : lw_error_status();
    if (status == LW_OK)
        return lw_step_output(w->step, port, images);
    lw_tensor_destroy(images);
    return status;
}

static lw_status show(work *w)
{
    const int64_t pixels = lw_model_dim(w->model, "channels") * lw_model_dim(w->model, "height") *
                           lw_model_dim(w->model, "width");
    w->mix = compile_mix(w);
    if (!w->mix)
        return lw_error_status();
    w->moved = lw_alloc((size_t)(w->batch * w->row), sizeof *w->moved);
    w->still = lw_alloc((size_t)(w->batch * w->row), sizeof *w->still);
    w->mask = lw_alloc((size_t)(w->batch * w->channels), sizeof *w->mask);
    w->image = lw_alloc((size_t)(w->batch * pixels), sizeof *w->image);
    if (!w->moved || !w->still || !w->mask || !w->image)
        return LW_MEMORY;
    LW_TRY(output(w, "confined", w->walks * w->each, w->points, confined));
    return output(w, "exchanged", w->count, w->walks, exchanged);
}

/* Which subspaces the walks are confined to. */
static lw_status choose(work *w, const lw_args *args)
{
    const bool one = lw_is_set(args, "only");
    w->count = lw_int(args, "subspaces");
    w->first = one ? lw_int(args, "only") : 0;
    w->each = one ? 1 : w->count;
    if (w->first < w->count)
        return LW_OK;
    return lw_fail(LW_INVALID, "only: %lld; the subspaces are 0 to %lld", (long long)w->first,
                   (long long)w->count - 1);
}

static lw_status read(work *w, lw_step *step)
{
    w->step = step;
    w->args = lw_step_args(step);
    w->model = lw_step_model(step, "model");
    w->tap = lw_text(w->args, "tap");
    w->walk = lw_step_input(step, "walk", 0);
    w->space = lw_step_input_space(step, "walk", 0);
    w->walks = w->walk->shape.dim[0];
    w->points = w->walk->shape.dim[1];
    w->batch = lw_int(w->args, "batch");
    LW_TRY(choose(w, w->args));
    if (w->walks < 1 || w->points < 1)
        return lw_fail(LW_SHAPE, "there are no walks to confine");
    if (lw_int(w->args, "origin") >= w->points)
        return lw_fail(LW_INVALID, "origin: %lld; the walks have the points 0 to %lld",
                       (long long)lw_int(w->args, "origin"), (long long)w->points - 1);
    w->row = lw_shape_count(w->walk->shape) / (w->walks * w->points);
    w->latent = (lw_shape){.rank = w->walk->shape.rank - 1, .dim = {w->batch}};
    for (int i = 1; i < w->latent.rank; i++)
        w->latent.dim[i] = w->walk->shape.dim[i + 1];
    return LW_OK;
}

/* The walks have no space yet: z, or w mapped from it, does for the tap. */
static lw_status check(lw_step *step)
{
    work w = {.step = step,
              .model = lw_step_model(step, "model"),
              .tap = lw_text(lw_step_args(step), "tap"),
              .space = "z"};
    lw_graph *g = lw_graph_create();
    if (!g)
        return lw_error_status();
    lw_value f = features(&w, g, lw_input(g, "latent", LW_SHAPE(1, lw_model_dim(w.model, "z_dim"))));
    const int64_t channels = lw_is_null(f) ? 0 : lw_dim(g, f, 1),
                  count = lw_int(lw_step_args(step), "subspaces");
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    LW_TRY(status);
    if (channels < count)
        return lw_fail(
            LW_INVALID,
            "subspaces: the %lld channels of tap '%s' cannot be sorted into %lld; at most one each",
            (long long)channels, w.tap, (long long)count);
    return choose(&w, lw_step_args(step));
}

static lw_status run(lw_step *step)
{
    work w = {0};
    lw_status status = read(&w, step);
    if (status == LW_OK)
        status = find_subspaces(&w);
    if (status == LW_OK)
        status = show(&w);
    lw_free(w.gram);
    lw_free(w.r);
    lw_free(w.s);
    lw_free(w.label);
    lw_free(w.moved);
    lw_free(w.still);
    lw_free(w.mask);
    lw_free(w.image);
    return status;
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "subspace", "1.0.0",
          "Channels of a layer sorted into subspaces, and walks confined to each",
          .source = "Li et al., Discovering Density-Preserving Latent Space Walks in GANs (MM 2021), section "
                    "3.3; guanyuelee/DP-LaSE 55f83dc0; Ng, Jordan, Weiss 2002",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
