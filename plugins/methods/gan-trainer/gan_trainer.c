/* gan_trainer.c — trains a model's generator and discriminator against each other, alternating one update of
 * each (Goodfellow et al. 2014; Radford et al. 2016 for the defaults), with a moving average of the
 * generator. */
#include "programs.h"

#include <stdio.h>

static const char *const model_needs[] = {"synthesize", "discriminator", NULL};
static const char *const offers[] = {"fake", "real", "images", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, model_needs,
     "The model to train, in place; give it no weights to start afresh."},
    {"iterations", LW_PARAM_INT, NULL, NULL, 1, 100000000, NULL, "Updates of each network."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL,
     "Images per update (DCGAN paper: 128; its Torch code: 64)."},
    {"generator_rate", LW_PARAM_FLOAT, NULL, "2e-4", 0, 1, NULL, "Adam's learning rate (DCGAN paper)."},
    {"discriminator_rate", LW_PARAM_FLOAT, NULL, "2e-4", 0, 1, NULL, "Adam's learning rate (DCGAN paper)."},
    {"beta1", LW_PARAM_FLOAT, NULL, "0.5", 0, 0.9999, NULL, "Adam's first decay (DCGAN paper)."},
    {"beta2", LW_PARAM_FLOAT, NULL, "0.999", 0.0001, 0.999999, NULL, "Adam's second decay (DCGAN paper)."},
    {"average", LW_PARAM_FLOAT, NULL, "0.999", 0, 0.999999, NULL,
     "Decay of the generator's moving average, which becomes the model's generator in the end "
     "(pytorch_GAN_zoo: 0.999)."},
    {"flip", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL, "Mirror half of the training images."},
    {"losses", LW_PARAM_LOSSES, NULL, "[{uses: loss/adversarial}]", 0, 0, offers,
     "Both sides' losses: with `real` and `fake` scores for the discriminator, with `fake` alone for the "
     "generator."},
    {"samples_every", LW_PARAM_INT, "iterations", "500", 1, 100000000, NULL,
     "How often a grid of samples and the validation losses are made."},
    {"half", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL, "Store model.safetensors in half precision."},
};

static const lw_port inputs[] = {
    {"images", "dataset[N, channels, height, width]", 0, 0, "Training images."},
    {"validation", "dataset[M, channels, height, width]", 1, 0, "Held-out images for the validation losses."},
};
static const lw_port outputs[] = {
    {"samples", "image[batch, channels, height, width]", 0, 0,
     "Images of the trained generator from the fixed latents of the sample grids."},
};

/* Everything the loop works with. */
typedef struct loop {
    trainer t;
    lw_program *discriminator, *generator, *validation, *calibration, *sampler;
    lw_loader *train, *held_out; /* held_out NULL without validation images */
    float *real;                 /* [batch, C, H, W] */
} loop;

static lw_status open_stores(trainer *t)
{
    t->generator = lw_model_store(t->model, LW_PART_GENERATOR);
    t->discriminator = lw_model_store(t->model, LW_PART_DISCRIMINATOR);
    t->average = lw_step_store(t->step, "average");
    t->adam_generator = lw_step_store(t->step, "adam.generator");
    t->adam_discriminator = lw_step_store(t->step, "adam.discriminator");
    if (!t->average || !t->adam_generator || !t->adam_discriminator)
        return lw_error_status();
    if (lw_store_count(t->average) == 0)
        LW_TRY(lw_store_merge(t->average, t->generator, ""));
    LW_TRY(lw_step_keep(t->step, "generator", t->generator));
    return lw_step_keep(t->step, "discriminator", t->discriminator);
}

static lw_status open_loader(lw_step *step, const char *port, int64_t batch, bool flip, lw_loader **loader)
{
    const lw_dataset *images = lw_step_input_dataset(step, port, 0);
    if (!images)
        return LW_OK;
    *loader = lw_loader_create(images, (size_t)batch, lw_step_seed(step), flip);
    return *loader ? LW_OK : lw_error_status();
}

static lw_status open_loop(loop *l, lw_step *step)
{
    trainer *t = &l->t;
    t->step = step;
    t->args = lw_step_args(step);
    t->model = lw_step_model(step, "model");
    int64_t batch = lw_int(t->args, "batch");
    t->image = LW_SHAPE(batch, lw_model_dim(t->model, "channels"), lw_model_dim(t->model, "height"),
                        lw_model_dim(t->model, "width"));
    LW_TRY(open_stores(t));
    LW_TRY(open_loader(step, "images", batch, lw_bool(t->args, "flip"), &l->train));
    LW_TRY(open_loader(step, "validation", batch, false, &l->held_out));
    l->real = lw_alloc((size_t)lw_shape_count(t->image), sizeof(float));
    if (!l->real || !(l->discriminator = compile_discriminator_half(t)) ||
        !(l->generator = compile_generator_half(t)) || !(l->calibration = compile_calibration(t)) ||
        !(l->sampler = compile_sampler(t)) || (l->held_out && !(l->validation = compile_validation(t))))
        return lw_error_status();
    return LW_OK;
}

static lw_status write_real(loop *l, lw_program *program, lw_loader *loader, uint64_t number)
{
    LW_TRY(lw_loader_batch(loader, number, l->real, NULL));
    return lw_program_write(program, "real", l->real, (size_t)lw_shape_count(l->t.image));
}

static lw_status log_value(lw_step *step, lw_program *program, const char *output, const char *series)
{
    float value;
    LW_TRY(lw_program_read(program, output, &value, 1));
    return lw_step_log(step, series, value);
}

static lw_status update(loop *l, int64_t i)
{
    lw_step *step = l->t.step;
    uint64_t seed = lw_step_seed(step);
    LW_TRY(write_real(l, l->discriminator, l->train, (uint64_t)i));
    LW_TRY(lw_program_seed(l->discriminator, seed, (uint64_t)i));
    LW_TRY(lw_program_run(l->discriminator));
    LW_TRY(lw_program_seed(l->generator, seed, (uint64_t)i));
    LW_TRY(lw_program_run(l->generator));
    if (i % 10 != 0)
        return LW_OK;
    LW_TRY(log_value(step, l->discriminator, "loss", "discriminator"));
    return log_value(step, l->generator, "loss", "generator");
}

/* The mean losses over 4 batches of held-out images. */
static lw_status validate(loop *l, int64_t i)
{
    static const char *const names[] = {"discriminator", "generator", "real", "fake"};
    static const char *const series[] = {"validation discriminator", "validation generator",
                                         "validation score of real", "validation score of fake"};
    const int batches = 4;
    double sum[4] = {0};
    for (int k = 0; k < batches; k++) {
        LW_TRY(write_real(l, l->validation, l->held_out, (uint64_t)k));
        LW_TRY(lw_program_seed(l->validation, lw_step_seed(l->t.step), (uint64_t)(i * batches + k)));
        LW_TRY(lw_program_run(l->validation));
        for (int s = 0; s < 4; s++) {
            float value;
            LW_TRY(lw_program_read(l->validation, names[s], &value, 1));
            sum[s] += (double)value / batches;
        }
    }
    for (int s = 0; s < 4; s++)
        LW_TRY(lw_step_log(l->t.step, series[s], sum[s]));
    return LW_OK;
}

/* Running statistics belong to the weights they were taken with, so the averaged weights need their own:
 * those of 50 batches of their images, which BigGAN (Brock et al. 2019) calls standing statistics. */
static lw_status calibrate(loop *l)
{
    for (uint64_t k = 0; k < 50; k++) {
        LW_TRY(lw_program_seed(l->calibration, lw_step_seed(l->t.step), k));
        LW_TRY(lw_program_run(l->calibration));
    }
    return LW_OK;
}

/* Images of the moving average for the same latents every time: [batch, C, H, W]. */
static lw_tensor *sample(loop *l)
{
    int64_t count = l->t.image.dim[0] * lw_model_dim(l->t.model, "z_dim");
    float *z = lw_alloc((size_t)count, sizeof *z);
    if (!z)
        return NULL;
    lw_stream stream = {.seed = lw_step_seed(l->t.step), .purpose = lw_purpose("sample latents")};
    lw_normal(stream, 0, (size_t)count, z);
    bool ran =
        lw_program_write(l->sampler, "z", z, (size_t)count) == LW_OK && lw_program_run(l->sampler) == LW_OK;
    lw_free(z);
    return ran ? lw_program_read_tensor(l->sampler, "images") : NULL;
}

static lw_status save_samples(loop *l, int64_t i)
{
    char file[64];
    snprintf(file, sizeof file, "samples/%08lld.png", (long long)i);
    lw_tensor *images = sample(l);
    lw_tensor *grid = images ? lw_image_grid(images, 8, 2) : NULL;
    char *path = lw_step_path(l->t.step, file);
    uint8_t *png = NULL;
    size_t size;
    lw_status status = grid && path ? lw_image_encode_png(grid, &png, &size) : lw_error_status();
    if (status == LW_OK)
        status = lw_file_write(path, png, size);
    lw_free(png);
    lw_free(path);
    lw_tensor_destroy(grid);
    lw_tensor_destroy(images);
    return status;
}

static lw_status train(loop *l)
{
    int64_t iterations = lw_int(l->t.args, "iterations"), every = lw_int(l->t.args, "samples_every");
    for (int64_t i; lw_next(l->t.step, iterations, &i);) {
        LW_TRY(update(l, i));
        if ((i + 1) % every != 0 && i + 1 != iterations)
            continue;
        LW_TRY(calibrate(l));
        LW_TRY(save_samples(l, i + 1));
        if (l->held_out)
            LW_TRY(validate(l, i));
    }
    return lw_step_finish(l->t.step);
}

/* The moving average becomes the model's generator; model.safetensors holds both networks. */
static lw_status finish(loop *l)
{
    LW_TRY(lw_store_merge(l->t.generator, l->t.average, ""));
    lw_model_changed(l->t.model);
    char *path = lw_step_path(l->t.step, "model.safetensors");
    lw_status status =
        path ? lw_model_save(l->t.model, path, lw_bool(l->t.args, "half") ? LW_STORE_F16 : LW_STORE_F32)
             : lw_error_status();
    lw_free(path);
    LW_TRY(status);
    lw_tensor *images = sample(l);
    return images ? lw_step_output(l->t.step, "samples", images) : lw_error_status();
}

static lw_status run(lw_step *step)
{
    loop l = {0};
    lw_status status = open_loop(&l, step);
    if (status == LW_OK)
        status = train(&l);
    if (status == LW_OK)
        status = finish(&l);
    lw_loader_destroy(l.train);
    lw_loader_destroy(l.held_out);
    lw_free(l.real);
    return status;
}

static const lw_runner functions = {sizeof(lw_runner), run};

LW_PLUGIN(METHOD, "gan-trainer", "1.0.0", "Trains a generator and its discriminator by alternating updates",
          .source = "Goodfellow et al. 2014; Radford et al. 2016; pytorch_GAN_zoo b75dee40 (moving average)",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
