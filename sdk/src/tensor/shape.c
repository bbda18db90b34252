/* shape.c — the sizes of a tensor. An impossible shape (rank out of range, a negative size, more
 * elements than 63 bits count) has the count -1, so one test catches them all. */
#include "latentwalk/tensor.h"

#include <inttypes.h>
#include <stdio.h>

lw_shape lw_shape_make(int rank, const int64_t *dim)
{
    lw_shape shape = {.rank = rank};
    if (rank < 0 || rank > LW_MAX_RANK) {
        shape.rank = -1;
        return shape;
    }
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return shape;
}

int64_t lw_shape_count(lw_shape shape)
{
    int64_t count = 1;
    bool empty = false;
    if (shape.rank < 0 || shape.rank > LW_MAX_RANK)
        return -1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0)
            return -1;
        if (shape.dim[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, shape.dim[i], &count))
            return -1;
    }
    return empty ? 0 : count;
}

bool lw_shape_equal(lw_shape a, lw_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank && i < LW_MAX_RANK; i++) {
        if (a.dim[i] != b.dim[i])
            return false;
    }
    return true;
}

const char *lw_shape_text(lw_shape shape, char *buffer)
{
    if (shape.rank < 0 || shape.rank > LW_MAX_RANK) {
        snprintf(buffer, LW_SHAPE_TEXT, "[a shape of more than %d dimensions]", LW_MAX_RANK);
        return buffer;
    }
    int used = snprintf(buffer, LW_SHAPE_TEXT, "[");
    for (int i = 0; i < shape.rank; i++)
        used +=
            snprintf(buffer + used, LW_SHAPE_TEXT - (size_t)used, "%s%" PRId64, i ? ", " : "", shape.dim[i]);
    snprintf(buffer + used, LW_SHAPE_TEXT - (size_t)used, "]");
    return buffer;
}
