/* dp_lase.c — DP-LaSE: directions that change a layer's features most, each in its own way, with walks along
 * them that keep the latents' density. */
#include "train.h"

#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const spaces[] = {"z", "w", NULL};
static const char *const preserves[] = {"learned", "restored", "gaussian", "none", NULL};
static const char *const forms[] = {"paper", "released", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The generator that is explored; it is not changed."},
    {"tap", LW_PARAM_STRING,
     .doc = "Where G1 ends, whose features are to change (paper, section 4.1: the third layer; one of the "
            "first four of StyleGAN)."},
    {"space", LW_PARAM_CHOICE, NULL, "z", .choices = spaces,
     .doc = "Where the walks go: Z, or W, from mapped latents, not truncated."},
    {"count", LW_PARAM_INT, "directions", "20", 1, 65536, NULL, "Directions, k (paper: 20)."},
    {"preserve", LW_PARAM_CHOICE, NULL, "learned", .choices = preserves,
     .doc =
         "How walks keep their density: by a learned correction (eq. 6); by the shortest way back to where "
         "the learned density is the start's (ours, in place of the correction); by the norm of a known "
         "Gaussian (eq. 2); or not at all."},
    {"form", LW_PARAM_CHOICE, NULL, "paper", .choices = forms,
     .doc = "Variation and orthogonality as in equations 8 and 10, or as the released code has them (its "
            "zeta is 1, and it preserves `gaussian`)."},
    {"iterations", LW_PARAM_INT, NULL, "50000", 1, 10000000, NULL, "Training steps (paper: 50,000)."},
    {"batch", LW_PARAM_INT, "latents", "16", 1, 4096, NULL, "Latents per step (released code: 16)."},
    {"drawn", LW_PARAM_INT, "directions", "2", 1, 65536, NULL,
     "Directions tried on each latent, drawn at random; `count` sums equations 7 and 8 in full (released "
     "code: 2)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-4", 0, 10, NULL,
     "Adam's, betas 0.9 and 0.999 (paper: 0.0001)."},
    {"range", LW_PARAM_FLOAT, NULL, "10", 1e-6, 1e6, NULL,
     "Strides lie between minus this and this (paper: 10)."},
    {"nu", LW_PARAM_FLOAT, NULL, "0.01", 0, 1e6, .doc = DENSITY_NU_DOC},
    {"lambda", LW_PARAM_FLOAT, NULL, "0.001", 0, 1e6, NULL,
     "Weight of the likeness of changes (eq. 8; paper: 0.001)."},
    {"zeta", LW_PARAM_FLOAT, NULL, "10", 0, 1e6, NULL, "Weight of orthogonality (eq. 11; paper: 10)."},
    {"density_width", LW_PARAM_INT, "units", "64", 1, 65536, .doc = DENSITY_WIDTH_DOC},
    {"increment", LW_PARAM_FLOAT, NULL, "0.01", 1e-4, 1, .doc = DENSITY_INCREMENT_DOC},
    {"correction_width", LW_PARAM_INT, "units", "256", 1, 65536, NULL,
     "Hidden units of the correction module's six layers (the paper does not say)."},
    {"strides", LW_PARAM_FLOATS, NULL, "[-10, -5, 0, 5, 10]", -1e6, 1e6, NULL,
     "Points of the walks handed over (paper, table 1)."},
    {"shown", LW_PARAM_INT, "directions", "5", 1, 65536, NULL,
     "How many of the first directions the latents on `z` walk along."},
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Latents that walk along the directions found; training draws its own."},
};
static const lw_port outputs[] = {
    {"directions", "direction[count, \xe2\x80\xa6]", .doc = "Directions by falling change of the features."},
    {"walk", "latent[M, T, \xe2\x80\xa6]",
     .doc = "Each latent along each of the `shown` first directions, with its density kept as trained."},
    {"images", "image[M, T, channels, height, width]", .doc = "Their images."},
};

static int chosen(const char *const *choices, const char *text)
{
    int i = 0;
    while (choices[i + 1] && strcmp(choices[i], text) != 0)
        i++;
    return i;
}

/* Do the settings go together, and with the model? */
static lw_status fit(const lase *l, const lw_args *args)
{
    if (l->in_w && !lw_model_has(l->model, "map"))
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no mapping network, so there is no W; set `space: z`",
                       lw_model_name(l->model));
    if (l->count > l->size)
        return lw_fail(LW_INVALID,
                       "count: %lld directions cannot be orthogonal; %s of model '%s' has %lld dimensions",
                       (long long)l->count, l->in_w ? "W" : "Z", lw_model_name(l->model), (long long)l->size);
    if (lw_is_given(args, "drawn") && l->drawn < lw_int(args, "drawn"))
        return lw_fail(LW_INVALID, "drawn: %lld, but `count` is %lld; at most all directions can be drawn",
                       (long long)lw_int(args, "drawn"), (long long)l->count);
    if (l->released && l->drawn != 2)
        return lw_fail(LW_INVALID,
                       "form: `released` compares 2 directions; set `drawn: 2` and a `count` of at least 2, "
                       "not %lld and %lld",
                       (long long)l->drawn, (long long)l->count);
    if (l->in_w && l->preserve == LASE_GAUSSIAN)
        return lw_fail(LW_INVALID,
                       "preserve: W is not distributed as a Gaussian, so the norm of w does not tell its "
                       "density; set `learned`, `restored` or `none`");
    return LW_OK;
}

static lase read(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    static const lase_density densities[] = {LASE_LEARNED, LASE_RESTORED, LASE_GAUSSIAN, LASE_NONE};
    lase l = {.model = lw_step_model(step, "model"),
              .tap = lw_text(args, "tap"),
              .in_w = chosen(spaces, lw_text(args, "space")) == 1,
              .released = chosen(forms, lw_text(args, "form")) == 1,
              .preserve = densities[chosen(preserves, lw_text(args, "preserve"))],
              .count = lw_int(args, "count"),
              .batch = lw_int(args, "batch"),
              .drawn = lw_int(args, "drawn"),
              .correction = lw_int(args, "correction_width"),
              .f = {.width = lw_int(args, "density_width"), .increment = lw_float(args, "increment")},
              .range = lw_float(args, "range"),
              .nu = lw_float(args, "nu"),
              .lambda = lw_float(args, "lambda"),
              .zeta = lw_float(args, "zeta")};
    l.size = lw_model_dim(l.model, l.in_w ? "w_dim" : "z_dim");
    l.drawn = l.drawn < l.count ? l.drawn : l.count;
    return l;
}

static lw_status check(lw_step *step)
{
    const lase l = read(step);
    LW_TRY(fit(&l, lw_step_args(step)));
    lw_graph *g = lw_graph_create();
    if (!g)
        return lw_error_status();
    lase_features(g, &l, lw_input(g, "latent", LW_SHAPE(1, l.size)));
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

static lw_status run(lw_step *step)
{
    const lase l = read(step);
    LW_TRY(fit(&l, lw_step_args(step)));
    lw_store *networks = lw_step_store(step, "networks");
    if (!networks)
        return lw_error_status();
    LW_TRY(lase_train(step, &l, networks));
    lw_directions *found = lase_found(step, &l, networks);
    lw_status status = found ? lase_show(step, &l, networks, found) : lw_error_status();
    if (status != LW_OK) {
        lw_directions_destroy(found);
        return status;
    }
    return lw_step_output_directions(step, "directions", l.model, found, false);
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "dp-lase", "1.0.0",
          "Directions of most change, with walks along them that keep the latents' density",
          .source = "Li et al., Discovering Density-Preserving Latent Space Walks in GANs (MM 2021); "
                    "guanyuelee/DP-LaSE 55f83dc0",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
