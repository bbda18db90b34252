/* attribute_scores.c — what a network says of the images of latents. */
#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that makes the images."},
    {"network", LW_PARAM_MODEL, NULL, "", .choices = network_needs,
     .doc = "The model whose network judges them; absent: the model's own discriminator, of how real they "
            "look."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images made and judged at a time."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, \xe2\x80\xa6]", .doc = "z, w or w+."},
};
static const lw_port outputs[] = {
    {"scores", "scores[N, K]", .doc = "The network's outputs for the image of each latent."},
};

/* [N, 1] */
static lw_tensor *by_the_critic(lw_step *step)
{
    lw_tensor *scores = NULL;
    const lw_tensor *latents = lw_step_input(step, "latents", 0);
    if (lw_model_images(lw_step_model(step, "model"), lw_step_device(step),
                        lw_step_input_space(step, "latents", 0), latents,
                        lw_int(lw_step_args(step), "batch"), NULL, &scores) != LW_OK)
        return NULL;
    scores->shape = LW_SHAPE(latents->shape.dim[0], 1);
    return scores;
}

static lw_status run(lw_step *step)
{
    lw_model *network = lw_step_model(step, "network");
    lw_tensor *scores =
        network ? lw_step_features(step, network, "output", lw_step_model(step, "model"),
                                   lw_step_input_space(step, "latents", 0), lw_step_input(step, "latents", 0),
                                   lw_int(lw_step_args(step), "batch"))
                : by_the_critic(step);
    return scores ? lw_step_output(step, "scores", scores) : lw_error_status();
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "attribute-scores", "1.0.0", "What a network says of the images of many latents",
          .source =
              "the scores that InterFaceGAN's boundaries are trained on (genforce/interfacegan 8da3fc0f, "
              "generate_data.py, with the predictor of one's own)",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
