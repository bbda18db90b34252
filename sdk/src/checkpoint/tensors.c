/* tensors.c — PyTorch's and NumPy's tensors, from the arguments of the functions that rebuild them. Every
 * size is checked against the bytes that are there before anything is made of it. */
#include "checkpoint/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- storages ----------------------------------------------------------------------------------------- */

static lwi_pvalue *new_storage(lwi_machine *m, lwi_element element, int64_t count)
{
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_STORAGE);
    lwi_pstorage *storage = value ? lwi_pickle_alloc(m->pickle, sizeof *storage) : NULL;
    if (!storage)
        return NULL;
    *storage = (lwi_pstorage){.element = element, .count = count, .whole = count, .at = m->origin + m->op_at};
    value->storage = storage;
    return value;
}

/* ('storage', class, key, location, numel[, None or (view key, offset, numel)]), or ('module', class, …). */
lwi_pvalue *lwi_machine_persistent(lwi_machine *m, const lwi_pvalue *id)
{
    if (lwi_pvalue_is(lwi_item(id, 0), "module") && lwi_item(id, 1) && lwi_item(id, 1)->kind == LWI_P_GLOBAL)
        return lwi_item(id,
                        1); /* torch.save of a whole module: its class with its source, which is not read */
    const lwi_pvalue *key = lwi_item(id, 2), *view = lwi_item(id, 5);
    lwi_element element;
    int64_t count, start = 0, part;
    if (!lwi_pvalue_is(lwi_item(id, 0), "storage") || !lwi_global_element(lwi_item(id, 1), &element) ||
        !key || key->kind != LWI_P_TEXT || !lwi_int(lwi_item(id, 4), &count) || count < 0)
        return lwi_machine_refuse(m, "takes ('storage', class, key, location, count) of a known class");
    part = count;
    if (view && view->kind != LWI_P_NONE &&
        (!lwi_int(lwi_item(view, 1), &start) || !lwi_int(lwi_item(view, 2), &part) || start < 0 || part < 0 ||
         start > count || part > count - start))
        return lwi_machine_refuse(
            m, "takes a part of a storage of %" PRId64 " elements that is not inside it", count);
    lwi_pvalue *value = new_storage(m, element, part);
    if (!value)
        return NULL;
    value->storage->start = start;
    value->storage->whole = count;
    value->storage->key = key->text.at;
    value->storage->key_length = key->text.length;
    value->storage->next = m->pickle->storages;
    m->pickle->storages = value->storage;
    return value;
}

/* torch.storage._load_from_bytes: a complete file within, that holds nothing but a storage. */
lwi_pvalue *lwi_machine_storage_bytes(lwi_machine *m, const lwi_pvalue *args)
{
    const lwi_pvalue *bytes = lwi_item(args, 0);
    if (!bytes || (bytes->kind != LWI_P_BYTES && bytes->kind != LWI_P_TEXT))
        return lwi_machine_refuse(m, "calls torch.storage._load_from_bytes with something else than bytes");
    const uint8_t *data = (const uint8_t *)bytes->text.at;
    if (m->pickle->nested || !lwi_legacy_is(data, bytes->text.length))
        return lwi_machine_refuse(
            m, "calls torch.storage._load_from_bytes with bytes that are no legacy PyTorch file");
    /* Bytes that were decoded lie outside the pickle: their positions are told from their own start. */
    bool inside = data >= m->data && data < m->data + m->size;
    m->pickle->nested++;
    lwi_pvalue *value = lwi_legacy_read(m->pickle, data, bytes->text.length,
                                        inside ? m->origin + (size_t)(data - m->data) : 0);
    m->pickle->nested--;
    if (!value) {
        lw_wrap("'%s': the storage of %s at byte %zu", m->pickle->name, m->op, m->origin + m->op_at);
        return NULL;
    }
    if (value->kind != LWI_P_STORAGE)
        return lwi_machine_refuse(m, "loads bytes that hold something else than a storage");
    return value;
}

/* --- tensors -------------------------------------------------------------------------------------------- */

static bool read_sizes(const lwi_pvalue *tuple, int64_t *out, int *rank)
{
    if (!tuple || tuple->kind != LWI_P_TUPLE || tuple->list.count > LW_MAX_RANK)
        return false;
    *rank = (int)tuple->list.count;
    for (int i = 0; i < *rank; i++)
        if (!lwi_int(tuple->list.item[i], &out[i]) || out[i] < 0)
            return false;
    return true;
}

/* Whether every element lies within the storage's `held` elements, and no more elements are asked for than it
 * has: a stride of 0 makes a large tensor of one number, which no network needs. */
static bool lies_inside(const lwi_ptensor *t, int64_t held)
{
    int64_t count = lw_shape_count(t->shape), last = t->offset;
    if (count == 0)
        return t->offset >= 0;
    if (count < 0 || count > held || t->offset < 0)
        return false;
    for (int i = 0; i < t->shape.rank; i++) {
        int64_t reach;
        if (t->stride[i] < 0 || __builtin_mul_overflow(t->shape.dim[i] - 1, t->stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    }
    return last < held;
}

static lwi_pvalue *new_tensor(lwi_machine *m, const lwi_ptensor *given)
{
    char text[LW_SHAPE_TEXT];
    const lwi_pstorage *storage = given->storage;
    int64_t held = storage->count;
    if (storage->element == LWI_ELEMENTS)
        held /= (int64_t)lwi_element_size(given->element);
    if (!lies_inside(given, held))
        return lwi_machine_refuse(m,
                                  "makes a tensor of shape %s at element %" PRId64
                                  " that does not lie in its storage of %" PRId64 " elements",
                                  lw_shape_text(given->shape, text), given->offset, held);
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_TENSOR);
    if (!value || !(value->tensor = lwi_pickle_alloc(m->pickle, sizeof *value->tensor)))
        return NULL;
    *value->tensor = *given;
    return value;
}

/* (storage, offset, size, stride, requires_grad, hooks, …); `dtype` for storages of untyped bytes. */
lwi_pvalue *lwi_machine_tensor(lwi_machine *m, const lwi_pvalue *args, const lwi_pvalue *dtype)
{
    const lwi_pvalue *storage = lwi_item(args, 0);
    lwi_ptensor t = {0};
    int rank = 0, strides = 0;
    if (!storage || storage->kind != LWI_P_STORAGE || !lwi_int(lwi_item(args, 1), &t.offset) ||
        !read_sizes(lwi_item(args, 2), t.shape.dim, &rank) ||
        !read_sizes(lwi_item(args, 3), t.stride, &strides) || rank != strides)
        return lwi_machine_refuse(
            m,
            "makes a tensor of something else than a storage, an offset, at most %d sizes "
            "and as many strides, none of them negative",
            LW_MAX_RANK);
    t.storage = storage->storage;
    t.element = t.storage->element;
    t.shape.rank = rank;
    if (dtype) {
        lwi_element element;
        if (!lwi_global_element(dtype, &element) || element == LWI_ELEMENTS ||
            (t.element != LWI_ELEMENTS && t.element != element))
            return lwi_machine_refuse(m, "makes a tensor of an element type that its storage does not have");
        t.element = element;
    }
    if (t.element == LWI_ELEMENTS)
        return lwi_machine_refuse(m, "makes a tensor of untyped bytes without saying of which type");
    return new_tensor(m, &t);
}

/* --- NumPy ---------------------------------------------------------------------------------------------- */

/* 'f4', '<f4', '|u1'; other types than plain numbers may be described, but not be elements of an array. */
lwi_pvalue *lwi_machine_dtype(lwi_machine *m, const lwi_pvalue *args)
{
    char text[16];
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_DTYPE);
    if (!value)
        return NULL;
    if (!lwi_pvalue_text(lwi_item(args, 0), text, sizeof text))
        return lwi_machine_refuse(m, "makes a numpy.dtype of something else than a short text");
    const char *at = text + strspn(text, "<>|=");
    bool sized = at[0] && at[1] >= '1' && at[1] <= '8' && !at[2];
    value->dtype.element = sized ? lwi_element_of_kind(at[0], (size_t)(at[1] - '0')) : LWI_ELEMENTS;
    value->dtype.big_endian = text[0] == '>';
    return value;
}

/* (version, byte order, …) */
lw_status lwi_machine_dtype_order(lwi_machine *m, lwi_pvalue *dtype, const lwi_pvalue *state)
{
    const lwi_pvalue *order = lwi_item(state, 1);
    if (!order || order->kind != LWI_P_TEXT || order->text.length != 1) {
        lwi_machine_refuse(m, "gives a numpy.dtype a state without byte order");
        return LW_FORMAT;
    }
    dtype->dtype.big_endian = order->text.at[0] == '>';
    return LW_OK;
}

static bool is_plain(lwi_machine *m, const lwi_pvalue *dtype)
{
    if (!dtype || dtype->kind != LWI_P_DTYPE || dtype->dtype.element == LWI_ELEMENTS)
        return lwi_machine_refuse(m, "makes an array of something else than plain numbers") != NULL;
    if (dtype->dtype.big_endian && lwi_element_size(dtype->dtype.element) > 1)
        return lwi_machine_refuse(m, "makes an array of big-endian numbers, which are not supported") != NULL;
    return true;
}

lwi_pvalue *lwi_machine_scalar(lwi_machine *m, const lwi_pvalue *args)
{
    const lwi_pvalue *dtype = lwi_item(args, 0), *bytes = lwi_item(args, 1);
    if (!is_plain(m, dtype))
        return NULL;
    lwi_element element = dtype->dtype.element;
    size_t size = lwi_element_size(element);
    if (!bytes || (bytes->kind != LWI_P_BYTES && bytes->kind != LWI_P_TEXT) || bytes->text.length != size)
        return lwi_machine_refuse(m, "makes a number of %zu bytes of something else than so many bytes",
                                  size);
    char kind = element == LWI_F64 ? 'd' : element == LWI_F32 || element == LWI_F16 ? 'f' : 'i';
    lwi_pvalue *value = lwi_machine_value(m, kind == 'i' ? LWI_P_INT : LWI_P_FLOAT);
    if (!value)
        return NULL;
    uint64_t bits = 0;
    memcpy(&bits, bytes->text.at, size);
    if (kind == 'd') {
        memcpy(&value->real, &bits, sizeof bits);
    } else if (kind == 'f') {
        float number;
        lwi_element_to_float(element, (const uint8_t *)bytes->text.at, 1, &number);
        value->real = number;
    } else {
        bool negative = element >= LWI_I64 && element <= LWI_I8 && bits >> (8 * size - 1);
        value->integer = (int64_t)(negative && size < 8 ? bits | UINT64_MAX << 8 * size : bits);
    }
    return value;
}

/* numpy.core.multiarray._reconstruct(ndarray, (0,), b'b'): filled by BUILD. */
lwi_pvalue *lwi_machine_empty_array(lwi_machine *m)
{
    return lwi_machine_value(m, LWI_P_TENSOR);
}

/* Gives `array` the elements in `bytes`, in C or Fortran order. */
static lw_status fill(lwi_machine *m, lwi_pvalue *array, const lwi_pvalue *shape, const lwi_pvalue *dtype,
                      bool fortran, const lwi_pvalue *bytes)
{
    lwi_ptensor t = {0};
    int rank = 0;
    if (!is_plain(m, dtype))
        return LW_FORMAT;
    t.element = dtype->dtype.element;
    size_t size = lwi_element_size(t.element);
    bool good = read_sizes(shape, t.shape.dim, &rank) && bytes &&
                (bytes->kind == LWI_P_BYTES || bytes->kind == LWI_P_TEXT) && bytes->text.length % size == 0;
    t.shape.rank = rank;
    if (!good || lw_shape_count(t.shape) != (int64_t)(bytes->text.length / size)) {
        lwi_machine_refuse(
            m, "makes an array whose shape, of at most %d sizes, does not take the bytes it is given",
            LW_MAX_RANK);
        return LW_FORMAT;
    }
    int64_t stride = 1;
    for (int i = 0; i < rank; i++) {
        int axis = fortran ? i : rank - 1 - i;
        t.stride[axis] = stride;
        stride *= t.shape.dim[axis] ? t.shape.dim[axis] : 1;
    }
    lwi_pvalue *storage = new_storage(m, t.element, (int64_t)(bytes->text.length / size));
    if (!storage)
        return LW_MEMORY;
    storage->storage->data = (const uint8_t *)bytes->text.at;
    t.storage = storage->storage;
    lwi_pvalue *made = new_tensor(m, &t);
    if (!made)
        return lw_error_status();
    array->tensor = made->tensor;
    return LW_OK;
}

/* BUILD with (version, shape, dtype, Fortran order, bytes). */
lw_status lwi_machine_fill_array(lwi_machine *m, lwi_pvalue *array, const lwi_pvalue *state)
{
    const lwi_pvalue *fortran = lwi_item(state, 3);
    return fill(m, array, lwi_item(state, 1), lwi_item(state, 2),
                fortran && fortran->kind == LWI_P_BOOL && fortran->truth, lwi_item(state, 4));
}

/* numpy.core.numeric._frombuffer(bytes, dtype, shape, 'C' or 'F'), which protocol 5 writes. */
lwi_pvalue *lwi_machine_frombuffer(lwi_machine *m, const lwi_pvalue *args)
{
    lwi_pvalue *array = lwi_machine_empty_array(m);
    if (!array || fill(m, array, lwi_item(args, 2), lwi_item(args, 1), lwi_pvalue_is(lwi_item(args, 3), "F"),
                       lwi_item(args, 0)) != LW_OK)
        return NULL;
    return array;
}

/* --- copying -------------------------------------------------------------------------------------------- */

static bool is_contiguous(const lwi_ptensor *t)
{
    int64_t stride = 1;
    for (int i = t->shape.rank; i-- > 0;) {
        if (t->shape.dim[i] != 1 && t->stride[i] != stride)
            return false;
        stride *= t->shape.dim[i];
    }
    return true;
}

void lwi_ptensor_copy(const lwi_ptensor *t, const uint8_t *storage, float *out)
{
    int64_t count = lw_shape_count(t->shape), index[LW_MAX_RANK] = {0}, from = t->offset;
    size_t size = lwi_element_size(t->element);
    if (count == 0)
        return;
    if (is_contiguous(t)) {
        lwi_element_to_float(t->element, storage + (size_t)from * size, (size_t)count, out);
        return;
    }
    for (int64_t to = 0; to < count; to++) {
        lwi_element_to_float(t->element, storage + (size_t)from * size, 1, out + to);
        for (int i = t->shape.rank; i-- > 0;) {
            from += t->stride[i];
            if (++index[i] < t->shape.dim[i])
                break;
            from -= t->stride[i] * index[i];
            index[i] = 0;
        }
    }
}
