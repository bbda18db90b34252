/* generator-tiny.c — z -> w = tanh(A z) -> image = B w: the smallest generator with a mapping network. */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"z_dim", LW_PARAM_INT, NULL, "4", 1, 1024, NULL, "Size of z."},
    {"w_dim", LW_PARAM_INT, NULL, "3", 1, 1024, NULL, "Size of w."},
    {"side", LW_PARAM_INT, "px", "2", 1, 64, NULL, "Height and width of the image."},
    {"gain", LW_PARAM_FLOAT, NULL, "1", 0, 0, NULL, "Factor on the image; the weights do not tell it."},
};
static const char *const provides[] = {"synthesize", "map", NULL};
static const char *const prefixes[] = {"", "net.", NULL};

static lw_status detect(const lw_weights *weights, lw_args *args)
{
    lw_shape map;
    if (!lw_weights_shape(weights, &map, "map.weight"))
        return LW_UNSUPPORTED;
    if (map.rank != 2)
        return lw_fail(LW_SHAPE, "map.weight has %d dims, not 2", map.rank);
    LW_TRY(lw_args_set_int(args, "z_dim", map.dim[1]));
    return lw_args_set_int(args, "w_dim", map.dim[0]);
}

static void dims(const lw_args *args, lw_dims *out)
{
    lw_dims_set(out, "z_dim", lw_int(args, "z_dim"));
    lw_dims_set(out, "w_dim", lw_int(args, "w_dim"));
    lw_dims_set(out, "num_ws", 2);
    lw_dims_set(out, "channels", 1);
    lw_dims_set(out, "height", lw_int(args, "side"));
    lw_dims_set(out, "width", lw_int(args, "side"));
}

/* z [N, z_dim] -> w [N, w_dim] */
static lw_value map(lw_graph *g, const lw_args *args, lw_value z)
{
    lw_shape shape = LW_SHAPE(lw_int(args, "w_dim"), lw_int(args, "z_dim"));
    return lw_tanh(g,
                   lw_linear(g, z, lw_weight(g, shape, lw_init_normal(0, 1), "map.weight"), (lw_value){0}));
}

/* w [N, w_dim], or w+ [N, 2, w_dim] of which the mean counts -> image [N, 1, side, side] */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value w)
{
    int64_t side = lw_int(args, "side");
    if (lw_shape_of(g, w).rank == 3)
        w = lw_mean(g, w, LW_AXIS(1), false);
    w = lw_tap(g, w, "w");
    lw_value weight =
        lw_weight(g, LW_SHAPE(side * side, lw_int(args, "w_dim")), lw_init_normal(0, 1), "out.weight");
    lw_value bias = lw_buffer(g, LW_SHAPE(side * side), lw_init_constant(0.5), "out.bias");
    return lw_affine(g, lw_unflatten(g, lw_linear(g, w, weight, bias), side, side), lw_float(args, "gain"),
                     0);
}

static const lw_generator functions = {
    .size = sizeof functions, .detect = detect, .dims = dims, .map = map, .synthesize = synthesize};

LW_PLUGIN(GENERATOR, "tiny", "1.0.0", "The smallest generator with a mapping network", .source = "none",
          LW_PARAMS(params), .provides = provides, .prefixes = prefixes, .functions = &functions);
