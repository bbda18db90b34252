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

size_t fuzz_seed(int index, uint8_t *out, size_t room)
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
        return 0;
    size_t length = strlen(headers[index]), size = 8 + length + 24;
    if (size > room)
        return 0;
    memset(out, 0, size);
    out[0] = (uint8_t)length;
    out[1] = (uint8_t)(length >> 8);
    memcpy(out + 8, headers[index], length);
    return size;
}
