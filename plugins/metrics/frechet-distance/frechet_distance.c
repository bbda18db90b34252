/* frechet_distance.c — metric/frechet-distance: how far pictures are from photographs, or from what a model
 * usually makes, as Gaussians in the features of a network. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <string.h>

static const char *const network_needs[] = {"network", NULL};
static const char *const model_needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, NULL, "", .choices = model_needs,
     .doc = "The model whose pictures are compared: those of `latents` or `walk`, or of fresh latents."},
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network sees the features."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc =
         "The place in the network where the features are taken, [N, F], or [N, C, H, W] to be averaged over "
         "pixels; `output` stands for what the network returns."},
    {"samples", LW_PARAM_INT, "images", "10000", 2, 100000000, NULL,
     "How many fresh latents of the model are drawn, to be compared or, without photographs, to be compared "
     "with (Heusel et al. 2017: at least 10,000)."},
    {"at", LW_PARAM_INTS, "steps", "", 0, 1000000, NULL,
     "What the points of the walks are called: the traversal's `keep`; absent: 0, 1, 2, …"},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures seen at a time."},
    {"floor", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL,
     "Also measure what is compared with against itself, every other picture against the rest; no model can "
     "be expected to go below that."},
};

static const lw_port inputs[] = {
    {"photographs", "dataset[N, C, H, W]", .optional = 1,
     .doc = "What the pictures are compared with; absent: with `samples` pictures of the model."},
    {"images", "image[M, C, H, W]", .optional = 1, .doc = "Pictures to compare, in place of a model's."},
    {"latents", "latent[K, …]", .optional = 1, .doc = "Latents of the pictures to compare."},
    {"walk", "latent[L, T, …]", .optional = 1, .doc = "Walks, of which each point is compared by itself."},
};

/* Rows that a program turns into features: photographs, images or latents given, or fresh latents. */
typedef struct stream {
    const lw_dataset *photographs;
    const lw_tensor *given;
    int64_t count;
    lw_program *program;
    size_t row;      /* floats of one */
    float *rows;     /* [batch, row] */
    float *features; /* [batch, size] */
} stream;

typedef struct work {
    lw_step *step;
    const lw_args *args;
    lw_model *network, *model; /* model NULL where images are compared with photographs */
    stream known, made;
    bool walks;
    const char *space;           /* of what is made: "image", or that of the latents */
    int64_t batch, size, points; /* size: of a row of features; points of a walk, else 1 */
    lw_gaussian *all, *half[2];  /* of what is known */
    lw_gaussian **picture;       /* [points] */
} work;

static const char *known_name(const work *w)
{
    return w->known.photographs ? "photographs" : "usual pictures";
}

/* The shape of a batch of the rows of a stream: its dims behind the first, or behind the first two of
 * walks. */
static lw_shape shape_of(const work *w, const stream *s)
{
    lw_shape shape = LW_SHAPE(w->batch, 0);
    if (s->photographs)
        shape = lw_dataset_shape(s->photographs);
    else if (s->given)
        shape = s->given->shape;
    else
        shape.dim[1] = lw_model_dim(w->model, "z_dim");
    if (s->given && w->walks) {
        shape.rank--;
        memmove(shape.dim + 1, shape.dim + 2, (size_t)(shape.rank - 1) * sizeof *shape.dim);
    }
    shape.dim[0] = w->batch;
    return shape;
}

static lw_status open_stream(work *w, stream *s, const char *name, const char *space)
{
    lw_graph *g = lw_graph_create();
    const lw_shape shape = shape_of(w, s);
    if (!g)
        return LW_MEMORY;
    lw_value x = lw_input(g, "x", shape);
    if (strcmp(space, "image") != 0)
        x = strcmp(space, "z") == 0 ? lw_generate(g, w->model, x) : lw_synthesize(g, w->model, x);
    x = lw_features(g, w->network, lw_text(w->args, "tap"), x);
    lw_output(g, "features", x);
    w->size = lw_is_null(x) ? 0 : lw_dim(g, x, 1);
    s->program = lw_step_compile(w->step, g, name);
    if (!s->program)
        return lw_error_status();
    s->row = (size_t)(lw_shape_count(shape) / w->batch);
    s->rows = lw_alloc((size_t)w->batch * s->row, sizeof(float));
    s->features = lw_alloc((size_t)(w->batch * w->size), sizeof(float));
    return s->rows && s->features ? LW_OK : LW_MEMORY;
}

static int64_t batches(const work *w, const stream *s)
{
    return (s->count + w->batch - 1) / w->batch;
}

/* The rows of batch i: the last ones repeated past the end; fresh latents depend on the seed alone, those to
 * compare with on the run's, so that all its steps compare with the same. */
static void fill(const work *w, const stream *s, int64_t i)
{
    const int64_t first = i * w->batch;
    if (s->photographs)
        lw_dataset_range(s->photographs, (size_t)first, (size_t)w->batch, s->rows);
    else if (!s->given)
        lw_normal((lw_stream){.seed = s == &w->known ? lw_step_shared_seed(w->step, "usual pictures")
                                                     : lw_step_seed(w->step),
                              .purpose = lw_purpose("latents")},
                  (uint64_t)first * s->row, (size_t)w->batch * s->row, s->rows);
    for (int64_t k = 0; s->given && k < w->batch; k++) {
        int64_t from = first + k < s->count ? first + k : s->count - 1;
        memcpy(s->rows + (size_t)k * s->row, s->given->data + (size_t)from * s->row, s->row * sizeof(float));
    }
}

/* The features of batch i; *real: how many of them are no padding. */
static lw_status see(const work *w, stream *s, int64_t i, int64_t *real)
{
    *real = s->count - i * w->batch < w->batch ? s->count - i * w->batch : w->batch;
    fill(w, s, i);
    LW_TRY(lw_program_write(s->program, "x", s->rows, (size_t)w->batch * s->row));
    LW_TRY(lw_program_run(s->program));
    return lw_program_read(s->program, "features", s->features, (size_t)(w->batch * w->size));
}

static lw_status see_known(work *w, int64_t i)
{
    int64_t real;
    LW_TRY(see(w, &w->known, i, &real));
    if (lw_gaussian_add(w->all, w->known.features, real) != LW_OK)
        return lw_wrap("%s", known_name(w));
    for (int64_t k = 0; lw_bool(w->args, "floor") && k < real; k++)
        LW_TRY(lw_gaussian_add(w->half[(i * w->batch + k) % 2], w->known.features + k * w->size, 1));
    return LW_OK;
}

static lw_status see_pictures(work *w, int64_t i)
{
    int64_t real;
    LW_TRY(see(w, &w->made, i, &real));
    if (w->points == 1)
        return lw_gaussian_add(w->picture[0], w->made.features, real) == LW_OK ? LW_OK : lw_wrap("pictures");
    for (int64_t k = 0; k < real; k++)
        if (lw_gaussian_add(w->picture[(i * w->batch + k) % w->points], w->made.features + k * w->size, 1) !=
            LW_OK)
            return lw_wrap("point %lld of the walks", (long long)((i * w->batch + k) % w->points));
    return LW_OK;
}

/* Both streams, side by side. */
static lw_status see_all(work *w)
{
    const int64_t known = batches(w, &w->known), made = batches(w, &w->made);
    for (int64_t i; lw_next_again(w->step, known > made ? known : made, &i);) {
        if (i < known)
            LW_TRY(see_known(w, i));
        if (i < made)
            LW_TRY(see_pictures(w, i));
    }
    return lw_step_finish(w->step);
}

static lw_status tell(work *w, const char *row, const lw_gaussian *a, const lw_gaussian *b,
                      lw_frechet *distance)
{
    if (lw_frechet_distance(a, b, distance) != LW_OK)
        return lw_wrap("%s", row);
    LW_TRY(lw_step_metric(w->step, row, "Fréchet distance", distance->means + distance->covariances));
    LW_TRY(lw_step_metric(w->step, row, "of the means", distance->means));
    LW_TRY(lw_step_metric(w->step, row, "of the covariances", distance->covariances));
    LW_TRY(lw_step_metric(w->step, row, "samples", (double)lw_gaussian_count(a)));
    return lw_step_metric(w->step, row, known_name(w), (double)lw_gaussian_count(b));
}

/* Fewer pictures than features leave directions unseen. */
static void note_few(const work *w, const char *what, const lw_gaussian *a, const lw_gaussian *b)
{
    int64_t fewest =
        lw_gaussian_count(a) < lw_gaussian_count(b) ? lw_gaussian_count(a) : lw_gaussian_count(b);
    if (fewest <= w->size)
        lw_step_note(w->step,
                     "%s: %lld samples of %lld features leave the covariance without full rank; the distance "
                     "is too large",
                     what, (long long)fewest, (long long)w->size);
}

static lw_status tell_points(work *w)
{
    char row[64];
    for (int64_t t = 0; t < w->points; t++) {
        const int64_t at = lw_point_name(w->args, "at", t);
        lw_frechet distance = {0};
        if (w->walks)
            snprintf(row, sizeof row, "point %lld and %s", (long long)at, known_name(w));
        else
            snprintf(row, sizeof row, "pictures and %s", known_name(w));
        LW_TRY(tell(w, row, w->picture[t], w->all, &distance));
        if (w->walks)
            LW_TRY(lw_step_log_at(w->step, "Fréchet distance", at, distance.means + distance.covariances));
    }
    note_few(w, w->walks ? "each point" : row, w->picture[0], w->all);
    return LW_OK;
}

static lw_status tell_floor(work *w)
{
    lw_frechet distance = {0};
    char row[64];
    snprintf(row, sizeof row, "halves of the %s", known_name(w));
    LW_TRY(tell(w, row, w->half[0], w->half[1], &distance));
    note_few(w, row, w->half[0], w->half[1]);
    return LW_OK;
}

/* What does not fit is said before anything is computed. */
static lw_status check_photographs(const work *w)
{
    lw_shape shape = lw_dataset_shape(w->known.photographs);
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
    return LW_OK;
}

static lw_status check(const work *w)
{
    const int64_t least = lw_bool(w->args, "floor") ? 4 : 2, each = w->made.count / w->points;
    if (w->known.photographs)
        LW_TRY(check_photographs(w));
    if (w->known.count < least)
        return lw_fail(LW_INVALID, "%lld %s are too few: %lld are needed%s", (long long)w->known.count,
                       known_name(w), (long long)least, least == 4 ? ", two for each half of the floor" : "");
    if (each < 2)
        return lw_fail(LW_INVALID, "%lld picture is too few: at least 2 are needed", (long long)each);
    return lw_check_point_names(w->args, "at", w->points);
}

/* Images, latents or walks of the model, or fresh latents of it: exactly one of them, and what they are
 * compared with. */
static lw_status choose(work *w)
{
    const lw_tensor *images = lw_step_input(w->step, "images", 0),
                    *latents = lw_step_input(w->step, "latents", 0),
                    *walk = lw_step_input(w->step, "walk", 0);
    if (latents && walk)
        return lw_fail(LW_INVALID, "`latents` and `walk` are given; one of them is to be compared");
    if (images && (latents || walk || (w->model && w->known.photographs)))
        return lw_fail(LW_INVALID, "`images` and %s are given; one of them is to be compared",
                       latents ? "`latents`"
                       : walk  ? "`walk`"
                               : "a `model`");
    if (!images && !w->model)
        return lw_fail(LW_INVALID, "nothing to compare: give `images`, or name the `model` that makes them");
    if (!w->known.photographs && !w->model)
        return lw_fail(LW_INVALID, "nothing to compare with: give `photographs`, or name the `model` whose "
                                   "pictures stand for them");
    w->made.given = images ? images : walk ? walk : latents;
    w->space = images          ? "image"
               : w->made.given ? lw_step_input_space(w->step, walk ? "walk" : "latents", 0)
                               : "z";
    w->walks = walk != NULL;
    w->points = walk ? walk->shape.dim[1] : 1;
    w->made.count = w->made.given ? w->made.given->shape.dim[0] * w->points : lw_int(w->args, "samples");
    w->known.count =
        w->known.photographs ? (int64_t)lw_dataset_count(w->known.photographs) : lw_int(w->args, "samples");
    return LW_OK;
}

static lw_status open_work(work *w)
{
    LW_TRY(open_stream(w, &w->known, known_name(w), w->known.photographs ? "image" : "z"));
    LW_TRY(open_stream(w, &w->made, "pictures", w->space));
    lw_gaussian **known[] = {&w->all, &w->half[0], &w->half[1]};
    for (int i = 0; i < 3; i++)
        if (!(*known[i] = lw_gaussian_create(w->size)))
            return lw_error_status();
    w->picture = lw_alloc((size_t)w->points, sizeof *w->picture);
    for (int64_t t = 0; w->picture && t < w->points; t++)
        if (!(w->picture[t] = lw_gaussian_create(w->size)))
            return lw_error_status();
    return w->picture ? LW_OK : lw_error_status();
}

static lw_status measure(work *w)
{
    LW_TRY(choose(w));
    LW_TRY(check(w));
    LW_TRY(open_work(w));
    LW_TRY(see_all(w));
    if (lw_step_is_dry(w->step)) /* which sees the first batches alone */
        return LW_OK;
    LW_TRY(tell_points(w));
    return lw_bool(w->args, "floor") ? tell_floor(w) : LW_OK;
}

static void close_work(work *w)
{
    for (int i = 0; i < 2; i++) {
        stream *s = i ? &w->made : &w->known;
        lw_free(s->rows);
        lw_free(s->features);
        lw_gaussian_destroy(w->half[i]);
    }
    for (int64_t t = 0; w->picture && t < w->points; t++)
        lw_gaussian_destroy(w->picture[t]);
    lw_free(w->picture);
    lw_gaussian_destroy(w->all);
}

static lw_status run(lw_step *step)
{
    work w = {.step = step, .args = lw_step_args(step)};
    w.network = lw_step_model(step, "network");
    w.model = lw_step_model(step, "model");
    w.known.photographs = lw_step_input_dataset(step, "photographs", 0);
    w.batch = lw_int(w.args, "batch");
    lw_status status = measure(&w);
    close_work(&w);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(
    METRIC, "frechet-distance", "1.0.0",
    "How far pictures are from photographs, or from a model's usual ones, in the features of a network",
    .source = "Dowson & Landau 1982, equation 4; Heusel et al. 2017 (the use); pytorch-fid (the numbers)",
    LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
