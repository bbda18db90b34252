/* bench_models.c — the DCGAN-64 cases of script/bench, driven line by line so that a peer can be timed in
 * between.
 *
 * bench_models PLUGIN_DIR [FOLDER], then on standard input (with FOLDER, the profile of it all is written
 * there): save FILE      writes the model's weights images FILE    writes the images of 64 latents to
 * FILE.images.npy, the latents to FILE.z.npy forward        64 images from latents;   gradient  the same, and
 * the gradient to z of their sum step           one training step of batch 64: a discriminator update and a
 * generator update The timed ones answer with seconds. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/model.h"
#include "plugin/args.h"
#include "plugin/registry.h"
#include "profile.h"
#include "runtime/profile.h"

enum { BATCH = 64 };

typedef struct bench {
    lw_device *device;
    lw_model *model;
    lw_store *adam_g, *adam_d;
    lw_program *forward, *gradient, *discriminator, *generator;
} bench;

static void die(void)
{
    fprintf(stderr, "bench_models: %s\n", lw_error_text());
    exit(1);
}

static void add_part(bench *b, lwi_registry *registry, lw_part part, const char *id)
{
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin ||
        lwi_model_set_part(b->model, part, plugin, lwi_args_create(plugin), NULL, NULL, 1) != LW_OK)
        die();
}

static lw_program *compile(bench *b, lw_graph *g)
{
    lw_program *program = lw_compile(g, b->device);
    if (!program)
        die();
    lw_graph_destroy(g);
    return program;
}

static lw_program *compile_forward(bench *b, bool gradient)
{
    lw_graph *g = lw_graph_create();
    lw_value z = lw_input(g, "z", LW_SHAPE(BATCH, 100)), dz;
    lw_value image = lw_generate(g, b->model, z);
    lw_output(g, "image", image);
    if (gradient && lw_gradient(g, image, (lw_value){0}, &z, 1, &dz) == LW_OK)
        lw_output(g, "dz", dz);
    return compile(b, g);
}

/* mean softplus(sign * score): binary cross-entropy */
static lw_value cross_entropy(lw_graph *g, lw_value score, double sign)
{
    return lw_mean(g, lw_softplus(g, lw_affine(g, score, sign, 0)), LW_ALL_AXES, false);
}

static lw_program *compile_discriminator(bench *b)
{
    lw_graph *g = lw_graph_create();
    lw_value z = lw_random_normal(g, LW_SHAPE(BATCH, 100), "z");
    lw_value fake = lw_stop_gradient(g, lw_generate(g, b->model, z, .training = true));
    lw_value real = lw_input(g, "real", LW_SHAPE(BATCH, 3, 64, 64));
    lw_value on_real = lw_discriminate(g, b->model, real, .training = true, .trainable = true);
    lw_value on_fake = lw_discriminate(g, b->model, fake, .training = true, .trainable = true);
    lw_value loss = lw_add(g, cross_entropy(g, on_real, -1), cross_entropy(g, on_fake, 1));
    lw_output(g, "loss", loss);
    lw_adam(g, loss, lw_model_store(b->model, LW_PART_DISCRIMINATOR), b->adam_d, .learning_rate = 2e-4f,
            .beta1 = 0.5f);
    return compile(b, g);
}

static lw_program *compile_generator(bench *b)
{
    lw_graph *g = lw_graph_create();
    lw_value z = lw_random_normal(g, LW_SHAPE(BATCH, 100), "z");
    lw_value fake = lw_generate(g, b->model, z, .training = true, .trainable = true);
    lw_value loss = cross_entropy(g, lw_discriminate(g, b->model, fake, .training = true), -1);
    lw_output(g, "loss", loss);
    lw_adam(g, loss, lw_model_store(b->model, LW_PART_GENERATOR), b->adam_g, .learning_rate = 2e-4f,
            .beta1 = 0.5f);
    return compile(b, g);
}

static void write_input(lw_program *program, const char *name, lw_shape shape)
{
    lw_tensor *tensor = lw_tensor_create(shape);
    size_t count = (size_t)lw_shape_count(shape);
    lw_normal((lw_stream){.seed = 1}, 0, count, tensor->data);
    if (lw_program_write(program, name, tensor->data, count) != LW_OK)
        die();
    lw_tensor_destroy(tensor);
}

static double timed(bench *b, const char *what)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    lw_status status = LW_OK;
    if (strcmp(what, "step") == 0) {
        static uint64_t step;
        lw_program_seed(b->discriminator, 1, step);
        lw_program_seed(b->generator, 1, step++);
        status = lw_program_run(b->discriminator);
        if (status == LW_OK)
            status = lw_program_run(b->generator);
    } else {
        status = lw_program_run(strcmp(what, "gradient") == 0 ? b->gradient : b->forward);
    }
    if (status != LW_OK || lw_device_finish(b->device) != LW_OK)
        die();
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
}

static void save_images(bench *b, const char *stem)
{
    char path[1024];
    lw_tensor *z = lw_tensor_create(LW_SHAPE(BATCH, 100));
    lw_normal((lw_stream){.seed = 1}, 0, BATCH * 100, z->data);
    lw_tensor *images = NULL;
    snprintf(path, sizeof path, "%s.z.npy", stem);
    if (lw_npy_save(z, path) != LW_OK ||
        lw_model_images(b->model, b->device, "z", z, BATCH, &images, NULL) != LW_OK)
        die();
    snprintf(path, sizeof path, "%s.images.npy", stem);
    if (lw_npy_save(images, path) != LW_OK)
        die();
    lw_tensor_destroy(images);
    lw_tensor_destroy(z);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: bench_models PLUGIN_DIR [FOLDER]\n"), 2;
    bench b = {.device = lw_device_open("cpu", "native"),
               .model = lwi_model_create("dcgan"),
               .adam_g = lw_store_create(),
               .adam_d = lw_store_create()};
    lwi_registry *registry = lwi_registry_create();
    if (!b.device || !b.model || lwi_registry_scan(registry, argv[1]) != LW_OK)
        die();
    if (argc == 3 && lwi_profile_start(b.device) != LW_OK)
        die();
    add_part(&b, registry, LW_PART_GENERATOR, "generator/dcgan");
    add_part(&b, registry, LW_PART_DISCRIMINATOR, "discriminator/dcgan");
    b.forward = compile_forward(&b, false);
    b.gradient = compile_forward(&b, true);
    b.discriminator = compile_discriminator(&b);
    b.generator = compile_generator(&b);
    write_input(b.forward, "z", LW_SHAPE(BATCH, 100));
    write_input(b.gradient, "z", LW_SHAPE(BATCH, 100));
    write_input(b.discriminator, "real", LW_SHAPE(BATCH, 3, 64, 64));
    char section[32] = "", line[1024], what[32], file[900];
    while (fgets(line, sizeof line, stdin)) {
        int words = sscanf(line, "%31s %899s", what, file);
        if (words == 2 && strcmp(what, "save") == 0) {
            if (lw_model_save(b.model, file, LW_STORE_F32) != LW_OK)
                die();
            printf("saved\n");
        } else if (words == 2 && strcmp(what, "images") == 0) {
            save_images(&b, file);
            printf("saved\n");
        } else {
            if (argc == 3 && strcmp(section, what) != 0 && lwi_profile_begin(b.device, what) != LW_OK)
                die();
            snprintf(section, sizeof section, "%s", what);
            printf("%.9f\n", timed(&b, what));
        }
        fflush(stdout);
    }
    if (argc == 3 && lwh_profile_write(b.device, &(lwh_options){0}, argv[2]) != LW_OK)
        die();
    return 0;
}
