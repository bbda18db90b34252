/* table.c — a small CSV reader: commas, a header line, "quoted" cells with "" for a quote. */
#include "image_folder.h"

#include <string.h>

#define MAX_TABLE_BYTES ((size_t)256 << 20)

/* Cuts the cell at *at out of the text (in place) and moves *at behind its separator. Returns the separator:
 * ',', '\n' or 0 at the end of the text; -1 where a quote is not closed. */
static int cut_cell(char **at, char **cell)
{
    char *in = *at, *out = *at;
    *cell = out;
    bool quoted = *in == '"';
    if (quoted)
        in++;
    for (;; in++) {
        if (quoted && *in == 0)
            return -1;
        if (quoted && *in == '"') {
            if (in[1] == '"')
                in++;
            else {
                quoted = false;
                continue;
            }
        } else if (!quoted && (*in == ',' || *in == '\n' || *in == 0)) {
            break;
        }
        *out++ = *in;
    }
    int separator = *in;
    *at = separator ? in + 1 : in;
    if (separator != ',' && out > *cell && out[-1] == '\r')
        out--;
    *out = 0;
    return separator;
}

/* A generous number of cells: every comma and line end closes one. */
static size_t count_cells(const char *text)
{
    size_t count = 1;
    for (; *text; text++)
        count += *text == ',' || *text == '\n';
    return count;
}

static lw_status cut_rows(table *csv, const char *path)
{
    size_t cells = 0, line = 1;
    for (char *at = csv->text; *at; line++) {
        size_t first = cells;
        int separator;
        do {
            separator = cut_cell(&at, &csv->cells[cells++]);
        } while (separator == ',');
        if (separator < 0)
            return lw_fail(LW_FORMAT, "%s:%zu: a quote is not closed", path, line);
        if (cells == first + 1 && csv->cells[first][0] == 0) {
            cells = first; /* an empty line */
            continue;
        }
        if (csv->columns == 0)
            csv->columns = cells;
        else if (cells - first != csv->columns)
            return lw_fail(LW_FORMAT, "%s:%zu: %zu cells where the header has %zu", path, line, cells - first,
                           csv->columns);
        else
            csv->rows++;
    }
    if (csv->rows == 0)
        return lw_fail(LW_FORMAT, "'%s' has no rows: expected a header line and one line per picture", path);
    return LW_OK;
}

lw_status table_read(table *csv, const char *path)
{
    uint8_t *data;
    size_t size;
    LW_TRY(lw_file_read(path, MAX_TABLE_BYTES, &data, &size));
    csv->text = lw_alloc(size + 1, 1);
    if (csv->text)
        memcpy(csv->text, data, size);
    lw_free(data);
    if (!csv->text)
        return LW_MEMORY;
    if (memchr(csv->text, 0, size))
        return lw_fail(LW_FORMAT, "'%s' is not a text file: it has zero bytes", path);
    csv->cells = lw_alloc(count_cells(csv->text), sizeof *csv->cells);
    return csv->cells ? cut_rows(csv, path) : LW_MEMORY;
}

void table_free(table *csv)
{
    lw_free(csv->text);
    lw_free(csv->cells);
}

int64_t table_column(const table *csv, const char *path, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++)
        if (strcmp(csv->cells[i], name) == 0)
            return (int64_t)i;
    const char **names = lw_alloc(csv->columns + 1, sizeof *names);
    if (!names)
        return -1;
    memcpy(names, csv->cells, csv->columns * sizeof *names);
    const char *closest = lw_closest(name, names);
    lw_free(names);
    if (closest)
        lw_fail(LW_NOT_FOUND, "'%s' has no column '%s'; did you mean '%s'?", path, name, closest);
    else
        lw_fail(LW_NOT_FOUND, "'%s' has no column '%s' among its %zu columns (the first is '%s')", path, name,
                csv->columns, csv->cells[0]);
    return -1;
}

const char *table_cell(const table *csv, size_t row, size_t column)
{
    return csv->cells[(row + 1) * csv->columns + column];
}
