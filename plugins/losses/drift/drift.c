/* drift.c — keeps a critic's scores from drifting away from zero (Karras et al. 2018, appendix A.1). */
#include <latentwalk/latentwalk.h>

/* real [N, 1] -> scalar, the mean square */
static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    (void)args;
    return lw_mean(g, lw_square(g, lw_loss_value(inputs, "real")), LW_ALL_AXES, false);
}

static const char *const needs[] = {"real", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(
    LOSS, "drift", "1.0.0", "Scores of real images near zero",
    .source =
        "Karras, Aila, Laine, Lehtinen 2018, appendix A.1; progressive_growing_of_gans 2504c3f3 (loss.py)",
    .needs = needs, .functions = &functions);
