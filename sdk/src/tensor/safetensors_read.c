/* safetensors_read.c — reads .safetensors: an 8-byte length, that many bytes of JSON, then the data.
 *
 * Everything the JSON claims is checked against the bytes that are there before memory is reserved
 * for it. Every message ends in the place: the tensor, or the byte of the file. */
#include "tensor/safetensors.h"

#include "latentwalk/image.h"
#include "tensor/store_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

/* One tensor as the header describes it, checked. Offsets count from the start of the data. */
typedef struct record {
    const char *name; /* borrowed from the JSON */
    lwi_element element;
    lw_shape shape;
    uint64_t begin, end;
} record;

typedef struct reader {
    const char *name; /* of the file */
    const uint8_t *data;
    uint64_t data_size;
    uint64_t data_start; /* in the file, for messages */
    record *records;
    size_t count;
} reader;

static lw_status read_header(reader *in, const uint8_t *bytes, size_t size, json_t **header)
{
    if (size < LENGTH_BYTES)
        return lw_fail(LW_FORMAT,
                       "'%s' has %zu bytes; a .safetensors file starts with 8 for the length of its header",
                       in->name, size);
    uint64_t length = 0;
    for (int i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | bytes[i];
    if (length > HEADER_LIMIT)
        return lw_fail(LW_FORMAT,
                       "'%s' claims a header of %llu bytes at byte 0, more than the %d allowed: "
                       "probably not a .safetensors file",
                       in->name, (unsigned long long)length, HEADER_LIMIT);
    if (length > size - LENGTH_BYTES)
        return lw_fail(LW_FORMAT,
                       "'%s' is cut short: its header should end at byte %llu, the file at byte %zu does",
                       in->name, (unsigned long long)length + LENGTH_BYTES, size);
    if (length == 0 || bytes[LENGTH_BYTES] != '{')
        return lw_fail(LW_FORMAT, "the header of '%s' does not start with '{' at byte 8", in->name);
    json_error_t error;
    *header = json_loadb((const char *)bytes + LENGTH_BYTES, length, JSON_REJECT_DUPLICATES, &error);
    if (!*header)
        return lw_fail(LW_FORMAT, "the header of '%s' is not valid JSON: %s, near byte %d", in->name,
                       error.text, error.position + LENGTH_BYTES);
    in->data_start = length + LENGTH_BYTES;
    in->data = bytes + in->data_start;
    in->data_size = size - in->data_start;
    return LW_OK;
}

static lw_status read_metadata(const reader *in, json_t *object, lw_store *store)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return lw_fail(LW_FORMAT, "__metadata__ of '%s' is not a JSON object", in->name);
    json_object_foreach (object, key, value) {
        if (!json_is_string(value))
            return lw_fail(LW_FORMAT, "metadata '%s' of '%s' is not a string", key, in->name);
        LW_TRY(lw_store_set_metadata(store, key, json_string_value(value)));
    }
    return LW_OK;
}

static lw_status read_shape(const reader *in, json_t *list, record *tensor)
{
    if (!json_is_array(list))
        return lw_fail(LW_FORMAT, "tensor '%s' of '%s' has no list 'shape'", tensor->name, in->name);
    size_t rank = json_array_size(list);
    if (rank > LW_MAX_RANK)
        return lw_fail(LW_FORMAT, "tensor '%s' of '%s' has %zu dimensions; at most %d are supported",
                       tensor->name, in->name, rank, LW_MAX_RANK);
    tensor->shape.rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        json_t *dim = json_array_get(list, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return lw_fail(LW_FORMAT,
                           "dimension %zu of tensor '%s' of '%s' is not a whole number of at least 0", i,
                           tensor->name, in->name);
        tensor->shape.dim[i] = json_integer_value(dim);
    }
    if (lw_shape_count(tensor->shape) < 0)
        return lw_fail(LW_FORMAT, "tensor '%s' of '%s' has more elements than can be counted", tensor->name,
                       in->name);
    return LW_OK;
}

static lw_status read_offsets(const reader *in, json_t *list, record *tensor)
{
    json_t *begin = json_array_get(list, 0), *end = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return lw_fail(LW_FORMAT, "tensor '%s' of '%s' has no 'data_offsets' of two whole numbers",
                       tensor->name, in->name);
    json_int_t first = json_integer_value(begin), last = json_integer_value(end);
    if (first < 0 || last < first)
        return lw_fail(LW_FORMAT,
                       "tensor '%s' of '%s' has the offsets [%lld, %lld]; the first must be at least 0, "
                       "the second no less than the first",
                       tensor->name, in->name, (long long)first, (long long)last);
    tensor->begin = (uint64_t)first;
    tensor->end = (uint64_t)last;
    if (tensor->end > in->data_size)
        return lw_fail(LW_FORMAT,
                       "tensor '%s' of '%s' should end at byte %llu, but the file ends at byte %llu: cut "
                       "short?",
                       tensor->name, in->name, (unsigned long long)(in->data_start + tensor->end),
                       (unsigned long long)(in->data_start + in->data_size));
    return LW_OK;
}

static lw_status read_record(const reader *in, json_t *entry, record *tensor)
{
    if (!json_is_object(entry))
        return lw_fail(LW_FORMAT, "the entry of tensor '%s' of '%s' is not a JSON object", tensor->name,
                       in->name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return lw_fail(LW_FORMAT, "tensor '%s' of '%s' has no text 'dtype'", tensor->name, in->name);
    tensor->element = lwi_element_named(dtype);
    if (tensor->element == LWI_ELEMENTS)
        return lw_fail(LW_FORMAT,
                       "tensor '%s' of '%s' has the element type '%s'; supported are F64, F32, F16, BF16, "
                       "I64, I32, I16, I8, U64, U32, U16, U8, BOOL",
                       tensor->name, in->name, dtype);
    LW_TRY(read_shape(in, json_object_get(entry, "shape"), tensor));
    LW_TRY(read_offsets(in, json_object_get(entry, "data_offsets"), tensor));
    uint64_t count = (uint64_t)lw_shape_count(tensor->shape), size = lwi_element_size(tensor->element);
    uint64_t held = tensor->end - tensor->begin;
    if (count > in->data_size ||
        count * size != held) { /* the first test keeps the product from overflowing */
        char text[LW_SHAPE_TEXT];
        return lw_fail(LW_FORMAT,
                       "tensor '%s' of '%s' has the shape %s of %s, which does not fill its %llu bytes from "
                       "byte %llu",
                       tensor->name, in->name, lw_shape_text(tensor->shape, text), dtype,
                       (unsigned long long)held, (unsigned long long)(in->data_start + tensor->begin));
    }
    return LW_OK;
}

static lw_status read_records(reader *in, json_t *header, lw_store *store)
{
    const char *key;
    json_t *value;
    in->records = lw_alloc(json_object_size(header), sizeof *in->records);
    if (!in->records)
        return LW_MEMORY;
    json_object_foreach (header, key, value) {
        if (strcmp(key, "__metadata__") == 0) {
            LW_TRY(read_metadata(in, value, store));
            continue;
        }
        record *tensor = &in->records[in->count++];
        tensor->name = key;
        LW_TRY(read_record(in, value, tensor));
    }
    return LW_OK;
}

static int by_offset(const void *left, const void *right)
{
    const record *a = *(const record *const *)left, *b = *(const record *const *)right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* The tensors lie end to end and fill the data: neither overlaps nor holes. */
static lw_status check_layout(const reader *in, const record **sorted)
{
    uint64_t at = 0;
    const char *last = NULL;
    for (size_t i = 0; i < in->count; i++)
        sorted[i] = &in->records[i];
    qsort(sorted, in->count, sizeof *sorted, by_offset);
    for (size_t i = 0; i < in->count; i++) {
        const record *tensor = sorted[i];
        unsigned long long byte = in->data_start + tensor->begin;
        if (tensor->begin < at)
            return lw_fail(LW_FORMAT, "tensors '%s' and '%s' of '%s' overlap at byte %llu", last,
                           tensor->name, in->name, byte);
        if (tensor->begin > at)
            return lw_fail(LW_FORMAT,
                           "the %llu bytes before tensor '%s' of '%s' at byte %llu belong to no tensor",
                           (unsigned long long)(tensor->begin - at), tensor->name, in->name, byte);
        at = tensor->end;
        last = tensor->name;
    }
    if (at != in->data_size)
        return lw_fail(LW_FORMAT, "'%s' has %llu bytes after its last tensor, from byte %llu on", in->name,
                       (unsigned long long)(in->data_size - at), (unsigned long long)(in->data_start + at));
    return LW_OK;
}

static lw_status check(reader *in, json_t *header, lw_store *store)
{
    LW_TRY(read_records(in, header, store));
    const record **sorted = lw_alloc(in->count, sizeof *sorted);
    if (!sorted)
        return LW_MEMORY;
    lw_status status = check_layout(in, sorted);
    lw_free(sorted);
    return status;
}

lw_status lwi_safetensors_walk(const uint8_t *data, size_t size, const char *name, lw_store *store,
                               lwi_safetensors_found *found, void *user)
{
    reader in = {.name = name};
    json_t *header = NULL;
    lw_status status = read_header(&in, data, size, &header);
    if (status == LW_OK)
        status = check(&in, header, store);
    for (size_t i = 0; i < in.count && status == LW_OK; i++) {
        const record *tensor = &in.records[i];
        status = found(user, tensor->name, tensor->element, tensor->shape, in.data + tensor->begin);
        if (status != LW_OK)
            lw_wrap("cannot load '%s'", name);
    }
    lw_free(in.records);
    json_decref(header);
    return status;
}

static lw_status fill(void *store, const char *name, lwi_element element, lw_shape shape, const uint8_t *data)
{
    lwi_entry *entry = lwi_store_add(store, name, shape);
    if (!entry)
        return lw_error_status();
    lwi_element_to_float(element, data, (size_t)lw_shape_count(shape), entry->tensor->data);
    entry->device_stale = true;
    entry->version = 1;
    return LW_OK;
}

lw_store *lwi_safetensors_parse(const uint8_t *data, size_t size, const char *name)
{
    lw_store *store = lw_store_create();
    if (!store || lwi_safetensors_walk(data, size, name, store, fill, store) == LW_OK)
        return store;
    lw_store_destroy(store);
    return NULL;
}

lw_store *lw_store_load(const char *path)
{
    uint8_t *data;
    size_t size;
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        return NULL;
    lw_store *store = lwi_safetensors_parse(data, size, path);
    lw_free(data);
    return store;
}
