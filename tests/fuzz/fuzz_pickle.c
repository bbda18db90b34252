/* fuzz_pickle.c — any bytes as a bare pickle: what is read must survive the check and every question. */
#include "fuzz.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lwi_pickle pickle;
    size_t at = 0;
    lwi_pickle_init(&pickle, "input");
    lwi_pvalue *value = lwi_pickle_read(&pickle, data, size, &at, 0);
    if (value && lwi_pickle_check(&pickle, value) == LW_OK) {
        char text[64];
        lwi_pvalue_text(value, text, sizeof text);
        lwi_pvalue_get(value, "state");
        lwi_pvalue_dict(value);
    }
    lwi_pickle_free(&pickle);
    return 0;
}

#define SEED(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

void fuzz_seed(int index, bytes *out)
{
    static const struct {
        const char *data;
        size_t size;
    } seeds[] = {
        SEED("\x80\2}q\0(X\3\0\0\0dimK\x40X\1\0\0\0x]q\1(K\1M\2\3J\4\5\6\7\x8a\2\1\2G?"
             "\xf0\0\0\0\0\0\0\x88\x89Neh\1\x85u."),
        SEED("\x80\4\x95\x0a\0\0\0\0\0\0\0\x8c\1m\x8c\1C\x93)\x81\x94}\x94\x8c\1aC\2xysb."),
        SEED("(dp0\nS'a\\n\\x41'\np1\nI01\nsVb\\u0041\nL12L\nsg1\n(lp2\nF0.5\nasF1\nNs."),
        SEED("\x80\2cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
             "C\1b\x87R(K\1K\2\x85"
             "cnumpy\ndtype\nX\2\0\0\0f4K\0K\1\x87R(K\3X\1\0\0\0<"
             "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
             "C\x08\0\0\0\0\0\0\0\0tb."),
        SEED("\x80\2ccopyreg\n_reconstructor\n(cm\nC\ncbuiltins\nobject\nNtR}b."),
        SEED("\x80\2ctorch_utils.persistence\n_reconstruct_persistent_obj\n}(X\4\0\0\0typeX\5\0\0\0class"
             "X\x0a\0\0\0class_nameX\1\0\0\0GX\5\0\0\0state}u\x85R."),
    };
    if (index < (int)(sizeof seeds / sizeof seeds[0]))
        bytes_put(out, seeds[index].data, seeds[index].size);
}
