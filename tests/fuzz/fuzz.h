/* fuzz.h — what every fuzz target defines: libFuzzer's entry point, and well-formed inputs to start from. */
#ifndef FUZZ_H
#define FUZZ_H

#include "bytes.h"

/* Must return 0 and neither crash nor leak, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Appends well-formed input number `index` to `out`; nothing past the last one. */
void fuzz_seed(int index, bytes *out);

/* checkpoint.c: these bytes as a checkpoint of any container, asked for everything that the commands ask. */
void fuzz_checkpoint(const uint8_t *data, size_t size);

#endif
