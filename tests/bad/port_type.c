/* port_type.c — a port whose type names no space. */
#include <latentwalk/latentwalk.h>

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const lw_port inputs[] = {{"images", "picture[N]", 0, 0, "Pictures to look at."}};
static const lw_runner functions = {.size = sizeof functions, .run = run};

LW_PLUGIN(SINK, "port-type", "1.0.0", "A port of no space", LW_INPUTS(inputs), .source = "none",
          .functions = &functions);
