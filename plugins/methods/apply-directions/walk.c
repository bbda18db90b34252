/* walk.c — see walk.h. */
#include "walk.h"

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
