/* mapping.c — latents of Z mapped into W, where directions are found and walks are taken. */
#include <latentwalk/latentwalk.h>

#include <string.h>

enum { BATCH = 256 };

static const char *const needs[] = {"map", NULL};
static const char *const spaces[] = {"w", "w+", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose latents they are."},
    {"space", LW_PARAM_CHOICE, NULL, "w", .choices = spaces,
     .doc = "One w for all layers, or w+: the same w once for each layer."},
};
static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Latents as they are drawn."},
};
static const lw_port outputs[] = {
    {"latents", "latent[N, \xe2\x80\xa6]", .doc = "What they are mapped to, not truncated."},
};

/* z [batch, z_dim] -> latents [batch, layers w_dim] */
static lw_program *compile(lw_step *step, lw_model *model, int64_t batch, int64_t layers)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    const int64_t size = lw_model_dim(model, "w_dim");
    lw_value w = lw_map(g, model, lw_input(g, "z", LW_SHAPE(batch, lw_model_dim(model, "z_dim"))));
    w = lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(batch, 1, size)), LW_SHAPE(batch, layers, size));
    lw_output(g, "latents", w);
    return lw_step_compile(step, g, "map");
}

static lw_status map_all(lw_program *program, const lw_tensor *z, int64_t batch, lw_tensor *out)
{
    const int64_t count = z->shape.dim[0], from = z->shape.dim[1], to = lw_shape_count(out->shape) / count;
    for (int64_t i = 0; i * batch < count; i++) {
        const int64_t first = lw_batch_first(i, batch, count);
        LW_TRY(lw_program_write(program, "z", z->data + first * from, (size_t)(batch * from)));
        LW_TRY(lw_program_run(program));
        LW_TRY(lw_program_read(program, "latents", out->data + first * to, (size_t)(batch * to)));
    }
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    lw_model *model = lw_step_model(step, "model");
    const lw_tensor *z = lw_step_input(step, "z", 0);
    const bool plus = strcmp(lw_text(lw_step_args(step), "space"), "w+") == 0;
    const int64_t count = z->shape.dim[0], batch = count < BATCH ? count : BATCH,
                  size = lw_model_dim(model, "w_dim"), layers = plus ? lw_model_dim(model, "num_ws") : 1;
    lw_program *program = compile(step, model, batch, layers);
    lw_tensor *out =
        program ? lw_tensor_create(plus ? LW_SHAPE(count, layers, size) : LW_SHAPE(count, size)) : NULL;
    lw_status status = out ? map_all(program, z, batch, out) : lw_error_status();
    if (status == LW_OK)
        return lw_step_output(step, "latents", out);
    lw_tensor_destroy(out);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "mapping", "1.0.0", "Latents of Z mapped into W",
          .source = "the generator's mapping network", LW_PARAMS(params), LW_INPUTS(inputs),
          LW_OUTPUTS(outputs), .functions = &functions);
