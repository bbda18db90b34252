/* good.c — a plugin without fault. */
#include <latentwalk/latentwalk.h>

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_param params[] = {
    {"count", LW_PARAM_INT, NULL, "8", 1, 64, NULL, "How many there are."},
};
static const lw_port inputs[] = {
    {"images", "image[N, channels, height, width]", 0, 0, "Pictures to look at."},
};
static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "good", "1.0.0", "A plugin without fault", LW_PARAMS(params), LW_INPUTS(inputs),
          .source = "none", .functions = &functions);
