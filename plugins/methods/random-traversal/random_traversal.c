/* random_traversal.c — each step in a random direction, turned to face the aim. */
#include "../linear-traversal/traversal.h"

#include <math.h>

static const char *const needs[] = {"synthesize", NULL};
static const lw_param params[] = {TRAVERSAL_PARAMS(needs)};
static const lw_port inputs[] = {TRAVERSAL_INPUTS};
static const lw_port outputs[] = {TRAVERSAL_OUTPUTS("latent", "d")};

static lw_status advance(traversal *t, void *self)
{
    float *drawn = lw_alloc((size_t)(t->count * t->size), sizeof *drawn);
    (void)self;
    if (!drawn)
        return lw_error_status();
    lw_normal((lw_stream){.seed = lw_step_seed(t->step),
                          .step = (uint64_t)t->iteration,
                          .purpose = lw_purpose("traversal steps")},
              0, (size_t)(t->count * t->size), drawn);
    traversal_normalise(drawn, t->count, t->size);
    for (int64_t n = 0; n < t->count; n++) {
        const float *aim = t->aim + n * t->size, *way = drawn + n * t->size;
        double length = sqrt(traversal_dot(aim, aim, t->size));
        double signed_length = traversal_dot(aim, way, t->size) < 0 ? -length : length;
        for (int64_t i = 0; i < t->size; i++)
            t->at[n * t->size + i] += (float)(signed_length * way[i]);
    }
    lw_free(drawn);
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    return traversal_run(step, &(traversal_method){.advance = advance}, NULL);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "random-traversal", "1.0.0", "Walks in random directions that face the aim",
          .source = "Harada et al., Bounded Local Space, section 4.1 (\"Random traversal\")",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
