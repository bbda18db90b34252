/* arena.c — memory that is released all at once: the nodes and strings of a pipeline. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tree.h"

typedef struct block {
    struct block *next;
    size_t used, size;
    max_align_t data[];
} block;

struct lwh_arena {
    block *first;
};

lwh_arena *lwh_arena_create(void)
{
    return lw_alloc(1, sizeof(lwh_arena));
}

void lwh_arena_destroy(lwh_arena *arena)
{
    if (!arena)
        return;
    for (block *b = arena->first, *next; b; b = next) {
        next = b->next;
        lw_free(b);
    }
    lw_free(arena);
}

void *lwh_arena_alloc(lwh_arena *arena, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!arena->first || arena->first->size - arena->first->used < size) {
        size_t wanted = size > 16384 ? size : 16384;
        block *fresh = lw_alloc(1, sizeof(block) + wanted);
        if (!fresh)
            return NULL;
        fresh->size = wanted;
        fresh->next = arena->first;
        arena->first = fresh;
    }
    char *memory = (char *)arena->first->data + arena->first->used;
    arena->first->used += size;
    return memory;
}

char *lwh_arena_strdup(lwh_arena *arena, const char *text, size_t length)
{
    char *copy = lwh_arena_alloc(arena, length + 1);
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *lwh_arena_format(lwh_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : lwh_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
