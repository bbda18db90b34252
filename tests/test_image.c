/* Pictures in and out of files, resizing, grids. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>

#include "errors.h"
#include "latentwalk/image.h"

/* [3, H, W] of smooth colours; every value is that of some byte. */
static lw_tensor *example(int64_t height, int64_t width)
{
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, height, width));
    for (int64_t i = 0; i < 3 * height * width; i++) {
        int64_t c = i / (height * width), y = i / width % height, x = i % width;
        image->data[i] = (float)((40 * c + 5 * y + 3 * x) % 256) * 2.0f / 255.0f - 1.0f;
    }
    return image;
}

static void encode(const lw_tensor *image, uint8_t **data, size_t *size)
{
    if (lw_image_encode_png(image, data, size) != LW_OK)
        fail_msg("%s", lw_error_text());
}

/* A PNG of any kind, from libpng itself. */
static uint8_t *png_of(uint32_t format, const void *pixels, uint32_t width, uint32_t height,
                       const void *colours, uint32_t colour_count, size_t *size)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width,
                       .height = height,
                       .format = format,
                       .colormap_entries = colour_count};
    png_alloc_size_t needed = 0;
    assert_true(png_image_write_to_memory(&image, NULL, &needed, 0, pixels, 0, colours));
    uint8_t *data = malloc(needed);
    assert_true(png_image_write_to_memory(&image, data, &needed, 0, pixels, 0, colours));
    *size = needed;
    return data;
}

/* A JPEG of one colour, quality 95. */
static uint8_t *jpeg_of(int components, const uint8_t *colour, unsigned side, bool progressive, size_t *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t *data = NULL, row[64 * 4];
    unsigned long length = 0;
    JSAMPROW rows[1] = {row};
    for (unsigned i = 0; i < side * (unsigned)components; i++)
        row[i] = colour[i % (unsigned)components];
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &length);
    jpeg.image_width = jpeg.image_height = side;
    jpeg.input_components = components;
    jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < side)
        jpeg_write_scanlines(&jpeg, rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
    return data;
}

/* Decodes a copy of exactly the given size, so that the sanitizer sees a read past its end. */
static lw_tensor *decode_exactly(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    lw_tensor *image = lw_image_decode(copy, size, "test");
    free(copy);
    return image;
}

static int byte_at(const lw_tensor *image, int64_t c, int64_t y, int64_t x)
{
    return lw_image_byte(image->data[(c * image->shape.dim[1] + y) * image->shape.dim[2] + x]);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void every_byte_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++)
        assert_int_equal(lw_image_byte((float)byte * 2.0f / 255.0f - 1.0f), byte);
}

static void bytes_are_clamped_and_nan_is_black(void **state)
{
    (void)state;
    assert_int_equal(lw_image_byte(1e30f), 255);
    assert_int_equal(lw_image_byte(-INFINITY), 0);
    assert_int_equal(lw_image_byte(NAN), 0);
    assert_int_equal(lw_image_byte(0.0f), 128);
}

/* --- PNG ------------------------------------------------------------------------------------- */

static void a_png_comes_back_bit_for_bit(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    lw_tensor *image = example(17, 23);
    encode(image, &data, &size);
    lw_tensor *back = decode_exactly(data, size);
    assert_non_null(back);
    assert_true(lw_shape_equal(back->shape, image->shape));
    assert_memory_equal(back->data, image->data, 3 * 17 * 23 * sizeof(float));
    lw_free(data);
    lw_tensor_destroy(image);
    lw_tensor_destroy(back);
}

static void the_same_pixels_give_the_same_png(void **state)
{
    (void)state;
    uint8_t *a, *b;
    size_t a_size, b_size;
    lw_tensor *image = example(40, 40);
    encode(image, &a, &a_size);
    encode(image, &b, &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    lw_free(a);
    lw_free(b);
    lw_tensor_destroy(image);
}

static void grey_pictures_are_written_and_spread_when_read(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    lw_tensor *grey = lw_tensor_create(LW_SHAPE(1, 2, 2));
    grey->data[3] = 1.0f;
    encode(grey, &data, &size);
    lw_tensor *back = decode_exactly(data, size);
    for (int c = 0; c < 3; c++) {
        assert_int_equal(byte_at(back, c, 0, 0), 128);
        assert_int_equal(byte_at(back, c, 1, 1), 255);
    }
    lw_free(data);
    lw_tensor_destroy(grey);
    lw_tensor_destroy(back);
}

static void alpha_is_dropped_and_palettes_are_looked_up(void **state)
{
    (void)state;
    static const uint8_t rgba[8] = {10, 20, 30, 0, 40, 50, 60, 255}, indices[2] = {1, 0};
    static const uint8_t palette[6] = {40, 50, 60, 10, 20, 30};
    size_t size;
    for (int kind = 0; kind < 2; kind++) {
        uint8_t *data = kind ? png_of(PNG_FORMAT_RGB_COLORMAP, indices, 2, 1, palette, 2, &size)
                             : png_of(PNG_FORMAT_RGBA, rgba, 2, 1, NULL, 0, &size);
        lw_tensor *image = decode_exactly(data, size);
        assert_non_null(image);
        for (int c = 0; c < 3; c++) {
            assert_int_equal(byte_at(image, c, 0, 0), 10 * (c + 1));
            assert_int_equal(byte_at(image, c, 0, 1), 10 * (c + 4));
        }
        lw_tensor_destroy(image);
        free(data);
    }
}

static void a_png_cut_or_changed_at_any_byte_is_refused_or_decodes(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    lw_tensor *image = example(9, 7);
    encode(image, &data, &size);
    for (size_t cut = 0; cut < size; cut++) {
        lw_error_clear();
        assert_null(decode_exactly(data, cut));
        assert_int_equal(lw_error_status(), LW_FORMAT);
    }
    for (size_t i = 33; i < size; i++) { /* past the IHDR every byte is under a checksum that matters */
        data[i] ^= 0x10;
        lw_error_clear();
        lw_tensor *changed = decode_exactly(data, size);
        assert_true(changed || lw_error_status() == LW_FORMAT);
        lw_tensor_destroy(changed);
        data[i] ^= 0x10;
    }
    lw_free(data);
    lw_tensor_destroy(image);
}

static void a_png_that_claims_a_huge_side_is_refused(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0x89, 'P', 'N', 'G', 13,  10,   26,  10,  0,   0,    0,
                                   13,   'I', 'H', 'D', 'R', 0x7f, 255, 255, 255, 0x7f, 255,
                                   255,  255, 8,   2,   0,   0,    0,   0,   0,   0,    0};
    assert_null(decode_exactly(huge, sizeof huge));
    assert_int_equal(lw_error_status(), LW_FORMAT);
}

/* --- JPEG ------------------------------------------------------------------------------------ */

static void a_jpeg_decodes_to_its_colour(void **state)
{
    (void)state;
    static const uint8_t colour[3] = {200, 100, 50};
    for (int progressive = 0; progressive < 2; progressive++) {
        size_t size;
        uint8_t *data = jpeg_of(3, colour, 24, progressive, &size);
        lw_tensor *image = decode_exactly(data, size);
        assert_non_null(image);
        assert_true(lw_shape_equal(image->shape, LW_SHAPE(3, 24, 24)));
        for (int c = 0; c < 3; c++)
            assert_in_range(byte_at(image, c, 11, 13), colour[c] - 2, colour[c] + 2);
        lw_tensor_destroy(image);
        free(data);
    }
}

static void a_grey_jpeg_is_spread_and_a_cmyk_one_unsupported(void **state)
{
    (void)state;
    static const uint8_t colour[4] = {77, 77, 77, 77};
    size_t size;
    uint8_t *grey = jpeg_of(1, colour, 8, false, &size);
    lw_tensor *image = decode_exactly(grey, size);
    for (int c = 0; c < 3; c++)
        assert_in_range(byte_at(image, c, 3, 3), 76, 78);
    lw_tensor_destroy(image);
    free(grey);
    uint8_t *cmyk = jpeg_of(4, colour, 8, false, &size);
    assert_null(decode_exactly(cmyk, size));
    assert_int_equal(lw_error_status(), LW_UNSUPPORTED);
    assert_error_contains("4 colour components");
    free(cmyk);
}

static void a_jpeg_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    static const uint8_t colour[3] = {1, 128, 255};
    for (int progressive = 0; progressive < 2; progressive++) {
        size_t size;
        uint8_t *data = jpeg_of(3, colour, 24, progressive, &size);
        for (size_t cut = 0; cut < size; cut++) {
            lw_error_clear();
            assert_null(decode_exactly(data, cut));
            assert_int_equal(lw_error_status(), LW_FORMAT);
        }
        free(data);
    }
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    assert_null(lw_image_decode("GIF89a", 6, "face.gif"));
    assert_error_contains("'face.gif' is neither a JPEG nor a PNG");
    assert_null(lw_image_decode("", 0, "empty"));
    assert_null(lw_image_load("/nowhere/at/all.png"));
    assert_int_equal(lw_error_status(), LW_NOT_FOUND);
}

/* --- WebP ------------------------------------------------------------------------------------ */

static void one_frame_is_a_still_lossless_webp(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    int width, height;
    lw_tensor *frames = lw_tensor_create(LW_SHAPE(1, 3, 16, 24)), *image = example(16, 24);
    memcpy(frames->data, image->data, 3 * 16 * 24 * sizeof(float));
    assert_int_equal(lw_image_encode_webp(frames, 100, -1, &data, &size), LW_OK);
    uint8_t *pixels = WebPDecodeRGB(data, size, &width, &height);
    assert_non_null(pixels);
    assert_int_equal(width, 24);
    assert_int_equal(height, 16);
    for (int i = 0; i < 16 * 24 * 3; i++)
        assert_int_equal(pixels[i], byte_at(image, i % 3, i / 3 / 24, i / 3 % 24));
    WebPFree(pixels);
    lw_free(data);
    lw_tensor_destroy(frames);
    lw_tensor_destroy(image);
}

static void several_frames_are_an_animation(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    WebPBitstreamFeatures features;
    lw_tensor *frames = lw_tensor_create(LW_SHAPE(4, 3, 16, 16));
    for (int i = 0; i < 4 * 3 * 256; i++)
        frames->data[i] = (float)(i / (3 * 256)) / 2 - 1;
    assert_int_equal(lw_image_encode_webp(frames, 40, 80, &data, &size), LW_OK);
    assert_int_equal(WebPGetFeatures(data, size, &features), VP8_STATUS_OK);
    assert_true(features.has_animation);
    lw_free(data);
    lw_tensor_destroy(frames);
}

static void impossible_pictures_are_not_encoded(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    lw_tensor *flat = lw_tensor_create(LW_SHAPE(4, 8, 8)), *frame = lw_tensor_create(LW_SHAPE(1, 3, 2, 2));
    assert_int_equal(lw_image_encode_png(flat, &data, &size), LW_SHAPE);
    assert_error_contains("[4, 8, 8]");
    assert_int_equal(lw_image_encode_webp(flat, 40, 80, &data, &size), LW_SHAPE);
    assert_int_equal(lw_image_encode_webp(frame, 0, 80, &data, &size), LW_INVALID);
    assert_int_equal(lw_image_encode_webp(frame, 40, 101, &data, &size), LW_INVALID);
    assert_null(data);
    lw_tensor_destroy(flat);
    lw_tensor_destroy(frame);
}

/* --- resize and grid ------------------------------------------------------------------------- */

static void resizing_to_the_same_size_changes_nothing(void **state)
{
    (void)state;
    lw_tensor *image = example(5, 9), *same = lw_image_resize(image, 5, 9);
    assert_memory_equal(image->data, same->data, 3 * 5 * 9 * sizeof(float));
    lw_tensor_destroy(image);
    lw_tensor_destroy(same);
}

static void shrinking_takes_the_mean_of_what_is_covered(void **state)
{
    (void)state;
    lw_tensor *image = lw_tensor_create(LW_SHAPE(1, 2, 3));
    memcpy(image->data, (float[]){1, 2, 4, 3, 6, 8}, 6 * sizeof(float));
    lw_tensor *small = lw_image_resize(image, 1, 2);
    assert_float_equal(small->data[0], ((1 + 3) + 0.5 * (2 + 6)) / 3, 1e-6);
    assert_float_equal(small->data[1], (0.5 * (2 + 6) + (4 + 8)) / 3, 1e-6);
    lw_tensor_destroy(image);
    lw_tensor_destroy(small);
}

static void growing_interpolates_and_repeats_the_edge(void **state)
{
    (void)state;
    static const float expected[4] = {0, 1, 3, 4};
    lw_tensor *image = lw_tensor_create(LW_SHAPE(1, 1, 2));
    image->data[1] = 4;
    lw_tensor *large = lw_image_resize(image, 3, 4);
    for (int i = 0; i < 12; i++)
        assert_float_equal(large->data[i], expected[i % 4], 1e-6);
    lw_tensor_destroy(image);
    lw_tensor_destroy(large);
}

static void resizing_keeps_a_constant_picture_constant(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 7, 64, 100, 178, 218, 511};
    lw_tensor *image = lw_tensor_create(LW_SHAPE(1, 218, 178));
    for (int i = 0; i < 218 * 178; i++)
        image->data[i] = 0.75f;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        lw_tensor *other = lw_image_resize(image, sizes[s], sizes[8 - s]);
        for (int64_t i = 0; i < sizes[s] * sizes[8 - s]; i++)
            assert_float_equal(other->data[i], 0.75, 1e-5);
        lw_tensor_destroy(other);
    }
    assert_null(lw_image_resize(image, 0, 5));
    assert_null(lw_image_resize(image, 5, 20000));
    lw_tensor_destroy(image);
}

static void a_grid_puts_pictures_in_rows_with_white_between(void **state)
{
    (void)state;
    lw_tensor *images = lw_tensor_create(LW_SHAPE(3, 3, 2, 2));
    for (int i = 0; i < 36; i++)
        images->data[i] = (float)(i / 12) / 4;
    lw_tensor *grid = lw_image_grid(images, 2, 1);
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 5, 5)));
    static const float green[25] = {0, 0, 1,    0.25f, 0.25f, 0, 0, 1,    0.25f, 0.25f, 1, 1, 1,
                                    1, 1, 0.5f, 0.5f,  1,     1, 1, 0.5f, 0.5f,  1,     1, 1};
    assert_memory_equal(grid->data + 25, green, sizeof green);
    lw_tensor_destroy(grid);
    assert_null(lw_image_grid(images, 0, 1));
    lw_tensor_destroy(images);
}

/* One way through all of image.h; LW_MEMORY where an allocation failed. */
static lw_status use_everything(const lw_tensor *frames, const uint8_t *jpeg, size_t jpeg_size)
{
    uint8_t *png = NULL, *webp = NULL;
    size_t png_size, webp_size;
    lw_tensor *grid = lw_image_grid(frames, 1, 1), *small = grid ? lw_image_resize(grid, 9, 9) : NULL;
    lw_tensor *decoded = NULL, *photo = NULL;
    bool done = small && lw_image_encode_png(small, &png, &png_size) == LW_OK &&
                lw_image_encode_webp(frames, 40, -1, &webp, &webp_size) == LW_OK &&
                (decoded = lw_image_decode(png, png_size, "png")) &&
                (photo = lw_image_decode(jpeg, jpeg_size, "jpeg"));
    lw_tensor_destroy(grid);
    lw_tensor_destroy(small);
    lw_tensor_destroy(decoded);
    lw_tensor_destroy(photo);
    lw_free(png);
    lw_free(webp);
    return done ? LW_OK : lw_error_status();
}

static void running_out_of_memory_anywhere_is_an_error_and_no_leak(void **state)
{
    (void)state;
    size_t jpeg_size;
    uint8_t *jpeg = jpeg_of(3, (const uint8_t[3]){9, 8, 7}, 8, false, &jpeg_size);
    lw_tensor *frames = lw_tensor_create(LW_SHAPE(2, 3, 4, 4));
    lw_status status = LW_MEMORY;
    int failures = -1;
    while (status == LW_MEMORY && failures < 100) {
        lw_alloc_fail_after(++failures);
        status = use_everything(frames, jpeg, jpeg_size);
        lw_alloc_fail_after(-1);
    }
    assert_int_equal(status, LW_OK);
    assert_true(failures > 15);
    lw_tensor_destroy(frames);
    free(jpeg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_survives_the_way_to_float_and_back),
        cmocka_unit_test(bytes_are_clamped_and_nan_is_black),
        cmocka_unit_test(a_png_comes_back_bit_for_bit),
        cmocka_unit_test(the_same_pixels_give_the_same_png),
        cmocka_unit_test(grey_pictures_are_written_and_spread_when_read),
        cmocka_unit_test(alpha_is_dropped_and_palettes_are_looked_up),
        cmocka_unit_test(a_png_cut_or_changed_at_any_byte_is_refused_or_decodes),
        cmocka_unit_test(a_png_that_claims_a_huge_side_is_refused),
        cmocka_unit_test(a_jpeg_decodes_to_its_colour),
        cmocka_unit_test(a_grey_jpeg_is_spread_and_a_cmyk_one_unsupported),
        cmocka_unit_test(a_jpeg_cut_at_any_byte_is_refused),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(one_frame_is_a_still_lossless_webp),
        cmocka_unit_test(several_frames_are_an_animation),
        cmocka_unit_test(impossible_pictures_are_not_encoded),
        cmocka_unit_test(resizing_to_the_same_size_changes_nothing),
        cmocka_unit_test(shrinking_takes_the_mean_of_what_is_covered),
        cmocka_unit_test(growing_interpolates_and_repeats_the_edge),
        cmocka_unit_test(resizing_keeps_a_constant_picture_constant),
        cmocka_unit_test(a_grid_puts_pictures_in_rows_with_white_between),
        cmocka_unit_test(running_out_of_memory_anywhere_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
