/* no_functions.c — a generator that cannot synthesize. */
#include <latentwalk/latentwalk.h>

static const char *const provides[] = {"synthesize", NULL};
static const lw_generator functions = {.size = sizeof functions};

LW_PLUGIN(GENERATOR, "no-functions", "1.0.0", "Has no functions", .source = "none", .provides = provides,
          .functions = &functions);
