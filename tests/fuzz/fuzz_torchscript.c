/* fuzz_torchscript.c — any bytes as the data.pkl of a TorchScript archive. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    const zip_part parts[] = {{.name = "archive/data.pkl", .data = data, .size = size},
                              {.name = "archive/constants.pkl", .data = "\x80\2).", .size = 4},
                              {.name = "archive/data/0", .data = values, .size = sizeof values}};
    bytes file = {0};
    zip_file(&file, parts, 3);
    fuzz_checkpoint(file.data, file.size);
    bytes_free(&file);
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    if (index > 0)
        return;
    BYTES_PUT(
        out,
        "\x80\2c__torch__.model\nCLIP\n)\x81}(X\x08\0\0\0training\x89X\6\0\0\0visualc__torch__\nVit\n)\x81}"
        "X\5\0\0\0conv1ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nHalfStorage\n"
        "X\1\0\0\0"
        "0X\3\0\0\0cpuK\14tQK\0K\3K\4\x86K\4K\1\x86\x89"
        "ccollections\nOrderedDict\n)RtRsb"
        "X\4\0\0\0sizectorch.jit._pickle\nbuild_intlist\n](K\1K\2e\x85Rub.");
}
