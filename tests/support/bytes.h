/* bytes.h — files made in memory, byte by byte, for tests of readers. */
#ifndef TEST_BYTES_H
#define TEST_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
    uint8_t *data;
    size_t size, room;
} bytes;

void bytes_put(bytes *b, const void *data, size_t size);
void bytes_text(bytes *b, const char *text);
void bytes_number(bytes *b, uint64_t number, size_t size); /* little endian */
void bytes_free(bytes *b);
/* A string literal with zero bytes in it. */
#define BYTES_PUT(b, literal) bytes_put(b, literal, sizeof(literal) - 1)

/* --- pickles ---------------------------------------------------------------------------------- */
void pickle_text(bytes *b, const char *text); /* BINUNICODE */
void pickle_int(bytes *b, int64_t number);    /* LONG1 of 8 bytes */
/* OrderedDict of one tensor `name` of floats: rebuilt from storage '0' of `held` elements with this offset,
 * sizes and strides. A whole pickle of protocol 2. */
void pickle_state_dict(bytes *b, const char *name, int64_t held, int64_t offset, int rank,
                       const int64_t *size, const int64_t *stride);

/* --- containers --------------------------------------------------------------------------------- */
/* torch.save's legacy file around a pickle, with storage '0' of `count` floats. */
void legacy_file(bytes *b, const bytes *object, const float *values, size_t count);

typedef struct zip_part {
    const char *name;
    const void *data;
    size_t size;
    int deflated;    /* data are deflated already … */
    size_t unpacked; /* … from this many bytes; 0: `size` */
    uint32_t crc;    /* of the unpacked bytes; 0: computed from stored data */
    size_t at;       /* 1 + the byte of another entry's local header that it claims; 0: its own */
} zip_part;
void zip_file(bytes *b, const zip_part *parts, size_t count);
uint32_t zip_crc(const void *data, size_t size);

#endif
