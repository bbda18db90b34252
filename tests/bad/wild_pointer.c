/* wild_pointer.c — a parameter table that points nowhere. */
#include <latentwalk/latentwalk.h>

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "wild", "1.0.0", "Points nowhere", .params = (const lw_param *)16, .param_count = 2,
          .source = "none", .functions = &functions);
