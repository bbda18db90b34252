/* error.c — this thread's error: a short chain of messages in fixed memory, so that reporting an
 * error can itself never fail, not even without memory. */
#include "latentwalk/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 8, MESSAGE = 1024, TEXT = DEPTH * (MESSAGE + 2) };

typedef struct error_chain {
    lw_status status;
    int count;
    char message[DEPTH][MESSAGE]; /* innermost (the root cause) first */
} error_chain;

static _Thread_local error_chain chain;
static _Thread_local char joined[TEXT];

static void format_message(char *buffer, const char *format, va_list arguments) LW_PRINTF(2, 0);

/* A message that is cut says so with its last three characters. */
static void format_message(char *buffer, const char *format, va_list arguments)
{
    int length = vsnprintf(buffer, MESSAGE, format, arguments);
    if (length < 0)
        snprintf(buffer, MESSAGE, "(a message that could not be formatted: %.200s)", format);
    else if (length >= MESSAGE)
        memcpy(buffer + MESSAGE - 4, "...", 4);
}

/* Formats before it stores: the arguments may point into the very chain that is replaced. */
lw_status lw_fail(lw_status status, const char *format, ...)
{
    char text[MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    format_message(text, format, arguments);
    va_end(arguments);
    chain.status = status == LW_OK ? LW_INTERNAL : status;
    chain.count = 1;
    memcpy(chain.message[0], text, sizeof text);
    return chain.status;
}

lw_status lw_wrap(const char *format, ...)
{
    char text[MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    format_message(text, format, arguments);
    va_end(arguments);
    if (chain.count == 0)
        chain.status = LW_INTERNAL;
    if (chain.count == DEPTH) {
        /* Too deep: the root cause and the outer contexts say most, the second innermost goes. */
        memmove(chain.message[1], chain.message[2], sizeof chain.message[0] * (DEPTH - 2));
        chain.count--;
    }
    memcpy(chain.message[chain.count++], text, sizeof text);
    return chain.status;
}

lw_status lw_error_status(void)
{
    return chain.count ? chain.status : LW_OK;
}

const char *lw_error_message(int depth)
{
    return depth >= 0 && depth < chain.count ? chain.message[chain.count - 1 - depth] : NULL;
}

const char *lw_error_text(void)
{
    size_t used = 0;
    joined[0] = '\0';
    for (int i = 0; i < chain.count; i++) {
        int length =
            snprintf(joined + used, sizeof joined - used, "%s%s", i ? ": " : "", lw_error_message(i));
        used += length > 0 ? (size_t)length : 0;
    }
    return joined;
}

void lw_error_clear(void)
{
    chain.count = 0;
    chain.status = LW_OK;
}
