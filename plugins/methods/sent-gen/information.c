/* information.c — see information.h. */
#include "information.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

lw_status information_correlation(const float *z, const float *amounts, int64_t count, int64_t size,
                                  double *r)
{
    double n = (double)count, mean = 0, spread = 0;
    for (int64_t k = 0; k < count; k++)
        mean += (double)amounts[k] / n;
    for (int64_t k = 0; k < count; k++)
        spread += ((double)amounts[k] - mean) * ((double)amounts[k] - mean);
    if (!(spread / n > 1e-12))
        return lw_fail(LW_INVALID,
                       "its deviation over %lld latents is %.2g: an attribute that does not vary has nothing "
                       "to do with z",
                       (long long)count, sqrt(spread / n));
    for (int64_t i = 0; i < size; i++) {
        double center = 0, zz = 0, za = 0;
        for (int64_t k = 0; k < count; k++)
            center += (double)z[k * size + i] / n;
        for (int64_t k = 0; k < count; k++) {
            double d = (double)z[k * size + i] - center;
            zz += d * d;
            za += d * ((double)amounts[k] - mean);
        }
        r[i] = zz > 0 ? za / sqrt(zz * spread) : 0;
    }
    return LW_OK;
}

double information_gaussian(double r)
{
    return -0.5 * log1p(-fmin(r * r, 1 - 1e-12));
}

/* --- without assumptions -------------------------------------------------------------------------- */
typedef struct sorted {
    float value;
    uint32_t row;
} sorted;

/* Rising values; of equal ones the earlier row first. */
static int by_value(const void *a, const void *b)
{
    const sorted *x = a, *y = b;
    if (x->value < y->value || x->value > y->value)
        return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The bin of every row of a column. */
static void sort_into_bins(const float *column, int64_t stride, int64_t count, int64_t bins, sorted *room,
                           uint16_t *bin)
{
    for (int64_t k = 0; k < count; k++)
        room[k] = (sorted){column[k * stride], (uint32_t)k};
    qsort(room, (size_t)count, sizeof *room, by_value);
    for (int64_t k = 0; k < count; k++)
        bin[room[k].row] = (uint16_t)(k * bins / count);
}

/* Sum over cells of p log(p / (p_row p_column)); as all bins are equally full, p_row = p_column = 1 / bins up
 * to rounding, which the exact marginals take care of. */
static double information_of(const double *table, int64_t bins, double count, double *rows, double *columns)
{
    double sum = 0;
    memset(rows, 0, (size_t)bins * sizeof *rows);
    memset(columns, 0, (size_t)bins * sizeof *columns);
    for (int64_t a = 0; a < bins; a++)
        for (int64_t b = 0; b < bins; b++) {
            rows[a] += table[a * bins + b];
            columns[b] += table[a * bins + b];
        }
    for (int64_t a = 0; a < bins; a++)
        for (int64_t b = 0; b < bins; b++) {
            double n = table[a * bins + b];
            sum += n > 0 ? n / count * log(n * count / (rows[a] * columns[b])) : 0;
        }
    return sum;
}

lw_status information_binned(const float *z, const float *amounts, int64_t count, int64_t size, double *mi)
{
    int64_t bins = (int64_t)cbrt((double)count);
    bins = bins < 2 ? 2 : bins > 1000 ? 1000 : bins;
    sorted *room = lw_alloc((size_t)count, sizeof *room);
    uint16_t *of_amount = lw_alloc((size_t)count, sizeof *of_amount);
    uint16_t *of_z = lw_alloc((size_t)count, sizeof *of_z);
    double *table = lw_alloc((size_t)((bins + 2) * bins), sizeof *table);
    lw_status status = room && of_amount && of_z && table ? LW_OK : LW_MEMORY;
    if (status == LW_OK)
        sort_into_bins(amounts, 1, count, bins, room, of_amount);
    for (int64_t i = 0; status == LW_OK && i < size; i++) {
        sort_into_bins(z + i, size, count, bins, room, of_z);
        memset(table, 0, (size_t)(bins * bins) * sizeof *table);
        for (int64_t k = 0; k < count; k++)
            table[of_z[k] * bins + of_amount[k]] += 1;
        mi[i] = information_of(table, bins, (double)count, table + bins * bins, table + (bins + 1) * bins) -
                (double)((bins - 1) * (bins - 1)) / (2 * (double)count);
    }
    lw_free(room);
    lw_free(of_amount);
    lw_free(of_z);
    lw_free(table);
    return status;
}

/* --- the mask ------------------------------------------------------------------------------------- */
int64_t information_mask(const double *mi, int64_t size, double gamma, float *mask)
{
    double most = mi[0], least = mi[0];
    int64_t chosen = 0;
    for (int64_t i = 1; i < size; i++) {
        most = fmax(most, mi[i]);
        least = fmin(least, mi[i]);
    }
    for (int64_t i = 0; i < size; i++) {
        /* exp(mi) over its sum; the sum falls out of (p - min) / (max - min) */
        double share = most > least ? expm1(mi[i] - least) / expm1(most - least) : 1;
        mask[i] = share >= 1 - gamma ? 1 : 0;
        chosen += mask[i] > 0;
    }
    return chosen;
}
