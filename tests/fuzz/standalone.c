/* standalone.c — runs a fuzz target without libFuzzer: over the files named on the command line, or over the
 * target's own seeds and a fixed number of mutations of them, the same in every run. --write-seeds FOLDER
 * keeps the seeds instead. */
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

static int run_seed(const bytes *seed)
{
    static uint8_t changed[ROOM];
    if (seed->size > ROOM)
        return fprintf(stderr, "a seed of %zu bytes is too long\n", seed->size), 1;
    for (size_t cut = 0; cut <= seed->size; cut++)
        feed(seed->data, cut);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        memcpy(changed, seed->data, seed->size);
        feed(changed, mutate(changed, seed->size, round));
    }
    return 0;
}

/* FOLDER/0, FOLDER/1, …: where libFuzzer starts from. */
static int write_seed(const char *folder, int index, const bytes *seed)
{
    char *path = lw_format("%s/%d", folder, index);
    lw_status status = path ? lw_file_write(path, seed->data, seed->size) : LW_MEMORY;
    if (status != LW_OK)
        fprintf(stderr, "%s\n", lw_error_text());
    lw_free(path);
    return status != LW_OK;
}

int main(int argc, char **argv)
{
    bool write = argc == 3 && strcmp(argv[1], "--write-seeds") == 0;
    int seeds = 0, code = 0;
    if (argc > 1 && !write)
        return run_files(argc - 1, argv + 1);
    for (;; seeds++) {
        bytes seed = {0};
        fuzz_seed(seeds, &seed);
        if (seed.size == 0)
            break;
        code = code || (write ? write_seed(argv[2], seeds, &seed) : run_seed(&seed));
        bytes_free(&seed);
    }
    printf("%d seeds, %d mutations of each\n", seeds, write ? 0 : ROUNDS);
    return seeds > 0 ? code : 1;
}
