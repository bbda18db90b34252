/* gan_trainer.c — trains a model's generator and discriminator against each other by alternating updates
 * (Goodfellow et al. 2014; Radford et al. 2016 for the defaults), with a moving average of the generator.
 * README.md shows how the papers' recipes are put together. */
#include "judge.h"
#include "programs.h"
#include "schedule.h"

#include <stdio.h>

static const char *const network_needs[] = {"network", NULL};
static const char *const model_needs[] = {"synthesize", "discriminator", NULL};
static const char *const offers[] = {"fake", "real", "images", "real_images", "w+", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, model_needs,
     "The model to train, in place; give it no weights to start afresh."},
    {"iterations", LW_PARAM_INT, NULL, NULL, 1, 100000000, NULL, "Updates of the generator."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL,
     "Images per update (DCGAN paper: 128; its Torch code: 64)."},
    {"accumulate", LW_PARAM_INT, "batches", "1", 1, 1024, NULL,
     "Batches whose gradients are summed for one update: the same as a batch so many times larger, but for "
     "what a network does with a batch as a whole."},
    {"critic_updates", LW_PARAM_INT, NULL, "1", 1, 100, NULL,
     "Updates of the discriminator for each of the generator (WGAN-GP, SNGAN: 5)."},
    {"generator_rate", LW_PARAM_FLOAT, NULL, "2e-4", 0, 1, NULL, "Adam's learning rate (DCGAN paper)."},
    {"discriminator_rate", LW_PARAM_FLOAT, NULL, "2e-4", 0, 1, NULL, "Adam's learning rate (DCGAN paper)."},
    {"decay_from", LW_PARAM_INT, "iterations", "", 0, 100000000, NULL,
     "When the rates begin to fall, in a straight line to 0 at the end (WGAN-GP: 0; absent: never)."},
    {"beta1", LW_PARAM_FLOAT, NULL, "0.5", 0, 0.9999, NULL, "Adam's first decay (DCGAN paper)."},
    {"beta2", LW_PARAM_FLOAT, NULL, "0.999", 0.0001, 0.999999, NULL, "Adam's second decay (DCGAN paper)."},
    {"average", LW_PARAM_FLOAT, NULL, "0.999", 0, 0.999999, NULL,
     "Decay of the generator's moving average, which becomes the model's generator in the end "
     "(pytorch_GAN_zoo: 0.999)."},
    {"average_half_life", LW_PARAM_FLOAT, "thousand images", "", 1e-3, 1e6, NULL,
     "In place of `average`: images after which half of the average is new (stylegan2-ada-pytorch, ema_kimg: "
     "10)."},
    {"average_ramp", LW_PARAM_FLOAT, NULL, "", 1e-3, 10, NULL,
     "The half-life is at most this share of the images seen so far (stylegan2-ada-pytorch, ema_rampup: "
     "0.05)."},
    {"flip", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL, "Mirror half of the training images."},
    {"style_mixing", LW_PARAM_FLOAT, NULL, "0", 0, 1, NULL,
     "How often the layers from a random one on take another latent's w, for generators with a mapping "
     "(StyleGAN: 0.9)."},
    {"losses", LW_PARAM_LOSSES, NULL, "[{uses: loss/adversarial}]", 0, 0, offers,
     "What every update minimises; a loss that needs `real` or `real_images` is the discriminator's, one "
     "that needs `w+` the generator's, any other both networks'."},
    {"regularisers", LW_PARAM_LOSSES, NULL, "[]", 0, 0, offers,
     "Losses with updates of their own, now and then, their weights multiplied by the interval (lazy "
     "regularisation, Karras et al. 2020, section 3.1)."},
    {"discriminator_interval", LW_PARAM_INT, "iterations", "16", 1, 100000, NULL,
     "How often the discriminator's regularisers are minimised (StyleGAN2: 16)."},
    {"generator_interval", LW_PARAM_INT, "iterations", "4", 1, 100000, NULL,
     "How often the generator's regularisers are minimised (StyleGAN2: 4)."},
    {"generator_shrink", LW_PARAM_INT, NULL, "2", 1, 4096, NULL,
     "The generator's regularisers see the batch divided by this (StyleGAN2, pl_minibatch_shrink: 2)."},
    {"grow_from", LW_PARAM_INT, "px", "", 1, 4096, NULL,
     "Progressive growing: the networks begin at images of this side (Karras et al. 2018: 4) and double "
     "until they are whole; absent: whole from the start."},
    {"stage_images", LW_PARAM_INT, "images", "600000", 0, 1000000000, NULL,
     "Images that a stage of growing sees by itself (progressive_growing_of_gans: 600000)."},
    {"fade_images", LW_PARAM_INT, "images", "600000", 0, 1000000000, NULL,
     "Images during which a doubling is faded in (progressive_growing_of_gans: 600000)."},
    {"samples_every", LW_PARAM_INT, "iterations", "500", 1, 100000000, NULL,
     "How often a grid of samples, the validation losses and the Fréchet distance are made."},
    {"network", LW_PARAM_MODEL, NULL, "", 0, 0, network_needs,
     "The model in whose features samples are compared with the held-out images; the networks with the "
     "nearest samples are kept in best.safetensors."},
    {"tap", LW_PARAM_STRING, NULL, "features", 0, 0, NULL,
     "The place in that network where the features are taken; `output` for what it returns."},
    {"judged_samples", LW_PARAM_INT, "images", "5000", 2, 10000000, NULL,
     "How many samples are compared each time; a distance falls with their number, so compare equal ones "
     "(Heusel et al. 2017, for measurements that are published: 10000 or more)."},
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
    schedule schedule;
    stage stages[MAX_STAGES];
    judge judge;
    lw_loader *train, *held_out; /* held_out NULL without validation images */
    float *real;                 /* [batch, C, H, W] */
    int64_t parts, critic_updates, interval[UPDATE_KINDS];
} loop;

static lw_status open_stores(trainer *t)
{
    t->generator = lw_model_store(t->model, LW_PART_GENERATOR);
    t->discriminator = lw_model_store(t->model, LW_PART_DISCRIMINATOR);
    t->average = lw_step_store(t->step, "average");
    t->adam[0] = lw_step_store(t->step, "adam.discriminator");
    t->adam[1] = lw_step_store(t->step, "adam.generator");
    if (!t->average || !t->adam[0] || !t->adam[1])
        return lw_error_status();
    if (lw_int(t->args, "accumulate") > 1 && (!(t->sums[0] = lw_step_store(t->step, "sums.discriminator")) ||
                                              !(t->sums[1] = lw_step_store(t->step, "sums.generator"))))
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

/* What no table of parameters can say. */
static lw_status check_recipe(const trainer *t)
{
    for (int list = 0; list < 2; list++) {
        update_kind critic = list ? DISCRIMINATOR_LAZY : DISCRIMINATOR,
                    maker = list ? GENERATOR_LAZY : GENERATOR;
        for (int i = 0; i < lw_list_count(t->args, losses_of(maker)); i++)
            if (!takes_part(t, critic, i) && !takes_part(t, maker, i))
                return lw_fail(
                    LW_UNSUPPORTED,
                    "%s: '%s' fits neither network's updates: only the generator's have `w+`, only the "
                    "discriminator's `real` and `real_images`",
                    losses_of(maker), lw_list_text(t->args, losses_of(maker), i));
    }
    if (loss_count(t, GENERATOR) == 0 || loss_count(t, DISCRIMINATOR) == 0)
        return lw_fail(LW_INVALID,
                       "losses: none of them is for the %s; loss/adversarial is for both networks",
                       loss_count(t, GENERATOR) ? "discriminator" : "generator");
    if (lw_float(t->args, "style_mixing") > 0 && lw_model_dim(t->model, "num_ws") < 2)
        return lw_fail(
            LW_UNSUPPORTED,
            "style_mixing: the generator of model '%s' does not take a w for each layer; set it to 0",
            lw_model_name(t->model));
    return LW_OK;
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
    l->parts = lw_int(t->args, "accumulate");
    l->critic_updates = lw_int(t->args, "critic_updates");
    l->interval[DISCRIMINATOR_LAZY] = lw_int(t->args, "discriminator_interval");
    l->interval[GENERATOR_LAZY] = lw_int(t->args, "generator_interval");
    LW_TRY(check_recipe(t));
    LW_TRY(schedule_open(&l->schedule, t->args, t->model));
    LW_TRY(open_stores(t));
    LW_TRY(open_loader(step, "images", batch, lw_bool(t->args, "flip"), &l->train));
    LW_TRY(open_loader(step, "validation", batch, false, &l->held_out));
    if (!(l->real = lw_alloc((size_t)lw_shape_count(t->image), sizeof(float))))
        return LW_MEMORY;
    for (int i = 0; i < l->schedule.stages; i++) {
        l->stages[i] = (stage){.resolution = l->schedule.resolution[i], .fades = i > 0};
        LW_TRY(compile_stage(t, &l->stages[i], l->held_out != NULL));
    }
    return judge_open(&l->judge, t, lw_step_input_dataset(step, "validation", 0));
}

/* --- updates ---------------------------------------------------------------------------------- */

static lw_status write_real(loop *l, lw_program *program, lw_loader *loader, uint64_t number)
{
    if (!lw_step_is_dry(l->t.step))
        LW_TRY(lw_loader_batch(loader, number, l->real, NULL));
    return lw_program_write(program, "real", l->real, (size_t)lw_shape_count(l->t.image));
}

/* Writes an input where the program has a use for it. */
static lw_status offer(lw_program *program, const char *input, float value)
{
    lw_status status = lw_program_write(program, input, &value, 1);
    if (status != LW_NOT_FOUND)
        return status;
    lw_error_clear();
    return LW_OK;
}

static lw_status log_value(lw_step *step, lw_program *program, const char *output, const char *series)
{
    float value;
    LW_TRY(lw_program_read(program, output, &value, 1));
    return lw_step_log(step, series, value);
}

/* The sum and, where there are several, each loss. */
static lw_status log_update(loop *l, update_kind kind, lw_program *program)
{
    const trainer *t = &l->t;
    const char *side = is_generators(kind) ? "generator" : "discriminator", *param = losses_of(kind);
    char series[256], output[256];
    snprintf(series, sizeof series, "%s/%s", is_lazy(kind) ? "regularisers" : "losses", side);
    LW_TRY(log_value(t->step, program, "loss", series));
    for (int i = 0; i < lw_list_count(t->args, param) && loss_count(t, kind) > 1; i++) {
        if (!takes_part(t, kind, i))
            continue;
        snprintf(output, sizeof output, "loss/%s", lw_list_text(t->args, param, i));
        snprintf(series, sizeof series, "%s/%s", side, lw_list_text(t->args, param, i));
        LW_TRY(log_value(t->step, program, output, series));
    }
    return LW_OK;
}

/* The n-th update of its kind, in stage `s`; the discriminator's take the photographs from batch `photos`
 * on. */
static lw_status update(loop *l, const stage *s, update_kind kind, const moment *now, int64_t n,
                        int64_t photos)
{
    const trainer *t = &l->t;
    uint64_t seed = lw_step_seed(t->step);
    const char *rate = is_generators(kind) ? "generator_rate" : "discriminator_rate";
    for (int64_t part = 0; part < l->parts; part++) {
        lw_program *program = part + 1 < l->parts ? s->gather[kind] : s->update[kind];
        if (!is_generators(kind))
            LW_TRY(write_real(l, program, l->train, (uint64_t)(photos + part)));
        LW_TRY(offer(program, "rate", (float)lw_float(t->args, rate) * now->rate));
        LW_TRY(offer(program, "fade", now->fade));
        LW_TRY(offer(program, "average", now->average));
        LW_TRY(lw_program_seed(program, seed, (uint64_t)((n * l->parts + part) * UPDATE_KINDS + kind)));
        LW_TRY(lw_program_run(program));
    }
    return LW_OK;
}

/* How many of iterations 0 … i - 1 are a multiple of the interval. */
static int64_t multiples(int64_t i, int64_t interval)
{
    return (i + interval - 1) / interval;
}

/* One update of the generator and what comes before it. Photographs are taken in the loader's order, whatever
 * the recipe: a batch for each part of each update of the discriminator. */
static lw_status iterate(loop *l, int64_t i)
{
    moment now = schedule_at(&l->schedule, i);
    const stage *s = &l->stages[now.stage];
    int64_t critics = l->critic_updates, photos = i * critics * l->parts;
    if (s->update[DISCRIMINATOR_LAZY])
        photos += multiples(i, l->interval[DISCRIMINATOR_LAZY]) * l->parts;
    for (int k = 0; k < 2 && schedule_turns(&l->schedule, i); k++)
        LW_TRY(lw_store_clear(l->t.adam[k]));
    for (int64_t k = 0; k < critics; k++, photos += l->parts)
        LW_TRY(update(l, s, DISCRIMINATOR, &now, i * critics + k, photos));
    for (update_kind kind = DISCRIMINATOR_LAZY; kind <= GENERATOR_LAZY; kind++)
        if (s->update[kind] && i % l->interval[kind] == 0) {
            LW_TRY(update(l, s, kind, &now, i, photos));
            LW_TRY(log_update(l, kind, s->update[kind]));
        }
    LW_TRY(update(l, s, GENERATOR, &now, i, 0));
    if (i % 10 != 0)
        return LW_OK;
    LW_TRY(log_update(l, DISCRIMINATOR, s->update[DISCRIMINATOR]));
    return log_update(l, GENERATOR, s->update[GENERATOR]);
}

/* --- ticks ------------------------------------------------------------------------------------ */

/* The mean losses over 4 batches of held-out images. */
static lw_status validate(loop *l, int64_t i, const moment *now)
{
    static const char *const names[] = {"discriminator", "generator", "real", "fake"};
    static const char *const series[] = {"validation/discriminator", "validation/generator", "score/of real",
                                         "score/of fake"};
    lw_program *program = l->stages[now->stage].validation;
    const int batches = 4;
    double sum[4] = {0};
    for (int k = 0; k < batches; k++) {
        LW_TRY(write_real(l, program, l->held_out, (uint64_t)k));
        LW_TRY(offer(program, "fade", now->fade));
        LW_TRY(lw_program_seed(program, lw_step_seed(l->t.step), (uint64_t)(i * batches + k)));
        LW_TRY(lw_program_run(program));
        for (int s = 0; s < 4; s++) {
            float value;
            LW_TRY(lw_program_read(program, names[s], &value, 1));
            sum[s] += (double)value / batches;
        }
    }
    for (int s = 0; s < 4; s++)
        LW_TRY(lw_step_log(l->t.step, series[s], sum[s]));
    return LW_OK;
}

/* Running statistics belong to the weights they were taken with, so the averaged weights need their own:
 * those of 50 batches of their images, which BigGAN (Brock et al. 2019) calls standing statistics. */
static lw_status calibrate(loop *l, const moment *now)
{
    lw_program *program = l->stages[now->stage].calibration;
    for (uint64_t k = 0; k < 50 && program; k++) {
        LW_TRY(offer(program, "fade", now->fade));
        LW_TRY(lw_program_seed(program, lw_step_seed(l->t.step), k));
        LW_TRY(lw_program_run(program));
    }
    return LW_OK;
}

/* Images of the moving average for the same latents every time: [batch, C, H, W]. */
static lw_tensor *sample(loop *l, const moment *now)
{
    lw_program *program = l->stages[now->stage].sampler;
    int64_t count = l->t.image.dim[0] * lw_model_dim(l->t.model, "z_dim");
    float *z = lw_alloc((size_t)count, sizeof *z);
    if (!z)
        return NULL;
    lw_stream stream = {.seed = lw_step_seed(l->t.step), .purpose = lw_purpose("sample latents")};
    lw_normal(stream, 0, (size_t)count, z);
    bool ran = lw_program_write(program, "z", z, (size_t)count) == LW_OK &&
               offer(program, "fade", now->fade) == LW_OK && lw_program_run(program) == LW_OK;
    lw_free(z);
    return ran ? lw_program_read_tensor(program, "images") : NULL;
}

static lw_status save_samples(loop *l, int64_t i, const moment *now)
{
    char file[64];
    snprintf(file, sizeof file, "samples/%08lld.png", (long long)i);
    lw_tensor *images = sample(l, now);
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

/* A tick: what the training has come to after iteration i. */
static lw_status look(loop *l, int64_t i)
{
    moment now = schedule_at(&l->schedule, i);
    LW_TRY(calibrate(l, &now));
    LW_TRY(save_samples(l, i + 1, &now));
    if (l->held_out)
        LW_TRY(validate(l, i, &now));
    return now.stage + 1 == l->schedule.stages && !now.fades ? judge_samples(&l->judge, i + 1) : LW_OK;
}

static lw_status train(loop *l)
{
    int64_t iterations = l->schedule.iterations, every = lw_int(l->t.args, "samples_every");
    for (int64_t i; lw_next(l->t.step, iterations, &i);) {
        LW_TRY(iterate(l, i));
        if ((i + 1) % every == 0 || i + 1 == iterations)
            LW_TRY(look(l, i));
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
    LW_TRY(judge_report(&l->judge));
    moment last = schedule_at(&l->schedule, l->schedule.iterations - 1);
    lw_tensor *images = sample(l, &last);
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
    judge_close(&l.judge);
    lw_loader_destroy(l.train);
    lw_loader_destroy(l.held_out);
    lw_free(l.real);
    return status;
}

static const lw_runner functions = {sizeof(lw_runner), run};

LW_PLUGIN(METHOD, "gan-trainer", "1.0.0", "Trains a generator and its discriminator by alternating updates",
          .source = "Goodfellow et al. 2014; Radford et al. 2016; pytorch_GAN_zoo b75dee40 (moving average)",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
