/* ganspace.c — principal components of W, or of a tap with the latents that go with them. */
#include "pca.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const estimators[] = {"ipca", "pca", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The generator whose space is explored."},
    {"tap", LW_PARAM_STRING, NULL, "",
     .doc = "The tap whose principal components are taken and regressed to latents; absent: W itself."},
    {"count", LW_PARAM_INT, "directions", "80", 1, 16384, NULL, "Components (official code: 80)."},
    {"samples", LW_PARAM_INT, "latents", "300000", 2, 100000000, NULL,
     "Latents whose components are taken (official code: 300,000; paper: 10^6). A tap's are regressed on as "
     "many fresh ones, at least 10,000."},
    {"batch", LW_PARAM_INT, "latents", "2000", 2, 65536, NULL,
     "Latents taken up at a time; at least three times `count` (official code: 2000)."},
    {"estimator", LW_PARAM_CHOICE, NULL, "ipca", .choices = estimators,
     .doc = "ipca keeps `count` components between batches (official default), pca all of them, which is "
            "exact and costs more."},
    {"layers", LW_PARAM_INTS, NULL, "", 0, 1000, NULL,
     "First and last layer of w+ that the directions move (the paper's E(v, first-last)); absent: all."},
};

static const lw_port outputs[] = {
    {"directions", "direction[count, \xe2\x80\xa6]",
     .doc = "Directions by falling variance of their component."},
};

typedef struct explorer {
    lw_step *step;
    lw_model *model;
    const char *space;      /* of the latents: "w" or "z" */
    const char *tap;        /* NULL: W itself */
    int64_t z_dim, size;    /* size of a latent in `space` */
    int64_t batch, samples; /* samples is a multiple of the batch */
    int64_t features;       /* of a row whose components are taken */
    lw_program *program;    /* z [batch, z_dim] -> features [batch, features], latents [batch, size] */
    float *z, *rows, *latents;
    pca p;
    regression r;
    float *deviation; /* [count] of the components */
} explorer;

/* --- samples ----------------------------------------------------------------------------------------- */
static lw_value features(explorer *e, lw_graph *g, lw_value latents)
{
    if (!e->tap)
        return latents;
    lw_synthesize(g, e->model, strcmp(e->space, "w") == 0 ? lw_truncate(g, e->model, latents) : latents);
    return lw_require_tap(g, e->model, LW_PART_GENERATOR, e->tap);
}

static lw_status compile(explorer *e)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return lw_error_status();
    lw_value z = lw_input(g, "z", LW_SHAPE(e->batch, e->z_dim));
    lw_value latents = strcmp(e->space, "w") == 0 ? lw_map(g, e->model, z) : z;
    lw_value rows = lw_reshape(g, features(e, g, latents), LW_SHAPE(e->batch, -1));
    e->features = lw_dim(g, rows, 1);
    lw_output(g, "features", rows);
    if (e->tap)
        lw_output(g, "latents", latents);
    e->program = lw_step_compile(e->step, g, "features");
    if (!e->program)
        return lw_error_status();
    e->z = lw_alloc((size_t)(e->batch * e->z_dim), sizeof *e->z);
    e->rows = lw_alloc((size_t)(e->batch * e->features), sizeof *e->rows);
    e->latents = lw_alloc((size_t)(e->batch * e->size), sizeof *e->latents);
    return e->z && e->rows && e->latents ? LW_OK : lw_error_status();
}

static lw_status sample(explorer *e, const char *purpose, int64_t batch)
{
    lw_normal((lw_stream){.seed = lw_step_seed(e->step), .purpose = lw_purpose(purpose)},
              (uint64_t)(batch * e->batch * e->z_dim), (size_t)(e->batch * e->z_dim), e->z);
    LW_TRY(lw_program_write(e->program, "z", e->z, (size_t)(e->batch * e->z_dim)));
    LW_TRY(lw_program_run(e->program));
    LW_TRY(lw_program_read(e->program, "features", e->rows, (size_t)(e->batch * e->features)));
    return e->tap ? lw_program_read(e->program, "latents", e->latents, (size_t)(e->batch * e->size)) : LW_OK;
}

/* --- what a resumed run finds again --------------------------------------------------------------------- */
static lw_status keep_components(explorer *e)
{
    lw_store *store = lw_step_store(e->step, "components");
    const pca *p = &e->p;
    const float counts[2] = {(float)(p->seen / e->batch), (float)p->count};
    if (!store)
        return lw_error_status();
    LW_TRY(lw_store_set(store, "counts", LW_SHAPE(2), counts));
    LW_TRY(lw_store_set(store, "mean", LW_SHAPE(p->size), p->mean));
    LW_TRY(lw_store_set(store, "variance", LW_SHAPE(p->size), p->variance));
    LW_TRY(lw_store_set(store, "singular", LW_SHAPE(p->kept), p->singular));
    return lw_store_set(store, "components", LW_SHAPE(p->kept, p->size), p->components);
}

static void take_components(explorer *e, lw_store *store)
{
    pca *p = &e->p;
    if (!lw_store_has(store, "counts"))
        return;
    const float *counts = lw_store_get(store, "counts")->data;
    p->seen = (int64_t)counts[0] * e->batch;
    p->count = (int64_t)counts[1];
    memcpy(p->mean, lw_store_get(store, "mean")->data, (size_t)p->size * sizeof *p->mean);
    memcpy(p->variance, lw_store_get(store, "variance")->data, (size_t)p->size * sizeof *p->variance);
    memcpy(p->singular, lw_store_get(store, "singular")->data, (size_t)p->kept * sizeof *p->singular);
    memcpy(p->components, lw_store_get(store, "components")->data,
           (size_t)(p->kept * p->size) * sizeof *p->components);
}

/* Doubles travel through a store as pairs of floats' bytes. */
static lw_status keep_regression(explorer *e, lw_store *store)
{
    const regression *r = &e->r;
    LW_TRY(lw_store_set(store, "square", LW_SHAPE(r->components, r->components, 2),
                        (const float *)(void *)r->square));
    return lw_store_set(store, "product", LW_SHAPE(r->components, r->size, 2),
                        (const float *)(void *)r->product);
}

static void take_regression(explorer *e, lw_store *store)
{
    regression *r = &e->r;
    if (!lw_store_has(store, "square"))
        return;
    memcpy(r->square, lw_store_get(store, "square")->data,
           (size_t)(r->components * r->components) * sizeof *r->square);
    memcpy(r->product, lw_store_get(store, "product")->data,
           (size_t)(r->components * r->size) * sizeof *r->product);
}

/* --- the steps -------------------------------------------------------------------------------- */
static lw_status read_args(explorer *e)
{
    const lw_args *args = lw_step_args(e->step);
    const int64_t count = lw_int(args, "count"), samples = lw_int(args, "samples");
    const bool mapped = lw_model_has(e->model, "map");
    e->tap = lw_is_set(args, "tap") ? lw_text(args, "tap") : NULL;
    e->space = mapped ? "w" : "z";
    e->z_dim = lw_model_dim(e->model, "z_dim");
    e->size = mapped ? lw_model_dim(e->model, "w_dim") : e->z_dim;
    if (!e->tap && !mapped)
        return lw_fail(LW_UNSUPPORTED,
                       "model '%s' has no W whose components could be taken (those of Z mean nothing: all "
                       "its directions vary alike); name a tap of its generator",
                       lw_model_name(e->model));
    e->batch = lw_int(args, "batch") < 3 * count ? 3 * count : lw_int(args, "batch");
    e->batch = e->batch < samples ? e->batch : samples;
    e->samples = samples / e->batch * e->batch; /* as the official code makes it divisible */
    LW_TRY(compile(e));
    if (count > e->features || count > e->batch)
        return lw_fail(
            LW_INVALID,
            "count: %lld components; at most %lld can be found, since a batch has %lld latents, with "
            "%lld numbers each",
            (long long)count, (long long)(e->features < e->batch ? e->features : e->batch),
            (long long)e->batch, (long long)e->features);
    const bool exact = strcmp(lw_text(args, "estimator"), "pca") == 0;
    e->deviation = lw_alloc((size_t)count, sizeof *e->deviation);
    return e->deviation ? pca_create(&e->p, e->features, exact ? e->features : count) : lw_error_status();
}

static lw_status find_components(explorer *e)
{
    lw_store *store = lw_step_store(e->step, "components");
    const lw_args *args = lw_step_args(e->step);
    const int64_t count = lw_int(args, "count");
    if (!store)
        return lw_error_status();
    take_components(e, store);
    for (int64_t i; lw_next(e->step, e->samples / e->batch, &i);) {
        LW_TRY(sample(e, "ganspace components", i));
        LW_TRY(pca_update(&e->p, e->rows, e->batch));
        LW_TRY(keep_components(e));
    }
    LW_TRY(lw_step_finish(e->step));
    for (int64_t k = 0; k < count; k++)
        e->deviation[k] =
            (float)sqrt(pca_variance(&e->p, k, strcmp(lw_text(args, "estimator"), "pca") == 0 ? 0 : 1));
    return LW_OK;
}

/* Components of a tap -> latents [count, size]. */
static lw_status regress(explorer *e, float *vectors)
{
    const int64_t count = lw_int(lw_step_args(e->step), "count"),
                  samples = e->samples < 10000 ? 10000 : e->samples;
    lw_store *store = lw_step_store(e->step, "regression");
    if (!store)
        return lw_error_status();
    LW_TRY(regression_create(&e->r, count, e->size));
    take_regression(e, store);
    for (int64_t i; lw_next(e->step, (samples + e->batch - 1) / e->batch, &i);) {
        LW_TRY(sample(e, "ganspace regression", i));
        LW_TRY(regression_update(&e->r, &e->p, e->deviation, e->rows, e->latents, e->batch));
        LW_TRY(keep_regression(e, store));
    }
    LW_TRY(lw_step_finish(e->step));
    return lw_step_is_dry(e->step) ? LW_OK : regression_solve(&e->r, vectors);
}

static lw_status set_layers(const explorer *e, lw_directions *d)
{
    const lw_args *args = lw_step_args(e->step);
    int given = lw_list_count(args, "layers");
    if (given == 0)
        return LW_OK;
    if (given != 2 || strcmp(e->space, "w") != 0)
        return lw_fail(LW_INVALID, "layers: the first and the last of w+ are needed, as in [0, 3]");
    d->first_layer = lw_list_int(args, "layers", 0);
    d->last_layer = lw_list_int(args, "layers", 1);
    return lw_directions_fit(d, e->model, false);
}

static lw_directions *explore(explorer *e)
{
    if (read_args(e) != LW_OK)
        return NULL;
    const int64_t count = lw_int(lw_step_args(e->step), "count");
    lw_directions *d = lw_directions_create(e->space, count, e->size);
    lw_status status = d ? set_layers(e, d) : lw_error_status();
    if (status == LW_OK)
        status = find_components(e);
    for (int64_t k = 0; status == LW_OK && k < count; k++)
        d->scores[k] = (float)pca_share(&e->p, k);
    if (status == LW_OK && e->tap)
        status = regress(e, d->vectors);
    else if (status == LW_OK)
        memcpy(d->vectors, e->p.components, (size_t)(count * e->size) * sizeof *d->vectors);
    if (status == LW_OK)
        return d;
    lw_directions_destroy(d);
    return NULL;
}

static lw_status run(lw_step *step)
{
    explorer e = {.step = step, .model = lw_step_model(step, "model")};
    lw_status status = lw_step_output_directions(step, "directions", e.model, explore(&e), false);
    pca_destroy(&e.p);
    regression_destroy(&e.r);
    lw_free(e.z);
    lw_free(e.rows);
    lw_free(e.latents);
    lw_free(e.deviation);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "ganspace", "1.0.0", "Directions of most variance, of W or of a layer's activations",
    .source = "Härkönen et al., GANSpace: Discovering Interpretable GAN Controls; harskish/ganspace 5a704c48",
    LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
