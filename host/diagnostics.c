/* diagnostics.c — collecting mistakes, and printing them with the line they are in and a caret. */
#include "diagnostics.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct source {
    char *file, *text;
} source;

typedef struct diagnostic {
    int source;
    int line, column, order;
    char *message, *hint;
} diagnostic;

struct lwh_diagnostics {
    source *sources;
    int source_count;
    diagnostic *items;
    size_t count;
};

lwh_diagnostics *lwh_diagnostics_create(void)
{
    return lw_alloc(1, sizeof(lwh_diagnostics));
}

void lwh_diagnostics_destroy(lwh_diagnostics *list)
{
    if (!list)
        return;
    for (int i = 0; i < list->source_count; i++) {
        lw_free(list->sources[i].file);
        lw_free(list->sources[i].text);
    }
    for (size_t i = 0; i < list->count; i++) {
        lw_free(list->items[i].message);
        lw_free(list->items[i].hint);
    }
    lw_free(list->sources);
    lw_free(list->items);
    lw_free(list);
}

static int find_source(const lwh_diagnostics *list, const char *file)
{
    for (int i = 0; i < list->source_count; i++)
        if (strcmp(list->sources[i].file, file) == 0)
            return i;
    return -1;
}

const char *lwh_diagnostics_source(lwh_diagnostics *list, const char *file, const char *text, size_t size)
{
    int found = find_source(list, file);
    if (found >= 0)
        return list->sources[found].file;
    source *grown = lw_resize(list->sources, (size_t)list->source_count + 1, sizeof(source));
    if (!grown)
        return NULL;
    list->sources = grown;
    source *fresh = &grown[list->source_count];
    fresh->file = lw_strdup(file);
    fresh->text = lw_alloc(size + 1, 1);
    if (!fresh->file || !fresh->text) {
        lw_free(fresh->file);
        lw_free(fresh->text);
        return NULL;
    }
    if (size)
        memcpy(fresh->text, text, size);
    list->source_count++;
    return fresh->file;
}

static char *format_text(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : lw_alloc((size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

static bool is_known(const lwh_diagnostics *list, const diagnostic *item)
{
    for (size_t i = 0; i < list->count; i++) {
        const diagnostic *old = &list->items[i];
        if (old->source == item->source && old->line == item->line && old->column == item->column &&
            strcmp(old->message, item->message) == 0)
            return true;
    }
    return false;
}

void lwh_report(lwh_diagnostics *list, lwh_place place, const char *hint, const char *format, ...)
{
    const char *file = place.file ? place.file : "pipeline";
    if (!lwh_diagnostics_source(list, file, "", 0))
        return;
    diagnostic item = {.source = find_source(list, file), .line = place.line, .column = place.column};
    item.order = (int)list->count;
    va_list arguments;
    va_start(arguments, format);
    item.message = format_text(format, arguments);
    va_end(arguments);
    item.hint = hint && *hint ? lw_strdup(hint) : NULL;
    diagnostic *grown = NULL;
    if (item.message && !is_known(list, &item))
        grown = lw_resize(list->items, list->count + 1, sizeof(diagnostic));
    if (!grown) {
        lw_free(item.message);
        lw_free(item.hint);
        return;
    }
    list->items = grown;
    list->items[list->count++] = item;
}

size_t lwh_diagnostics_count(const lwh_diagnostics *list)
{
    return list->count;
}

static int compare(const void *left, const void *right)
{
    const diagnostic *a = left, *b = right;
    if (a->source != b->source)
        return a->source - b->source;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order - b->order;
}

/* The start of a line and its length; NULL past the end of the text. */
static const char *find_line(const char *text, int line, int *length)
{
    for (int i = 1; i < line && text; i++) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text || !*text)
        return NULL;
    *length = (int)strcspn(text, "\r\n");
    return text;
}

/* The line, at most 100 bytes of it, and a caret below the column (counted in characters). */
static void print_line(FILE *stream, const char *text, int line, int column)
{
    int length = 0;
    const char *start = find_line(text, line, &length);
    if (!start || column > 100)
        return;
    int shown = length > 100 ? 100 : length;
    while (shown > 0 && shown < length && ((unsigned char)start[shown] & 0xc0) == 0x80)
        shown--;
    fprintf(stream, "  %5d | ", line);
    for (int i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)start[i];
        fputc(c < 0x20 || c == 0x7f ? ' ' : c, stream);
    }
    fprintf(stream, "%s\n        | %*s^\n", shown < length ? " …" : "", column > 0 ? column - 1 : 0, "");
}

void lwh_diagnostics_print(lwh_diagnostics *list, FILE *stream)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(diagnostic), compare);
    for (size_t i = 0; i < list->count; i++) {
        const diagnostic *item = &list->items[i];
        const source *from = &list->sources[item->source];
        if (item->line > 0)
            fprintf(stream, "%s:%d:%d: %s\n", from->file, item->line, item->column, item->message);
        else
            fprintf(stream, "%s: %s\n", from->file, item->message);
        if (item->line > 0)
            print_line(stream, from->text, item->line, item->column);
        if (item->hint)
            fprintf(stream, "        = %s\n", item->hint);
    }
    if (list->count)
        fprintf(stream, "%zu mistake%s\n", list->count, list->count == 1 ? "" : "s");
}

void lwh_diagnostics_print_json(lwh_diagnostics *list, FILE *stream)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(diagnostic), compare);
    for (size_t i = 0; i < list->count; i++) {
        const diagnostic *item = &list->items[i];
        json_t *line = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s*}", "event", "error", "file",
                                 list->sources[item->source].file, "line", item->line, "column", item->column,
                                 "message", item->message, "hint", item->hint);
        if (line) {
            json_dumpf(line, stream, JSON_COMPACT);
            fputc('\n', stream);
        }
        json_decref(line);
    }
}
