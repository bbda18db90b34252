/* fuzz_checkpoint.c — any bytes as a checkpoint of any container. What opens must give its tensors or an
 * error. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lwi_checkpoint *file = lwi_checkpoint_parse(data, size, "input");
    lw_store *store = file ? lwi_checkpoint_store(file, NULL) : NULL;
    for (size_t i = 0; store && i < lw_store_count(store); i++)
        if (!lw_store_get(store, lw_store_name(store, i)))
            abort();
    lw_store_destroy(store);
    lwi_checkpoint_close(file);
    return 0;
}

static void make_legacy(bytes *b, const bytes *object, const float *values)
{
    legacy_file(b, object, values, 6);
}

static void make_zip(bytes *b, const bytes *object, const float *values)
{
    zip_part parts[] = {{.name = "a/data.pkl", .data = object->data, .size = object->size},
                        {.name = "a/data/0", .data = values, .size = 6 * sizeof *values}};
    zip_file(b, parts, 2);
}

/* stylegan2-ada's way: the storage as a legacy file within. */
static void make_nvidia(bytes *b, const float *values)
{
    bytes storage = {0}, file = {0};
    BYTES_PUT(&storage, "\x80\2(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                        "0X\3\0\0\0cpuK\6NtQ.");
    legacy_file(&file, &storage, values, 6);
    BYTES_PUT(b, "\x80\3}X\5\0\0\0G_ema}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_"
                 "from_bytes\nB");
    bytes_number(b, file.size, 4);
    bytes_put(b, file.data, file.size);
    BYTES_PUT(b, "\x85RK\0K\2K\3\x86K\3K\1\x86\x89}tRss.");
    bytes_free(&storage);
    bytes_free(&file);
}

static const char tensorflow[] =
    "\x80\3cdnnlib.tflib.network\nNetwork\n)\x81}(X\x0d\0\0\0static_kwargs}X\x09\0\0\0variables](X\x10\0\0\0"
    "4x4/Dense/weightcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85"
    "C\1btR(K\1K\1K\x10\x86"
    "cnumpy\ndtype\n(X\2\0\0\0u1K\0K\1tR\x89"
    "C\x10"
    "0123456789abcdeftb\x86X\x11\0\0\0ToRGB_lod0/weight"
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85"
    "C\1btR(K\1(K\1K\1K\1K\2t"
    "cnumpy\ndtype\n(X\2\0\0\0u1K\0K\1tR\x89"
    "C\2xytb\x86"
    "eub.";

size_t fuzz_seed(int index, uint8_t *out, size_t room)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    bytes b = {0}, object = {0};
    pickle_state_dict(&object, "module.w", 6, 0, 2, (int64_t[]){2, 3}, (int64_t[]){1, 2});
    switch (index) {
    case 0: make_legacy(&b, &object, values); break;
    case 1: make_zip(&b, &object, values); break;
    case 2: make_nvidia(&b, values); break;
    case 3: bytes_put(&b, tensorflow, sizeof tensorflow - 1); break;
    default: break;
    }
    size_t size = b.size <= room ? b.size : 0;
    if (size)
        memcpy(out, b.data, size);
    bytes_free(&b);
    bytes_free(&object);
    return size;
}
