/* undefined_function.c — needs a function that nobody has. */
#include <latentwalk/latentwalk.h>

lw_status function_of_another_library(struct lw_step *step);

static lw_status run(struct lw_step *step)
{
    return function_of_another_library(step);
}

static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "undefined", "1.0.0", "Needs what is missing", .source = "none", .functions = &functions);
