/* change.c — see change.h. Sums are double, in a fixed order. */
#include "change.h"

#include <math.h>

/* A walk [T, layers, size]. */
static double path_length(const float *walk, int64_t points, int64_t layers, int64_t size)
{
    const int64_t row = layers * size;
    double length = 0;
    for (int64_t t = 0; t + 1 < points; t++) {
        double squares = 0;
        for (int64_t i = 0; i < row; i++)
            squares += pow((double)walk[(t + 1) * row + i] - walk[t * row + i], 2);
        length += sqrt(squares / (double)layers);
    }
    return length;
}

lw_status changes_measure(changes *c, const lw_tensor *walks, const lw_tensor *scores, int64_t outputs)
{
    const int64_t count = walks->shape.dim[0], points = walks->shape.dim[1],
                  layers = walks->shape.rank == 4 ? walks->shape.dim[2] : 1,
                  size = walks->shape.dim[walks->shape.rank - 1];
    *c = (changes){.outputs = outputs, .signed_change = lw_alloc((size_t)(3 * outputs), sizeof(double))};
    if (!c->signed_change)
        return lw_error_status();
    c->per_unit = c->signed_change + outputs;
    c->absolute_per_unit = c->signed_change + 2 * outputs;
    for (int64_t n = 0; n < count; n++) {
        const double length = path_length(walks->data + n * points * layers * size, points, layers, size);
        c->moved += length > 0;
        for (int64_t k = 0; k < outputs; k++) {
            const double change = (double)scores->data[(n * points + points - 1) * outputs + k] -
                                  scores->data[n * points * outputs + k];
            c->signed_change[k] += change / (double)count;
            c->per_unit[k] += length > 0 ? change / length : 0;
            c->absolute_per_unit[k] += length > 0 ? fabs(change) / length : 0;
        }
    }
    for (int64_t k = 0; k < outputs && c->moved; k++) {
        c->per_unit[k] /= (double)c->moved;
        c->absolute_per_unit[k] /= (double)c->moved;
    }
    return LW_OK;
}

void changes_forget(changes *c)
{
    lw_free(c->signed_change);
    *c = (changes){0};
}

void change_at(const lw_tensor *scores, int64_t count, int64_t points, int64_t t, int64_t wanted, double *own,
               double *others)
{
    const int64_t outputs = scores->shape.dim[1];
    *own = *others = 0;
    for (int64_t n = 0; n < count; n++) {
        const float *first = scores->data + n * points * outputs, *now = first + t * outputs;
        for (int64_t k = 0; k < outputs; k++) {
            const double change = (double)now[k] - first[k];
            *own += k == wanted ? change / (double)count : 0;
            *others += k == wanted ? 0 : fabs(change) / (double)(count * (outputs - 1));
        }
    }
}
