/* jpeg.c — JPEG decoding. libjpeg reports errors by a callback that must not return: it jumps back here. */
#include "image/pixels.h"

#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

enum { SCAN_LIMIT = 200 }; /* a progressive file may ask for the whole picture to be walked again per scan */

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *name;
    lwi_pixels pixels;
} decoder;

static void fail_and_escape(j_common_ptr jpeg)
{
    char message[JMSG_LENGTH_MAX];
    decoder *in = jpeg->client_data;
    jpeg->err->format_message(jpeg, message);
    lw_fail(LW_FORMAT, "'%s' is not a valid JPEG picture: %s", in->name, message);
    longjmp(in->escape, 1);
}

/* libjpeg "warns" of missing or corrupt data and makes up pixels; those warnings are errors here. What
 * leaves the pixels right (stray bytes, an odd marker version) passes. */
static void take_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM)
        fail_and_escape(jpeg);
}

static void limit_scans(j_common_ptr jpeg)
{
    decoder *in = jpeg->client_data;
    if (in->jpeg.input_scan_number > SCAN_LIMIT) {
        lw_fail(LW_FORMAT, "'%s' has more than %d progressive scans", in->name, SCAN_LIMIT);
        longjmp(in->escape, 1);
    }
}

static lw_status decode_pixels(decoder *in)
{
    struct jpeg_decompress_struct *jpeg = &in->jpeg;
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        return lw_fail(LW_UNSUPPORTED, "JPEG picture '%s' has %d colour components; RGB and grey are read",
                       in->name, jpeg->num_components);
    LW_TRY(lwi_pixels_create(jpeg->image_width, jpeg->image_height, in->name, &in->pixels));
    jpeg->out_color_space = JCS_RGB;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = in->pixels.data + (size_t)jpeg->output_scanline * in->pixels.width * 3;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return LW_OK;
}

/* Everything that changes after setjmp lies behind the pointer, not in locals that a jump may lose. */
static lw_status decode(decoder *in, const uint8_t *data, size_t size)
{
    if (setjmp(in->escape))
        return lw_error_status();
    jpeg_create_decompress(&in->jpeg);
    in->jpeg.client_data = in;
    in->jpeg.progress = &in->progress;
    jpeg_mem_src(&in->jpeg, data, size);
    return decode_pixels(in);
}

lw_status lwi_jpeg_decode(const uint8_t *data, size_t size, const char *name, lwi_pixels *out)
{
    decoder in = {.name = name};
    in.jpeg.err = jpeg_std_error(&in.errors);
    in.jpeg.client_data = &in;
    in.errors.error_exit = fail_and_escape;
    in.errors.emit_message = take_message;
    in.progress.progress_monitor = limit_scans;
    lw_status status = decode(&in, data, size);
    jpeg_destroy_decompress(&in.jpeg);
    if (status != LW_OK) {
        lw_free(in.pixels.data);
        return status;
    }
    *out = in.pixels;
    return LW_OK;
}
