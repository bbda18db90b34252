/* linear_traversal.c — straight on towards the aim, wherever that leads. */
#include "traversal.h"

static const char *const needs[] = {"synthesize", NULL};
static const lw_param params[] = {TRAVERSAL_PARAMS(needs)};
static const lw_port inputs[] = {TRAVERSAL_INPUTS};
static const lw_port outputs[] = {TRAVERSAL_OUTPUTS("latent", "d")};

static lw_status run(lw_step *step)
{
    return traversal_run(step, &(traversal_method){.advance = traversal_straight}, NULL);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "linear-traversal", "1.0.0", "Walks straight on, the baseline of every other walk",
          .source = "Harada et al., Bounded Local Space, section 4.1 (\"Linear traversal\")",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
