/* projection.c — see projection.h. The decomposition is the host's, so a step goes through it; unprojected
 * searches stay on the device. */
#include "projection.h"

#include "../bounded-local-space/bounds.h"

#include <math.h>
#include <string.h>

static lw_program *compile_map(search *s)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_assign(g, lw_parameter(g, s->latents, "latents"),
              lw_map(g, s->model, lw_parameter(g, s->latents, "z")));
    return lw_step_compile(s->step, g, "map");
}

lw_status projection_open(projection *p, search *s)
{
    double cutoff = lw_float(lw_step_args(s->step), "cutoff");
    *p = (projection){.s = s};
    p->local = lw_step_local(s->step, s->model, .batch = s->batch, .cutoff = (float)cutoff);
    p->map = p->local ? compile_map(s) : NULL;
    if (!p->map)
        return lw_error_status();
    p->before = lw_alloc((size_t)(s->batch * s->size), sizeof *p->before);
    p->z = lw_alloc((size_t)(s->batch * p->local->z_dim), sizeof *p->z);
    p->wanted = lw_alloc((size_t)s->size, sizeof *p->wanted);
    p->step = lw_alloc((size_t)p->local->z_dim, sizeof *p->step);
    return p->before && p->z && p->wanted && p->step ? LW_OK : LW_MEMORY;
}

void projection_close(projection *p)
{
    lw_local_destroy(p->local);
    lw_free(p->before);
    lw_free(p->z);
    lw_free(p->wanted);
    lw_free(p->step);
}

lw_status projection_begin(projection *p)
{
    const search *s = p->s;
    const float *at = search_latents(p->s);
    const lw_tensor *z = lw_store_get(s->latents, "z");
    if (!at || !z)
        return lw_error_status();
    memcpy(p->before, at, (size_t)(s->batch * s->size) * sizeof *at);
    memcpy(p->z, z->data, (size_t)(s->batch * p->local->z_dim) * sizeof *at);
    return LW_OK;
}

/* Mean distance of the latents from where they were. */
static double moved(const projection *p, const float *at)
{
    const search *s = p->s;
    double sum = 0;
    for (int64_t n = 0; n < s->batch; n++) {
        double squares = 0;
        for (int64_t i = 0; i < s->size; i++) {
            double d = (double)at[n * s->size + i] - p->before[n * s->size + i];
            squares += d * d;
        }
        sum += sqrt(squares);
    }
    return sum / (double)s->batch;
}

lw_status projection_apply(projection *p, double *wanted, double *taken)
{
    search *s = p->s;
    const int64_t z_dim = p->local->z_dim, size = s->size;
    const double alpha = lw_float(lw_step_args(s->step), "alpha");
    const float *at = search_latents(s);
    if (!at)
        return lw_error_status();
    *wanted = moved(p, at);
    LW_TRY(lw_local_at(p->local, p->z, s->batch));
    for (int64_t n = 0; n < s->batch; n++) {
        for (int64_t i = 0; i < size; i++)
            p->wanted[i] = at[n * size + i] - p->before[n * size + i];
        bounded_step(p->local, n, p->wanted, alpha, p->step, NULL);
        for (int64_t i = 0; i < z_dim; i++)
            p->z[n * z_dim + i] += p->step[i];
    }
    LW_TRY(lw_store_set(s->latents, "z", LW_SHAPE(s->batch, z_dim), p->z));
    LW_TRY(lw_program_run(p->map));
    if (!(at = search_latents(s)))
        return lw_error_status();
    *taken = moved(p, at);
    memcpy(p->before, at, (size_t)(s->batch * size) * sizeof *at);
    return LW_OK;
}
