/* fuzz_image.c — any bytes as a picture. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "latentwalk/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lw_tensor_destroy(lw_image_decode(data, size, "input"));
    return 0;
}

static void png_seed(int64_t channels, bytes *out)
{
    uint8_t *data;
    size_t size;
    lw_tensor *image = lw_tensor_create(LW_SHAPE(channels, 9, 7));
    if (!image || lw_image_encode_png(image, &data, &size) != LW_OK)
        abort();
    lw_tensor_destroy(image);
    bytes_put(out, data, size);
    lw_free(data);
}

static void jpeg_seed(bool progressive, bytes *out)
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
    bytes_put(out, data, size);
    free(data);
}

void fuzz_seed(int index, bytes *out)
{
    if (index < 2)
        png_seed(index ? 1 : 3, out);
    else if (index < 4)
        jpeg_seed(index == 3, out);
}
