/* test_tensorflow.c — TensorFlow-era pickles, made here, under the names and in the layouts of the PyTorch
 * ports. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"
#include "opened.h"
#include "store.h"

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
    lw_store *store = opened_store(&b, "TensorFlow-era pickle");
    float dense[32]; /* out[0, i, y, x] = in[i, 15 - (4 y + x)] */
    for (int i = 0; i < 32; i++)
        dense[i] = (float)(16 * (i / 16) + 15 - i % 16);
    store_holds(store, "layer0.weight", LW_SHAPE(1, 2, 4, 4), dense);
    store_holds(store, "layer0.bias", LW_SHAPE(1), (float[]){0});
    store_holds(store, "layer1.weight", LW_SHAPE(3, 2, 1, 1), (float[]){0, 3, 1, 4, 2, 5});
    store_holds(store, "layer2.weight", LW_SHAPE(1, 1, 1, 2), (float[]){0, 1});
    store_holds(store, "layer3.bias", LW_SHAPE(2), (float[]){0, 1});
    store_holds(store, "output1.weight", LW_SHAPE(3, 1, 1, 1), (float[]){0, 1, 2});
    store_holds(store, "output0.weight", LW_SHAPE(3, 2, 1, 1), (float[]){0, 3, 1, 4, 2, 5});
    store_holds(store, "lod", LW_SCALAR, (float[]){0});
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
    lw_store *store = opened_store(&b, "TensorFlow-era pickle");
    store_holds(store, "truncation.w_avg", LW_SHAPE(2), four);
    store_holds(store, "mapping.dense0.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    store_holds(store, "synthesis.layer0.const", LW_SHAPE(1, 1, 1, 1), four);
    store_holds(store, "synthesis.layer0.style.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    store_holds(store, "synthesis.layer2.bias", LW_SHAPE(2), four);
    const float blur[18] = {1 / 16.f, 2 / 16.f, 1 / 16.f, 2 / 16.f, 4 / 16.f, 2 / 16.f,
                            1 / 16.f, 2 / 16.f, 1 / 16.f, 1 / 16.f, 2 / 16.f, 1 / 16.f,
                            2 / 16.f, 4 / 16.f, 2 / 16.f, 1 / 16.f, 2 / 16.f, 1 / 16.f};
    store_holds(store, "synthesis.layer2.blur.kernel", LW_SHAPE(2, 1, 3, 3), blur);
    store_holds(store, "synthesis.layer3.apply_noise.weight", LW_SHAPE(2), four);
    store_holds(store, "synthesis.layer3.apply_noise.noise", LW_SHAPE(1, 1, 2, 2), four);
    store_holds(store, "synthesis.output0.bias", LW_SHAPE(3), four);
    store_holds(store, "synthesis.output1.bias", LW_SHAPE(3), four);
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
    lw_store *store = opened_store(&b, "TensorFlow-era pickle");
    store_holds(store, "mapping.w_avg", LW_SHAPE(2), five);
    store_holds(store, "mapping.fc0.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    store_holds(store, "synthesis.b4.const", LW_SHAPE(1, 2, 2), five);
    store_holds(store, "synthesis.b4.conv1.affine.weight", LW_SHAPE(2, 2), (float[]){0, 2, 1, 3});
    store_holds(store, "synthesis.b4.conv1.affine.bias", LW_SHAPE(2), (float[]){1, 2});
    store_holds(store, "synthesis.b8.conv0.weight", LW_SHAPE(1, 1, 2, 2), (float[]){3, 2, 1, 0});
    store_holds(store, "synthesis.b8.conv1.weight", LW_SHAPE(1, 1, 2, 2), five);
    store_holds(store, "synthesis.b8.torgb.affine.bias", LW_SHAPE(2), (float[]){1, 2});
    store_holds(store, "synthesis.b4.conv1.noise_const", LW_SHAPE(1, 1), five);
    store_holds(store, "synthesis.b8.conv0.noise_const", LW_SHAPE(1, 2), five);
    store_holds(store, "synthesis.b8.conv1.noise_const", LW_SHAPE(1, 3), five);
    store_holds(store, "synthesis.b16.conv0.noise_const", LW_SHAPE(1, 4), five);
    store_holds(store, "synthesis.b16.conv1.noise_const", LW_SHAPE(1, 5), five);
    float filter[16], taps[] = {1, 3, 3, 1};
    for (int i = 0; i < 16; i++)
        filter[i] = taps[i / 4] * taps[i % 4] / 64;
    store_holds(store, "synthesis.b8.conv0.resample_filter", LW_SHAPE(4, 4), filter);
    store_holds(store, "synthesis.b8.resample_filter", LW_SHAPE(4, 4), filter);
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
        cmocka_unit_test(pggan_variables_take_genforces_names_and_layouts),
        cmocka_unit_test(stylegan_variables_take_genforces_names_and_layouts),
        cmocka_unit_test(stylegan2_variables_take_nvidias_names_and_layouts),
        cmocka_unit_test(a_variable_without_counterpart_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
