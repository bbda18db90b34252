/* pictures.c — images as WebP inside the page: grids, and walks that a slider moves through. */
#include "report.h"

#include <math.h>
#include <string.h>

#define MAX_SHEET 16383 /* px; WebP's limit on a side */
#define MIN_SHOWN 112   /* px on the page; smaller images are shown enlarged */

/* Some images of an input, ready for the page. */
typedef struct batch {
    const lw_tensor *from; /* [.., C, H, W] */
    int64_t channels, height, width;
    int64_t shown_height, shown_width; /* in the sheet: at most `max_size` */
} batch;

static lw_status look_at(batch *b, lw_step *step, const char *port, int index)
{
    const lw_tensor *from = lw_step_input(step, port, index);
    const int64_t *last = from->shape.dim + from->shape.rank - 3;
    *b = (batch){.from = from, .channels = last[0], .height = last[1], .width = last[2]};
    if (b->channels != 1 && b->channels != 3)
        return lw_fail(LW_UNSUPPORTED, "'%s' has %lld channels: pictures have 1 (grey) or 3 (RGB)",
                       lw_step_input_name(step, port, index), (long long)b->channels);
    if (lw_shape_count(from->shape) == 0)
        return lw_fail(LW_INVALID, "'%s' has no images", lw_step_input_name(step, port, index));
    double most = (double)lw_int(lw_step_args(step), "max_size");
    double scale = fmin(1.0, most / (double)(b->height > b->width ? b->height : b->width));
    b->shown_height = llrint(fmax(1.0, (double)b->height * scale));
    b->shown_width = llrint(fmax(1.0, (double)b->width * scale));
    return LW_OK;
}

/* Image `number`, counted through all leading dims -> [3, shown height, shown width]. */
static lw_tensor *take(const batch *b, int64_t number)
{
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, b->height, b->width));
    if (!image)
        return NULL;
    int64_t plane = b->height * b->width;
    for (int64_t c = 0; c < 3; c++)
        memcpy(image->data + c * plane,
               b->from->data + (number * b->channels + (b->channels == 3 ? c : 0)) * plane,
               (size_t)plane * sizeof(float));
    if (b->shown_height == b->height && b->shown_width == b->width)
        return image;
    lw_tensor *small = lw_image_resize(image, b->shown_height, b->shown_width);
    lw_tensor_destroy(image);
    return small;
}

/* `count` images from `first` on, laid out in rows -> a sheet [3, rows * h, columns * w] with gaps. */
static lw_tensor *make_sheet(const batch *b, int64_t first, int64_t count, int64_t columns, int64_t gap)
{
    lw_tensor *images = lw_tensor_create(LW_SHAPE(count, 3, b->shown_height, b->shown_width));
    int64_t size = 3 * b->shown_height * b->shown_width;
    for (int64_t i = 0; images && i < count; i++) {
        lw_tensor *image = take(b, first + i);
        if (image) {
            memcpy(images->data + i * size, image->data, (size_t)size * sizeof(float));
        } else {
            lw_tensor_destroy(images);
            images = NULL;
        }
        lw_tensor_destroy(image);
    }
    lw_tensor *sheet = images ? lw_image_grid(images, columns, gap) : NULL;
    lw_tensor_destroy(images);
    return sheet;
}

/* Takes ownership of `sheet` [3, H, W]; NULL is the error that made it so. */
static lw_status put_webp(page *p, lw_step *step, lw_tensor *sheet)
{
    if (!sheet)
        return lw_error_status();
    lw_tensor still = {LW_SHAPE(1, 3, sheet->shape.dim[1], sheet->shape.dim[2]), sheet->data};
    uint8_t *data;
    size_t size;
    lw_status status =
        lw_image_encode_webp(&still, 1, (float)lw_float(lw_step_args(step), "quality"), &data, &size);
    lw_tensor_destroy(sheet);
    LW_TRY(status);
    put(p, "data:image/webp;base64,");
    put_base64(p, data, size);
    lw_free(data);
    return LW_OK;
}

/* How large an image of the batch appears on the page. */
static int64_t shown_px(const batch *b)
{
    int64_t scale = (MIN_SHOWN + b->shown_width - 1) / b->shown_width;
    return b->shown_width * (scale > 1 ? scale : 1);
}

/* --- walks: one sheet per walk, which the slider moves behind a window of one image ------------ */
static lw_status put_walk(page *p, lw_step *step, const batch *b, int64_t number, int64_t points,
                          int64_t columns)
{
    int64_t rows = (points + columns - 1) / columns;
    put_format(
        p,
        "<div class=\"frame\" role=\"img\" aria-label=\"walk %lld\" data-columns=\"%lld\" data-rows=\"%lld\" "
        "style=\"width:%lldpx;aspect-ratio:%lld/%lld;background-size:%lld%% %lld%%;background-image:url(",
        (long long)number + 1, (long long)columns, (long long)rows, (long long)shown_px(b),
        (long long)b->shown_width, (long long)b->shown_height, (long long)columns * 100,
        (long long)rows * 100);
    LW_TRY(put_webp(p, step, make_sheet(b, number * points, points, columns, 0)));
    put(p, ")\"></div>\n");
    return LW_OK;
}

/* What the points are called, where they have names. */
static lw_status put_names(page *p, lw_step *step, int index, int64_t points)
{
    const lw_args *args = lw_step_args(step);
    const int names = lw_list_count(args, "at");
    if (lw_check_point_names(args, "at", points) != LW_OK)
        return lw_wrap("'%s'", lw_step_input_name(step, "walks", index));
    for (int i = 0; i < names; i++)
        put_format(p, "%s%lld%s", i ? " " : " data-at=\"", (long long)lw_list_int(args, "at", i),
                   i == names - 1 ? "\"" : "");
    return LW_OK;
}

static lw_status put_walk_set(page *p, lw_step *step, int index)
{
    batch b;
    LW_TRY(look_at(&b, step, "walks", index));
    int64_t count = b.from->shape.dim[0], points = b.from->shape.dim[1];
    int64_t most = lw_int(lw_step_args(step), "first"), shown = count < most ? count : most;
    int64_t columns = MAX_SHEET / b.shown_width < points ? MAX_SHEET / b.shown_width : points;
    if ((points + columns - 1) / columns * b.shown_height > MAX_SHEET)
        return lw_fail(LW_INVALID,
                       "'%s': %lld points of %lld x %lld px do not fit in one WebP sheet; lower `max_size`",
                       lw_step_input_name(step, "walks", index), (long long)points, (long long)b.shown_width,
                       (long long)b.shown_height);
    put_format(p, "<figure class=\"walk\" data-points=\"%lld\"", (long long)points);
    LW_TRY(put_names(p, step, index, points));
    put(p, ">\n<figcaption><b>");
    put_text(p, lw_step_input_name(step, "walks", index));
    put_format(p, "</b> <span class=\"quiet\">%lld of %lld walks, %lld points each</span></figcaption>\n",
               (long long)shown, (long long)count, (long long)points);
    put_format(
        p,
        "<div class=\"controls\"><button type=\"button\" class=\"play\" aria-pressed=\"false\">Play</button>"
        "<input type=\"range\" min=\"0\" max=\"%lld\" value=\"0\" step=\"1\" aria-label=\"point of the "
        "walks\">"
        "<output>1 / %lld</output></div>\n<div class=\"frames\">\n",
        (long long)points - 1, (long long)points);
    for (int64_t n = 0; n < shown; n++)
        LW_TRY(put_walk(p, step, &b, n, points, columns));
    put(p, "</div>\n<details><summary>Every point, one walk per row</summary><div "
           "class=\"strips\"></div></details>\n"
           "</figure>\n");
    return LW_OK;
}

lw_status put_walks(page *p, lw_step *step)
{
    int count = lw_step_input_count(step, "walks");
    if (count == 0)
        return LW_OK;
    put(p, "<section id=\"walks\"><h2>Walks</h2>\n");
    for (int i = 0; i < count; i++)
        LW_TRY(put_walk_set(p, step, i));
    put(p, "</section>\n");
    return LW_OK;
}

/* --- grids --------------------------------------------------------------------------------------- */
static lw_status put_grid(page *p, lw_step *step, int index)
{
    batch b;
    LW_TRY(look_at(&b, step, "grids", index));
    int rank = b.from->shape.rank;
    int64_t count = lw_shape_count(b.from->shape) / (b.channels * b.height * b.width);
    int64_t most = lw_int(lw_step_args(step), "max_images"), shown = count < most ? count : most;
    /* A walk keeps its own row; other images make a rectangle somewhat wider than high. */
    int64_t columns = rank >= 5 ? b.from->shape.dim[rank - 4] : (int64_t)ceil(sqrt((double)shown * 1.6));
    while (columns > 1 && columns * (b.shown_width + 2) > MAX_SHEET)
        columns--;
    if (columns > shown)
        columns = shown;
    int64_t rows_fit = MAX_SHEET / (b.shown_height + 2);
    if (shown > rows_fit * columns)
        shown = rows_fit * columns;
    int64_t enlarged = shown_px(&b) * columns;
    put(p, "<figure><figcaption><b>");
    put_text(p, lw_step_input_name(step, "grids", index));
    put_format(p,
               "</b> <span class=\"quiet\">%lld of %lld images, %lld x %lld px</span></figcaption>\n"
               "<img class=\"grid\" style=\"width:%lldpx\" alt=\"grid of %lld images\" src=\"",
               (long long)shown, (long long)count, (long long)b.width, (long long)b.height,
               (long long)enlarged, (long long)shown);
    LW_TRY(put_webp(p, step, make_sheet(&b, 0, shown, columns, 2)));
    put(p, "\"></figure>\n");
    return LW_OK;
}

lw_status put_grids(page *p, lw_step *step)
{
    int count = lw_step_input_count(step, "grids");
    if (count == 0)
        return LW_OK;
    put(p, "<section id=\"images\"><h2>Images</h2>\n");
    for (int i = 0; i < count; i++)
        LW_TRY(put_grid(p, step, i));
    put(p, "</section>\n");
    return LW_OK;
}
