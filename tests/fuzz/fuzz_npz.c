/* fuzz_npz.c — any bytes as an array of a NumPy archive; fuzz_zip is for the archive around it. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const zip_part parts[] = {{.name = "mu.npy", .data = data, .size = size},
                              {.name = "sigma.npy", .data = data, .size = size}};
    bytes file = {0};
    zip_file(&file, parts, 2);
    fuzz_checkpoint(file.data, file.size);
    bytes_free(&file);
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    if (index > 0)
        return;
    BYTES_PUT(out, "\x93NUMPY\1\0");
    bytes_number(out, sizeof header - 1, 2);
    bytes_text(out, header);
    bytes_number(out, 0, 24);
}
