/* file.c — files in and out. A file appears under its name only when it is complete: it is
 * written under a temporary name in the same folder, synced, then renamed. */
#include "base/file_internal.h"

#include "latentwalk/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t default_limit = (size_t)1 << 32;

lw_status lwi_writer_open(lwi_writer *writer, const char *path)
{
    static atomic_uint serial;
    *writer = (lwi_writer){.fd = -1, .path = lw_strdup(path)};
    if (!writer->path)
        return LW_MEMORY;
    do {
        lw_free(writer->temporary);
        writer->temporary = lw_format("%s.tmp-%ld-%u", path, (long)getpid(), atomic_fetch_add(&serial, 1));
        if (writer->temporary)
            writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (writer->temporary && writer->fd < 0 && errno == EEXIST);
    if (writer->fd >= 0)
        return LW_OK;
    lw_status status = LW_MEMORY;
    if (writer->temporary) {
        status = lw_fail(LW_IO, "cannot write '%s': %s", path, strerror(errno));
        lw_free(writer->temporary); /* not ours to unlink: it was never created */
        writer->temporary = NULL;
    }
    lwi_writer_abandon(writer);
    return status;
}

lw_status lwi_writer_put(lwi_writer *writer, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t n = write(writer->fd, at, size < (1u << 30) ? size : (1u << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lw_fail(LW_IO, "cannot write '%s': %s", writer->path, strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return LW_OK;
}

/* The new name itself must reach the disk too; a file system that cannot sync a folder is no error. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? lw_format("%.*s/", (int)(slash - path), path) : lw_strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    lw_free(folder);
}

lw_status lwi_writer_commit(lwi_writer *writer)
{
    bool written = fsync(writer->fd) == 0;
    if (close(writer->fd) != 0)
        written = false;
    writer->fd = -1;
    lw_status status = LW_OK;
    if (!written || rename(writer->temporary, writer->path) != 0)
        status = lw_fail(LW_IO, "cannot write '%s': %s", writer->path, strerror(errno));
    else
        sync_folder(writer->path);
    if (status == LW_OK) {
        lw_free(writer->temporary);
        writer->temporary = NULL;
    }
    lwi_writer_abandon(writer);
    return status;
}

void lwi_writer_abandon(lwi_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->temporary)
        (void)unlink(writer->temporary);
    lw_free(writer->temporary);
    lw_free(writer->path);
    *writer = (lwi_writer){.fd = -1};
}

lw_status lw_file_write(const char *path, const void *data, size_t size)
{
    lwi_writer writer;
    LW_TRY(lwi_writer_open(&writer, path));
    lw_status status = lwi_writer_put(&writer, data, size);
    if (status != LW_OK) {
        lwi_writer_abandon(&writer);
        return status;
    }
    return lwi_writer_commit(&writer);
}

/* Reads exactly `size` bytes; fewer means that the file shrank meanwhile. */
static lw_status read_all(int fd, const char *path, uint8_t *data, size_t size)
{
    for (size_t used = 0; used < size;) {
        size_t want = size - used < (1u << 30) ? size - used : (1u << 30);
        ssize_t n = read(fd, data + used, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lw_fail(LW_IO, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return lw_fail(LW_IO, "'%s' became shorter while it was read", path);
        used += (size_t)n;
    }
    return LW_OK;
}

static lw_status check_file(int fd, const char *path, size_t limit, struct stat *info)
{
    if (fstat(fd, info) != 0)
        return lw_fail(LW_IO, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(info->st_mode))
        return lw_fail(LW_IO, "'%s' is not a regular file", path);
    if ((uint64_t)info->st_size > limit)
        return lw_fail(LW_IO, "'%s' has %lld bytes, more than the %zu allowed here", path,
                       (long long)info->st_size, limit);
    return LW_OK;
}

/* O_NONBLOCK: opening a pipe by mistake must not hang; for regular files it does nothing. */
static lw_status open_file(const char *path, size_t limit, int *fd, struct stat *info)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return lw_fail(errno == ENOENT ? LW_NOT_FOUND : LW_IO, "cannot open '%s': %s", path, strerror(errno));
    lw_status status = check_file(*fd, path, limit, info);
    if (status != LW_OK)
        close(*fd);
    return status;
}

lw_status lw_file_read(const char *path, size_t limit, uint8_t **data, size_t *size)
{
    int fd;
    struct stat info;
    *data = NULL;
    *size = 0;
    LW_TRY(open_file(path, limit ? limit : default_limit, &fd, &info));
    uint8_t *bytes = lw_alloc((size_t)info.st_size, 1);
    lw_status status =
        bytes ? read_all(fd, path, bytes, (size_t)info.st_size) : lw_wrap("cannot read '%s'", path);
    close(fd);
    if (status != LW_OK) {
        lw_free(bytes);
        return status;
    }
    *data = bytes;
    *size = (size_t)info.st_size;
    return LW_OK;
}

/* --- where it lies ------------------------------------------------------------------------------ */

lw_status lwi_map_open(lwi_mapped *map, const char *path, size_t limit)
{
    struct stat info;
    *map = (lwi_mapped){.fd = -1};
    LW_TRY(open_file(path, limit, &map->fd, &info));
    map->size = (size_t)info.st_size;
    map->changed = info.st_mtim;
    map->data = (const uint8_t *)""; /* nothing cannot be mapped */
    if (map->size == 0)
        return LW_OK;
    void *data = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, map->fd, 0);
    if (data == MAP_FAILED) {
        lw_fail(LW_IO, "cannot read '%s': %s", path, strerror(errno));
        close(map->fd);
        return LW_IO;
    }
    (void)posix_madvise(data, map->size, POSIX_MADV_WILLNEED);
    map->data = data;
    return LW_OK;
}

lw_status lwi_map_check(const lwi_mapped *map, const char *path)
{
    struct stat info;
    if (fstat(map->fd, &info) == 0 && (size_t)info.st_size == map->size &&
        info.st_mtim.tv_sec == map->changed.tv_sec && info.st_mtim.tv_nsec == map->changed.tv_nsec)
        return LW_OK;
    return lw_fail(LW_IO, "'%s' was written to while it was read", path);
}

void lwi_map_forget(const lwi_mapped *map, const uint8_t *data, size_t size)
{
    if (data < map->data || data >= map->data + map->size)
        return;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = ((uintptr_t)data + page - 1) / page * page,
                    end = ((uintptr_t)data + size) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

void lwi_map_close(lwi_mapped *map)
{
    if (map->size)
        munmap((void *)(uintptr_t)map->data, map->size);
    close(map->fd);
}
