/* random_directions.c — source/random-directions: directions that mean nothing, to compare found ones with.
 */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const spaces[] = {"z", "w", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model they are to be used with."},
    {"space", LW_PARAM_CHOICE, NULL, "z", .choices = spaces, .doc = "Where the directions are."},
    {"count", LW_PARAM_INT, "directions", "20", 1, 65536, NULL, "How many (DP-LaSE: 20)."},
};

static const lw_port outputs[] = {
    {"directions", "direction[count, \xe2\x80\xa6]",
     .doc = "Vectors drawn evenly from all directions, as displacements of one deviation."},
};

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    lw_model *model = lw_step_model(step, "model");
    const char *space = lw_text(args, "space");
    const bool in_w = strcmp(space, "w") == 0;
    if (in_w && !lw_model_has(model, "map"))
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no mapping network, so there is no W; set `space: z`",
                       lw_model_name(model));
    const int64_t count = lw_int(args, "count"), size = lw_model_dim(model, in_w ? "w_dim" : "z_dim");
    lw_directions *d = lw_directions_create(space, count, size);
    if (d)
        lw_normal((lw_stream){.seed = lw_step_seed(step), .purpose = lw_purpose("random directions")}, 0,
                  (size_t)(count * size), d->vectors);
    return lw_step_output_directions(step, "directions", model, d, false);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(SOURCE, "random-directions", "1.0.0", "Random directions, to compare found ones with",
          .source = "a normal vector over its length is uniform on the sphere (Muller 1959)",
          LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
