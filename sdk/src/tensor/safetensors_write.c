/* safetensors_write.c — writes a store as .safetensors: same names, values and metadata in the same
 * order, same bytes. */
#include "base/file_internal.h"
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

static json_t *describe_tensor(lw_shape shape, bool half, uint64_t begin, uint64_t end)
{
    json_t *dims = json_array();
    for (int i = 0; i < shape.rank; i++)
        dims = append(dims, shape.dim[i]);
    json_t *offsets = append(append(json_array(), (int64_t)begin), (int64_t)end);
    return json_pack("{s:s, s:o, s:o}", "dtype", half ? "F16" : "F32", "shape", dims, "data_offsets",
                     offsets);
}

static lw_status describe_store(lw_store *store, bool half, json_t *header)
{
    LW_TRY(describe_metadata(store, header));
    uint64_t at = 0;
    for (size_t i = 0; i < lw_store_count(store); i++) {
        const lwi_entry *entry = lwi_store_entry_at(store, i);
        uint64_t size = (uint64_t)lw_shape_count(entry->tensor->shape) * (half ? 2 : 4);
        json_t *tensor = describe_tensor(entry->tensor->shape, half, at, at + size);
        if (json_object_set_new(header, entry->name, tensor) != 0)
            return lw_fail(LW_INVALID, "the tensor name '%s' is not valid UTF-8", entry->name);
        at += size;
    }
    return LW_OK;
}

/* The length, then the JSON, padded with spaces so that the data starts at a multiple of 8. */
static lw_status write_header(lw_store *store, bool half, lwi_writer *writer)
{
    json_t *header = json_object();
    if (!header)
        return lw_fail(LW_MEMORY, "out of memory");
    lw_status status = describe_store(store, half, header);
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

/* A finite number that half precision cannot hold is an error: it would come back as infinity. */
static lw_status write_half(const lwi_entry *entry, lwi_writer *writer)
{
    uint16_t halves[CHUNK];
    size_t count = (size_t)lw_shape_count(entry->tensor->shape);
    const float *data = entry->tensor->data;
    for (size_t start = 0; start < count; start += CHUNK) {
        size_t n = count - start < CHUNK ? count - start : CHUNK;
        for (size_t i = 0; i < n; i++) {
            float value = data[start + i];
            halves[i] = lwi_half_of_float(value);
            if ((halves[i] & 0x7fff) == 0x7c00 && isfinite(value))
                return lw_fail(LW_NUMERIC,
                               "element %zu of tensor '%s' is %g, too large for half precision (65504)",
                               start + i, entry->name, (double)value);
        }
        LW_TRY(lwi_writer_put(writer, halves, n * sizeof halves[0]));
    }
    return LW_OK;
}

static lw_status write_store(lw_store *store, bool half, lwi_writer *writer)
{
    LW_TRY(write_header(store, half, writer));
    for (size_t i = 0; i < lw_store_count(store); i++) {
        lwi_entry *entry = lwi_store_entry_at(store, i);
        LW_TRY(lwi_entry_refresh(entry));
        size_t count = (size_t)lw_shape_count(entry->tensor->shape);
        LW_TRY(half ? write_half(entry, writer)
                    : lwi_writer_put(writer, entry->tensor->data, count * sizeof *entry->tensor->data));
    }
    return LW_OK;
}

lw_status lw_store_save(lw_store *store, const char *path, bool half)
{
    lwi_writer writer;
    LW_TRY(lwi_writer_open(&writer, path));
    if (write_store(store, half, &writer) != LW_OK) {
        lwi_writer_abandon(&writer);
        return lw_wrap("cannot save '%s'", path);
    }
    return lwi_writer_commit(&writer);
}
