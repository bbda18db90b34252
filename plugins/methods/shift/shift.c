/* shift.c — latents moved along one direction by so much: apply-directions without the walk and the images.
 */
#include <latentwalk/latentwalk.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents are moved."},
    {"amount", LW_PARAM_FLOAT, "deviations", "1", -1e6, 1e6, NULL,
     "How far: in deviations of the latents along the direction, as method/apply-directions counts."},
    {"index", LW_PARAM_INT, NULL, "0", 0, 65535, NULL, "Which of the directions."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, …]", .doc = "z, or w+ for directions of W."},
    {"directions", "direction[K, …]", .doc = "Directions, of which one is taken."},
};
static const lw_port outputs[] = {
    {"latents", "latent[N, …]", .doc = "The latents moved."},
};

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *latents = lw_step_input(step, "latents", 0),
                    *directions = lw_step_input(step, "directions", 0);
    const int64_t count = latents->shape.dim[0], size = lw_shape_count(latents->shape) / count;
    const int64_t known = directions->shape.dim[0], width = lw_shape_count(directions->shape) / known;
    if (lw_int(args, "index") >= known)
        return lw_fail(LW_INVALID, "index: direction %lld was asked for, but there are %lld (counted from 0)",
                       (long long)lw_int(args, "index"), (long long)known);
    if (width != size)
        return lw_fail(LW_SHAPE,
                       "the directions have %lld elements, the latents (%s) %lld; directions of W move w+, "
                       "directions of Z z",
                       (long long)width, lw_step_input_space(step, "latents", 0), (long long)size);
    lw_tensor *moved = lw_tensor_copy(latents);
    if (!moved)
        return lw_error_status();
    const float amount = (float)lw_float(args, "amount"),
                *along = directions->data + lw_int(args, "index") * width;
    for (int64_t i = 0; i < count * size; i++)
        moved->data[i] += amount * along[i % size];
    return lw_step_output(step, "latents", moved);
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "shift", "1.0.0", "Latents moved along a direction",
    .source =
        "Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing, eq. 3: z + alpha n",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
