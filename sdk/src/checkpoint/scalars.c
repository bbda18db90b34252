/* scalars.c — the opcodes that carry data: numbers, texts and bytes, each checked against what is left of the
 * file. */
#include "checkpoint/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static lw_status refuse(const lwi_machine *m, const char *what)
{
    lwi_machine_refuse(m, "%s", what);
    return LW_FORMAT;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* The next `count` bytes; NULL with an error where the pickle is shorter. */
const uint8_t *lwi_machine_take(lwi_machine *m, uint64_t count)
{
    if (count > m->size - m->at) {
        lwi_machine_refuse(m, "asks for %" PRIu64 " bytes, but only %zu are left: cut short?", count,
                           m->size - m->at);
        return NULL;
    }
    const uint8_t *bytes = m->data + m->at;
    m->at += count;
    return bytes;
}

/* A little-endian number of `size` bytes. */
bool lwi_machine_take_number(lwi_machine *m, size_t size, uint64_t *number)
{
    const uint8_t *bytes = lwi_machine_take(m, size);
    *number = 0;
    for (size_t i = size; bytes && i-- > 0;)
        *number = *number << 8 | bytes[i];
    return bytes != NULL;
}

/* The text up to the next newline, without it. */
const char *lwi_machine_take_line(lwi_machine *m, size_t *length)
{
    const uint8_t *start = m->data + m->at, *end = memchr(start, '\n', m->size - m->at);
    if (!end) {
        lwi_machine_refuse(m, "starts a line that does not end: cut short?");
        return NULL;
    }
    *length = (size_t)(end - start);
    m->at += *length + 1;
    return (const char *)start;
}

lw_status lwi_machine_push_int(lwi_machine *m, int64_t number)
{
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_INT);
    if (value)
        value->integer = number;
    return lwi_machine_push(m, value);
}

lw_status lwi_machine_push_bool(lwi_machine *m, bool truth)
{
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_BOOL);
    if (value)
        value->truth = truth;
    return lwi_machine_push(m, value);
}

static lw_status push_real(lwi_machine *m, double number)
{
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_FLOAT);
    if (value)
        value->real = number;
    return lwi_machine_push(m, value);
}

/* TEXT, BYTES or BIG of the next `length` bytes. */
lw_status lwi_machine_push_bytes(lwi_machine *m, lwi_pkind kind, uint64_t length)
{
    const uint8_t *bytes = lwi_machine_take(m, length);
    lwi_pvalue *value = bytes ? lwi_machine_value(m, kind) : NULL;
    if (!value)
        return lw_error_status();
    value->text.at = (const char *)bytes;
    value->text.length = (size_t)length;
    return lwi_machine_push(m, value);
}

/* The same with the length in `size` bytes before it. */
lw_status lwi_machine_push_sized(lwi_machine *m, lwi_pkind kind, size_t size)
{
    uint64_t length;
    return lwi_machine_take_number(m, size, &length) ? lwi_machine_push_bytes(m, kind, length) : LW_FORMAT;
}

/* LONG1, LONG4: two's complement, little endian. */
lw_status lwi_machine_push_long(lwi_machine *m, size_t size)
{
    uint64_t length, bits = 0;
    if (!lwi_machine_take_number(m, size, &length))
        return LW_FORMAT;
    if (length > sizeof bits)
        return lwi_machine_push_bytes(m, LWI_P_BIG, length);
    const uint8_t *bytes = lwi_machine_take(m, length);
    if (!bytes)
        return LW_FORMAT;
    if (length > 0 && bytes[length - 1] & 0x80)
        bits = UINT64_MAX;
    for (size_t i = length; i-- > 0;)
        bits = bits << 8 | bytes[i];
    return lwi_machine_push_int(m, (int64_t)bits);
}

lw_status lwi_machine_push_binfloat(lwi_machine *m)
{
    const uint8_t *bytes = lwi_machine_take(m, 8);
    uint64_t bits = 0;
    double number;
    for (int i = 0; bytes && i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&number, &bits, sizeof number);
    return bytes ? push_real(m, number) : LW_FORMAT;
}

/* INT "7", "00" and "01" (booleans); LONG "7L"; FLOAT "0.5". */
lw_status lwi_machine_push_number_line(lwi_machine *m, uint8_t op)
{
    char text[64], *end;
    size_t length = 0;
    const char *line = lwi_machine_take_line(m, &length);
    if (!line)
        return LW_FORMAT;
    if (op == 'L' && length > 0 && line[length - 1] == 'L')
        length--;
    if (length == 0 || length >= sizeof text)
        return refuse(m, "has no number, or one too long");
    memcpy(text, line, length);
    text[length] = '\0';
    if (op == 'I' && (strcmp(text, "00") == 0 || strcmp(text, "01") == 0))
        return lwi_machine_push_bool(m, text[1] == '1');
    double real = op == 'F' ? strtod(text, &end) : 0;
    int64_t whole = op == 'F' ? 0 : strtoll(text, &end, 10);
    if (*end)
        return refuse(m, "has something else than a number");
    return op == 'F' ? push_real(m, real) : lwi_machine_push_int(m, whole);
}

static int hex(const char *at, int digits)
{
    int number = 0;
    for (int i = 0; i < digits; i++) {
        const char *all = "0123456789abcdef", *found = memchr(all, at[i] | 0x20, 16);
        if (!found)
            return -1;
        number = number << 4 | (int)(found - all);
    }
    return number;
}

static size_t put_utf8(char *out, int code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* The text of a line of protocol 0 without its escapes: STRING 'a\n' in quotes, UNICODE raw with \uXXXX.
 * The result is never longer than the line. */
lw_status lwi_machine_push_escaped(lwi_machine *m, bool quoted)
{
    size_t length = 0, used = 0;
    const char *line = lwi_machine_take_line(m, &length);
    if (!line)
        return LW_FORMAT;
    if (quoted) {
        if (length < 2 || (line[0] != '\'' && line[0] != '"') || line[length - 1] != line[0])
            return refuse(m, "lacks its quotes");
        line++;
        length -= 2;
    }
    char *out = lwi_pickle_alloc(m->pickle, length + 1);
    if (!out)
        return LW_MEMORY;
    for (size_t i = 0; i < length; i++) {
        static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
        char next = i + 1 < length ? line[i + 1] : '\0';
        const char *simple = quoted && next ? strchr(from, next) : NULL;
        int digits = !quoted && next == 'u' ? 4 : quoted && next == 'x' ? 2 : 0;
        int code = digits && i + 1 + (size_t)digits < length ? hex(line + i + 2, digits) : -1;
        if (line[i] != '\\') {
            out[used++] = line[i];
        } else if (simple) {
            out[used++] = to[simple - from];
            i++;
        } else if (code >= 0) {
            if (quoted)
                out[used++] = (char)code;
            else
                used += put_utf8(out + used, code);
            i += 1 + (size_t)digits;
        } else {
            return refuse(m, "has an escape that is not supported");
        }
    }
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_TEXT);
    if (!value)
        return LW_MEMORY;
    value->text.at = out;
    value->text.length = used;
    return lwi_machine_push(m, value);
}
