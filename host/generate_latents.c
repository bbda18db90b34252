/* generate_latents.c — latents drawn from seeds or read from files. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "generate.h"

/* --- drawing ---------------------------------------------------------------------------------- */

/* The normal distribution's quantile of p in (0, 1), by bisection: slow, exact to double precision. */
static double normal_quantile(double p)
{
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(0.5 * erfc(-middle * M_SQRT1_2) < p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* scipy's truncnorm(-2, 2): the quantile of a uniform number between those of -2 and 2. */
static void draw_truncated(lw_random_state *state, size_t count, double truncation, double *out)
{
    double below = 0.5 * erfc(2 * M_SQRT1_2);
    lw_random_state_uniform(state, count, out);
    for (size_t i = 0; i < count; i++)
        out[i] = truncation * normal_quantile(below + out[i] * (1 - 2 * below));
}

lw_status lwh_generate_draw(lwh_generation *g)
{
    int64_t width = lw_model_dim(g->model, "z_dim");
    g->space = "z";
    g->latents = lw_tensor_create(LW_SHAPE(g->count, width));
    double *row = g->latents ? lw_alloc((size_t)width, sizeof *row) : NULL;
    if (!row)
        return LW_MEMORY;
    for (int64_t i = 0; i < g->count; i++) {
        lw_random_state state;
        lw_random_state_seed(&state, g->seeds[i]);
        if (g->truncated_z)
            draw_truncated(&state, (size_t)width, g->truncation, row);
        else
            lw_random_state_randn(&state, (size_t)width, row);
        for (int64_t d = 0; d < width; d++)
            g->latents->data[i * width + d] = (float)row[d];
    }
    lw_free(row);
    return LW_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The tensor called like the space ("z", "w", "w+"), or the only one. */
static lw_tensor *load_stored(const char *path, const char *space)
{
    lw_store *store = lw_store_load(path);
    if (!store)
        return NULL;
    const char *name = lw_store_has(store, space)   ? space
                       : lw_store_count(store) == 1 ? lw_store_name(store, 0)
                                                    : NULL;
    const lw_tensor *found = name ? lw_store_get(store, name) : NULL;
    lw_tensor *copy = found ? lw_tensor_copy(found) : NULL;
    if (!name)
        lw_fail(LW_NOT_FOUND, "'%s' holds %zu tensors, none of them called '%s'", path, lw_store_count(store),
                space);
    lw_store_destroy(store);
    return copy;
}

static lw_status check_space(const lwh_generation *g)
{
    if (strcmp(g->space, "z") != 0 && strcmp(g->space, "w") != 0 && strcmp(g->space, "w+") != 0)
        return lw_fail(LW_INVALID, "--space '%s': expected z, w or w+", g->space);
    if (*g->space == 'w' && !lw_model_has(g->model, "map"))
        return lw_fail(LW_UNSUPPORTED, "this network has no mapping, so no latents in %s; use --space z",
                       g->space);
    return LW_OK;
}

lw_status lwh_generate_load(lwh_generation *g)
{
    const char *path = g->options->latents, *dot = strrchr(path, '.');
    g->space = g->options->space ? g->options->space : "z";
    LW_TRY(check_space(g));
    bool numpy = dot && strcasecmp(dot, ".npy") == 0;
    if (!numpy && !(dot && strcasecmp(dot, ".safetensors") == 0))
        return lw_fail(LW_INVALID, "--latents '%s' is neither .npy nor .safetensors", path);
    g->latents = numpy ? lw_npy_load(path) : load_stored(path, g->space);
    if (!g->latents)
        return lw_error_status();
    bool plus = strcmp(g->space, "w+") == 0;
    int64_t size = lw_model_dim(g->model, *g->space == 'z' ? "z_dim" : "w_dim"),
            num_ws = lw_model_dim(g->model, "num_ws");
    lw_shape *s = &g->latents->shape;
    char text[LW_SHAPE_TEXT], rows[32] = "";
    lw_shape_text(*s, text);
    if (s->rank == (plus ? 2 : 1)) /* a single one */
        *s = plus ? LW_SHAPE(1, s->dim[0], s->dim[1]) : LW_SHAPE(1, s->dim[0]);
    if (plus)
        snprintf(rows, sizeof rows, "%lld, ", (long long)num_ws);
    if (s->rank != (plus ? 3 : 2) || s->dim[0] < 1 || s->dim[s->rank - 1] != size ||
        (plus && s->dim[1] != num_ws))
        return lw_fail(LW_SHAPE, "'%s' is %s, but the network takes %s [N, %s%lld]", path, text, g->space,
                       rows, (long long)size);
    g->count = s->dim[0];
    return LW_OK;
}
