/* plasma.c — a generator without weights: each colour channel is a sum of cosine waves over the picture, and
 * z says how strong each wave is. Its latent space is smooth by construction, so any walk in it is. */
#include <latentwalk/latentwalk.h>

#include <math.h>

enum { CHANNELS = 3 };

static const lw_param params[] = {
    {"waves", LW_PARAM_INT, NULL, "4", 1, 16, NULL,
     "Waves in each direction; z has 3 * waves * waves numbers."},
    {"side", LW_PARAM_INT, "px", "64", 8, 256, NULL, "Height and width of the pictures."},
};
static const char *const provides[] = {"synthesize", NULL};

static void dims(const lw_args *args, lw_dims *out)
{
    int64_t waves = lw_int(args, "waves"), side = lw_int(args, "side");
    lw_dims_set(out, "z_dim", CHANNELS * waves * waves);
    lw_dims_set(out, "channels", CHANNELS);
    lw_dims_set(out, "height", side);
    lw_dims_set(out, "width", side);
}

/* The waves as a constant [waves * waves, side * side]. */
static lw_value make_waves(lw_graph *g, int64_t waves, int64_t side)
{
    const double pi = 3.14159265358979;
    float *data = lw_alloc((size_t)(waves * waves), (size_t)(side * side) * sizeof *data);
    if (!data)
        return lw_graph_fail(g, LW_MEMORY, "no memory for %lld waves", (long long)(waves * waves));
    for (int64_t k = 0, at = 0; k < waves * waves; k++)
        for (int64_t pixel = 0; pixel < side * side; pixel++, at++) {
            double y = ((double)(pixel / side) + 0.5) / (double)side,
                   x = ((double)(pixel % side) + 0.5) / (double)side;
            data[at] = (float)(cos(pi * (double)(k / waves) * y) * cos(pi * (double)(k % waves) * x));
        }
    lw_value value = lw_constant(g, LW_SHAPE(waves * waves, side * side), data);
    lw_free(data);
    return value;
}

/* z [N, 3 * waves * waves] -> image [N, 3, side, side] in [-1, 1] */
static lw_value synthesize(lw_graph *g, const lw_args *args, lw_value z)
{
    int64_t waves = lw_int(args, "waves"), side = lw_int(args, "side"), n = lw_dim(g, z, 0);
    lw_value strength = lw_tap(g, lw_reshape(g, z, LW_SHAPE(n, CHANNELS, waves * waves)), "strength");
    lw_value sum = lw_matmul(g, strength, make_waves(g, waves, side));
    return lw_tanh(g,
                   lw_reshape(g, lw_affine(g, sum, 1 / (double)waves, 0), LW_SHAPE(n, CHANNELS, side, side)));
}

static const lw_generator functions = {.size = sizeof functions, .dims = dims, .synthesize = synthesize};

LW_PLUGIN(GENERATOR, "plasma", "1.0.0", "Sums of cosine waves, weighted by z; needs no weights",
          .source = "an example; no paper", LW_PARAMS(params), .provides = provides, .functions = &functions);
