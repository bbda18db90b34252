/* truncation.c — latents drawn towards the mean: fewer of them are odd, and they differ less. */
#include <latentwalk/latentwalk.h>

#include <math.h>
#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const ways[] = {"redraw", "clip", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"psi", LW_PARAM_FLOAT, NULL, "0.7", -10, 10, NULL,
     "Latents become mean + psi (latent - mean), where the mean of Z is 0; 1 leaves them (SeFa, "
     "InterFaceGAN: 0.7)."},
    {"cutoff", LW_PARAM_INT, "layers", "", 0, 64, NULL,
     "How many layers of w+, from the first, are drawn; absent: all (SeFa, InterFaceGAN: 8)."},
    {"threshold", LW_PARAM_FLOAT, NULL, "", 1e-6, 1e6, NULL,
     "Elements of z farther from 0 than this are changed before psi is applied (BigGAN: its threshold; with "
     "psi: 2); absent: none."},
    {"beyond", LW_PARAM_CHOICE, NULL, "redraw", .choices = ways,
     .doc = "Elements beyond the threshold are drawn anew from the normal law within it (BigGAN, Diamond in "
            "the rough), or put on it."},
};
static const lw_port inputs[] = {
    {"latents", "latent[\xe2\x80\xa6, d]", .doc = "z, w or w+, or walks of them."},
};
static const lw_port outputs[] = {
    {"latents", "latent[\xe2\x80\xa6, d]", .doc = "The same, nearer to the mean."},
};

/* The number between -limit and limit below which lies the share u of the normal law cut there. */
static double quantile(double u, double limit)
{
    const double wanted = (2 * u - 1) * erf(limit * M_SQRT1_2);
    double low = -limit, high = limit;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(erf(middle * M_SQRT1_2) < wanted ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* What is redrawn depends on the seed and the element's place alone. */
static lw_status bound(lw_step *step, lw_tensor *z, double limit)
{
    const bool redraw = strcmp(lw_text(lw_step_args(step), "beyond"), "redraw") == 0;
    const size_t count = (size_t)lw_shape_count(z->shape);
    float *uniform = lw_alloc(count, sizeof *uniform);
    if (!uniform)
        return lw_error_status();
    lw_uniform((lw_stream){.seed = lw_step_seed(step), .purpose = lw_purpose("redraw")}, 0, count, uniform);
    for (size_t i = 0; i < count; i++)
        if (fabs((double)z->data[i]) > limit)
            z->data[i] = (float)(redraw ? quantile((double)uniform[i], limit) : copysign(limit, z->data[i]));
    lw_free(uniform);
    return LW_OK;
}

static lw_tensor *mean_of_w(lw_step *step, lw_model *model)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_output(g, "mean", lw_mean_latent(g, model));
    lw_program *program = lw_step_compile(step, g, "mean of w");
    return program && lw_program_run(program) == LW_OK ? lw_program_read_tensor(program, "mean") : NULL;
}

/* Of `layers` rows each, the first `drawn`; mean NULL is 0. */
static void draw(lw_tensor *latents, const float *mean, double psi, int64_t layers, int64_t drawn)
{
    const int64_t size = latents->shape.dim[latents->shape.rank - 1];
    const int64_t rows = lw_shape_count(latents->shape) / size;
    for (int64_t n = 0; n < rows; n++)
        for (int64_t i = 0; n % layers < drawn && i < size; i++) {
            float *x = latents->data + n * size + i;
            const double m = mean ? (double)mean[i] : 0;
            *x = (float)(m + psi * (*x - m));
        }
}

static lw_status truncate(lw_step *step, lw_model *model, lw_tensor *latents)
{
    const lw_args *args = lw_step_args(step);
    const char *space = lw_step_input_space(step, "latents", 0);
    const bool z = strcmp(space, "z") == 0, plus = strcmp(space, "w+") == 0;
    const int64_t layers = plus ? lw_model_dim(model, "num_ws") : 1;
    const int64_t drawn = lw_is_set(args, "cutoff") ? lw_int(args, "cutoff") : layers;
    if (lw_is_set(args, "cutoff") && !plus)
        return lw_fail(LW_INVALID, "cutoff: the latents are %s, which has no layers; only w+ has", space);
    if (drawn > layers)
        return lw_fail(LW_INVALID, "cutoff: %lld; w+ of model '%s' has %lld layers", (long long)drawn,
                       lw_model_name(model), (long long)layers);
    if (lw_is_set(args, "threshold") && !z)
        return lw_fail(LW_INVALID, "threshold: it bounds the elements of z, but the latents are %s", space);
    if (lw_is_set(args, "threshold"))
        LW_TRY(bound(step, latents, lw_float(args, "threshold")));
    lw_tensor *mean = z ? NULL : mean_of_w(step, model);
    if (!z && !mean)
        return lw_error_status();
    draw(latents, mean ? mean->data : NULL, lw_float(args, "psi"), layers, drawn);
    lw_tensor_destroy(mean);
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    lw_tensor *latents = lw_tensor_copy(lw_step_input(step, "latents", 0));
    lw_status status = latents ? truncate(step, lw_step_model(step, "model"), latents) : lw_error_status();
    if (status == LW_OK)
        return lw_step_output(step, "latents", latents);
    lw_tensor_destroy(latents);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "truncation", "1.0.0", "Latents drawn towards the mean of their space",
    .source =
        "Karras et al. 2019, appendix B (W); Brock et al. 2019, section 3.1, and Wen et al., Diamond in the "
        "rough, d90ff185 (Z)",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
