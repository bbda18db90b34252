/* test_import.c — latentwalk inspect and import as people meet them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latentwalk/tensor.h"

#define FIXTURES LW_SOURCE_DIR "/../shared/fixtures/"

static char folder[] = "/tmp/lw-import-XXXXXX";
static char text[1 << 20]; /* what the last call printed */

static int call(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && %s/bin/latentwalk %s 2>&1", folder, LW_BUILD_DIR, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const char *arguments, int status, const char *wanted)
{
    int got = call(arguments);
    if (got != status || !strstr(text, wanted))
        fail_msg("latentwalk %s: status %d, expected %d and '%s' in:\n%s", arguments, got, status, wanted,
                 text);
}

static void need_fixtures(void)
{
    if (access(FIXTURES, R_OK) == 0)
        return;
    print_message("skipped: ../shared/fixtures is not here\n");
    skip();
}

static void write_file(const char *name, const char *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* Takes the store. */
static void save(lw_store *store, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(lw_store_save(store, path, LW_STORE_F32), LW_OK);
    lw_store_destroy(store);
}

static lw_store *load(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    lw_store *store = lw_store_load(path);
    assert_non_null(store);
    return store;
}

static void a_malicious_file_is_status_1_and_told(void **state)
{
    (void)state;
    static const char evil[] = "\x80\2cposix\nsystem\nX\x0e\0\0\0touch executed\x85R.";
    write_file("evil.pkl", evil, sizeof evil - 1);
    expect("inspect evil.pkl", 1, "GLOBAL at byte 2 names posix.system");
    expect("import evil.pkl -o evil.safetensors", 1, "GLOBAL at byte 2 names posix.system");
    char path[256];
    snprintf(path, sizeof path, "%s/evil.safetensors", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/executed", folder);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void import_says_where_to_write(void **state)
{
    (void)state;
    expect("import x.pkl", 2, "needs --out FILE");
    expect("import no-such.pkl -o x.safetensors", 1, "no-such.pkl");
    expect("inspect", 2, "needs its argument: 'FILE'");
}

static void inspect_tells_networks_tensors_arguments_and_architecture(void **state)
{
    (void)state;
    need_fixtures();
    const char *command = "inspect " FIXTURES "dcgan_zoo/model_legacy.pth";
    expect(command, 0, "PyTorch legacy, 3 networks");
    expect(command, 0, "detected architecture: generator/dcgan under 'avgG.'");
    expect(command, 0, "main.batchNorm0.num_batches_tracked                      I64   []");
    assert_int_equal(call("inspect " FIXTURES "dcgan_zoo/model.pth --json"), 0);
    json_t *all = json_loads(text, 0, NULL);
    assert_non_null(all);
    assert_int_equal(json_array_size(json_object_get(all, "networks")), 3);
    json_t *first = json_array_get(json_object_get(all, "networks"), 0);
    assert_true(json_array_size(json_object_get(first, "tensors")) > 5);
    assert_true(json_array_size(json_object_get(all, "detected")) >= 2);
    json_decref(all);
}

/* The other plugins are not asked. */
static void a_shipped_file_is_of_the_plugin_that_it_names(void **state)
{
    (void)state;
    expect("inspect " LW_SOURCE_DIR "/pipelines/models/faces64-wgan-gp-discriminator.safetensors", 0,
           "detected architecture: discriminator/dcgan\n");
    assert_null(strstr(strstr(text, "detected architecture") + 1, "detected architecture"));
}

static void a_shipped_network_is_detected_by_the_plugin_that_it_names(void **state)
{
    (void)state;
    expect("inspect " LW_SOURCE_DIR "/pipelines/models/faces64-attributes.safetensors", 0,
           "detected architecture: network/resnet under 'N.'\n");
}

/* It is not taken for another's, and import can still change how it is stored. */
static void a_file_of_a_plugin_that_is_not_here_says_which(void **state)
{
    (void)state;
    static const char told[] = "the file says that its plugin is generator/from-elsewhere";
    static const char why[] = "there is no plugin 'generator/from-elsewhere' among the ";
    lw_store *store = lw_store_create();
    assert_int_equal(lw_store_set(store, "G.weight", LW_SHAPE(1), (float[]){1}), LW_OK);
    assert_int_equal(lw_store_set_metadata(store, "latentwalk.generator",
                                           "{\"uses\": \"generator/from-elsewhere\", \"with\": {}}"),
                     LW_OK);
    save(store, "elsewhere.safetensors");
    const char *const commands[] = {
        "inspect elsewhere.safetensors", "import elsewhere.safetensors -o f16.safetensors",
        "inspect f16.safetensors", "generate --network elsewhere.safetensors --seeds 0"};
    for (int i = 0; i < 4; i++) {
        expect(commands[i], i == 3, told);
        assert_non_null(strstr(text, why));
        assert_non_null(strstr(text, "(searched: '" LW_BUILD_DIR "/lib/latentwalk'"));
    }
}

static void an_imported_file_holds_the_same_numbers(void **state)
{
    (void)state;
    need_fixtures();
    expect("import " FIXTURES "dcgan_zoo/model.pth -o zoo.safetensors --arch dcgan", 0,
           "generator/dcgan fits");
    lw_store *got = load("zoo.safetensors"), *want = lw_store_load(FIXTURES "dcgan_zoo/weights.safetensors");
    assert_non_null(want);
    assert_int_equal(lw_store_count(got), lw_store_count(want));
    for (size_t i = 0; i < lw_store_count(want); i++) {
        const lw_tensor *a = lw_store_get(want, lw_store_name(want, i)),
                        *b = lw_store_get(got, lw_store_name(want, i));
        assert_non_null(b);
        assert_memory_equal(a->data, b->data, (size_t)lw_shape_count(a->shape) * sizeof *a->data);
    }
    assert_non_null(lw_store_metadata(got, "config"));
    lw_store_destroy(got);
    lw_store_destroy(want);
    expect("inspect zoo.safetensors", 0, "generator/dcgan under 'avgG.'");
}

static void one_network_is_taken_out_with_bare_names(void **state)
{
    (void)state;
    need_fixtures();
    expect("import " FIXTURES "dcgan_zoo/model.pth -o one.safetensors --network netG", 0, "one.safetensors");
    expect("inspect one.safetensors", 0, "  formatLayer.weight");
    expect("import " FIXTURES "dcgan_zoo/model.pth -o two.safetensors --network G_ema", 1, "it has 'netG'");
}

static void expect_metadata(const lw_store *store, const char *key, const char *wanted)
{
    const char *value = lw_store_metadata(store, key);
    if (wanted ? !value || strcmp(value, wanted) != 0 : value != NULL)
        fail_msg("metadata '%s' is '%s', expected '%s'", key, value ? value : "(none)",
                 wanted ? wanted : "(none)");
}

static void one_network_comes_without_what_is_said_of_the_others(void **state)
{
    (void)state;
    static const char critic[] = "{\"uses\": \"discriminator/from-elsewhere\", \"with\": {}}";
    const char *const metadata[][2] = {
        {"latentwalk.generator", "{\"uses\": \"generator/from-elsewhere\", \"with\": {}}"},
        {"latentwalk.discriminator", critic},
        {"config", "of G"},
        {"config.G", "of G"},
        {"config.D", "of D"},
        {"licence", "of the file"},
    };
    lw_store *store = lw_store_create();
    assert_int_equal(lw_store_set(store, "G.weight", LW_SHAPE(1), (float[]){1}), LW_OK);
    assert_int_equal(lw_store_set(store, "D.weight", LW_SHAPE(1), (float[]){2}), LW_OK);
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++)
        assert_int_equal(lw_store_set_metadata(store, metadata[i][0], metadata[i][1]), LW_OK);
    save(store, "both.safetensors");
    expect("import both.safetensors -o critic.safetensors --network D", 0, "critic.safetensors: 1 tensors");
    store = load("critic.safetensors");
    expect_metadata(store, "latentwalk.discriminator", critic);
    expect_metadata(store, "latentwalk.generator", NULL);
    expect_metadata(store, "config", "of D");
    expect_metadata(store, "config.G", NULL);
    expect_metadata(store, "config.D", NULL);
    expect_metadata(store, "licence", "of the file");
    lw_store_destroy(store);
}

static void another_architecture_is_refused_with_the_reason(void **state)
{
    (void)state;
    need_fixtures();
    expect("import " FIXTURES "lpips_lin/alex.pth -o x.safetensors --arch generator/dcgan", 1,
           "these weights are not of generator/dcgan");
    expect("import " FIXTURES "lpips_lin/alex.pth -o x.safetensors --arch generator/dcgna", 1,
           "generator/dcgan");
    expect("import " FIXTURES "lpips_lin/alex.pth -o lpips.safetensors", 0,
           "no plugin recognises these tensors");
}

static void missing_extra_and_misshaped_tensors_are_told_together(void **state)
{
    (void)state;
    need_fixtures();
    lw_store *store = lw_store_load(FIXTURES "lategan/weights.safetensors"), *broken = lw_store_create();
    for (size_t i = 0; i < lw_store_count(store); i++) {
        const char *name = lw_store_name(store, i);
        const lw_tensor *tensor = lw_store_get(store, name);
        if (strncmp(name, "G.", 2) != 0 || strcmp(name, "G.net.1.1.bias") == 0)
            continue;
        lw_shape shape =
            strcmp(name, "G.net.0.1.bias") == 0 ? LW_SHAPE(1, tensor->shape.dim[0]) : tensor->shape;
        assert_int_equal(lw_store_set(broken, name, shape, tensor->data), LW_OK);
    }
    assert_int_equal(lw_store_set(broken, "G.surplus", LW_SHAPE(1), (float[]){1}), LW_OK);
    save(broken, "broken.safetensors");
    lw_store_destroy(store);
    assert_int_equal(call("import broken.safetensors -o x.safetensors"), 1);
    assert_non_null(strstr(text, "net.1.1.bias"));
    assert_non_null(strstr(text, "net.0.1.bias"));
    assert_non_null(strstr(text, "surplus"));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malicious_file_is_status_1_and_told),
        cmocka_unit_test(import_says_where_to_write),
        cmocka_unit_test(inspect_tells_networks_tensors_arguments_and_architecture),
        cmocka_unit_test(a_shipped_file_is_of_the_plugin_that_it_names),
        cmocka_unit_test(a_shipped_network_is_detected_by_the_plugin_that_it_names),
        cmocka_unit_test(a_file_of_a_plugin_that_is_not_here_says_which),
        cmocka_unit_test(an_imported_file_holds_the_same_numbers),
        cmocka_unit_test(one_network_is_taken_out_with_bare_names),
        cmocka_unit_test(one_network_comes_without_what_is_said_of_the_others),
        cmocka_unit_test(another_architecture_is_refused_with_the_reason),
        cmocka_unit_test(missing_extra_and_misshaped_tensors_are_told_together),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
