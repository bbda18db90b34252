/* search.c — see search.h. */
#include "search.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* --- parameters --------------------------------------------------------------------------------- */
static lw_status check_space(const search *s)
{
    if (strcmp(s->space, "z") != 0 && !lw_model_has(s->model, "map"))
        return lw_fail(LW_UNSUPPORTED, "space: %s needs a model with `map`, and '%s' has no mapping; use z",
                       s->space, lw_model_name(s->model));
    if (s->projected && strcmp(s->space, "w") != 0)
        return lw_fail(LW_UNSUPPORTED,
                       "projection: bounded-local-space moves w, by the mapping from z to w; it goes with "
                       "`space: w`, not with %s%s",
                       s->space, lw_model_has(s->model, "map") ? "" : " of a model without mapping");
    return LW_OK;
}

/* What belongs to one choice of another parameter is refused beside the other. */
static lw_status check_settings(const search *s)
{
    const lw_args *args = lw_step_args(s->step);
    bool adam = strcmp(lw_text(args, "optimizer"), "adam") == 0;
    if (adam && lw_is_given(args, "momentum"))
        return lw_fail(LW_INVALID, "`momentum` goes with `optimizer: sgd`; Adam has `betas`");
    if (!adam && lw_is_given(args, "betas"))
        return lw_fail(LW_INVALID, "`betas` go with `optimizer: adam`; SGD has `momentum`");
    if (lw_list_count(args, "betas") != 2)
        return lw_fail(LW_INVALID, "`betas` are two numbers");
    static const char *const bounds[] = {"alpha", "cutoff"};
    for (int i = 0; i < 2; i++)
        if (!s->projected && lw_is_given(args, bounds[i]))
            return lw_fail(LW_INVALID, "`%s` goes with `projection: bounded-local-space`", bounds[i]);
    return LW_OK;
}

/* Whether one of the losses needs this value. */
static bool needed(const search *s, const char *value)
{
    bool found = false;
    for (int i = 0; i < lw_list_count(lw_step_args(s->step), "losses"); i++)
        found = found || lw_step_loss_needs(s->step, "losses", i, value);
    return found;
}

static lw_status check_losses(const search *s)
{
    const int count = lw_list_count(lw_step_args(s->step), "losses");
    if (count == 0 || count > SEARCH_MAX_CURVES - 3)
        return lw_fail(LW_INVALID, "`losses` lists %d; there must be 1 to %d", count, SEARCH_MAX_CURVES - 3);
    bool targets = lw_step_input_count(s->step, "targets") > 0;
    if (needed(s, "targets") && !targets)
        return lw_fail(LW_INVALID, "a loss compares the images with targets; connect the input `targets`");
    if (targets && !needed(s, "targets"))
        return lw_fail(LW_INVALID, "no loss looks at the `targets`; leave them out, or list loss/perceptual");
    return LW_OK;
}

/* Zeros, unless a resumed run has brought the tensor. */
static lw_status zeros(lw_store *store, const char *name, lw_shape shape)
{
    return lw_store_has(store, name) ? LW_OK : lw_store_set(store, name, shape, NULL);
}

static lw_status make_stores(search *s)
{
    s->latents = lw_step_store(s->step, "latents");
    s->optimiser = lw_step_store(s->step, "optimiser");
    s->given = lw_step_store(s->step, "given");
    if (!s->latents || !s->optimiser || !s->given)
        return lw_error_status();
    LW_TRY(zeros(s->latents, "latents", s->shape));
    LW_TRY(zeros(s->latents, "good", s->shape));
    LW_TRY(zeros(s->latents, "z", LW_SHAPE(s->batch, lw_model_dim(s->model, "z_dim"))));
    LW_TRY(zeros(s->given, "latents0", s->shape));
    if (!needed(s, "targets"))
        return LW_OK;
    return zeros(s->given, "targets",
                 LW_SHAPE(s->batch, lw_model_dim(s->model, "channels"), lw_model_dim(s->model, "height"),
                          lw_model_dim(s->model, "width")));
}

lw_status search_prepare(search *s, lw_step *step, int64_t batch)
{
    const lw_args *args = lw_step_args(step);
    *s = (search){.step = step, .model = lw_step_model(step, "model"), .batch = batch};
    bool mapped = lw_model_has(s->model, "map");
    s->projected = strcmp(lw_text(args, "projection"), "bounded-local-space") == 0;
    s->space = lw_is_set(args, "space") ? lw_text(args, "space") : mapped ? "w" : "z";
    LW_TRY(check_space(s));
    LW_TRY(check_settings(s));
    LW_TRY(check_losses(s));
    int64_t width = lw_model_dim(s->model, strcmp(s->space, "z") == 0 ? "z_dim" : "w_dim");
    s->shape = strcmp(s->space, "w+") == 0 ? LW_SHAPE(batch, lw_model_dim(s->model, "num_ws"), width)
                                           : LW_SHAPE(batch, width);
    s->size = lw_shape_count(s->shape) / batch;
    snprintf(s->curve[s->losses++], SEARCH_NAME, "loss");
    for (int i = 0; i < lw_list_count(args, "losses"); i++)
        snprintf(s->curve[s->losses++], SEARCH_NAME, "loss/%s", lw_list_text(args, "losses", i));
    s->curves = s->losses;
    if (s->projected) {
        snprintf(s->curve[s->curves++], SEARCH_NAME, "step length/wanted");
        snprintf(s->curve[s->curves++], SEARCH_NAME, "step length/taken");
    }
    return make_stores(s);
}

/* --- graphs ------------------------------------------------------------------------------------- */
/* The latents as what is trained. */
static lw_value parameter(search *s, lw_graph *g)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "method/latent-optimizer",
                                 .model = "search",
                                 .prefix = "",
                                 .store = s->latents});
    lw_value latents = lw_weight(g, s->shape, lw_init_constant(0), "latents");
    lw_scope_pop(g);
    return latents;
}

static lw_value given(search *s, lw_graph *g, const char *name)
{
    return lw_store_has(s->given, name) ? lw_parameter(g, s->given, name) : (lw_value){0};
}

/* Losses are means over the batch; their sum over it is what moves each latent as if it were alone. */
static void add_optimiser(search *s, lw_graph *g, lw_value loss)
{
    const lw_args *args = lw_step_args(s->step);
    lw_value sum = lw_affine(g, loss, (double)s->batch, 0);
    float rate = (float)lw_float(args, "learning_rate");
    if (strcmp(lw_text(args, "optimizer"), "adam") == 0)
        lw_adam(g, sum, s->latents, s->optimiser, .learning_rate = rate,
                .beta1 = (float)lw_list_float(args, "betas", 0),
                .beta2 = (float)lw_list_float(args, "betas", 1));
    else
        lw_sgd(g, sum, s->latents, s->optimiser, .learning_rate = rate,
               .momentum = (float)lw_float(args, "momentum"));
}

static void build_descent(search *s, lw_graph *g)
{
    lw_value latents = parameter(s, g);
    lw_value images =
        strcmp(s->space, "z") == 0 ? lw_generate(g, s->model, latents) : lw_synthesize(g, s->model, latents);
    const lw_named_value values[] = {{"latents", lw_flatten(g, latents, 1)},
                                     {"latents0", lw_flatten(g, given(s, g, "latents0"), 1)},
                                     {"images", images},
                                     {"targets", given(s, g, "targets")}};
    lw_value loss =
        lw_step_losses(s->step, g, "losses", s->model, values, (int)(sizeof values / sizeof *values), "loss");
    lw_output(g, "loss", loss);
    lw_value finite = lw_less(g, lw_abs(g, loss), lw_scalar(g, (double)FLT_MAX));
    lw_value good = lw_parameter(g, s->latents, "good");
    lw_assign(g, good, lw_where(g, finite, latents, good));
    add_optimiser(s, g, loss);
}

/* z -> the latents, there and where they started */
static void build_start(search *s, lw_graph *g)
{
    lw_value latents = lw_parameter(g, s->latents, "z");
    if (strcmp(s->space, "z") != 0)
        latents = lw_map(g, s->model, latents);
    if (strcmp(s->space, "w+") == 0)
        latents = lw_broadcast(g, lw_reshape(g, latents, LW_SHAPE(s->batch, 1, -1)), s->shape);
    lw_assign(g, lw_parameter(g, s->latents, "latents"), latents);
    lw_assign(g, lw_parameter(g, s->given, "latents0"), latents);
}

lw_status search_check(search *s)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    build_descent(s, g);
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

static lw_program *compile(search *s, void (*build)(search *, lw_graph *), const char *name)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    build(s, g);
    return lw_step_compile(s->step, g, name);
}

lw_status search_compile(search *s)
{
    s->start = compile(s, build_start, "start");
    s->descend = s->start ? compile(s, build_descent, "descend") : NULL;
    return s->descend ? LW_OK : lw_error_status();
}

/* --- running ------------------------------------------------------------------------------------ */
lw_status search_begin(search *s, const float *z, const float *targets)
{
    lw_shape shape;
    LW_TRY(lw_store_set(s->latents, "z", LW_SHAPE(s->batch, lw_model_dim(s->model, "z_dim")), z));
    if (targets) {
        LW_TRY(lw_store_shape(s->given, "targets", &shape));
        LW_TRY(lw_store_set(s->given, "targets", shape, targets));
    }
    LW_TRY(lw_store_clear(s->optimiser));
    return lw_program_run(s->start);
}

lw_status search_descend(search *s, int64_t iteration)
{
    LW_TRY(lw_program_seed(s->descend, lw_step_seed(s->step), (uint64_t)iteration));
    return lw_program_run(s->descend);
}

const float *search_latents(search *s)
{
    const lw_tensor *latents = lw_store_get(s->latents, "latents");
    return latents ? latents->data : NULL;
}
