/* image_folder.h — the parts of source/image-folder: where pictures lie, which are wanted, decoding. */
#ifndef IMAGE_FOLDER_H
#define IMAGE_FOLDER_H

#include "latentwalk/latentwalk.h"

/* One picture file: its name inside the folder or archive, and its row in the list (-1 without one). */
typedef struct entry {
    char *name;
    uint64_t archive_index;
    int64_t row;
} entry;

typedef struct entries {
    entry *items;
    size_t count, capacity, ignored; /* ignored: files that are no .jpg, .jpeg or .png */
    bool archive;
} entries;

/* files.c: everything below a folder, or in a .zip, sorted by name; and the bytes of one of them. */
lw_status entries_read(entries *list, const char *path);
void entries_free(entries *list);
typedef struct reader reader; /* one for each thread */
reader *reader_open(const entries *list, const char *path);
void reader_close(reader *reader);
lw_status reader_load(reader *reader, const entry *item, uint8_t **data, size_t *size);

/* table.c: a CSV file with a header line. */
typedef struct table {
    char *text; /* the file, cut into cells */
    char **cells;
    size_t columns, rows; /* rows without the header */
} table;
lw_status table_read(table *csv, const char *path);
void table_free(table *csv);
/* -1, with an error that names the nearest column, where there is none. */
int64_t table_column(const table *csv, const char *path, const char *name);
const char *table_cell(const table *csv, size_t row, size_t column);

/* select.c: keeps the entries that the list names and its conditions accept. */
lw_status select_entries(entries *list, const table *csv, const lw_args *args);
lw_status set_labels(lw_dataset *dataset, const entries *list, const table *csv, const lw_args *args);

/* decode.c: every entry into the dataset, on all processors. With on_error: skip, broken[i] becomes 1. */
lw_status decode_entries(lw_step *step, const entries *list, lw_dataset *dataset, uint8_t *broken);

#endif
