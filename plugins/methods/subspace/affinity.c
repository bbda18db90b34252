/* affinity.c — see cluster.h. */
#include "cluster.h"

#include <latentwalk/linalg.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

void affinity_paper(int64_t n, const double *r, double *s)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            s[i * n + j] = (fabs(r[i * n + j]) + fabs(r[j * n + i])) / 2;
}

typedef struct entry {
    double size;
    int64_t row;
} entry;

static int falling(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size)
                              : (x->row > y->row) - (x->row < y->row);
}

lw_status affinity_keep(int64_t n, const double *c, double share, double *kept)
{
    entry *column = lw_alloc((size_t)n, sizeof *column);
    if (!column)
        return lw_error_status();
    memset(kept, 0, (size_t)(n * n) * sizeof *kept);
    for (int64_t j = 0; j < n; j++) {
        double all = 0, sum = 0;
        for (int64_t i = 0; i < n; i++) {
            column[i] = (entry){fabs(c[i * n + j]), i};
            all += column[i].size;
        }
        qsort(column, (size_t)n, sizeof *column, falling);
        for (int64_t i = 0; i < n && !(sum > share * all);
             i++) { /* the one that passes the share is kept too */
            sum += column[i].size;
            kept[column[i].row * n + j] = c[column[i].row * n + j];
        }
    }
    lw_free(column);
    return LW_OK;
}

/* Rows u [n, rank] of unit length, with u u^T the main part of the symmetric c: eigenvectors by falling size
 * of their value, each with the root of it. A row of nothing stays zero. */
static void factor(int64_t n, int64_t rank, const double *values, const double *vectors, entry *order,
                   double *u)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = (entry){fabs(values[i]), i};
    qsort(order, (size_t)n, sizeof *order, falling);
    for (int64_t i = 0; i < n; i++) {
        double squares = 0;
        for (int64_t k = 0; k < rank; k++) {
            u[i * rank + k] = vectors[order[k].row * n + i] * sqrt(order[k].size);
            squares += u[i * rank + k] * u[i * rank + k];
        }
        for (int64_t k = 0; k < rank && squares > 0; k++)
            u[i * rank + k] /= sqrt(squares);
    }
}

/* s = the positive part of u u^T to the power, its largest 1. */
static void raise_cosines(int64_t n, int64_t rank, const double *u, double power, double *s)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double cosine = 0;
            for (int64_t k = 0; k < rank; k++)
                cosine += u[i * rank + k] * u[j * rank + k];
            s[i * n + j] = cosine > 0 ? pow(cosine, power) : 0;
            largest = fmax(largest, s[i * n + j]);
        }
    for (int64_t i = 0; i < n * n && largest > 0; i++)
        s[i] /= largest;
}

lw_status affinity_refine(int64_t n, const double *c, int64_t clusters, int64_t dimension, double power,
                          double *s)
{
    const int64_t wanted = dimension * clusters + 1, rank = n < 2 ? 1 : wanted < n - 1 ? wanted : n - 1;
    double *room = lw_alloc((size_t)(n * n + n + n * rank), sizeof *room);
    entry *order = lw_alloc((size_t)n, sizeof *order);
    lw_status status = room && order ? LW_OK : LW_MEMORY;
    for (int64_t i = 0; status == LW_OK && i < n; i++)
        for (int64_t j = 0; j < n; j++)
            s[i * n + j] = (c[i * n + j] + c[j * n + i]) / 2;
    if (status == LW_OK)
        status = lw_symmetric_eigen(n, s, room + n * n, room);
    if (status == LW_OK) {
        factor(n, rank, room + n * n, room, order, room + n * n + n);
        raise_cosines(n, rank, room + n * n + n, power, s);
    }
    lw_free(room);
    lw_free(order);
    return status;
}

lw_status affinity_released(int64_t n, const double *r, int64_t clusters, double *s)
{
    double *room = lw_alloc((size_t)(2 * n * n), sizeof *room), *kept = room + n * n;
    if (!room)
        return lw_error_status();
    for (int64_t i = 0; i < n * n; i++)
        room[i] = fmax(r[i], 0);
    lw_status status = affinity_keep(n, room, 0.2, kept);
    if (status == LW_OK)
        status = affinity_refine(n, kept, clusters, 12, 3, s);
    lw_free(room);
    return status;
}
