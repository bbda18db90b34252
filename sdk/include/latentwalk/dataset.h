/* dataset.h — many pictures in memory, and batches of them prepared ahead of time.
 *
 * A dataset keeps decoded pictures as 8-bit pixels (27,000 of 64x64 take 330 MB, a quarter of float32),
 * with a name and, optionally, a row of labels each. It travels between steps on a port of space
 * "dataset[N, channels, height, width]" (lw_step_output_dataset, lw_step_input_dataset in step.h).
 *
 * A loader draws endless shuffled batches from a dataset: what a step's batch holds depends on
 * (seed, step) alone, so a resumed training sees the pictures an undisturbed one would have seen.
 *
 * Many threads may read a dataset while nobody changes it; a loader belongs to one thread. */
#ifndef LATENTWALK_DATASET_H
#define LATENTWALK_DATASET_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_dataset lw_dataset;
typedef struct lw_loader lw_loader;

/* `count` black pictures without names: 1 … 2^32-1 of them, 1 … 64 channels, sides of 1 … 16384 px. NULL with LW_INVALID
 * or LW_MEMORY. */
LW_API lw_dataset *lw_dataset_create(size_t count, int64_t channels, int64_t height, int64_t width);
LW_API void lw_dataset_destroy(lw_dataset *dataset);
LW_API size_t lw_dataset_count(const lw_dataset *dataset);
LW_API lw_shape lw_dataset_shape(const lw_dataset *dataset); /* [count, channels, height, width] */

/* Stores picture `index`: [channels, height, width] in [-1, 1], rounded to 8 bits (what came from 8-bit
 * pixels is kept exactly). `name` is copied; NULL for none. Different pictures may be set from different threads.
 * LW_INVALID for an index past the end, LW_SHAPE for another picture. */
LW_API lw_status lw_dataset_set(lw_dataset *dataset, size_t index, const char *name, const lw_tensor *image);
LW_API const char *lw_dataset_name(const lw_dataset *dataset, size_t index); /* "" where none was given */
/* Forgets every picture with drop[index] != 0, drop [count], labels included; the others keep their order. Leave one. */
LW_API void lw_dataset_drop(lw_dataset *dataset, const uint8_t *drop);

/* out [n, channels, height, width] = pixels * 2 / 255 - 1 of the pictures index[0 … n-1]; mirrored left to
 * right where flip[i] != 0 (flip may be NULL: none). Any thread; no one may change the dataset meanwhile. */
LW_API lw_status lw_dataset_batch(const lw_dataset *dataset, const uint32_t *index, const uint8_t *flip, size_t n,
                                  float *out);

/* Labels: names [columns], values [count, columns], NaN where a value is not known. Copied; replaces earlier ones. */
LW_API lw_status lw_dataset_set_labels(lw_dataset *dataset, const char *const *names, size_t columns,
                                       const float *values);
LW_API size_t lw_dataset_label_count(const lw_dataset *dataset); /* columns; 0 without labels */
LW_API const char *lw_dataset_label_name(const lw_dataset *dataset, size_t column);
LW_API const float *lw_dataset_labels(const lw_dataset *dataset, size_t index); /* a row; NULL without labels */

/* The pictures first … first+n-1 in order, as lw_dataset_batch gives them; past the end the last one is
 * repeated, so that every batch is full. Returns how many are real: 0 where `first` is past the end. */
LW_API size_t lw_dataset_range(const lw_dataset *dataset, size_t first, size_t n, float *out);

/* Batches of `batch` pictures, every epoch in an order of its own; a batch may reach into the next epoch,
 * so every picture is used equally often. With `flip`, half of them are mirrored. One thread prepares
 * the batch after the one last asked for. The dataset must outlive the loader. */
typedef struct lw_loader_options {
    uint32_t size;
    bool flip;
    int32_t shift;      /* moves each picture by up to this many pixels both ways, repeating its border */
    const uint8_t *odd; /* [columns]: labels that change their sign where a picture is mirrored; NULL: none */
} lw_loader_options;
/* NULL with LW_INVALID for an empty batch or dataset, or a shift beyond 16384 px. */
LW_API lw_loader *lw_loader_create_with(const lw_dataset *dataset, size_t batch, uint64_t seed,
                                        const lw_loader_options *options);
LW_API lw_loader *lw_loader_create(const lw_dataset *dataset, size_t batch, uint64_t seed, bool flip);
LW_API void lw_loader_destroy(lw_loader *loader);
/* The batch of `step`: out [batch, channels, height, width] in [-1, 1]; labels [batch, columns], or NULL. Steps in order are
 * fastest, since the next one is prepared. */
LW_API lw_status lw_loader_batch(lw_loader *loader, uint64_t step, float *out, float *labels);

#ifdef __cplusplus
}
#endif
#endif
