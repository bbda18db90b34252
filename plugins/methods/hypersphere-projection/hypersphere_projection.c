/* hypersphere_projection.c — latents of Z put back onto the sphere where normal latents lie. */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"radius", LW_PARAM_FLOAT, NULL, "", 1e-6, 1e6, NULL,
     "Length of every latent; absent: sqrt(z_dim), about that of normal latents (InterFaceGAN, Diamond in "
     "the rough)."},
};
static const lw_port inputs[] = {
    {"latents", "z[\xe2\x80\xa6, z_dim]", .doc = "Latents, or walks of them."},
};
static const lw_port outputs[] = {
    {"latents", "z[\xe2\x80\xa6, z_dim]", .doc = "The same directions from the origin, all of one length."},
};

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    lw_tensor *z = lw_tensor_copy(lw_step_input(step, "latents", 0));
    if (!z)
        return lw_error_status();
    const int64_t size = z->shape.dim[z->shape.rank - 1], rows = lw_shape_count(z->shape) / size;
    const double radius = lw_is_set(args, "radius") ? lw_float(args, "radius") : sqrt((double)size);
    for (int64_t n = 0; n < rows; n++) {
        double squares = 0;
        for (int64_t i = 0; i < size; i++)
            squares += (double)z->data[n * size + i] * z->data[n * size + i];
        if (!(squares > 0) && !lw_step_is_dry(step)) {
            lw_tensor_destroy(z);
            return lw_fail(LW_INVALID,
                           "latent %lld is zero: it has no direction to be put on the sphere along",
                           (long long)n);
        }
        for (int64_t i = 0; i < size && squares > 0; i++)
            z->data[n * size + i] = (float)(z->data[n * size + i] * (radius / sqrt(squares)));
    }
    return lw_step_output(step, "latents", z);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "hypersphere-projection", "1.0.0", "Latents of Z put onto the sphere where normal ones lie",
    .source =
        "genforce/interfacegan 8da3fc0f (preprocess); Wen et al., Diamond in the rough (2021), d90ff185",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
