/* generated_images.c — pictures that a model makes of random latents, labelled with these: what an encoder is
 * trained on. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <string.h>

enum { NAME = 24 };

static const char *const needs[] = {"synthesize", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that makes the pictures."},
    {"count", LW_PARAM_INT, "images", "10000", 1, 16777216, NULL, "How many are made."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures made at a time."},
};
static const lw_port outputs[] = {
    {"dataset", "dataset[N, channels, height, width]",
     .doc = "The pictures in 8 bits, labelled `z0`, `z1` … with the elements of their latents."},
};

/* The latents [count, width] as labels, and their names. */
static lw_status label(lw_dataset *dataset, const lw_tensor *z)
{
    const size_t width = (size_t)z->shape.dim[1];
    char *texts = lw_alloc(width, NAME);
    const char **names = lw_alloc(width, sizeof *names);
    lw_status status = texts && names ? LW_OK : LW_MEMORY;
    for (size_t i = 0; status == LW_OK && i < width; i++) {
        snprintf(texts + i * NAME, NAME, "z%zu", i);
        names[i] = texts + i * NAME;
    }
    if (status == LW_OK)
        status = lw_dataset_set_labels(dataset, names, width, z->data);
    lw_free(texts);
    lw_free(names);
    return status;
}

/* Pictures first … of the latents [batch, width] of these rows. */
static lw_status make(lw_step *step, lw_dataset *dataset, lw_tensor *latents, int64_t first)
{
    lw_tensor *images = NULL;
    LW_TRY(lw_model_images(lw_step_model(step, "model"), lw_step_device(step), "z", latents,
                           latents->shape.dim[0], &images, NULL));
    const lw_shape shape = images->shape;
    const int64_t pixels = lw_shape_count(shape) / shape.dim[0];
    lw_status status = LW_OK;
    for (int64_t k = 0; status == LW_OK && k < shape.dim[0]; k++) {
        char name[NAME];
        const lw_tensor one = {LW_SHAPE(shape.dim[1], shape.dim[2], shape.dim[3]), images->data + k * pixels};
        snprintf(name, sizeof name, "%08lld", (long long)(first + k));
        status = lw_dataset_set(dataset, (size_t)(first + k), name, &one);
    }
    lw_tensor_destroy(images);
    return status;
}

static lw_status make_all(lw_step *step, lw_dataset *dataset, const lw_tensor *z)
{
    const int64_t count = z->shape.dim[0], width = z->shape.dim[1],
                  wanted = lw_int(lw_step_args(step), "batch"), batch = wanted < count ? wanted : count;
    lw_tensor *latents = lw_tensor_create(LW_SHAPE(batch, width));
    lw_status status = latents ? LW_OK : LW_MEMORY;
    for (int64_t i; status == LW_OK && lw_next_again(step, (count + batch - 1) / batch, &i);) {
        const int64_t first = lw_batch_first(i, batch, count);
        memcpy(latents->data, z->data + first * width, (size_t)(batch * width) * sizeof *z->data);
        status = make(step, dataset, latents, first);
    }
    lw_tensor_destroy(latents);
    return status != LW_OK ? status : lw_step_finish(step);
}

static lw_status run(lw_step *step)
{
    lw_model *model = lw_step_model(step, "model");
    const int64_t count = lw_int(lw_step_args(step), "count");
    lw_tensor *z = lw_tensor_create(LW_SHAPE(count, lw_model_dim(model, "z_dim")));
    lw_dataset *dataset = z ? lw_dataset_create((size_t)count, lw_model_dim(model, "channels"),
                                                lw_model_dim(model, "height"), lw_model_dim(model, "width"))
                            : NULL;
    lw_status status = dataset ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        lw_normal((lw_stream){.seed = lw_step_seed(step), .purpose = lw_purpose("latents")}, 0,
                  (size_t)lw_shape_count(z->shape), z->data);
        status = make_all(step, dataset, z);
    }
    if (status == LW_OK)
        status = label(dataset, z);
    lw_tensor_destroy(z);
    if (status == LW_OK)
        return lw_step_output_dataset(step, "dataset", dataset);
    lw_dataset_destroy(dataset);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    SOURCE, "generated-images", "1.0.0", "Pictures of random latents, labelled with them",
    .source = "what encoders are trained on (Bau et al. 2019, Seeing What a GAN Cannot Generate, section 4)",
    LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
