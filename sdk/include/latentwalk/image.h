/* image.h — pictures in and out of files. A picture is [3, H, W] float32 in [-1, 1], RGB. */
#ifndef LATENTWALK_IMAGE_H
#define LATENTWALK_IMAGE_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 8 bits: clamp(x * 127.5 + 128, 0, 255) truncated, as the official StyleGAN2 generate.py converts. */
LW_API uint8_t lw_image_byte(float x);

/* Decodes JPEG or PNG by content (RGB, grey is spread, alpha dropped) to pixels * 2 / 255 - 1. Sides of at
 * most 16384 px; a broken file is LW_FORMAT. `name` is for messages. */
LW_API lw_tensor *lw_image_decode(const void *data, size_t size, const char *name);
LW_API lw_tensor *lw_image_load(const char *path);
/* Resizes to height x width: area average when shrinking, bilinear when growing. */
LW_API lw_tensor *lw_image_resize(const lw_tensor *image, int64_t height, int64_t width);

/* PNG bytes of [3, H, W] or [1, H, W]; *data is released with lw_free. Same pixels, same bytes. */
LW_API lw_status lw_image_encode_png(const lw_tensor *image, uint8_t **data, size_t *size);
/* Animated (or, with one frame, still) WebP of [T, 3, H, W]; quality 0…100, negative is lossless. */
LW_API lw_status lw_image_encode_webp(const lw_tensor *frames, int milliseconds, float quality, uint8_t **data,
                                      size_t *size);
/* [M, 3, H, W] -> one picture of `columns` per row with `gap` pixels of white between. */
LW_API lw_tensor *lw_image_grid(const lw_tensor *images, int64_t columns, int64_t gap);
/* Writes bytes to a temporary name beside `path`, fsyncs, renames. */
LW_API lw_status lw_file_write(const char *path, const void *data, size_t size);
/* Reads a whole file, at most `limit` bytes (0: 4 GiB). *data is released with lw_free. */
LW_API lw_status lw_file_read(const char *path, size_t limit, uint8_t **data, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
