/* zip.h — zip archives in memory, read by libzip after their directory has been checked. */
#ifndef LWI_ZIP_H
#define LWI_ZIP_H

#include "latentwalk/base.h"

typedef struct lwi_zip_entry {
    char *name;
    size_t size;      /* unpacked */
    size_t packed;    /* in the archive */
    size_t header;    /* byte of the archive where its local header starts … */
    size_t data, end; /* … its data starts and ends */
    uint32_t method;  /* 0: stored, 8: deflated */
    uint32_t crc;     /* of the unpacked bytes, as the directory has it */
    size_t index;     /* in the directory */
} lwi_zip_entry;

/* Checks the directory: names that leave the folder, entries of one name or sharing bytes, sizes that the
 * archive cannot hold, and absurd compression are refused. `entries` is sorted by name; release with
 * lwi_zip_entries_free. */
lw_status lwi_zip_directory(const uint8_t *data, size_t size, const char *name, lwi_zip_entry **entries,
                            size_t *count);
void lwi_zip_entries_free(lwi_zip_entry *entries, size_t count);

typedef struct lwi_zip lwi_zip;
/* `data` and `name` are borrowed. */
lwi_zip *lwi_zip_open(const uint8_t *data, size_t size, const char *name);
void lwi_zip_close(lwi_zip *zip);
size_t lwi_zip_count(const lwi_zip *zip);
const lwi_zip_entry *lwi_zip_at(const lwi_zip *zip, size_t index);
/* By its full name; NULL, without an error, where there is none. */
const lwi_zip_entry *lwi_zip_find(const lwi_zip *zip, const char *name);
/* The entry's bytes, checksum verified; released with lw_free. */
lw_status lwi_zip_read(lwi_zip *zip, const lwi_zip_entry *entry, uint8_t **data);
/* The same where they lie in the archive, borrowed; for stored entries (method 0). */
lw_status lwi_zip_stored(const lwi_zip *zip, const lwi_zip_entry *entry, const uint8_t **data);

#endif
