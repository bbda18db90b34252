/* mask.h — a random mask with soft edges. */
#ifndef MASK_H
#define MASK_H

#include <latentwalk/latentwalk.h>

/* `cells` [grid, grid] -> mask [height, width], bilinear as torch.nn.functional.interpolate makes it (pixel
 * centres, align_corners false; beyond the centres of the outer cells the mask is flat). */
void mask_enlarge(const float *cells, int64_t grid, int64_t height, int64_t width, float *mask);

#endif
