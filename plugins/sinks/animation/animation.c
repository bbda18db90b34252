/* animation.c — sink/animation: walks as one animated WebP, all of them moving side by side. */
#include "latentwalk/latentwalk.h"

#include <math.h>
#include <string.h>

#define MAX_SIDE 16383 /* px; WebP's own limit */

static const lw_param params[] = {
    {"columns", LW_PARAM_INT, "walks", "0", 0, 256, NULL, "Walks in a row; 0 makes a near-square."},
    {"first", LW_PARAM_INT, "walks", "0", 0, 1000000, NULL, "Only the first walks; 0 takes all."},
    {"gap", LW_PARAM_INT, "px", "2", 0, 256, NULL, "White between walks."},
    {"frame_ms", LW_PARAM_INT, "ms", "120", 10, 60000, NULL, "How long each point of the walks is shown."},
    {"quality", LW_PARAM_FLOAT, NULL, "85", -1, 100, NULL, "WebP quality; a negative one is lossless."},
    {"bounce", LW_PARAM_BOOL, NULL, "true", .doc = "Plays forth and back, so that the loop has no jump."},
    {"file", LW_PARAM_STRING, NULL, "walks.webp", .doc = "The file's name in the step's folder."},
};

static const lw_port inputs[] = {
    {"walks", "image[N, T, 3, height, width]", .doc = "N walks of T images each."},
};

/* walks [N, T, 3, H, W] -> the images of time t of the first ones, [n, 3, H, W], in `at`. */
static void take_time(const lw_tensor *walks, int64_t t, lw_tensor *at)
{
    int64_t count = at->shape.dim[0], points = walks->shape.dim[1];
    int64_t image = lw_shape_count(at->shape) / count;
    for (int64_t n = 0; n < count; n++)
        memcpy(at->data + n * image, walks->data + (n * points + t) * image, (size_t)image * sizeof(float));
}

/* Point shown in a frame: 0 … T-1, then back to 1 when bouncing. */
static int64_t point_of(int64_t frame, int64_t points)
{
    return frame < points ? frame : 2 * (points - 1) - frame;
}

/* The first `count` of walks [N, T, 3, H, W] -> frames [F, 3, grid height, grid width]. */
static lw_tensor *make_frames(const lw_tensor *walks, int64_t count, int64_t columns, int64_t gap,
                              bool bounce)
{
    const int64_t *dim = walks->shape.dim;
    int64_t points = dim[1], frames = bounce && points > 2 ? 2 * points - 2 : points;
    lw_tensor *at = lw_tensor_create(LW_SHAPE(count, 3, dim[3], dim[4])), *all = NULL;
    for (int64_t frame = 0; at && frame < frames; frame++) {
        take_time(walks, point_of(frame, points), at);
        lw_tensor *grid = lw_image_grid(at, columns, gap);
        if (grid && !all)
            all = lw_tensor_create(LW_SHAPE(frames, 3, grid->shape.dim[1], grid->shape.dim[2]));
        bool complete = grid && all;
        if (complete) {
            int64_t size = lw_shape_count(grid->shape);
            memcpy(all->data + frame * size, grid->data, (size_t)size * sizeof(float));
        }
        lw_tensor_destroy(grid);
        if (!complete) {
            lw_tensor_destroy(all);
            all = NULL;
            break;
        }
    }
    lw_tensor_destroy(at);
    return all;
}

static lw_status check(const lw_args *args, lw_shape shape, int64_t count, int64_t columns)
{
    if (columns == 0 || lw_shape_count(shape) == 0)
        return lw_fail(LW_INVALID, "there are no walks to show");
    int64_t rows = (count + columns - 1) / columns, gap = lw_int(args, "gap");
    int64_t width = columns * (shape.dim[4] + gap), height = rows * (shape.dim[3] + gap);
    if (width > MAX_SIDE || height > MAX_SIDE)
        return lw_fail(LW_INVALID,
                       "%lld walks in rows of %lld make frames of %lld x %lld px; WebP takes %d on a side",
                       (long long)count, (long long)columns, (long long)width, (long long)height, MAX_SIDE);
    return LW_OK;
}

static lw_status write_webp(lw_step *step, const lw_tensor *frames)
{
    const lw_args *args = lw_step_args(step);
    uint8_t *data;
    size_t size;
    LW_TRY(lw_image_encode_webp(frames, (int)lw_int(args, "frame_ms"), (float)lw_float(args, "quality"),
                                &data, &size));
    char *path = lw_step_path(step, lw_text(args, "file"));
    lw_status status = path ? lw_file_write(path, data, size) : lw_error_status();
    lw_free(path);
    lw_free(data);
    return status;
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *walks = lw_step_input(step, "walks", 0);
    int64_t columns = lw_int(args, "columns"), count = walks->shape.dim[0], first = lw_int(args, "first");
    if (first && first < count)
        count = first;
    if (columns == 0)
        columns = (int64_t)ceil(sqrt((double)count));
    if (columns > count)
        columns = count;
    LW_TRY(check(args, walks->shape, count, columns));
    lw_tensor *frames = make_frames(walks, count, columns, lw_int(args, "gap"), lw_bool(args, "bounce"));
    lw_status status = frames ? write_webp(step, frames) : lw_error_status();
    lw_tensor_destroy(frames);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SINK, "animation", "1.0.0", "Walks side by side as one animated WebP", LW_PARAMS(params),
          LW_INPUTS(inputs), .functions = &runner);
