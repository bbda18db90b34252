/* synthesis.c — the images of latents. */
#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images made at a time."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, …]", .doc = "z, w or w+."},
};
static const lw_port outputs[] = {
    {"images", "image[N, channels, height, width]", .doc = "The image of each."},
};

static lw_status run(lw_step *step)
{
    lw_tensor *images = NULL;
    LW_TRY(lw_model_images(lw_step_model(step, "model"), lw_step_device(step),
                           lw_step_input_space(step, "latents", 0), lw_step_input(step, "latents", 0),
                           lw_int(lw_step_args(step), "batch"), &images, NULL));
    return lw_step_output(step, "images", images);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "synthesis", "1.0.0", "The images of latents", .source = "the generator", LW_PARAMS(params),
          LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
