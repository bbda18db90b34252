/* file_internal.h — a file that is written in pieces and appears whole or not at all, and one that is read
 * where it lies. */
#ifndef LWI_FILE_INTERNAL_H
#define LWI_FILE_INTERNAL_H

#include "latentwalk/base.h"

#include <time.h>

typedef struct lwi_writer {
    int fd;
    char *path;      /* the final name */
    char *temporary; /* where the bytes go until the commit */
} lwi_writer;

/* Open; put as often as needed; then either commit or abandon, which release the writer. */
lw_status lwi_writer_open(lwi_writer *writer, const char *path);
lw_status lwi_writer_put(lwi_writer *writer, const void *data, size_t size);
lw_status lwi_writer_commit(lwi_writer *writer);
void lwi_writer_abandon(lwi_writer *writer);

/* The bytes of a file, in memory once they are looked at. */
typedef struct lwi_mapped {
    int fd;
    const uint8_t *data;
    size_t size;
    struct timespec changed; /* the file, last */
} lwi_mapped;

lw_status lwi_map_open(lwi_mapped *map, const char *path, size_t limit);
/* LW_IO where the file was written to since it was opened. To be asked before bytes are looked at that may
 * not be in memory yet: where a file has become shorter, looking ends the process. */
lw_status lwi_map_check(const lwi_mapped *map, const char *path);
/* These bytes, if they are the file's at all, need not stay in memory. */
void lwi_map_forget(const lwi_mapped *map, const uint8_t *data, size_t size);
void lwi_map_close(lwi_mapped *map);

#endif
