/* checkpoint.c — opening a file by what it contains, reading its tensors, and giving them as a store. */
#include "checkpoint/internal.h"

#include <stdio.h>
#include <string.h>

#include "tensor/npy.h"
#include "tensor/safetensors.h"

/* Elements of all tensors together, per byte of the file: they may share storages, but not without end. */
enum { MOST_SHARING = 4, LONGEST_NAME = 1100 };
static const size_t largest_file = (size_t)1 << 37;

/* --- building the list of networks ------------------------------------------------------------------ */

static lw_status make_room(void **items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return LW_OK;
    size_t more = *room ? *room * 2 : 16;
    void *grown = lw_resize(*items, more, size);
    if (!grown)
        return LW_MEMORY;
    *items = grown;
    *room = more;
    return LW_OK;
}

static const char *keep_text(lwi_checkpoint *file, const char *text)
{
    char *copy = lwi_pickle_alloc(&file->pickle, strlen(text) + 1);
    if (copy)
        memcpy(copy, text, strlen(text) + 1);
    return copy;
}

lw_status lwi_checkpoint_add_network(lwi_checkpoint *file, const char *name, const char *class_name)
{
    LW_TRY(make_room((void **)&file->networks, file->network_count, &file->network_room,
                     sizeof *file->networks));
    const char *own = keep_text(file, name);
    if (!own)
        return LW_MEMORY;
    file->networks[file->network_count++] =
        (lwi_network){.name = own, .class_name = class_name, .first = file->tensor_count};
    return LW_OK;
}

lw_status lwi_checkpoint_add_tensor(lwi_checkpoint *file, const char *name, lwi_named_tensor like)
{
    LW_TRY(make_room((void **)&file->tensors, file->tensor_count, &file->tensor_room, sizeof *file->tensors));
    like.name = keep_text(file, name);
    if (!like.name)
        return LW_MEMORY;
    file->elements += (uint64_t)lw_shape_count(like.shape);
    if (like.lazy && file->elements > (uint64_t)file->size * MOST_SHARING)
        return lw_fail(LW_FORMAT,
                       "'%s': its tensors share storages so often that they are many times larger than the "
                       "file",
                       file->name);
    file->tensors[file->tensor_count++] = like;
    file->networks[file->network_count - 1].count++;
    return LW_OK;
}

/* --- containers ----------------------------------------------------------------------------------------- */

static lw_status walk(lwi_checkpoint *file, lwi_pvalue *root)
{
    if (!root)
        return lw_error_status();
    LW_TRY(lwi_pickle_check(&file->pickle, root));
    return lwi_checkpoint_walk(file, root);
}

static lw_status open_legacy(lwi_checkpoint *file)
{
    file->container = "PyTorch legacy";
    return walk(file, lwi_legacy_read(&file->pickle, file->data, file->size, 0));
}

static lw_status open_pickle(lwi_checkpoint *file)
{
    size_t at = 0;
    lwi_pvalue *root = lwi_pickle_read(&file->pickle, file->data, file->size, &at, 0);
    if (!root)
        return lw_error_status();
    if (at != file->size)
        return lw_fail(LW_FORMAT, "'%s' goes on after the end of its pickle, at byte %zu", file->name, at);
    if (file->pickle.storages)
        return lw_fail(LW_FORMAT,
                       "'%s': the storage at byte %zu is of a PyTorch file, but this is a bare pickle",
                       file->name, file->pickle.storages->at);
    file->container = "pickle";
    LW_TRY(walk(file, root));
    file->container = file->networks[0].tensorflow ? "TensorFlow-era pickle" : "NVIDIA pickle";
    return LW_OK;
}

static size_t element_size(const lwi_pstorage *storage)
{
    return storage->element == LWI_ELEMENTS ? 1 : lwi_element_size(storage->element);
}

/* Each storage's entry must hold it. */
static lw_status place_storages(lwi_checkpoint *file, const char *root)
{
    for (lwi_pstorage *one = file->pickle.storages; one; one = one->next) {
        char path[LONGEST_NAME];
        int length = snprintf(path, sizeof path, "%sdata/%.*s", root,
                              (int)(one->key_length < 512 ? one->key_length : 512), one->key);
        const lwi_zip_entry *entry = length < (int)sizeof path ? lwi_zip_find(file->zip, path) : NULL;
        if (!entry)
            return lw_fail(LW_FORMAT,
                           "'%s': the storage named at byte %zu of data.pkl has no entry in the archive",
                           file->name, one->at);
        size_t size = element_size(one);
        if ((uint64_t)one->whole > entry->size / size)
            return lw_fail(LW_FORMAT,
                           "'%s': the storage named at byte %zu of data.pkl has %lld elements of %zu bytes, "
                           "but '%s' has %zu bytes",
                           file->name, one->at, (long long)one->whole, size, entry->name, entry->size);
        one->entry = (size_t)(entry - lwi_zip_at(file->zip, 0));
    }
    return LW_OK;
}

/* <root>/data.pkl, <root>/data/KEY; <root> is anything. TorchScript has <root>/constants.pkl too. */
static lw_status open_torch_zip(lwi_checkpoint *file, const lwi_zip_entry *pickle)
{
    char root[LONGEST_NAME], constants[LONGEST_NAME + 16];
    size_t at = 0;
    snprintf(root, sizeof root, "%.*s", (int)(strlen(pickle->name) - strlen("data.pkl")), pickle->name);
    snprintf(constants, sizeof constants, "%sconstants.pkl", root);
    file->container = lwi_zip_find(file->zip, constants) ? "TorchScript archive" : "PyTorch zip";
    LW_TRY(lwi_zip_read(file->zip, pickle, &file->unpacked));
    lwi_pvalue *value = lwi_pickle_read(&file->pickle, file->unpacked, pickle->size, &at, 0);
    if (!value)
        return lw_wrap("'%s' in '%s'", pickle->name, file->name);
    LW_TRY(place_storages(file, root));
    return walk(file, value);
}

/* --- arrays ----------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* A .npy file's bytes as a tensor named as the file, without folder and ending. */
static lw_status add_array(lwi_checkpoint *file, const char *path, const uint8_t *data, size_t size)
{
    char name[LONGEST_NAME], label[LONGEST_NAME * 2];
    snprintf(name, sizeof name, "%s", path);
    if (ends_with(name, ".npy"))
        name[strlen(name) - 4] = '\0';
    snprintf(label, sizeof label, "%s%s%s", file->zip ? path : "", file->zip ? "' in '" : "", file->name);
    lw_tensor *array = lwi_npy_parse(data, size, label);
    if (!array)
        return lw_error_status();
    file->arrays[file->array_count++] = array;
    return lwi_checkpoint_add_tensor(file, *name ? name : "array",
                                     (lwi_named_tensor){.element = lwi_npy_element(data, size, label),
                                                        .shape = array->shape,
                                                        .loaded = array});
}

static lw_status open_npy(lwi_checkpoint *file)
{
    const char *slash = strrchr(file->name, '/');
    file->container = "NumPy array";
    file->arrays = lw_alloc(1, sizeof(lw_tensor *));
    if (!file->arrays)
        return LW_MEMORY;
    LW_TRY(lwi_checkpoint_add_network(file, "", NULL));
    return add_array(file, slash ? slash + 1 : file->name, file->data, file->size);
}

static lw_status open_npz(lwi_checkpoint *file)
{
    file->container = "NumPy archive";
    file->arrays = lw_alloc(lwi_zip_count(file->zip), sizeof(lw_tensor *));
    if (!file->arrays)
        return LW_MEMORY;
    LW_TRY(lwi_checkpoint_add_network(file, "", NULL));
    for (size_t i = 0; i < lwi_zip_count(file->zip); i++) {
        const lwi_zip_entry *entry = lwi_zip_at(file->zip, i);
        uint8_t *data = NULL;
        LW_TRY(lwi_zip_read(file->zip, entry, &data));
        lw_status status = add_array(file, entry->name, data, entry->size);
        lw_free(data);
        LW_TRY(status);
    }
    return LW_OK;
}

static lw_status open_zip(lwi_checkpoint *file)
{
    file->zip = lwi_zip_open(file->data, file->size, file->name);
    if (!file->zip)
        return lw_error_status();
    const lwi_zip_entry *pickle = NULL;
    bool arrays = lwi_zip_count(file->zip) > 0;
    for (size_t i = 0; i < lwi_zip_count(file->zip); i++) {
        const lwi_zip_entry *entry = lwi_zip_at(file->zip, i);
        arrays = arrays && ends_with(entry->name, ".npy");
        if (!ends_with(entry->name, "/data.pkl"))
            continue;
        if (pickle)
            return lw_fail(LW_FORMAT, "'%s' has two pickles, '%s' and '%s'", file->name, pickle->name,
                           entry->name);
        pickle = entry;
    }
    if (pickle)
        return open_torch_zip(file, pickle);
    if (arrays)
        return open_npz(file);
    return lw_fail(LW_UNSUPPORTED,
                   "'%s' is a zip archive with neither a data.pkl (PyTorch) nor only .npy arrays (NumPy)",
                   file->name);
}

/* Its elements where they lie in the file. */
static lw_status add_contiguous(void *user, const char *name, lwi_element element, lw_shape shape,
                                const uint8_t *data)
{
    lwi_checkpoint *file = user;
    lwi_pstorage *storage = lwi_pickle_alloc(&file->pickle, sizeof *storage);
    lwi_ptensor *tensor = lwi_pickle_alloc(&file->pickle, sizeof *tensor);
    if (!storage || !tensor)
        return LW_MEMORY;
    int64_t count = 1;
    *tensor = (lwi_ptensor){.storage = storage, .element = element, .shape = shape};
    for (int i = shape.rank; i-- > 0; count *= shape.dim[i])
        tensor->stride[i] = count;
    *storage = (lwi_pstorage){.element = element, .count = count, .whole = count, .data = data};
    return lwi_checkpoint_add_tensor(file, name,
                                     (lwi_named_tensor){.element = element, .shape = shape, .lazy = tensor});
}

static lw_status open_safetensors(lwi_checkpoint *file)
{
    file->container = "safetensors";
    file->metadata = lw_store_create();
    if (!file->metadata)
        return LW_MEMORY;
    LW_TRY(lwi_checkpoint_add_network(file, "", NULL));
    LW_TRY(lwi_safetensors_walk(file->data, file->size, file->name, file->metadata, add_contiguous, file));
    const char *config = lw_store_metadata(file->metadata, "config");
    if (config)
        file->networks[0].config = json_loads(config, 0, NULL);
    return LW_OK;
}

/* --- telling them apart ----------------------------------------------------------------------- */

static bool starts(const lwi_checkpoint *file, const char *bytes, size_t size)
{
    return file->size >= size && memcmp(file->data, bytes, size) == 0;
}

static lw_status open_by_content(lwi_checkpoint *file)
{
    const uint8_t *data = file->data;
    if (starts(file, "PK\3\4", 4) || starts(file, "PK\5\6", 4))
        return open_zip(file);
    if (lwi_legacy_is(data, file->size))
        return open_legacy(file);
    if (starts(file, "\x93NUMPY", 6))
        return open_npy(file);
    if (file->size > 262 && memcmp(data + 257, "ustar", 5) == 0)
        return lw_fail(LW_UNSUPPORTED,
                       "'%s' is a tar archive as PyTorch 0.1 wrote them until 2017; load and save it once "
                       "with a PyTorch between 0.2 and 2.0",
                       file->name);
    if (starts(file, "\x89HDF", 4))
        return lw_fail(LW_UNSUPPORTED,
                       "'%s' is an HDF5 file; no official repository of these networks writes such",
                       file->name);
    if (file->size > 8 && data[8] == '{' &&
        memcmp(data + 4, "\0\0\0\0", 4) == 0) /* a header below 4 GiB, of JSON */
        return open_safetensors(file);
    if (file->size > 0 && memchr("\x80(}])c", data[0], 6))
        return open_pickle(file);
    return lw_fail(LW_FORMAT,
                   "'%s' is no checkpoint: neither a PyTorch file (zip or legacy), a pickle, .npy, .npz nor "
                   ".safetensors",
                   file->name);
}

static void release(lwi_origin *origin)
{
    lwi_checkpoint *file = (lwi_checkpoint *)origin; /* its first member */
    for (size_t i = 0; i < file->network_count; i++)
        json_decref(file->networks[i].config);
    for (size_t i = 0; i < file->array_count; i++)
        lw_tensor_destroy(file->arrays[i]);
    lw_free(file->arrays);
    lw_free(file->networks);
    lw_free(file->tensors);
    lw_free(file->inflated);
    lw_store_destroy(file->metadata);
    lwi_zip_close(file->zip);
    lwi_pickle_free(&file->pickle);
    lw_free(file->unpacked);
    json_decref(file->others);
    if (file->mine) {
        lwi_map_close(&file->map);
        lw_free((char *)(uintptr_t)file->name);
    }
    lw_free(file);
}

static lw_status load(lwi_origin *origin, const void *item, float *out)
{
    return lwi_checkpoint_read((lwi_checkpoint *)origin, item, out);
}

lwi_checkpoint *lwi_checkpoint_parse(const uint8_t *data, size_t size, const char *name)
{
    lwi_checkpoint *file = lw_alloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->origin = (lwi_origin){1, load, release};
    file->name = name;
    file->data = data;
    file->size = size;
    file->others = json_object();
    lwi_pickle_init(&file->pickle, name);
    if (open_by_content(file) == LW_OK)
        return file;
    lwi_checkpoint_close(file);
    return NULL;
}

lwi_checkpoint *lwi_checkpoint_open(const char *path)
{
    lwi_mapped map;
    char *name = lw_strdup(path);
    if (!name || lwi_map_open(&map, path, largest_file) != LW_OK) {
        lw_free(name);
        return NULL;
    }
    lwi_checkpoint *file = lwi_checkpoint_parse(map.data, map.size, name);
    if (file) {
        file->mine = true;
        file->map = map;
        return file;
    }
    lwi_map_close(&map);
    lw_free(name);
    return NULL;
}

void lwi_checkpoint_close(lwi_checkpoint *file)
{
    if (file)
        lwi_origin_release(&file->origin);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Makes file->storage the archive's entry, its checksum verified once: unpacked and kept until another is
 * asked for, or as it lies in the archive. */
static lw_status open_storage(lwi_checkpoint *file, size_t index)
{
    const lwi_zip_entry *entry = lwi_zip_at(file->zip, index);
    if (file->storage && file->storage_entry == index)
        return LW_OK;
    lw_free(file->inflated);
    file->storage = file->inflated = NULL;
    file->storage_entry = index;
    if (entry->method == 0)
        return lwi_zip_stored(file->zip, entry, &file->storage);
    LW_TRY(lwi_zip_read(file->zip, entry, &file->inflated));
    file->storage = file->inflated;
    return LW_OK;
}

/* The storage's first usable element. */
static const uint8_t *storage_data(lwi_checkpoint *file, const lwi_pstorage *storage)
{
    if (!storage->data && open_storage(file, storage->entry) != LW_OK)
        return NULL;
    return (storage->data ? storage->data : file->storage) + (size_t)storage->start * element_size(storage);
}

lw_status lwi_checkpoint_read(lwi_checkpoint *file, const lwi_named_tensor *tensor, float *out)
{
    if (tensor->loaded) {
        memcpy(out, tensor->loaded->data, (size_t)lw_shape_count(tensor->shape) * sizeof *out);
        return LW_OK;
    }
    const uint8_t *data = NULL;
    if (!file->mine || lwi_map_check(&file->map, file->name) == LW_OK)
        data = storage_data(file, tensor->lazy->storage);
    if (!data)
        return lw_wrap("cannot read tensor '%s'", tensor->name);
    lwi_ptensor_copy(tensor->lazy, data, out);
    if (file->mine)
        lwi_map_forget(&file->map, data,
                       (size_t)tensor->lazy->storage->count * element_size(tensor->lazy->storage));
    return LW_OK;
}

const char *lwi_checkpoint_container(const lwi_checkpoint *file)
{
    return file->container;
}

size_t lwi_checkpoint_network_count(const lwi_checkpoint *file)
{
    return file->network_count;
}

const lwi_network *lwi_checkpoint_network(const lwi_checkpoint *file, size_t index)
{
    return &file->networks[index];
}

const lwi_named_tensor *lwi_checkpoint_tensor(const lwi_checkpoint *file, size_t index)
{
    return &file->tensors[index];
}

const json_t *lwi_checkpoint_others(const lwi_checkpoint *file)
{
    return file->others;
}
