/* attribute_leakage.c — metric/attribute-leakage: what a network says changes along walks, wanted and
 * unwanted. */
#include "change.h"

#include <math.h>
#include <stdio.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that the walks go through."},
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network judges the pictures."},
    {"attribute", LW_PARAM_STRING, NULL, "",
     .doc = "The label of the output that is to change; the change of all others is leakage. Absent: none is "
            "wanted."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures made and judged at a time."},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, \xe2\x80\xa6]", .doc = "N walks of T points, z, w or w+."},
    {"images", "image[N, T, channels, height, width]", .optional = 1,
     .doc = "The walks' pictures, where they are not what the model makes of the latents (method/subspace)."},
};

/* The label of output k, or "output 3" where the outputs have none. */
static const char *name_of(lw_model *network, int64_t k, char name[80])
{
    lw_label label;
    if (k < lw_model_label_count(network) && lw_model_label(network, (int)k, &label) == LW_OK)
        snprintf(name, 80, "%s", label.name);
    else
        snprintf(name, 80, "output %lld", (long long)k);
    return name;
}

/* Which output is wanted to change; -1 for none. */
static lw_status find_wanted(lw_step *step, lw_model *network, int64_t *wanted)
{
    const lw_args *args = lw_step_args(step);
    *wanted = -1;
    if (!lw_is_set(args, "attribute"))
        return LW_OK;
    *wanted = lw_model_find_label(network, lw_text(args, "attribute"));
    return *wanted < 0 ? lw_error_status() : LW_OK;
}

static lw_status tell_outputs(lw_step *step, lw_model *network, const changes *c)
{
    char name[80];
    for (int64_t k = 0; k < c->outputs; k++) {
        name_of(network, k, name);
        LW_TRY(lw_step_metric(step, name, "change", c->signed_change[k]));
        if (!c->moved)
            continue;
        LW_TRY(lw_step_metric(step, name, "change per unit", c->per_unit[k]));
        LW_TRY(lw_step_metric(step, name, "absolute change per unit", c->absolute_per_unit[k]));
    }
    return LW_OK;
}

static lw_status tell_leakage(lw_step *step, lw_model *network, const changes *c, int64_t wanted)
{
    char name[80], row[96];
    const double own = c->absolute_per_unit[wanted];
    double sum = 0;
    int64_t most = -1;
    for (int64_t k = 0; k < c->outputs; k++) {
        if (k == wanted)
            continue;
        sum += c->absolute_per_unit[k];
        most = most < 0 || c->absolute_per_unit[k] > c->absolute_per_unit[most] ? k : most;
    }
    if (!c->moved || !(own > 0) || most < 0) {
        lw_step_note(step, "%s does not change along these walks, so nothing leaks from it",
                     name_of(network, wanted, name));
        return LW_OK;
    }
    snprintf(row, sizeof row, "leakage of %s", name_of(network, wanted, name));
    LW_TRY(lw_step_metric(step, row, "mean of the others / own", sum / (double)(c->outputs - 1) / own));
    LW_TRY(lw_step_metric(step, row, "largest of the others / own", c->absolute_per_unit[most] / own));
    lw_step_note(step, "%s: most leaks into %s", row, name_of(network, most, name));
    return LW_OK;
}

static lw_status tell_curves(lw_step *step, lw_model *network, const lw_tensor *scores, int64_t count,
                             int64_t points, int64_t wanted)
{
    char name[80], series[112];
    snprintf(series, sizeof series, "attribute change/%s", name_of(network, wanted, name));
    for (int64_t t = 0; t < points; t++) {
        double own, others;
        change_at(scores, count, points, t, wanted, &own, &others);
        LW_TRY(lw_step_log_at(step, series, t, own));
        LW_TRY(lw_step_log_at(step, "attribute change/others, absolute", t, others));
    }
    return LW_OK;
}

static lw_status tell(lw_step *step, const lw_tensor *walks, const lw_tensor *scores, int64_t wanted)
{
    lw_model *network = lw_step_model(step, "network");
    const int64_t count = walks->shape.dim[0], points = walks->shape.dim[1], outputs = scores->shape.dim[1];
    changes c = {0};
    lw_status status = changes_measure(&c, walks, scores, outputs);
    if (status == LW_OK)
        status = tell_outputs(step, network, &c);
    if (status == LW_OK && c.moved < count)
        lw_step_note(step, "%lld of %lld walks stand still, so they have no change per unit",
                     (long long)(count - c.moved), (long long)count);
    if (status == LW_OK && wanted >= 0)
        status = tell_leakage(step, network, &c, wanted);
    if (status == LW_OK && wanted >= 0)
        status = tell_curves(step, network, scores, count, points, wanted);
    changes_forget(&c);
    return status;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *walks = lw_step_input(step, "walk", 0), *images = lw_step_input(step, "images", 0);
    int64_t wanted;
    if (walks->shape.dim[1] < 2)
        return lw_fail(LW_SHAPE, "a walk of %lld points has no change to measure: at least 2 are needed",
                       (long long)walks->shape.dim[1]);
    LW_TRY(find_wanted(step, lw_step_model(step, "network"), &wanted));
    const char *port = images ? "images" : "walk";
    lw_tensor *scores = lw_step_features(step, lw_step_model(step, "network"), "output",
                                         lw_step_model(step, "model"), lw_step_input_space(step, port, 0),
                                         images ? images : walks, lw_int(lw_step_args(step), "batch"));
    if (!scores)
        return lw_error_status();
    lw_status status = lw_step_is_dry(step) ? LW_OK : tell(step, walks, scores, wanted);
    lw_tensor_destroy(scores);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(
    METRIC, "attribute-leakage", "1.0.0", "What changes in pictures along walks, wanted and unwanted",
    .source = "the re-scoring of InterFaceGAN (Shen et al. 2020, section 4.3), per unit of latent distance",
    LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
