/* great_circle_walk.c — on from a latent through its recovered twin, around the sphere: images get more
 * realistic up to a protoimage, and are others beyond it. */
#include "sphere.h"

#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose Z is walked."},
    {"points", LW_PARAM_INT, NULL, "8", 2, 10000, NULL,
     "Points of a walk, the start and the recovered latent among them (official code: 8)."},
};
static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Where the walks start."},
    {"recovered", "z[N, z_dim]",
     .doc = "Another latent with about the same image: the second point (method/latent-recovery)."},
};
static const lw_port outputs[] = {
    {"walk", "z[N, points, z_dim]", .doc = "The points, all on the sphere."},
    {"images", "image[N, points, channels, height, width]", .doc = "Their images."},
};

/* z_{k+1} = proj(z_k + (z_k - z_{k-1})); returns the mean angle of the first steps, in degrees */
static double walk_all(const lw_tensor *z, const lw_tensor *recovered, lw_tensor *walk)
{
    const int64_t count = walk->shape.dim[0], points = walk->shape.dim[1], size = walk->shape.dim[2];
    double angle = 0;
    for (int64_t n = 0; n < count; n++) {
        float *at = walk->data + n * points * size;
        memcpy(at, z->data + n * size, (size_t)size * sizeof *at);
        memcpy(at + size, recovered->data + n * size, (size_t)size * sizeof *at);
        sphere_project(at, 2, size);
        angle += sphere_angle(at, at + size, size) / (double)count;
        for (int64_t k = 2; k < points; k++)
            sphere_step(at + (k - 2) * size, at + (k - 1) * size, at + k * size, size);
    }
    return angle;
}

static lw_status render(lw_step *step, lw_tensor *walk, lw_tensor **images)
{
    const lw_shape shape = walk->shape;
    walk->shape = LW_SHAPE(shape.dim[0] * shape.dim[1], shape.dim[2]);
    lw_status status =
        lw_model_images(lw_step_model(step, "model"), lw_step_device(step), "z", walk, 64, images, NULL);
    walk->shape = shape;
    if (status != LW_OK)
        return status;
    const int64_t *dim = (*images)->shape.dim;
    (*images)->shape = LW_SHAPE(shape.dim[0], shape.dim[1], dim[1], dim[2], dim[3]);
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    const lw_tensor *z = lw_step_input(step, "z", 0), *recovered = lw_step_input(step, "recovered", 0);
    lw_tensor *images = NULL, *walk = lw_tensor_create(LW_SHAPE(
                                  z->shape.dim[0], lw_int(lw_step_args(step), "points"), z->shape.dim[1]));
    if (!walk)
        return lw_error_status();
    double angle = walk_all(z, recovered, walk);
    lw_status status = lw_step_metric(step, "walk", "degrees a step", angle);
    if (status == LW_OK)
        status = render(step, walk, &images);
    if (status != LW_OK) {
        lw_tensor_destroy(walk);
        return status;
    }
    status = lw_step_output(step, "walk", walk);
    lw_status shown = lw_step_output(step, "images", images);
    return status != LW_OK ? status : shown;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "great-circle-walk", "1.0.0", "Walks around the sphere through a latent and its recovered twin",
    .source =
        "Wen et al., Diamond in the rough (2021), section 3.2; diamondintherough d90ff185 (progression_look)",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
