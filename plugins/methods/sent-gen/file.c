/* file.c — trained traversal networks as files. */
#include "sent_gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND "latentwalk.traversal"

/* --- writing -------------------------------------------------------------------------------------- */
static lw_status fill(sent_gen *s, lw_store *store)
{
    const char *model = lw_model_identity(s->model);
    const char *regressor = model ? lw_model_identity(s->regressor) : NULL;
    char unit[32];
    if (!regressor)
        return lw_error_status();
    snprintf(unit, sizeof unit, "%.9g", (double)s->net.unit);
    LW_TRY(lw_store_merge(store, s->net.weights, ""));
    LW_TRY(lw_store_set_metadata(store, KIND, "1"));
    LW_TRY(lw_store_set_metadata(store, "attribute", s->net.attribute));
    LW_TRY(lw_store_set_metadata(store, "variant", s->net.variant));
    LW_TRY(lw_store_set_metadata(store, "unit", unit));
    LW_TRY(lw_store_set_metadata(store, "model", model));
    return lw_store_set_metadata(store, "regressor", regressor);
}

lw_status file_save(sent_gen *s, const char *path, lw_storage storage)
{
    lw_store *store = lw_store_create();
    lw_status status = store ? fill(s, store) : lw_error_status();
    if (status == LW_OK)
        status = lw_store_save(store, path, storage);
    lw_store_destroy(store);
    return status;
}

/* --- reading -------------------------------------------------------------------------------------- */
static lw_status read_text(const lw_store *store, const char *key, char *text, size_t size)
{
    const char *found = lw_store_metadata(store, key);
    if (!found || !*found || strlen(found) >= size)
        return lw_fail(LW_FORMAT, "its metadata '%s' is %s%.64s", key, found ? "not usable: " : "missing",
                       found ? found : "");
    snprintf(text, size, "%s", found);
    return LW_OK;
}

static lw_status check_weights(const traversal_net *net, lw_store *store)
{
    const bool mlp = strcmp(net->variant, "mlp") == 0;
    const struct {
        const char *name;
        lw_shape shape;
    } wanted[] = {{"out", LW_SHAPE(3 * net->size, net->size)},
                  {"wc", LW_SHAPE(1, net->size)},
                  {"wz", LW_SHAPE(net->size, 2 * net->size)}};
    for (int i = 0; i < (mlp ? 1 : 3); i++) {
        lw_shape shape;
        char found[LW_SHAPE_TEXT], expected[LW_SHAPE_TEXT];
        LW_TRY(lw_store_shape(store, wanted[i].name, &shape));
        if (!lw_shape_equal(shape, wanted[i].shape))
            return lw_fail(LW_SHAPE, "its tensor '%s' is %s, but for latents of %lld elements it is %s",
                           wanted[i].name, lw_shape_text(shape, found), (long long)net->size,
                           lw_shape_text(wanted[i].shape, expected));
    }
    return LW_OK;
}

static lw_status read_net(traversal_net *net, lw_store *store)
{
    char unit[32], *end;
    if (!lw_store_metadata(store, KIND))
        return lw_fail(LW_FORMAT, "it holds no traversal network: the metadata '" KIND "' is missing");
    if (strcmp(lw_store_metadata(store, KIND), "1") != 0)
        return lw_fail(LW_UNSUPPORTED, "its format is '%.16s'; this program knows 1",
                       lw_store_metadata(store, KIND));
    LW_TRY(read_text(store, "attribute", net->attribute, sizeof net->attribute));
    LW_TRY(read_text(store, "variant", net->variant, sizeof net->variant));
    LW_TRY(read_text(store, "unit", unit, sizeof unit));
    if (strcmp(net->variant, "sent-gen") != 0 && strcmp(net->variant, "linear") != 0 &&
        strcmp(net->variant, "mlp") != 0)
        return lw_fail(LW_FORMAT, "its variant '%s' is none of sent-gen, linear, mlp", net->variant);
    net->unit = strtof(unit, &end);
    if (*end || !(net->unit >= 0) || !isfinite(net->unit))
        return lw_fail(LW_FORMAT, "its unit '%s' is not a number from 0 on", unit);
    return check_weights(net, store);
}

/* Was it trained for these weights? */
static lw_status fit(sent_gen *s, const lw_store *store, const char *key, lw_model *model, bool force)
{
    char trained[17];
    const char *identity = lw_model_identity(model);
    if (!identity)
        return lw_error_status();
    LW_TRY(read_text(store, key, trained, sizeof trained));
    if (strcmp(trained, identity) == 0)
        return LW_OK;
    if (!force)
        return lw_fail(
            LW_INVALID,
            "it was trained with the %s %s, but the weights of model '%s' are %s; train it again for "
            "these, or set `force` to use it all the same",
            key, trained, lw_model_name(model), identity);
    lw_step_note(s->step,
                 "this traversal network was trained with the %s %s and is used with another by force", key,
                 trained);
    return LW_OK;
}

static lw_status take(sent_gen *s, lw_store *file, bool force)
{
    LW_TRY(read_net(&s->net, file));
    LW_TRY(fit(s, file, "model", s->model, force));
    LW_TRY(fit(s, file, "regressor", s->regressor, force));
    s->net.weights = lw_step_store(s->step, "traversal");
    return s->net.weights ? lw_store_merge(s->net.weights, file, "") : lw_error_status();
}

lw_status file_load(sent_gen *s, const char *path, bool force)
{
    lw_store *file = lw_store_load(path);
    lw_status status = file ? take(s, file, force) : lw_error_status();
    lw_store_destroy(file);
    return status == LW_OK ? LW_OK : lw_wrap("cannot use the traversal network '%s'", path);
}
