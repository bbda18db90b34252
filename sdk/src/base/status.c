/* status.c — names and sentences of the status codes. */
#include "latentwalk/base.h"

typedef struct status_row {
    lw_status value;
    const char *name;
    const char *text;
} status_row;

static const status_row rows[] = {
#define X(name, value, text) {LW_##name, #name, text},
    LW_STATUS_MAP(X)
#undef X
};
enum { ROWS = sizeof rows / sizeof rows[0], NAME_LENGTH = 16 };

static const status_row *find(lw_status status)
{
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].value == status)
            return &rows[i];
    }
    return NULL;
}

/* The names of the table in lower case, without a second list to keep in step. */
const char *lw_status_name(lw_status status)
{
    static _Thread_local char names[ROWS][NAME_LENGTH];
    const status_row *row = find(status);
    if (!row)
        return "unknown";
    char *name = names[row - rows];
    for (size_t i = 0; row->name[i] && i + 1 < NAME_LENGTH; i++) {
        char c = row->name[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return name;
}

const char *lw_status_text(lw_status status)
{
    const status_row *row = find(status);
    return row ? row->text : "unknown status";
}
