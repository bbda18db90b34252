/* fuzz_torch_legacy.c — any bytes as a file of torch.save without zip: several pickles, then the storages. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_checkpoint(data, size);
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    static const int64_t size[] = {2, 3}, row_major[] = {3, 1}, column_major[] = {1, 2};
    bytes object = {0};
    if (index > 1)
        return;
    pickle_state_dict(&object, "module.w", 6, 0, 2, size, index ? column_major : row_major);
    legacy_file(out, &object, values, 6);
    bytes_free(&object);
}
