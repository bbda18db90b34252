/* files.c — the picture files of a folder (subfolders included) or of a .zip archive. */
#include "image_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zip.h>

#define MAX_DEPTH 16
#define MAX_FILE_BYTES ((size_t)64 << 20) /* a picture file larger than this is none of ours */

struct reader {
    const char *folder;
    zip_t *archive; /* NULL for a folder */
};

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);
    return n > e && strcasecmp(name + n - e, ending) == 0;
}

static bool is_hidden(const char *name)
{
    return name[0] == '.' || strstr(name, "/.") || strncmp(name, "__MACOSX/", 9) == 0;
}

/* Takes ownership of `name`. */
static lw_status add(entries *list, char *name, uint64_t archive_index)
{
    if (!name)
        return LW_MEMORY;
    if (!ends_with(name, ".jpg") && !ends_with(name, ".jpeg") && !ends_with(name, ".png")) {
        list->ignored++;
        lw_free(name);
        return LW_OK;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        entry *items = lw_resize(list->items, capacity, sizeof *items);
        if (!items) {
            lw_free(name);
            return LW_MEMORY;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (entry){.name = name, .archive_index = archive_index, .row = -1};
    return LW_OK;
}

static lw_status read_folder(entries *list, const char *path, const char *inside, int depth)
{
    if (depth > MAX_DEPTH)
        return lw_fail(LW_INVALID, "'%s' has folders nested more than %d deep", path, MAX_DEPTH);
    DIR *folder = opendir(path);
    if (!folder)
        return lw_fail(LW_IO, "cannot open the folder '%s': %s", path, strerror(errno));
    lw_status status = LW_OK;
    for (struct dirent *item; status == LW_OK && (item = readdir(folder));) {
        if (item->d_name[0] == '.')
            continue;
        char *full = lw_format("%s/%s", path, item->d_name);
        char *name = lw_format("%s%s%s", inside, *inside ? "/" : "", item->d_name);
        struct stat link, info;
        if (!full || !name) {
            status = LW_MEMORY;
        } else if (lstat(full, &link) != 0 || stat(full, &info) != 0) {
            status = lw_fail(LW_IO, "cannot look at '%s': %s", full, strerror(errno));
        } else if (S_ISDIR(info.st_mode)) {
            /* A linked folder may lead back here. */
            if (!S_ISLNK(link.st_mode))
                status = read_folder(list, full, name, depth + 1);
        } else {
            status = add(list, name, 0);
            name = NULL;
        }
        lw_free(full);
        lw_free(name);
    }
    closedir(folder);
    return status;
}

static zip_t *open_archive(const char *path)
{
    int code = 0;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        lw_fail(code == ZIP_ER_OPEN || code == ZIP_ER_READ ? LW_IO : LW_FORMAT,
                "cannot read '%s' as a folder or a .zip of pictures: %s", path, zip_error_strerror(&error));
        zip_error_fini(&error);
    }
    return archive;
}

static lw_status read_archive(entries *list, const char *path)
{
    zip_t *archive = open_archive(path);
    if (!archive)
        return lw_error_status();
    list->archive = true;
    lw_status status = LW_OK;
    zip_int64_t count = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; status == LW_OK && i < count; i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        if (name && !is_hidden(name) && !ends_with(name, "/"))
            status = add(list, lw_strdup(name), (uint64_t)i);
    }
    zip_discard(archive);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

lw_status entries_read(entries *list, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return lw_fail(errno == ENOENT ? LW_NOT_FOUND : LW_IO, "cannot open '%s': %s", path, strerror(errno));
    LW_TRY(S_ISDIR(info.st_mode) ? read_folder(list, path, "", 0) : read_archive(list, path));
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_name);
    return LW_OK;
}

void entries_free(entries *list)
{
    for (size_t i = 0; i < list->count; i++)
        lw_free(list->items[i].name);
    lw_free(list->items);
}

reader *reader_open(const entries *list, const char *path)
{
    reader *r = lw_alloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->folder = path;
    if (list->archive && !(r->archive = open_archive(path))) {
        lw_free(r);
        return NULL;
    }
    return r;
}

void reader_close(reader *r)
{
    if (r && r->archive)
        zip_discard(r->archive);
    lw_free(r);
}

static lw_status load_archived(reader *r, const entry *item, uint8_t **data, size_t *size)
{
    zip_stat_t info;
    if (zip_stat_index(r->archive, item->archive_index, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE))
        return lw_fail(LW_FORMAT, "'%s': %s", item->name, zip_strerror(r->archive));
    if (info.size > MAX_FILE_BYTES)
        return lw_fail(LW_FORMAT, "'%s' has %llu bytes; a picture file may have %zu", item->name,
                       (unsigned long long)info.size, MAX_FILE_BYTES);
    zip_file_t *file = zip_fopen_index(r->archive, item->archive_index, 0);
    if (!file)
        return lw_fail(LW_FORMAT, "'%s': %s", item->name, zip_strerror(r->archive));
    uint8_t *bytes = lw_alloc((size_t)info.size + 1, 1);
    zip_int64_t got = bytes ? zip_fread(file, bytes, info.size) : -1;
    lw_status status = LW_OK;
    if (!bytes)
        status = LW_MEMORY;
    else if (got < 0 || (zip_uint64_t)got != info.size)
        status =
            lw_fail(LW_FORMAT, "'%s' is damaged in the archive: %s", item->name, zip_file_strerror(file));
    if (zip_fclose(file) != 0 && status == LW_OK)
        status = lw_fail(LW_FORMAT, "'%s' is damaged in the archive", item->name);
    if (status != LW_OK) {
        lw_free(bytes);
        return status;
    }
    *data = bytes;
    *size = (size_t)info.size;
    return LW_OK;
}

lw_status reader_load(reader *r, const entry *item, uint8_t **data, size_t *size)
{
    if (r->archive)
        return load_archived(r, item, data, size);
    char *path = lw_format("%s/%s", r->folder, item->name);
    if (!path)
        return LW_MEMORY;
    lw_status status = lw_file_read(path, MAX_FILE_BYTES, data, size);
    lw_free(path);
    return status;
}
