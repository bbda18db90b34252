/* file_internal.h — a file that is written in pieces and appears whole or not at all. */
#ifndef LWI_FILE_INTERNAL_H
#define LWI_FILE_INTERNAL_H

#include "latentwalk/base.h"

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

#endif
