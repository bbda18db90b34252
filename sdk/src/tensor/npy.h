/* npy.h — the .npy format from memory, for the loader and for fuzzing. */
#ifndef LWI_NPY_H
#define LWI_NPY_H

#include "latentwalk/tensor.h"
#include "tensor/element.h"

/* `name` is for messages. NULL with an error where the bytes are not a well-formed array. */
lw_tensor *lwi_npy_parse(const uint8_t *data, size_t size, const char *name);
/* The type of the elements as the file has them; LWI_ELEMENTS with an error where its header is malformed. */
lwi_element lwi_npy_element(const uint8_t *data, size_t size, const char *name);

#endif
