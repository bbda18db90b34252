/* fuzz_nvidia.c — any bytes as a .pkl of stylegan2-ada-pytorch: persistent classes as records, each storage a
 * legacy file within the pickle. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_checkpoint(data, size);
    return 0;
}

/* torch.storage._load_from_bytes of a nested legacy file */
static void storage(bytes *out)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    bytes object = {0}, file = {0};
    BYTES_PUT(&object, "\x80\2(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                       "0X\3\0\0\0cpuK\6NtQ.");
    legacy_file(&file, &object, values, 6);
    BYTES_PUT(out, "ctorch.storage\n_load_from_bytes\nB");
    bytes_number(out, file.size, 4);
    bytes_put(out, file.data, file.size);
    BYTES_PUT(out, "\x85R");
    bytes_free(&object);
    bytes_free(&file);
}

static void tensor(bytes *out)
{
    BYTES_PUT(out, "ctorch._utils\n_rebuild_tensor_v2\n(");
    storage(out);
    BYTES_PUT(out, "K\0K\2K\3\x86K\3K\1\x86\x89}tR");
}

void fuzz_seed(int index, bytes *out)
{
    if (index == 0) {
        BYTES_PUT(out, "\x80\3}X\5\0\0\0G_ema}X\1\0\0\0w");
        tensor(out);
        BYTES_PUT(out, "ss.");
    } else if (index == 1) {
        BYTES_PUT(
            out, "\x80\4}(\x8c\5G_ema\x8c\x17torch_utils.persistence\x8c\x1b_reconstruct_persistent_obj\x93}("
                 "\x8c\4type\x8c\5class\x8c\7versionK\6\x8c\x0amodule_src\x8c\1#\x8c\x0a"
                 "class_name\x8c\x09Generator\x8c\5state}(\x8c\x0c_init_kwargs}\x8c\5z_dimK\3s"
                 "\x8c\x0b_parameters}\x8c\6weight");
        tensor(out);
        BYTES_PUT(out, "s\x8c\x08_buffers}\x8c\x08_modules}uu\x85R\x8c\x0c"
                       "augment_pipeNu.");
    }
}
