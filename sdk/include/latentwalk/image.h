/* image.h — pictures in and out of files. A picture is [3, H, W] float32 in [-1, 1], RGB.
 *
 * Any thread, several at a time. Tensors and bytes that come back belong to the caller; NULL, or a status, with an error:
 * LW_NOT_FOUND or LW_IO for a file, LW_FORMAT for a broken picture, LW_SHAPE for a tensor of another shape than said,
 * LW_INVALID for a number out of range. */
#ifndef LATENTWALK_IMAGE_H
#define LATENTWALK_IMAGE_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 8 bits: clamp(x * 127.5 + 128, 0, 255) truncated, as the official StyleGAN2 generate.py converts; 0 for NaN. */
LW_API uint8_t lw_image_byte(float x);

/* Decodes JPEG or PNG by content (RGB, grey is spread, alpha dropped) to pixels * 2 / 255 - 1. Sides of at
 * most 16384 px. `name` is for messages. */
LW_API lw_tensor *lw_image_decode(const void *data, size_t size, const char *name);
LW_API lw_tensor *lw_image_load(const char *path);
/* Resizes [C, H, W] to height x width, 1 … 16384 px each: area average when shrinking, bilinear when growing. */
LW_API lw_tensor *lw_image_resize(const lw_tensor *image, int64_t height, int64_t width);

/* PNG bytes of [3, H, W] or [1, H, W]; *data is released with lw_free. Same pixels, same bytes. */
LW_API lw_status lw_image_encode_png(const lw_tensor *image, uint8_t **data, size_t *size);
/* Animated (or, with one frame, still) WebP of [T, 3, H, W], each frame shown for so many milliseconds (at least 1); quality
 * 0…100, negative is lossless. Sides of at most 16383 px (LW_UNSUPPORTED beyond). *data is released with lw_free. */
LW_API lw_status lw_image_encode_webp(const lw_tensor *frames, int milliseconds, float quality, uint8_t **data,
                                      size_t *size);
/* [M, 3, H, W] -> one picture of `columns` (at least 1) per row with `gap` pixels of white between. */
LW_API lw_tensor *lw_image_grid(const lw_tensor *images, int64_t columns, int64_t gap);
/* Writes bytes to a temporary name beside `path`, fsyncs, renames: the file is there whole or not at all. LW_IO. */
LW_API lw_status lw_file_write(const char *path, const void *data, size_t size);
/* Reads a whole file, at most `limit` bytes (0: 4 GiB; a larger file is LW_IO). *data is released with lw_free. */
LW_API lw_status lw_file_read(const char *path, size_t limit, uint8_t **data, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
