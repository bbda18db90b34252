/* zip_directory.c — a zip archive's directory, checked before anything is unpacked.
 *
 * Source: PKWARE's APPNOTE.TXT 4.3 and 4.5 (Zip64, which PyTorch always writes). */
#include "checkpoint/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    LONGEST_NAME = 512,
    MOST_RATIO = 200, /* deflate reaches 1032 on zeros; numbers compress by a few */
    RATIO_MATTERS =
        16 << 20, /* bytes unpacked, of an entry or of all, below which the ratio does not matter */
};

typedef struct archive {
    const uint8_t *data;
    size_t size;
    const char *name;
    size_t start, end; /* of the directory */
    uint64_t count;
} archive;

static uint64_t number(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static bool is_signature(const archive *a, size_t at, const char *letters)
{
    return at <= a->size && a->size - at >= 4 && memcmp(a->data + at, "PK", 2) == 0 &&
           memcmp(a->data + at + 2, letters, 2) == 0;
}

static lw_status malformed(const archive *a, const char *what, size_t at)
{
    return lw_fail(LW_FORMAT, "'%s': %s, at byte %zu of the zip archive", a->name, what, at);
}

/* --- the end record --------------------------------------------------------------------------------- */

/* The end record lies before a comment that reaches exactly to the end of the file. */
static lw_status find_end(const archive *a, size_t *at)
{
    if (a->size >= END_BYTES)
        for (size_t back = END_BYTES; back <= a->size && back <= END_BYTES + 65535; back++)
            if (is_signature(a, a->size - back, "\5\6") &&
                number(a->data + a->size - back + 20, 2) == back - END_BYTES) {
                *at = a->size - back;
                return LW_OK;
            }
    return lw_fail(LW_FORMAT, "'%s' is cut short: it starts as a zip archive but has no directory at its end",
                   a->name);
}

static lw_status read_end(archive *a)
{
    size_t at = 0;
    LW_TRY(find_end(a, &at));
    const uint8_t *end = a->data + at;
    uint64_t count = number(end + 10, 2), size = number(end + 12, 4), start = number(end + 16, 4), limit = at;
    if (number(end + 4, 4) != 0 || number(end + 8, 2) != count)
        return malformed(a, "the archive is one of several disks", at);
    if (at >= LOCATOR_BYTES && is_signature(a, at - LOCATOR_BYTES, "\6\7")) {
        uint64_t wide = number(end - LOCATOR_BYTES + 8, 8);
        if (wide > at - LOCATOR_BYTES || at - LOCATOR_BYTES - wide < END64_BYTES ||
            !is_signature(a, wide, "\6\6"))
            return malformed(a, "the Zip64 end record is not where it should be", at - LOCATOR_BYTES);
        count = number(a->data + wide + 32, 8);
        size = number(a->data + wide + 40, 8);
        start = number(a->data + wide + 48, 8);
        limit = wide;
    }
    if (start > limit || size != limit - start)
        return malformed(a, "the directory is not where the end record says", at);
    if (count > size / CENTRAL_BYTES)
        return malformed(a, "the directory claims more entries than it has room for", at);
    a->start = (size_t)start;
    a->end = (size_t)limit;
    a->count = count;
    return LW_OK;
}

/* --- entries ------------------------------------------------------------------------------------------- */

/* Sizes and places of 4 GiB and more are in an extra field, in this order, each only where it did not fit. */
static lw_status read_wide(const archive *a, const uint8_t *extra, size_t length, uint64_t *const fields[3],
                           size_t at)
{
    for (size_t i = 0; i + 4 <= length;) {
        size_t id = (size_t)number(extra + i, 2), size = (size_t)number(extra + i + 2, 2), used = i + 4;
        if (size > length - used)
            return malformed(a, "an extra field is longer than its entry", at);
        for (int k = 0; id == 1 && k < 3; k++) {
            if (*fields[k] != UINT32_MAX)
                continue;
            if (used + 8 > i + 4 + size)
                return malformed(a, "the Zip64 sizes of an entry are missing", at);
            *fields[k] = number(extra + used, 8);
            used += 8;
        }
        i += 4 + size;
    }
    return LW_OK;
}

/* A relative path without "..", in plain characters. */
static bool is_safe(const char *name, size_t length)
{
    if (length == 0 || length > LONGEST_NAME || name[0] == '/' || (length > 1 && name[1] == ':'))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == '\\' || name[i] == 0x7f)
            return false;
    for (size_t i = 0; i < length;) {
        const char *slash = memchr(name + i, '/', length - i);
        size_t part = slash ? (size_t)(slash - name) - i : length - i;
        if (part == 2 && name[i] == '.' && name[i + 1] == '.')
            return false;
        i += part + 1;
    }
    return true;
}

/* The local header must tell the same name; behind it lie the data. */
static lw_status check_local(const archive *a, lwi_zip_entry *entry, uint64_t header, size_t name_length)
{
    size_t start = a->start;
    if (header > start || start - header < LOCAL_BYTES || !is_signature(a, header, "\3\4"))
        return lw_fail(LW_FORMAT,
                       "'%s': entry '%s' of the zip archive does not start where the directory says", a->name,
                       entry->name);
    const uint8_t *local = a->data + header;
    size_t names = (size_t)number(local + 26, 2), extra = (size_t)number(local + 28, 2);
    if (names != name_length || start - header - LOCAL_BYTES < names + extra ||
        memcmp(local + LOCAL_BYTES, entry->name, names) != 0 || number(local + 8, 2) != entry->method)
        return lw_fail(LW_FORMAT,
                       "'%s': entry '%s' of the zip archive is another one where it starts, at byte %zu",
                       a->name, entry->name, (size_t)header);
    entry->header = (size_t)header;
    entry->data = entry->header + LOCAL_BYTES + names + extra;
    if (entry->packed > start - entry->data)
        return lw_fail(
            LW_FORMAT,
            "'%s': entry '%s' of the zip archive claims %zu bytes, but only %zu are left: cut short?",
            a->name, entry->name, entry->packed, start - entry->data);
    entry->end = entry->data + entry->packed;
    return LW_OK;
}

static lw_status check_sizes(const archive *a, const lwi_zip_entry *entry)
{
    if (entry->method == 0 && entry->packed != entry->size)
        return lw_fail(LW_FORMAT, "'%s': entry '%s' of the zip archive is stored, but its two sizes differ",
                       a->name, entry->name);
    if (entry->method != 0 && entry->size > RATIO_MATTERS && entry->size / MOST_RATIO > entry->packed)
        return lw_fail(
            LW_FORMAT,
            "'%s': entry '%s' of the zip archive would unpack %zu bytes to %zu: more than %d times, a "
            "decompression bomb",
            a->name, entry->name, entry->packed, entry->size, MOST_RATIO);
    return LW_OK;
}

/* The directory's entry at *at, which moves past it. */
static lw_status read_entry(const archive *a, size_t *at, lwi_zip_entry *entry)
{
    if (a->end - *at < CENTRAL_BYTES || !is_signature(a, *at, "\1\2"))
        return malformed(a, "the directory has something else than an entry", *at);
    const uint8_t *central = a->data + *at;
    size_t names = (size_t)number(central + 28, 2), extra = (size_t)number(central + 30, 2);
    size_t comment = (size_t)number(central + 32, 2), left = a->end - *at - CENTRAL_BYTES;
    if (names + extra + comment > left)
        return malformed(a, "an entry of the directory is longer than the directory", *at);
    uint64_t packed = number(central + 20, 4), size = number(central + 24, 4),
             header = number(central + 42, 4);
    LW_TRY(read_wide(a, central + CENTRAL_BYTES + names, extra, (uint64_t *const[]){&size, &packed, &header},
                     *at));
    if (!is_safe((const char *)central + CENTRAL_BYTES, names))
        return malformed(a, "an entry's name is empty, too long, or leads out of the archive (zip slip)",
                         *at);
    if (number(central + 8, 2) & 1)
        return malformed(a, "an entry is encrypted", *at);
    entry->name = lw_format("%.*s", (int)names, (const char *)central + CENTRAL_BYTES);
    if (!entry->name)
        return LW_MEMORY;
    entry->method = (uint32_t)number(central + 10, 2);
    if (entry->method != 0 && entry->method != 8)
        return lw_fail(LW_UNSUPPORTED,
                       "'%s': entry '%s' of the zip archive is packed by method %u; supported are 0 "
                       "(stored) and 8 (deflated)",
                       a->name, entry->name, entry->method);
    entry->crc = (uint32_t)number(central + 16, 4);
    entry->packed = (size_t)packed;
    entry->size = (size_t)size;
    LW_TRY(check_local(a, entry, header, names));
    *at += CENTRAL_BYTES + names + extra + comment;
    return check_sizes(a, entry);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int by_place(const void *left, const void *right)
{
    const lwi_zip_entry *a = left, *b = right;
    return (a->header > b->header) - (a->header < b->header);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const lwi_zip_entry *)left)->name, ((const lwi_zip_entry *)right)->name);
}

static lw_status check_together(const archive *a, lwi_zip_entry *entries, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total = total > UINT64_MAX - entries[i].size ? UINT64_MAX : total + entries[i].size;
    if (total > RATIO_MATTERS && total / MOST_RATIO > a->size)
        return lw_fail(LW_FORMAT,
                       "'%s': the zip archive would unpack to more than %d times its size: a "
                       "decompression bomb",
                       a->name, MOST_RATIO);
    if (count < 2)
        return LW_OK;
    qsort(entries, count, sizeof *entries, by_place);
    for (size_t i = 1; i < count; i++)
        if (entries[i].header < entries[i - 1].end)
            return lw_fail(LW_FORMAT, "'%s': entries '%s' and '%s' of the zip archive overlap at byte %zu",
                           a->name, entries[i - 1].name, entries[i].name, entries[i].header);
    qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(entries[i - 1].name, entries[i].name) == 0)
            return lw_fail(LW_FORMAT, "'%s': the zip archive has two entries named '%s'", a->name,
                           entries[i].name);
    return LW_OK;
}

static lw_status read_entries(const archive *a, lwi_zip_entry *entries)
{
    size_t at = a->start;
    for (size_t i = 0; i < a->count; i++) {
        entries[i].index = i;
        LW_TRY(read_entry(a, &at, &entries[i]));
    }
    if (at != a->end)
        return malformed(a, "the directory goes on after its last entry", at);
    return check_together(a, entries, (size_t)a->count);
}

lw_status lwi_zip_directory(const uint8_t *data, size_t size, const char *name, lwi_zip_entry **entries,
                            size_t *count)
{
    archive a = {.data = data, .size = size, .name = name};
    LW_TRY(read_end(&a));
    *entries = lw_alloc((size_t)a.count, sizeof **entries);
    if (!*entries)
        return LW_MEMORY;
    *count = (size_t)a.count;
    lw_status status = read_entries(&a, *entries);
    if (status != LW_OK) {
        lwi_zip_entries_free(*entries, *count);
        *entries = NULL;
        *count = 0;
    }
    return status;
}

void lwi_zip_entries_free(lwi_zip_entry *entries, size_t count)
{
    for (size_t i = 0; entries && i < count; i++)
        lw_free(entries[i].name);
    lw_free(entries);
}
