/* show.c — latents walk along what was found. */
#include "train.h"

#include <string.h>

enum { ROWS = 256 };

static lw_program *compile_walk(lw_step *step, const lase *l, lw_store *networks)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lase_scope(g, step, networks);
    lw_value z = lw_input(g, "z", LW_SHAPE(ROWS, lw_model_dim(l->model, "z_dim")));
    lw_value from = l->in_w ? lw_map(g, l->model, z) : z;
    lw_output(g, "walk",
              lase_walk(g, l, from, lw_input(g, "stride", LW_SHAPE(ROWS, 1)),
                        lw_input(g, "direction", LW_SHAPE(ROWS, l->size))));
    lw_scope_pop(g);
    return lw_step_compile(step, g, "walk");
}

/* Rows of the walks: all strides of the first latent along the first direction, then along the next, then the
 * next latent. */
typedef struct walker {
    lw_program *program;
    const lw_tensor *z;
    const lw_directions *found;
    const lw_args *args;
    int64_t shown, points, rows;
    float *starts, *strides, *along, *ends; /* of ROWS rows */
} walker;

static lw_status walk_rows(walker *w, int64_t first, float *out)
{
    const int64_t z_dim = w->z->shape.dim[1], size = w->found->size, left = w->rows - first;
    for (int64_t i = 0; i < ROWS; i++) {
        const int64_t row = i < left ? first + i : w->rows - 1, walk = row / w->points;
        memcpy(w->starts + i * z_dim, w->z->data + walk / w->shown * z_dim,
               (size_t)z_dim * sizeof *w->starts);
        memcpy(w->along + i * size, w->found->vectors + walk % w->shown * size,
               (size_t)size * sizeof *w->along);
        w->strides[i] = (float)lw_list_float(w->args, "strides", (int)(row % w->points));
    }
    LW_TRY(lw_program_write(w->program, "z", w->starts, (size_t)(ROWS * z_dim)));
    LW_TRY(lw_program_write(w->program, "stride", w->strides, ROWS));
    LW_TRY(lw_program_write(w->program, "direction", w->along, (size_t)(ROWS * size)));
    LW_TRY(lw_program_run(w->program));
    LW_TRY(lw_program_read(w->program, "walk", w->ends, (size_t)(ROWS * size)));
    memcpy(out + first * size, w->ends, (size_t)((left < ROWS ? left : ROWS) * size) * sizeof *out);
    return LW_OK;
}

/* [M T, d] */
static lw_tensor *walk_all(walker *w)
{
    const int64_t size = w->found->size;
    lw_tensor *walk = lw_tensor_create(LW_SHAPE(w->rows, size));
    w->starts = lw_alloc((size_t)(ROWS * w->z->shape.dim[1]), sizeof *w->starts);
    w->strides = lw_alloc(ROWS, sizeof *w->strides);
    w->along = lw_alloc((size_t)(ROWS * size), sizeof *w->along);
    w->ends = lw_alloc((size_t)(ROWS * size), sizeof *w->ends);
    lw_status status = walk && w->starts && w->strides && w->along && w->ends ? LW_OK : LW_MEMORY;
    for (int64_t first = 0; status == LW_OK && first < w->rows; first += ROWS)
        status = walk_rows(w, first, walk->data);
    lw_free(w->starts);
    lw_free(w->strides);
    lw_free(w->along);
    lw_free(w->ends);
    if (status == LW_OK)
        return walk;
    lw_tensor_destroy(walk);
    return NULL;
}

lw_status lase_show(lw_step *step, const lase *l, lw_store *networks, const lw_directions *found)
{
    const lw_args *args = lw_step_args(step);
    walker w = {.program = compile_walk(step, l, networks),
                .z = lw_step_input(step, "z", 0),
                .found = found,
                .args = args};
    w.shown = lw_int(args, "shown") < l->count ? lw_int(args, "shown") : l->count;
    w.points = lw_list_count(args, "strides");
    w.rows = w.z->shape.dim[0] * w.shown * w.points;
    lw_tensor *walk = w.program ? walk_all(&w) : NULL, *images = NULL;
    if (!walk)
        return lw_error_status();
    lw_status status =
        lw_model_images(l->model, lw_step_device(step), l->in_w ? "w" : "z", walk, 64, &images, NULL);
    if (status != LW_OK) {
        lw_tensor_destroy(walk);
        return status;
    }
    const int64_t walks = w.rows / w.points, *pixels = images->shape.dim;
    walk->shape = LW_SHAPE(walks, w.points, l->size);
    images->shape = LW_SHAPE(walks, w.points, pixels[1], pixels[2], pixels[3]);
    status = lw_step_output(step, "walk", walk);
    lw_status shown = lw_step_output(step, "images", images);
    return status != LW_OK ? status : shown;
}
