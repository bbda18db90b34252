/* encode.c — latents as a network guesses them from images: where an inversion may start. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"labels", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents are guessed."},
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc = "The model whose network guesses, with outputs labelled `z0=LOW..HIGH`, `z1=…` for all elements "
            "of z."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images looked at at a time."},
};
static const lw_port inputs[] = {
    {"images", "image[N, channels, height, width]", .doc = "Images of the model, or pictures like them."},
};
static const lw_port outputs[] = {
    {"z", "z[N, z_dim]", .doc = "A guess for each."},
};

/* The output for each element of z, and where it starts and how far it reaches. */
typedef struct element {
    int output;
    double low, range;
} element;

static element *find_elements(lw_model *network, int64_t count)
{
    element *elements = lw_alloc((size_t)count, sizeof *elements);
    for (int64_t i = 0; elements && i < count; i++) {
        char name[24];
        lw_label label;
        snprintf(name, sizeof name, "z%lld", (long long)i);
        const int output = lw_model_find_label(network, name);
        if (output < 0 || lw_model_label(network, output, &label) != LW_OK) {
            lw_free(elements);
            lw_wrap("the network must have an output for each of the %lld elements of z", (long long)count);
            return NULL;
        }
        elements[i] = (element){output, label.low, label.high - label.low};
    }
    return elements;
}

/* What the network's outputs [N, K] say of z [N, z_dim], in the labels' own units. */
static void read_latents(const lw_tensor *seen, const element *elements, lw_tensor *z)
{
    const int64_t size = z->shape.dim[1], columns = seen->shape.dim[1];
    for (int64_t n = 0; n < z->shape.dim[0]; n++)
        for (int64_t i = 0; i < size; i++) {
            const double share = (double)seen->data[n * columns + elements[i].output];
            z->data[n * size + i] = (float)(elements[i].low + elements[i].range * share);
        }
}

static lw_status run(lw_step *step)
{
    const lw_tensor *images = lw_step_input(step, "images", 0);
    lw_model *network = lw_step_model(step, "network");
    const int64_t size = lw_model_dim(lw_step_model(step, "model"), "z_dim");
    lw_tensor *seen = NULL, *z = NULL;
    element *elements = find_elements(network, size);
    if (elements)
        seen = lw_step_features(step, network, "output", NULL, "image", images,
                                lw_int(lw_step_args(step), "batch"));
    if (seen && (z = lw_tensor_create(LW_SHAPE(images->shape.dim[0], size))))
        read_latents(seen, elements, z);
    lw_free(elements);
    lw_tensor_destroy(seen);
    return z ? lw_step_output(step, "z", z) : lw_error_status();
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(
    METHOD, "encode", "1.0.0", "Latents as a trained network guesses them from images",
    .source =
        "Wen et al., Diamond in the rough (2021), section 4.2; Bau et al. 2019, Seeing What a GAN Cannot "
        "Generate, section 4",
    LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
