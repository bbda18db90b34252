/* select.c — which pictures a list wants: conditions like "source=sharp|half", and labels from its columns.
 */
#include "image_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Is `value` one of the alternatives "a|b|c"? */
static bool is_one_of(const char *value, const char *alternatives)
{
    size_t length = strlen(value);
    for (const char *at = alternatives;; at++) {
        const char *end = strchr(at, '|');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        if (n == length && strncmp(at, value, n) == 0)
            return true;
        if (!end)
            return false;
        at = end;
    }
}

/* wanted[row] becomes 0 where the condition "column=value|value" or "column!=value|value" is not met. */
static lw_status apply_condition(const table *csv, const char *path, const char *condition, uint8_t *wanted)
{
    const char *equals = strchr(condition, '=');
    bool negate = equals && equals > condition && equals[-1] == '!';
    size_t length = equals ? (size_t)(equals - condition) - negate : 0;
    if (length == 0)
        return lw_fail(LW_INVALID,
                       "where: '%s' is no condition: write column=value, column=value|value or "
                       "column!=value",
                       condition);
    char *name = lw_format("%.*s", (int)length, condition);
    if (!name)
        return LW_MEMORY;
    int64_t column = table_column(csv, path, name);
    lw_free(name);
    if (column < 0)
        return lw_wrap("where: '%s'", condition);
    for (size_t row = 0; row < csv->rows; row++)
        if (is_one_of(table_cell(csv, row, (size_t)column), equals + 1) == negate)
            wanted[row] = 0;
    return LW_OK;
}

static int name_against_entry(const void *name, const void *item)
{
    return strcmp(name, ((const entry *)item)->name);
}

/* Notes in each entry the wanted row that names it. */
static lw_status find_rows(entries *list, const table *csv, const char *path, size_t column,
                           const uint8_t *wanted)
{
    for (size_t row = 0; row < csv->rows; row++) {
        if (!wanted[row])
            continue;
        const char *name = table_cell(csv, row, column);
        entry *item =
            list->count ? bsearch(name, list->items, list->count, sizeof *item, name_against_entry) : NULL;
        if (!item)
            return lw_fail(LW_NOT_FOUND, "row %zu of '%s' names '%s', which is not among the %zu pictures",
                           row + 1, path, name, list->count);
        if (item->row >= 0)
            return lw_fail(LW_INVALID, "rows %lld and %zu of '%s' both name '%s'", (long long)item->row + 1,
                           row + 1, path, name);
        item->row = (int64_t)row;
    }
    return LW_OK;
}

static void keep_listed(entries *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].row >= 0)
            list->items[kept++] = list->items[i];
        else
            lw_free(list->items[i].name);
    }
    list->count = kept;
}

lw_status select_entries(entries *list, const table *csv, const lw_args *args)
{
    const char *path = lw_text(args, "list");
    int64_t column = table_column(csv, path, lw_text(args, "list_column"));
    if (column < 0)
        return lw_wrap("list_column");
    uint8_t *wanted = lw_alloc(csv->rows, 1);
    if (!wanted)
        return LW_MEMORY;
    memset(wanted, 1, csv->rows);
    lw_status status = LW_OK;
    for (int i = 0; status == LW_OK && i < lw_list_count(args, "where"); i++)
        status = apply_condition(csv, path, lw_list_text(args, "where", i), wanted);
    if (status == LW_OK)
        status = find_rows(list, csv, path, (size_t)column, wanted);
    if (status == LW_OK)
        keep_listed(list);
    lw_free(wanted);
    return status;
}

/* A number, or NaN for a blank cell. */
static lw_status parse_label(const char *cell, float *value)
{
    char *end;
    *value = *cell ? strtof(cell, &end) : NAN;
    return !*cell || (*end == 0 && end != cell) ? LW_OK : LW_FORMAT;
}

/* Of every picture, value [0], [stride], [2 * stride] …: the row's cell in this column. */
static lw_status read_column(const entries *list, const table *csv, const char *path, size_t column,
                             float *values, size_t stride)
{
    for (size_t i = 0; i < list->count; i++) {
        size_t row = (size_t)list->items[i].row;
        const char *cell = table_cell(csv, row, column);
        if (parse_label(cell, &values[i * stride]) != LW_OK)
            return lw_fail(LW_FORMAT, "row %zu of '%s': '%s' is '%s', which is no number", row + 1, path,
                           csv->cells[column], cell);
    }
    return LW_OK;
}

/* The columns asked for; of "*", all that hold numbers. Their names to `names`, values to [count,
 * *columns]. */
static lw_status read_labels(const entries *list, const table *csv, const lw_args *args, const char **names,
                             size_t *columns, float *values)
{
    const char *path = lw_text(args, "list");
    size_t asked = (size_t)lw_list_count(args, "labels"), used = 0;
    bool all = asked == 1 && strcmp(lw_list_text(args, "labels", 0), "*") == 0;
    for (size_t i = 0; i < (all ? csv->columns : asked); i++) {
        int64_t column = all ? (int64_t)i : table_column(csv, path, lw_list_text(args, "labels", (int)i));
        if (column < 0)
            return lw_wrap("labels");
        lw_status status = read_column(list, csv, path, (size_t)column, values + used, *columns);
        if (status == LW_OK)
            names[used++] = csv->cells[column];
        else if (!all)
            return status;
    }
    for (size_t i = 1; i < list->count; i++) /* close the gaps that columns of texts have left */
        memmove(values + i * used, values + i * *columns, used * sizeof *values);
    *columns = used;
    return LW_OK;
}

lw_status set_labels(lw_dataset *dataset, const entries *list, const table *csv, const lw_args *args)
{
    if (lw_list_count(args, "labels") == 0)
        return LW_OK;
    size_t columns = (size_t)lw_list_count(args, "labels");
    if (columns < csv->columns)
        columns = csv->columns;
    const char **names = lw_alloc(columns, sizeof *names);
    float *values = lw_alloc(list->count, columns * sizeof *values);
    lw_status status = names && values ? read_labels(list, csv, args, names, &columns, values) : LW_MEMORY;
    if (status == LW_OK)
        status = lw_dataset_set_labels(dataset, names, columns, values);
    lw_free(names);
    lw_free(values);
    return status;
}
