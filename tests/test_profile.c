/* test_profile.c — what `--profile` counts and times. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/program.h"
#include "runtime/profile.h"

#include <string.h>

enum { M = 3, K = 40, N = 50 };

/* y = tanh(x w) */
static lw_program *product(lw_device *device)
{
    static const float x[M * K] = {1}, w[K * N] = {2};
    lw_graph *g = lw_graph_create();
    lw_value a = lw_input(g, "x", LW_SHAPE(M, K)), b = lw_input(g, "w", LW_SHAPE(K, N));
    lw_output(g, "y", lw_tanh(g, lw_matmul(g, a, b)));
    lw_program *program = lw_compile(g, device);
    lw_graph_destroy(g);
    assert_non_null(program);
    assert_int_equal(lw_program_write(program, "x", x, M * K), LW_OK);
    assert_int_equal(lw_program_write(program, "w", w, K * N), LW_OK);
    return program;
}

static const lwi_profile_row *row_of_product(const lwi_profile *p, int section)
{
    for (int i = 0; i < p->row_count; i++)
        if (p->row[i].section == section && p->row[i].flops > 0)
            return &p->row[i];
    fail_msg("no row has arithmetic");
    return NULL;
}

static void counts_calls_arithmetic_and_bytes_by_section(const char *blas)
{
    lw_device *device = lw_device_open("cpu", blas);
    const lwi_profile *p;
    assert_int_equal(lwi_profile_start(device), LW_OK);
    lw_program *program = product(device);
    assert_int_equal(lwi_profile_begin(device, "first"), LW_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lw_program_run(program), LW_OK);
    assert_int_equal(lwi_profile_begin(device, "second"), LW_OK);
    assert_int_equal(lw_program_run(program), LW_OK);
    assert_int_equal(lwi_profile_finish(device, &p), LW_OK);
    assert_int_equal(p->section_count, 2);
    assert_string_equal(p->section[0].name, "first");
    const lwi_profile_row *first = row_of_product(p, 0), *second = row_of_product(p, 1);
    assert_int_equal(first->calls, 3);
    assert_int_equal(second->calls, 1);
    assert_float_equal(first->flops, 2.0 * M * N * K, 0);
    assert_true(first->bytes >= sizeof(float) * (M * K + K * N + M * N));
    assert_non_null(strstr(first->label, "matmul"));
    assert_true(first->seconds > 0 && first->seconds < p->section[0].seconds);
    assert_true(p->peak_flops > 1e8 && p->peak_bytes > 1e7);
    uint64_t calls = 0;
    for (int i = 0; i < p->row_count; i++)
        calls += p->row[i].calls;
    assert_int_equal(p->launch_count, calls);
    assert_int_equal(p->left_out, 0);
    lw_program_destroy(program);
    lw_device_close(device);
}

static void native_kernels_are_timed(void **state)
{
    (void)state;
    counts_calls_arithmetic_and_bytes_by_section("native");
}

static void library_calls_are_timed_between_markers(void **state)
{
    (void)state;
    counts_calls_arithmetic_and_bytes_by_section("clblast");
}

static void results_are_the_same_with_and_without(void **state)
{
    (void)state;
    float y[2][M * N];
    for (int profiled = 0; profiled < 2; profiled++) {
        lw_device *device = lw_device_open("cpu", NULL);
        if (profiled)
            assert_int_equal(lwi_profile_start(device), LW_OK);
        lw_program *program = product(device);
        assert_int_equal(lw_program_run(program), LW_OK);
        assert_int_equal(lw_program_read(program, "y", y[profiled], M * N), LW_OK);
        lw_program_destroy(program);
        lw_device_close(device);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
}

static void nothing_runs_on_the_device_none(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("none", NULL);
    assert_int_equal(lwi_profile_start(device), LW_INVALID);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_kernels_are_timed),
        cmocka_unit_test(library_calls_are_timed_between_markers),
        cmocka_unit_test(results_are_the_same_with_and_without),
        cmocka_unit_test(nothing_runs_on_the_device_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
