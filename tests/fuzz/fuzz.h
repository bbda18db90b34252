/* fuzz.h — what every fuzz target defines: libFuzzer's entry point, and well-formed inputs to start from. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return 0 and neither crash nor leak, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Well-formed input number `index` into `out`; its size, or 0 past the last one. */
size_t fuzz_seed(int index, uint8_t *out, size_t room);

#endif
