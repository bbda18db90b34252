/* frechet_distance.c — metric/frechet-distance: how far the pictures of a model are from photographs, as
 * Gaussians in the features of a network. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const network_needs[] = {"network", NULL};
static const char *const model_needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network sees the features."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc =
         "The place in the network where the features are taken, [N, F], or [N, C, H, W] to be averaged over "
         "pixels; `output` stands for what the network returns."},
    {"model", LW_PARAM_MODEL, NULL, "", .choices = model_needs,
     .doc = "The model whose pictures are compared: those of `latents`, or of fresh ones."},
    {"samples", LW_PARAM_INT, "images", "10000", 2, 100000000, NULL,
     "How many fresh latents are drawn where neither `images` nor `latents` are given (Heusel et al. 2017: "
     "at "
     "least 10,000)."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures seen at a time."},
    {"floor", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL,
     "Also measure between two halves of the photographs, every other one: what not even photographs go "
     "below."},
};

static const lw_port inputs[] = {
    {"photographs", "dataset[N, C, H, W]", .doc = "What the pictures are compared with."},
    {"images", "image[M, C, H, W]", .optional = 1, .doc = "Pictures to compare, in place of a model's."},
    {"latents", "latent[K, …]", .optional = 1, .doc = "Latents of the pictures to compare."},
};

/* Rows that a program turns into features: photographs, images, latents given or drawn. */
typedef struct stream {
    lw_program *program;
    int64_t count;
    size_t row;      /* floats of one */
    float *rows;     /* [batch, row] */
    float *features; /* [batch, size] */
} stream;

typedef struct work {
    lw_step *step;
    const lw_args *args;
    lw_model *network, *model; /* model NULL where images are given */
    const lw_dataset *photographs;
    const lw_tensor *given; /* images or latents, NULL for fresh latents */
    const char *space;      /* "image", or that of the latents */
    int64_t batch, size;    /* size: of a row of features */
    stream real, made;
    lw_gaussian *photo, *half[2], *picture; /* photographs, halves of them, what is compared with them */
} work;

/* Rows of `shape` [batch, …], images or latents in `space`, to features. */
static lw_status open_stream(work *w, stream *s, const char *name, int64_t count, lw_shape shape,
                             const char *space)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lw_value x = lw_input(g, "x", shape);
    if (strcmp(space, "image") != 0)
        x = strcmp(space, "z") == 0 ? lw_generate(g, w->model, x) : lw_synthesize(g, w->model, x);
    x = lw_features(g, w->network, lw_text(w->args, "tap"), x);
    lw_output(g, "features", x);
    w->size = lw_is_null(x) ? 0 : lw_dim(g, x, 1);
    s->program = lw_step_compile(w->step, g, name);
    lw_graph_destroy(g);
    if (!s->program)
        return lw_error_status();
    s->count = count;
    s->row = (size_t)(lw_shape_count(shape) / w->batch);
    s->rows = lw_alloc((size_t)w->batch * s->row, sizeof(float));
    s->features = lw_alloc((size_t)(w->batch * w->size), sizeof(float));
    return s->rows && s->features ? LW_OK : LW_MEMORY;
}

static int64_t batches(const work *w, const stream *s)
{
    return (s->count + w->batch - 1) / w->batch;
}

/* The features of batch i, whose rows are there; *real: how many of them are no padding. */
static lw_status see(work *w, stream *s, int64_t i, int64_t *real)
{
    *real = s->count - i * w->batch < w->batch ? s->count - i * w->batch : w->batch;
    LW_TRY(lw_program_write(s->program, "x", s->rows, (size_t)w->batch * s->row));
    LW_TRY(lw_program_run(s->program));
    return lw_program_read(s->program, "features", s->features, (size_t)(w->batch * w->size));
}

static lw_status see_photographs(work *w, int64_t i)
{
    int64_t real;
    lw_dataset_range(w->photographs, (size_t)(i * w->batch), (size_t)w->batch, w->real.rows);
    LW_TRY(see(w, &w->real, i, &real));
    if (lw_gaussian_add(w->photo, w->real.features, real) != LW_OK)
        return lw_wrap("photographs");
    for (int64_t k = 0; lw_bool(w->args, "floor") && k < real; k++)
        LW_TRY(lw_gaussian_add(w->half[(i * w->batch + k) % 2], w->real.features + k * w->size, 1));
    return LW_OK;
}

/* The given ones, the last repeated past the end; or fresh latents, which depend on the seed alone. */
static lw_status see_pictures(work *w, int64_t i)
{
    stream *s = &w->made;
    for (int64_t k = 0; w->given && k < w->batch; k++) {
        int64_t from = i * w->batch + k < s->count ? i * w->batch + k : s->count - 1;
        memcpy(s->rows + (size_t)k * s->row, w->given->data + (size_t)from * s->row, s->row * sizeof(float));
    }
    if (!w->given)
        lw_normal((lw_stream){.seed = lw_step_seed(w->step), .purpose = lw_purpose("latents")},
                  (uint64_t)(i * w->batch) * s->row, (size_t)w->batch * s->row, s->rows);
    int64_t real;
    LW_TRY(see(w, s, i, &real));
    return lw_gaussian_add(w->picture, s->features, real) == LW_OK ? LW_OK : lw_wrap("pictures");
}

/* Both streams, side by side. What has been seen is not kept in checkpoints: a resumed run sees it again. */
static lw_status see_all(work *w)
{
    int64_t real = batches(w, &w->real), made = batches(w, &w->made), done = 0;
    for (int64_t i; lw_next(w->step, real > made ? real : made, &i);) {
        for (; done <= i; done++) {
            if (done < real)
                LW_TRY(see_photographs(w, done));
            if (done < made)
                LW_TRY(see_pictures(w, done));
        }
    }
    return lw_step_finish(w->step);
}

static lw_status tell(work *w, const char *row, const lw_gaussian *a, const lw_gaussian *b)
{
    lw_frechet distance = {0};
    if (lw_frechet_distance(a, b, &distance) != LW_OK)
        return lw_wrap("%s", row);
    LW_TRY(lw_step_metric(w->step, row, "Fréchet distance", distance.means + distance.covariances));
    LW_TRY(lw_step_metric(w->step, row, "of the means", distance.means));
    LW_TRY(lw_step_metric(w->step, row, "of the covariances", distance.covariances));
    LW_TRY(lw_step_metric(w->step, row, "samples", (double)lw_gaussian_count(a)));
    LW_TRY(lw_step_metric(w->step, row, "photographs", (double)lw_gaussian_count(b)));
    int64_t fewest =
        lw_gaussian_count(a) < lw_gaussian_count(b) ? lw_gaussian_count(a) : lw_gaussian_count(b);
    if (fewest <= w->size)
        lw_step_note(w->step,
                     "%s: %lld samples of %lld features leave the covariance without full rank; the distance "
                     "is too large",
                     row, (long long)fewest, (long long)w->size);
    return LW_OK;
}

/* What does not fit is said before anything is computed. */
static lw_status check(const work *w)
{
    lw_shape shape = lw_dataset_shape(w->photographs);
    int64_t side[3] = {lw_model_dim(w->network, "channels"), lw_model_dim(w->network, "height"),
                       lw_model_dim(w->network, "width")};
    char found[LW_SHAPE_TEXT];
    for (int i = 0; i < 3; i++)
        if (shape.dim[i + 1] != side[i])
            return lw_fail(
                LW_SHAPE,
                "the photographs are %s, but the network of model '%s' takes [N, %lld, %lld, %lld]; "
                "set height and width of their source",
                lw_shape_text(shape, found), lw_model_name(w->network), (long long)side[0],
                (long long)side[1], (long long)side[2]);
    int64_t least = lw_bool(w->args, "floor") ? 4 : 2;
    if (shape.dim[0] < least)
        return lw_fail(LW_INVALID, "%lld photographs are too few: %lld are needed%s", (long long)shape.dim[0],
                       (long long)least, least == 4 ? ", two for each half of the floor" : "");
    if (w->given && w->given->shape.dim[0] < 2)
        return lw_fail(LW_INVALID, "%lld picture is too few: at least 2 are needed",
                       (long long)w->given->shape.dim[0]);
    return LW_OK;
}

/* Images, latents of the model, or fresh latents of it: exactly one of them. */
static lw_status choose(work *w)
{
    const lw_tensor *images = lw_step_input(w->step, "images", 0);
    const lw_tensor *latents = lw_step_input(w->step, "latents", 0);
    if (images && (latents || w->model))
        return lw_fail(LW_INVALID, "`images` and %s are given; one of them is to be compared",
                       latents ? "`latents`" : "a `model`");
    if (!images && !w->model)
        return lw_fail(LW_INVALID, "nothing to compare: give `images`, or name the `model` that makes them");
    w->given = images ? images : latents;
    w->space = images ? "image" : latents ? lw_step_input_space(w->step, "latents", 0) : "z";
    return LW_OK;
}

static lw_status open_work(work *w)
{
    lw_shape photo = lw_dataset_shape(w->photographs), picture = LW_SHAPE(0, 0);
    int64_t count = w->given ? w->given->shape.dim[0] : lw_int(w->args, "samples");
    if (w->given)
        picture = w->given->shape;
    else
        picture.dim[1] = lw_model_dim(w->model, "z_dim");
    photo.dim[0] = picture.dim[0] = w->batch;
    LW_TRY(
        open_stream(w, &w->real, "photographs", (int64_t)lw_dataset_count(w->photographs), photo, "image"));
    LW_TRY(open_stream(w, &w->made, "pictures", count, picture, w->space));
    lw_gaussian **all[] = {&w->photo, &w->picture, &w->half[0], &w->half[1]};
    for (int i = 0; i < 4; i++)
        if (!(*all[i] = lw_gaussian_create(w->size)))
            return lw_error_status();
    return LW_OK;
}

static lw_status measure(work *w)
{
    LW_TRY(choose(w));
    LW_TRY(check(w));
    LW_TRY(open_work(w));
    LW_TRY(see_all(w));
    if (lw_gaussian_count(w->picture) < w->made.count) /* a dry run, which sees the first batches alone */
        return LW_OK;
    LW_TRY(tell(w, "pictures and photographs", w->picture, w->photo));
    return lw_bool(w->args, "floor") ? tell(w, "halves of the photographs", w->half[0], w->half[1]) : LW_OK;
}

static void close_work(work *w)
{
    for (int i = 0; i < 2; i++) {
        stream *s = i ? &w->made : &w->real;
        lw_free(s->rows);
        lw_free(s->features);
        lw_gaussian_destroy(w->half[i]);
    }
    lw_gaussian_destroy(w->photo);
    lw_gaussian_destroy(w->picture);
}

static lw_status run(lw_step *step)
{
    work w = {.step = step, .args = lw_step_args(step)};
    w.network = lw_step_model(step, "network");
    w.model = lw_step_model(step, "model");
    w.photographs = lw_step_input_dataset(step, "photographs", 0);
    w.batch = lw_int(w.args, "batch");
    lw_status status = measure(&w);
    close_work(&w);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(
    METRIC, "frechet-distance", "1.0.0",
    "How far a model's pictures are from photographs, in the features of a network",
    .source = "Dowson & Landau 1982, equation 4; Heusel et al. 2017 (the use); pytorch-fid (the numbers)",
    LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
