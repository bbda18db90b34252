/* legacy.c — what torch.save wrote before 1.6: pickles of a magic number, a version, the machine's sizes, the
 * object and the list of its storages' keys, then each storage as a count and its elements.
 *
 * Source: PyTorch's torch/serialization.py, _legacy_load. */
#include "checkpoint/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};

bool lwi_legacy_is(const uint8_t *data, size_t size)
{
    return size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

typedef struct stream {
    lwi_pickle *pickle;
    const uint8_t *data;
    size_t size, at, origin;
    lwi_pstorage **storages; /* sorted by key */
    size_t count;
} stream;

static lwi_pvalue *next(stream *s)
{
    return lwi_pickle_read(s->pickle, s->data, s->size, &s->at, s->origin);
}

static lw_status read_head(stream *s)
{
    int64_t version;
    const lwi_pvalue *number = next(s), *sizes = number ? next(s) : NULL;
    if (!sizes)
        return lw_error_status();
    if (!lwi_int(number, &version) || version != 1001)
        return lw_fail(LW_FORMAT, "'%s' is a legacy PyTorch file of another version than 1001",
                       s->pickle->name);
    const lwi_pvalue *little = lwi_pvalue_get(sizes, "little_endian");
    if (little && little->kind == LWI_P_BOOL && !little->truth)
        return lw_fail(LW_UNSUPPORTED, "'%s' was written by a big-endian machine, which is not supported",
                       s->pickle->name);
    return LW_OK;
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_key(const void *left, const void *right)
{
    const lwi_pstorage *a = *(lwi_pstorage *const *)left, *b = *(lwi_pstorage *const *)right;
    return compare(a->key, a->key_length, b->key, b->key_length);
}

static lw_status sort_storages(stream *s)
{
    for (lwi_pstorage *one = s->pickle->storages; one; one = one->next)
        s->count++;
    s->storages = lw_alloc(s->count, sizeof(lwi_pstorage *));
    if (!s->storages)
        return LW_MEMORY;
    size_t i = 0;
    for (lwi_pstorage *one = s->pickle->storages; one; one = one->next)
        s->storages[i++] = one;
    if (s->count)
        qsort(s->storages, s->count, sizeof(lwi_pstorage *), by_key);
    return LW_OK;
}

/* The first storage of this key; s->count where there is none. */
static size_t find(const stream *s, const lwi_pvalue *key)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const lwi_pstorage *one = s->storages[middle];
        if (compare(one->key, one->key_length, key->text.at, key->text.length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const lwi_pstorage *one = low < s->count ? s->storages[low] : NULL;
    return one && compare(one->key, one->key_length, key->text.at, key->text.length) == 0 ? low : s->count;
}

/* The count and elements at s->at belong to all storages of this key. */
static lw_status place(stream *s, const lwi_pvalue *key)
{
    const char *name = s->pickle->name;
    size_t first = find(s, key), start = s->origin + s->at;
    if (first == s->count || s->storages[first]->data)
        return lw_fail(LW_FORMAT,
                       "'%s': the storage at byte %zu has a key that no tensor uses, or that came before",
                       name, start);
    uint64_t count = 0;
    if (s->size - s->at < sizeof count)
        return lw_fail(LW_FORMAT, "'%s' is cut short: it ends where a storage should start, at byte %zu",
                       name, start);
    memcpy(&count, s->data + s->at, sizeof count);
    s->at += sizeof count;
    const lwi_pstorage *one = s->storages[first];
    size_t size = one->element == LWI_ELEMENTS ? 1 : lwi_element_size(one->element);
    if (count > (s->size - s->at) / size)
        return lw_fail(LW_FORMAT,
                       "'%s': the storage at byte %zu claims %" PRIu64
                       " elements of %zu bytes, but %zu bytes are left: "
                       "cut short?",
                       name, start, count, size, s->size - s->at);
    for (size_t i = first; i < s->count && by_key(&s->storages[i], &s->storages[first]) == 0; i++) {
        lwi_pstorage *same = s->storages[i];
        if ((uint64_t)same->whole != count || same->element != one->element)
            return lw_fail(LW_FORMAT,
                           "'%s': the storage at byte %zu is not of the size or type that its tensors say",
                           name, start);
        same->data = s->data + s->at;
    }
    s->at += (size_t)count * size;
    return LW_OK;
}

static lw_status place_all(stream *s)
{
    LW_TRY(sort_storages(s));
    const lwi_pvalue *keys = next(s);
    if (!keys)
        return lw_error_status();
    if (keys->kind != LWI_P_LIST)
        return lw_fail(LW_FORMAT, "'%s' has no list of its storages after its object", s->pickle->name);
    for (size_t i = 0; i < keys->list.count; i++) {
        if (keys->list.item[i]->kind != LWI_P_TEXT)
            return lw_fail(LW_FORMAT, "'%s': key %zu of its storages is not a text", s->pickle->name, i);
        LW_TRY(place(s, keys->list.item[i]));
    }
    for (size_t i = 0; i < s->count; i++)
        if (!s->storages[i]->data)
            return lw_fail(LW_FORMAT, "'%s': the storage named at byte %zu is not in the file",
                           s->pickle->name, s->storages[i]->at);
    if (s->at != s->size)
        return lw_fail(LW_FORMAT, "'%s' goes on after its last storage, at byte %zu", s->pickle->name,
                       s->origin + s->at);
    return LW_OK;
}

lwi_pvalue *lwi_legacy_read(lwi_pickle *pickle, const uint8_t *data, size_t size, size_t origin)
{
    stream s = {.pickle = pickle, .data = data, .size = size, .at = sizeof magic, .origin = origin};
    lwi_pstorage *outer = pickle->storages; /* of the file this one lies in */
    pickle->storages = NULL;
    lwi_pvalue *object = read_head(&s) == LW_OK ? next(&s) : NULL;
    if (object && place_all(&s) != LW_OK)
        object = NULL;
    pickle->storages = outer;
    lw_free(s.storages);
    return object;
}
