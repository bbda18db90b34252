/* constructor_aborts.c — kills the process that loads it. */
#include <latentwalk/latentwalk.h>

#include <stdlib.h>

__attribute__((constructor)) static void on_load(void)
{
    abort();
}

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "aborts", "1.0.0", "Aborts when loaded", .source = "none", .functions = &functions);
