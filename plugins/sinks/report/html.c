/* html.c — a growing page: raw HTML, escaped text, numbers, base64, JSON values. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NESTING 16 /* of JSON values shown */

void put_bytes(page *p, const char *html, size_t size)
{
    if (p->failed)
        return;
    if (p->size + size + 1 > p->capacity) {
        size_t capacity = (p->size + size + 1) * 2;
        char *data = lw_resize(p->data, capacity, 1);
        if (!data) {
            p->failed = true;
            return;
        }
        p->data = data;
        p->capacity = capacity;
    }
    memcpy(p->data + p->size, html, size);
    p->size += size;
    p->data[p->size] = 0;
}

void put(page *p, const char *html)
{
    put_bytes(p, html, strlen(html));
}

void put_format(page *p, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(p, text);
}

void put_text(page *p, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&': put(p, "&amp;"); break;
        case '<': put(p, "&lt;"); break;
        case '>': put(p, "&gt;"); break;
        case '"': put(p, "&quot;"); break;
        case '\'': put(p, "&#39;"); break;
        default: put_bytes(p, text, 1);
        }
    }
}

void put_number(page *p, double value)
{
    double size = value < 0 ? -value : value;
    put_format(p, size >= 1000 && size < 1e6 ? "%.0f" : "%.4g", value);
}

void put_base64(page *p, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t rest = size - i;
        uint32_t three = (uint32_t)data[i] << 16 | (rest > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (rest > 2 ? (uint32_t)data[i + 2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        rest > 1 ? digits[three >> 6 & 63] : '=', rest > 2 ? digits[three & 63] : '='};
        put_bytes(p, four, 4);
    }
}

static void put_nested(page *p, const json_t *value, int depth);

static void put_object(page *p, const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    put(p, "<ul class=\"map\">");
    json_object_foreach ((json_t *)value, key, item) {
        put(p, "<li><span class=\"key\">");
        put_text(p, key);
        put(p, "</span> ");
        put_nested(p, item, depth + 1);
        put(p, "</li>");
    }
    put(p, "</ul>");
}

/* Plain items on one line, others below each other. */
static void put_array(page *p, const json_t *value, int depth)
{
    size_t index;
    json_t *item;
    bool nested = false;
    json_array_foreach (value, index, item)
        nested |= json_is_object(item) || json_is_array(item);
    put(p, nested ? "<ul>" : "[");
    json_array_foreach (value, index, item) {
        put(p, nested ? "<li>" : index ? ", " : "");
        put_nested(p, item, depth + 1);
        put(p, nested ? "</li>" : "");
    }
    put(p, nested ? "</ul>" : "]");
}

static void put_nested(page *p, const json_t *value, int depth)
{
    if (depth > MAX_NESTING)
        put(p, "…");
    else if (json_is_object(value))
        put_object(p, value, depth);
    else if (json_is_array(value))
        put_array(p, value, depth);
    else if (json_is_string(value))
        put_text(p, json_string_value(value));
    else if (json_is_integer(value))
        put_format(p, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        put_format(p, "%.9g", json_real_value(value));
    else
        put(p, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "–");
}

void put_value(page *p, const json_t *value)
{
    put_nested(p, value, 0);
}

/* "<" can only be inside a JSON string, where \u003c says the same and cannot end the script. */
void put_script_json(page *p, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(7));
    if (!text) {
        p->failed = true;
        return;
    }
    for (const char *c = text; *c; c++) {
        if (*c == '<')
            put(p, "\\u003c");
        else
            put_bytes(p, c, 1);
    }
    free(text);
}
