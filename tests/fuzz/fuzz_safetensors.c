/* fuzz_safetensors.c — any bytes as a .safetensors file. What loads must be there under its names. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lw_store *store = lwi_safetensors_parse(data, size, "input");
    for (size_t i = 0; store && i < lw_store_count(store); i++) {
        if (!lw_store_get(store, lw_store_name(store, i)))
            abort();
    }
    lw_store_destroy(store);
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    static const char *const headers[] = {
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,"
        "16]},"
        "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[16,24]}}",
        "{\"x\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"y\":{\"dtype\":\"BOOL\",\"shape\":[0],\"data_offsets\":[8,8]},"
        "\"z\":{\"dtype\":\"BF16\",\"shape\":[1,2,4],\"data_offsets\":[8,24]}}",
    };
    if (index >= (int)(sizeof headers / sizeof headers[0]))
        return;
    bytes_number(out, strlen(headers[index]), 8);
    bytes_text(out, headers[index]);
    for (int i = 0; i < 3; i++)
        bytes_number(out, 0, 8);
}
