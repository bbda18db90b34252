/* latent_optimizer.c — gradient descent on latents under any losses on them and their images, plain or with
 * every step taken within Bounded Local Space. */
#include "projection.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const offers[] = {"latents", "latents0", "images", "targets", NULL};
static const char *const spaces[] = {"z", "w", "w+", NULL};
static const char *const optimizers[] = {"sgd", "adam", NULL};
static const char *const projections[] = {"none", "bounded-local-space", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs,
     .doc = "The model whose latents are searched; it is not changed."},
    {"space", LW_PARAM_CHOICE, NULL, "", .choices = spaces,
     .doc = "What is moved: z, the w it is mapped to, or a w for each layer; absent: w, or z without a "
            "mapping."},
    {"losses", LW_PARAM_LOSSES, .choices = offers,
     .doc = "What is to become small, of each latent by itself."},
    {"optimizer", LW_PARAM_CHOICE, NULL, "sgd", .choices = optimizers,
     .doc = "Stochastic gradient descent (Bounded Local Space, section 4.2), or Adam (Kingma & Ba 2015)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-3", 1e-12, 1e6, NULL,
     "For a latent by itself, whatever the batch (section 4.2: from 1e-3 to 5, by loss; up to fifty times as "
     "much with the projection)."},
    {"momentum", LW_PARAM_FLOAT, NULL, "0", 0, 1, NULL, "Of SGD."},
    {"betas", LW_PARAM_FLOATS, NULL, "[0.9, 0.999]", 0, 1, NULL, "Of Adam (Kingma & Ba 2015, algorithm 1)."},
    {"iterations", LW_PARAM_INT, "steps", "500", 1, 1000000, NULL,
     "Steps of every latent (section 4.2: 500)."},
    {"projection", LW_PARAM_CHOICE, NULL, "none", .choices = projections,
     .doc = "Where steps lead: as the optimiser wants, or within Bounded Local Space (eq. 4-9; in W)."},
    {"alpha", LW_PARAM_FLOAT, NULL, "1", 1e-6, 1e6, NULL,
     "Size of the space a projected step stays in, in singular values (eq. 4; section 4.1: 1)."},
    {"cutoff", LW_PARAM_FLOAT, NULL, "0.05", 0, 1e6, NULL,
     "Directions with a singular value up to this are left alone (supplement, section 1: 0.05)."},
    {"keep", LW_PARAM_INTS, "steps", "", 0, 1000000, NULL,
     "After how many steps latents and images are kept, ascending; absent: the start and the end."},
    {"batch", LW_PARAM_INT, "latents", "16", 1, 4096, NULL, "Latents searched at a time."},
};
static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Where the searches start."},
    {"targets", "image[N, channels, height, width]", .optional = 1,
     .doc = "What the image of each is to look like, for losses that compare."},
};
static const lw_port outputs[] = {
    {"walk", "latent[N, T, …]", .doc = "The latents kept of each search."},
    {"images", "image[N, T, channels, height, width]", .doc = "Their images."},
    {"latents", "latent[N, …]", .doc = "Where the searches end."},
};

/* All batches of a step, one after the other. */
typedef struct work {
    lw_step *step;
    search s;
    projection p;
    int64_t count, batches, iterations;
    int64_t *kept, kept_count; /* after how many steps */
    float *curves;             /* [iterations, curves]: means over latents, summed up batch by batch */
    lw_store *told;            /* "curves"; "point.BATCH.STEPS" [batch, size] */
} work;

/* --- points and curves --------------------------------------------------------------------------- */
static lw_status read_kept(work *w)
{
    const lw_args *args = lw_step_args(w->step);
    const int listed = lw_list_count(args, "keep");
    w->iterations = lw_int(args, "iterations");
    w->kept_count = listed ? listed : 2;
    w->kept = lw_alloc((size_t)w->kept_count, sizeof *w->kept);
    if (!w->kept)
        return LW_MEMORY;
    w->kept[w->kept_count - 1] = w->iterations;
    for (int i = 0; i < listed; i++) {
        w->kept[i] = lw_list_int(args, "keep", i);
        if (w->kept[i] > w->iterations || (i > 0 && w->kept[i] <= w->kept[i - 1]))
            return lw_fail(LW_INVALID,
                           "keep: %lld; it lists numbers of steps in ascending order, up to `iterations` "
                           "(%lld)",
                           (long long)w->kept[i], (long long)w->iterations);
    }
    return LW_OK;
}

static const char *point_name(int64_t batch, int64_t steps, char *name, size_t size)
{
    snprintf(name, size, "point.%lld.%08lld", (long long)batch, (long long)steps);
    return name;
}

/* The end of a batch is kept in any case. */
static lw_status keep(work *w, int64_t batch, int64_t steps)
{
    char name[64];
    bool wanted = steps == w->iterations;
    for (int64_t i = 0; i < w->kept_count; i++)
        wanted = wanted || w->kept[i] == steps;
    if (!wanted)
        return LW_OK;
    const float *latents = search_latents(&w->s);
    return latents ? lw_store_set(w->told, point_name(batch, steps, name, sizeof name),
                                  LW_SHAPE(w->s.batch, w->s.size), latents)
                   : lw_error_status();
}

/* The first latent of a batch. */
static int64_t first_of(const work *w, int64_t batch)
{
    return lw_batch_first(batch, w->s.batch, w->count);
}

static void add_to_curve(work *w, int64_t i, int curve, double value)
{
    const int64_t batch = i / w->iterations, rest = w->count - batch * w->s.batch;
    const double share = (double)(rest < w->s.batch ? rest : w->s.batch) / (double)w->count;
    w->curves[i % w->iterations * w->s.curves + curve] += (float)(value * share);
}

/* Series run along the steps of a search, which all batches share. */
static lw_status tell_curves(work *w)
{
    for (int c = 0; c < w->s.curves; c++)
        for (int64_t k = 0; k < w->iterations; k++)
            LW_TRY(lw_step_log_at(w->step, w->s.curve[c], k, (double)w->curves[k * w->s.curves + c]));
    return LW_OK;
}

/* --- steps ---------------------------------------------------------------------------------------- */
/* A loss is no number: the latents that were last seen with a finite one are saved. */
static lw_status give_up(work *w, int64_t i, const char *loss, double value)
{
    const int64_t k = i % w->iterations, first = first_of(w, i / w->iterations);
    char *path = k > 0 ? lw_step_path(w->step, "last-good.safetensors") : NULL;
    lw_store *store = path ? lw_store_create() : NULL;
    bool saved = store && lw_store_copy(store, "latents", w->s.latents, "good") == LW_OK &&
                 lw_store_save(store, path, LW_STORE_F32) == LW_OK;
    lw_fail(LW_NUMERIC,
            "'%s' is %s at iteration %lld of latents %lld to %lld%s%s; a smaller learning rate may help",
            loss, isnan(value) ? "not a number" : "infinite", (long long)k, (long long)first,
            (long long)(first + w->s.batch - 1),
            saved    ? "; as they were before, they are in "
            : k == 0 ? ", at the start"
                     : "",
            saved ? path : "");
    lw_store_destroy(store);
    lw_free(path);
    return LW_NUMERIC;
}

static lw_status read_losses(work *w, int64_t i)
{
    for (int c = 0; c < w->s.losses; c++) {
        float value;
        LW_TRY(lw_program_read(w->s.descend, w->s.curve[c], &value, 1));
        if (!isfinite(value))
            return give_up(w, i, w->s.curve[c], (double)value);
        add_to_curve(w, i, c, (double)value);
    }
    return LW_OK;
}

static lw_status begin_batch(work *w, int64_t batch)
{
    const lw_tensor *z = lw_step_input(w->step, "z", 0), *targets = lw_step_input(w->step, "targets", 0);
    const int64_t first = first_of(w, batch);
    const int64_t pixels = targets ? lw_shape_count(targets->shape) / w->count : 0;
    LW_TRY(search_begin(&w->s, z->data + first * z->shape.dim[1],
                        targets ? targets->data + first * pixels : NULL));
    return keep(w, batch, 0);
}

/* i counts through the steps of the first batch, then those of the second, … */
static lw_status step_once(work *w, int64_t i, bool resumed)
{
    const int64_t batch = i / w->iterations, k = i % w->iterations;
    double wanted, taken;
    if (k == 0)
        LW_TRY(begin_batch(w, batch));
    if (w->s.projected && (k == 0 || resumed))
        LW_TRY(projection_begin(&w->p));
    LW_TRY(search_descend(&w->s, i));
    LW_TRY(read_losses(w, i));
    if (w->s.projected) {
        LW_TRY(projection_apply(&w->p, &wanted, &taken));
        add_to_curve(w, i, w->s.losses, wanted);
        add_to_curve(w, i, w->s.losses + 1, taken);
    }
    LW_TRY(lw_store_set(w->told, "curves", LW_SHAPE(w->iterations, w->s.curves), w->curves));
    return keep(w, batch, k + 1);
}

/* --- results --------------------------------------------------------------------------------------- */
/* After `steps` steps of all batches, into out[N, stride]. A dry run, which took one step, has zeros. */
static void gather(work *w, int64_t steps, float *out, int64_t stride)
{
    char name[64];
    for (int64_t b = 0; b < w->batches; b++) {
        const lw_tensor *point = lw_store_get(w->told, point_name(b, steps, name, sizeof name));
        for (int64_t n = 0; point && n < w->s.batch; n++)
            memcpy(out + (first_of(w, b) + n) * stride, point->data + n * w->s.size,
                   (size_t)w->s.size * sizeof *out);
    }
}

/* [count, points or nothing, then as one latent] */
static lw_shape shape_of(const work *w, int64_t points)
{
    lw_shape shape = {.rank = w->s.shape.rank, .dim = {w->count}};
    if (points)
        shape.dim[1] = points, shape.rank++;
    for (int i = 1; i < w->s.shape.rank; i++)
        shape.dim[shape.rank - w->s.shape.rank + i] = w->s.shape.dim[i];
    return shape;
}

static lw_status give_images(work *w, lw_tensor *walk)
{
    lw_tensor *images = NULL, flat = *walk;
    flat.shape = w->s.shape;
    flat.shape.dim[0] = w->count * w->kept_count;
    LW_TRY(lw_model_images(w->s.model, lw_step_device(w->step), w->s.space, &flat, 64, &images, NULL));
    const int64_t *dim = images->shape.dim;
    images->shape = LW_SHAPE(w->count, w->kept_count, dim[1], dim[2], dim[3]);
    return lw_step_output(w->step, "images", images);
}

static lw_status hand_over(work *w)
{
    lw_tensor *walk = lw_tensor_create(shape_of(w, w->kept_count)),
              *latents = walk ? lw_tensor_create(shape_of(w, 0)) : NULL;
    if (!latents) {
        lw_tensor_destroy(walk);
        return lw_error_status();
    }
    for (int64_t t = 0; t < w->kept_count; t++)
        gather(w, w->kept[t], walk->data + t * w->s.size, w->kept_count * w->s.size);
    gather(w, w->iterations, latents->data, w->s.size);
    lw_status shown = give_images(w, walk), walked = lw_step_output(w->step, "walk", walk),
              ended = lw_step_output(w->step, "latents", latents);
    return shown != LW_OK ? shown : walked != LW_OK ? walked : ended;
}

/* --- the step --------------------------------------------------------------------------------------- */
static lw_status open(work *w)
{
    const lw_tensor *z = lw_step_input(w->step, "z", 0);
    const int64_t most = lw_int(lw_step_args(w->step), "batch");
    w->count = z->shape.dim[0];
    LW_TRY(read_kept(w));
    LW_TRY(search_prepare(&w->s, w->step, most < w->count ? most : w->count));
    w->batches = (w->count + w->s.batch - 1) / w->s.batch;
    w->curves = lw_alloc((size_t)(w->iterations * w->s.curves), sizeof *w->curves);
    w->told = lw_step_store(w->step, "told");
    if (!w->curves || !w->told)
        return lw_error_status();
    if (lw_store_has(w->told, "curves")) /* of a resumed run */
        memcpy(w->curves, lw_store_get(w->told, "curves")->data,
               (size_t)(w->iterations * w->s.curves) * sizeof *w->curves);
    LW_TRY(search_compile(&w->s));
    return w->s.projected ? projection_open(&w->p, &w->s) : LW_OK;
}

static lw_status run(lw_step *step)
{
    work w = {.step = step};
    lw_status status = open(&w);
    bool resumed = true; /* so far as anyone knows, until the first step is done */
    for (int64_t i; status == LW_OK && lw_next(step, w.batches * w.iterations, &i); resumed = false)
        status = step_once(&w, i, resumed);
    if (status == LW_OK)
        status = lw_step_finish(step);
    if (status == LW_OK)
        status = tell_curves(&w);
    if (status == LW_OK)
        status = hand_over(&w);
    projection_close(&w.p);
    lw_free(w.kept);
    lw_free(w.curves);
    return status;
}

static lw_status check(lw_step *step)
{
    work w = {.step = step};
    lw_status status = read_kept(&w);
    lw_free(w.kept);
    LW_TRY(status);
    LW_TRY(search_prepare(&w.s, step, 1));
    return search_check(&w.s);
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "latent-optimizer", "1.0.0",
          "Gradient descent on latents under any losses, plain or within Bounded Local Space",
          .source = "Harada et al., Bounded Local Space, sections 3.2 and 4.2; Kingma & Ba 2015 (Adam)",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
