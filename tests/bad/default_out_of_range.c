/* default_out_of_range.c — a parameter whose default its own range refuses. */
#include <latentwalk/latentwalk.h>

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_param params[] = {
    {"count", LW_PARAM_INT, NULL, "100", 1, 64, NULL, "How many there are."},
};
static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "bad-default", "1.0.0", "A default out of range", LW_PARAMS(params), .source = "none",
          .functions = &functions);
