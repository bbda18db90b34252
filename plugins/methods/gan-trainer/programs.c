/* programs.c — see programs.h. */
#include "programs.h"

static lw_value fresh_latents(trainer *t, lw_graph *g, const char *purpose)
{
    return lw_random_normal(g, LW_SHAPE(t->image.dim[0], lw_model_dim(t->model, "z_dim")), purpose);
}

static lw_program *compile_and_free(trainer *t, lw_graph *g, const char *name)
{
    lw_program *program = lw_step_compile(t->step, g, name);
    lw_graph_destroy(g);
    return program;
}

static void adam(trainer *t, lw_graph *g, lw_value loss, lw_store *store, lw_store *state, const char *rate)
{
    lw_adam(g, loss, store, state, .learning_rate = (float)lw_float(t->args, rate),
            .beta1 = (float)lw_float(t->args, "beta1"), .beta2 = (float)lw_float(t->args, "beta2"));
}

lw_program *compile_discriminator_half(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value fake = lw_stop_gradient(
        g, lw_generate(g, t->model, fresh_latents(t, g, "discriminator latents"), .training = true));
    lw_value real = lw_input(g, "real", t->image);
    const lw_named_value values[] = {
        {"real", lw_discriminate(g, t->model, real, .training = true, .trainable = true)},
        {"fake", lw_discriminate(g, t->model, fake, .training = true, .trainable = true)},
        {"images", fake},
    };
    lw_value loss = lw_step_losses(t->step, g, "losses", t->model, values, 3, "loss");
    lw_output(g, "loss", loss);
    adam(t, g, loss, t->discriminator, t->adam_discriminator, "discriminator_rate");
    return compile_and_free(t, g, "discriminator");
}

lw_program *compile_generator_half(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value fake = lw_generate(g, t->model, fresh_latents(t, g, "generator latents"), .training = true,
                                .trainable = true);
    const lw_named_value values[] = {{"fake", lw_discriminate(g, t->model, fake, .training = true)},
                                     {"images", fake}};
    lw_value loss = lw_step_losses(t->step, g, "losses", t->model, values, 2, "loss");
    lw_output(g, "loss", loss);
    adam(t, g, loss, t->generator, t->adam_generator, "generator_rate");
    lw_moving_average(g, t->generator, t->average, lw_float(t->args, "average"));
    return compile_and_free(t, g, "generator");
}

lw_program *compile_validation(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value images = lw_generate(g, t->model, fresh_latents(t, g, "validation latents"));
    lw_value real = lw_discriminate(g, t->model, lw_input(g, "real", t->image));
    lw_value fake = lw_discriminate(g, t->model, images);
    const lw_named_value both[] = {{"real", real}, {"fake", fake}, {"images", images}};
    lw_output(g, "discriminator", lw_step_losses(t->step, g, "losses", t->model, both, 3, "discriminator"));
    lw_output(g, "generator", lw_step_losses(t->step, g, "losses", t->model, both + 1, 2, "generator"));
    lw_output(g, "real", lw_mean(g, real, LW_ALL_AXES, false));
    lw_output(g, "fake", lw_mean(g, fake, LW_ALL_AXES, false));
    return compile_and_free(t, g, "validation");
}

lw_program *compile_calibration(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = fresh_latents(t, g, "calibration latents");
    lw_generate(g, t->model, z, .training = true, .store = t->average);
    return compile_and_free(t, g, "calibration");
}

lw_program *compile_sampler(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = lw_input(g, "z", LW_SHAPE(t->image.dim[0], lw_model_dim(t->model, "z_dim")));
    lw_output(g, "images", lw_generate(g, t->model, z, .store = t->average));
    return compile_and_free(t, g, "samples");
}
