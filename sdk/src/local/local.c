/* local.c — the local geometry: one program for w and its Jacobian, then the decomposition on the host. */
#include "latentwalk/local.h"

#include <string.h>

typedef struct local {
    lw_local seen; /* first: what the caller holds */
    float cutoff;
    lw_program *program;
    bool owns_program;
    float *z, *memory; /* [batch, z_dim]; all that `seen` points into but the ranks */
    int64_t *rank;
} local;

/* What is differentiated: [batch, ..], or null with the graph's error. */
static lw_value target(lw_graph *g, lw_model *model, lw_value z, const char *tap)
{
    if (!tap && !lw_model_has(model, "map"))
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "model '%s' has no mapping network, so there is no local geometry of w; "
                             "name a tap of its generator",
                             lw_model_name(model));
    if (!tap)
        return lw_map(g, model, z);
    lw_generate(g, model, z);
    return lw_require_tap(g, model, LW_PART_GENERATOR, tap);
}

static lw_graph *build(lw_model *model, const lw_local_options *options, lw_local *seen)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = lw_input(g, "z", LW_SHAPE(seen->batch, seen->z_dim));
    lw_value w = lw_reshape(g, target(g, model, z, options->tap), LW_SHAPE(seen->batch, -1));
    seen->w_dim = lw_is_null(w) ? 0 : lw_dim(g, w, 1);
    lw_output(g, "w", w);
    lw_output(g, "jacobian", lw_jacobian(g, w, z));
    if (lw_graph_status(g) == LW_OK)
        return g;
    lw_graph_destroy(g);
    return NULL;
}

static bool reserve(local *l)
{
    lw_local *s = &l->seen;
    const int64_t n = s->batch, k = s->z_dim < s->w_dim ? s->z_dim : s->w_dim;
    s->k = k;
    l->z = lw_alloc((size_t)(n * s->z_dim), sizeof *l->z);
    l->rank = lw_alloc((size_t)n, sizeof *l->rank);
    l->memory =
        lw_alloc((size_t)n, (size_t)(s->w_dim + s->w_dim * s->z_dim + k + k * s->w_dim + k * s->z_dim) *
                                sizeof *l->memory);
    if (!l->z || !l->rank || !l->memory)
        return false;
    s->w = l->memory;
    s->jacobian = s->w + n * s->w_dim;
    s->values = s->jacobian + n * s->w_dim * s->z_dim;
    s->left = s->values + n * k;
    s->right = s->left + n * k * s->w_dim;
    s->rank = l->rank;
    return true;
}

static lw_local *create(lw_step *step, lw_model *model, lw_device *device, const lw_local_options *given)
{
    lw_local_options options = {0};
    if (given) /* a plugin's struct may be older and shorter */
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    local *l = lw_alloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->cutoff = options.cutoff;
    l->seen.batch = options.batch ? options.batch : 16;
    l->seen.z_dim = lw_model_dim(model, "z_dim");
    l->owns_program = !step;
    lw_graph *g = build(model, &options, &l->seen);
    if (g && step) {
        l->program = lw_step_compile(step, g, "local geometry");
    } else if (g) {
        l->program = lw_compile(g, device);
        lw_graph_destroy(g);
    }
    if (l->program && reserve(l))
        return &l->seen;
    lw_local_destroy(&l->seen);
    return NULL;
}

lw_local *lw_local_create_with(lw_model *model, lw_device *device, const lw_local_options *options)
{
    return create(NULL, model, device, options);
}

lw_local *lw_step_local_with(lw_step *step, lw_model *model, const lw_local_options *options)
{
    return create(step, model, lw_step_device(step), options);
}

void lw_local_destroy(lw_local *seen)
{
    local *l = (local *)seen;
    if (!l)
        return;
    if (l->owns_program)
        lw_program_destroy(l->program);
    lw_free(l->z);
    lw_free(l->rank);
    lw_free(l->memory);
    lw_free(l);
}

lw_status lw_local_jacobian(lw_local *seen, const float *z, int64_t count)
{
    local *l = (local *)seen;
    const int64_t n = seen->batch, row = seen->z_dim;
    if (count < 1 || count > n)
        return lw_fail(LW_INVALID,
                       "the local geometry of %lld latents at once was asked for; 1 to %lld are possible",
                       (long long)count, (long long)n);
    for (int64_t i = 0; i < n; i++) /* the rest of the batch repeats the last latent */
        memcpy(l->z + i * row, z + (i < count ? i : count - 1) * row, (size_t)row * sizeof *z);
    LW_TRY(lw_program_write(l->program, "z", l->z, (size_t)(n * row)));
    LW_TRY(lw_program_run(l->program));
    LW_TRY(lw_program_read(l->program, "w", l->memory, (size_t)(n * seen->w_dim)));
    return lw_program_read(l->program, "jacobian", l->memory + n * seen->w_dim,
                           (size_t)(n * seen->w_dim * seen->z_dim));
}

lw_status lw_local_at(lw_local *seen, const float *z, int64_t count)
{
    local *l = (local *)seen;
    LW_TRY(lw_local_jacobian(seen, z, count));
    float *values = l->memory + (seen->values - seen->w), *left = l->memory + (seen->left - seen->w);
    float *right = l->memory + (seen->right - seen->w);
    return lw_svd_above(count, seen->w_dim, seen->z_dim, seen->jacobian, l->cutoff, l->rank, left, values,
                        right);
}
