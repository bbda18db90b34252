/* standalone.c — runs a fuzz target without libFuzzer: over the files named on the command line, or over the
 * target's own seeds and a fixed number of mutations of them, the same in every run. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latentwalk/image.h"
#include "latentwalk/random.h"

enum { ROOM = 4096, ROUNDS = 20000, MOST_CHANGES = 8 };

/* A copy of exactly `size` bytes, so that a sanitizer sees a read past the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* A few of: flip a bit, set a byte, delete some, repeat some, cut the end off. Returns the new size. */
static size_t mutate(uint8_t *data, size_t size, uint64_t round)
{
    static const uint8_t telling[] = {0,   1,   0x7f, 0x80, 0xff, '"', '{', '}',
                                      '[', ']', ',',  ':',  '9',  '-', ' ', 'e'};
    const uint32_t key[2] = {(uint32_t)round, 0};
    uint32_t r[4] = {0, 0, 0, 0};
    lw_philox((const uint32_t[4]){0, 0, 0, 1}, key, r);
    for (uint32_t i = 0, changes = 1 + r[0] % MOST_CHANGES; i < changes && size > 1; i++) {
        lw_philox((const uint32_t[4]){i, 0, 0, 0}, key, r);
        size_t at = r[0] % size, length = 1 + r[1] % 8;
        length = length < size - at ? length : size - at;
        switch (r[2] % 6) {
        case 0:
        case 1: data[at] ^= (uint8_t)(1u << r[3] % 8); break;
        case 2:
        case 3: data[at] = telling[r[3] % sizeof telling]; break;
        case 4:
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        default:
            if (r[3] % 4 == 0) {
                size = at + 1;
            } else if (size + length <= ROOM) {
                memmove(data + at + length, data + at, size - at);
                size += length;
            }
        }
    }
    return size;
}

static int run_files(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        uint8_t *data;
        size_t size;
        if (lw_file_read(paths[i], 0, &data, &size) != LW_OK) {
            fprintf(stderr, "%s\n", lw_error_text());
            return 2;
        }
        feed(data, size);
        lw_free(data);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t seed[ROOM], changed[ROOM];
    if (argc > 1)
        return run_files(argc - 1, argv + 1);
    int seeds = 0;
    for (size_t size; (size = fuzz_seed(seeds, seed, sizeof seed)) > 0; seeds++) {
        for (size_t cut = 0; cut <= size; cut++)
            feed(seed, cut);
        for (uint64_t round = 0; round < ROUNDS; round++) {
            memcpy(changed, seed, size);
            feed(changed, mutate(changed, size, round));
        }
    }
    printf("%d seeds, %d mutations of each\n", seeds, ROUNDS);
    return seeds > 0 ? 0 : 1;
}
