/* store.c — an ordered set of named tensors, found by name through an open-addressing hash table. */
#include "tensor/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct text_pair {
    char *key;
    char *value;
} text_pair;

struct lw_store {
    lwi_entry **entries; /* in the order they were added; each its own allocation, so addresses stay */
    size_t count, capacity;
    uint32_t *slots; /* index + 1 of an entry, 0 is free; slot_count is a power of two, at most half full */
    size_t slot_count;
    text_pair *metadata;
    size_t metadata_count;
};

static const uint64_t fnv_start = 0xcbf29ce484222325u, fnv_prime = 0x100000001b3u;

/* FNV-1a, 64 bits. */
static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * fnv_prime;
    return hash;
}

lw_store *lw_store_create(void)
{
    return lw_alloc(1, sizeof(lw_store));
}

void lwi_origin_release(lwi_origin *origin)
{
    if (origin && --origin->references == 0)
        origin->close(origin);
}

static void forget_origin(lwi_entry *entry)
{
    lwi_origin *origin = entry->origin;
    entry->origin = NULL;
    lwi_origin_release(origin);
}

void lwi_entry_defer(lwi_entry *entry, lwi_origin *origin, const void *item)
{
    origin->references++;
    entry->origin = origin;
    entry->item = item;
    entry->device_stale = true;
    entry->version = 1;
}

static void entry_destroy(lwi_entry *entry)
{
    forget_origin(entry);
    if (entry->release)
        entry->release(entry);
    lw_tensor_destroy(entry->tensor);
    lw_free(entry->name);
    lw_free(entry);
}

void lw_store_destroy(lw_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->count; i++)
        entry_destroy(store->entries[i]);
    for (size_t i = 0; i < store->metadata_count; i++) {
        lw_free(store->metadata[i].key);
        lw_free(store->metadata[i].value);
    }
    lw_free(store->entries);
    lw_free(store->slots);
    lw_free(store->metadata);
    lw_free(store);
}

/* The slot that holds `name`, or the free one where it belongs. The table has a free slot. */
static uint32_t *find_slot(const lw_store *store, const char *name)
{
    size_t mask = store->slot_count - 1;
    size_t i = fnv(fnv_start, name, strlen(name)) & mask;
    while (store->slots[i] && strcmp(store->entries[store->slots[i] - 1]->name, name) != 0)
        i = (i + 1) & mask;
    return &store->slots[i];
}

static lwi_entry *find(const lw_store *store, const char *name)
{
    if (store->slot_count == 0)
        return NULL;
    uint32_t index = *find_slot(store, name);
    return index ? store->entries[index - 1] : NULL;
}

lwi_entry *lwi_store_entry(lw_store *store, const char *name)
{
    return find(store, name);
}

lwi_entry *lwi_store_entry_at(lw_store *store, size_t index)
{
    return store->entries[index];
}

/* Makes room for one more entry and its slot. On failure the store is as it was. */
static lw_status reserve(lw_store *store)
{
    if (store->count == store->capacity) {
        size_t capacity = store->capacity ? store->capacity * 2 : 16;
        lwi_entry **entries = lw_resize(store->entries, capacity, sizeof *entries);
        if (!entries)
            return LW_MEMORY;
        store->entries = entries;
        store->capacity = capacity;
    }
    if (store->count * 2 >= store->slot_count) {
        size_t slot_count = store->slot_count ? store->slot_count * 2 : 32;
        uint32_t *slots = lw_alloc(slot_count, sizeof *slots);
        if (!slots)
            return LW_MEMORY;
        lw_free(store->slots);
        store->slots = slots;
        store->slot_count = slot_count;
        for (size_t i = 0; i < store->count; i++)
            *find_slot(store, store->entries[i]->name) = (uint32_t)i + 1;
    }
    return LW_OK;
}

lwi_entry *lwi_store_add(lw_store *store, const char *name, lw_shape shape)
{
    if (name[0] == '\0' || strcmp(name, "__metadata__") == 0) {
        lw_fail(LW_INVALID, "a tensor cannot be named '%s'", name);
        return NULL;
    }
    if (find(store, name)) {
        lw_fail(LW_INVALID, "there is already a tensor named '%s'", name);
        return NULL;
    }
    lwi_entry *entry = reserve(store) == LW_OK ? lw_alloc(1, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    entry->name = lw_strdup(name);
    entry->tensor = entry->name ? lwi_tensor_create_unset(shape) : NULL;
    if (!entry->tensor) {
        lw_wrap("cannot add tensor '%s'", name);
        entry_destroy(entry);
        return NULL;
    }
    store->entries[store->count++] = entry;
    *find_slot(store, name) = (uint32_t)store->count;
    return entry;
}

size_t lw_store_count(const lw_store *store)
{
    return store->count;
}

const char *lw_store_name(const lw_store *store, size_t index)
{
    return index < store->count ? store->entries[index]->name : NULL;
}

bool lw_store_has(const lw_store *store, const char *name)
{
    return find(store, name) != NULL;
}

lw_status lw_store_shape(const lw_store *store, const char *name, lw_shape *shape)
{
    const lwi_entry *entry = find(store, name);
    if (!entry)
        return lw_fail(LW_NOT_FOUND, "there is no tensor named '%s'", name);
    *shape = entry->tensor->shape;
    return LW_OK;
}

lw_status lwi_entry_refresh(lwi_entry *entry)
{
    if (entry->origin) {
        if (entry->origin->load(entry->origin, entry->item, entry->tensor->data) != LW_OK)
            return lw_wrap("cannot read tensor '%s'", entry->name);
        forget_origin(entry);
    }
    if (entry->host_stale) {
        if (entry->read_back(entry) != LW_OK)
            return lw_wrap("cannot read tensor '%s' back from the device", entry->name);
        entry->host_stale = false;
    }
    return LW_OK;
}

const lw_tensor *lw_store_get(lw_store *store, const char *name)
{
    lwi_entry *entry = find(store, name);
    if (!entry) {
        lw_fail(LW_NOT_FOUND, "there is no tensor named '%s'", name);
        return NULL;
    }
    return lwi_entry_refresh(entry) == LW_OK ? entry->tensor : NULL;
}

lw_status lw_store_set(lw_store *store, const char *name, lw_shape shape, const float *data)
{
    lwi_entry *entry = find(store, name);
    if (!entry)
        entry = lwi_store_add(store, name, shape);
    if (!entry)
        return lw_error_status();
    if (!lw_shape_equal(entry->tensor->shape, shape)) {
        char had[LW_SHAPE_TEXT], given[LW_SHAPE_TEXT];
        return lw_fail(LW_SHAPE, "tensor '%s' has the shape %s; values of shape %s cannot replace it", name,
                       lw_shape_text(entry->tensor->shape, had), lw_shape_text(shape, given));
    }
    if (entry->settle)
        LW_TRY(entry->settle(entry));
    size_t size = (size_t)lw_shape_count(shape) * sizeof *data;
    forget_origin(entry);
    if (data && size)
        memmove(entry->tensor->data, data, size);
    else if (size)
        memset(entry->tensor->data, 0, size);
    entry->host_stale = false;
    entry->device_stale = true;
    entry->version++;
    return LW_OK;
}

lw_status lw_store_clear(lw_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        LW_TRY(lw_store_set(store, store->entries[i]->name, store->entries[i]->tensor->shape, NULL));
    return LW_OK;
}

/* What still lies in a file stays there. */
static lw_status copy_entry(lw_store *store, const char *name, lwi_entry *from)
{
    if (!from->origin || find(store, name)) {
        LW_TRY(lwi_entry_refresh(from));
        return lw_store_set(store, name, from->tensor->shape, from->tensor->data);
    }
    lwi_entry *entry = lwi_store_add(store, name, from->tensor->shape);
    if (!entry)
        return lw_error_status();
    lwi_entry_defer(entry, from->origin, from->item);
    return LW_OK;
}

lw_status lw_store_copy(lw_store *store, const char *name, lw_store *from, const char *from_name)
{
    lwi_entry *entry = find(from, from_name);
    return entry ? copy_entry(store, name, entry)
                 : lw_fail(LW_NOT_FOUND, "there is no tensor named '%s'", from_name);
}

lw_status lw_store_merge(lw_store *store, lw_store *from, const char *prefix)
{
    size_t length = strlen(prefix), count = from->count;
    for (size_t i = 0; i < count; i++) {
        lwi_entry *entry = from->entries[i];
        if (strncmp(entry->name, prefix, length) != 0)
            continue;
        LW_TRY(copy_entry(store, entry->name + length, entry));
    }
    return LW_OK;
}

/* --- metadata: a handful of texts, so a plain list ------------------------------------------- */

static text_pair *find_metadata(const lw_store *store, const char *key)
{
    for (size_t i = 0; i < store->metadata_count; i++) {
        if (strcmp(store->metadata[i].key, key) == 0)
            return &store->metadata[i];
    }
    return NULL;
}

const char *lw_store_metadata(const lw_store *store, const char *key)
{
    const text_pair *pair = find_metadata(store, key);
    return pair ? pair->value : NULL;
}

bool lwi_store_metadata_at(const lw_store *store, size_t index, const char **key, const char **value)
{
    if (index >= store->metadata_count)
        return false;
    *key = store->metadata[index].key;
    *value = store->metadata[index].value;
    return true;
}

lw_status lw_store_set_metadata(lw_store *store, const char *key, const char *value)
{
    text_pair *pair = find_metadata(store, key);
    char *new_value = lw_strdup(value);
    if (!new_value)
        return LW_MEMORY;
    if (pair) {
        lw_free(pair->value);
        pair->value = new_value;
        return LW_OK;
    }
    char *new_key = lw_strdup(key);
    text_pair *grown = new_key ? lw_resize(store->metadata, store->metadata_count + 1, sizeof *grown) : NULL;
    if (!grown) {
        lw_free(new_key);
        lw_free(new_value);
        return LW_MEMORY;
    }
    store->metadata = grown;
    store->metadata[store->metadata_count++] = (text_pair){.key = new_key, .value = new_value};
    return LW_OK;
}

lw_status lw_store_hash(lw_store *store, char *hash)
{
    uint64_t sum = fnv_start;
    for (size_t i = 0; i < store->count; i++) {
        lwi_entry *entry = store->entries[i];
        LW_TRY(lwi_entry_refresh(entry));
        const lw_tensor *tensor = entry->tensor;
        sum = fnv(sum, entry->name, strlen(entry->name) + 1);
        sum = fnv(sum, &tensor->shape.rank, sizeof tensor->shape.rank);
        sum = fnv(sum, tensor->shape.dim, sizeof tensor->shape.dim[0] * (size_t)tensor->shape.rank);
        sum = fnv(sum, tensor->data, sizeof *tensor->data * (size_t)lw_shape_count(tensor->shape));
    }
    snprintf(hash, 17, "%016" PRIx64, sum);
    return LW_OK;
}
