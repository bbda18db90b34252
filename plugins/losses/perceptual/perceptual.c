/* perceptual.c — do two pictures look alike to a network? A distance over what it sees at several places. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const network_needs[] = {"network", NULL};
static const char *const discriminator_needs[] = {"discriminator", NULL};
static const char *const distances[] = {"l2", "l1", NULL};
static const char *const reductions[] = {"sum", "mean", NULL};

static const lw_param params[] = {
    {"network", LW_PARAM_MODEL, NULL, "", .choices = network_needs,
     .doc = "The model whose network looks at the pictures."},
    {"discriminator", LW_PARAM_MODEL, NULL, "", .choices = discriminator_needs,
     .doc = "The model whose discriminator looks instead; without either, that of the model the method works "
            "on."},
    {"taps", LW_PARAM_STRINGS,
     .doc = "The places compared, maps or vectors; `pixels` stands for the pictures themselves."},
    {"weights", LW_PARAM_FLOATS, NULL, "", 0, 1e9, NULL, "One for each of `taps`; absent: 1 each."},
    {"distance", LW_PARAM_CHOICE, NULL, "l2", .choices = distances,
     .doc = "Of features: squared differences (LPIPS), or absolute ones (Diamond in the rough)."},
    {"normalise", LW_PARAM_BOOL, NULL, "true",
     .doc = "Whether each pixel's features are first made a unit vector over the channels (LPIPS)."},
    {"channels", LW_PARAM_CHOICE, NULL, "sum", .choices = reductions,
     .doc =
         "Over channels differences are summed (LPIPS) or averaged (Diamond in the rough); over pixels and "
         "pictures they are averaged."},
};

/* [N, C, ..] -> [N, C, P]: of unit length over C, where asked for. 1e-20 keeps the slope at zero features
 * finite, and is 1e-10 beside their length: LPIPS' epsilon. */
static lw_value prepare(lw_graph *g, const lw_args *args, lw_value features)
{
    lw_value f = lw_reshape(g, features, LW_SHAPE(lw_dim(g, features, 0), lw_dim(g, features, 1), -1));
    if (!lw_bool(args, "normalise"))
        return f;
    lw_value squares = lw_sum(g, lw_square(g, f), LW_AXIS(1), true);
    return lw_mul(g, f, lw_rsqrt(g, lw_affine(g, squares, 1, 1e-20)));
}

/* Two values of one tap -> scalar */
static lw_value compare(lw_graph *g, const lw_args *args, lw_value seen, lw_value wanted)
{
    lw_value apart = lw_sub(g, prepare(g, args, seen), prepare(g, args, wanted));
    apart = strcmp(lw_text(args, "distance"), "l1") == 0 ? lw_abs(g, apart) : lw_square(g, apart);
    bool sum = strcmp(lw_text(args, "channels"), "sum") == 0;
    apart = sum ? lw_sum(g, apart, LW_AXIS(1), false) : lw_mean(g, apart, LW_AXIS(1), false);
    return lw_mean(g, apart, LW_ALL_AXES, false);
}

/* Who looks: a part of a model. */
typedef struct viewer {
    lw_model *model;
    lw_part part;
} viewer;

static viewer find_viewer(const lw_args *args, const lw_loss_inputs *inputs)
{
    if (lw_is_set(args, "network"))
        return (viewer){lw_loss_model(inputs, "network"), LW_PART_NETWORK};
    bool named = lw_is_set(args, "discriminator");
    return (viewer){lw_loss_model(inputs, named ? "discriminator" : NULL), LW_PART_DISCRIMINATOR};
}

/* What the viewer sees of the pictures at each of `taps`. */
static void look(lw_graph *g, const lw_args *args, viewer v, lw_value pictures, lw_value *seen)
{
    bool looked = false;
    for (int k = 0; k < lw_list_count(args, "taps"); k++) {
        const char *tap = lw_list_text(args, "taps", k);
        bool pixels = strcmp(tap, "pixels") == 0;
        if (!pixels && !looked && v.part == LW_PART_NETWORK)
            lw_apply(g, v.model, pictures);
        else if (!pixels && !looked)
            lw_discriminate(g, v.model, pictures);
        looked = looked || !pixels;
        seen[k] = pixels ? pictures : lw_require_tap(g, v.model, v.part, tap);
    }
}

static lw_value sum_up(lw_graph *g, const lw_args *args, const lw_value *seen, const lw_value *wanted)
{
    lw_value sum = {0};
    for (int k = 0; k < lw_list_count(args, "taps"); k++) {
        double weight = lw_list_count(args, "weights") ? lw_list_float(args, "weights", k) : 1;
        lw_value part = lw_affine(g, compare(g, args, seen[k], wanted[k]), weight, 0);
        sum = k ? lw_add(g, sum, part) : part;
    }
    return sum;
}

static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    int taps = lw_list_count(args, "taps"), weights = lw_list_count(args, "weights");
    if (taps == 0 || (weights && weights != taps))
        return lw_graph_fail(g, LW_INVALID,
                             taps ? "there are %d `taps` and %d `weights`; give one for each"
                                  : "`taps` is empty; name at least one",
                             taps, weights);
    viewer v = find_viewer(args, inputs);
    lw_value *seen = lw_alloc(2 * (size_t)taps, sizeof *seen), distance = {0};
    if (seen) {
        look(g, args, v, lw_loss_value(inputs, "images"), seen);
        look(g, args, v, lw_loss_value(inputs, "targets"), seen + taps);
        distance = sum_up(g, args, seen, seen + taps);
    }
    lw_free(seen);
    return seen ? distance : lw_graph_fail(g, LW_MEMORY, "out of memory");
}

static const char *const needs[] = {"images", "targets", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "perceptual", "1.0.0", "Pictures that look like their targets to a network or discriminator",
          .source = "Zhang et al. 2018, eq. 1 (PerceptualSimilarity 082bb24f); Wen et al. 2021, eq. 3 (l1)",
          LW_PARAMS(params), .needs = needs, .functions = &functions);
