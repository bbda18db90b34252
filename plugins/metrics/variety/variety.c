/* variety.c — metric/variety: how different from each other are latents, and how different their images? */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network compares the images."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc = "The place in the network where features are taken, [N, F], or [N, C, H, W] to be averaged over "
            "pixels; `output` stands for what the network returns."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images made and seen at a time."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, d]", .many = 1, .doc = "Sets of latents, z or w: a row of the table for each."},
};

/* Mean over all pairs of rows [count, size]: the angle in degrees, and the Euclidean distance. */
static void compare(const float *rows, int64_t count, int64_t size, double *angle, double *distance)
{
    *angle = *distance = 0;
    for (int64_t a = 0; a < count; a++)
        for (int64_t b = a + 1; b < count; b++) {
            double ab = 0, aa = 0, bb = 0;
            for (int64_t i = 0; i < size; i++) {
                const double x = (double)rows[a * size + i], y = (double)rows[b * size + i];
                ab += x * y;
                aa += x * x;
                bb += y * y;
            }
            *angle += aa > 0 && bb > 0 ? acos(fmax(-1, fmin(1, ab / sqrt(aa * bb)))) * 180 / acos(-1) : 0;
            *distance += sqrt(fmax(0, aa + bb - 2 * ab));
        }
    *angle /= (double)(count * (count - 1) / 2);
    *distance /= (double)(count * (count - 1) / 2);
}

static lw_status measure(lw_step *step, int k)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *latents = lw_step_input(step, "latents", k);
    const char *row = lw_step_input_name(step, "latents", k);
    const int64_t count = latents->shape.dim[0];
    double angle, distance, unused;
    if (count < 2)
        return lw_fail(LW_INVALID, "%s: one latent alone does not vary; give at least 2", row);
    lw_tensor *features = lw_step_features(
        step, lw_step_model(step, "network"), lw_text(args, "tap"), lw_step_model(step, "model"),
        lw_step_input_space(step, "latents", k), latents, lw_int(args, "batch"));
    if (!features)
        return lw_error_status();
    lw_status status = LW_OK;
    if (!lw_step_is_dry(step)) {
        compare(latents->data, count, latents->shape.dim[1], &angle, &unused);
        compare(features->data, count, features->shape.dim[1], &unused, &distance);
        status = lw_step_metric(step, row, "latents, degrees apart", angle);
        if (status == LW_OK)
            status = lw_step_metric(step, row, "images, distance apart", distance);
    }
    lw_tensor_destroy(features);
    return status;
}

static lw_status run(lw_step *step)
{
    for (int k = 0; k < lw_step_input_count(step, "latents"); k++)
        LW_TRY(measure(step, k));
    return LW_OK;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METRIC, "variety", "1.0.0",
          "How different latents are from each other, and how different their images",
          .source = "mean distance of pairs, as in Wen et al., Diamond in the rough (2021), sections 3.2 and "
                    "B (protoimages)",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &functions);
