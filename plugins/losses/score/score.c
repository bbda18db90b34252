/* score.c — images of which a network says a given number (Bounded Local Space, eq. 10). */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const network_needs[] = {"network", NULL};
static const char *const scales[] = {"output", "logit", NULL};

static const lw_param params[] = {
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network scores the images."},
    {"output", LW_PARAM_STRING, NULL, "0",
     .doc = "Which of the network's outputs is the score: its number, or its label."},
    {"target", LW_PARAM_FLOAT,
     .doc = "The score wanted, in the label's own unit (a probability, years, ...)."},
    {"of", LW_PARAM_CHOICE, NULL, "output", .choices = scales,
     .doc = "What is to reach the target: the output (the paper), or its logit, whose slope does not vanish "
            "where the network is sure."},
};

/* [N, K] -> [N]: the output in its label's unit, or its logit */
static lw_value pick(lw_graph *g, const lw_args *args, const lw_model *network, lw_value scores)
{
    int64_t k = lw_model_find_output(network, lw_text(args, "output"), lw_dim(g, scores, 1));
    if (k < 0)
        return lw_graph_fail(g, LW_INVALID, "output: %s", lw_error_text());
    lw_value score = lw_slice(g, scores, 1, k, 1, 1);
    lw_label label;
    if (strcmp(lw_text(args, "of"), "logit") == 0 || lw_model_label_count(network) == 0)
        return score;
    if (lw_model_label(network, (int)k, &label) != LW_OK)
        return lw_graph_fail(g, LW_INVALID, "%s", lw_error_text());
    return lw_affine(g, score, label.high - label.low, label.low);
}

static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_model *network = lw_loss_model(inputs, "network");
    lw_value scores = lw_apply(g, network, lw_loss_value(inputs, "images"));
    if (strcmp(lw_text(args, "of"), "logit") == 0)
        scores = lw_require_tap(g, network, LW_PART_NETWORK, "logits");
    if (lw_is_null(scores))
        return scores;
    lw_value score = pick(g, args, network, lw_flatten(g, scores, 1));
    return lw_mean(g, lw_square(g, lw_affine(g, score, 1, -lw_float(args, "target"))), LW_ALL_AXES, false);
}

static const char *const needs[] = {"images", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "score", "1.0.0", "Images of which a network says a given number",
          .source = "Harada et al., Bounded Local Space, eq. 10", LW_PARAMS(params), .needs = needs,
          .functions = &functions);
