/* test_device.c — finding and opening devices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/program.h"
#include "runtime/clblast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lw_device_info opened(const char *selector, const char *blas)
{
    lw_device_info info = {0};
    lw_device *device = lw_device_open(selector, blas);
    if (!device)
        fail_msg("cannot open '%s': %s", selector ? selector : "(none)", lw_error_text());
    assert_int_equal(lw_device_describe(device, &info), LW_OK);
    lw_device_close(device);
    return info;
}

static void lists_what_can_be_opened(void **state)
{
    (void)state;
    lw_device_info list[16];
    int count = lw_device_list(list, 16);
    assert_true(count >= 1);
    for (int i = 0; i < count && i < 16; i++) {
        lw_device_info info = opened(list[i].selector, NULL);
        assert_string_equal(info.name, list[i].name);
        assert_true(info.memory > 0 && info.units > 0);
    }
    assert_int_equal(lw_device_list(NULL, 0), count);
}

static void selects_by_kind_number_and_part_of_the_name(void **state)
{
    (void)state;
    lw_device_info cpu = opened("cpu", NULL);
    assert_string_equal(cpu.type, "cpu");
    assert_string_equal(opened(cpu.selector, NULL).name, cpu.name);
    char part[8] = "";
    memcpy(part, cpu.name + 1, strlen(cpu.name) > 7 ? 6 : 1);
    assert_string_equal(opened(part, NULL).name, cpu.name);
}

static void cpus_use_the_native_back_end_unless_told(void **state)
{
    (void)state;
    assert_string_equal(opened("cpu", NULL).blas, "native");
    assert_string_equal(opened("cpu", "auto").blas, "native");
    assert_string_equal(opened("cpu", "clblast").blas, "clblast");
}

static void an_unknown_device_is_an_error_that_lists_the_known(void **state)
{
    (void)state;
    assert_null(lw_device_open("no such device", NULL));
    assert_int_equal(lw_error_status(), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "no such device"));
    assert_non_null(strstr(lw_error_text(), "0:0"));
}

static void an_unknown_back_end_is_an_error_that_lists_the_known(void **state)
{
    (void)state;
    assert_null(lw_device_open("cpu", "cublas"));
    assert_int_equal(lw_error_status(), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "clblast"));
}

/* y = x w on the device, where every element is the sum of 70 ones. */
static void multiplies_right(lw_device *device)
{
    enum { M = 40, K = 70, N = 50 };
    static float ones[K * N], y[M * N];
    for (int i = 0; i < K * N; i++)
        ones[i] = 1;
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_matmul(g, lw_input(g, "x", LW_SHAPE(M, K)), lw_input(g, "w", LW_SHAPE(K, N))));
    lw_program *p = lw_compile(g, device);
    assert_non_null(p);
    assert_int_equal(lw_program_write(p, "x", ones, M * K), LW_OK);
    assert_int_equal(lw_program_write(p, "w", ones, K * N), LW_OK);
    assert_int_equal(lw_program_run(p), LW_OK);
    assert_int_equal(lw_program_read(p, "y", y, M * N), LW_OK);
    for (int i = 0; i < M * N; i++)
        assert_true(y[i] == K);
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void products_may_be_compiled_ahead(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "clblast");
    assert_non_null(device);
    lwi_clblast_compile_ahead(device); /* as opening a GPU does */
    multiplies_right(device);
    lw_device_close(device);
}

static char cache[32];

static int make_cache(void **state)
{
    (void)state;
    strcpy(cache, "/tmp/lw-device-XXXXXX");
    return mkdtemp(cache) && setenv("XDG_CACHE_HOME", cache, 1) == 0 ? 0 : -1;
}

static int remove_cache(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", cache);
    return system(command);
}

static void a_tuned_device_is_opened_with_its_settings(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "clblast");
    assert_non_null(device);
    assert_int_equal(lwi_clblast_save(device, &(lwi_clblast_tuning){{6, 1, 0}}), LW_OK);
    lw_device_close(device);
    device = lw_device_open("cpu", "clblast");
    assert_non_null(device);
    multiplies_right(device);
    lw_device_close(device);
}

static void settings_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "clblast");
    assert_non_null(device);
    assert_int_equal(lwi_clblast_save(device, &(lwi_clblast_tuning){{0, 99, 0}}), LW_OK);
    lw_device_close(device);
    assert_null(lw_device_open("cpu", "clblast"));
    assert_non_null(strstr(lw_error_text(), cache));
    assert_non_null(strstr(lw_error_text(), "XgemmDirect has no setting 99"));
    lw_error_clear();
    device = lw_device_open("cpu", NULL); /* only CLBlast minds */
    assert_non_null(device);
    lw_device_close(device);
}

static void the_device_none_compiles_and_counts_but_computes_nothing(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("none", NULL);
    assert_non_null(device);
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(64, 128));
    lw_value w = lw_input(g, "w", LW_SHAPE(128, 32));
    lw_output(g, "y", lw_affine(g, lw_matmul(g, x, w), 1, 5));
    lw_program *p = lw_compile(g, device);
    assert_non_null(p);
    lw_program_stats stats;
    lw_program_describe(p, &stats);
    assert_true(stats.flops == 2.0 * 64 * 128 * 32);
    assert_true(stats.kernels > 0 && stats.io_bytes >= 4 * (64 * 128 + 128 * 32 + 64 * 32));
    float x_data[64 * 128] = {0}, w_data[128 * 32] = {0}, y[64 * 32] = {1};
    assert_int_equal(lw_program_write(p, "x", x_data, 64 * 128), LW_OK);
    assert_int_equal(lw_program_write(p, "w", w_data, 128 * 32), LW_OK);
    assert_int_equal(lw_program_run(p), LW_OK);
    assert_int_equal(lw_program_read(p, "y", y, 64 * 32), LW_OK);
    assert_true(y[0] == 0);
    lw_program_destroy(p);
    lw_graph_destroy(g);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_can_be_opened),
        cmocka_unit_test(selects_by_kind_number_and_part_of_the_name),
        cmocka_unit_test(cpus_use_the_native_back_end_unless_told),
        cmocka_unit_test(an_unknown_device_is_an_error_that_lists_the_known),
        cmocka_unit_test(an_unknown_back_end_is_an_error_that_lists_the_known),
        cmocka_unit_test(products_may_be_compiled_ahead),
        cmocka_unit_test_setup_teardown(a_tuned_device_is_opened_with_its_settings, make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(settings_that_do_not_exist_are_refused, make_cache, remove_cache),
        cmocka_unit_test(the_device_none_compiles_and_counts_but_computes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
