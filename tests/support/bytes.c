/* bytes.c — see bytes.h. */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_put(bytes *b, const void *data, size_t size)
{
    while (b->size + size > b->room) {
        b->room = b->room ? b->room * 2 : 4096;
        b->data = realloc(b->data, b->room);
        if (!b->data)
            abort();
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_text(bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

void bytes_number(bytes *b, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = i < 8 ? (uint8_t)(number >> 8 * i) : 0;
        bytes_put(b, &byte, 1);
    }
}

void bytes_free(bytes *b)
{
    free(b->data);
    *b = (bytes){0};
}

/* --- pickles ---------------------------------------------------------------------------------- */

void pickle_text(bytes *b, const char *text)
{
    bytes_text(b, "X");
    bytes_number(b, strlen(text), 4);
    bytes_text(b, text);
}

void pickle_int(bytes *b, int64_t number)
{
    BYTES_PUT(b, "\x8a\x08");
    bytes_number(b, (uint64_t)number, 8);
}

static void pickle_sizes(bytes *b, int rank, const int64_t *size)
{
    bytes_text(b, "(");
    for (int i = 0; i < rank; i++)
        pickle_int(b, size[i]);
    bytes_text(b, "t");
}

void pickle_state_dict(bytes *b, const char *name, int64_t held, int64_t offset, int rank,
                       const int64_t *size, const int64_t *stride)
{
    BYTES_PUT(b, "\x80\x02"
                 "ccollections\nOrderedDict\n)R(");
    pickle_text(b, name);
    bytes_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(b, "storage");
    bytes_text(b, "ctorch\nFloatStorage\n");
    pickle_text(b, "0");
    pickle_text(b, "cpu");
    pickle_int(b, held);
    bytes_text(b, "tQ");
    pickle_int(b, offset);
    pickle_sizes(b, rank, size);
    pickle_sizes(b, rank, stride);
    BYTES_PUT(b, "\x89"
                 "ccollections\nOrderedDict\n)RtRu.");
}

/* --- containers --------------------------------------------------------------------------------- */

void legacy_file(bytes *b, const bytes *object, const float *values, size_t count)
{
    BYTES_PUT(b, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."); /* magic */
    BYTES_PUT(b, "\x80\x02M\xe9\x03.");                                        /* 1001 */
    BYTES_PUT(b, "\x80\x02}(X\x0d\0\0\0little_endian\x88u.");
    bytes_put(b, object->data, object->size);
    BYTES_PUT(b, "\x80\x02](X\x01\0\0\0"
                 "0e.");
    bytes_number(b, count, 8);
    bytes_put(b, values, count * sizeof *values);
}

uint32_t zip_crc(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* What the local header and the directory have in common, from "version needed" to "extra length". */
static void zip_common(bytes *b, const zip_part *part)
{
    bytes_number(b, 20, 2);
    bytes_number(b, 0, 2);
    bytes_number(b, part->deflated ? 8 : 0, 2);
    bytes_number(b, 0, 4);
    bytes_number(b, part->crc ? part->crc : zip_crc(part->data, part->size), 4);
    bytes_number(b, part->size, 4);
    bytes_number(b, part->unpacked ? part->unpacked : part->size, 4);
    bytes_number(b, strlen(part->name), 2);
    bytes_number(b, 0, 2);
}

void zip_file(bytes *b, const zip_part *parts, size_t count)
{
    size_t places[64] = {0};
    for (size_t i = 0; i < count; i++) {
        places[i] = parts[i].at ? parts[i].at - 1 : b->size;
        if (parts[i].at)
            continue;
        BYTES_PUT(b, "PK\3\4");
        zip_common(b, &parts[i]);
        bytes_text(b, parts[i].name);
        bytes_put(b, parts[i].data, parts[i].size);
    }
    size_t start = b->size;
    for (size_t i = 0; i < count; i++) {
        BYTES_PUT(b, "PK\1\2\x14\0");
        zip_common(b, &parts[i]);
        bytes_number(b, 0, 8); /* lengths of comment, disk, attributes within and without */
        bytes_number(b, 0, 2);
        bytes_number(b, places[i], 4);
        bytes_text(b, parts[i].name);
    }
    size_t size = b->size - start;
    BYTES_PUT(b, "PK\5\6\0\0\0\0");
    bytes_number(b, count, 2);
    bytes_number(b, count, 2);
    bytes_number(b, size, 4);
    bytes_number(b, start, 4);
    bytes_number(b, 0, 2);
}
