/* fuzz_image.c — any bytes as a picture. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "latentwalk/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lw_tensor_destroy(lw_image_decode(data, size, "input"));
    return 0;
}

static size_t keep(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
    if (size > room)
        abort();
    memcpy(out, data, size);
    return size;
}

static size_t png_seed(int64_t channels, uint8_t *out, size_t room)
{
    uint8_t *data;
    size_t size;
    lw_tensor *image = lw_tensor_create(LW_SHAPE(channels, 9, 7));
    if (!image || lw_image_encode_png(image, &data, &size) != LW_OK)
        abort();
    lw_tensor_destroy(image);
    size = keep(data, size, out, room);
    lw_free(data);
    return size;
}

static size_t jpeg_seed(bool progressive, uint8_t *out, size_t room)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[3 * 20];
    unsigned long size = 0;
    JSAMPROW rows[1] = {row};
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = jpeg.image_height = 20;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (unsigned y = 0; y < 20; y++) {
        for (unsigned i = 0; i < sizeof row; i++)
            row[i] = (unsigned char)(11 * i + 17 * y);
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    size = keep(data, size, out, room);
    free(data);
    return size;
}

size_t fuzz_seed(int index, uint8_t *out, size_t room)
{
    switch (index) {
    case 0: return png_seed(3, out, room);
    case 1: return png_seed(1, out, room);
    case 2: return jpeg_seed(false, out, room);
    case 3: return jpeg_seed(true, out, room);
    default: return 0;
    }
}
