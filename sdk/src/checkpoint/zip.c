/* zip.c — unpacking the entries of a checked archive with libzip. */
#include "checkpoint/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

struct lwi_zip {
    const char *name;
    const uint8_t *data;
    zip_t *zip;
    lwi_zip_entry *entries;
    size_t count;
};

static lw_status open_archive(lwi_zip *zip, const uint8_t *data, size_t size)
{
    LW_TRY(lwi_zip_directory(data, size, zip->name, &zip->entries, &zip->count));
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &error);
    zip->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    lw_status status = LW_OK;
    if (!zip->zip) {
        status = lw_fail(LW_FORMAT, "'%s' is not a readable zip archive: %s", zip->name,
                         zip_error_strerror(&error));
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return status;
}

/* libzip must have understood the directory as we did. */
static lw_status compare(const lwi_zip *zip)
{
    bool same = zip_get_num_entries(zip->zip, 0) == (zip_int64_t)zip->count;
    for (size_t i = 0; same && i < zip->count; i++) {
        zip_stat_t stat;
        const lwi_zip_entry *entry = &zip->entries[i];
        same = zip_stat_index(zip->zip, entry->index, ZIP_FL_ENC_RAW, &stat) == 0 &&
               strcmp(stat.name, entry->name) == 0 && stat.size == entry->size &&
               stat.comp_size == entry->packed && stat.crc == entry->crc;
    }
    return same ? LW_OK
                : lw_fail(LW_FORMAT,
                          "'%s': the zip archive can be read in two ways: it has more than one directory",
                          zip->name);
}

lwi_zip *lwi_zip_open(const uint8_t *data, size_t size, const char *name)
{
    lwi_zip *zip = lw_alloc(1, sizeof *zip);
    if (!zip)
        return NULL;
    zip->name = name;
    zip->data = data;
    if (open_archive(zip, data, size) == LW_OK && compare(zip) == LW_OK)
        return zip;
    lwi_zip_close(zip);
    return NULL;
}

void lwi_zip_close(lwi_zip *zip)
{
    if (!zip)
        return;
    if (zip->zip)
        zip_discard(zip->zip);
    lwi_zip_entries_free(zip->entries, zip->count);
    lw_free(zip);
}

size_t lwi_zip_count(const lwi_zip *zip)
{
    return zip->count;
}

const lwi_zip_entry *lwi_zip_at(const lwi_zip *zip, size_t index)
{
    return &zip->entries[index];
}

const lwi_zip_entry *lwi_zip_find(const lwi_zip *zip, const char *name)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(zip->entries[middle].name, name);
        if (order == 0)
            return &zip->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Fills `out`, and reads on to the end, where libzip compares the checksum. */
static bool read_all(zip_file_t *file, uint8_t *out, size_t size)
{
    uint8_t past;
    for (size_t at = 0; at < size;) {
        zip_int64_t n = zip_fread(file, out + at, size - at);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return zip_fread(file, &past, 1) == 0;
}

static lw_status damaged(const lwi_zip *zip, const lwi_zip_entry *entry)
{
    return lw_fail(LW_FORMAT,
                   "'%s': entry '%s' of the zip archive is damaged: its data do not unpack to what its "
                   "size and checksum say",
                   zip->name, entry->name);
}

lw_status lwi_zip_read(lwi_zip *zip, const lwi_zip_entry *entry, uint8_t **data)
{
    *data = lw_alloc(entry->size ? entry->size : 1, 1);
    if (!*data)
        return LW_MEMORY;
    zip_file_t *file = zip_fopen_index(zip->zip, entry->index, 0);
    bool good = file && read_all(file, *data, entry->size);
    if (file)
        zip_fclose(file);
    if (good)
        return LW_OK;
    lw_free(*data);
    *data = NULL;
    return damaged(zip, entry);
}

lw_status lwi_zip_stored(const lwi_zip *zip, const lwi_zip_entry *entry, const uint8_t **data)
{
    *data = zip->data + entry->data;
    return crc32_z(0, *data, entry->size) == entry->crc ? LW_OK : damaged(zip, entry);
}
