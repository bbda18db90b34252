/* image.c — pictures as tensors: bytes to float32 and back, loading by content, grids. */
#include "image/pixels.h"

#include <string.h>

uint8_t lw_image_byte(float x)
{
    float scaled = x * 127.5f + 128.0f;
    if (!(scaled > 0.0f)) /* a NaN becomes black */
        return 0;
    return scaled >= 255.0f ? 255 : (uint8_t)scaled;
}

void lwi_interleave(const float *planes, int64_t channels, int64_t height, int64_t width, uint8_t *out)
{
    int64_t area = height * width;
    for (int64_t i = 0; i < area; i++) {
        for (int64_t c = 0; c < channels; c++)
            *out++ = lw_image_byte(planes[c * area + i]);
    }
}

lw_status lwi_pixels_create(uint32_t width, uint32_t height, const char *name, lwi_pixels *out)
{
    if (width == 0 || height == 0 || width > LWI_IMAGE_SIDE || height > LWI_IMAGE_SIDE)
        return lw_fail(LW_FORMAT, "picture '%s' is %u x %u pixels; sides of 1 to %d are read", name, width,
                       height, LWI_IMAGE_SIDE);
    uint8_t *data = lw_alloc((size_t)width * height, 3);
    if (!data)
        return lw_wrap("no room for picture '%s' of %u x %u pixels", name, width, height);
    *out = (lwi_pixels){.data = data, .width = width, .height = height};
    return LW_OK;
}

/* Interleaved bytes -> [3, H, W] in [-1, 1]. */
static lw_tensor *tensor_of_pixels(const lwi_pixels *pixels)
{
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, pixels->height, pixels->width));
    if (!image)
        return NULL;
    size_t area = (size_t)pixels->height * pixels->width;
    for (size_t i = 0; i < area; i++) {
        for (size_t c = 0; c < 3; c++)
            image->data[c * area + i] = (float)pixels->data[3 * i + c] * 2.0f / 255.0f - 1.0f;
    }
    return image;
}

lw_tensor *lw_image_decode(const void *data, size_t size, const char *name)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a}, jpeg[3] = {0xff, 0xd8, 0xff};
    lwi_pixels pixels = {0};
    lw_status status;
    if (size >= sizeof png && memcmp(data, png, sizeof png) == 0)
        status = lwi_png_decode(data, size, name, &pixels);
    else if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        status = lwi_jpeg_decode(data, size, name, &pixels);
    else
        status = lw_fail(LW_FORMAT, "'%s' is neither a JPEG nor a PNG picture", name);
    lw_tensor *image = status == LW_OK ? tensor_of_pixels(&pixels) : NULL;
    lw_free(pixels.data);
    return image;
}

lw_tensor *lw_image_load(const char *path)
{
    uint8_t *data;
    size_t size;
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        return NULL;
    lw_tensor *image = lw_image_decode(data, size, path);
    lw_free(data);
    return image;
}

/* [M, 3, H, W] -> [3, rows * (H + gap) - gap, columns * (W + gap) - gap] */
lw_tensor *lw_image_grid(const lw_tensor *images, int64_t columns, int64_t gap)
{
    char text[LW_SHAPE_TEXT];
    const int64_t *dim = images->shape.dim;
    if (images->shape.rank != 4 || lw_shape_count(images->shape) <= 0 || dim[1] != 3) {
        lw_fail(LW_SHAPE, "a grid is made of pictures [M, 3, H, W], not of %s",
                lw_shape_text(images->shape, text));
        return NULL;
    }
    if (columns < 1 || gap < 0 || gap > LWI_IMAGE_SIDE) {
        lw_fail(LW_INVALID,
                "a grid of %lld columns with gaps of %lld pixels: at least 1 column and gaps of 0 to %d "
                "are possible",
                (long long)columns, (long long)gap, LWI_IMAGE_SIDE);
        return NULL;
    }
    int64_t count = dim[0], height = dim[2], width = dim[3];
    columns = columns < count ? columns : count;
    int64_t rows = (count + columns - 1) / columns;
    lw_tensor *grid =
        lw_tensor_create(LW_SHAPE(3, rows * (height + gap) - gap, columns * (width + gap) - gap));
    if (!grid)
        return NULL;
    int64_t full_height = grid->shape.dim[1], full_width = grid->shape.dim[2];
    for (int64_t i = 0; i < 3 * full_height * full_width; i++)
        grid->data[i] = 1.0f;
    for (int64_t line = 0; line < count * 3 * height; line++) { /* one line of one channel of one picture */
        int64_t y = line % height, c = line / height % 3, m = line / height / 3;
        int64_t top = m / columns * (height + gap), left = m % columns * (width + gap);
        memcpy(grid->data + (c * full_height + top + y) * full_width + left, images->data + line * width,
               (size_t)width * sizeof(float));
    }
    return grid;
}
