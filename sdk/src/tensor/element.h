/* element.h — element types of files and their conversion to float32. */
#ifndef LWI_ELEMENT_H
#define LWI_ELEMENT_H

#include "latentwalk/base.h"

/* name in .safetensors, bytes, NumPy kind ('\0': NumPy has none). All little endian. */
#define LWI_ELEMENT_MAP(X) \
    X(F64, 8, 'f')         \
    X(F32, 4, 'f')         \
    X(F16, 2, 'f')         \
    X(BF16, 2, '\0')       \
    X(F8_E4M3, 1, '\0')    \
    X(I64, 8, 'i')         \
    X(I32, 4, 'i')         \
    X(I16, 2, 'i')         \
    X(I8, 1, 'i')          \
    X(U64, 8, 'u')         \
    X(U32, 4, 'u')         \
    X(U16, 2, 'u')         \
    X(U8, 1, 'u')          \
    X(BOOL, 1, 'b')

typedef enum lwi_element {
#define X(name, size, kind) LWI_##name,
    LWI_ELEMENT_MAP(X)
#undef X
        LWI_ELEMENTS
} lwi_element;

/* LWI_ELEMENTS where there is none of that name, or of that NumPy kind and size. */
lwi_element lwi_element_named(const char *name);
lwi_element lwi_element_of_kind(char kind, size_t size);
size_t lwi_element_size(lwi_element element);
const char *lwi_element_name(lwi_element element); /* "F32" */
/* out[i] = (float)element i of `data`, which need not be aligned. */
void lwi_element_to_float(lwi_element element, const uint8_t *data, size_t count, float *out);

#endif
