/* resize.c — separable resizing: area average along a side that shrinks, bilinear along one that grows. */
#include "image/pixels.h"

#include <math.h>

/* What one output position takes from the input: `count` neighbours from `first` on. */
typedef struct tap {
    int64_t first, count;
    float *weight; /* into the filter's weights */
} tap;

typedef struct filter {
    tap *taps; /* one per output position */
    float *weights;
    int64_t size;
} filter;

static void filter_destroy(filter *f)
{
    lw_free(f->taps);
    lw_free(f->weights);
}

/* Output o covers [o, o + 1) * scale of the input; each input pixel counts by how much of it is covered. */
static void area_tap(tap *t, int64_t o, int64_t in, double scale)
{
    double begin = (double)o * scale, end = begin + scale;
    t->first = (int64_t)begin;
    t->count = 0;
    for (int64_t i = t->first; i < in && (double)i < end; i++) {
        double covered = fmin(end, (double)(i + 1)) - fmax(begin, (double)i);
        t->weight[t->count++] = (float)(covered / scale);
    }
}

/* Pixel centres lie at i + 1/2; beyond the outer centres the edge is repeated. */
static void linear_tap(tap *t, int64_t o, int64_t in, double scale)
{
    double at = fmin(fmax(((double)o + 0.5) * scale - 0.5, 0.0), (double)(in - 1));
    t->first = (int64_t)at;
    t->count = t->first + 1 < in ? 2 : 1;
    double share = at - (double)t->first;
    t->weight[0] = (float)(1.0 - share);
    if (t->count == 2)
        t->weight[1] = (float)share;
}

static lw_status filter_create(filter *f, int64_t in, int64_t out)
{
    double scale = (double)in / (double)out;
    int64_t most = out < in ? (int64_t)scale + 2 : 2;
    f->size = out;
    f->taps = lw_alloc((size_t)out, sizeof *f->taps);
    f->weights = f->taps ? lw_alloc((size_t)(out * most), sizeof *f->weights) : NULL;
    if (!f->weights)
        return LW_MEMORY;
    for (int64_t o = 0; o < out; o++) {
        f->taps[o].weight = f->weights + o * most;
        if (out < in)
            area_tap(&f->taps[o], o, in, scale);
        else
            linear_tap(&f->taps[o], o, in, scale);
    }
    return LW_OK;
}

/* Lines of `in` numbers -> lines of filter->size numbers. */
static void resize_rows(const filter *f, const float *in, int64_t width, int64_t lines, float *out)
{
    for (int64_t line = 0; line < lines; line++, in += width) {
        for (int64_t x = 0; x < f->size; x++) {
            const tap *t = &f->taps[x];
            float sum = 0.0f;
            for (int64_t i = 0; i < t->count; i++)
                sum += t->weight[i] * in[t->first + i];
            *out++ = sum;
        }
    }
}

/* [C, in, W] -> [C, filter->size, W], a whole line at a time; `out` starts as zeros. */
static void resize_columns(const filter *f, const float *in, int64_t height, int64_t width, int64_t channels,
                           float *out)
{
    for (int64_t c = 0; c < channels; c++, in += height * width) {
        for (int64_t y = 0; y < f->size; y++, out += width) {
            const tap *t = &f->taps[y];
            for (int64_t i = 0; i < t->count; i++) {
                const float *line = in + (t->first + i) * width;
                for (int64_t x = 0; x < width; x++)
                    out[x] += t->weight[i] * line[x];
            }
        }
    }
}

/* [C, H, W] -> [C, height, width] */
lw_tensor *lw_image_resize(const lw_tensor *image, int64_t height, int64_t width)
{
    char text[LW_SHAPE_TEXT];
    const int64_t *dim = image->shape.dim;
    if (image->shape.rank != 3 || lw_shape_count(image->shape) <= 0) {
        lw_fail(LW_SHAPE, "a picture to resize is [C, H, W], not %s", lw_shape_text(image->shape, text));
        return NULL;
    }
    if (height < 1 || width < 1 || height > LWI_IMAGE_SIDE || width > LWI_IMAGE_SIDE) {
        lw_fail(LW_INVALID, "a picture cannot be resized to %lld x %lld; sides of 1 to %d are possible",
                (long long)width, (long long)height, LWI_IMAGE_SIDE);
        return NULL;
    }
    filter across = {0}, down = {0};
    lw_tensor *wide = NULL, *done = NULL;
    if (filter_create(&across, dim[2], width) == LW_OK && filter_create(&down, dim[1], height) == LW_OK)
        wide = lw_tensor_create(LW_SHAPE(dim[0], dim[1], width));
    if (wide)
        done = lw_tensor_create(LW_SHAPE(dim[0], height, width));
    if (done) {
        resize_rows(&across, image->data, dim[2], dim[0] * dim[1], wide->data);
        resize_columns(&down, wide->data, dim[1], width, dim[0], done->data);
    }
    lw_tensor_destroy(wide);
    filter_destroy(&across);
    filter_destroy(&down);
    return done;
}
