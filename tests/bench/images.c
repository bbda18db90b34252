/* images.c — generators in script/bench: images, gradients to latents, Jacobians.
 *
 *   forward/MODEL/N       images of N latents, read back
 *   gradient-z/MODEL/N    the same, and the gradient of their sum to z;   gradient-w/…  of synthesis alone,
 * to w jacobian/N            of StyleGAN2's mapping network at N latents: [N, w_dim, z_dim] */
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <latentwalk/linalg.h>

#include "model/model.h"
#include "plugin/args.h"

/* --- models --------------------------------------------------------------------------------- */

typedef struct recipe {
    const char *name, *generator, *discriminator;
    const char *generator_with[5], *discriminator_with[5]; /* parameters: name, value, …, NULL */
} recipe;

#define WIDTHS(...)                    \
    {                                  \
        "widths", "[" #__VA_ARGS__ "]" \
    }

/* wgan-gp-64 and pggan-64: pipelines/train-wgan-gp.yaml, train-pggan.yaml. StyleGAN2: channel_base 16384 up
 * to 512 (configuration paper256's), 32768 at 1024 (config-f). */
static const recipe recipes[] = {
    {"dcgan-64", "generator/dcgan", "discriminator/dcgan"},
    {"wgan-gp-64",
     "generator/dcgan",
     "discriminator/dcgan",
     {"z_dim", "512", "output", "none"},
     {"width", "32"}},
    {"pggan-64",
     "generator/pggan",
     "discriminator/pggan",
     WIDTHS(128, 128, 64, 32, 16),
     {"widths", "[128, 128, 64, 32, 16]", "features", "128"}},
    {"pggan-256", "generator/pggan", NULL, WIDTHS(512, 512, 512, 512, 256, 128, 64)},
    {"biggan-128", "generator/biggan", NULL},
    {"stylegan2-64", "generator/stylegan2", "discriminator/stylegan2", WIDTHS(512, 512, 512, 512, 256),
     WIDTHS(512, 512, 512, 512, 256)},
    {"stylegan2-128", "generator/stylegan2", NULL, WIDTHS(512, 512, 512, 512, 256, 128)},
    {"stylegan2-256", "generator/stylegan2", NULL, WIDTHS(512, 512, 512, 512, 256, 128, 64)},
    {"stylegan2-512", "generator/stylegan2", NULL, WIDTHS(512, 512, 512, 512, 256, 128, 64, 32)},
    {"stylegan2-1024", "generator/stylegan2", NULL},
};

static void add_part(bench *b, lw_part part, const char *id, const char *const *with)
{
    const lw_plugin *plugin = lwi_registry_load(b->registry, id);
    bench_must(plugin ? LW_OK : lw_error_status());
    lw_args *args = lwi_args_create(plugin);
    for (; *with; with += 2)
        bench_must(lwi_args_set_text(args, with[0], with[1], true));
    bench_must(lwi_model_set_part(b->model, part, plugin, args, NULL, NULL, 1));
}

/* Adds a tenth of a normal number to tensors that were made constant; variances stay positive. */
static void move_constants(lw_store *store)
{
    for (size_t i = 0; store && i < lw_store_count(store); i++) {
        const char *name = lw_store_name(store, i);
        lw_tensor *t = lw_tensor_copy(lw_store_get(store, name));
        size_t count = (size_t)lw_shape_count(t->shape), same = 1;
        while (same < count && t->data[same] == t->data[0])
            same++;
        float *noise = malloc(count * sizeof *noise), first = t->data[0];
        if (!noise)
            abort();
        lw_normal((lw_stream){.seed = 3, .purpose = lw_purpose(name)}, 0, count, noise);
        for (size_t k = 0; same == count && k < count; k++)
            t->data[k] = first + 0.1f * (strstr(name, "var") ? fabsf(noise[k]) : noise[k]);
        bench_must(lw_store_set(store, name, t->shape, t->data));
        free(noise);
        lw_tensor_destroy(t);
    }
}

bool bench_open_model(bench *b, const char *name)
{
    const recipe *r = recipes, *end = recipes + sizeof recipes / sizeof *recipes;
    while (r < end && strcmp(r->name, name) != 0)
        r++;
    if (r == end)
        return false;
    b->model = lwi_model_create(name);
    bench_must(b->model ? LW_OK : lw_error_status());
    add_part(b, LW_PART_GENERATOR, r->generator, r->generator_with);
    if (r->discriminator)
        add_part(b, LW_PART_DISCRIMINATOR, r->discriminator, r->discriminator_with);
    move_constants(lw_model_store(b->model, LW_PART_GENERATOR));
    move_constants(lw_model_store(b->model, LW_PART_DISCRIMINATOR));
    return true;
}

/* --- cases ---------------------------------------------------------------------------------- */

enum { RANK = 512 }; /* of the mapping network: z and w have this size */

/* The singular vectors of values above 0.05, the bound below which the paper uses none; the values, less it,
 * are compared. */
static void decompose(bench *b)
{
    enum { MOST = 64 };
    static float *left, *right;
    static int64_t rank[MOST];
    const lw_tensor *jacobian = b->output[0].tensor;
    float *values = b->output[1].tensor->data;
    int64_t n = jacobian->shape.dim[0];
    size_t count = (size_t)lw_shape_count(jacobian->shape);
    if (n > MOST ||
        (!left && (!(left = malloc(count * sizeof *left)) || !(right = malloc(count * sizeof *right)))))
        abort();
    bench_must(lw_svd_above(n, RANK, RANK, jacobian->data, 0.05f, rank, left, values, right));
    for (int64_t i = 0; i < n * RANK; i++)
        values[i] = fmaxf(values[i] - 0.05f, 0);
}

static void build_jacobian(bench *b, int n)
{
    lw_graph *g = lw_graph_create();
    lw_value z = bench_input(b, g, "z", LW_SHAPE(n, RANK), 1);
    bench_output(b, g, "jacobian", lw_jacobian(g, lw_map(g, b->model, z), z));
    bench_compile(b, g);
    bench_host_output(b, "values", LW_SHAPE(n, RANK));
    b->reads = true;
    b->after = decompose;
}

static void build_image(bench *b, const char *what, int n)
{
    lw_graph *g = lw_graph_create();
    bool from_w = strcmp(what, "gradient-w") == 0;
    lw_value latent = bench_input(b, g, from_w ? "w" : "z",
                                  LW_SHAPE(n, lw_model_dim(b->model, from_w ? "w_dim" : "z_dim")), 1);
    lw_value image = from_w ? lw_synthesize(g, b->model, latent) : lw_generate(g, b->model, latent);
    bench_output(b, g, "image", image);
    if (strcmp(what, "forward") != 0) {
        lw_value gradient;
        bench_must(lw_gradient(g, image, (lw_value){0}, &latent, 1, &gradient));
        bench_output(b, g, "gradient", gradient);
    }
    bench_compile(b, g);
    b->reads = true;
}

bool bench_build_image(bench *b, const char *name)
{
    char what[16], model[32];
    int n;
    if (sscanf(name, "jacobian/%d", &n) == 1) {
        bench_open_model(b, "stylegan2-64"); /* its mapping network is that of all sizes */
        build_jacobian(b, n);
        return true;
    }
    if (sscanf(name, "%15[^/]/%31[^/]/%d", what, model, &n) != 3 ||
        (strcmp(what, "forward") != 0 && strcmp(what, "gradient-z") != 0 &&
         strcmp(what, "gradient-w") != 0) ||
        !bench_open_model(b, model))
        return false;
    build_image(b, what, n);
    return true;
}
