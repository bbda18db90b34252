/* test_latents.c — where source/latents takes its latents from. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "plugin/args.h"

#include <math.h>
#include <string.h>

static lw_model *model; /* z_dim 100 */

static int make_model(void **state)
{
    (void)state;
    const lw_plugin *plugin = harness_plugin("generator/dcgan");
    model = lwi_model_create("faces");
    lw_status status =
        lwi_model_set_part(model, LW_PART_GENERATOR, plugin, lwi_args_create(plugin), NULL, NULL, 1);
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
    return 0;
}

static int destroy_model(void **state)
{
    (void)state;
    lwi_model_destroy(model);
    return 0;
}

static void open_source(harness *h)
{
    harness_open(h, "source/latents");
    h->model = model;
    harness_set(h, "model", "faces");
}

static const lw_tensor *run_ok(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
    const lw_tensor *z = harness_output(h, "z");
    assert_non_null(z);
    return z;
}

static void expect_error(harness *h, const char *words)
{
    assert_int_not_equal(harness_run(h), LW_OK);
    if (!strstr(lw_error_text(), words))
        fail_msg("'%s' does not say '%s'", lw_error_text(), words);
}

static void latents_of_a_seed_are_normal_and_more_of_them_begin_the_same(void **state)
{
    (void)state;
    harness few, many;
    open_source(&few);
    open_source(&many);
    harness_set(&few, "count", "3");
    harness_set(&many, "count", "200");
    const lw_tensor *a = run_ok(&few), *b = run_ok(&many);
    assert_true(lw_shape_equal(b->shape, LW_SHAPE(200, 100)));
    assert_memory_equal(a->data, b->data, 300 * sizeof(float));
    double sum = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        sum += b->data[i];
        squares += (double)b->data[i] * b->data[i];
    }
    assert_true(fabs(sum / 20000) < 0.03); /* 4 deviations of the mean */
    assert_true(fabs(squares / 20000 - 1) < 0.04);
    harness_close(&few);
    harness_close(&many);
}

/* np.random.RandomState(0).randn(1, 100)[0, :3] and RandomState(85).randn(1, 100)[0, :3]. */
static void seeds_give_the_latents_of_the_official_scripts(void **state)
{
    (void)state;
    harness h;
    open_source(&h);
    harness_set(&h, "seeds", "[0, 85]");
    const lw_tensor *z = run_ok(&h);
    assert_true(lw_shape_equal(z->shape, LW_SHAPE(2, 100)));
    const float zero[] = {1.764052345967664f, 0.4001572083672233f, 0.9787379841057392f};
    assert_memory_equal(z->data, zero, sizeof zero);
    lw_random_state numpy;
    double row[100];
    lw_random_state_seed(&numpy, 85);
    lw_random_state_randn(&numpy, 100, row);
    for (int i = 0; i < 100; i++)
        assert_true(z->data[100 + i] == (float)row[i]);
    harness_close(&h);
}

static void a_file_gives_its_first_rows(void **state)
{
    (void)state;
    harness h;
    open_source(&h);
    char *npy = lw_format("%s/z.npy", h.folder), *stored = lw_format("%s/z.safetensors", h.folder);
    lw_tensor *z = lw_tensor_create(LW_SHAPE(5, 100));
    for (int i = 0; i < 500; i++)
        z->data[i] = (float)i;
    assert_int_equal(lw_npy_save(z, npy), LW_OK);
    lw_store *store = lw_store_create();
    assert_int_equal(lw_store_set(store, "w", LW_SHAPE(1), z->data), LW_OK);
    assert_int_equal(lw_store_set(store, "z", z->shape, z->data), LW_OK);
    assert_int_equal(lw_store_save(store, stored, LW_STORE_F32), LW_OK);
    lw_store_destroy(store);

    harness_set(&h, "file", npy);
    assert_true(lw_shape_equal(run_ok(&h)->shape, z->shape));
    harness_set(&h, "file", stored);
    expect_error(&h, "name one with `tensor`");
    harness_set(&h, "tensor", "z");
    harness_set(&h, "count", "2");
    const lw_tensor *two = run_ok(&h);
    assert_true(lw_shape_equal(two->shape, LW_SHAPE(2, 100)));
    assert_memory_equal(two->data, z->data, 200 * sizeof(float));
    harness_set(&h, "count", "6");
    expect_error(&h, "holds 5 latents");
    lw_tensor_destroy(z);
    lw_free(npy);
    lw_free(stored);
    harness_close(&h);
}

static void a_file_of_another_width_is_refused_with_both(void **state)
{
    (void)state;
    harness h;
    open_source(&h);
    char *path = lw_format("%s/w.npy", h.folder);
    lw_tensor *w = lw_tensor_create(LW_SHAPE(2, 512));
    assert_int_equal(lw_npy_save(w, path), LW_OK);
    harness_set(&h, "file", path);
    expect_error(&h, "is [2, 512], but the model takes latents [N, 100]");
    harness_set(&h, "file", "/nowhere/z.txt");
    expect_error(&h, "neither .npy nor .safetensors");
    lw_tensor_destroy(w);
    lw_free(path);
    harness_close(&h);
}

static void two_sources_at_once_are_refused(void **state)
{
    (void)state;
    harness h;
    open_source(&h);
    harness_set(&h, "seeds", "[1]");
    harness_set(&h, "count", "3");
    expect_error(&h, "`seeds`");
    harness_close(&h);
    open_source(&h);
    harness_set(&h, "tensor", "z");
    expect_error(&h, "`file`, which is not given");
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latents_of_a_seed_are_normal_and_more_of_them_begin_the_same),
        cmocka_unit_test(seeds_give_the_latents_of_the_official_scripts),
        cmocka_unit_test(a_file_gives_its_first_rows),
        cmocka_unit_test(a_file_of_another_width_is_refused_with_both),
        cmocka_unit_test(two_sources_at_once_are_refused),
    };
    return cmocka_run_group_tests(tests, make_model, destroy_model);
}
