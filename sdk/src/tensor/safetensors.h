/* safetensors.h — the format from memory, for the loader and for fuzzing. */
#ifndef LWI_SAFETENSORS_H
#define LWI_SAFETENSORS_H

#include "latentwalk/tensor.h"

/* `name` is for messages. NULL with an error where the bytes are not a well-formed file. */
lw_store *lwi_safetensors_parse(const uint8_t *data, size_t size, const char *name);

#endif
