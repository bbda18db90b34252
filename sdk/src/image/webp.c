/* webp.c — still and animated WebP. */
#include "image/pixels.h"

#include <string.h>

#include <webp/encode.h>
#include <webp/mux.h>

typedef struct animation {
    WebPAnimEncoder *encoder;
    WebPConfig config;
    int width, height;
    int milliseconds;
    uint8_t *pixels; /* of one frame */
} animation;

static lw_status configure(WebPConfig *config, float quality)
{
    if (!WebPConfigInit(config))
        return lw_fail(LW_UNSUPPORTED, "this libwebp is of another version than the one built against");
    if (quality < 0.0f) {
        config->lossless = 1;
        config->quality = 75.0f; /* effort, not loss */
    } else {
        config->quality = quality;
    }
    if (!WebPValidateConfig(config))
        return lw_fail(LW_INVALID, "the WebP quality %g is not between 0 and 100, nor negative for lossless",
                       (double)quality);
    return LW_OK;
}

/* `planes` is [3, H, W]. */
static lw_status add_frame(animation *out, const float *planes, int64_t index)
{
    WebPPicture picture;
    if (!WebPPictureInit(&picture))
        return lw_fail(LW_UNSUPPORTED, "this libwebp is of another version than the one built against");
    lwi_interleave(planes, 3, out->height, out->width, out->pixels);
    picture.width = out->width;
    picture.height = out->height;
    picture.use_argb = 1;
    bool added = false;
    if (!WebPPictureImportRGB(&picture, out->pixels, out->width * 3))
        lw_fail(LW_MEMORY, "no room for frame %lld of a WebP animation", (long long)index);
    else if (!WebPAnimEncoderAdd(out->encoder, &picture, (int)index * out->milliseconds, &out->config))
        lw_fail(LW_INTERNAL, "cannot encode frame %lld as WebP: %s", (long long)index,
                WebPAnimEncoderGetError(out->encoder));
    else
        added = true;
    WebPPictureFree(&picture);
    return added ? LW_OK : lw_error_status();
}

/* Copies libwebp's buffer to one that lw_free releases. */
static lw_status finish(animation *out, int64_t frames, uint8_t **data, size_t *size)
{
    WebPData assembled;
    WebPDataInit(&assembled);
    if (!WebPAnimEncoderAdd(out->encoder, NULL, (int)frames * out->milliseconds, NULL) ||
        !WebPAnimEncoderAssemble(out->encoder, &assembled)) {
        WebPDataClear(&assembled);
        return lw_fail(LW_INTERNAL, "cannot assemble a WebP animation: %s",
                       WebPAnimEncoderGetError(out->encoder));
    }
    *data = lw_alloc(assembled.size, 1);
    if (*data) {
        memcpy(*data, assembled.bytes, assembled.size);
        *size = assembled.size;
    }
    WebPDataClear(&assembled);
    return *data ? LW_OK : LW_MEMORY;
}

static lw_status encode(animation *out, const lw_tensor *frames, uint8_t **data, size_t *size)
{
    int64_t count = frames->shape.dim[0], frame = 3 * (int64_t)out->height * out->width;
    for (int64_t i = 0; i < count; i++)
        LW_TRY(add_frame(out, frames->data + i * frame, i));
    return finish(out, count, data, size);
}

static lw_status check(const lw_tensor *frames, int milliseconds)
{
    char text[LW_SHAPE_TEXT];
    const int64_t *dim = frames->shape.dim;
    if (frames->shape.rank != 4 || dim[1] != 3 || lw_shape_count(frames->shape) <= 0)
        return lw_fail(LW_SHAPE, "a WebP animation is [T, 3, H, W], not %s",
                       lw_shape_text(frames->shape, text));
    if (dim[2] > WEBP_MAX_DIMENSION || dim[3] > WEBP_MAX_DIMENSION)
        return lw_fail(LW_UNSUPPORTED, "a WebP picture has sides of at most %d pixels; these frames are %s",
                       WEBP_MAX_DIMENSION, lw_shape_text(frames->shape, text));
    if (milliseconds < 1 || dim[0] > INT32_MAX / milliseconds)
        return lw_fail(LW_INVALID,
                       "%lld frames of %d milliseconds: each takes at least 1, all together at most %d",
                       (long long)dim[0], milliseconds, INT32_MAX);
    return LW_OK;
}

/* [T, 3, H, W] */
lw_status lw_image_encode_webp(const lw_tensor *frames, int milliseconds, float quality, uint8_t **data,
                               size_t *size)
{
    *data = NULL;
    *size = 0;
    LW_TRY(check(frames, milliseconds));
    animation out = {.height = (int)frames->shape.dim[2],
                     .width = (int)frames->shape.dim[3],
                     .milliseconds = milliseconds};
    WebPAnimEncoderOptions options;
    LW_TRY(configure(&out.config, quality));
    if (!WebPAnimEncoderOptionsInit(&options))
        return lw_fail(LW_UNSUPPORTED, "this libwebp is of another version than the one built against");
    out.pixels = lw_alloc((size_t)out.height * (size_t)out.width, 3);
    if (!out.pixels)
        return LW_MEMORY;
    out.encoder = WebPAnimEncoderNew(out.width, out.height, &options);
    lw_status status = out.encoder ? encode(&out, frames, data, size) : lw_fail(LW_MEMORY, "out of memory");
    WebPAnimEncoderDelete(out.encoder);
    lw_free(out.pixels);
    return status;
}
