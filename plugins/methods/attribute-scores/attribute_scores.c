/* attribute_scores.c — what a network says of the images of latents. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that makes the images."},
    {"network", LW_PARAM_MODEL, .choices = network_needs, .doc = "The model whose network judges them."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Images made and judged at a time."},
};
static const lw_port inputs[] = {
    {"latents", "latent[N, \xe2\x80\xa6]", .doc = "z, w or w+."},
};
static const lw_port outputs[] = {
    {"scores", "scores[N, K]", .doc = "The network's outputs for the image of each latent."},
};

/* latents [batch, ..] -> scores [batch, K] */
static lw_program *compile(lw_step *step, lw_shape latents, int64_t *columns)
{
    lw_model *model = lw_step_model(step, "model");
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    const bool z = strcmp(lw_step_input_space(step, "latents", 0), "z") == 0;
    lw_value x = lw_input(g, "latents", latents);
    lw_value image = z ? lw_generate(g, model, x) : lw_synthesize(g, model, x);
    lw_value scores = lw_apply(g, lw_step_model(step, "network"), image);
    scores = lw_reshape(g, scores, LW_SHAPE(latents.dim[0], -1));
    *columns = lw_dim(g, scores, 1);
    lw_output(g, "scores", scores);
    lw_program *program = lw_step_compile(step, g, "scores");
    lw_graph_destroy(g);
    return program;
}

/* Batches lie side by side, but the last one, which ends where the latents do. */
static lw_status judge_batch(lw_program *program, const lw_tensor *latents, int64_t batch, int64_t i,
                             lw_tensor *scores)
{
    const int64_t count = latents->shape.dim[0], row = lw_shape_count(latents->shape) / count;
    const int64_t columns = scores->shape.dim[1], first = (i + 1) * batch > count ? count - batch : i * batch;
    LW_TRY(lw_program_write(program, "latents", latents->data + first * row, (size_t)(batch * row)));
    LW_TRY(lw_program_run(program));
    return lw_program_read(program, "scores", scores->data + first * columns, (size_t)(batch * columns));
}

/* Checkpoints do not keep scores: a resumed run judges again what came before. */
static lw_status judge(lw_step *step, lw_program *program, const lw_tensor *latents, int64_t batch,
                       lw_tensor *scores)
{
    const int64_t batches = (latents->shape.dim[0] + batch - 1) / batch;
    int64_t done = 0;
    for (int64_t i; lw_next(step, batches, &i);)
        for (; done <= i; done++)
            LW_TRY(judge_batch(program, latents, batch, done, scores));
    return lw_step_finish(step);
}

static lw_status run(lw_step *step)
{
    const lw_tensor *latents = lw_step_input(step, "latents", 0);
    int64_t batch = lw_int(lw_step_args(step), "batch"), columns;
    lw_shape shape = latents->shape;
    batch = batch < shape.dim[0] ? batch : shape.dim[0];
    shape.dim[0] = batch;
    lw_program *program = compile(step, shape, &columns);
    lw_tensor *scores = program ? lw_tensor_create(LW_SHAPE(latents->shape.dim[0], columns)) : NULL;
    lw_status status = scores ? judge(step, program, latents, batch, scores) : lw_error_status();
    if (status == LW_OK)
        return lw_step_output(step, "scores", scores);
    lw_tensor_destroy(scores);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "attribute-scores", "1.0.0", "What a network says of the images of many latents",
          .source =
              "the scores that InterFaceGAN's boundaries are trained on (genforce/interfacegan 8da3fc0f, "
              "generate_data.py, with the predictor of one's own)",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
