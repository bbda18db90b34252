/* file.c — directions as files: ours, InterFaceGAN's boundaries, GANSpace's components. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checkpoint/checkpoint.h"
#include "direction/direction.h"

#define KIND "latentwalk.directions"

/* --- writing --------------------------------------------------------------------------------------- */
static lw_status fill_metadata(const lw_directions *d, lw_store *store)
{
    char number[24];
    LW_TRY(lw_store_set_metadata(store, KIND, "1"));
    LW_TRY(lw_store_set_metadata(store, "space", d->space));
    if (strcmp(d->space, "w") == 0) {
        snprintf(number, sizeof number, "%lld", (long long)d->first_layer);
        LW_TRY(lw_store_set_metadata(store, "first_layer", number));
        snprintf(number, sizeof number, "%lld", (long long)d->last_layer);
        LW_TRY(lw_store_set_metadata(store, "last_layer", number));
    }
    if (*d->method)
        LW_TRY(lw_store_set_metadata(store, "method", d->method));
    if (*d->model)
        LW_TRY(lw_store_set_metadata(store, "model", d->model));
    return d->forced ? lw_store_set_metadata(store, "forced", "true") : LW_OK;
}

lw_status lw_directions_save(lw_directions *d, const char *path)
{
    LW_TRY(lwi_directions_normalise(d));
    lw_store *store = lw_store_create();
    lw_status status = store ? fill_metadata(d, store) : lw_error_status();
    if (status == LW_OK)
        status = lw_store_set(store, "vectors", LW_SHAPE(d->count, d->size), d->vectors);
    if (status == LW_OK)
        status = lw_store_set(store, "deviations", LW_SHAPE(d->count), d->deviations);
    if (status == LW_OK)
        status = lw_store_set(store, "scores", LW_SHAPE(d->count), d->scores);
    if (status == LW_OK)
        status = lw_store_save(store, path, LW_STORE_F32);
    lw_store_destroy(store);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------------- */
/* The vectors of a tensor [.., d], and, where not NULL, their deviations [K]. */
static lw_directions *from_tensors(const char *space, const lw_tensor *vectors, const lw_tensor *deviations)
{
    char text[LW_SHAPE_TEXT];
    lw_shape shape = vectors->shape;
    if (shape.rank < 1) {
        lw_fail(LW_FORMAT, "directions are [K, d] or [d], not %s", lw_shape_text(shape, text));
        return NULL;
    }
    int64_t size = shape.dim[shape.rank - 1], count = size > 0 ? lw_shape_count(shape) / size : 0;
    if (deviations && lw_shape_count(deviations->shape) != count) {
        lw_fail(LW_FORMAT, "%lld directions have %lld deviations", (long long)count,
                (long long)lw_shape_count(deviations->shape));
        return NULL;
    }
    lw_directions *d = lw_directions_create(space, count, size);
    if (!d)
        return NULL;
    memcpy(d->vectors, vectors->data, (size_t)(count * size) * sizeof *d->vectors);
    if (deviations)
        memcpy(d->deviations, deviations->data, (size_t)count * sizeof *d->deviations);
    return d;
}

static lw_status read_layer(const lw_store *store, const char *key, int64_t *layer)
{
    const char *text = lw_store_metadata(store, key);
    char *end;
    long long number = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end || number < -1 || number > INT_MAX)
        return lw_fail(LW_FORMAT, "its metadata '%s' is '%.32s', not the number of a layer", key,
                       text ? text : "");
    *layer = number;
    return LW_OK;
}

static lw_status read_metadata(lw_directions *d, const lw_store *store)
{
    const char *method = lw_store_metadata(store, "method"), *model = lw_store_metadata(store, "model");
    if (strcmp(d->space, "w") == 0) {
        LW_TRY(read_layer(store, "first_layer", &d->first_layer));
        LW_TRY(read_layer(store, "last_layer", &d->last_layer));
    }
    if (model && strspn(model, "0123456789abcdef") != 16)
        return lw_fail(LW_FORMAT,
                       "its metadata 'model' is '%.32s', not the 16 hex digits of a model's identity", model);
    snprintf(d->method, sizeof d->method, "%s", method ? method : "");
    snprintf(d->model, sizeof d->model, "%.16s", model ? model : "");
    d->forced = lw_store_metadata(store, "forced") != NULL;
    return LW_OK;
}

static lw_directions *from_ours(lw_store *store)
{
    const char *version = lw_store_metadata(store, KIND), *space = lw_store_metadata(store, "space");
    const lw_tensor *vectors = lw_store_get(store, "vectors"),
                    *deviations = lw_store_get(store, "deviations");
    const lw_tensor *scores = lw_store_get(store, "scores");
    if (!version || !space || !vectors || !deviations || !scores) {
        lw_fail(LW_FORMAT,
                "it holds no directions: the metadata '" KIND "' and 'space' and the tensors vectors, "
                "deviations and scores are needed");
        return NULL;
    }
    if (strcmp(version, "1") != 0) {
        lw_fail(LW_UNSUPPORTED, "its format is '%.16s'; this program knows 1", version);
        return NULL;
    }
    lw_directions *d = from_tensors(space, vectors, deviations);
    if (!d)
        return NULL;
    lw_status status = lw_shape_count(scores->shape) == d->count
                           ? read_metadata(d, store)
                           : lw_fail(LW_FORMAT, "%lld directions have %lld scores", (long long)d->count,
                                     (long long)lw_shape_count(scores->shape));
    if (status == LW_OK) {
        memcpy(d->scores, scores->data, (size_t)d->count * sizeof *d->scores);
        return d;
    }
    lw_directions_destroy(d);
    return NULL;
}

/* GANSpace's archive: lat_comp [K, 1, d] and lat_stdev [K] (ganspace 5a704c48). */
static lw_directions *from_ganspace(lw_store *store, const char *space)
{
    const lw_tensor *components = lw_store_get(store, "lat_comp"),
                    *deviations = lw_store_get(store, "lat_stdev");
    if (!components || !deviations) {
        lw_fail(LW_FORMAT, "it has no lat_comp and lat_stdev, as GANSpace's files have");
        return NULL;
    }
    lw_directions *d = from_tensors(space, components, deviations);
    if (d)
        snprintf(d->method, sizeof d->method, "imported from GANSpace");
    return d;
}

static lw_directions *from_boundary(const char *path, const char *space)
{
    lw_tensor *vectors = lw_npy_load(path);
    lw_directions *d = vectors ? from_tensors(space, vectors, NULL) : NULL;
    lw_tensor_destroy(vectors);
    if (d)
        snprintf(d->method, sizeof d->method, "imported from a .npy file");
    return d;
}

static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), wanted = strlen(end);
    return length >= wanted && strcasecmp(path + length - wanted, end) == 0;
}

static lw_directions *read_file(const char *path, const char *space)
{
    const bool archive = ends_with(path, ".npz"), array = ends_with(path, ".npy");
    if ((archive || array) && !space) {
        lw_fail(LW_INVALID, "the file does not say in which space its directions are; `space` must (z or w)");
        return NULL;
    }
    if (array)
        return from_boundary(path, space);
    lw_store *store = archive ? lwi_weights_load(path) : lw_store_load(path);
    lw_directions *d = !store ? NULL : archive ? from_ganspace(store, space) : from_ours(store);
    lw_store_destroy(store);
    return d;
}

lw_directions *lw_directions_load(const char *path, const char *space)
{
    lw_directions *d = read_file(path, space);
    if (d && lwi_directions_normalise(d) == LW_OK)
        return d;
    lw_directions_destroy(d);
    lw_wrap("cannot read directions from '%s'", path);
    return NULL;
}
