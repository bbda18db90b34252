/* tensor.h — host tensors of float32, and stores of named tensors (weights, optimiser state).
 *
 * A tensor is dense, row-major (last dimension fastest), float32. Files of other element types are
 * converted when read (F16, BF16, F64, integers and bool become float32).
 *
 * Shapes, and tensors that nobody changes, may be used from several threads at a time; a store belongs to one. */
#ifndef LATENTWALK_TENSOR_H
#define LATENTWALK_TENSOR_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LW_MAX_RANK 6

/* rank 0 is a scalar with one element. Unused entries of dim are zero. */
typedef struct lw_shape {
    int32_t rank;
    int64_t dim[LW_MAX_RANK];
} lw_shape;

/* lw_shape_of_dims(2, 64, 100); in C simply LW_SHAPE(64, 100), and LW_SCALAR for rank 0. */
#define LW_SHAPE(...)                                                                              \
    lw_shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define LW_SCALAR lw_shape_make(0, NULL)
/* `dim` [rank] is copied. A rank below 0 or above LW_MAX_RANK makes an impossible shape, which lw_shape_count tells. */
LW_API lw_shape lw_shape_make(int rank, const int64_t *dim);
/* Number of elements; 1 for a scalar; -1 for an impossible shape (rank, a negative size, an overflow). */
LW_API int64_t lw_shape_count(lw_shape shape);
LW_API bool lw_shape_equal(lw_shape a, lw_shape b);
/* "[64, 100]" into a caller's buffer of at least LW_SHAPE_TEXT bytes; returns the buffer. */
#define LW_SHAPE_TEXT 160
LW_API const char *lw_shape_text(lw_shape shape, char *buffer);

typedef struct lw_tensor {
    lw_shape shape;
    float *data; /* owned by the tensor */
} lw_tensor;

/* Zeros. NULL with LW_SHAPE for an impossible shape, or LW_MEMORY. A size may be 0: the tensor has no elements then. */
LW_API lw_tensor *lw_tensor_create(lw_shape shape);
LW_API lw_tensor *lw_tensor_copy(const lw_tensor *tensor);
LW_API void lw_tensor_destroy(lw_tensor *tensor);

/* The first row of batch `index` where `count` rows go through in batches of `batch`, which is at most `count`: they lie side
 * by side, but the last one ends where the rows do, overlapping the one before, so that all are full of distinct rows. */
LW_API int64_t lw_batch_first(int64_t index, int64_t batch, int64_t count);

/* NumPy .npy, format 1.0–3.0, little endian, C or Fortran order, f2/f4/f8/ints/bool. Written as
 * '<f4' C order. Writing goes to a temporary name in the same folder, then renames. LW_NOT_FOUND or LW_IO for the file,
 * LW_FORMAT for a broken one, LW_UNSUPPORTED for other elements. */
LW_API lw_tensor *lw_npy_load(const char *path);
LW_API lw_status lw_npy_save(const lw_tensor *tensor, const char *path);

/* --- stores --------------------------------------------------------------------------------- *
 * An ordered set of named tensors plus text metadata. It is the unit of loading, training,
 * checkpointing and saving. When programs (program.h) are compiled against a store, its tensors
 * also live on the device; lw_store_get brings back what a run has changed. Not thread-safe.
 * Destroy programs before the stores they use. */
typedef struct lw_store lw_store;

LW_API lw_store *lw_store_create(void); /* empty; NULL with LW_MEMORY */
LW_API void lw_store_destroy(lw_store *store);

/* .safetensors. Loading checks every offset, length and shape against the file size before any
 * allocation is sized by it; the error names the tensor and the byte. Integer tensors are kept as
 * float32. Storage in fewer bits rounds to nearest even; LW_STORE_F8 keeps tensors of one dimension (biases,
 * gains, running statistics) in 16 bits, the others as F8_E4M3. A finite value beyond 65504, or 448 in 8
 * bits, is then LW_NUMERIC. Saving is atomic (temporary name, fsync, rename); names are written in store order,
 * so equal stores give equal bytes. */
typedef enum lw_storage { LW_STORE_F32 = 0, LW_STORE_F16 = 1, LW_STORE_F8 = 2 } lw_storage;
LW_API lw_store *lw_store_load(const char *path);
LW_API lw_status lw_store_save(lw_store *store, const char *path, lw_storage storage);

LW_API size_t lw_store_count(const lw_store *store);
/* Of the index-th tensor, in the order they were added; NULL past the last one. Borrowed. */
LW_API const char *lw_store_name(const lw_store *store, size_t index);
LW_API bool lw_store_has(const lw_store *store, const char *name);
/* Shape without touching the device. LW_NOT_FOUND when absent. */
LW_API lw_status lw_store_shape(const lw_store *store, const char *name, lw_shape *shape);
/* The tensor's current values (read back from the device if a run changed them), borrowed until the
 * next change of the store; NULL with LW_NOT_FOUND when absent, or with what failed while reading. */
LW_API const lw_tensor *lw_store_get(lw_store *store, const char *name);
/* Adds, or replaces the values of, a tensor (copied; NULL: zeros). A replaced one must keep its shape: LW_SHAPE
 * otherwise. LW_INVALID for the names "" and "__metadata__". */
LW_API lw_status lw_store_set(lw_store *store, const char *name, lw_shape shape, const float *data);
/* Sets all tensors to zeros: an optimiser starts afresh. */
LW_API lw_status lw_store_clear(lw_store *store);
/* Sets `name` to what `from` holds under `from_name`; LW_NOT_FOUND where it is not there. */
LW_API lw_status lw_store_copy(lw_store *store, const char *name, lw_store *from, const char *from_name);
/* Copies every tensor of `from` whose name starts with `prefix` ("" for all), under the rest of its name. */
LW_API lw_status lw_store_merge(lw_store *store, lw_store *from, const char *prefix);
/* Metadata (safetensors' __metadata__): NULL, without an error, when the key is absent. Borrowed until the key is set
 * again; what is set is copied. */
LW_API const char *lw_store_metadata(const lw_store *store, const char *key);
LW_API lw_status lw_store_set_metadata(lw_store *store, const char *key, const char *value);
/* 16 hex digits (FNV-1a over names, shapes and values): the identity of these weights. Written to
 * `hash` (at least 17 bytes). */
LW_API lw_status lw_store_hash(lw_store *store, char *hash);

#ifdef __cplusplus
}
#endif
#endif
