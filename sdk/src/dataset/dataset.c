/* dataset.c — decoded pictures in memory: 8-bit pixels, names, labels. */
#include "latentwalk/dataset.h"
#include "latentwalk/image.h"

#include <string.h>

struct lw_dataset {
    size_t count, picture; /* pictures; bytes of one */
    int64_t channels, height, width;
    uint8_t *pixels; /* [count, channels, height, width] */
    char **names;    /* [count], NULL where not given */
    size_t columns;
    char **label_names;
    float *labels; /* [count, columns] */
};

lw_dataset *lw_dataset_create(size_t count, int64_t channels, int64_t height, int64_t width)
{
    if (count == 0 || count > UINT32_MAX || channels < 1 || channels > 64 || height < 1 || height > 16384 ||
        width < 1 || width > 16384) {
        lw_fail(
            LW_INVALID,
            "a dataset of %zu pictures [%lld, %lld, %lld] cannot be: it needs 1 … 2^32-1 pictures of 1 … 64 "
            "channels and sides of 1 … 16384 px",
            count, (long long)channels, (long long)height, (long long)width);
        return NULL;
    }
    lw_dataset *dataset = lw_alloc(1, sizeof *dataset);
    if (!dataset)
        return NULL;
    *dataset = (lw_dataset){.count = count,
                            .picture = (size_t)(channels * height * width),
                            .channels = channels,
                            .height = height,
                            .width = width};
    dataset->pixels = lw_alloc(count, dataset->picture);
    dataset->names = lw_alloc(count, sizeof *dataset->names);
    if (!dataset->pixels || !dataset->names) {
        lw_dataset_destroy(dataset);
        return NULL;
    }
    return dataset;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        lw_free(texts[i]);
    lw_free(texts);
}

void lw_dataset_destroy(lw_dataset *dataset)
{
    if (!dataset)
        return;
    free_texts(dataset->names, dataset->count);
    free_texts(dataset->label_names, dataset->columns);
    lw_free(dataset->labels);
    lw_free(dataset->pixels);
    lw_free(dataset);
}

size_t lw_dataset_count(const lw_dataset *dataset)
{
    return dataset->count;
}

lw_shape lw_dataset_shape(const lw_dataset *dataset)
{
    return LW_SHAPE((int64_t)dataset->count, dataset->channels, dataset->height, dataset->width);
}

static lw_status check_index(const lw_dataset *dataset, size_t index)
{
    if (index >= dataset->count)
        return lw_fail(LW_INVALID, "picture %zu of a dataset that has %zu (0 … %zu)", index, dataset->count,
                       dataset->count - 1);
    return LW_OK;
}

lw_status lw_dataset_set(lw_dataset *dataset, size_t index, const char *name, const lw_tensor *image)
{
    LW_TRY(check_index(dataset, index));
    lw_shape shape = LW_SHAPE(dataset->channels, dataset->height, dataset->width);
    if (!lw_shape_equal(image->shape, shape)) {
        char want[LW_SHAPE_TEXT], have[LW_SHAPE_TEXT];
        return lw_fail(LW_SHAPE, "a picture %s does not fit a dataset of pictures %s",
                       lw_shape_text(image->shape, have), lw_shape_text(shape, want));
    }
    char *copy = name ? lw_strdup(name) : NULL;
    if (name && !copy)
        return LW_MEMORY;
    lw_free(dataset->names[index]);
    dataset->names[index] = copy;
    uint8_t *out = dataset->pixels + index * dataset->picture;
    for (size_t i = 0; i < dataset->picture; i++)
        out[i] = lw_image_byte(image->data[i]);
    return LW_OK;
}

const char *lw_dataset_name(const lw_dataset *dataset, size_t index)
{
    return index < dataset->count && dataset->names[index] ? dataset->names[index] : "";
}

void lw_dataset_drop(lw_dataset *dataset, const uint8_t *drop)
{
    size_t kept = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        if (drop[i]) {
            lw_free(dataset->names[i]);
            continue;
        }
        if (kept != i) {
            memcpy(dataset->pixels + kept * dataset->picture, dataset->pixels + i * dataset->picture,
                   dataset->picture);
            if (dataset->labels)
                memcpy(dataset->labels + kept * dataset->columns, dataset->labels + i * dataset->columns,
                       dataset->columns * sizeof(float));
        }
        dataset->names[kept++] = dataset->names[i];
    }
    dataset->count = kept;
}

lw_status lw_dataset_batch(const lw_dataset *dataset, const uint32_t *index, const uint8_t *flip, size_t n,
                           float *out)
{
    size_t rows = (size_t)(dataset->channels * dataset->height), width = (size_t)dataset->width;
    for (size_t i = 0; i < n; i++) {
        LW_TRY(check_index(dataset, index[i]));
        const uint8_t *in = dataset->pixels + index[i] * dataset->picture;
        bool mirror = flip && flip[i];
        for (size_t row = 0; row < rows; row++, in += width, out += width)
            for (size_t x = 0; x < width; x++)
                out[x] = (float)in[mirror ? width - 1 - x : x] * 2.0f / 255.0f - 1.0f;
    }
    return LW_OK;
}

size_t lw_dataset_range(const lw_dataset *dataset, size_t first, size_t n, float *out)
{
    size_t real = first >= dataset->count ? 0 : dataset->count - first < n ? dataset->count - first : n;
    for (size_t i = 0; i < n; i++) {
        uint32_t index = (uint32_t)(i < real ? first + i : dataset->count - 1);
        (void)lw_dataset_batch(dataset, &index, NULL, 1, out + i * dataset->picture); /* the index is good */
    }
    return real;
}

lw_status lw_dataset_set_labels(lw_dataset *dataset, const char *const *names, size_t columns,
                                const float *values)
{
    char **copies = lw_alloc(columns ? columns : 1, sizeof *copies);
    float *labels = copies ? lw_alloc(dataset->count * columns + 1, sizeof *labels) : NULL;
    bool complete = labels;
    for (size_t i = 0; complete && i < columns; i++)
        complete = (copies[i] = lw_strdup(names[i]));
    if (!complete) {
        free_texts(copies, columns);
        lw_free(labels);
        return LW_MEMORY;
    }
    memcpy(labels, values, dataset->count * columns * sizeof *labels);
    free_texts(dataset->label_names, dataset->columns);
    lw_free(dataset->labels);
    dataset->label_names = copies;
    dataset->columns = columns;
    dataset->labels = labels;
    return LW_OK;
}

size_t lw_dataset_label_count(const lw_dataset *dataset)
{
    return dataset->columns;
}

const char *lw_dataset_label_name(const lw_dataset *dataset, size_t column)
{
    return column < dataset->columns ? dataset->label_names[column] : NULL;
}

const float *lw_dataset_labels(const lw_dataset *dataset, size_t index)
{
    return dataset->columns && index < dataset->count ? dataset->labels + index * dataset->columns : NULL;
}
