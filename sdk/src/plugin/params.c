/* params.c — one parameter's values: text to value with range and choices checked, and value to text. */
#include "plugin/params.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS 65536
/* Ranges wider than this are not worth mentioning: 2^53, the last double that counts by ones. */
#define HUGE_BOUND 9007199254740992.0

const char *lwi_param_type_name(lw_param_type type)
{
    switch ((int)type) {
#define X(name, value, text) \
    case value: return text;
        LW_PARAM_MAP(X)
#undef X
    default: return NULL;
    }
}

bool lwi_param_is_list(const lw_param *param)
{
    return param->type == LW_PARAM_INTS || param->type == LW_PARAM_FLOATS || param->type == LW_PARAM_STRINGS;
}

/* The type of one item. */
static lw_param_type item_type(const lw_param *param)
{
    switch (param->type) {
    case LW_PARAM_INTS: return LW_PARAM_INT;
    case LW_PARAM_FLOATS: return LW_PARAM_FLOAT;
    case LW_PARAM_STRINGS: return LW_PARAM_STRING;
    default: return param->type;
    }
}

static bool has_range(const lw_param *param)
{
    return param->minimum != 0 || param->maximum != 0;
}

/* --- what is accepted ----------------------------------------------------------------------- */

static char *join_choices(const lw_param *param)
{
    char *text = lw_strdup("one of");
    for (int i = 0; text && param->choices && param->choices[i]; i++) {
        char *longer = lw_format("%s%s %s", text, i ? "," : "", param->choices[i]);
        lw_free(text);
        text = longer;
    }
    return text;
}

char *lwi_param_accepts(const lw_param *param)
{
    static const char *const what[] = {
        [LW_PARAM_INT] = "an integer",
        [LW_PARAM_FLOAT] = "a number",
        [LW_PARAM_BOOL] = "true or false",
        [LW_PARAM_STRING] = "a text",
        [LW_PARAM_PATH] = "a path",
        [LW_PARAM_MODEL] = "the name of a model",
        [LW_PARAM_INTS] = "a list of integers",
        [LW_PARAM_FLOATS] = "a list of numbers",
        [LW_PARAM_STRINGS] = "a list of texts",
        [LW_PARAM_LOSSES] = "a list of {uses, weight, with}",
    };
    if (param->type == LW_PARAM_CHOICE)
        return join_choices(param);
    const char *each = lwi_param_is_list(param) ? ", each" : "";
    lw_param_type type = item_type(param);
    if ((type != LW_PARAM_INT && type != LW_PARAM_FLOAT) || !has_range(param))
        return lw_strdup(what[param->type]);
    if (param->maximum >= HUGE_BOUND)
        return lw_format("%s%s at least %.15g", what[param->type], each, param->minimum);
    if (param->minimum <= -HUGE_BOUND)
        return lw_format("%s%s at most %.15g", what[param->type], each, param->maximum);
    return lw_format("%s%s from %.15g to %.15g", what[param->type], each, param->minimum, param->maximum);
}

static lw_status refuse(const lw_param *param, const char *text)
{
    char *accepts = lwi_param_accepts(param);
    if (!accepts)
        return LW_MEMORY;
    const char *close = param->type == LW_PARAM_CHOICE ? lw_closest(text, param->choices) : NULL;
    lw_status status = lw_fail(LW_INVALID, "parameter '%s' is '%.200s': expected %s%s%s%s%s%s", param->key,
                               text, accepts, param->unit ? " " : "", param->unit ? param->unit : "",
                               close ? "; did you mean '" : "", close ? close : "", close ? "'?" : "");
    lw_free(accepts);
    return status;
}

/* --- text to value -------------------------------------------------------------------------- */

static bool in_range(const lw_param *param, double value)
{
    return !has_range(param) || (value >= param->minimum && value <= param->maximum);
}

static bool parse_int(const lw_param *param, const char *text, int64_t *value)
{
    size_t digits = strspn(text + (*text == '-' || *text == '+'), "0123456789");
    if (digits == 0 || text[(*text == '-' || *text == '+') + digits])
        return false;
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0 && in_range(param, (double)*value);
}

static bool parse_float(const lw_param *param, const char *text, double *value)
{
    char *end;
    /* Decimal notation only: strtod alone would also take hexadecimal, "inf" and "nan". */
    if (!*text || text[strspn(text, "+-.0123456789eE")])
        return false;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && in_range(param, *value);
}

static bool parse_bool(const char *text, int64_t *value)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0;
    bool no = strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0;
    *value = yes;
    return yes || no;
}

/* One item; its text is owned by the item. */
static lw_status parse_item(const lw_param *param, const char *text, lwi_item *item)
{
    bool ok = true;
    memset(item, 0, sizeof *item);
    switch (item_type(param)) {
    case LW_PARAM_INT: ok = parse_int(param, text, &item->integer); break;
    case LW_PARAM_FLOAT: ok = parse_float(param, text, &item->number); break;
    case LW_PARAM_BOOL: ok = parse_bool(text, &item->integer); break;
    case LW_PARAM_CHOICE: ok = lwi_list_has(param->choices, text); break;
    case LW_PARAM_PATH:
    case LW_PARAM_MODEL: ok = *text != 0; break;
    case LW_PARAM_LOSSES: ok = false; break;
    default: break;
    }
    if (!ok)
        return refuse(param, text);
    lw_param_type type = item_type(param);
    if (type == LW_PARAM_INT || type == LW_PARAM_FLOAT || type == LW_PARAM_BOOL)
        return LW_OK;
    item->text = lw_strdup(text);
    return item->text ? LW_OK : LW_MEMORY;
}

void lwi_items_free(lwi_item *items, int count)
{
    for (int i = 0; i < count; i++)
        lw_free(items[i].text);
    lw_free(items);
}

lw_status lwi_param_parse_list(const lw_param *param, const char *const *texts, int count, lwi_item **items)
{
    *items = NULL;
    if (count < 0 || count > MAX_ITEMS)
        return lw_fail(LW_INVALID, "parameter '%s' has %d items; at most %d are possible", param->key, count,
                       MAX_ITEMS);
    lwi_item *made = lw_alloc((size_t)count + 1, sizeof *made);
    if (!made)
        return LW_MEMORY;
    for (int i = 0; i < count; i++) {
        lw_status status = parse_item(param, texts[i], &made[i]);
        if (status != LW_OK) {
            lwi_items_free(made, i);
            return status;
        }
    }
    *items = made;
    return LW_OK;
}

/* Takes the next item of a flow sequence off *at, unquoted, into `out` (as large as the text). False where
 * the notation is broken. */
static bool next_item(const char **at, char *out)
{
    const char *p = *at + strspn(*at, " \t\n");
    if (*p == '"' || *p == '\'') {
        char quote = *p++;
        for (;; p++) {
            if (!*p)
                return false;
            if (*p == quote && !(quote == '\'' && p[1] == quote))
                break;
            if (quote == '\'' ? *p == quote : *p == '\\')
                p++;
            if (!*p)
                return false;
            *out++ = *p;
        }
        p++;
    } else {
        const char *start = p;
        p += strcspn(p, ",[]{}\"'");
        size_t length = (size_t)(p - start);
        while (length && strchr(" \t\n", start[length - 1]))
            length--;
        if (length == 0)
            return false;
        memcpy(out, start, length);
        out += length;
    }
    *out = 0;
    *at = p + strspn(p, " \t\n");
    return **at == ',' || **at == ']';
}

static lw_status parse_flow(const lw_param *param, const char *text, lwi_item **items, int *count)
{
    const char *at = text + strspn(text, " \t\n");
    size_t most = 1; /* items */
    for (const char *c = text; *c; c++)
        most += *c == ',';
    char **parts = lw_alloc(most, sizeof *parts);
    char *room = lw_alloc(strlen(text) + most + 1, 1); /* every item with its zero byte */
    lw_status status = parts && room ? LW_OK : LW_MEMORY;
    char *next = room;
    bool ok = *at == '[';
    *count = 0;
    at += ok;
    at += strspn(at, " \t\n");
    while (status == LW_OK && ok && *at != ']') {
        ok = next_item(&at, next);
        if (!ok)
            break;
        parts[(*count)++] = next;
        next += strlen(next) + 1;
        at += *at == ',' ? 1 : 0;
        at += strspn(at, " \t\n");
    }
    ok = ok && *at == ']' && at[1 + strspn(at + 1, " \t\n")] == 0;
    if (status == LW_OK && !ok)
        status = refuse(param, text);
    if (status == LW_OK)
        status = lwi_param_parse_list(param, (const char *const *)parts, *count, items);
    lw_free(parts);
    lw_free(room);
    return status;
}

lw_status lwi_param_parse(const lw_param *param, const char *text, lwi_item **items, int *count)
{
    *items = NULL;
    if (param->type == LW_PARAM_LOSSES) {
        *count = 0;
        return strcmp(text, "[]") == 0 ? LW_OK : refuse(param, text);
    }
    if (lwi_param_is_list(param))
        return parse_flow(param, text, items, count);
    *count = 1;
    return lwi_param_parse_list(param, &text, 1, items);
}

lw_status lwi_param_check(const lw_param *param, const char *text)
{
    lwi_item *items;
    int count;
    LW_TRY(lwi_param_parse(param, text, &items, &count));
    lwi_items_free(items, count);
    return LW_OK;
}

/* --- value to text -------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same double; whole numbers as integers are written. */
static char *number_text(double value)
{
    char text[40];
    if (value == trunc(value) && fabs(value) < 1e15)
        return lw_format("%.0f", value);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return lw_strdup(text);
}

static char *quoted(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    if (*text && !text[strspn(text, plain)])
        return lw_strdup(text);
    char *out = lw_alloc(2 * strlen(text) + 3, 1), *o = out;
    if (!out)
        return NULL;
    *o++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *o++ = '\\';
        *o++ = *text;
    }
    *o = '"';
    return out;
}

static char *item_text(const lw_param *param, const lwi_item *item)
{
    switch (item_type(param)) {
    case LW_PARAM_INT: return lw_format("%lld", (long long)item->integer);
    case LW_PARAM_FLOAT: return number_text(item->number);
    case LW_PARAM_BOOL: return lw_strdup(item->integer ? "true" : "false");
    default: return lwi_param_is_list(param) ? quoted(item->text) : lw_strdup(item->text);
    }
}

char *lwi_items_text(const lw_param *param, const lwi_item *items, int count)
{
    if (!lwi_param_is_list(param))
        return item_text(param, items);
    char *text = lw_strdup("[");
    for (int i = 0; text && i < count; i++) {
        char *item = item_text(param, &items[i]);
        char *longer = item ? lw_format("%s%s%s", text, i ? ", " : "", item) : NULL;
        lw_free(item);
        lw_free(text);
        text = longer;
    }
    char *closed = text ? lw_format("%s]", text) : NULL;
    lw_free(text);
    return closed;
}
