/* alloc.c — checked, zeroed memory, and the switch with which tests make an allocation fail. */
#include "base/alloc_internal.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int_fast64_t fail_after = -1;

void lw_alloc_fail_after(int64_t n)
{
    atomic_store(&fail_after, n);
}

/* Counts down once per allocation while armed; the one that finds zero fails, those after it do not. */
static bool must_fail(void)
{
    int_fast64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    while (left >= 0) {
        if (atomic_compare_exchange_weak(&fail_after, &left, left - 1))
            return left == 0;
    }
    return false;
}

/* The bytes of count * size, at least one, so that NULL always means failure. */
static bool byte_count(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes) || must_fail()) {
        lw_fail(LW_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
        return false;
    }
    *bytes += *bytes == 0;
    return true;
}

void *lw_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (!byte_count(count, size, &bytes))
        return NULL;
    void *memory = calloc(1, bytes);
    if (!memory)
        lw_fail(LW_MEMORY, "out of memory: %zu bytes", bytes);
    return memory;
}

void *lwi_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (!byte_count(count, size, &bytes))
        return NULL;
    void *memory =
        bytes > SIZE_MAX - LWI_ALIGNMENT
            ? NULL
            : aligned_alloc(LWI_ALIGNMENT, (bytes + LWI_ALIGNMENT - 1) / LWI_ALIGNMENT * LWI_ALIGNMENT);
    if (!memory)
        lw_fail(LW_MEMORY, "out of memory: %zu bytes", bytes);
    return memory;
}

void *lw_resize(void *memory, size_t count, size_t size)
{
    size_t bytes;
    if (!byte_count(count, size, &bytes))
        return NULL;
    void *grown = realloc(memory, bytes);
    if (!grown)
        lw_fail(LW_MEMORY, "out of memory: %zu bytes", bytes);
    return grown;
}

void lw_free(void *memory)
{
    free(memory);
}

char *lw_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = lw_alloc(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

char *lw_format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = NULL;
    if (length < 0)
        lw_fail(LW_INVALID, "cannot format '%.200s'", format);
    else
        text = lw_alloc((size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
