/* test_verify.c — latentwalk verify: every tensor that an architecture can make is compared, and wrong ones
 * fail. */
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

static void path_of(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", program_folder(), name);
}

/* Folder `name`: a small DCGAN and the image it makes of two latents, `shift` of it added. */
static void write_fixture(const char *name, float shift)
{
    const char *const with[] = {"depth=1", "width=4", "z_dim=8", NULL};
    char path[256], file[256];
    lw_model *model = test_model("small", LW_PART_GENERATOR, "generator/dcgan", with);
    lw_device *device = lw_device_open("cpu", NULL);
    lw_tensor *z = lw_tensor_create(LW_SHAPE(2, 8)), *image = NULL;
    lw_normal((lw_stream){.seed = 1, .purpose = 1}, 0, 16, z->data);
    test_must(lw_model_images(model, device, "z", z, 2, &image, NULL));
    image->data[5] += shift;
    lw_store *expected = lw_store_create();
    test_must(lw_store_set(expected, "z", z->shape, z->data));
    test_must(lw_store_set(expected, "image", image->shape, image->data));
    test_must(lw_store_set(expected, "feat_nothing", z->shape, z->data));
    path_of(path, name);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(file, sizeof file, "%.200s/expected.safetensors", path);
    test_must(lw_store_save(expected, file, LW_STORE_F32));
    snprintf(file, sizeof file, "%.200s/weights.safetensors", path);
    test_must(lw_model_save(model, file, LW_STORE_F32));
    snprintf(file, sizeof file, "%.200s/config.json", path);
    test_must(lw_file_write(file, "{}", 2));
    lw_store_destroy(expected);
    lw_tensor_destroy(z);
    lw_tensor_destroy(image);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void what_agrees_passes(void **state)
{
    (void)state;
    write_fixture("right", 0);
    program_expect("verify --fixture right", 0, "1 of 1 compared tensors pass");
    program_expect("verify --fixture right", 0,
                   "feat_nothing                 not compared: neither an output nor a tap");
    program_expect("verify --fixture right --json", 0, "\"passes\":true");
}

static void one_wrong_element_fails(void **state)
{
    (void)state;
    write_fixture("wrong", 0.01f);
    program_expect("verify --fixture wrong", 1, "FAILS (allowed 0.0001)");
}

static void mistakes_are_told(void **state)
{
    (void)state;
    program_expect("verify", 2, "say which folder");
    program_expect("verify --fixture nowhere", 2, "nowhere/weights.safetensors");
}

/* A fixture of the official implementation: so many of its tensors are compared, and pass. */
static void check_official(const char *name, const char *more, const char *summary)
{
    char arguments[1024], path[512];
    snprintf(path, sizeof path, FIXTURE "%s", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: ../shared/fixtures/%s is not here\n", name);
        skip();
    }
    snprintf(arguments, sizeof arguments, "verify --fixture %s %s", path, more);
    program_expect(arguments, 0, summary);
}

static void zoo_fixtures_pass(void **state)
{
    (void)state;
    check_official("dcgan_zoo", "", "7 of 7 compared");
    check_official("wgangp_zoo", "--weights model.pth", "7 of 7 compared");
    check_official("lategan", "", "4 of 4 compared");
}

static void biggan_fixtures_pass(void **state)
{
    (void)state;
    check_official("biggan", "--weights G_ema.pth", "9 of 9 compared");
    check_official("biggan_nohier", "", "9 of 9 compared");
    check_official("biggan_deep", "--weights pytorch_model.bin", "10 of 10 compared");
}

/* The mean of w lies beside the network in rosinality's files; the safetensors lack it. */
static void a_mean_beside_the_network_and_mixed_styles_pass(void **state)
{
    (void)state;
    check_official("stylegan2_rosinality", "--weights model.pt", "8 of 8 compared");
}

/* Without ../shared: every architecture against the independent numbers of tests/fixtures. */
static void every_architecture_agrees_with_numbers_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *name, *summary;
    } rows[] = {{"biggan", "6 of 6 compared"},
                {"biggan-deep", "4 of 4 compared"},
                {"dcgan", "2 of 2 compared"},
                {"pggan-genforce", "4 of 4 compared"},
                {"pggan-zoo", "4 of 4 compared"},
                {"sngan", "4 of 4 compared"},
                {"stylegan", "5 of 5 compared"},
                {"stylegan2", "11 of 11 compared"},
                {"stylegan2-orig", "11 of 11 compared"},
                {"wgan-gp", "3 of 3 compared"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char arguments[1024];
        snprintf(arguments, sizeof arguments, "verify --fixture " LW_SOURCE_DIR "/tests/fixtures/%s",
                 rows[i].name);
        program_expect(arguments, 0, rows[i].summary);
    }
    program_expect("verify --blas clblast --fixture " LW_SOURCE_DIR "/tests/fixtures/dcgan", 0,
                   "2 of 2 compared");
}

static int tear_down(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_agrees_passes),
        cmocka_unit_test(one_wrong_element_fails),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(zoo_fixtures_pass),
        cmocka_unit_test(biggan_fixtures_pass),
        cmocka_unit_test(every_architecture_agrees_with_numbers_of_its_own),
        cmocka_unit_test(a_mean_beside_the_network_and_mixed_styles_pass),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
