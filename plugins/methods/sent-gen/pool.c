/* pool.c — what the regressor says of latents' pictures. */
#include "sent_gen.h"

#include <string.h>

lw_value pool_scores(lw_graph *g, sent_gen *s, lw_value z, const char *const *outputs, int count)
{
    lw_value columns[16], scores = lw_apply(g, s->regressor, lw_generate(g, s->model, z));
    if (lw_is_null(scores))
        return scores;
    scores = lw_reshape(g, scores, LW_SHAPE(lw_dim(g, z, 0), -1));
    for (int k = 0; k < count; k++) {
        int64_t column = lw_model_find_output(s->regressor, outputs[k], lw_dim(g, scores, 1));
        if (column < 0)
            return lw_graph_fail(g, LW_INVALID, "method/sent-gen: %s", lw_error_text());
        columns[k] = lw_slice(g, scores, 1, column, 1, 1);
    }
    return lw_concat(g, columns, count, 1);
}

lw_program *pool_compile(sent_gen *s, const char *const *outputs, int count)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = lw_input(g, "z", LW_SHAPE(POOL_BATCH, s->net.size));
    lw_output(g, "scores", pool_scores(g, s, z, outputs, count));
    return lw_step_compile(s->step, g, "judge");
}

lw_status pool_judge(sent_gen *s, lw_program *program, const float *z, int64_t n, const char *const *outputs,
                     int count, float *scores)
{
    const size_t size = (size_t)s->net.size;
    float *room = lw_alloc(POOL_BATCH * (size + (size_t)count), sizeof *room);
    if (!room)
        return LW_MEMORY;
    for (size_t i = 0; i < POOL_BATCH; i++)
        memcpy(room + i * size, z + (i < (size_t)n ? i : (size_t)n - 1) * size, size * sizeof *room);
    float *seen = room + POOL_BATCH * size;
    lw_status status = lw_program_write(program, "z", room, POOL_BATCH * size);
    if (status == LW_OK)
        status = lw_program_run(program);
    if (status == LW_OK)
        status = lw_program_read(program, "scores", seen, (size_t)(POOL_BATCH * count));
    for (int64_t i = 0; status == LW_OK && i < n * count; i++) {
        scores[i] = seen[i];
        if (!(seen[i] >= 0 && seen[i] <= 1))
            status = lw_fail(LW_INVALID,
                             "the regressor '%s' says %g for '%s'; attributes must lie in [0, 1], as the "
                             "outputs of a network with `labels` do",
                             lw_model_name(s->regressor), (double)seen[i], outputs[i % count]);
    }
    lw_free(room);
    return status;
}
