/* training.c — loops in script/bench; a repetition is one step.
 *
 *   train/dcgan-64        batch 64: a discriminator and a generator update, non-saturating, Adam
 *   train/wgan-gp-64      batch 32: a critic update with gradient penalty, a generator update, Adam
 *   train/pggan-64        the same of the whole progressive network, with drift
 *   train/stylegan2-64    batch 4: discriminator with R1, generator with path length regularisation, Adam
 *   trajectory/N          TrajectoryNet (plugins/methods/trajectory-net), N walks of 10 points a step
 *   optimise/N            latents of N images: L1 of discriminator features and of pixels, norm penalty
 *                         (Diamond in the rough, official code), Adam
 *   dp-lase/N             DP-LaSE (plugins/methods/dp-lase, eq. 11) at its defaults, N latents, Adam */
#include "worker.h"

#include "lase.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static lw_value mean(lw_graph *g, lw_value x)
{
    return lw_mean(g, x, LW_ALL_AXES, false);
}

static lw_value l1(lw_graph *g, lw_value a, lw_value b)
{
    return mean(g, lw_abs(g, lw_sub(g, a, b)));
}

/* mean softplus(sign * score): binary cross-entropy */
static lw_value cross_entropy(lw_graph *g, lw_value score, double sign)
{
    return mean(g, lw_softplus(g, lw_affine(g, score, sign, 0)));
}

/* --- DCGAN ---------------------------------------------------------------------------------- */

static void build_dcgan(bench *b, int n)
{
    lw_store *sg = lw_model_store(b->model, LW_PART_GENERATOR),
             *sd = lw_model_store(b->model, LW_PART_DISCRIMINATOR);
    lw_graph *g = lw_graph_create();
    lw_value z = bench_input(b, g, "z", LW_SHAPE(n, 100), 1);
    lw_value real = bench_input(b, g, "real", LW_SHAPE(n, 3, 64, 64), 1);
    lw_value fake = lw_stop_gradient(g, lw_generate(g, b->model, z, .training = true));
    lw_value on_real = lw_discriminate(g, b->model, real, .training = true, .trainable = true);
    lw_value on_fake = lw_discriminate(g, b->model, fake, .training = true, .trainable = true);
    lw_value loss = lw_add(g, cross_entropy(g, on_real, -1), cross_entropy(g, on_fake, 1));
    bench_output(b, g, "discriminator loss", loss);
    bench_must(lw_adam(g, loss, sd, b->state[0], .learning_rate = 2e-4f, .beta1 = 0.5f));
    bench_compile(b, g);

    g = lw_graph_create();
    z = bench_input(b, g, "z", LW_SHAPE(n, 100), 1);
    fake = lw_generate(g, b->model, z, .training = true, .trainable = true);
    loss = cross_entropy(g, lw_discriminate(g, b->model, fake, .training = true), -1);
    bench_output(b, g, "generator loss", loss);
    bench_must(lw_adam(g, loss, sg, b->state[1], .learning_rate = 2e-4f, .beta1 = 0.5f));
    bench_compile(b, g);
}

/* --- WGAN-GP, and PGGAN with it --------------------------------------------------------------- */

/* 10 mean (|d D / d x| - 1)^2 at points x on the lines through real and made images (Gulrajani et al. 2017,
 * eq. 3); where on them is an input, so that both sides take the same */
static lw_value gradient_penalty(bench *b, lw_graph *g, lw_value real, lw_value fake)
{
    lw_value share = bench_input(b, g, "share", LW_SHAPE(lw_dim(g, real, 0), 1, 1, 1), 0.5), gradient;
    lw_value between = lw_add(g, real, lw_mul(g, share, lw_sub(g, fake, real)));
    lw_value score = lw_discriminate(g, b->model, between, .training = true, .trainable = true);
    bench_must(lw_gradient(g, score, (lw_value){0}, &between, 1, &gradient));
    lw_value squared = lw_sum(g, lw_square(g, gradient), LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3), false);
    lw_value away = lw_affine(g, lw_sqrt(g, lw_affine(g, squared, 1, 1e-12)), 1, -1);
    return lw_affine(g, mean(g, lw_square(g, away)), 10, 0);
}

static void build_wasserstein(bench *b, int n, double drift, const lw_adam_options *adam)
{
    lw_store *sg = lw_model_store(b->model, LW_PART_GENERATOR),
             *sd = lw_model_store(b->model, LW_PART_DISCRIMINATOR);
    lw_graph *g = lw_graph_create();
    lw_value z = bench_input(b, g, "z", LW_SHAPE(n, 512), 1);
    lw_value real = bench_input(b, g, "real", LW_SHAPE(n, 3, 64, 64), 1);
    lw_value fake = lw_stop_gradient(g, lw_generate(g, b->model, z, .training = true));
    lw_value on_real = lw_discriminate(g, b->model, real, .training = true, .trainable = true);
    lw_value on_fake = lw_discriminate(g, b->model, fake, .training = true, .trainable = true);
    lw_value loss = lw_sub(g, mean(g, on_fake), mean(g, on_real));
    loss = lw_add(g, loss, lw_affine(g, mean(g, lw_square(g, on_real)), drift, 0));
    lw_value penalty = gradient_penalty(b, g, real, fake);
    bench_output(b, g, "critic loss", loss);
    bench_output(b, g, "gradient penalty", penalty);
    bench_must(lw_adam_with(g, lw_add(g, loss, penalty), sd, b->state[0], adam));
    bench_compile(b, g);

    g = lw_graph_create();
    z = bench_input(b, g, "z", LW_SHAPE(n, 512), 1);
    fake = lw_generate(g, b->model, z, .training = true, .trainable = true);
    loss = lw_neg(g, mean(g, lw_discriminate(g, b->model, fake, .training = true)));
    bench_output(b, g, "generator loss", loss);
    bench_must(lw_adam_with(g, loss, sg, b->state[1], adam));
    bench_compile(b, g);
}

/* --- StyleGAN2 ------------------------------------------------------------------------------ */

/* gamma / 2 mean |d D(real) / d real|^2 (Mescheder et al. 2018), gamma 10 (StyleGAN2's config-f at 256) */
static lw_value r1(lw_graph *g, lw_value score, lw_value real)
{
    lw_value gradient;
    bench_must(lw_gradient(g, score, (lw_value){0}, &real, 1, &gradient));
    lw_value norm = lw_sum(g, lw_square(g, gradient), LW_AXIS(1) | LW_AXIS(2) | LW_AXIS(3), false);
    return lw_affine(g, mean(g, norm), 5, 0);
}

/* 2 mean (|J^T y| - a)^2 over n/2 latents (Karras et al. 2020, equation 4; stylegan2-ada-pytorch, loss.py):
 * a, the running mean of lengths, is that after the first step from 0: 0.01 of their mean. */
static lw_value path_length(bench *b, lw_graph *g, lw_value z, int n)
{
    int64_t layers = lw_model_dim(b->model, "num_ws"), w_dim = lw_model_dim(b->model, "w_dim");
    lw_value w = lw_map(g, b->model, lw_slice(g, z, 0, 0, n / 2, 1), .trainable = true), dw;
    w = lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(n / 2, 1, w_dim)), LW_SHAPE(n / 2, layers, w_dim));
    lw_value image = lw_synthesize(g, b->model, w, .trainable = true);
    lw_value y = bench_input(b, g, "y", LW_SHAPE(n / 2, 3, 64, 64), 1.0 / 64);
    bench_must(lw_gradient(g, image, y, &w, 1, &dw));
    lw_value length =
        lw_sqrt(g, lw_mean(g, lw_sum(g, lw_square(g, dw), LW_AXIS(2), false), LW_AXIS(1), false));
    lw_value a = lw_affine(g, lw_stop_gradient(g, mean(g, length)), 0.01, 0);
    return lw_affine(g, mean(g, lw_square(g, lw_sub(g, length, a))), 2, 0);
}

/* Not `.training`: noise is the stored one, so that losses can be compared. */
static void build_stylegan2(bench *b, int n)
{
    lw_store *sg = lw_model_store(b->model, LW_PART_GENERATOR),
             *sd = lw_model_store(b->model, LW_PART_DISCRIMINATOR);
    lw_graph *g = lw_graph_create();
    lw_value z = bench_input(b, g, "z", LW_SHAPE(n, 512), 1);
    lw_value real = bench_input(b, g, "real", LW_SHAPE(n, 3, 64, 64), 1);
    lw_value fake = lw_stop_gradient(g, lw_generate(g, b->model, z));
    lw_value on_real = lw_discriminate(g, b->model, real, .trainable = true);
    lw_value on_fake = lw_discriminate(g, b->model, fake, .trainable = true);
    lw_value loss = lw_add(g, cross_entropy(g, on_real, -1), cross_entropy(g, on_fake, 1));
    lw_value penalty = r1(g, on_real, real);
    bench_output(b, g, "discriminator loss", loss);
    bench_output(b, g, "R1", penalty);
    bench_must(lw_adam(g, lw_add(g, loss, penalty), sd, b->state[0], .learning_rate = 2e-3f, .beta2 = 0.99f));
    bench_compile(b, g);

    g = lw_graph_create();
    z = bench_input(b, g, "z", LW_SHAPE(n, 512), 1);
    fake = lw_generate(g, b->model, z, .trainable = true);
    loss = cross_entropy(g, lw_discriminate(g, b->model, fake), -1);
    penalty = path_length(b, g, z, n);
    bench_output(b, g, "generator loss", loss);
    bench_output(b, g, "path length", penalty);
    bench_must(lw_adam(g, lw_add(g, loss, penalty), sg, b->state[1], .learning_rate = 2e-3f, .beta2 = 0.99f));
    bench_compile(b, g);
}

/* --- loops that change no model ----------------------------------------------------------------- */

/* Weights made from here to lw_scope_pop are the loop's own. */
static void push_weights(bench *b, lw_graph *g, const char *name)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "bench",
                                 .model = name,
                                 .prefix = "",
                                 .store = b->weights,
                                 .seed = 1,
                                 .create = true});
}

static void descend(bench *b, lw_graph *g, lw_value loss, float rate)
{
    bench_output(b, g, "loss", loss);
    bench_must(lw_adam(g, loss, b->weights, b->state[0], .learning_rate = rate, .beta1 = 0.9f));
    bench_compile(b, g);
}

/* --- TrajectoryNet -------------------------------------------------------------------------- */

/* x [N, in] -> [N, out], initialised as torch.nn.Linear. */
static lw_value linear(lw_graph *g, lw_value x, int64_t out, int number)
{
    int64_t in = lw_dim(g, x, 1);
    lw_init init = lw_init_uniform(-1 / sqrt((double)in), 1 / sqrt((double)in));
    lw_value weight = lw_weight(g, LW_SHAPE(out, in), init, "fc.%d.weight", number);
    return lw_linear(g, x, weight, lw_weight(g, LW_SHAPE(out), init, "fc.%d.bias", number));
}

/* Minus the mean probability, a tenth of the mean squared step, minus a twentieth of the mean squared
 * difference of pairs of images: the method's defaults, as its losses compute them. */
static void build_trajectory(bench *b, int n)
{
    enum { POINTS = 10, Z = 100 };
    lw_graph *g = lw_graph_create();
    lw_value z = bench_input(b, g, "z", LW_SHAPE(n, Z), 1);
    push_weights(b, g, "trajectory");
    lw_value walk = linear(g, lw_relu(g, linear(g, z, 256, 0)), POINTS * Z, 2);
    lw_scope_pop(g);
    walk = lw_reshape(g, walk, LW_SHAPE(n, POINTS, Z));
    lw_value images = lw_generate(g, b->model, lw_merge(g, walk, 0, 1));
    lw_value real = mean(g, lw_sigmoid(g, lw_discriminate(g, b->model, images)));
    lw_value step = lw_sub(g, lw_slice(g, walk, 1, 1, POINTS - 1, 1), lw_slice(g, walk, 1, 0, POINTS - 1, 1));
    lw_value strip = lw_split(g, images, 0, n);
    lw_value spread = mean(g, lw_square(g, lw_sub(g, strip, lw_mean(g, strip, LW_AXIS(1), true))));
    lw_value loss = lw_affine(g, mean(g, lw_square(g, step)), 0.1, 0);
    loss = lw_sub(g, lw_sub(g, loss, real), lw_affine(g, spread, 0.05 * 2 * POINTS / (POINTS - 1), 0));
    descend(b, g, loss, 1e-3f);
}

/* --- latent optimisation -------------------------------------------------------------------- */

static lw_value features(bench *b, lw_graph *g, lw_value images)
{
    lw_discriminate(g, b->model, images);
    return lw_tap_value(g, "dcgan-64.discriminator/features");
}

static void build_optimise(bench *b, int n)
{
    lw_graph *g = lw_graph_create();
    lw_value target = bench_input(b, g, "target", LW_SHAPE(n, 3, 64, 64), 0.5);
    lw_value wanted = bench_input(b, g, "target features", LW_SHAPE(n, 8192), 0.5);
    push_weights(b, g, "latents");
    lw_value z = lw_weight(g, LW_SHAPE(n, 100), lw_init_normal(0, 1), "z");
    lw_scope_pop(g);
    lw_value images = lw_generate(g, b->model, z);
    lw_value norm = lw_sqrt(g, lw_sum(g, lw_square(g, z), LW_AXIS(1), false));
    lw_value loss =
        lw_add(g, l1(g, features(b, g, images), wanted), lw_affine(g, l1(g, images, target), 10, 0));
    loss = lw_add(g, loss, mean(g, lw_square(g, lw_affine(g, norm, 1, -10)))); /* sqrt(100) = 10 */
    descend(b, g, loss, 0.1f);
}

/* --- DP-LaSE ---------------------------------------------------------------------------------- */

/* The method at its defaults, with inputs for what it draws; the n-th latent tries directions 2n and 2n + 1
 * modulo 20. */
static void build_dp_lase(bench *b, int n)
{
    const lase l = {.model = b->model,
                    .tap = "block2",
                    .preserve = LASE_LEARNED,
                    .count = 20,
                    .size = 100,
                    .batch = n,
                    .drawn = 2,
                    .correction = 256,
                    .f = {.width = 64, .increment = 0.01},
                    .range = 10,
                    .nu = 0.01,
                    .lambda = 0.001,
                    .zeta = 10};
    lw_graph *g = lw_graph_create();
    lw_value latent = bench_input(b, g, "latent", LW_SHAPE(n, l.size), 1),
             stride = bench_input(b, g, "stride", LW_SHAPE(n, 1), l.range / 2),
             drawn = bench_input(b, g, "drawn", LW_SHAPE(n, l.drawn), 1);
    float *numbers = b->input[b->inputs - 1].tensor->data;
    for (int64_t i = 0; i < n * l.drawn; i++)
        numbers[i] = (float)(i % l.count);
    push_weights(b, g, "dp-lase");
    lase_losses losses = lase_build(g, &l, latent, stride, drawn, (lw_value){0});
    lw_scope_pop(g);
    bench_output(b, g, "variation", losses.variation);
    bench_output(b, g, "orthogonality", losses.orthogonality);
    bench_output(b, g, "monotone", losses.monotone);
    bench_output(b, g, "likelihood", losses.likelihood);
    bench_output(b, g, "density", losses.density);
    descend(b, g, losses.total, 1e-4f);
}

bool bench_build_training(bench *b, const char *name)
{
    int n;
    b->checks = 3;
    if (strcmp(name, "train/dcgan-64") == 0 && bench_open_model(b, "dcgan-64"))
        return build_dcgan(b, 64), true;
    if (strcmp(name, "train/wgan-gp-64") == 0 && bench_open_model(b, "wgan-gp-64"))
        return build_wasserstein(b, 32, 0,
                                 LW_OPTIONS(lw_adam_options, .learning_rate = 1e-4f, .beta2 = 0.9f)),
               true;
    if (strcmp(name, "train/pggan-64") == 0 && bench_open_model(b, "pggan-64"))
        return build_wasserstein(b, 32, 1e-3,
                                 LW_OPTIONS(lw_adam_options, .learning_rate = 1e-3f, .beta2 = 0.99f)),
               true;
    if (strcmp(name, "train/stylegan2-64") == 0 && bench_open_model(b, "stylegan2-64")) {
        b->checks = 2;
        return build_stylegan2(b, 4), true;
    }
    if (sscanf(name, "trajectory/%d", &n) == 1 && bench_open_model(b, "dcgan-64"))
        return build_trajectory(b, n), true;
    if (sscanf(name, "optimise/%d", &n) == 1 && bench_open_model(b, "dcgan-64"))
        return build_optimise(b, n), true;
    if (sscanf(name, "dp-lase/%d", &n) == 1 && bench_open_model(b, "dcgan-64"))
        return build_dp_lase(b, n), true;
    return false;
}
