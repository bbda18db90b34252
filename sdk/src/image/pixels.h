/* pixels.h — decoded 8-bit pictures, between the decoders of each format and the float32 tensor. */
#ifndef LWI_PIXELS_H
#define LWI_PIXELS_H

#include "latentwalk/image.h"

enum { LWI_IMAGE_SIDE = 16384 }; /* the longest side that is read */

/* RGB, 3 bytes per pixel, rows top to bottom. Released with lw_free(data). */
typedef struct lwi_pixels {
    uint8_t *data;
    uint32_t width, height;
} lwi_pixels;

/* Decode by format; *out is untouched on failure. `name` is for messages. */
lw_status lwi_jpeg_decode(const uint8_t *data, size_t size, const char *name, lwi_pixels *out);
lw_status lwi_png_decode(const uint8_t *data, size_t size, const char *name, lwi_pixels *out);

/* Reserves a picture, or fails where a side is 0 or too long. */
lw_status lwi_pixels_create(uint32_t width, uint32_t height, const char *name, lwi_pixels *out);

/* [C, H, W] in [-1, 1] to rows of interleaved bytes, C bytes per pixel. `out` has C * H * W bytes. */
void lwi_interleave(const float *planes, int64_t channels, int64_t height, int64_t width, uint8_t *out);

#endif
