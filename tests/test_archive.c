/* test_archive.c — zip archives: PyTorch's and NumPy's are read, and nothing that leads out of one, hides in
 * one or blows up from one. Also TensorFlow-era pickles, module trees and TorchScript, made here. */
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

static const float values[6] = {1, 2, 3, 4, 5, 6};

static void refused(const bytes *b, const char *message)
{
    uint8_t *copy = malloc(b->size ? b->size : 1);
    memcpy(copy, b->data, b->size);
    lwi_checkpoint *file = lwi_checkpoint_parse(copy, b->size, "test");
    if (file)
        fail_msg("this was opened, instead of '%s'", message);
    if (!strstr(lw_error_text(), message))
        fail_msg("the error is '%s', without '%s'", lw_error_text(), message);
    free(copy);
}

/* The store of a file in memory. */
static lw_store *store_of(const bytes *b, const char *container)
{
    lwi_checkpoint *file = lwi_checkpoint_parse(b->data, b->size, "test");
    if (!file)
        fail_msg("%s", lw_error_text());
    assert_string_equal(lwi_checkpoint_container(file), container);
    lw_store *store = lwi_checkpoint_store(file, NULL);
    if (!store)
        fail_msg("%s", lw_error_text());
    lwi_checkpoint_close(file);
    return store;
}

static void expect(lw_store *store, const char *name, lw_shape shape, const float *wanted)
{
    const lw_tensor *tensor = lw_store_get(store, name);
    if (!tensor)
        fail_msg("%s", lw_error_text());
    assert_true(lw_shape_equal(tensor->shape, shape));
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        assert_float_equal(tensor->data[i], wanted[i], 0);
}

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
    lw_store *store = store_of(&b, "PyTorch zip");
    expect(store, "weight", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&b);
}

static void the_prefix_of_data_parallel_is_stripped(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "module.conv.weight", NULL);
    lw_store *store = store_of(&b, "PyTorch zip");
    expect(store, "conv.weight", LW_SHAPE(2, 3), values);
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
        refused(&b, size >= 4 ? "cut short" : "no checkpoint");
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
        refused(&b, "(zip slip)");
        bytes_free(&b);
    }
}

static void entries_of_one_name_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    make_torch(&b, "weight", &(zip_part){.name = "archive/data/0", .data = values, .size = sizeof values});
    refused(&b, "two entries named 'archive/data/0'");
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
    refused(&b, "entries 'a' and 'b' of the zip archive overlap");
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
    refused(&b, "entry 'b' of the zip archive is another one where it starts");
    bytes_free(&b);
}

static void damaged_data_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "archive/data.pkl", .data = "N.", .size = 2, .crc = 12345};
    zip_file(&b, &part, 1);
    refused(&b, "is damaged");
    bytes_free(&b);
}

static void decompression_bombs_are_refused_before_they_unpack(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {
        .name = "a/data.pkl", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 1u << 30};
    zip_file(&b, &part, 1);
    refused(&b, "a decompression bomb");
    bytes_free(&b);
    zip_part many[] = {
        {.name = "a.npy", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 15 << 20},
        {.name = "b.npy", .data = "0123456789", .size = 10, .deflated = 1, .unpacked = 15 << 20}};
    zip_file(&b, many, 2);
    refused(&b, "a decompression bomb");
    bytes_free(&b);
}

static void sizes_that_the_archive_cannot_hold_are_refused(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "a/data.pkl", .data = "N.", .size = 2, .unpacked = 1u << 31};
    zip_file(&b, &part, 1);
    refused(&b, "stored, but its two sizes differ");
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
        refused(&b, fields[i].message);
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
    refused(&b, "'x/data/0' has 24 bytes");
    b.size = 0;
    zip_file(&b, parts, 1);
    refused(&b, "has no entry in the archive");
    bytes_free(&b);
    bytes_free(&object);
}

static void other_archives_and_files_are_told_apart(void **state)
{
    (void)state;
    bytes b = {0};
    zip_part part = {.name = "readme.txt", .data = "hello", .size = 5};
    zip_file(&b, &part, 1);
    refused(&b, "neither a data.pkl");
    b.size = 0;
    bytes_put(&b, (char[512]){0}, 257);
    bytes_text(&b, "ustar\0");
    bytes_put(&b, (char[512]){0}, 250);
    refused(&b, "tar archive as PyTorch 0.1");
    b.size = 0;
    bytes_text(&b, "\x89HDF\r\n");
    refused(&b, "HDF5");
    b.size = 0;
    bytes_text(&b, "hello");
    refused(&b, "no checkpoint");
    b.size = 0;
    refused(&b, "no checkpoint");
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
    lw_store *store = store_of(&b, "NumPy archive");
    expect(store, "mu", LW_SHAPE(2, 3), values);
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
    store = store_of(&b, "NumPy archive");
    expect(store, "mu", LW_SHAPE(2, 3), values);
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
    lw_store *store = store_of(&b, "TorchScript archive");
    expect(store, "visual.weight", LW_SHAPE(2, 3), values);
    lw_store_destroy(store);
    bytes_free(&b);
    bytes_free(&object);
    bytes_free(&inner);
}

/* --- TensorFlow-era pickles ------------------------------------------------------------------- */

/* (name, numpy array of the numbers 0, 1, 2, …) */
static void tf_variable(bytes *b, const char *name, int rank, const int64_t *size)
{
    int64_t count = 1;
    bytes_text(b, "(");
    pickle_text(b, name);
    BYTES_PUT(b, "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85"
                 "C\1btR(K\1(");
    for (int i = 0; i < rank; i++) {
        pickle_int(b, size[i]);
        count *= size[i];
    }
    BYTES_PUT(
        b, "tcnumpy\ndtype\n(X\2\0\0\0f4K\0K\1tR(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
           "B");
    bytes_number(b, (uint64_t)count * 4, 4);
    for (int64_t i = 0; i < count; i++) {
        float number = (float)i;
        bytes_put(b, &number, sizeof number);
    }
    BYTES_PUT(b, "tbt");
}

static void tf_start(bytes *b)
{
    BYTES_PUT(b, "cdnnlib.tflib.network\nNetwork\n)\x81}(");
    pickle_text(b, "static_kwargs");
    BYTES_PUT(b, "}X\x0a\0\0\0resolutionK\x08s");
    pickle_text(b, "variables");
    BYTES_PUT(b, "](");
}

static void tf_end(bytes *b)
{
    BYTES_PUT(b, "eub");
}

static void pggan_variables_take_genforces_names_and_layouts(void **state)
{
    (void)state;
    bytes b = {0};
    BYTES_PUT(&b, "\x80\3");
    tf_start(&b);
    tf_variable(&b, "lod", 0, NULL);
    tf_variable(&b, "4x4/Dense/weight", 2, (int64_t[]){2, 16});
    tf_variable(&b, "4x4/Dense/bias", 1, (int64_t[]){1});
    tf_variable(&b, "4x4/Conv/weight", 4, (int64_t[]){1, 1, 2, 3});
    tf_variable(&b, "8x8/Conv0_up/weight", 4, (int64_t[]){1, 2, 1, 1});
    tf_variable(&b, "8x8/Conv1/bias", 1, (int64_t[]){2});
    tf_variable(&b, "ToRGB_lod0/weight", 4, (int64_t[]){1, 1, 1, 3});
    tf_variable(&b, "ToRGB_lod1/weight", 4, (int64_t[]){1, 1, 2, 3});
    tf_end(&b);
    bytes_text(&b, ".");
    lw_store *store = store_of(&b, "TensorFlow-era pickle");
    float dense[32]; /* out[0, i, y, x] = in[i, 15 - (4 y + x)] */
    for (int i = 0; i < 32; i++)
        dense[i] = (float)(16 * (i / 16) + 15 - i % 16);
    expect(store, "layer0.weight", LW_SHAPE(1, 2, 4, 4), dense);
    expect(store, "layer0.bias", LW_SHAPE(1), (float[]){0});
    expect(store, "layer1.weight", LW_SHAPE(3, 2, 1, 1), (float[]){0, 3, 1, 4, 2, 5});
    expect(store, "layer2.weight", LW_SHAPE(1, 1, 1, 2), (float[]){0, 1});
    expect(store, "layer3.bias", LW_SHAPE(2), (float[]){0, 1});
    expect(store, "output1.weight", LW_SHAPE(3, 1, 1, 1), (float[]){0, 1, 2});
    expect(store, "output0.weight", LW_SHAPE(3, 2, 1, 1), (float[]){0, 3, 1, 4, 2, 5});
    expect(store, "lod", LW_SCALAR, (float[]){0});
    assert_non_null(strstr(lw_store_metadata(store, "config"), "\"resolution\":8"));
    lw_store_destroy(store);
    bytes_free(&b);
}

/* A Network with components, each a Network. */
static void tf_components(bytes *b, void (*mapping)(bytes *), void (*synthesis)(bytes *))
{
    BYTES_PUT(b, "\x80\3");
    tf_start(b);
    tf_variable(b, "dlatent_avg", 1, (int64_t[]){2});
    bytes_text(b, "e");
    pickle_text(b, "components");
    BYTES_PUT(b, "}(");
    pickle_text(b, "mapping");
    tf_start(b);
    mapping(b);
    tf_end(b);
    pickle_text(b, "synthesis");
    tf_start(b);
    synthesis(b);
    tf_end(b);
    BYTES_PUT(b, "uub.");
}

static void dense_mapping(bytes *b)
{
    tf_variable(b, "Dense0/weight", 2, (int64_t[]){2, 2});
}

static void stylegan_synthesis(bytes *b)
{
    tf_variable(b, "4x4/Const/const", 4, (int64_t[]){1, 1, 1, 1});
    tf_variable(b, "4x4/Const/StyleMod/weight", 2, (int64_t[]){2, 2});
    tf_variable(b, "8x8/Conv0_up/bias", 1, (int64_t[]){2});
    tf_variable(b, "8x8/Conv1/Noise/weight", 1, (int64_t[]){2});
    tf_variable(b, "noise3", 4, (int64_t[]){1, 1, 2, 2});
    tf_variable(b, "ToRGB_lod0/bias", 1, (int64_t[]){3});
    tf_variable(b, "ToRGB_lod1/bias", 1, (int64_t[]){3});
}

static void stylegan_variables_take_genforces_names_and_layouts(void **state)
{
    (void)state;
    static const float four[] = {0, 1, 2, 3};
    bytes b = {0};
    tf_components(&b, dense_mapping, stylegan_synthesis);
    lw_store *store = store_of(&b, "TensorFlow-era pickle");
    expect(store, "truncation.w_avg", LW_SHAPE(2), four);
    expect(store, "mapping.dense0.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    expect(store, "synthesis.layer0.const", LW_SHAPE(1, 1, 1, 1), four);
    expect(store, "synthesis.layer0.style.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    expect(store, "synthesis.layer2.bias", LW_SHAPE(2), four);
    const float blur[18] = {1 / 16.f, 2 / 16.f, 1 / 16.f, 2 / 16.f, 4 / 16.f, 2 / 16.f,
                            1 / 16.f, 2 / 16.f, 1 / 16.f, 1 / 16.f, 2 / 16.f, 1 / 16.f,
                            2 / 16.f, 4 / 16.f, 2 / 16.f, 1 / 16.f, 2 / 16.f, 1 / 16.f};
    expect(store, "synthesis.layer2.blur.kernel", LW_SHAPE(2, 1, 3, 3), blur);
    expect(store, "synthesis.layer3.apply_noise.weight", LW_SHAPE(2), four);
    expect(store, "synthesis.layer3.apply_noise.noise", LW_SHAPE(1, 1, 2, 2), four);
    expect(store, "synthesis.output0.bias", LW_SHAPE(3), four);
    expect(store, "synthesis.output1.bias", LW_SHAPE(3), four);
    lw_store_destroy(store);
    bytes_free(&b);
}

static void stylegan2_synthesis(bytes *b)
{
    tf_variable(b, "4x4/Const/const", 4, (int64_t[]){1, 1, 2, 2});
    tf_variable(b, "4x4/Conv/mod_weight", 2, (int64_t[]){2, 2});
    tf_variable(b, "4x4/Conv/mod_bias", 1, (int64_t[]){2});
    tf_variable(b, "8x8/Conv0_up/weight", 4, (int64_t[]){2, 2, 1, 1});
    tf_variable(b, "8x8/Conv1/weight", 4, (int64_t[]){2, 2, 1, 1});
    tf_variable(b, "8x8/ToRGB/mod_bias", 1, (int64_t[]){2});
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "noise%d", i);
        tf_variable(b, name, 4, (int64_t[]){1, 1, 1, i + 1});
    }
}

static void stylegan2_variables_take_nvidias_names_and_layouts(void **state)
{
    (void)state;
    static const float five[] = {0, 1, 2, 3, 4};
    bytes b = {0};
    tf_components(&b, dense_mapping, stylegan2_synthesis);
    lw_store *store = store_of(&b, "TensorFlow-era pickle");
    expect(store, "mapping.w_avg", LW_SHAPE(2), five);
    expect(store, "mapping.fc0.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    expect(store, "synthesis.b4.const", LW_SHAPE(1, 2, 2), five);
    expect(store, "synthesis.b4.conv1.affine.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    expect(store, "synthesis.b4.conv1.affine.bias", LW_SHAPE(2), (float[]){1, 2});
    expect(store, "synthesis.b8.conv0.weight", LW_SHAPE(1, 1, 2, 2), (float[]){3, 2, 1, 0});
    expect(store, "synthesis.b8.conv1.weight", LW_SHAPE(1, 1, 2, 2), five);
    expect(store, "synthesis.b8.torgb.affine.bias", LW_SHAPE(2), (float[]){1, 2});
    expect(store, "synthesis.b4.conv1.noise_const", LW_SHAPE(1, 1), five);
    expect(store, "synthesis.b8.conv0.noise_const", LW_SHAPE(1, 2), five);
    expect(store, "synthesis.b8.conv1.noise_const", LW_SHAPE(1, 3), five);
    expect(store, "synthesis.b16.conv0.noise_const", LW_SHAPE(1, 4), five);
    expect(store, "synthesis.b16.conv1.noise_const", LW_SHAPE(1, 5), five);
    float filter[16], taps[] = {1, 3, 3, 1};
    for (int i = 0; i < 16; i++)
        filter[i] = taps[i / 4] * taps[i % 4] / 64;
    expect(store, "synthesis.b8.conv0.resample_filter", LW_SHAPE(4, 4), filter);
    expect(store, "synthesis.b8.resample_filter", LW_SHAPE(4, 4), filter);
    lw_store_destroy(store);
    bytes_free(&b);
}

static void unknown_mapping(bytes *b)
{
    tf_variable(b, "Attention/weight", 2, (int64_t[]){2, 2});
}

static void a_variable_without_counterpart_is_told(void **state)
{
    (void)state;
    bytes b = {0};
    tf_components(&b, unknown_mapping, stylegan2_synthesis);
    lwi_checkpoint *file = lwi_checkpoint_parse(b.data, b.size, "test");
    assert_non_null(file);
    assert_null(lwi_checkpoint_store(file, NULL));
    assert_non_null(strstr(lw_error_text(), "'mapping/Attention/weight'"));
    lwi_checkpoint_close(file);
    bytes_free(&b);
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
        cmocka_unit_test(pggan_variables_take_genforces_names_and_layouts),
        cmocka_unit_test(stylegan_variables_take_genforces_names_and_layouts),
        cmocka_unit_test(stylegan2_variables_take_nvidias_names_and_layouts),
        cmocka_unit_test(a_variable_without_counterpart_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
