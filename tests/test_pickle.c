/* test_pickle.c — pickles that a checkpoint must not be: nothing is run, nothing huge is made, every refusal
 * says what and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"

/* A copy of exactly the size, so that a sanitizer sees a read past the end. */
static lwi_checkpoint *parse(const void *data, size_t size, uint8_t **copy)
{
    *copy = malloc(size ? size : 1);
    memcpy(*copy, data, size);
    return lwi_checkpoint_parse(*copy, size, "test");
}

static void refused(const void *data, size_t size, const char *message)
{
    uint8_t *copy;
    lwi_checkpoint *file = parse(data, size, &copy);
    if (file)
        fail_msg("this was opened, instead of '%s'", message);
    if (!strstr(lw_error_text(), message))
        fail_msg("the error is '%s', without '%s'", lw_error_text(), message);
    free(copy);
}

#define REFUSED(literal, message) refused(literal, sizeof(literal) - 1, message)

static void calls_of_the_system_are_refused_by_name_and_place(void **state)
{
    (void)state;
    REFUSED("\x80\x02"
            "cposix\nsystem\nq\0X\2\0\0\0idq\1\x85q\2Rq\3.",
            "GLOBAL at byte 2 names posix.system");
    REFUSED("\x80\x02"
            "cos\nsystem\nX\2\0\0\0id\x85R.",
            "GLOBAL at byte 2 names os.system");
    REFUSED("\x80\x04\x8c\5posix\x8c\6system\x93\x8c\2id\x85R.",
            "STACK_GLOBAL at byte 17 names posix.system");
    REFUSED("(X\2\0\0\0idios\nsystem\n.", "INST at byte 8 names os.system");
    REFUSED("\x80\2(cnt\nsystem\nX\2\0\0\0ido.", "GLOBAL at byte 3 names nt.system");
    REFUSED("\x80\2csubprocess\nPopen\nX\2\0\0\0id\x85\x81.", "names subprocess.Popen");
    REFUSED("\x80\2c__builtin__\neval\nX\1\0\0\0"
            "1\x85R.",
            "names __builtin__.eval");
    REFUSED("\x80\2cbuiltins\ngetattr\nX\1\0\0\0"
            "1\x85R.",
            "names builtins.getattr");
    REFUSED("\x80\2cimportlib.util\nfind_spec\n)R.", "names importlib.util.find_spec");
    REFUSED("cos\nsystem\n(S'id'\ntR.", "GLOBAL at byte 0 names os.system");
}

static void functions_that_are_not_known_are_never_called(void **state)
{
    (void)state;
    REFUSED("\x80\2ctorch.hub\nload\nX\2\0\0\0id\x85R.", "REDUCE at byte 26 calls torch.hub.load");
    REFUSED("\x80\2cmodels\nmake\n)R.", "REDUCE at byte 16 calls models.make");
    REFUSED("\x80\2K\1)R.", "calls something that is not a global");
    REFUSED("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)\x81.", "which is not a class of records");
    REFUSED("\x80\2ccopyreg\n_reconstructor\n(cmodels\nNet\ncmodels\nBase\nNtR.",
            "another base than object or dict");
}

static void classes_that_are_not_known_become_records(void **state)
{
    (void)state;
    static const uint8_t data[] = "\x80\2cmodels.wgan\nGoodGenerator\n)\x81}X\3\0\0\0dimK\x40sb.";
    lwi_pickle pickle;
    size_t at = 0;
    lwi_pickle_init(&pickle, "test");
    lwi_pvalue *value = lwi_pickle_read(&pickle, data, sizeof data - 1, &at, 0);
    assert_non_null(value);
    assert_int_equal(at, sizeof data - 1);
    assert_int_equal(value->kind, LWI_P_OBJECT);
    assert_string_equal(value->object.name, "models.wgan.GoodGenerator");
    assert_int_equal(lwi_pvalue_get(value, "dim")->integer, 64);
    lwi_pickle_free(&pickle);
}

static void persistent_classes_run_no_source(void **state)
{
    (void)state;
    static const uint8_t data[] = "\x80\2ctorch_utils.persistence\n_reconstruct_persistent_obj\n}("
                                  "X\4\0\0\0typeX\5\0\0\0class"
                                  "X\x0a\0\0\0module_srcX\x10\0\0\0raise SystemExit"
                                  "X\x0a\0\0\0class_nameX\1\0\0\0GX\5\0\0\0state}X\5\0\0\0z_dimK\7su\x85R.";
    lwi_pickle pickle;
    size_t at = 0;
    lwi_pickle_init(&pickle, "test");
    lwi_pvalue *value = lwi_pickle_read(&pickle, data, sizeof data - 1, &at, 0);
    assert_non_null(value);
    assert_int_equal(lwi_pvalue_get(value, "z_dim")->integer, 7);
    lwi_pickle_free(&pickle);
    REFUSED("\x80\2ctorch_utils.persistence\n_reconstruct_persistent_obj\n}\x85R.",
            "takes a dictionary with type 'class'");
}

static void what_is_no_pickle_opcode_is_refused(void **state)
{
    (void)state;
    REFUSED("\x80\2\xff.", "opcode 0xff at byte 2 is not an opcode");
    REFUSED("\x80\2\x82\1.", "EXT1 at byte 2 names a global by a number");
    REFUSED("\x80\5\x97.", "NEXT_BUFFER at byte 2 takes data from outside");
    REFUSED("\x80\2P0\n.", "PERSID at byte 2");
    REFUSED("\x80\x09.", "names the protocol 9");
    REFUSED("\x80\2K\1Q.", "BINPERSID at byte 4 takes ('storage'");
}

static void values_that_contain_themselves_are_refused(void **state)
{
    (void)state;
    REFUSED("\x80\2]q\0h\0a.", "contains itself");
    REFUSED("\x80\2}q\0X\1\0\0\0ah\0s.", "contains itself");
    REFUSED("\x80\2cm\nC\n)\x81q\0}X\1\0\0\0sh\0sb.", "contains itself");
}

/* ten lists of ten of the one before: 10^n values from 25 bytes each */
static void memo_bombs_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    BYTES_PUT(&b, "\x80\2]q\0");
    for (uint8_t level = 1; level < 40; level++) {
        BYTES_PUT(&b, "0](");
        for (int i = 0; i < 10; i++) {
            bytes_text(&b, "h");
            bytes_number(&b, level - 1u, 1);
        }
        bytes_text(&b, "eq");
        bytes_number(&b, level, 1);
    }
    bytes_text(&b, ".");
    refused(b.data, b.size, "a memo bomb");
    bytes_free(&b);
}

/* One long text, many times in a dictionary that would become JSON. */
static void long_texts_count_for_memo_bombs(void **state)
{
    (void)state;
    bytes b = {0};
    size_t length = 1 << 20;
    char *text = calloc(1, length + 1);
    memset(text, 'a', length);
    BYTES_PUT(&b, "\x80\2]X");
    bytes_number(&b, length, 4);
    bytes_put(&b, text, length);
    BYTES_PUT(&b, "q\0"
                  "0(");
    for (int i = 0; i < 4096; i++)
        BYTES_PUT(&b, "h\0");
    bytes_text(&b, "e.");
    refused(b.data, b.size, "a memo bomb");
    bytes_free(&b);
    free(text);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    bytes b = {0};
    BYTES_PUT(&b, "\x80\2N");
    for (int i = 0; i < 100000; i++)
        BYTES_PUT(&b, "\x85");
    bytes_text(&b, ".");
    refused(b.data, b.size, "more than 100 deep");
    bytes_free(&b);
}

static void a_length_beyond_the_file_is_refused_before_memory_is_reserved(void **state)
{
    (void)state;
    REFUSED("\x80\2X\xff\xff\xff\xff"
            "a.",
            "BINUNICODE at byte 2 asks for 4294967295 bytes, but only 2 are left");
    REFUSED("\x80\2T\xff\xff\xff\x7f.", "BINSTRING at byte 2 asks for");
    REFUSED("\x80\2U\xff.", "SHORT_BINSTRING at byte 2 asks for");
    REFUSED("\x80\2B\xff\xff\xff\xff.", "BINBYTES at byte 2 asks for");
    REFUSED("\x80\2C\xff.", "SHORT_BINBYTES at byte 2 asks for");
    REFUSED("\x80\4\x8c\xff.", "SHORT_BINUNICODE at byte 2 asks for");
    REFUSED("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "BINUNICODE8 at byte 2 asks for");
    REFUSED("\x80\4\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "BINBYTES8 at byte 2 asks for");
    REFUSED("\x80\5\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "BYTEARRAY8 at byte 2 asks for");
    REFUSED("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "FRAME at byte 2 announces");
    REFUSED("\x80\2\x8a\xff.", "LONG1 at byte 2 asks for");
    REFUSED("\x80\2\x8b\xff\xff\xff\x7f.", "LONG4 at byte 2 asks for");
    REFUSED("\x80\2Nr\xff\xff\xff\xff.", "LONG_BINPUT at byte 3 names a place in the memo that no writer");
    REFUSED("\x80\2Np99999999999\n.", "PUT at byte 3 names a place in the memo that no writer");
    REFUSED("\x80\2j\xff\xff\xff\xff.",
            "LONG_BINGET at byte 2 asks for a place in the memo that was never filled");
}

static void a_stack_that_does_not_add_up_is_refused(void **state)
{
    (void)state;
    REFUSED("\x80\2.", "finds 0 values on the stack");
    REFUSED("\x80\2NN.", "finds 2 values on the stack");
    REFUSED("\x80\2"
            "0.",
            "POP at byte 2 finds nothing");
    REFUSED("\x80\2t.", "TUPLE at byte 2 finds no mark");
    REFUSED("\x80\2(a.", "APPEND at byte 3 finds too little");
    REFUSED("\x80\2](R.", "REDUCE at byte 4 finds nothing");
    REFUSED("\x80\2}(Nu.", "SETITEMS at byte 5 has a key without a value");
    REFUSED("\x80\2NNa.", "APPEND at byte 4 adds to something that is not a list");
    REFUSED("\x80\2(e.", "APPENDS at byte 3 finds nothing on the stack");
}

static void a_key_that_comes_twice_is_refused(void **state)
{
    (void)state;
    REFUSED("\x80\2}(X\1\0\0\0aNX\1\0\0\0aNu.", "has the key 'a' twice");
}

/* --- tensors ------------------------------------------------------------------------------------ */

static const float values[6] = {1, 2, 3, 4, 5, 6};

/* A legacy file with one tensor. */
static void make_file(bytes *b, int64_t held, int64_t offset, int rank, const int64_t *size,
                      const int64_t *stride)
{
    bytes object = {0};
    pickle_state_dict(&object, "weight", held, offset, rank, size, stride);
    legacy_file(b, &object, values, 6);
    bytes_free(&object);
}

static void expect_tensor(int64_t offset, int rank, const int64_t *size, const int64_t *stride,
                          const float *wanted)
{
    bytes b = {0};
    make_file(&b, 6, offset, rank, size, stride);
    lwi_checkpoint *file = lwi_checkpoint_parse(b.data, b.size, "test");
    lw_store *store = file ? lwi_checkpoint_store(file, NULL) : NULL;
    if (!store)
        fail_msg("%s", lw_error_text());
    const lw_tensor *tensor = lw_store_get(store, "weight");
    assert_int_equal(tensor->shape.rank, rank);
    for (int64_t i = 0; i < lw_shape_count(tensor->shape); i++)
        assert_float_equal(tensor->data[i], wanted[i], 0);
    lw_store_destroy(store);
    lwi_checkpoint_close(file);
    bytes_free(&b);
}

static void strides_are_honoured(void **state)
{
    (void)state;
    expect_tensor(0, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1}, values);
    expect_tensor(0, 2, (int64_t[]){3, 2}, (int64_t[]){1, 3}, (float[]){1, 4, 2, 5, 3, 6});
    expect_tensor(1, 1, (int64_t[]){2}, (int64_t[]){3}, (float[]){2, 5});
    expect_tensor(5, 0, NULL, NULL, (float[]){6});
    expect_tensor(0, 1, (int64_t[]){0}, (int64_t[]){1}, NULL);
    expect_tensor(0, 3, (int64_t[]){1, 2, 3}, (int64_t[]){99, 3, 1},
                  values); /* a stride that is never taken */
}

static void refuse_tensor(int64_t held, int64_t offset, int rank, const int64_t *size, const int64_t *stride,
                          const char *message)
{
    bytes b = {0};
    make_file(&b, held, offset, rank, size, stride);
    refused(b.data, b.size, message);
    bytes_free(&b);
}

static void tensors_outside_their_storage_are_refused(void **state)
{
    (void)state;
    const char *outside = "does not lie in its storage of 6 elements";
    refuse_tensor(6, 0, 1, (int64_t[]){7}, (int64_t[]){1}, outside);
    refuse_tensor(6, 1, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1}, outside);
    refuse_tensor(6, -1, 1, (int64_t[]){2}, (int64_t[]){1}, outside);
    refuse_tensor(6, 0, 1, (int64_t[]){2}, (int64_t[]){INT64_MAX}, outside);
    refuse_tensor(6, 0, 2, (int64_t[]){INT64_MAX, INT64_MAX}, (int64_t[]){0, 0}, outside);
    refuse_tensor(6, 0, 1, (int64_t[]){1 << 30}, (int64_t[]){0}, outside);
    refuse_tensor(6, INT64_MAX, 1, (int64_t[]){1}, (int64_t[]){1}, outside);
    refuse_tensor(6, 0, 1, (int64_t[]){-2}, (int64_t[]){1}, "none of them negative");
    refuse_tensor(6, 5, 1, (int64_t[]){2}, (int64_t[]){-1}, "none of them negative");
    refuse_tensor(6, 0, 7, (int64_t[]){1, 1, 1, 1, 1, 1, 1}, (int64_t[]){1, 1, 1, 1, 1, 1, 1},
                  "at most 6 sizes");
    refuse_tensor(-1, 0, 0, NULL, NULL, "takes ('storage'");
    refuse_tensor(INT64_MAX, 0, 1, (int64_t[]){6}, (int64_t[]){1},
                  "is not of the size or type that its tensors say");
    refuse_tensor(7, 0, 1, (int64_t[]){6}, (int64_t[]){1}, "is not of the size or type that its tensors say");
}

static void a_legacy_file_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    bytes b = {0};
    uint8_t *copy;
    make_file(&b, 6, 0, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1});
    for (size_t size = 0; size < b.size; size++) {
        lw_error_clear();
        if (parse(b.data, size, &copy))
            fail_msg("opened with %zu of %zu bytes", size, b.size);
        assert_non_null(lw_error_message(0));
        free(copy);
    }
    lwi_checkpoint *file = parse(b.data, b.size, &copy);
    assert_non_null(file);
    lwi_checkpoint_close(file);
    free(copy);
    bytes_text(&b, "x");
    refused(b.data, b.size, "goes on after its last storage");
    bytes_free(&b);
}

static void big_endian_machines_and_other_versions_are_refused(void **state)
{
    (void)state;
#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    REFUSED(MAGIC "\x80\2M\xea\3.\x80\2}.", "another version than 1001");
    REFUSED(MAGIC "\x80\2M\xe9\3.\x80\2}X\x0d\0\0\0little_endian\x89s.", "big-endian machine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_the_system_are_refused_by_name_and_place),
        cmocka_unit_test(functions_that_are_not_known_are_never_called),
        cmocka_unit_test(classes_that_are_not_known_become_records),
        cmocka_unit_test(persistent_classes_run_no_source),
        cmocka_unit_test(what_is_no_pickle_opcode_is_refused),
        cmocka_unit_test(values_that_contain_themselves_are_refused),
        cmocka_unit_test(memo_bombs_are_refused),
        cmocka_unit_test(long_texts_count_for_memo_bombs),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_length_beyond_the_file_is_refused_before_memory_is_reserved),
        cmocka_unit_test(a_stack_that_does_not_add_up_is_refused),
        cmocka_unit_test(a_key_that_comes_twice_is_refused),
        cmocka_unit_test(strides_are_honoured),
        cmocka_unit_test(tensors_outside_their_storage_are_refused),
        cmocka_unit_test(a_legacy_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(big_endian_machines_and_other_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
