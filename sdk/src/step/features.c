/* features.c — what a network sees in many pictures, or in those made of many latents. */
#include <string.h>

#include "runtime.h"

typedef struct seer {
    lw_program *program;
    const lw_tensor *rows;
    int64_t count, row, batch; /* rows, elements of one, how many at a time */
    lw_tensor *features;       /* [count, F] */
} seer;

/* The shape of `batch` rows, whose trailing dims are those of the space. */
static lw_shape batch_shape(const char *space, lw_shape rows, int64_t batch)
{
    const int own = strcmp(space, "image") == 0 ? 3 : strcmp(space, "w+") == 0 ? 2 : 1;
    lw_shape shape = {.rank = own + 1, .dim = {batch}};
    for (int i = 0; i < own && own <= rows.rank; i++)
        shape.dim[i + 1] = rows.dim[rows.rank - own + i];
    return shape;
}

static lw_status open(seer *s, lw_step *step, lw_model *network, const char *tap, lw_model *model,
                      const char *space, int64_t batch)
{
    lw_shape shape = batch_shape(space, s->rows->shape, 1);
    s->row = lw_shape_count(shape);
    if (s->row < 1 || lw_shape_count(s->rows->shape) < s->row)
        return lw_fail(LW_SHAPE, "there are no rows in %s to see", space);
    s->count = lw_shape_count(s->rows->shape) / s->row;
    shape.dim[0] = s->batch = batch < s->count ? batch : s->count;
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lw_value x = lw_input(g, "rows", shape);
    if (strcmp(space, "image") != 0)
        x = strcmp(space, "z") == 0 ? lw_generate(g, model, x) : lw_synthesize(g, model, x);
    x = lw_features(g, network, tap, x);
    lw_output(g, "features", x);
    const int64_t size = lw_is_null(x) ? 0 : lw_dim(g, x, 1);
    s->program = lw_step_compile(step, g, "features");
    s->features = s->program ? lw_tensor_create(LW_SHAPE(s->count, size)) : NULL;
    return s->features ? LW_OK : lw_error_status();
}

static lw_status see(const seer *s, int64_t i)
{
    const int64_t first = lw_batch_first(i, s->batch, s->count), size = s->features->shape.dim[1];
    LW_TRY(lw_program_write(s->program, "rows", s->rows->data + first * s->row, (size_t)(s->batch * s->row)));
    LW_TRY(lw_program_run(s->program));
    return lw_program_read(s->program, "features", s->features->data + first * size,
                           (size_t)(s->batch * size));
}

static lw_status see_all(const seer *s, lw_step *step)
{
    for (int64_t i; lw_next_again(step, (s->count + s->batch - 1) / s->batch, &i);)
        LW_TRY(see(s, i));
    return lw_step_finish(step);
}

lw_tensor *lw_step_features(lw_step *step, lw_model *network, const char *tap, lw_model *model,
                            const char *space, const lw_tensor *rows, int64_t batch)
{
    seer s = {.rows = rows};
    lw_status status = open(&s, step, network, tap, model, space, batch);
    if (status == LW_OK)
        status = see_all(&s, step);
    if (status == LW_OK)
        return s.features;
    lw_tensor_destroy(s.features);
    return NULL;
}
