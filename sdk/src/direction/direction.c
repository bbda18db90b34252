/* direction.c — directions: making, checking, fitting to a model. */
#include "latentwalk/direction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "direction/direction.h"

lw_directions *lw_directions_create(const char *space, int64_t count, int64_t size)
{
    if (strcmp(space, "z") != 0 && strcmp(space, "w") != 0) {
        lw_fail(LW_INVALID, "directions are of space z or w, not '%.32s'", space);
        return NULL;
    }
    if (lw_shape_count(LW_SHAPE(count, size)) < 1) {
        lw_fail(LW_SHAPE, "%lld directions of %lld elements are not possible", (long long)count,
                (long long)size);
        return NULL;
    }
    lw_directions *d = lw_alloc(1, sizeof *d);
    if (!d)
        return NULL;
    *d = (lw_directions){.count = count, .size = size, .last_layer = -1};
    snprintf(d->space, sizeof d->space, "%s", space);
    d->vectors = lw_alloc((size_t)(count * size), sizeof *d->vectors);
    d->deviations = lw_alloc((size_t)count, sizeof *d->deviations);
    d->scores = lw_alloc((size_t)count, sizeof *d->scores);
    if (!d->vectors || !d->deviations || !d->scores) {
        lw_directions_destroy(d);
        return NULL;
    }
    for (int64_t k = 0; k < count; k++)
        d->deviations[k] = 1;
    return d;
}

void lw_directions_destroy(lw_directions *d)
{
    if (!d)
        return;
    lw_free(d->vectors);
    lw_free(d->deviations);
    lw_free(d->scores);
    lw_free(d);
}

lw_status lwi_directions_normalise(lw_directions *d)
{
    for (int64_t k = 0; k < d->count; k++) {
        float *vector = d->vectors + k * d->size;
        double squares = 0;
        for (int64_t i = 0; i < d->size; i++)
            squares += (double)vector[i] * vector[i];
        if (!isfinite(squares) || !isfinite(d->deviations[k]) || !isfinite(d->scores[k]))
            return lw_fail(LW_NUMERIC, "direction %lld is not finite", (long long)k);
        if (!(squares > 0))
            return lw_fail(LW_INVALID, "direction %lld is zero", (long long)k);
        if (!(d->deviations[k] >= 0))
            return lw_fail(LW_INVALID, "direction %lld has the deviation %g; it cannot be negative",
                           (long long)k, (double)d->deviations[k]);
        for (int64_t i = 0; i < d->size; i++)
            vector[i] = (float)(vector[i] / sqrt(squares));
    }
    return LW_OK;
}

/* --- a model ------------------------------------------------------------------------------------ */
static lw_status fit_identity(lw_directions *d, lw_model *model, bool force)
{
    const char *identity = lw_model_identity(model);
    if (!identity)
        return lw_error_status();
    if (!*d->model || strcmp(d->model, identity) == 0)
        return LW_OK;
    if (!force)
        return lw_fail(
            LW_INVALID,
            "these directions (%s) were found in weights %s, but the weights of model '%s' are %s; in "
            "another network's latent space they mean something else. Find them again in this model, or set "
            "`force` to use them all the same",
            *d->method ? d->method : "of unknown origin", d->model, lw_model_name(model), identity);
    d->forced = true;
    return LW_OK;
}

lw_status lw_directions_fit(lw_directions *d, lw_model *model, bool force)
{
    const bool w = strcmp(d->space, "w") == 0, mapped = lw_model_has(model, "map");
    const int64_t size = lw_model_dim(model, w ? "w_dim" : "z_dim"), layers = lw_model_dim(model, "num_ws");
    if (w && !mapped)
        return lw_fail(LW_INVALID,
                       "these directions are of space w, but model '%s' has no mapping network, only z",
                       lw_model_name(model));
    if (d->size != size)
        return lw_fail(LW_SHAPE, "these directions have %lld elements, but the %s of model '%s' has %lld",
                       (long long)d->size, d->space, lw_model_name(model), (long long)size);
    const int64_t last = d->last_layer < 0 ? layers - 1 : d->last_layer;
    if (w && (d->first_layer < 0 || d->first_layer > last || last >= layers))
        return lw_fail(
            LW_INVALID, "layers %lld to %lld were asked for, but model '%s' has the layers 0 to %lld",
            (long long)d->first_layer, (long long)last, lw_model_name(model), (long long)layers - 1);
    return fit_identity(d, model, force);
}

lw_tensor *lw_directions_displacements(const lw_directions *d, lw_model *model)
{
    const bool w = strcmp(d->space, "w") == 0;
    const int64_t layers = w ? lw_model_dim(model, "num_ws") : 1;
    const int64_t last = d->last_layer < 0 ? layers - 1 : d->last_layer;
    lw_tensor *out = lw_tensor_create(w ? LW_SHAPE(d->count, layers, d->size) : LW_SHAPE(d->count, d->size));
    for (int64_t k = 0; out && k < d->count; k++)
        for (int64_t l = w ? d->first_layer : 0; l <= (w ? last : 0); l++)
            for (int64_t i = 0; i < d->size; i++)
                out->data[(k * layers + l) * d->size + i] = d->deviations[k] * d->vectors[k * d->size + i];
    return out;
}
