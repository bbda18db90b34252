/* pack.c — a model as one file: tensors under "G.", "D.", "N.", and in the metadata what made each part. */
#include "model/internal.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *metadata_key(lw_part part)
{
    static const char *const keys[LWI_PART_COUNT] = {"latentwalk.generator", "latentwalk.discriminator",
                                                     "latentwalk.network"};
    return keys[part];
}

/* What belongs to this machine or pipeline rather than to the weights is left out. */
static bool is_shipped(const lw_args *args, const lw_param *param)
{
    return param->type != LW_PARAM_PATH && param->type != LW_PARAM_MODEL && param->type != LW_PARAM_LOSSES &&
           lw_is_set(args, param->key);
}

/* {"uses": "generator/dcgan", "with": {"depth": "3"}}: values as texts, which lwi_args_set_text reads. */
char *lwi_part_manifest(const lwi_part *part)
{
    json_t *with = json_object();
    bool ok = with != NULL;
    for (uint32_t i = 0; ok && i < part->plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(part->plugin, i);
        if (!is_shipped(part->args, param))
            continue;
        char *text = lwi_args_text(part->args, param->key);
        ok = text && json_object_set_new(with, param->key, json_string(text)) == 0;
        lw_free(text);
    }
    json_t *root = ok ? json_pack("{s:s, s:O}", "uses", lwi_plugin_id(part->plugin), "with", with) : NULL;
    char *dumped = root ? json_dumps(root, JSON_COMPACT) : NULL;
    char *manifest = dumped ? lw_strdup(dumped) : NULL;
    if (!dumped)
        lw_fail(LW_MEMORY, "out of memory while describing %s", lwi_plugin_id(part->plugin));
    free(dumped); /* jansson's */
    json_decref(root);
    json_decref(with);
    return manifest;
}

bool lwi_manifest_of_another(const char *key, const char *network)
{
    const size_t length = strlen(network);
    for (int i = 0; i < LWI_PART_COUNT; i++) {
        const char *prefix = lwi_part_prefix((lw_part)i);
        if (strcmp(key, metadata_key((lw_part)i)) == 0)
            return strncmp(prefix, network, length) != 0 || strcmp(prefix + length, ".") != 0;
    }
    return false;
}

/* The parsed manifest, or NULL: with an error where there is one but it is broken. */
static json_t *read_manifest(const lw_store *store, lw_part which, const char **uses, json_t **with)
{
    json_error_t error;
    const char *text = lw_store_metadata(store, metadata_key(which));
    lw_error_clear();
    if (!text)
        return NULL;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        lw_fail(LW_FORMAT, "metadata '%s' is not JSON: %s (byte %d)", metadata_key(which), error.text,
                error.position);
        return NULL;
    }
    *uses = json_string_value(json_object_get(root, "uses"));
    *with = json_object_get(root, "with");
    if (*uses && strlen(*uses) < LWI_ID_BYTES && json_is_object(*with))
        return root;
    json_decref(root);
    lw_fail(LW_FORMAT, "metadata '%s' is not of the form {\"uses\": plugin, \"with\": {…}}",
            metadata_key(which));
    return NULL;
}

bool lwi_store_uses(const lw_store *store, lw_part which, char *id)
{
    const char *uses;
    json_t *with, *root = read_manifest(store, which, &uses, &with);
    if (!root)
        return false;
    snprintf(id, LWI_ID_BYTES, "%s", uses);
    json_decref(root);
    return true;
}

lw_status lwi_part_apply_manifest(lw_args *args, const lw_store *weights, lw_part which)
{
    const char *uses, *key;
    json_t *with, *value, *root = read_manifest(weights, which, &uses, &with);
    if (!root)
        return lw_error_status(); /* LW_OK where there is no manifest: detect alone decides */
    const char *id = lwi_plugin_id(lwi_args_plugin(args));
    lw_status status = LW_OK;
    if (strcmp(uses, id) != 0)
        status = lw_fail(LW_INVALID,
                         "the file says that its %s is %s, not %s; name that plugin, or use other weights",
                         lwi_part_name(which), uses, id);
    json_object_foreach (with, key, value) {
        if (status == LW_OK && !json_is_string(value))
            status = lw_fail(LW_FORMAT, "metadata '%s': the value of '%s' is not a text", metadata_key(which),
                             key);
        if (status == LW_OK && !lw_is_given(args, key)) /* by the user, whom `detect` may contradict */
            status = lwi_args_set_text(args, key, json_string_value(value), true);
    }
    if (status == LW_UNSUPPORTED) /* which would read as "try another prefix" */
        status = LW_INVALID;
    json_decref(root);
    return status;
}

static lw_status pack_part(lw_store *to, lwi_part *part, lw_part which)
{
    for (size_t i = 0; i < lw_store_count(part->store); i++) {
        const char *name = lw_store_name(part->store, i);
        const lw_tensor *tensor = lw_store_get(part->store, name);
        char *full = tensor ? lw_format("%s%s", lwi_part_prefix(which), name) : NULL;
        lw_status status = full ? lw_store_set(to, full, tensor->shape, tensor->data) : lw_error_status();
        lw_free(full);
        LW_TRY(status);
    }
    char *manifest = lwi_part_manifest(part);
    lw_status status =
        manifest ? lw_store_set_metadata(to, metadata_key(which), manifest) : lw_error_status();
    lw_free(manifest);
    return status;
}

lw_store *lwi_model_pack(lw_model *model)
{
    lw_store *store = lw_store_create();
    for (int i = 0; store && i < LWI_PART_COUNT; i++) {
        if (model->part[i].plugin && pack_part(store, &model->part[i], (lw_part)i) != LW_OK) {
            lw_wrap("packing model '%s'", model->name);
            lw_store_destroy(store);
            return NULL;
        }
    }
    return store;
}

lw_status lw_model_save(lw_model *model, const char *path, lw_storage storage)
{
    lw_store *store = lwi_model_pack(model);
    if (!store)
        return lw_error_status();
    lw_status status = lw_store_save(store, path, storage);
    lw_store_destroy(store);
    return status == LW_OK ? LW_OK : lw_wrap("saving model '%s'", model->name);
}

lw_status lw_model_save_averaged(lw_model *model, lw_store *generator, const char *path, lw_storage storage)
{
    lwi_part *part = &model->part[LW_PART_GENERATOR];
    lw_store *own = part->store;
    part->store = generator;
    lw_status status = lw_model_save(model, path, storage);
    part->store = own;
    return status;
}
