/* test_archive.c — zip archives: PyTorch's and NumPy's are read, and nothing that leads out of one, hides in
 * one or blows up from one. Also module trees and TorchScript, made here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"
#include "opened.h"
#include "store.h"

static const float values[6] = {1, 2, 3, 4, 5, 6};

/* A PyTorch zip with one tensor [2, 3], and a part more. */
static void make_torch(bytes *b, const char *tensor, const zip_part *more)
{
    bytes object = {0};
    pickle_state_dict(&object, tensor, 6, 0, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1});
    zip_part parts[4] = {{.name = "archive/data.pkl", .data = object.data, .size = object.size},
                         {.name = "archive/data/0", .data = values, .size = sizeof values},
                         {.name = "archive/version", .data = "3\n", .size = 2}};
    if (more)
        parts[3] = *more;
    zip_file(b, parts, more ? 4 : 3);
    bytes_free(&object);
}

static void a_pytorch_archive_is_read(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "weight", NULL);
    lw_store *store = opened_store(&b, "PyTorch zip");
    store_holds(store, "weight", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&b);
}

static void the_prefix_of_data_parallel_is_stripped(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "module.conv.weight", NULL);
    lw_store *store = opened_store(&b, "PyTorch zip");
    store_holds(store, "conv.weight", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&b);
}

static void an_archive_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "weight", NULL);
    for (size_t size = b.size; size-- > 0;) {
        b.size = size;
        opened_not(&b, size >= 4 ? "cut short" : "no checkpoint");
    }
    bytes_free(&b);
}

static void names_that_lead_out_of_the_archive_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"../evil", "a/../../evil", "/etc/passwd", "a\\..\\b",
                                        "C:/x",    "a/..",         "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bytes b = {0};
        make_torch(&b, "weight", &(zip_part){.name = names[i], .data = "x", .size = 1});
        opened_not(&b, "(zip slip)");
        bytes_free(&b);
    }
}

static void entries_of_one_name_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "weight", &(zip_part){.name = "archive/data/0", .data = values, .size = sizeof values});
    opened_not(&b, "two entries named 'archive/data/0'");
    bytes_free(&b);
}

static void entries_that_share_bytes_are_refused(void **state)
{
    (void)state;
    bytes b = {0}, inner = {0};
    /* The second entry's header and data lie inside the first one's data. */
    BYTES_PUT(&inner, "PK\3\4\x14\0\0\0\0\0\0\0\0\0");
    bytes_number(&inner, zip_crc("x", 1), 4);
    bytes_number(&inner, 1, 4);
    bytes_number(&inner, 1, 4);
    bytes_number(&inner, 1, 2);
    bytes_number(&inner, 0, 2);
    bytes_text(&inner, "bx");
    zip_part parts[] = {{.name = "a", .data = inner.data, .size = inner.size},
                        {.name = "b", .data = "x", .size = 1, .at = 1 + 30 + 1}};
    zip_file(&b, parts, 2);
    opened_not(&b, "entries 'a' and 'b' of the zip archive overlap");
    bytes_free(&b);
    bytes_free(&inner);
}

static void an_entry_whose_local_header_is_another_is_refused(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part parts[] = {{.name = "a", .data = "x", .size = 1},
                        {.name = "b", .data = "x", .size = 1, .at = 1}};
    zip_file(&b, parts, 2);
    opened_not(&b, "entry 'b' of the zip archive is another one where it starts");
    bytes_free(&b);
}

static void damaged_data_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "archive/data.pkl", .data = "N.", .size = 2, .crc = 12345};
    zip_file(&b, &part, 1);
    opened_not(&b, "is damaged");
    bytes_free(&b);
}

static void decompression_bombs_are_refused_before_they_unpack(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {
        .name = "a/data.pkl", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 1u << 30};
    zip_file(&b, &part, 1);
    opened_not(&b, "a decompression bomb");
    bytes_free(&b);
    zip_part many[] = {
        {.name = "a.npy", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 15 << 20},
        {.name = "b.npy", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 15 << 20}};
    zip_file(&b, many, 2);
    opened_not(&b, "a decompression bomb");
    bytes_free(&b);
}

static void sizes_that_the_archive_cannot_hold_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "a/data.pkl", .data = "N.", .size = 2, .unpacked = 1u << 31};
    zip_file(&b, &part, 1);
    opened_not(&b, "stored, but its two sizes differ");
    bytes_free(&b);
    static const struct {
        size_t at, size; /* in the end record */
        const char *message;
    } fields[] = {{8, 4, "more entries than it has room for"},
                  {12, 4, "not where the end record says"},
                  {16, 4, "not where the end record says"},
                  {4, 4, "several disks"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        make_torch(&b, "weight", NULL);
        memset(b.data + b.size - 22 + fields[i].at, 0xff, fields[i].size);
        opened_not(&b, fields[i].message);
        bytes_free(&b);
    }
}

static void a_storage_smaller_than_its_tensor_is_refused(void **state)
{
    (void)state;
    bytes b = {0}, object = {0};
    pickle_state_dict(&object, "weight", 1 << 20, 0, 1, (int64_t[]){1 << 20}, (int64_t[]){1});
    zip_part parts[] = {{.name = "x/data.pkl", .data = object.data, .size = object.size},
                        {.name = "x/data/0", .data = values, .size = sizeof values}};
    zip_file(&b, parts, 2);
    opened_not(&b, "'x/data/0' has 24 bytes");
    b.size = 0;
    zip_file(&b, parts, 1);
    opened_not(&b, "has no entry in the archive");
    bytes_free(&b);
    bytes_free(&object);
}

static void other_archives_and_files_are_told_apart(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "readme.txt", .data = "hello", .size = 5};
    zip_file(&b, &part, 1);
    opened_not(&b, "neither a data.pkl");
    b.size = 0;
    bytes_put(&b, (char[512]){0}, 257);
    bytes_text(&b, "ustar\0");
    bytes_put(&b, (char[512]){0}, 250);
    opened_not(&b, "tar archive as PyTorch 0.1");
    b.size = 0;
    bytes_text(&b, "\x89HDF\r\n");
    opened_not(&b, "HDF5");
    b.size = 0;
    bytes_text(&b, "hello");
    opened_not(&b, "no checkpoint");
    b.size = 0;
    opened_not(&b, "no checkpoint");
    bytes_free(&b);
}

/* --- NumPy ------------------------------------------------------------------------------------------ */

static void make_npy(bytes *b)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    BYTES_PUT(b, "\x93NUMPY\1\0");
    bytes_number(b, sizeof header - 1, 2);
    bytes_text(b, header);
    bytes_put(b, values, sizeof values);
}

static void numpy_archives_are_stored_or_deflated(void **state)
{
    (void)state;
    bytes b = {0}, npy = {0};
    make_npy(&npy);
    zip_part part = {.name = "mu.npy", .data = npy.data, .size = npy.size};
    zip_file(&b, &part, 1);
    lw_store *store = opened_store(&b, "NumPy archive");
    store_holds(store, "mu", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    b.size = 0;
    /* deflate's stored block: 1, length, its complement, the bytes */
    bytes packed = {0};
    bytes_number(&packed, 1, 1);
    bytes_number(&packed, npy.size, 2);
    bytes_number(&packed, ~(uint64_t)npy.size & 0xffff, 2);
    bytes_put(&packed, npy.data, npy.size);
    part = (zip_part){.name = "mu.npy",
                      .data = packed.data,
                      .size = packed.size,
                      .deflated = 1,
                      .unpacked = npy.size,
                      .crc = zip_crc(npy.data, npy.size)};
    zip_file(&b, &part, 1);
    store = opened_store(&b, "NumPy archive");
    store_holds(store, "mu", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&packed);
    bytes_free(&npy);
    bytes_free(&b);
}

static void a_numpy_array_is_named_as_its_file(void **state)
{
    (void)state;
    bytes b = {0};
    make_npy(&b);
    lwi_checkpoint *file = lwi_checkpoint_parse(b.data, b.size, "folder/boundary.npy");
    assert_non_null(file);
    assert_string_equal(lwi_checkpoint_tensor(file, 0)->name, "boundary");
    assert_int_equal(lwi_checkpoint_tensor(file, 0)->element, LWI_F32);
    lwi_checkpoint_close(file);
    bytes_free(&b);
}

/* --- TorchScript ---------------------------------------------------------------------------------------- */

static void torchscript_modules_keep_tensors_as_attributes(void **state)
{
    (void)state;
    bytes b = {0}, object = {0}, inner = {0};
    /* __torch__.Model with {training: True, visual: __torch__.Conv with {weight: tensor}} */
    BYTES_PUT(
        &object,
        "\x80\2c__torch__\nModel\n)\x81}(X\x08\0\0\0training\x88X\6\0\0\0visualc__torch__\nConv\n)\x81}(");
    pickle_state_dict(&inner, "weight", 6, 0, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1});
    size_t head = strlen("\x80\2"
                         "ccollections\nOrderedDict\n)R(");
    bytes_put(&object, inner.data + head, inner.size - head - 2); /* its key and value alone */
    BYTES_PUT(&object, "ubub.");
    zip_part parts[] = {{.name = "archive/data.pkl", .data = object.data, .size = object.size},
                        {.name = "archive/constants.pkl", .data = "\x80\2).", .size = 4},
                        {.name = "archive/data/0", .data = values, .size = sizeof values}};
    zip_file(&b, parts, 3);
    lw_store *store = opened_store(&b, "TorchScript archive");
    store_holds(store, "visual.weight", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&b);
    bytes_free(&object);
    bytes_free(&inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pytorch_archive_is_read),
        cmocka_unit_test(the_prefix_of_data_parallel_is_stripped),
        cmocka_unit_test(an_archive_cut_short_anywhere_is_refused),
        cmocka_unit_test(names_that_lead_out_of_the_archive_are_refused),
        cmocka_unit_test(entries_of_one_name_are_refused),
        cmocka_unit_test(entries_that_share_bytes_are_refused),
        cmocka_unit_test(an_entry_whose_local_header_is_another_is_refused),
        cmocka_unit_test(damaged_data_are_refused),
        cmocka_unit_test(decompression_bombs_are_refused_before_they_unpack),
        cmocka_unit_test(sizes_that_the_archive_cannot_hold_are_refused),
        cmocka_unit_test(a_storage_smaller_than_its_tensor_is_refused),
        cmocka_unit_test(other_archives_and_files_are_told_apart),
        cmocka_unit_test(numpy_archives_are_stored_or_deflated),
        cmocka_unit_test(a_numpy_array_is_named_as_its_file),
        cmocka_unit_test(torchscript_modules_keep_tensors_as_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
