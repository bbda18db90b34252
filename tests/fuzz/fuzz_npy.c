/* fuzz_npy.c — any bytes as a .npy file. */
#include "fuzz.h"

#include <string.h>

#include "tensor/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lw_tensor_destroy(lwi_npy_parse(data, size, "input"));
    return 0;
}

size_t fuzz_seed(int index, uint8_t *out, size_t room)
{
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (1, 3, 1), }\n",
        "{'shape': (24,), 'fortran_order': False, 'descr': '|u1'}",
    };
    if (index >= (int)(sizeof headers / sizeof headers[0]))
        return 0;
    static const uint8_t preamble[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t length = strlen(headers[index]), size = 10 + length + 24;
    if (size > room)
        return 0;
    memset(out, 0, size);
    memcpy(out, preamble, sizeof preamble);
    out[8] = (uint8_t)length;
    memcpy(out + 10, headers[index], length);
    return size;
}
