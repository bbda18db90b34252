/* latents.c — source/latents: starting points in Z: from the run's seed, from published seeds, from a file.
 */
#include "latentwalk/latentwalk.h"

#include <string.h>
#include <strings.h>

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose Z the latents are for."},
    {"count", LW_PARAM_INT, "latents", "16", 1, 16777216, NULL,
     "How many are drawn from the run's seed; with `file`, if given, how many of its first are taken."},
    {"seeds", LW_PARAM_INTS, NULL, "", 0, 4294967295.0, NULL,
     "One latent per seed, drawn as the official StyleGAN scripts do: "
     "numpy.random.RandomState(seed).randn(1, z_dim)."},
    {"file", LW_PARAM_PATH, NULL, "",
     .doc = "Latents from a .npy or .safetensors file: [N, z_dim], or [z_dim] for one."},
    {"tensor", LW_PARAM_STRING, NULL, "",
     .doc = "The tensor's name in a .safetensors `file`; not needed where it holds only one."},
};

static const lw_port outputs[] = {
    {"z", "z[N, z_dim]", .doc = "One latent per row."},
};

static lw_tensor *from_stream(lw_step *step, int64_t count, int64_t width)
{
    lw_tensor *z = lw_tensor_create(LW_SHAPE(count, width));
    if (z)
        lw_normal((lw_stream){.seed = lw_step_seed(step), .purpose = lw_purpose("latents")}, 0,
                  (size_t)(count * width), z->data);
    return z;
}

static lw_tensor *from_seeds(const lw_args *args, int64_t width)
{
    int count = lw_list_count(args, "seeds");
    lw_tensor *z = lw_tensor_create(LW_SHAPE(count, width));
    double *row = z ? lw_alloc((size_t)width, sizeof *row) : NULL;
    if (!row) {
        lw_tensor_destroy(z);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        lw_random_state state;
        lw_random_state_seed(&state, (uint32_t)lw_list_int(args, "seeds", i));
        lw_random_state_randn(&state, (size_t)width, row);
        for (int64_t d = 0; d < width; d++)
            z->data[i * width + d] = (float)row[d];
    }
    lw_free(row);
    return z;
}

static lw_tensor *load_stored(const char *path, const char *name)
{
    lw_store *store = lw_store_load(path);
    if (!store)
        return NULL;
    lw_tensor *copy = NULL;
    if (!name && lw_store_count(store) != 1) {
        lw_fail(LW_INVALID, "'%s' holds %zu tensors: name one with `tensor`", path, lw_store_count(store));
    } else {
        const lw_tensor *found = lw_store_get(store, name ? name : lw_store_name(store, 0));
        if (found)
            copy = lw_tensor_copy(found);
        else
            lw_fail(LW_NOT_FOUND, "'%s' holds no tensor '%s'", path, name);
    }
    lw_store_destroy(store);
    return copy;
}

/* [N, width], cut to the first `count` where that is not 0. */
static lw_tensor *from_file(const lw_args *args, int64_t width)
{
    const char *path = lw_text(args, "file"), *dot = strrchr(path, '.');
    bool numpy = dot && strcasecmp(dot, ".npy") == 0;
    if (!numpy && !(dot && strcasecmp(dot, ".safetensors") == 0)) {
        lw_fail(LW_INVALID, "file: '%s' is neither .npy nor .safetensors", path);
        return NULL;
    }
    lw_tensor *z = numpy ? lw_npy_load(path) : load_stored(path, lw_text(args, "tensor"));
    if (!z)
        return NULL;
    if (z->shape.rank == 1)
        z->shape = LW_SHAPE(1, z->shape.dim[0]);
    int64_t count = lw_is_given(args, "count") ? lw_int(args, "count") : 0;
    char text[LW_SHAPE_TEXT];
    lw_shape_text(z->shape, text);
    if (z->shape.rank != 2 || z->shape.dim[1] != width)
        lw_fail(LW_SHAPE, "'%s' is %s, but the model takes latents [N, %lld]", path, text, (long long)width);
    else if (count > z->shape.dim[0])
        lw_fail(LW_INVALID, "'%s' holds %lld latents, fewer than `count` asks for (%lld)", path,
                (long long)z->shape.dim[0], (long long)count);
    else {
        if (count)
            z->shape.dim[0] = count;
        return z;
    }
    lw_tensor_destroy(z);
    return NULL;
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    int64_t width = lw_model_dim(lw_step_model(step, "model"), "z_dim");
    bool seeds = lw_list_count(args, "seeds") > 0, file = lw_is_set(args, "file");
    if (seeds && (file || lw_is_given(args, "count")))
        return lw_fail(LW_INVALID,
                       "`seeds` says which latents and how many: it goes with neither `count` nor `file`");
    if (lw_is_set(args, "tensor") && !file)
        return lw_fail(LW_INVALID, "`tensor` names a part of `file`, which is not given");
    lw_tensor *z = seeds  ? from_seeds(args, width)
                   : file ? from_file(args, width)
                          : from_stream(step, lw_int(args, "count"), width);
    return z ? lw_step_output(step, "z", z) : lw_error_status();
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SOURCE, "latents", "1.0.0",
          "Latents drawn from the seed, from published StyleGAN seeds, or from a file",
          .source = "stylegan2-ada-pytorch generate.py (one latent per seed); Philox 4x32-10 otherwise",
          LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &runner);
