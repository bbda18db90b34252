/* loss-tiny.c — the mean score, negated, and of the image of another model where one is named. */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"judge", LW_PARAM_MODEL, NULL, "", 0, 0, NULL, "A model whose discriminator judges."},
    {"reduce", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL, "Whether to take the mean, as a loss must."},
};
static const char *const needs[] = {"images", "discriminator", NULL};

static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    lw_model *model = lw_loss_model(inputs, lw_is_set(args, "judge") ? "judge" : NULL);
    lw_value score = lw_discriminate(g, model, lw_loss_value(inputs, "images"));
    return lw_bool(args, "reduce") ? lw_neg(g, lw_mean(g, score, LW_ALL_AXES, false)) : score;
}

static const lw_loss functions = {.size = sizeof functions, .build = build};

LW_PLUGIN(LOSS, "tiny", "1.0.0", "The mean score, negated", .source = "none", LW_PARAMS(params),
          .needs = needs, .functions = &functions);
