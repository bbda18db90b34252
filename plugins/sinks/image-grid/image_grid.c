/* image_grid.c — sink/image-grid: images side by side in one PNG. */
#include "latentwalk/latentwalk.h"

#include <math.h>

#define MAX_SIDE 32768 /* px; what common viewers still open */

static const lw_param params[] = {
    {"columns", LW_PARAM_INT, "images", "0", 0, 1024, NULL,
     "Images in a row; 0 puts each walk in a row of its own, and other images in a near-square."},
    {"first", LW_PARAM_INT, NULL, "0", 0, 1000000, NULL, "Only the first walks or images; 0 takes all."},
    {"gap", LW_PARAM_INT, "px", "2", 0, 256, NULL, "White between images."},
    {"scale", LW_PARAM_INT, NULL, "1", 1, 32, NULL, "Whole-number enlargement; pixels stay squares."},
    {"file", LW_PARAM_STRING, NULL, "grid.png", .doc = "The file's name in the step's folder."},
};

static const lw_port inputs[] = {
    {"images", "image[…, channels, height, width]",
     .doc = "Images with 1 or 3 channels; all leading dims are laid out."},
};

/* Images wanted: all leading dims but, where `first` says so, only a part of the outermost. */
static int64_t count_images(const lw_args *args, lw_shape shape)
{
    int64_t count = 1, first = lw_int(args, "first");
    for (int i = 0; i < shape.rank - 3; i++)
        count *= i == 0 && first && first < shape.dim[0] ? first : shape.dim[i];
    return count;
}

static int64_t columns_of(const lw_args *args, lw_shape shape, int64_t count)
{
    if (lw_int(args, "columns"))
        return lw_int(args, "columns");
    if (shape.rank >= 5)
        return shape.dim[shape.rank - 4];
    return (int64_t)ceil(sqrt((double)count));
}

/* [.., C, H, W] -> [M, 3, H*scale, W*scale]; grey is spread over the three channels. */
static lw_tensor *enlarge(const lw_tensor *images, int64_t count, int64_t scale)
{
    int rank = images->shape.rank;
    int64_t channels = images->shape.dim[rank - 3], height = images->shape.dim[rank - 2];
    int64_t width = images->shape.dim[rank - 1];
    lw_tensor *large = lw_tensor_create(LW_SHAPE(count, 3, height * scale, width * scale));
    float *out = large ? large->data : NULL;
    for (int64_t row = 0; large && row < count * 3 * height * scale; row++) {
        int64_t y = row % (height * scale) / scale, c = row / (height * scale) % 3,
                n = row / (height * scale * 3);
        const float *in = images->data + ((n * channels + (channels == 3 ? c : 0)) * height + y) * width;
        for (int64_t x = 0; x < width * scale; x++)
            *out++ = in[x / scale];
    }
    return large;
}

static lw_status check(const lw_args *args, const lw_tensor *images, int64_t count, int64_t columns)
{
    const lw_shape *shape = &images->shape;
    int64_t channels = shape->dim[shape->rank - 3], scale = lw_int(args, "scale"), gap = lw_int(args, "gap");
    if (channels != 1 && channels != 3)
        return lw_fail(LW_UNSUPPORTED,
                       "images with %lld channels are no pictures: expected 1 (grey) or 3 (RGB)",
                       (long long)channels);
    if (count == 0)
        return lw_fail(LW_INVALID, "there are no images to lay out");
    int64_t rows = (count + columns - 1) / columns;
    int64_t width = columns * (shape->dim[shape->rank - 1] * scale + gap);
    int64_t height = rows * (shape->dim[shape->rank - 2] * scale + gap);
    if (width > MAX_SIDE || height > MAX_SIDE)
        return lw_fail(
            LW_INVALID,
            "%lld images in rows of %lld make a picture of %lld x %lld px; at most %d on a side: change "
            "`columns` or `scale`",
            (long long)count, (long long)columns, (long long)width, (long long)height, MAX_SIDE);
    return LW_OK;
}

static lw_status write_png(lw_step *step, const lw_tensor *grid)
{
    uint8_t *data;
    size_t size;
    LW_TRY(lw_image_encode_png(grid, &data, &size));
    char *path = lw_step_path(step, lw_text(lw_step_args(step), "file"));
    lw_status status = path ? lw_file_write(path, data, size) : lw_error_status();
    lw_free(path);
    lw_free(data);
    return status;
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *images = lw_step_input(step, "images", 0);
    int64_t count = count_images(args, images->shape);
    int64_t columns = columns_of(args, images->shape, count);
    if (columns > count && count)
        columns = count;
    LW_TRY(check(args, images, count, columns));
    lw_tensor *large = enlarge(images, count, lw_int(args, "scale"));
    lw_tensor *grid = large ? lw_image_grid(large, columns, lw_int(args, "gap")) : NULL;
    lw_tensor_destroy(large);
    lw_status status = grid ? write_png(step, grid) : lw_error_status();
    lw_tensor_destroy(grid);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SINK, "image-grid", "1.0.0", "Images side by side in one PNG", LW_PARAMS(params), LW_INPUTS(inputs),
          .functions = &runner);
