/* fuzz_torch_zip.c — any bytes as the data.pkl of a PyTorch archive with two storages. The archive around it
 * is well-formed, so that its checksums do not keep the bytes from being read; fuzz_zip is for the
 * archive. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    const zip_part parts[] = {{.name = "a/data.pkl", .data = data, .size = size},
                              {.name = "a/data/0", .data = values, .size = sizeof values},
                              {.name = "a/data/1", .data = values, .size = 8}};
    bytes file = {0};
    zip_file(&file, parts, 3);
    fuzz_checkpoint(file.data, file.size);
    bytes_free(&file);
    return 0;
}

/* {"g_ema": {…}, "latent_avg": tensor, "args": Namespace} with storage 1 as untyped bytes. */
static void several(bytes *out)
{
    BYTES_PUT(
        out,
        "\x80\2}(X\5\0\0\0g_emaccollections\nOrderedDict\n)R(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v3\n"
        "((X\7\0\0\0storagectorch.storage\nUntypedStorage\nX\1\0\0\0"
        "1X\3\0\0\0cpuK\10tQK\0K\2K\2\x86K\2K\1\x86\x89"
        "ccollections\nOrderedDict\n)Rctorch\nfloat16\ntRu"
        "X\12\0\0\0latent_avgctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
        "X\1\0\0\0"
        "0X\6\0\0\0cuda:0K\6tQK\1K\5\x85K\1\x85\x89"
        "ccollections\nOrderedDict\n)RtR"
        "X\4\0\0\0argscargparse\nNamespace\n)\x81}X\4\0\0\0sizeK\x20sbu.");
}

void fuzz_seed(int index, bytes *out)
{
    static const int64_t size[] = {2, 3}, stride[] = {3, 1};
    if (index == 0)
        pickle_state_dict(out, "module.w", 6, 0, 2, size, stride);
    else if (index == 1)
        several(out);
}
