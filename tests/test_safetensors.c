/* test_safetensors.c — stores saved to .safetensors files and loaded again; malformed files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "latentwalk/image.h"
#include "store.h"
#include "tensor/half.h"
#include "tensor/safetensors.h"
#include "tensor/store_internal.h"

static char folder[] = "/tmp/latentwalk-store-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] != '.')
            unlink(in_folder(entry->d_name));
    }
    closedir(listing);
    return rmdir(folder);
}

/* --- saving and loading ---------------------------------------------------------------------- */

static void a_saved_store_comes_back_the_same(void **state)
{
    (void)state;
    char before[17], after[17];
    const char *path = in_folder("same.safetensors");
    lw_store *store = example_store();
    lw_store_set(store, "empty", LW_SHAPE(2, 0), NULL);
    assert_int_equal(lw_store_save(store, path, LW_STORE_F32), LW_OK);
    lw_store *loaded = lw_store_load(path);
    assert_non_null(loaded);
    lw_store_hash(store, before);
    lw_store_hash(loaded, after);
    assert_string_equal(before, after);
    assert_string_equal(lw_store_metadata(loaded, "licence"), "research only \xc3\xa9 \"quoted\"");
    assert_null(lw_store_metadata(loaded, "license"));
    lw_store_destroy(store);
    lw_store_destroy(loaded);
}

static void equal_stores_give_equal_bytes_with_aligned_data(void **state)
{
    (void)state;
    uint8_t *a, *b;
    size_t a_size, b_size;
    lw_store *one = example_store(), *two = example_store();
    lw_store_save(one, in_folder("a.safetensors"), LW_STORE_F32);
    lw_store_save(two, in_folder("b.safetensors"), LW_STORE_F32);
    assert_int_equal(lw_file_read(in_folder("a.safetensors"), 0, &a, &a_size), LW_OK);
    assert_int_equal(lw_file_read(in_folder("b.safetensors"), 0, &b, &b_size), LW_OK);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    assert_int_equal(a[0] % 8, 0);
    lw_free(a);
    lw_free(b);
    lw_store_destroy(one);
    lw_store_destroy(two);
}

static void eight_bits_are_for_weights_and_not_for_biases(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    const float values[4] = {0.3f, -0.3f, 1000, 2};
    assert_int_equal(lw_store_set(store, "weight", LW_SHAPE(2, 1), values), LW_OK);
    assert_int_equal(lw_store_set(store, "bias", LW_SHAPE(3), values + 1), LW_OK);
    char path[] = "/tmp/latentwalk-f8-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(lw_store_save(store, path, LW_STORE_F8), LW_OK);
    lw_store *back = lw_store_load(path);
    assert_non_null(back);
    assert_float_equal(lw_store_get(back, "weight")->data[0], 0.3125, 0); /* 1.25 * 2^-2 */
    assert_float_equal(lw_store_get(back, "bias")->data[0], -0.3, 2e-4);
    assert_float_equal(lw_store_get(back, "bias")->data[1], 1000, 0);
    assert_int_equal(lw_store_set(store, "weight", LW_SHAPE(2, 1), values + 2), LW_OK);
    assert_int_equal(lw_store_save(store, path, LW_STORE_F8), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "448"));
    unlink(path);
    lw_store_destroy(back);
    lw_store_destroy(store);
}

static void saving_in_half_precision_halves_the_data(void **state)
{
    (void)state;
    lw_store *store = example_store();
    assert_int_equal(lw_store_save(store, in_folder("half.safetensors"), LW_STORE_F16), LW_OK);
    lw_store *loaded = lw_store_load(in_folder("half.safetensors"));
    assert_float_equal(lw_store_get(loaded, "b.weight")->data[3], 4, 0);
    assert_float_equal(lw_store_get(loaded, "b.weight")->data[4], lwi_float_of_half(0x2e66), 0);
    lw_store_destroy(store);
    lw_store_destroy(loaded);
}

static void a_number_too_large_for_half_precision_is_an_error(void **state)
{
    (void)state;
    lw_store *store = example_store();
    lw_store_set(store, "huge", LW_SHAPE(2), (float[]){1, 1e5f});
    int files = files_in_folder();
    assert_int_equal(lw_store_save(store, in_folder("huge.safetensors"), LW_STORE_F16), LW_NUMERIC);
    assert_error_contains("huge");
    assert_int_equal(files_in_folder(), files);
    lw_store_destroy(store);
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    (void)state;
    lw_store *store = example_store();
    assert_int_equal(lw_store_save(store, in_folder("kept.safetensors"), LW_STORE_F32), LW_OK);
    int files = files_in_folder();
    lw_store_set(store, "\xff", LW_SCALAR, (float[]){1}); /* not UTF-8 */
    assert_int_equal(lw_store_save(store, in_folder("kept.safetensors"), LW_STORE_F32), LW_INVALID);
    lw_store *loaded = lw_store_load(in_folder("kept.safetensors"));
    assert_int_equal(lw_store_count(loaded), 3);
    assert_int_equal(files_in_folder(), files);
    assert_int_equal(lw_store_save(store, "/nowhere/at/all", LW_STORE_F32), LW_IO);
    lw_store_destroy(loaded);
    lw_store_destroy(store);
}

static lw_status lose_the_device(lwi_entry *entry)
{
    (void)entry;
    return lw_fail(LW_DEVICE, "the device is gone");
}

static void what_the_device_lost_is_not_saved(void **state)
{
    (void)state;
    lw_store *store = example_store();
    lwi_entry *entry = lwi_store_entry(store, "step");
    entry->host_stale = true;
    entry->read_back = lose_the_device;
    assert_int_equal(lw_store_save(store, in_folder("gone.safetensors"), LW_STORE_F32), LW_DEVICE);
    assert_int_equal(access(in_folder("gone.safetensors"), F_OK), -1);
    lw_store_destroy(store);
}

static void a_missing_file_is_not_found(void **state)
{
    (void)state;
    assert_null(lw_store_load(in_folder("none.safetensors")));
    assert_int_equal(lw_error_status(), LW_NOT_FOUND);
    assert_null(lw_store_load(folder));
    assert_int_equal(lw_error_status(), LW_IO);
}

/* --- malformed files ------------------------------------------------------------------------- */

/* Parses a copy of exactly the given size, so that the sanitizer sees a read past its end. */
static lw_store *parse_exactly(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    lw_store *store = lwi_safetensors_parse(copy, size, "test");
    free(copy);
    return store;
}

static lw_store *parse(const char *header, const void *data, size_t data_size)
{
    uint8_t bytes[1024] = {0};
    size_t length = strlen(header);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, header, length);
    if (data)
        memcpy(bytes + 8 + length, data, data_size);
    return parse_exactly(bytes, 8 + length + data_size);
}

static void every_element_type_becomes_float(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        uint8_t bytes[8];
        size_t size;
        float value;
    } rows[] = {
        {"F64", {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 8, 1.5f},
        {"F32", {0, 0, 0xc0, 0x3f}, 4, 1.5f},
        {"F16", {0x00, 0x3e}, 2, 1.5f},
        {"BF16", {0xc0, 0x3f}, 2, 1.5f},
        {"I64", {0xfe, 255, 255, 255, 255, 255, 255, 255}, 8, -2},
        {"I32", {0xfe, 255, 255, 255}, 4, -2},
        {"I16", {0xfe, 255}, 2, -2},
        {"I8", {0xfe}, 1, -2},
        {"U64", {7}, 8, 7},
        {"U32", {255, 255, 255, 255}, 4, 4294967296.0f},
        {"U16", {0xfe, 255}, 2, 65534},
        {"U8", {0xfe}, 1, 254},
        {"BOOL", {1}, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%zu]}}",
                 rows[i].dtype, rows[i].size);
        lw_store *store = parse(header, rows[i].bytes, rows[i].size);
        assert_non_null(store);
        assert_float_equal(lw_store_get(store, "x")->data[0], rows[i].value, 0);
        lw_store_destroy(store);
    }
}

#define F32_AT(shape, begin, end) \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void every_malformed_header_has_its_own_message(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        const char *message;
    } rows[] = {
        {"", 0, "does not start with '{'"},
        {" {}", 0, "does not start with '{'"},
        {"{\"x\":", 0, "not valid JSON"},
        {"{} x", 0, "not valid JSON"},
        {"{\"x\":1,\"x\":2}", 0, "duplicate object key"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ of 'test' is not a JSON object"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "metadata 'k' of 'test' is not a string"},
        {"{\"x\":[]}", 0, "tensor 'x' of 'test' is not a JSON object"},
        {"{\"x\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, "no text 'dtype'"},
        {"{\"x\":{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "element type 'F8'"},
        {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no list 'shape'"},
        {"{\"x\":" F32_AT("[1,1,1,1,1,1,1]", "0", "4") "}", 4, "has 7 dimensions"},
        {"{\"x\":" F32_AT("[-1]", "0", "4") "}", 4, "dimension 0 of tensor 'x'"},
        {"{\"x\":" F32_AT("[1.5]", "0", "4") "}", 4, "dimension 0 of tensor 'x'"},
        {"{\"x\":" F32_AT("[4294967296,4294967296]", "0", "4") "}", 4, "more elements than can be counted"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no 'data_offsets'"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "no 'data_offsets'"},
        {"{\"x\":" F32_AT("[1]", "4", "0") "}", 4, "has the offsets [4, 0]"},
        {"{\"x\":" F32_AT("[1]", "-4", "0") "}", 4, "has the offsets [-4, 0]"},
        {"{\"x\":" F32_AT("[2]", "0", "8") "}", 4, "the file ends at byte"},
        {"{\"x\":" F32_AT("[2]", "0", "4") "}", 4, "does not fill its 4 bytes"},
        {"{\"x\":" F32_AT("[4611686018427387905]", "0", "4") "}", 4, "does not fill its 4 bytes"},
        {"{\"x\":" F32_AT("[1]", "0", "4") ",\"y\":" F32_AT("[1]", "0", "4") "}", 4, "overlap"},
        {"{\"x\":" F32_AT("[2]", "0", "8") ",\"y\":" F32_AT("[1]", "4", "8") "}", 8, "tensors 'x' and 'y'"},
        {"{\"x\":" F32_AT("[1]", "0", "4") ",\"y\":" F32_AT("[1]", "8", "12") "}", 12, "belong to no tensor"},
        {"{\"x\":" F32_AT("[1]", "0", "4") "}", 8, "after its last tensor"},
        {"{\"\":" F32_AT("[1]", "0", "4") "}", 4, "cannot be named ''"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lw_error_clear();
        assert_null(parse(rows[i].header, NULL, rows[i].data_size));
        assert_error_contains(rows[i].message);
        assert_error_contains("test");
    }
}

static void a_header_longer_than_the_file_or_the_limit_is_refused(void **state)
{
    (void)state;
    assert_null(parse_exactly("\x10\0\0\0\0\0\0\0{}", 10));
    assert_error_contains("cut short");
    assert_null(parse_exactly("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
    assert_error_contains("more than the 100000000 allowed");
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    lw_store *store = example_store();
    lw_store_save(store, in_folder("whole.safetensors"), LW_STORE_F32);
    assert_int_equal(lw_file_read(in_folder("whole.safetensors"), 0, &bytes, &size), LW_OK);
    for (size_t cut = 0; cut < size; cut++) {
        assert_null(parse_exactly(bytes, cut));
        assert_int_equal(lw_error_status(), LW_FORMAT);
    }
    lw_store *whole = parse_exactly(bytes, size);
    assert_non_null(whole);
    lw_store_destroy(whole);
    lw_free(bytes);
    lw_store_destroy(store);
}

static void running_out_of_memory_anywhere_is_an_error_and_no_leak(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    lw_store *store = example_store(), *loaded = NULL;
    lw_store_save(store, in_folder("memory.safetensors"), LW_STORE_F32);
    assert_int_equal(lw_file_read(in_folder("memory.safetensors"), 0, &bytes, &size), LW_OK);
    int failures = 0;
    for (int n = 0; !loaded && n < 100; n++) {
        lw_alloc_fail_after(n);
        loaded = lwi_safetensors_parse(bytes, size, "test");
        lw_alloc_fail_after(-1);
        if (!loaded) {
            assert_int_equal(lw_error_status(), LW_MEMORY);
            failures++;
        }
    }
    assert_non_null(loaded);
    assert_true(failures > 10);
    lw_store_destroy(loaded);
    lw_store_destroy(store);
    lw_free(bytes);
}

static void the_official_fixtures_load(void **state)
{
    (void)state;
    const char *path = LW_SOURCE_DIR "/../shared/fixtures/lategan/weights.safetensors";
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not here\n", path);
        skip();
    }
    lw_store *store = lw_store_load(path);
    if (!store)
        fail_msg("%s", lw_error_text());
    assert_true(lw_store_count(store) > 0);
    lw_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_store_comes_back_the_same),
        cmocka_unit_test(equal_stores_give_equal_bytes_with_aligned_data),
        cmocka_unit_test(eight_bits_are_for_weights_and_not_for_biases),
        cmocka_unit_test(saving_in_half_precision_halves_the_data),
        cmocka_unit_test(a_number_too_large_for_half_precision_is_an_error),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(what_the_device_lost_is_not_saved),
        cmocka_unit_test(a_missing_file_is_not_found),
        cmocka_unit_test(every_element_type_becomes_float),
        cmocka_unit_test(every_malformed_header_has_its_own_message),
        cmocka_unit_test(a_header_longer_than_the_file_or_the_limit_is_refused),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(running_out_of_memory_anywhere_is_an_error_and_no_leak),
        cmocka_unit_test(the_official_fixtures_load),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
