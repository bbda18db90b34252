/* mask.c — see mask.h. */
#include "mask.h"

#include <math.h>

/* Of pixel i of `size`: the cell before its centre, and how far it is towards the next. */
static int64_t place(int64_t i, int64_t size, int64_t grid, double *along)
{
    double at = fmax(0, ((double)i + 0.5) * (double)grid / (double)size - 0.5);
    int64_t cell = (int64_t)at < grid - 1 ? (int64_t)at : grid - 1;
    *along = fmin(1, at - (double)cell);
    return cell;
}

void mask_enlarge(const float *cells, int64_t grid, int64_t height, int64_t width, float *mask)
{
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            double down, right;
            const int64_t row = place(y, height, grid, &down), column = place(x, width, grid, &right);
            const int64_t below = row + 1 < grid ? row + 1 : row,
                          beside = column + 1 < grid ? column + 1 : column;
            const double above =
                             (1 - right) * cells[row * grid + column] + right * cells[row * grid + beside],
                         under = (1 - right) * cells[below * grid + column] +
                                 right * cells[below * grid + beside];
            mask[y * width + x] = (float)((1 - down) * above + down * under);
        }
}
