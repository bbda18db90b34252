/* images.c — many latents to images and scores, in batches, with programs kept for the next time. */
#include "model/internal.h"

#include <string.h>

void lwi_model_drop_programs(lw_model *model)
{
    for (lwi_image_program *entry = model->programs, *next; entry; entry = next) {
        next = entry->next;
        lw_program_destroy(entry->program);
        lw_free(entry);
    }
    model->programs = NULL;
}

void lwi_model_tell_programs(lw_model *model,
                             void (*tell)(void *user, const char *name, lw_program *program, double runs),
                             void *user)
{
    for (lwi_image_program *entry = model->programs; entry; entry = entry->next) {
        lw_program_stats stats;
        if (lw_program_describe(entry->program, &stats) != LW_OK || stats.runs == entry->told)
            continue;
        tell(user, entry->images ? "images" : "scores", entry->program, (double)(stats.runs - entry->told));
        entry->told = stats.runs;
    }
}

/* latents [B, d] (z) or [B, w_dim] or [B, num_ws, w_dim] -> outputs "images" [B, C, H, W], "scores" [B]. */
static lw_program *compile(lw_model *model, const lwi_image_program *wanted)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value latents = lw_input(g, "latents", wanted->latents);
    lw_value image = wanted->mapped ? lw_synthesize(g, model, latents) : lw_generate(g, model, latents);
    if (wanted->images)
        lw_output(g, "images", image);
    if (wanted->scores)
        lw_output(g, "scores",
                  lw_reshape(g, lw_discriminate(g, model, image), LW_SHAPE(wanted->latents.dim[0])));
    lw_program *program = lw_graph_status(g) == LW_OK ? lw_compile(g, wanted->device) : NULL;
    lw_graph_destroy(g);
    return program;
}

static lw_program *program_for(lw_model *model, const lwi_image_program *wanted)
{
    for (lwi_image_program *e = model->programs; e; e = e->next)
        if (e->device == wanted->device && e->mapped == wanted->mapped && e->images == wanted->images &&
            e->scores == wanted->scores && lw_shape_equal(e->latents, wanted->latents))
            return e->program;
    lwi_image_program *entry = lw_alloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    *entry = *wanted;
    entry->program = compile(model, wanted);
    if (!entry->program) {
        lw_free(entry);
        return NULL;
    }
    entry->next = model->programs;
    model->programs = entry;
    return entry->program;
}

/* Latents must be [M, z_dim], [M, w_dim] or [M, num_ws, w_dim], by their space. */
static lw_status check_latents(const lw_model *model, const char *space, const lw_tensor *latents)
{
    bool plus = strcmp(space, "w+") == 0, w = plus || strcmp(space, "w") == 0;
    if (!w && strcmp(space, "z") != 0)
        return lw_fail(LW_INVALID, "there is no latent space '%s'; expected z, w or w+", space);
    if (w && !lw_model_has(model, "map"))
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no mapping network, so no latents in %s; use z",
                       model->name, space);
    int64_t size = lw_model_dim(model, w ? "w_dim" : "z_dim"), num_ws = lw_model_dim(model, "num_ws");
    const lw_shape *s = &latents->shape;
    if (s->rank == (plus ? 3 : 2) && s->dim[0] > 0 && s->dim[s->rank - 1] == size &&
        (!plus || s->dim[1] == num_ws))
        return LW_OK;
    char found[LW_SHAPE_TEXT];
    lw_shape_text(*s, found);
    if (plus)
        return lw_fail(LW_SHAPE, "model '%s' takes w+ [M, %lld, %lld], not %s", model->name,
                       (long long)num_ws, (long long)size, found);
    return lw_fail(LW_SHAPE, "model '%s' takes %s [M, %lld], not %s", model->name, space, (long long)size,
                   found);
}

typedef struct run {
    int64_t batch, total, row, pixels;  /* floats of one latent and of one image */
    lw_tensor *all_images, *all_scores; /* NULL where not wanted */
} run;

/* A critic that compares a batch's images is shown no copies. */
static lw_status run_batch(lw_program *program, run *r, const lw_tensor *latents, int64_t index)
{
    const int64_t first = lw_batch_first(index, r->batch, r->total);
    LW_TRY(lw_program_write(program, "latents", latents->data + first * r->row, (size_t)(r->batch * r->row)));
    LW_TRY(lw_program_run(program));
    if (r->all_images)
        LW_TRY(lw_program_read(program, "images", r->all_images->data + first * r->pixels,
                               (size_t)(r->batch * r->pixels)));
    return r->all_scores ? lw_program_read(program, "scores", r->all_scores->data + first, (size_t)r->batch)
                         : LW_OK;
}

static lw_status run_all(lw_model *model, lw_device *device, const char *space, const lw_tensor *latents,
                         run *r)
{
    lwi_image_program wanted = {.device = device,
                                .latents = latents->shape,
                                .mapped = strcmp(space, "z") != 0,
                                .images = r->all_images != NULL,
                                .scores = r->all_scores != NULL};
    wanted.latents.dim[0] = r->batch;
    lw_program *program = program_for(model, &wanted);
    if (!program)
        return lw_error_status();
    for (int64_t i = 0; i * r->batch < r->total; i++)
        LW_TRY(run_batch(program, r, latents, i));
    return LW_OK;
}

lw_status lw_model_images(lw_model *model, lw_device *device, const char *space, const lw_tensor *latents,
                          int64_t batch, lw_tensor **images, lw_tensor **scores)
{
    int64_t c = lw_model_dim(model, "channels"), h = lw_model_dim(model, "height"),
            w = lw_model_dim(model, "width");
    if (!model->part[LW_PART_GENERATOR].plugin)
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no generator", model->name);
    if (scores && !model->part[LW_PART_DISCRIMINATOR].plugin)
        return lw_fail(LW_UNSUPPORTED, "model '%s' has no discriminator, so no scores", model->name);
    if (batch < 1)
        return lw_fail(LW_INVALID, "a batch of %lld is not possible; at least 1", (long long)batch);
    if (!images && !scores)
        return lw_fail(LW_INVALID, "neither images nor scores are asked for");
    LW_TRY(check_latents(model, space, latents));
    int64_t total = latents->shape.dim[0];
    run r = {.batch = batch < total ? batch : total,
             .total = total,
             .row = lw_shape_count(latents->shape) / total,
             .pixels = c * h * w};
    r.all_images = images ? lw_tensor_create(LW_SHAPE(total, c, h, w)) : NULL;
    r.all_scores = scores ? lw_tensor_create(LW_SHAPE(total)) : NULL;
    lw_status status = (images && !r.all_images) || (scores && !r.all_scores)
                           ? LW_MEMORY
                           : run_all(model, device, space, latents, &r);
    if (status != LW_OK) {
        lw_tensor_destroy(r.all_images);
        lw_tensor_destroy(r.all_scores);
        return lw_wrap("images of model '%s'", model->name);
    }
    if (images)
        *images = r.all_images;
    if (scores)
        *scores = r.all_scores;
    return LW_OK;
}
