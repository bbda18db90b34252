/* safetensors.h — the format from memory, for the loader and for fuzzing. */
#ifndef LWI_SAFETENSORS_H
#define LWI_SAFETENSORS_H

#include "latentwalk/tensor.h"
#include "tensor/element.h"

/* Told of one tensor: its elements lie at `data`, in C order. `name` is borrowed. */
typedef lw_status lwi_safetensors_found(void *user, const char *name, lwi_element element, lw_shape shape,
                                        const uint8_t *data);
/* Checks the whole file, gives its metadata to `store`, and tells of its tensors in their order. `name` is
 * for messages. */
lw_status lwi_safetensors_walk(const uint8_t *data, size_t size, const char *name, lw_store *store,
                               lwi_safetensors_found *found, void *user);
/* The whole file as a store. NULL with an error where the bytes are not a well-formed file. */
lw_store *lwi_safetensors_parse(const uint8_t *data, size_t size, const char *name);

#endif
