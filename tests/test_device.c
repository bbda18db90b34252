/* test_device.c — finding and opening devices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/program.h"

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
        cmocka_unit_test(the_device_none_compiles_and_counts_but_computes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
