/* safetensors_write.c — writes a store as .safetensors: same names, values and metadata in the same
 * order, same bytes. */
#include "base/file_internal.h"
#include "tensor/element.h"
#include "tensor/half.h"
#include "tensor/store_internal.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are written as they lie in memory");

enum { LENGTH_BYTES = 8, ALIGNMENT = 8, CHUNK = 4096 };

static lw_status describe_metadata(const lw_store *store, json_t *header)
{
    const char *key, *value;
    if (!lwi_store_metadata_at(store, 0, &key, &value))
        return LW_OK;
    json_t *object = json_object();
    if (json_object_set_new(header, "__metadata__", object) != 0)
        return lw_fail(LW_MEMORY, "out of memory");
    for (size_t i = 0; lwi_store_metadata_at(store, i, &key, &value); i++) {
        if (json_object_set_new(object, key, json_string(value)) != 0)
            return lw_fail(LW_INVALID, "metadata '%s' is not valid UTF-8", key);
    }
    return LW_OK;
}

/* Takes `list` over; NULL if there is none or no memory. */
static json_t *append(json_t *list, int64_t number)
{
    if (list && json_array_append_new(list, json_integer(number)) != 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* 8 bits are for weights: biases, gains and running statistics are few, and keep 16. */
static lwi_element element_of(lw_shape shape, lw_storage storage)
{
    return storage == LW_STORE_F32                     ? LWI_F32
           : storage == LW_STORE_F16 || shape.rank < 2 ? LWI_F16
                                                       : LWI_F8_E4M3;
}

static json_t *describe_tensor(lw_shape shape, lwi_element element, uint64_t begin, uint64_t end)
{
    json_t *dims = json_array();
    for (int i = 0; i < shape.rank; i++)
        dims = append(dims, shape.dim[i]);
    json_t *offsets = append(append(json_array(), (int64_t)begin), (int64_t)end);
    return json_pack("{s:s, s:o, s:o}", "dtype", lwi_element_name(element), "shape", dims, "data_offsets",
                     offsets);
}

static lw_status describe_store(lw_store *store, lw_storage storage, json_t *header)
{
    LW_TRY(describe_metadata(store, header));
    uint64_t at = 0;
    for (size_t i = 0; i < lw_store_count(store); i++) {
        const lwi_entry *entry = lwi_store_entry_at(store, i);
        lw_shape shape = entry->tensor->shape;
        lwi_element element = element_of(shape, storage);
        uint64_t size = (uint64_t)lw_shape_count(shape) * lwi_element_size(element);
        json_t *tensor = describe_tensor(shape, element, at, at + size);
        if (json_object_set_new(header, entry->name, tensor) != 0)
            return lw_fail(LW_INVALID, "the tensor name '%s' is not valid UTF-8", entry->name);
        at += size;
    }
    return LW_OK;
}

/* The length, then the JSON, padded with spaces so that the data starts at a multiple of 8. */
static lw_status write_header(lw_store *store, lw_storage storage, lwi_writer *writer)
{
    json_t *header = json_object();
    if (!header)
        return lw_fail(LW_MEMORY, "out of memory");
    lw_status status = describe_store(store, storage, header);
    char *text = status == LW_OK ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (status != LW_OK)
        return status;
    if (!text)
        return lw_fail(LW_MEMORY, "out of memory");
    uint64_t length = strlen(text), padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT,
             total = length + padding;
    status = lwi_writer_put(writer, &total, LENGTH_BYTES);
    if (status == LW_OK)
        status = lwi_writer_put(writer, text, length);
    if (status == LW_OK)
        status = lwi_writer_put(writer, "       ", padding);
    free(text);
    return status;
}

/* The bytes of a number; false for a finite one that would not come back as one. */
static bool narrow(float value, lwi_element element, uint8_t *bytes)
{
    if (element == LWI_F8_E4M3) {
        *bytes = lwi_f8_of_float(value);
        return (*bytes & 0x7f) != 0x7f || !isfinite(value);
    }
    uint16_t half = lwi_half_of_float(value);
    memcpy(bytes, &half, sizeof half);
    return (half & 0x7fff) != 0x7c00 || !isfinite(value);
}

static lw_status write_narrow(const lwi_entry *entry, lwi_element element, lwi_writer *writer)
{
    uint8_t bytes[2 * CHUNK];
    size_t count = (size_t)lw_shape_count(entry->tensor->shape), size = lwi_element_size(element);
    const float *data = entry->tensor->data;
    for (size_t start = 0; start < count; start += CHUNK) {
        size_t n = count - start < CHUNK ? count - start : CHUNK;
        for (size_t i = 0; i < n; i++)
            if (!narrow(data[start + i], element, bytes + i * size))
                return lw_fail(LW_NUMERIC,
                               "element %zu of tensor '%s' is %g, too large for %s precision (%s)", start + i,
                               entry->name, (double)data[start + i], size == 2 ? "half" : "8-bit",
                               size == 2 ? "65504" : "448");
        LW_TRY(lwi_writer_put(writer, bytes, n * size));
    }
    return LW_OK;
}

static lw_status write_store(lw_store *store, lw_storage storage, lwi_writer *writer)
{
    LW_TRY(write_header(store, storage, writer));
    for (size_t i = 0; i < lw_store_count(store); i++) {
        lwi_entry *entry = lwi_store_entry_at(store, i);
        LW_TRY(lwi_entry_refresh(entry));
        size_t count = (size_t)lw_shape_count(entry->tensor->shape);
        lwi_element element = element_of(entry->tensor->shape, storage);
        LW_TRY(element != LWI_F32
                   ? write_narrow(entry, element, writer)
                   : lwi_writer_put(writer, entry->tensor->data, count * sizeof *entry->tensor->data));
    }
    return LW_OK;
}

lw_status lw_store_save(lw_store *store, const char *path, lw_storage storage)
{
    lwi_writer writer;
    LW_TRY(lwi_writer_open(&writer, path));
    if (write_store(store, storage, &writer) != LW_OK) {
        lwi_writer_abandon(&writer);
        return lw_wrap("cannot save '%s'", path);
    }
    return lwi_writer_commit(&writer);
}
