/* trajectory_net.c — TrajectoryNet: learns walks z0 -> z1 … zT by backpropagating losses on their images
 * through a frozen generator and discriminator (Kumar, "Latent Trajectory Optimization for Smooth Semantic
 * Edits"). */
#include "trajectory.h"

#include <stdio.h>
#include <string.h>

static const char *const smoothings[] = {"none", "average", "notebook", NULL};
static const char *const starts[] = {"free", "z0", NULL};
static const char *const model_needs[] = {"synthesize", NULL};
static const char *const offers[] = {"latents", "images", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, model_needs,
     "The model whose latent space is walked; it is not changed."},
    {"points", LW_PARAM_INT, NULL, "10", 2, 1000, NULL, "Points of a walk (paper, section IV.C: 10)."},
    {"hidden", LW_PARAM_INTS, "units", "[256]", 1, 65536, NULL,
     "Hidden layers of the network (official code: one of 256)."},
    {"iterations", LW_PARAM_INT, NULL, "500", 1, 10000000, NULL, "Training steps (official code: 500)."},
    {"batch", LW_PARAM_INT, "walks", "1", 1, 4096, NULL,
     "Fresh starting latents per step (official code: 1)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-3", 0, 10, NULL,
     "Adam's learning rate, betas 0.9 and 0.999 (official code)."},
    {"smoothing", LW_PARAM_CHOICE, NULL, "none", 0, 0, smoothings,
     "Average pooling over 3 points: along the walk, or as the official notebook does it (mixing "
     "components)."},
    {"start", LW_PARAM_CHOICE, NULL, "free", 0, 0, starts,
     "Whether a walk starts where the network likes (official code), or at its own z0 (paper, section III.B: "
     "z0 is its first point)."},
    {"losses", LW_PARAM_LOSSES, NULL,
     "[{uses: loss/adversarial, with: {form: probability}}, {uses: loss/smoothness, weight: 0.1, with: "
     "{reduction: mean}}, {uses: loss/diversity, weight: 0.05}]",
     0, 0, offers,
     "What a good walk is: losses on its latents [N, T, d] and images [N*T, C, H, W] (official code, second "
     "variant)."},
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", 0, 0, "Starting latents of the walks to output; training draws its own."},
};
static const lw_port outputs[] = {
    {"walk", "z[N, points, z_dim]", 0, 0, "The learned walk from each start."},
    {"images", "image[N, points, channels, height, width]", 0, 0, "Their images."},
};

/* The network in a scope of its own: its weights are made or taken from `network`. */
static lw_value build_walk(lw_graph *g, lw_step *step, lw_store *network, lw_value z)
{
    lw_scope scope = {.size = sizeof(lw_scope),
                      .plugin = "method/trajectory-net",
                      .model = "trajectory",
                      .prefix = "",
                      .store = network,
                      .seed = lw_step_seed(step),
                      .create = true};
    lw_scope_push(g, &scope);
    lw_value walk = trajectory(g, lw_step_args(step), z);
    lw_scope_pop(g);
    return walk;
}

static lw_program *compile_training(lw_step *step, lw_model *model, lw_store *network, lw_store *adam)
{
    const lw_args *args = lw_step_args(step);
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = lw_random_normal(g, LW_SHAPE(lw_int(args, "batch"), lw_model_dim(model, "z_dim")),
                                  "trajectory-net starts");
    lw_value walk = build_walk(g, step, network, z);
    lw_value images = lw_generate(g, model, lw_merge(g, walk, 0, 1));
    const lw_named_value values[] = {{"latents", walk}, {"images", images}};
    lw_value loss = lw_step_losses(step, g, "losses", model, values, 2, "loss");
    lw_output(g, "total", loss);
    lw_adam(g, loss, network, adam, .learning_rate = (float)lw_float(args, "learning_rate"), .beta1 = 0.9f);
    return lw_step_compile(step, g, "train");
}

static lw_status log_losses(lw_step *step, lw_program *train)
{
    const lw_args *args = lw_step_args(step);
    float value;
    LW_TRY(lw_program_read(train, "total", &value, 1));
    LW_TRY(lw_step_log(step, "loss", value));
    for (int i = 0; i < lw_list_count(args, "losses"); i++) {
        char name[128];
        snprintf(name, sizeof name, "loss/%s", lw_list_text(args, "losses", i));
        LW_TRY(lw_program_read(train, name, &value, 1));
        LW_TRY(lw_step_log(step, name, value));
    }
    return LW_OK;
}

static lw_status train(lw_step *step, lw_model *model, lw_store *network)
{
    int64_t iterations = lw_int(lw_step_args(step), "iterations");
    lw_program *program = compile_training(step, model, network, lw_step_store(step, "adam"));
    if (!program)
        return lw_error_status();
    for (int64_t i; lw_next(step, iterations, &i);) {
        LW_TRY(lw_program_seed(program, lw_step_seed(step), (uint64_t)i));
        LW_TRY(lw_program_run(program));
        if (i % 10 == 0 || i == iterations - 1)
            LW_TRY(log_losses(step, program));
    }
    return lw_step_finish(step);
}

/* z [N, d] -> walk [N, T, d] */
static lw_tensor *apply(lw_step *step, lw_store *network, const lw_tensor *z)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_output(g, "walk", build_walk(g, step, network, lw_input(g, "z", z->shape)));
    lw_program *program = lw_step_compile(step, g, "apply");
    if (!program || lw_program_write(program, "z", z->data, (size_t)lw_shape_count(z->shape)) != LW_OK ||
        lw_program_run(program) != LW_OK)
        return NULL;
    return lw_program_read_tensor(program, "walk");
}

/* walk [N, T, d] -> images [N, T, C, H, W] */
static lw_status render(lw_step *step, lw_model *model, lw_tensor *walk, lw_tensor **images)
{
    lw_shape shape = walk->shape;
    walk->shape = LW_SHAPE(shape.dim[0] * shape.dim[1], shape.dim[2]);
    lw_status status = lw_model_images(model, lw_step_device(step), "z", walk, 64, images, NULL);
    walk->shape = shape;
    if (status == LW_OK) {
        const int64_t *flat = (*images)->shape.dim;
        (*images)->shape = LW_SHAPE(shape.dim[0], shape.dim[1], flat[1], flat[2], flat[3]);
    }
    return status;
}

static lw_status run(lw_step *step)
{
    lw_model *model = lw_step_model(step, "model");
    lw_store *network = lw_step_store(step, "trajectory");
    LW_TRY(train(step, model, network));
    lw_tensor *images = NULL, *walk = apply(step, network, lw_step_input(step, "z", 0));
    if (!walk)
        return lw_error_status();
    lw_status status = render(step, model, walk, &images);
    if (status != LW_OK) {
        lw_tensor_destroy(walk);
        return status;
    }
    status = lw_step_output(step, "walk", walk);
    lw_status shown = lw_step_output(step, "images", images);
    return status != LW_OK ? status : shown;
}

static const lw_runner functions = {sizeof(lw_runner), run};

LW_PLUGIN(METHOD, "trajectory-net", "1.0.0", "Smooth walks learned end to end through a frozen GAN",
          .source = "Kumar, Latent Trajectory Optimization for Smooth Semantic Edits; lateGAN a4604a17",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
