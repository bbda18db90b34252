/* png.c — PNG in and out. libpng reports errors by a callback that must not return: it jumps back here. */
#include "image/pixels.h"

#include <string.h>

#include <png.h>

enum { COMPRESSION = 6 }; /* fixed: same pixels, same bytes */

/* --- reading --------------------------------------------------------------------------------- */

typedef struct decoder {
    png_structp png;
    png_infop info;
    const char *name;
    const uint8_t *data;
    size_t left;
    lwi_pixels pixels;
    png_bytep *rows;
} decoder;

static void fail_reading(png_structp png, png_const_charp message)
{
    const decoder *in = png_get_error_ptr(png);
    lw_fail(LW_FORMAT, "'%s' is not a valid PNG picture: %s", in->name, message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t size)
{
    decoder *in = png_get_io_ptr(png);
    if (size > in->left)
        png_error(png, "the file is cut short");
    memcpy(out, in->data, size);
    in->data += size;
    in->left -= size;
}

/* Whatever the file holds becomes 8-bit RGB: palettes and grey spread, 16 bits rounded, alpha dropped. */
static void ask_for_rgb(png_structp png)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
}

static lw_status decode_pixels(decoder *in)
{
    png_read_info(in->png, in->info);
    LW_TRY(lwi_pixels_create(png_get_image_width(in->png, in->info), png_get_image_height(in->png, in->info),
                             in->name, &in->pixels));
    ask_for_rgb(in->png);
    png_read_update_info(in->png, in->info);
    size_t stride = png_get_rowbytes(in->png, in->info);
    if (stride != (size_t)in->pixels.width * 3)
        return lw_fail(LW_INTERNAL, "PNG picture '%s' did not become RGB", in->name);
    in->rows = lw_alloc(in->pixels.height, sizeof *in->rows);
    if (!in->rows)
        return LW_MEMORY;
    for (uint32_t y = 0; y < in->pixels.height; y++)
        in->rows[y] = in->pixels.data + y * stride;
    png_read_image(in->png, in->rows);
    png_read_end(in->png, NULL);
    return LW_OK;
}

/* Everything that changes after setjmp lies behind the pointer, not in locals that a jump may lose. */
static lw_status decode(decoder *in)
{
    if (setjmp(png_jmpbuf(in->png)))
        return lw_error_status();
    png_set_user_limits(in->png, LWI_IMAGE_SIDE, LWI_IMAGE_SIDE);
    png_set_read_fn(in->png, in, read_bytes);
    return decode_pixels(in);
}

lw_status lwi_png_decode(const uint8_t *data, size_t size, const char *name, lwi_pixels *out)
{
    decoder in = {.name = name, .data = data, .left = size};
    in.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &in, fail_reading, ignore_warning);
    in.info = in.png ? png_create_info_struct(in.png) : NULL;
    lw_status status = in.info ? decode(&in) : lw_fail(LW_MEMORY, "out of memory");
    png_destroy_read_struct(&in.png, &in.info, NULL);
    lw_free(in.rows);
    if (status != LW_OK) {
        lw_free(in.pixels.data);
        return status;
    }
    *out = in.pixels;
    return LW_OK;
}

/* --- writing --------------------------------------------------------------------------------- */

typedef struct encoder {
    png_structp png;
    png_infop info;
    uint32_t width, height;
    int channels;
    const uint8_t *pixels;
    uint8_t *data;
    size_t size, capacity;
} encoder;

/* An error that the allocator has reported already keeps its own message. */
static void fail_writing(png_structp png, png_const_charp message)
{
    if (lw_error_status() == LW_OK)
        lw_fail(LW_INTERNAL, "cannot encode a PNG picture: %s", message);
    png_longjmp(png, 1);
}

static void append_bytes(png_structp png, png_bytep bytes, size_t size)
{
    encoder *out = png_get_io_ptr(png);
    if (size > out->capacity - out->size) {
        size_t capacity = 2 * out->capacity + size + 4096;
        uint8_t *grown = lw_resize(out->data, capacity, 1);
        if (!grown)
            png_error(png, "out of memory");
        out->data = grown;
        out->capacity = capacity;
    }
    memcpy(out->data + out->size, bytes, size);
    out->size += size;
}

static lw_status encode(encoder *out)
{
    if (setjmp(png_jmpbuf(out->png)))
        return lw_error_status();
    png_set_user_limits(out->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(out->png, out, append_bytes, NULL);
    png_set_compression_level(out->png, COMPRESSION);
    png_set_IHDR(out->png, out->info, out->width, out->height, 8,
                 out->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(out->png, out->info);
    size_t stride = (size_t)out->width * (size_t)out->channels;
    for (uint32_t y = 0; y < out->height; y++)
        png_write_row(out->png, out->pixels + y * stride);
    png_write_end(out->png, NULL);
    return LW_OK;
}

static lw_status encode_pixels(encoder *out)
{
    lw_error_clear();
    out->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, out, fail_writing, ignore_warning);
    out->info = out->png ? png_create_info_struct(out->png) : NULL;
    lw_status status = out->info ? encode(out) : lw_fail(LW_MEMORY, "out of memory");
    png_destroy_write_struct(&out->png, &out->info);
    return status;
}

/* [3, H, W] or [1, H, W] */
lw_status lw_image_encode_png(const lw_tensor *image, uint8_t **data, size_t *size)
{
    char text[LW_SHAPE_TEXT];
    const int64_t *dim = image->shape.dim;
    *data = NULL;
    *size = 0;
    if (image->shape.rank != 3 || (dim[0] != 1 && dim[0] != 3) || lw_shape_count(image->shape) <= 0 ||
        dim[1] > INT32_MAX || dim[2] > INT32_MAX / 4)
        return lw_fail(LW_SHAPE, "a PNG picture is [3, H, W] or [1, H, W], not %s",
                       lw_shape_text(image->shape, text));
    uint8_t *pixels = lw_alloc((size_t)lw_shape_count(image->shape), 1);
    if (!pixels)
        return LW_MEMORY;
    lwi_interleave(image->data, dim[0], dim[1], dim[2], pixels);
    encoder out = {
        .width = (uint32_t)dim[2], .height = (uint32_t)dim[1], .channels = (int)dim[0], .pixels = pixels};
    lw_status status = encode_pixels(&out);
    lw_free(pixels);
    if (status != LW_OK) {
        lw_free(out.data);
        return status;
    }
    *data = out.data;
    *size = out.size;
    return LW_OK;
}
