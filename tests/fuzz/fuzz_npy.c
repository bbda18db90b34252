/* fuzz_npy.c — any bytes as a .npy file. */
#include "fuzz.h"

#include <string.h>

#include "tensor/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lw_tensor_destroy(lwi_npy_parse(data, size, "input"));
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (1, 3, 1), }\n",
        "{'shape': (24,), 'fortran_order': False, 'descr': '|u1'}",
    };
    if (index >= (int)(sizeof headers / sizeof headers[0]))
        return;
    BYTES_PUT(out, "\x93NUMPY\1\0");
    bytes_number(out, strlen(headers[index]), 2);
    bytes_text(out, headers[index]);
    for (int i = 0; i < 3; i++)
        bytes_number(out, 0, 8);
}
