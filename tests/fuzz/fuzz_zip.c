/* fuzz_zip.c — any bytes as a zip archive: its directory, every entry unpacked, and the checkpoint it may be.
 */
#include "fuzz.h"

#include <stdlib.h>

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
    fuzz_checkpoint(data, size);
    return 0;
}

/* One entry stored, one deflated (as a stored block). */
void fuzz_seed(int index, bytes *out)
{
    static const char text[] = "neither array nor pickle";
    bytes packed = {0};
    if (index > 1)
        return;
    bytes_number(&packed, 1, 1);
    bytes_number(&packed, sizeof text, 2);
    bytes_number(&packed, ~sizeof text & 0xffff, 2);
    bytes_put(&packed, text, sizeof text);
    const zip_part parts[] = {{.name = "a/one", .data = text, .size = sizeof text},
                              {.name = "a/two",
                               .data = packed.data,
                               .size = packed.size,
                               .deflated = 1,
                               .unpacked = sizeof text,
                               .crc = zip_crc(text, sizeof text)}};
    zip_file(out, parts, (size_t)index + 1);
    bytes_free(&packed);
}
