/* walk.c — see walk.h. */
#include "walk.h"

#include <math.h>

void walk_point(const float *latent, const float *displacement, int64_t layers, int64_t size, double amount,
                bool boundary, float *out)
{
    for (int64_t l = 0; l < layers; l++, latent += size, displacement += size, out += size) {
        double along = 0, squares = 0, by = amount;
        for (int64_t i = 0; i < size; i++) {
            along += (double)latent[i] * displacement[i];
            squares += (double)displacement[i] * displacement[i];
        }
        if (boundary && squares > 0) /* where it is now, in units of the displacement */
            by -= along / squares;
        for (int64_t i = 0; i < size; i++)
            out[i] = (float)(latent[i] + by * displacement[i]);
    }
}

void walk_keep_norm(const float *latent, int64_t size, float *point)
{
    double wanted = 0, found = 0;
    for (int64_t i = 0; i < size; i++) {
        wanted += (double)latent[i] * latent[i];
        found += (double)point[i] * point[i];
    }
    for (int64_t i = 0; i < size && found > 0; i++)
        point[i] = (float)(point[i] * sqrt(wanted / found));
}
