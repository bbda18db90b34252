/* test_checkpoint.c — the files people hold: every native container of ../shared/fixtures gives the numbers
 * of its weights.safetensors bit for bit. Containers made here are in test_pickle.c,
 * test_archive.c and test_tensorflow.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "checkpoint/checkpoint.h"
#include "latentwalk/image.h"

#define FIXTURES LW_SOURCE_DIR "/../shared/fixtures/"

/* Network `network` of `file` holds what weights.safetensors has under `prefix`, but for names with
 * `without`; and `beside` as expected.safetensors has it. */
typedef struct row {
    const char *folder, *file, *container, *network, *prefix, *without, *beside;
} row;

static const row rows[] = {
    {"biggan", "G_ema.pth", "PyTorch zip", "", "", "D."},
    {"biggan", "G_ema_legacy.pth", "PyTorch legacy", "", "", "D."},
    {"biggan_deep", "pytorch_model.bin", "PyTorch zip", "", "", NULL},
    {"biggan_nohier", "G_ema.pth", "PyTorch zip", "", "", "D."},
    {"biggan_nohier", "G_ema_legacy.pth", "PyTorch legacy", "", "", "D."},
    {"clip_vit", "clip_state_dict.pt", "PyTorch zip", "", "", NULL},
    {"dcgan_zoo", "model.pth", "PyTorch zip", "netG", "netG.", NULL},
    {"dcgan_zoo", "model.pth", "PyTorch zip", "netD", "netD.", NULL},
    {"dcgan_zoo", "model.pth", "PyTorch zip", "avgG", "avgG.", NULL},
    {"dcgan_zoo", "model_legacy.pth", "PyTorch legacy", "netG", "netG.", NULL},
    {"dcgan_zoo", "model_legacy.pth", "PyTorch legacy", "netD", "netD.", NULL},
    {"dcgan_zoo", "model_legacy.pth", "PyTorch legacy", "avgG", "avgG.", NULL},
    {"eg3d", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", NULL},
    {"lategan", "generator.pth", "PyTorch zip", "", "G.", NULL},
    {"lategan", "discriminator.pth", "PyTorch zip", "", "D.", NULL},
    {"lpips_lin", "alex.pth", "PyTorch legacy", "", "v0.1.alex.", NULL},
    {"lpips_lin", "squeeze.pth", "PyTorch legacy", "", "v0.1.squeeze.", NULL},
    {"lpips_lin", "vgg.pth", "PyTorch legacy", "", "v0.1.vgg.", NULL},
    {"pggan_genforce", "model.pth", "PyTorch zip", "generator_smooth", "", NULL},
    {"pggan_genforce_fused", "model.pth", "PyTorch zip", "generator_smooth", "", NULL},
    {"pggan_zoo", "model.pth", "PyTorch zip", "netG", "netG.", NULL},
    {"pggan_zoo", "model.pth", "PyTorch zip", "netD", "netD.", NULL},
    {"pggan_zoo", "model.pth", "PyTorch zip", "avgG", "avgG.", NULL},
    {"pggan_zoo", "model_legacy.pth", "PyTorch legacy", "avgG", "avgG.", NULL},
    {"pggan_zoo_alpha", "model.pth", "PyTorch zip", "netG", "netG.", NULL},
    {"pggan_zoo_alpha", "model_legacy.pth", "PyTorch legacy", "netD", "netD.", NULL},
    {"semantic_stylegan", "000000.pt", "PyTorch zip", "g_ema", "", NULL},
    {"sngan", "generator.pt", "PyTorch zip", "", "", NULL},
    {"stylegan1", "model.pth", "PyTorch zip", "generator_smooth", "", NULL},
    {"stylegan1_fused", "model.pth", "PyTorch zip", "generator_smooth", "", NULL},
    {"stylegan2", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan2", "network-snapshot-000000.pkl", "NVIDIA pickle", "D", "D.", NULL},
    {"stylegan2", "network-snapshot-000000_p3.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan2", "network-snapshot-000000_p3.pkl", "NVIDIA pickle", "D", "D.", NULL},
    {"stylegan2_cond", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan2_cond", "network-snapshot-000000_p3.pkl", "NVIDIA pickle", "D", "D.", NULL},
    {"stylegan2_resnet", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan2_resnet", "network-snapshot-000000_p3.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan2_rosinality", "model.pt", "PyTorch zip", "g_ema", "", NULL, "latent_avg"},
    {"stylegan2_rosinality", "model_legacy.pt", "PyTorch legacy", "g_ema", "", NULL, "latent_avg"},
    {"stylegan2_sefa", "model.pth", "PyTorch zip", "generator_smooth", "", NULL},
    {"stylegan3_r", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"stylegan3_t", "network-snapshot-000000.pkl", "NVIDIA pickle", "G_ema", "", "D."},
    {"wgangp_resnet", "generator.pth", "PyTorch zip", "", "", NULL},
    {"wgangp_zoo", "model.pth", "PyTorch zip", "netG", "netG.", NULL},
    {"wgangp_zoo", "model_legacy.pth", "PyTorch legacy", "avgG", "avgG.", NULL},
};

static bool have_fixtures(void)
{
    if (access(FIXTURES, R_OK) == 0)
        return true;
    print_message("skipped: ../shared/fixtures is not here\n");
    return false;
}

static lwi_checkpoint *open_fixture(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, FIXTURES "%s/%s", folder, name);
    /* The name is kept by reference: it must live as long as the file. */
    static char names[8][1024];
    static int next;
    char *own = memcpy(names[next++ % 8], path, sizeof path);
    lwi_checkpoint *file = lwi_checkpoint_open(own);
    if (!file)
        fail_msg("%s", lw_error_text());
    return file;
}

static lw_store *load_weights(const char *folder, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, FIXTURES "%s/%s", folder, file);
    lw_store *store = lw_store_load(path);
    if (!store)
        fail_msg("%s", lw_error_text());
    return store;
}

static void same_tensor(const row *r, lw_store *wanted, const char *name, lw_store *got, const char *as)
{
    const lw_tensor *want = lw_store_get(wanted, name), *have = lw_store_get(got, as);
    if (!want || !have || !lw_shape_equal(want->shape, have->shape))
        fail_msg("%s/%s: '%s' is missing or of another shape", r->folder, r->file, name);
    if (memcmp(want->data, have->data, (size_t)lw_shape_count(want->shape) * sizeof *want->data) != 0)
        fail_msg("%s/%s: '%s' has other values", r->folder, r->file, name);
}

static void compare(const row *r)
{
    lwi_checkpoint *file = open_fixture(r->folder, r->file);
    lw_store *weights = load_weights(r->folder, "weights.safetensors"),
             *got = lwi_checkpoint_store(file, r->network);
    if (!got)
        fail_msg("%s", lw_error_text());
    assert_string_equal(lwi_checkpoint_container(file), r->container);
    size_t compared = 0, length = strlen(r->prefix);
    for (size_t i = 0; i < lw_store_count(weights); i++) {
        const char *name = lw_store_name(weights, i);
        if (strncmp(name, r->prefix, length) != 0 ||
            (r->without && strncmp(name, r->without, strlen(r->without)) == 0))
            continue;
        same_tensor(r, weights, name, got, name + length);
        compared++;
    }
    assert_true(compared > 0);
    if (r->beside) {
        lw_store *expected = load_weights(r->folder, "expected.safetensors");
        same_tensor(r, expected, r->beside, got, r->beside);
        lw_store_destroy(expected);
        compared++;
    }
    if (compared != lw_store_count(got))
        fail_msg("%s/%s: %zu tensors instead of %zu", r->folder, r->file, lw_store_count(got), compared);
    lw_store_destroy(weights);
    lw_store_destroy(got);
    lwi_checkpoint_close(file);
}

static void native_containers_give_the_numbers_of_the_safetensors(void **state)
{
    (void)state;
    if (!have_fixtures())
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        compare(&rows[i]);
}

static json_t *config_of(const char *folder, const char *file, const char *key)
{
    char path[1024];
    snprintf(path, sizeof path, FIXTURES "%s/%s", folder, file);
    lw_store *store = lwi_weights_load(path);
    if (!store)
        fail_msg("%s", lw_error_text());
    const char *text = lw_store_metadata(store, key);
    json_t *config = text ? json_loads(text, 0, NULL) : NULL;
    lw_store_destroy(store);
    if (!config)
        fail_msg("%s/%s has no metadata '%s'", folder, file, key);
    return config;
}

static void expect_number(const char *folder, const char *file, const char *key, const char *name,
                          double value)
{
    json_t *config = config_of(folder, file, key), *found = json_object_get(config, name);
    if (!json_is_number(found) || json_number_value(found) != value)
        fail_msg("%s/%s: '%s' of %s is not %g", folder, file, name, key, value);
    json_decref(config);
}

static void constructor_arguments_come_along(void **state)
{
    (void)state;
    if (!have_fixtures())
        skip();
    const char *nvidia = "network-snapshot-000000.pkl";
    expect_number("stylegan2", nvidia, "config", "z_dim", 32);
    expect_number("stylegan2", nvidia, "config", "img_resolution", 32);
    expect_number("stylegan2", nvidia, "config.D", "img_resolution", 32);
    expect_number("stylegan2_cond", "network-snapshot-000000_p3.pkl", "config", "c_dim", 5);
    expect_number("dcgan_zoo", "model_legacy.pth", "config", "depth", 2);
    expect_number("semantic_stylegan", "000000.pt", "config", "latent", 24);
}

static void several_networks_keep_their_names_as_prefixes(void **state)
{
    (void)state;
    if (!have_fixtures())
        skip();
    lw_store *store = lwi_weights_load(FIXTURES "stylegan2/network-snapshot-000000.pkl");
    assert_non_null(store);
    assert_true(lw_store_has(store, "G_ema.mapping.w_avg"));
    assert_true(lw_store_has(store, "G.mapping.w_avg"));
    assert_true(lw_store_has(store, "D.b4.out.weight"));
    lw_store_destroy(store);
    store = lwi_weights_load(FIXTURES "stylegan2_rosinality/model.pt");
    assert_non_null(store);
    assert_true(lw_store_has(store, "g_ema.style.1.weight"));
    assert_true(lw_store_has(store, "g_ema.latent_avg"));
    lw_store_destroy(store);
}

static void an_unknown_network_is_told_with_those_there_are(void **state)
{
    (void)state;
    if (!have_fixtures())
        skip();
    lwi_checkpoint *file = open_fixture("dcgan_zoo", "model.pth");
    assert_null(lwi_checkpoint_store(file, "G_ema"));
    assert_non_null(strstr(lw_error_text(), "'avgG'"));
    lwi_checkpoint_close(file);
}

/* --- reading when a tensor is first looked at ----------------------------------------------------- */

static const float values[6] = {1, 2, 3, 4, 5, 6};

/* The store of a file by path, of which no tensor has been looked at yet. */
static lw_store *store_of_file(char *path)
{
    bytes object = {0}, file = {0};
    pickle_state_dict(&object, "weight", 6, 0, 1, (int64_t[]){6}, (int64_t[]){1});
    const zip_part parts[] = {{.name = "archive/data.pkl", .data = object.data, .size = object.size},
                              {.name = "archive/data/0", .data = values, .size = sizeof values}};
    zip_file(&file, parts, 2);
    strcpy(path, "archive-XXXXXX");
    close(mkstemp(path));
    assert_int_equal(lw_file_write(path, file.data, file.size), LW_OK);
    bytes_free(&object);
    bytes_free(&file);
    lw_store *store = lwi_weights_load(path);
    if (!store)
        fail_msg("%s", lw_error_text());
    return store;
}

static void a_file_may_be_replaced_while_its_store_lives(void **state)
{
    (void)state;
    char path[32];
    lw_store *store = store_of_file(path);
    assert_int_equal(lw_file_write(path, "other", 5), LW_OK); /* another file takes the name */
    const lw_tensor *tensor = lw_store_get(store, "weight");
    assert_non_null(tensor);
    assert_memory_equal(tensor->data, values, sizeof values);
    lw_store_destroy(store);
    unlink(path);
}

static void a_file_written_to_while_its_store_lives_is_told(void **state)
{
    (void)state;
    char path[32];
    lw_store *store = store_of_file(path);
    assert_int_equal(truncate(path, 0), 0);
    assert_null(lw_store_get(store, "weight"));
    assert_int_equal(lw_error_status(), LW_IO);
    assert_non_null(strstr(lw_error_text(), "was written to while it was read"));
    lw_store_destroy(store);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_containers_give_the_numbers_of_the_safetensors),
        cmocka_unit_test(constructor_arguments_come_along),
        cmocka_unit_test(several_networks_keep_their_names_as_prefixes),
        cmocka_unit_test(an_unknown_network_is_told_with_those_there_are),
        cmocka_unit_test(a_file_may_be_replaced_while_its_store_lives),
        cmocka_unit_test(a_file_written_to_while_its_store_lives_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
