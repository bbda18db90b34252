/* variety.c — see variety.h. */
#include "variety.h"

#include <math.h>

/* z [batch, z_dim] -> output "scores" [2]: of the first image among the others, and among copies of itself */
static lw_program *compile(lw_step *step, lw_model *model, int64_t batch)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value images = lw_generate(g, model, lw_input(g, "z", LW_SHAPE(batch, lw_model_dim(model, "z_dim"))));
    lw_value copies = lw_broadcast(g, lw_slice(g, images, 0, 0, 1, 1), lw_shape_of(g, images));
    lw_value among_others = lw_slice(g, lw_discriminate(g, model, images), 0, 0, 1, 1);
    lw_value among_copies = lw_slice(g, lw_discriminate(g, model, copies), 0, 0, 1, 1);
    lw_output(g, "scores", lw_concat(g, (const lw_value[]){among_others, among_copies}, 2, 0));
    return lw_step_compile(step, g, "variety");
}

lw_status variety_is_seen(lw_step *step, lw_model *model, const float *z, int64_t batch, bool *seen)
{
    float score[2];
    lw_program *program = compile(step, model, batch);
    if (!program)
        return lw_error_status();
    LW_TRY(lw_program_write(program, "z", z, (size_t)(batch * lw_model_dim(model, "z_dim"))));
    LW_TRY(lw_program_run(program));
    LW_TRY(lw_program_read(program, "scores", score, 2));
    *seen = fabsf(score[0] - score[1]) > 1e-5f * (1 + fabsf(score[0])); /* more than rounding */
    return LW_OK;
}

void variety_note(lw_step *step, lw_model *model, const char *consequence)
{
    lw_step_note(step,
                 "the critic of model '%s' does not look at how much a batch varies (it has no minibatch "
                 "standard deviation): %s",
                 lw_model_name(model), consequence);
}
