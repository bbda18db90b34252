/* sefa.c — SeFa: directions from the weights alone. */
#include "factorize.h"

#include <stdio.h>
#include <string.h>

static const char *const needs[] = {"synthesize", "affine", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The generator whose weights are factorised."},
    {"count", LW_PARAM_INT, "directions", "5", 1, 65536, NULL, "How many directions (official script: 5)."},
    {"layers", LW_PARAM_INTS, NULL, "", 0, 1000, NULL,
     "First and last layer of w+ whose affine layers are factorised together, and which the directions move; "
     "absent: all."},
    {"normalise", LW_PARAM_BOOL, NULL, "true",
     .doc = "Every output of the affine layers counts alike (official code; the paper's A^T A does not "
            "normalise)."},
};

static const lw_port outputs[] = {
    {"directions", "direction[count, \xe2\x80\xa6]", .doc = "Directions by falling eigenvalue."},
};

/* Layers first to last, as the parameter and the model say. */
static lw_status read_layers(const lw_args *args, lw_model *model, int64_t *first, int64_t *last)
{
    int given = lw_list_count(args, "layers");
    int64_t layers = lw_model_has(model, "map") ? lw_model_dim(model, "num_ws") : 1;
    *first = given ? lw_list_int(args, "layers", 0) : 0;
    *last = given == 2 ? lw_list_int(args, "layers", 1) : layers - 1;
    if (given && given != 2)
        return lw_fail(LW_INVALID, "layers: the first and the last are needed, as in [0, 3], not %d numbers",
                       given);
    if (*first > *last || *last >= layers)
        return lw_fail(LW_INVALID,
                       "layers: %lld to %lld; the latent of model '%s' enters by the layers 0 to %lld",
                       (long long)*first, (long long)*last, lw_model_name(model), (long long)layers - 1);
    return LW_OK;
}

/* The weights [outputs, size] of each affine layer, as derivatives of what it gives. */
static lw_program *compile_weights(lw_step *step, lw_model *model, int64_t size, int64_t first, int64_t last)
{
    lw_graph *g = lw_graph_create();
    char name[128], label[32];
    if (!g)
        return NULL;
    lw_value latent =
        lw_fill(g, LW_SHAPE(1, size), 1); /* any will do: the derivative of an affine layer is constant */
    lw_synthesize(g, model, latent);
    snprintf(name, sizeof name, "%s.generator/latent", lw_model_name(model));
    lw_value from = lw_tap_value(g, name);
    from = lw_is_null(from) ? latent : from;
    for (int64_t l = first; l <= last; l++) {
        snprintf(name, sizeof name, "%s.generator/affine%lld", lw_model_name(model), (long long)l);
        snprintf(label, sizeof label, "weight%lld", (long long)l);
        lw_value affine = lw_tap_value(g, name);
        if (lw_is_null(affine)) {
            lw_graph_fail(g, LW_UNSUPPORTED, "the generator has no tap '%s', although it provides affine",
                          name);
            break;
        }
        lw_value weight = lw_merge(g, lw_jacobian(g, affine, from), 0, 1);
        lw_output(g, label, lw_slice(g, weight, 1, 0, size, 1)); /* without the columns of labels, if any */
    }
    return lw_step_compile(step, g, "weights");
}

static lw_status add_layers(lw_program *program, int64_t size, int64_t first, int64_t last, bool normalise,
                            double *moments)
{
    for (int64_t l = first; l <= last; l++) {
        char label[32];
        snprintf(label, sizeof label, "weight%lld", (long long)l);
        lw_tensor *weight = lw_program_read_tensor(program, label);
        if (!weight)
            return lw_error_status();
        sefa_add(weight->data, weight->shape.dim[0], size, normalise, moments);
        lw_tensor_destroy(weight);
    }
    return LW_OK;
}

static lw_directions *find(lw_step *step, lw_model *model)
{
    const lw_args *args = lw_step_args(step);
    const char *space = lw_model_has(model, "map") ? "w" : "z";
    const int64_t size = lw_model_dim(model, strcmp(space, "w") == 0 ? "w_dim" : "z_dim");
    int64_t first, last, count = lw_int(args, "count");
    if (read_layers(args, model, &first, &last) != LW_OK)
        return NULL;
    if (count > size) {
        lw_fail(LW_INVALID, "count: there are only %lld directions in %s", (long long)size, space);
        return NULL;
    }
    lw_program *program = compile_weights(step, model, size, first, last);
    double *moments = program ? lw_alloc((size_t)(size * size), sizeof *moments) : NULL;
    lw_directions *d = NULL;
    if (moments && lw_program_run(program) == LW_OK &&
        add_layers(program, size, first, last, lw_bool(args, "normalise"), moments) == LW_OK)
        d = sefa_factorize(space, count, size, moments);
    lw_free(moments);
    if (d && strcmp(space, "w") == 0) {
        d->first_layer = first;
        d->last_layer = last;
    }
    return d;
}

static lw_status run(lw_step *step)
{
    lw_model *model = lw_step_model(step, "model");
    return lw_step_output_directions(step, "directions", model, find(step, model), false);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "sefa", "1.0.0", "Directions in closed form, from the weights of the layers the latent enters by",
    .source = "Shen and Zhou, Closed-Form Factorization of Latent Semantics in GANs; genforce/sefa 0d160602",
    LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
