/* NumPy's .npy files in and out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "latentwalk/image.h"
#include "tensor/npy.h"

/* Parses a copy of exactly the given size, so that the sanitizer sees a read past its end. */
static lw_tensor *parse_exactly(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    lw_tensor *tensor = lwi_npy_parse(copy, size, "test");
    free(copy);
    return tensor;
}

/* A file of the given version with this header and these elements. */
static lw_tensor *parse(int version, const char *header, const void *data, size_t data_size)
{
    uint8_t bytes[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version};
    size_t length = strlen(header), start = version == 1 ? 10 : 12;
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + start, header, length);
    if (data)
        memcpy(bytes + start + length, data, data_size);
    return parse_exactly(bytes, start + length + data_size);
}

#define HEADER(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static void a_saved_tensor_comes_back_the_same(void **state)
{
    (void)state;
    static const lw_shape shapes[] = {{0}, {1, {3}}, {2, {3, 4}}, {6, {1, 2, 3, 1, 2, 1}}, {2, {0, 5}}};
    char path[] = "/tmp/latentwalk-npy-XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        lw_tensor *tensor = lw_tensor_create(shapes[s]);
        int64_t count = lw_shape_count(shapes[s]);
        for (int64_t i = 0; i < count; i++)
            tensor->data[i] = (float)i * 0.1f;
        assert_int_equal(lw_npy_save(tensor, path), LW_OK);
        lw_tensor *loaded = lw_npy_load(path);
        assert_non_null(loaded);
        assert_true(lw_shape_equal(loaded->shape, shapes[s]));
        assert_memory_equal(loaded->data, tensor->data, (size_t)count * sizeof(float));
        lw_tensor_destroy(loaded);
        lw_tensor_destroy(tensor);
    }
    unlink(path);
}

static void the_header_is_written_as_numpy_writes_it(void **state)
{
    (void)state;
    /* np.save of an array of shape (3,), float32: 128 bytes before the elements. */
    static const char expected[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    char path[] = "/tmp/latentwalk-npy-XXXXXX";
    uint8_t *bytes;
    size_t size;
    assert_true(close(mkstemp(path)) == 0);
    lw_tensor *tensor = lw_tensor_create(LW_SHAPE(3));
    assert_int_equal(lw_npy_save(tensor, path), LW_OK);
    assert_int_equal(lw_file_read(path, 0, &bytes, &size), LW_OK);
    assert_int_equal(size, 128 + 12);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    assert_int_equal(bytes[127], '\n');
    lw_free(bytes);
    lw_tensor_destroy(tensor);
    unlink(path);
}

static void every_element_type_becomes_float(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        uint8_t bytes[8];
        size_t size;
        float value;
    } rows[] = {
        {"'<f8'", {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 8, 1.5f},
        {"'<f4'", {0, 0, 0xc0, 0x3f}, 4, 1.5f},
        {"'<f2'", {0x00, 0x3e}, 2, 1.5f},
        {"'<i8'", {0xfe, 255, 255, 255, 255, 255, 255, 255}, 8, -2},
        {"'<i4'", {0xfe, 255, 255, 255}, 4, -2},
        {"'<i2'", {0xfe, 255}, 2, -2},
        {"'|i1'", {0xfe}, 1, -2},
        {"'|u1'", {0xfe}, 1, 254},
        {"'<u2'", {0xfe, 255}, 2, 65534},
        {"'|b1'", {1}, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{'descr': %s, 'fortran_order': False, 'shape': (1,), }\n",
                 rows[i].descr);
        for (int version = 1; version <= 3; version++) {
            lw_tensor *tensor = parse(version, header, rows[i].bytes, rows[i].size);
            assert_non_null(tensor);
            assert_float_equal(tensor->data[0], rows[i].value, 0);
            lw_tensor_destroy(tensor);
        }
    }
}

static void fortran_order_is_turned_into_rows(void **state)
{
    (void)state;
    /* element (i, j, k) of the [2, 3, 2] array is 100 i + 10 j + k */
    uint8_t columns[12];
    for (int k = 0, n = 0; k < 2; k++)
        for (int j = 0; j < 3; j++)
            for (int i = 0; i < 2; i++)
                columns[n++] = (uint8_t)(100 * i + 10 * j + k);
    lw_tensor *tensor = parse(1, HEADER("'|u1'", "True", "(2, 3, 2)"), columns, 12);
    assert_non_null(tensor);
    for (int n = 0; n < 12; n++)
        assert_float_equal(tensor->data[n], 100 * (n / 6) + 10 * (n / 2 % 3) + n % 2, 0);
    lw_tensor_destroy(tensor);
}

static void every_malformed_header_has_its_own_message(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *message;
    } rows[] = {
        {"", "does not start with '{'"},
        {"{'descr' '<f4'}", "lacks a colon"},
        {"{'descr': '<f4' 'shape': ()}", "lacks a comma between its entries"},
        {"{'descr': '<f4', 'shape': (), }", "lacks one of the keys"},
        {"{'descr': '<f4', 'descr': '<f4', }", "has a key twice"},
        {"{'other': 1}", "has a key other than"},
        {"{descr: 1}", "lacks a quoted text"},
        {"{'descr: 1}", "does not end or is too long"},
        {"{'descr': '<f4", "does not end or is too long"},
        {HEADER("'>f4'", "False", "(1,)"), "big endian"},
        {HEADER("'<f3'", "False", "(1,)"), "elements of type '<f3'"},
        {HEADER("'|f4'", "False", "(1,)"), "elements of type '|f4'"},
        {HEADER("'|O'", "False", "(1,)"), "elements of type '|O'"},
        {HEADER("''", "False", "(1,)"), "elements of type ''"},
        {HEADER("[('a', '<f4')]", "False", "(1,)"), "records with named fields"},
        {HEADER("'<f4'", "0", "(1,)"), "neither True nor False"},
        {HEADER("'<f4'", "False", "1"), "has a shape that is not a tuple"},
        {HEADER("'<f4'", "False", "(1)"), "has a shape that is not a tuple"},
        {HEADER("'<f4'", "False", "(1 1)"), "lacks a comma in its shape"},
        {HEADER("'<f4'", "False", "(-1,)"), "something else than whole numbers"},
        {HEADER("'<f4'", "False", "(99999999999999999999,)"), "a dimension too large"},
        {HEADER("'<f4'", "False", "(4294967296, 4294967296)"), "has 4 bytes of elements"},
        {HEADER("'<f4'", "False", "(2,)"), "has 4 bytes of elements"},
        {HEADER("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1)"), "more than 6 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "goes on after its '}'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lw_error_clear();
        assert_null(parse(1, rows[i].header, "\0\0\0\0", 4));
        assert_error_contains(rows[i].message);
    }
}

static void a_wrong_magic_version_or_length_is_refused(void **state)
{
    (void)state;
    assert_null(parse_exactly("PK\x03\x04", 4));
    assert_error_contains("is not a .npy file");
    assert_null(parse(4, HEADER("'<f4'", "False", "(1,)"), "\0\0\0\0", 4));
    assert_error_contains("version 4.0");
    assert_null(parse_exactly("\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14));
    assert_error_contains("claims a header of 4294967295 bytes");
    assert_null(parse_exactly("\x93NUMPY\x01\x00\x10\x00{}", 12));
    assert_error_contains("cut short");
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[256] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1};
    const char *header = HEADER("'<f4'", "False", "(3,)");
    bytes[8] = (uint8_t)strlen(header);
    memcpy(bytes + 10, header, strlen(header));
    size_t size = 10 + strlen(header) + 12;
    for (size_t cut = 0; cut < size; cut++) {
        lw_error_clear();
        assert_null(parse_exactly(bytes, cut));
        assert_int_equal(lw_error_status(), LW_FORMAT);
    }
    lw_tensor *whole = parse_exactly(bytes, size);
    assert_non_null(whole);
    lw_tensor_destroy(whole);
}

static void a_boundary_written_by_numpy_loads(void **state)
{
    (void)state;
    const char *path = LW_SOURCE_DIR "/../shared/fixtures/method_interfacegan/boundary0.npy";
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not here\n", path);
        skip();
    }
    lw_tensor *tensor = lw_npy_load(path);
    if (!tensor)
        fail_msg("%s", lw_error_text());
    assert_true(lw_shape_count(tensor->shape) > 0);
    lw_tensor_destroy(tensor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_tensor_comes_back_the_same),
        cmocka_unit_test(the_header_is_written_as_numpy_writes_it),
        cmocka_unit_test(every_element_type_becomes_float),
        cmocka_unit_test(fortran_order_is_turned_into_rows),
        cmocka_unit_test(every_malformed_header_has_its_own_message),
        cmocka_unit_test(a_wrong_magic_version_or_length_is_refused),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_boundary_written_by_numpy_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
