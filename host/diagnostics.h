/* diagnostics.h — everything that is wrong with a pipeline, collected and told together.
 *
 * A diagnostic points into a text the list knows (a pipeline file, or the value of a --set). Strings
 * are copied; the list belongs to whoever made it. */
#ifndef LWH_DIAGNOSTICS_H
#define LWH_DIAGNOSTICS_H

#include <stdio.h>

#include "latentwalk/base.h"

/* Where something was written. line and column count from 1; line 0: the file as a whole. */
typedef struct lwh_place {
    const char *file;
    int line, column;
} lwh_place;

typedef struct lwh_diagnostics lwh_diagnostics;

lwh_diagnostics *lwh_diagnostics_create(void);
void lwh_diagnostics_destroy(lwh_diagnostics *list);

/* Keeps the text of a file, so that its lines can be shown. Returns the list's copy of the name. */
const char *lwh_diagnostics_source(lwh_diagnostics *list, const char *file, const char *text, size_t size);

/* `hint` (may be NULL) says what would be accepted. The same message at the same place counts once. */
void lwh_report(lwh_diagnostics *list, lwh_place place, const char *hint, const char *format, ...)
    LW_PRINTF(4, 5);

size_t lwh_diagnostics_count(const lwh_diagnostics *list);
/* Sorted by file in order of appearance, line and column. */
void lwh_diagnostics_print(lwh_diagnostics *list, FILE *stream);
/* One JSON object a line: {"event": "error", "file", "line", "column", "message", "hint"}. */
void lwh_diagnostics_print_json(lwh_diagnostics *list, FILE *stream);

#endif
