/* generate_images.c — one image a latent, as PNG files and float tensors. */
#include <string.h>

#include "generate.h"
#include "latentwalk/image.h"

typedef struct results {
    lw_tensor *w, *images; /* of all latents, for --save-tensors; NULL where not kept */
} results;

/* One latent a run, so that an image does not depend on its neighbours: input "latent", outputs "image" and
 * "w". */
static lw_status compile(lwh_generation *g, bool with_w)
{
    lw_shape shape = g->latents->shape;
    shape.dim[0] = 1;
    lw_graph *graph = lw_graph_create();
    if (!graph)
        return LW_MEMORY;
    lw_value latent = lw_input(graph, "latent", shape);
    bool z = strcmp(g->space, "z") == 0;
    lw_output(graph, "image",
              z ? lw_generate(graph, g->model, latent) : lw_synthesize(graph, g->model, latent));
    if (with_w)
        lw_output(graph, "w", lw_map(graph, g->model, latent));
    g->program = lw_compile(graph, g->device);
    lw_graph_destroy(graph);
    return g->program ? LW_OK : lw_error_status();
}

static lw_status write_png(const lwh_generation *g, int64_t i, const lw_tensor *image)
{
    uint8_t *data;
    size_t size;
    lw_tensor one = {image->shape, image->data}; /* [1, C, H, W] -> [C, H, W] */
    one.shape = LW_SHAPE(image->shape.dim[1], image->shape.dim[2], image->shape.dim[3]);
    char *path = g->seeds ? lw_format("%s/seed%04u.png", g->outdir, g->seeds[i])
                          : lw_format("%s/latent%04lld.png", g->outdir, (long long)i);
    lw_status status = path ? lw_image_encode_png(&one, &data, &size) : LW_MEMORY;
    if (status == LW_OK) {
        status = lw_file_write(path, data, size);
        lw_free(data);
    }
    if (status == LW_OK && !g->options->quiet)
        printf(g->options->json ? "{\"event\":\"image\",\"file\":\"%s\"}\n" : "%s\n", path);
    lw_free(path);
    return status;
}

/* Row i of all, which is made when the first row [1, ..] comes. */
static lw_status keep(lw_tensor **all, const lw_tensor *row, int64_t i, int64_t count)
{
    lw_shape shape = row->shape;
    int64_t size = lw_shape_count(shape);
    shape.dim[0] = count;
    if (!*all)
        *all = lw_tensor_create(shape);
    if (!*all)
        return LW_MEMORY;
    memcpy((*all)->data + i * size, row->data, (size_t)size * sizeof(float));
    return LW_OK;
}

static lw_status keep_output(lwh_generation *g, const char *name, int64_t i, lw_tensor **all)
{
    lw_tensor *row = lw_program_read_tensor(g->program, name);
    lw_status status = row ? keep(all, row, i, g->count) : lw_error_status();
    lw_tensor_destroy(row);
    return status;
}

static lw_status make_one(lwh_generation *g, int64_t i, results *r, bool with_w)
{
    size_t row = (size_t)(lw_shape_count(g->latents->shape) / g->count);
    LW_TRY(lw_program_write(g->program, "latent", g->latents->data + (size_t)i * row, row));
    LW_TRY(lw_program_seed(g->program, g->seeds ? g->seeds[i] : (uint64_t)i, 0)); /* random noise */
    LW_TRY(lw_program_run(g->program));
    lw_tensor *image = lw_program_read_tensor(g->program, "image");
    if (!image)
        return lw_error_status();
    lw_status status = write_png(g, i, image);
    if (status == LW_OK && g->options->save_tensors)
        status = keep(&r->images, image, i, g->count);
    lw_tensor_destroy(image);
    return status == LW_OK && with_w ? keep_output(g, "w", i, &r->w) : status;
}

static lw_status save(const lwh_generation *g, const results *r)
{
    lw_store *store = lw_store_create();
    lw_status status = store ? lw_store_set(store, g->space, g->latents->shape, g->latents->data) : LW_MEMORY;
    if (status == LW_OK && r->w)
        status = lw_store_set(store, "w", r->w->shape, r->w->data);
    if (status == LW_OK)
        status = lw_store_set(store, "images", r->images->shape, r->images->data);
    if (status == LW_OK)
        status = lw_store_save(store, g->options->save_tensors, LW_STORE_F32);
    lw_store_destroy(store);
    return status;
}

lw_status lwh_generate_images(lwh_generation *g)
{
    results r = {NULL, NULL};
    bool with_w = g->options->save_tensors && strcmp(g->space, "z") == 0 && lw_model_has(g->model, "map");
    lw_status status = compile(g, with_w);
    for (int64_t i = 0; i < g->count && status == LW_OK; i++)
        status = make_one(g, i, &r, with_w);
    if (status == LW_OK && g->options->save_tensors)
        status = save(g, &r);
    lw_tensor_destroy(r.w);
    lw_tensor_destroy(r.images);
    return status;
}
