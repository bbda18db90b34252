/* test_generate.c — latentwalk generate: file names, published seeds, conversion to bytes, videos, mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "latentwalk/latentwalk.h"
#include "model/model.h"
#include "plugins.h"
#include "program.h"

#define FIXTURE LW_SOURCE_DIR "/../shared/fixtures/"

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", program_folder(), name);
    return path[next];
}

/* "small.safetensors": a DCGAN with 16 x 16 pixels and fresh weights. */
static int set_up(void **state)
{
    (void)state;
    const char *const with[] = {"depth=1", "width=4", "z_dim=8", NULL};
    lw_model *model = test_model("small", LW_PART_GENERATOR, "generator/dcgan", with);
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    for (size_t i = 0; i < lw_store_count(store); i++) { /* large enough that images differ */
        lw_tensor *tensor = lw_tensor_copy(lw_store_get(store, lw_store_name(store, i)));
        for (int64_t k = 0; tensor->shape.rank == 4 && k < lw_shape_count(tensor->shape); k++)
            tensor->data[k] *= 20;
        test_must(lw_store_set(store, lw_store_name(store, i), tensor->shape, tensor->data));
        lw_tensor_destroy(tensor);
    }
    test_must(lw_model_save(model, in_folder("small.safetensors"), LW_STORE_F32));
    lwi_model_destroy(model);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

static void assert_same_file(const char *a, const char *b)
{
    uint8_t *data[2];
    size_t size[2];
    test_must(lw_file_read(in_folder(a), 0, &data[0], &size[0]));
    test_must(lw_file_read(in_folder(b), 0, &data[1], &size[1]));
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    lw_free(data[0]);
    lw_free(data[1]);
}

static void every_seed_makes_a_file_of_its_name(void **state)
{
    (void)state;
    program_expect("generate --network small.safetensors --seeds 0,7,12-13 --outdir names", 0,
                   "names/seed0007.png");
    static const char *const files[] = {"names/seed0000.png", "names/seed0007.png", "names/seed0012.png",
                                        "names/seed0013.png"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(access(in_folder(files[i]), R_OK), 0);
    assert_int_not_equal(access(in_folder("names/seed0008.png"), F_OK), 0);
}

static void a_seed_makes_the_same_bytes_in_any_company(void **state)
{
    (void)state;
    program_expect("generate --network small.safetensors --seeds 3 --outdir alone", 0, "alone/seed0003.png");
    program_expect("generate --network small.safetensors --seeds 1-3 --outdir company", 0,
                   "company/seed0003.png");
    assert_same_file("alone/seed0003.png", "company/seed0003.png");
}

static void z_is_what_numpy_draws(void **state)
{
    (void)state;
    program_expect(
        "generate --network small.safetensors --seeds 0 --outdir numpy --save-tensors z.safetensors", 0,
        "seed0000.png");
    /* np.random.RandomState(0).randn(1, 8) */
    static const float published[] = {1.76405235f, 0.40015721f,  0.97873798f, 2.2408932f,
                                      1.86755799f, -0.97727788f, 0.95008842f, -0.15135721f};
    lw_store *store = lw_store_load(in_folder("z.safetensors"));
    assert_non_null(store);
    const lw_tensor *z = lw_store_get(store, "z"), *images = lw_store_get(store, "images");
    assert_non_null(z);
    assert_non_null(images);
    for (int i = 0; i < 8; i++)
        assert_float_equal(z->data[i], published[i], 1e-7);
    assert_true(lw_shape_equal(images->shape, LW_SHAPE(1, 3, 16, 16)));
    lw_tensor *png = lw_image_load(in_folder("numpy/seed0000.png"));
    assert_non_null(png);
    for (int64_t i = 0; i < 3 * 16 * 16; i++)
        assert_float_equal((png->data[i] + 1) * 127.5f, lw_image_byte(images->data[i]), 1e-3);
    lw_tensor_destroy(png);
    lw_store_destroy(store);
}

/* BigGAN's z with a truncation: scipy.stats.truncnorm.rvs(-2, 2, size=(1, 16),
 * random_state=RandomState(seed)) * 0.4, of SciPy 1.10.1, the first eight of each. */
static void truncated_z_is_what_scipy_draws(void **state)
{
    (void)state;
    static const float published[2][8] = {{0.04682272f, 0.21599619f, 0.09936009f, 0.04303746f, -0.0734758f,
                                           0.14258821f, -0.05995467f, 0.45810008f},
                                          {-0.5228471f, 0.2918397f, -0.05915921f, 0.2252175f, 0.6834547f,
                                           0.03689396f, 0.00107232f, -0.5325741f}};
    program_expect("generate --network " LW_SOURCE_DIR
                   "/tests/fixtures/biggan/weights.safetensors --seeds 0,7 "
                   "--trunc 0.4 --outdir scipy --save-tensors scipy.safetensors",
                   0, "seed0007.png");
    lw_store *store = lw_store_load(in_folder("scipy.safetensors"));
    assert_non_null(store);
    const lw_tensor *z = lw_store_get(store, "z");
    assert_non_null(z);
    for (int i = 0; i < 16; i++)
        assert_float_equal(z->data[i / 8 * z->shape.dim[1] + i % 8], published[i / 8][i % 8], 1e-7);
    lw_store_destroy(store);
}

static void given_latents_make_the_images_of_the_seeds(void **state)
{
    (void)state;
    program_expect(
        "generate --network small.safetensors --seeds 5-6 --outdir drawn --save-tensors five.safetensors", 0,
        "drawn/");
    program_expect("generate --network small.safetensors --latents five.safetensors --outdir given", 0,
                   "given/latent0001.png");
    assert_same_file("drawn/seed0006.png", "given/latent0001.png");
    lw_store *store = lw_store_load(in_folder("five.safetensors"));
    test_must(lw_npy_save(lw_store_get(store, "z"), in_folder("five.npy")));
    lw_store_destroy(store);
    program_expect("generate --network small.safetensors --latents five.npy --space z --outdir numpied", 0,
                   "latent0000.png");
    assert_same_file("drawn/seed0005.png", "numpied/latent0000.png");
}

/* The bytes of `file` against the official conversion of image i of the fixture. */
static void check_bytes(lw_store *expected, const char *name, int64_t i, const char *file)
{
    const lw_tensor *images = lw_store_get(expected, name);
    lw_tensor *png = lw_image_load(in_folder(file));
    assert_non_null(images);
    assert_non_null(png);
    int64_t size = lw_shape_count(png->shape), different = 0;
    for (int64_t k = 0; k < size; k++) {
        int found = (int)((png->data[k] + 1) * 127.5f + 0.5f),
            wanted = lw_image_byte(images->data[i * size + k]);
        assert_true(abs(found - wanted) <= 1);
        different += found != wanted;
    }
    assert_true((double)different < 0.001 * (double)size);
    lw_tensor_destroy(png);
}

/* Images `tensor` of a fixture, from a file of its folder; `classes`: one class an image, "" where there are
 * none. */
typedef struct official {
    const char *folder, *file, *tensor, *options, *classes;
} official;

static const official officials[] = {
    {"biggan", "G_ema.pth", "image", "", "10"},
    {"biggan_deep", "pytorch_model.bin", "image_t1.0", "--with upsample=[0,1,0,1,1,0]", "01"},
    {"biggan_nohier", "G_ema_legacy.pth", "image", "", "10"},
    {"dcgan_zoo", "model.pth", "image", "", ""},
    {"dcgan_zoo", "weights.safetensors", "image", "", ""},
    {"lategan", "generator.pth", "image", "", ""},
    {"pggan_genforce", "model.pth", "image", "", ""},
    {"pggan_genforce", "model.pth", "image_lod1", "--with lod=1", ""},
    {"pggan_genforce_fused", "model.pth", "image", "--with fused=true --with output=tanh", ""},
    {"pggan_zoo", "model.pth", "image", "", ""},
    {"pggan_zoo_alpha", "model_legacy.pth", "image", "", ""},
    {"sngan", "generator.pt", "image", "", ""},
    {"stylegan1", "model.pth", "image", "", ""},
    {"stylegan1_fused", "model.pth", "image", "--with fused_scale=true", ""},
    {"stylegan2", "network-snapshot-000000.pkl", "image_const", "", ""},
    {"stylegan2", "network-snapshot-000000_p3.pkl", "image_trunc0.5_const", "--trunc 0.5", ""},
    {"stylegan2_cond", "network-snapshot-000000.pkl", "image_const", "", "02"},
    {"stylegan2_resnet", "network-snapshot-000000.pkl", "image_none", "--noise-mode none", ""},
    {"stylegan2_rosinality", "model.pt", "image_trunc0.7", "--trunc 0.7", ""},
    {"stylegan2_sefa", "model.pth", "image", "", ""},
    {"wgangp_resnet", "generator.pth", "image", "", ""},
    {"wgangp_zoo", "model_legacy.pth", "image", "", ""},
};

/* All images in one run, or where they have classes a run for each of the first two. */
static void check_official(const official *o, int number)
{
    char arguments[2048], path[512], file[64], option[32] = "";
    snprintf(path, sizeof path, FIXTURE "%s/expected.safetensors", o->folder);
    lw_store *expected = lw_store_load(path);
    if (!expected)
        fail_msg("%s", lw_error_text());
    for (int run = 0; run < (*o->classes ? 2 : 1); run++) {
        if (*o->classes)
            snprintf(option, sizeof option, "--class %c", o->classes[run]);
        snprintf(arguments, sizeof arguments,
                 "generate --network " FIXTURE "%s/%s --latents %s --outdir bytes%d %s %s", o->folder,
                 o->file, path, number, o->options, option);
        program_expect(arguments, 0, "latent0003.png");
        for (int i = 0; i < 4; i++) {
            snprintf(file, sizeof file, "bytes%d/latent%04d.png", number, i);
            if (!*o->classes || i == run)
                check_bytes(expected, o->tensor, i, file);
        }
    }
    lw_store_destroy(expected);
}

static void bytes_are_those_of_the_official_images(void **state)
{
    (void)state;
    if (access(FIXTURE, R_OK) != 0) {
        print_message("skipped: ../shared/fixtures is not here\n");
        skip();
    }
    for (int i = 0; i < (int)(sizeof officials / sizeof *officials); i++)
        check_official(&officials[i], i);
}

static void a_loop_becomes_an_animated_webp(void **state)
{
    (void)state;
    program_expect(
        "generate --network small.safetensors --seeds 0,1 --interpolate loop.webp --frames 3 --outdir video",
        0, "video/loop.webp");
    uint8_t *data;
    size_t size;
    test_must(lw_file_read(in_folder("video/loop.webp"), 0, &data, &size));
    assert_memory_equal(data + 8, "WEBP", 4);
    int frames = 0;
    for (size_t i = 12; i + 4 <= size; i++)
        frames += memcmp(data + i, "ANMF", 4) == 0;
    assert_int_equal(frames, 6);
    lw_free(data);
}

/* A stand-in for ffmpeg that keeps what it is sent: six pictures of 16 x 16. */
static void mp4_goes_through_ffmpeg(void **state)
{
    (void)state;
    FILE *script = fopen(in_folder("ffmpeg"), "w");
    assert_non_null(script);
    fputs("#!/bin/sh\nfor last; do :; done\ncat > \"$last\"\n", script);
    fclose(script);
    assert_int_equal(chmod(in_folder("ffmpeg"), 0755), 0);
    char path[2048];
    snprintf(path, sizeof path, "%s:%s", program_folder(), getenv("PATH"));
    char *before = strdup(getenv("PATH"));
    setenv("PATH", path, 1);
    program_expect(
        "generate --network small.safetensors --seeds 0,1 --interpolate a.mp4 --frames 3 --outdir video", 0,
        "video/a.mp4");
    setenv("PATH", before, 1);
    free(before);
    struct stat info;
    assert_int_equal(stat(in_folder("video/a.mp4"), &info), 0);
    assert_int_equal(info.st_size, 6 * 16 * 16 * 3);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    program_expect("generate --seeds 0", 2, "say which network");
    program_expect("generate --network small.safetensors", 2, "either --seeds");
    program_expect("generate --network small.safetensors --seeds 1,,2", 2, "numbers from 0 to 4294967295");
    program_expect("generate --network small.safetensors --seeds 5-3", 2, "--seeds '5-3'");
    program_expect("generate --network small.safetensors --seeds 4294967296", 2, "--seeds");
    program_expect("generate --network small.safetensors --seeds 0 --frames 3", 2,
                   "--frames is of --interpolate");
    program_expect("generate --network no-such.pkl --seeds 0", 1, "no-such.pkl");
    program_expect("generate --network small.safetensors --seeds 0 --trunc 0.7", 1,
                   "generator/dcgan has no truncation");
    program_expect("generate --network small.safetensors --seeds 0 --class 3", 1, "class");
    program_expect("generate --network small.safetensors --seeds 0 --arch biggan", 1, "generator/biggan");
    program_expect("generate --network small.safetensors --seeds 0,1 --interpolate a.gif", 1,
                   ".webp or .mp4");
    program_expect("generate --network small.safetensors --latents small.safetensors", 1,
                   "none of them called 'z'");
    program_expect("generate --network small.safetensors --latents z.npy --space w", 1, "no mapping");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_makes_a_file_of_its_name),
        cmocka_unit_test(a_seed_makes_the_same_bytes_in_any_company),
        cmocka_unit_test(z_is_what_numpy_draws),
        cmocka_unit_test(truncated_z_is_what_scipy_draws),
        cmocka_unit_test(given_latents_make_the_images_of_the_seeds),
        cmocka_unit_test(bytes_are_those_of_the_official_images),
        cmocka_unit_test(a_loop_becomes_an_animated_webp),
        cmocka_unit_test(mp4_goes_through_ffmpeg),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
