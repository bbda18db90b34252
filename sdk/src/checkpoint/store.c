/* store.c — a checkpoint's networks as one store of weights. */
#include "checkpoint/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "tensor/store_internal.h"

enum { LONGEST_NAME = 1100 };

const lwi_network *lwi_checkpoint_primary(const lwi_checkpoint *file)
{
    /* The average first, then the trained generator, by the names their projects give them. */
    static const char *const names[] = {"G_ema", "Gs",        "g_ema", "avgG", "generator_smooth",
                                        "netG",  "generator", "G",     ""};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        for (size_t i = 0; i < file->network_count; i++)
            if (file->networks[i].config && strcmp(file->networks[i].name, names[k]) == 0)
                return &file->networks[i];
    for (size_t i = 0; i < file->network_count; i++)
        if (file->networks[i].config)
            return &file->networks[i];
    return NULL;
}

/* "NAME." or, for a bare network, "". */
static lw_status add_network(lwi_checkpoint *file, const lwi_network *network, const char *prefix,
                             lw_store *store)
{
    if (network->tensorflow)
        return lwi_tensorflow_convert(file, network, prefix, store);
    for (size_t i = 0; i < network->count; i++) {
        const lwi_named_tensor *tensor = &file->tensors[network->first + i];
        char name[LONGEST_NAME];
        if (snprintf(name, sizeof name, "%s%s", prefix, tensor->name) >= (int)sizeof name)
            return lw_fail(LW_FORMAT, "'%s': the name of tensor '%s' is too long", file->name, tensor->name);
        lwi_entry *entry = lwi_store_add(store, name, tensor->shape);
        if (!entry)
            return lw_wrap("'%s'", file->name);
        lwi_entry_defer(entry, &file->origin, tensor);
        if (!file->mine) /* borrowed bytes may go before the store does */
            LW_TRY(lwi_entry_refresh(entry));
    }
    return LW_OK;
}

static lw_status set_json(lw_store *store, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    lw_status status = text ? lw_store_set_metadata(store, key, text) : lw_fail(LW_MEMORY, "out of memory");
    free(text);
    return status;
}

/* The arguments that stand for the file's: the primary network's, else what the training script kept. */
static lw_status set_config(lwi_checkpoint *file, const lwi_network *network, lw_store *store)
{
    static const char *const kept[] = {"config", "args", "opt", "training_options"};
    const json_t *config = network ? network->config : NULL;
    for (size_t i = 0; !config && i < sizeof kept / sizeof kept[0]; i++) {
        const json_t *value = json_object_get(file->others, kept[i]);
        config = json_is_object(value) ? value : NULL;
    }
    return config ? set_json(store, "config", config) : LW_OK;
}

/* A flat file keeps its networks as prefixes: "G." in front of the generator's names. *found: it has some. */
static lw_status fill_prefixed(lwi_checkpoint *file, const char *wanted, lw_store *store, bool *found)
{
    char prefix[LONGEST_NAME];
    snprintf(prefix, sizeof prefix, "%s.", wanted);
    lw_store *all = lw_store_create();
    lw_status status = all ? add_network(file, &file->networks[0], "", all) : LW_MEMORY;
    if (status == LW_OK)
        status = lw_store_merge(store, all, prefix);
    *found = lw_store_count(store) > 0;
    lw_store_destroy(all);
    return status;
}

static lw_status fill_one(lwi_checkpoint *file, const char *wanted, lw_store *store)
{
    bool found = false;
    if (file->network_count == 1 && !*file->networks[0].name)
        LW_TRY(fill_prefixed(file, wanted, store, &found));
    if (found)
        return LW_OK;
    for (size_t i = 0; i < file->network_count; i++)
        if (strcmp(file->networks[i].name, wanted) == 0) {
            LW_TRY(set_config(file, &file->networks[i], store));
            return add_network(file, &file->networks[i], "", store);
        }
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < file->network_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'", i ? ", " : "",
                                 file->networks[i].name);
    return lw_fail(LW_NOT_FOUND, "'%s' holds no network '%s'; it has %s", file->name, wanted, names);
}

static lw_status fill_all(lwi_checkpoint *file, lw_store *store)
{
    LW_TRY(set_config(file, lwi_checkpoint_primary(file), store));
    for (size_t i = 0; i < file->network_count; i++) {
        const lwi_network *network = &file->networks[i];
        char prefix[LONGEST_NAME / 2], key[LONGEST_NAME];
        snprintf(prefix, sizeof prefix, "%s%s", network->name, *network->name ? "." : "");
        if (network->tensorflow)
            snprintf(prefix, sizeof prefix, "%s", lwi_tensorflow_prefix(file, network));
        snprintf(key, sizeof key, "config.%s", network->name);
        if (network->config && *network->name)
            LW_TRY(set_json(store, key, network->config));
        LW_TRY(add_network(file, network, prefix, store));
    }
    return LW_OK;
}

/* What the file's metadata say of the network, or of all: "config.NETWORK" is the one network's "config". */
static lw_status copy_metadata(const lwi_checkpoint *file, const char *network, lw_store *store)
{
    static const char of_network[] = "config.";
    const size_t length = sizeof of_network - 1;
    const char *key, *value, *own = NULL;
    for (size_t i = 0; file->metadata && lwi_store_metadata_at(file->metadata, i, &key, &value); i++) {
        const bool config = network && strncmp(key, of_network, length) == 0;
        if (config && strcmp(key + length, network) == 0)
            own = value;
        if (!config && !(network && lwi_manifest_of_another(key, network)))
            LW_TRY(lw_store_set_metadata(store, key, value));
    }
    return own ? lw_store_set_metadata(store, "config", own) : LW_OK;
}

lw_store *lwi_checkpoint_store(lwi_checkpoint *file, const char *network)
{
    lw_store *store = lw_store_create();
    if (!store)
        return NULL;
    lw_status status = network ? fill_one(file, network, store) : fill_all(file, store);
    if (status == LW_OK)
        status = copy_metadata(file, network, store);
    if (status == LW_OK)
        return store;
    lw_store_destroy(store);
    return NULL;
}

lw_store *lwi_weights_load(const char *path)
{
    lwi_checkpoint *file = lwi_checkpoint_open(path);
    lw_store *store = file ? lwi_checkpoint_store(file, NULL) : NULL;
    lwi_checkpoint_close(file);
    return store;
}
