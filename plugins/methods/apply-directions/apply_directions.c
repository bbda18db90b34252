/* apply_directions.c — moves latents along found directions, and shows what happens. */
#include "walk.h"

#include <math.h>
#include <string.h>

#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const spaces[] = {"w+", "z", NULL};
static const char *const units[] = {"deviation", "length", NULL};
static const char *const origins[] = {"latent", "boundary", NULL};
static const char *const preserves[] = {"none", "norm", NULL};
static const char *const orders[] = {"sample", "direction", "pair", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents are moved."},
    {"space", LW_PARAM_CHOICE, NULL, "w+", .choices = spaces,
     .doc = "Where the directions are: in W (latents are mapped, truncated as the generator's arguments say, "
            "and moved layer by layer), or in Z."},
    {"start", LW_PARAM_FLOAT, NULL, "-3", -1e6, 1e6, NULL, "Amount at the first point (SeFa's script: -3)."},
    {"end", LW_PARAM_FLOAT, NULL, "3", -1e6, 1e6, NULL, "Amount at the last point (SeFa's script: 3)."},
    {"steps", LW_PARAM_INT, "points", "11", 2, 10000, NULL,
     "Points from start to end, both included (SeFa's script: 11)."},
    {"unit", LW_PARAM_CHOICE, NULL, "deviation", .choices = units,
     .doc = "What an amount of 1 is: a deviation of the latents along the direction (GANSpace), or a length "
            "of 1 (SeFa, InterFaceGAN)."},
    {"origin", LW_PARAM_CHOICE, NULL, "latent", .choices = origins,
     .doc = "Where amounts are counted from: the latent, or the boundary through the origin (InterFaceGAN's "
            "walks in Z and W)."},
    {"preserve", LW_PARAM_CHOICE, NULL, "none", .choices = preserves,
     .doc =
         "Whether each point of a walk through Z keeps the norm of its latent, and so its density (DP-LaSE, "
         "eq. 2)."},
    {"layers", LW_PARAM_INTS, NULL, "", 0, 1000, NULL,
     "First and last layer of w+ that are moved, among those the direction moves; absent: all of them."},
    {"by", LW_PARAM_CHOICE, NULL, "sample", .choices = orders,
     .doc = "What the walks are sorted by: all directions of the first latent, then of the next; or all "
            "latents along the first direction, then along the next. `pair`: each latent goes along one "
            "direction "
            "of its own, its number's."},
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .optional = 1, .doc = "Latents to move."},
    {"wplus", "w+[N, num_ws, w_dim]", .optional = 1,
     .doc = "Latents to move in W, a w for each layer, instead of z."},
    {"directions", "direction[K, \xe2\x80\xa6]", .doc = "Directions, of which each moves every latent."},
};
static const lw_port outputs[] = {
    {"walk", "latent[M, steps, \xe2\x80\xa6]", .doc = "M = N K walks (of pairs: N): z, or w+."},
    {"images", "image[M, steps, channels, height, width]", .doc = "Their images."},
};

typedef struct apply {
    lw_step *step;
    lw_model *model;
    bool plus;
    int64_t layers, size, latents, directions;
    lw_tensor *from;  /* [latents, layers, size] */
    lw_tensor *along; /* [directions, layers, size] */
} apply;

/* --- what is moved --------------------------------------------------------------------------------- */
/* z [N, z_dim] -> w+ [N, num_ws, w_dim] as generation has it before synthesis */
static lw_tensor *map_to_plus(apply *a, const lw_tensor *z)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value w = lw_truncate(g, a->model, lw_map(g, a->model, lw_input(g, "z", z->shape)));
    if (lw_shape_of(g, w).rank == 2)
        w = lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(a->latents, 1, a->size)),
                         LW_SHAPE(a->latents, a->layers, a->size));
    lw_output(g, "wplus", w);
    lw_program *program = lw_step_compile(a->step, g, "map");
    if (!program || lw_program_write(program, "z", z->data, (size_t)lw_shape_count(z->shape)) != LW_OK ||
        lw_program_run(program) != LW_OK)
        return NULL;
    return lw_program_read_tensor(program, "wplus");
}

static lw_status take_latents(apply *a)
{
    const lw_tensor *z = lw_step_input(a->step, "z", 0), *plus = lw_step_input(a->step, "wplus", 0);
    if (!z == !plus)
        return lw_fail(LW_INVALID, "one of the inputs `z` and `wplus` must be connected, and not both");
    if (plus && !a->plus)
        return lw_fail(LW_INVALID, "`wplus` is connected, but `space` is z");
    if (a->plus && !lw_model_has(a->model, "map"))
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no mapping network, so there is no w+; set `space: z`",
                       lw_model_name(a->model));
    if (a->plus && strcmp(lw_text(lw_step_args(a->step), "preserve"), "norm") == 0)
        return lw_fail(LW_INVALID,
                       "preserve: only latents in Z are normal, so that their norm tells their density; "
                       "set `space: z`");
    a->latents = (plus ? plus : z)->shape.dim[0];
    a->layers = a->plus ? lw_model_dim(a->model, "num_ws") : 1;
    a->size = lw_model_dim(a->model, a->plus ? "w_dim" : "z_dim");
    a->from = a->plus && z ? map_to_plus(a, z) : lw_tensor_copy(plus ? plus : z);
    return a->from ? LW_OK : lw_error_status();
}

/* --- along what ------------------------------------------------------------------------------------- */
static lw_status read_layers(const apply *a, int64_t *first, int64_t *last)
{
    const lw_args *args = lw_step_args(a->step);
    int given = lw_list_count(args, "layers");
    *first = given ? lw_list_int(args, "layers", 0) : 0;
    *last = given == 2 ? lw_list_int(args, "layers", 1) : a->layers - 1;
    if (given && given != 2)
        return lw_fail(LW_INVALID, "layers: the first and the last are needed, as in [0, 3], not %d numbers",
                       given);
    if (given && !a->plus)
        return lw_fail(LW_INVALID, "layers: only w+ has layers, but `space` is z");
    if (*first > *last || *last >= a->layers)
        return lw_fail(LW_INVALID, "layers: %lld to %lld; model '%s' has the layers 0 to %lld",
                       (long long)*first, (long long)*last, lw_model_name(a->model),
                       (long long)a->layers - 1);
    return LW_OK;
}

/* Zero outside the layers, of unit length where asked; fails where nothing is left to move. */
static lw_status shape_displacement(const apply *a, float *d, int64_t number, int64_t first, int64_t last)
{
    const bool unit = strcmp(lw_text(lw_step_args(a->step), "unit"), "length") == 0;
    bool moves = false;
    for (int64_t l = 0; l < a->layers; l++, d += a->size) {
        double squares = 0;
        for (int64_t i = 0; i < a->size; i++)
            squares += (double)d[i] * d[i];
        if (!isfinite(squares))
            return lw_fail(LW_NUMERIC, "direction %lld is not finite", (long long)number);
        double scale = l < first || l > last || squares == 0 ? 0 : unit ? 1 / sqrt(squares) : 1;
        moves = moves || scale > 0;
        for (int64_t i = 0; i < a->size; i++)
            d[i] = (float)(d[i] * scale);
    }
    return moves || lw_step_is_dry(a->step)
               ? LW_OK
               : lw_fail(LW_INVALID, "direction %lld moves none of the layers %lld to %lld",
                         (long long)number, (long long)first, (long long)last);
}

static lw_status take_directions(apply *a)
{
    const lw_tensor *given = lw_step_input(a->step, "directions", 0);
    const lw_shape wanted =
        a->plus ? LW_SHAPE(given->shape.dim[0], a->layers, a->size) : LW_SHAPE(given->shape.dim[0], a->size);
    int64_t first, last;
    char found[LW_SHAPE_TEXT], expected[LW_SHAPE_TEXT];
    if (!lw_shape_equal(given->shape, wanted))
        return lw_fail(LW_SHAPE, "with `space: %s` directions are %s, but these are %s, of the other space",
                       lw_text(lw_step_args(a->step), "space"), lw_shape_text(wanted, expected),
                       lw_shape_text(given->shape, found));
    LW_TRY(read_layers(a, &first, &last));
    a->directions = given->shape.dim[0];
    if (strcmp(lw_text(lw_step_args(a->step), "by"), "pair") == 0 && a->directions != a->latents)
        return lw_fail(
            LW_INVALID,
            "by: `pair` needs a direction for each latent, but there are %lld latents and %lld directions",
            (long long)a->latents, (long long)a->directions);
    a->along = lw_tensor_copy(given);
    if (!a->along)
        return lw_error_status();
    for (int64_t k = 0; k < a->directions; k++)
        LW_TRY(shape_displacement(a, a->along->data + k * a->layers * a->size, k, first, last));
    return LW_OK;
}

/* --- the walks --------------------------------------------------------------------------------------- */
static lw_tensor *walk_all(const apply *a)
{
    const lw_args *args = lw_step_args(a->step);
    const bool by_sample = strcmp(lw_text(args, "by"), "sample") == 0;
    const bool pair = strcmp(lw_text(args, "by"), "pair") == 0;
    const int64_t steps = lw_int(args, "steps"), row = a->layers * a->size,
                  walks = pair ? a->latents : a->latents * a->directions;
    const double start = lw_float(args, "start"), end = lw_float(args, "end");
    const bool boundary = strcmp(lw_text(args, "origin"), "boundary") == 0;
    const bool keep_norm = strcmp(lw_text(args, "preserve"), "norm") == 0;
    lw_tensor *walk = lw_tensor_create(a->plus ? LW_SHAPE(walks, steps, a->layers, a->size)
                                               : LW_SHAPE(walks, steps, a->size));
    for (int64_t m = 0; walk && m < walks; m++) {
        int64_t n = by_sample ? m / a->directions : m % a->latents, k = pair        ? m
                                                                        : by_sample ? m % a->directions
                                                                                    : m / a->latents;
        for (int64_t t = 0; t < steps; t++) {
            float *point = walk->data + (m * steps + t) * row;
            walk_point(a->from->data + n * row, a->along->data + k * row, a->layers, a->size,
                       start + (end - start) * (double)t / (double)(steps - 1), boundary, point);
            if (keep_norm)
                walk_keep_norm(a->from->data + n * row, a->size, point);
        }
    }
    return walk;
}

static lw_status hand_over(apply *a)
{
    lw_tensor *walk = walk_all(a), *images = NULL;
    if (!walk)
        return lw_error_status();
    const int64_t walks = walk->shape.dim[0], steps = walk->shape.dim[1];
    lw_tensor flat = *walk;
    flat.shape = a->plus ? LW_SHAPE(walks * steps, a->layers, a->size) : LW_SHAPE(walks * steps, a->size);
    lw_status status =
        lw_model_images(a->model, lw_step_device(a->step), a->plus ? "w+" : "z", &flat, 64, &images, NULL);
    if (status != LW_OK) {
        lw_tensor_destroy(walk);
        return status;
    }
    const int64_t *pixels = images->shape.dim;
    images->shape = LW_SHAPE(walks, steps, pixels[1], pixels[2], pixels[3]);
    status = lw_step_output(a->step, "walk", walk);
    lw_status shown = lw_step_output(a->step, "images", images);
    return status != LW_OK ? status : shown;
}

static lw_status run(lw_step *step)
{
    apply a = {.step = step, .model = lw_step_model(step, "model")};
    a.plus = strcmp(lw_text(lw_step_args(step), "space"), "w+") == 0;
    lw_status status = take_latents(&a);
    if (status == LW_OK)
        status = take_directions(&a);
    if (status == LW_OK)
        status = hand_over(&a);
    lw_tensor_destroy(a.from);
    lw_tensor_destroy(a.along);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "apply-directions", "1.0.0",
          "Walks along found directions, for every latent and every direction",
          .source = "genforce/sefa 0d160602, genforce/interfacegan 8da3fc0f (linear_interpolate), "
                    "harskish/ganspace 5a704c48",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
