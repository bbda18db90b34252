/* discriminator-tiny.c — image -> a weighted sum of its pixels. */
#include <latentwalk/latentwalk.h>

static const lw_param params[] = {
    {"side", LW_PARAM_INT, "px", "2", 1, 64, NULL, "Height and width of the image."},
};
static const char *const provides[] = {"discriminator", NULL};

static void dims(const lw_args *args, lw_dims *out)
{
    lw_dims_set(out, "channels", 1);
    lw_dims_set(out, "height", lw_int(args, "side"));
    lw_dims_set(out, "width", lw_int(args, "side"));
}

/* image [N, 1, side, side] -> score [N, 1] */
static lw_value apply(lw_graph *g, const lw_args *args, lw_value image)
{
    lw_shape shape = LW_SHAPE(1, lw_int(args, "side") * lw_int(args, "side"));
    return lw_linear(g, lw_flatten(g, image, 1), lw_weight(g, shape, lw_init_uniform(-1, 1), "weight"),
                     (lw_value){0});
}

static const lw_network functions = {.size = sizeof functions, .dims = dims, .apply = apply};

LW_PLUGIN(DISCRIMINATOR, "tiny", "1.0.0", "A weighted sum of the pixels", .source = "none", LW_PARAMS(params),
          .provides = provides, .functions = &functions);
