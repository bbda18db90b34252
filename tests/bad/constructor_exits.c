/* constructor_exits.c — ends the process that loads it as if all were well. */
#include <latentwalk/latentwalk.h>

#include <stdlib.h>

__attribute__((constructor)) static void on_load(void)
{
    exit(0);
}

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "exits", "1.0.0", "Exits when loaded", .source = "none", .functions = &functions);
