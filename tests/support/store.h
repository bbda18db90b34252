/* store.h — a small store, for tests that save and load one, and what a store must hold. */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#include "latentwalk/tensor.h"

/* "b.weight" [2, 3], "a.bias" [3] of 7, 8, 9 and the scalar "step" of 42; a licence in the metadata. The caller's. */
lw_store *example_store(void);
/* The tensor is there, with this shape and these very numbers. */
void store_holds(lw_store *store, const char *name, lw_shape shape, const float *wanted);

#endif
