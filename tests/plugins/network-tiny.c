/* network-tiny.c — features [N, features] -> [N, 1], one linear layer. */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"features", LW_PARAM_INT, NULL, "3", 1, 1024, NULL, "Size of the input."},
};
static const char *const provides[] = {"regression", NULL};

static void dims(const lw_args *args, lw_dims *out)
{
    lw_dims_set(out, "features", lw_int(args, "features"));
}

static lw_value apply(lw_graph *g, const lw_args *args, lw_value x)
{
    lw_value weight = lw_weight(g, LW_SHAPE(1, lw_int(args, "features")), lw_init_constant(1), "weight");
    return lw_linear(g, x, weight, (lw_value){0});
}

static const lw_network functions = {.size = sizeof functions, .dims = dims, .apply = apply};

LW_PLUGIN(NETWORK, "tiny", "1.0.0", "One linear layer", .source = "none", LW_PARAMS(params),
          .provides = provides, .functions = &functions);
