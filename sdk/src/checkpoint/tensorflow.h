/* tensorflow.h — the names of TensorFlow's variables in their PyTorch ports; between tensorflow.c and
 * tensorflow_names.c. */
#ifndef LWI_TENSORFLOW_H
#define LWI_TENSORFLOW_H

#include <stdbool.h>

enum { LONGEST_NAME = 1100 };

/* What happens to the values on the way. */
typedef enum change {
    KEEP,
    TURN,         /* [in, out] -> [out, in] */
    KERNEL,       /* [kh, kw, in, out] -> [out, in, kh, kw] */
    KERNEL_FLIP,  /* the same, turned by 180 degrees: TensorFlow flips where it upsamples, PyTorch does not */
    DENSE_TO_4X4, /* [in, out * 16] -> [out, in, 4, 4], turned by 180 degrees: the dense layer as a
                     convolution */
    PLUS_ONE,     /* a style's bias, to which TensorFlow adds 1 when it runs */
    DROP_FIRST,   /* [1, …] -> […] */
    DROP_TWO,     /* [1, 1, …] -> […] */
} change;

typedef enum family { NO_FAMILY, PGGAN, STYLEGAN, STYLEGAN2, STYLEGAN2_D } family;

/* The name of a variable in the network's port, LONGEST_NAME bytes, and what becomes of its values. `lods`:
 * the highest k of ToRGB_lod{k}. False: there is none. */
bool lwi_tensorflow_rename(family kind, const char *name, int lods, char *out, change *how);
/* "PREFIX{n}/REST" -> n and the rest ("" where the name ends after n); NULL for another name. */
const char *lwi_tensorflow_numbered(const char *name, const char *prefix, int *n);

#endif
