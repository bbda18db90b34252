/* fuzz_tensorflow.c — any bytes as a TensorFlow-era .pkl of PGGAN or StyleGAN, converted to the layouts of
 * the PyTorch ports. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_checkpoint(data, size);
    return 0;
}

/* ("NAME", array of two bytes, [2], [1, 2] or [1, 1, 1, 2]) */
static void variable(bytes *out, const char *name, int rank)
{
    pickle_text(out, name);
    BYTES_PUT(out, "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85"
                   "C\1btR(K\1(");
    for (int i = 1; i < rank; i++)
        BYTES_PUT(out, "K\1");
    BYTES_PUT(out, "K\2tcnumpy\ndtype\n(X\2\0\0\0u1K\0K\1tR\x89"
                   "C\2xytb\x86");
}

static void start(bytes *out)
{
    BYTES_PUT(out,
              "cdnnlib.tflib.network\nNetwork\n)\x81}(X\x0d\0\0\0static_kwargs}X\x0a\0\0\0resolutionK\x08s"
              "X\x09\0\0\0variables](");
}

typedef struct named {
    const char *name;
    int rank;
} named;

/* A network with components, as StyleGAN and StyleGAN2 are. */
static void components(bytes *out, const named *synthesis)
{
    BYTES_PUT(out, "\x80\3");
    start(out);
    variable(out, "dlatent_avg", 1);
    BYTES_PUT(out, "eX\x0a\0\0\0components}(X\7\0\0\0mapping");
    start(out);
    variable(out, "Dense0/weight", 2);
    BYTES_PUT(out, "eubX\x09\0\0\0synthesis");
    start(out);
    for (; synthesis->name; synthesis++)
        variable(out, synthesis->name, synthesis->rank);
    BYTES_PUT(out, "eubuub.");
}

void fuzz_seed(int index, bytes *out)
{
    static const named stylegan[] = {{"4x4/Const/const", 4},
                                     {"4x4/Const/StyleMod/weight", 2},
                                     {"8x8/Conv0_up/bias", 1},
                                     {"8x8/Conv1/Noise/weight", 1},
                                     {"noise3", 4},
                                     {"ToRGB_lod0/bias", 1},
                                     {"ToRGB_lod1/bias", 1},
                                     {NULL, 0}},
                       stylegan2[] = {{"4x4/Const/const", 4},
                                      {"4x4/Conv/mod_weight", 2},
                                      {"4x4/Conv/mod_bias", 1},
                                      {"8x8/Conv0_up/weight", 4},
                                      {"8x8/ToRGB/mod_bias", 1},
                                      {"8x8/Skip/weight", 4},
                                      {"noise0", 4},
                                      {NULL, 0}};
    if (index == 0) {
        components(out, stylegan);
    } else if (index == 1) {
        components(out, stylegan2);
    } else if (index == 2) {
        BYTES_PUT(out, "\x80\3");
        start(out);
        variable(out, "4x4/Conv/weight", 4);
        variable(out, "ToRGB_lod0/weight", 4);
        BYTES_PUT(out, "eub.");
    }
}
