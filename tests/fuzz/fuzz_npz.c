/* fuzz_npz.c — any bytes as a zip archive of arrays: its directory, and every entry unpacked. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lwi_zip *zip = lwi_zip_open(data, size, "input");
    for (size_t i = 0; zip && i < lwi_zip_count(zip); i++) {
        uint8_t *entry = NULL;
        if (lwi_zip_find(zip, lwi_zip_at(zip, i)->name) != lwi_zip_at(zip, i))
            abort();
        if (lwi_zip_read(zip, lwi_zip_at(zip, i), &entry) == LW_OK)
            lw_free(entry);
    }
    lwi_zip_close(zip);
    lwi_checkpoint_close(lwi_checkpoint_parse(data, size, "input"));
    return 0;
}

static void make_npy(bytes *b)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    BYTES_PUT(b, "\x93NUMPY\1\0");
    bytes_number(b, sizeof header - 1, 2);
    bytes_text(b, header);
    bytes_number(b, 0, 24);
}

size_t fuzz_seed(int index, uint8_t *out, size_t room)
{
    bytes b = {0}, npy = {0}, packed = {0};
    make_npy(&npy);
    bytes_number(&packed, 1, 1); /* deflate's stored block */
    bytes_number(&packed, npy.size, 2);
    bytes_number(&packed, ~(uint64_t)npy.size & 0xffff, 2);
    bytes_put(&packed, npy.data, npy.size);
    zip_part parts[] = {{.name = "mu.npy", .data = npy.data, .size = npy.size},
                        {.name = "sigma.npy",
                         .data = packed.data,
                         .size = packed.size,
                         .deflated = 1,
                         .unpacked = npy.size,
                         .crc = zip_crc(npy.data, npy.size)}};
    if (index < 2)
        zip_file(&b, parts, (size_t)index + 1);
    size_t size = b.size <= room ? b.size : 0;
    if (size)
        memcpy(out, b.data, size);
    bytes_free(&b);
    bytes_free(&npy);
    bytes_free(&packed);
    return size;
}
