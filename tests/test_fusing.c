/* test_fusing.c — what a program does not compute, computes once, or computes in one kernel, and in whose
 * memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "compiled.h"

static void what_no_output_needs_is_dropped(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(64));
    lw_sum(g, lw_exp(g, x), LW_ALL_AXES, false);
    lw_output(g, "y", lw_neg(g, x));
    lw_program *p = compile(g);
    assert_int_equal(kernels(p), 1);
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void a_chain_with_broadcasts_slices_and_permutations_is_one_kernel(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(40, 30)), row = lw_input(g, "row", LW_SHAPE(30));
    lw_value h = lw_tanh(g, lw_add(g, lw_mul(g, x, row), lw_scalar(g, 2)));
    h = lw_add(g, lw_transpose(g, lw_exp(g, h), 0, 1), lw_iota(g, 40));
    lw_output(g, "y", lw_slice(g, lw_sqrt(g, lw_abs(g, h)), 0, 5, 20, 1));
    lw_program *p = compile(g);
    assert_int_equal(kernels(p), 1);
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void an_elementwise_producer_fuses_into_its_reduction(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(20, 30)), y = lw_input(g, "y", LW_SHAPE(20, 30));
    lw_output(g, "loss", lw_sum(g, lw_square(g, lw_sub(g, x, y)), LW_ALL_AXES, false));
    lw_program *p = compile(g);
    assert_int_equal(kernels(p), 1);
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void parts_of_constants_and_frozen_parameters_run_once(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    set_normal(store, "w", LW_SHAPE(32, 16, 3, 3));
    set_normal(store, "b", LW_SHAPE(32));
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(1, 16, 1, 1));
    lw_value w = lw_exp(g, lw_parameter(g, store, "w"));
    lw_value b = lw_tanh(g, lw_parameter(g, store, "b"));
    lw_output(g, "y", lw_relu(g, lw_conv2d(g, x, w, .padding = 1, .bias = b)));
    lw_graph *bare = lw_graph_create();
    lw_value bare_x = lw_input(bare, "x", LW_SHAPE(1, 16, 1, 1));
    lw_output(bare, "y", lw_conv2d(bare, bare_x, lw_parameter(bare, store, "w"), .padding = 1));
    lw_program *p = compile(g), *q = compile(bare);
    /* Neither exp, tanh and packing, nor bias and relu, cost a kernel of their own. */
    assert_int_equal(kernels(p), kernels(q));
    lw_program_stats stats;
    lw_program_describe(p, &stats);
    assert_true(stats.constant_bytes >= 4 * 32);
    lw_program_destroy(p);
    lw_program_destroy(q);
    lw_graph_destroy(g);
    lw_graph_destroy(bare);
    lw_store_destroy(store);
}

static void an_elementwise_update_is_written_in_place(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    set_normal(store, "w", LW_SHAPE(1000));
    lw_graph *g = lw_graph_create();
    lw_value w = lw_parameter(g, store, "w");
    lw_assign(g, w, lw_sub(g, w, lw_affine(g, lw_tanh(g, w), 0.1, 0)));
    lw_program *p = compile(g);
    lw_program_stats stats;
    lw_program_describe(p, &stats);
    assert_int_equal(stats.kernels, 1);
    assert_int_equal(stats.arena_bytes, 0);
    lw_program_destroy(p);
    lw_graph_destroy(g);
    lw_store_destroy(store);
}

static void dead_values_give_their_memory_to_later_ones(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(256, 256));
    for (int i = 0; i < 20; i++)
        x = lw_tanh(g, lw_matmul(g, x, x));
    lw_output(g, "y", lw_sum(g, x, LW_ALL_AXES, false));
    lw_program *p = compile(g);
    lw_program_stats stats;
    lw_program_describe(p, &stats);
    assert_true(stats.arena_bytes <= 4 * 256 * 256 * sizeof(float));
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

/* What reads the same values is computed in one kernel: both sums, and the two assigned values. */
static void what_reads_the_same_values_shares_a_kernel(void **state)
{
    (void)state;
    enum { ROWS = 40, COLUMNS = 21 };
    static float x[ROWS * COLUMNS];
    lw_store *store = lw_store_create();
    set_normal(store, "p", LW_SHAPE(ROWS, COLUMNS));
    set_normal(store, "m", LW_SHAPE(ROWS, COLUMNS));
    float p0 = lw_store_get(store, "p")->data[7], m0 = lw_store_get(store, "m")->data[7];
    lw_graph *g = lw_graph_create();
    lw_value in = lw_input(g, "x", LW_SHAPE(ROWS, COLUMNS)), p = lw_parameter(g, store, "p"),
             m = lw_parameter(g, store, "m");
    lw_output(g, "sum", lw_sum(g, in, LW_AXIS(0), false));
    lw_output(g, "squares", lw_sum(g, lw_square(g, in), LW_AXIS(0), false));
    lw_value moment = lw_add(g, lw_affine(g, m, 0.9, 0), in); /* SGD with momentum */
    lw_assign(g, m, moment);
    lw_assign(g, p, lw_sub(g, p, lw_affine(g, moment, 0.1, 0)));
    lw_program *program = compile(g);
    lw_graph_destroy(g);
    assert_int_equal(kernels(program), 2);
    fill_normal(x, ROWS * COLUMNS, "x");
    assert_int_equal(lw_program_write(program, "x", x, ROWS * COLUMNS), LW_OK);
    run(program);
    float sum[COLUMNS], squares[COLUMNS];
    assert_int_equal(lw_program_read(program, "sum", sum, COLUMNS), LW_OK);
    assert_int_equal(lw_program_read(program, "squares", squares, COLUMNS), LW_OK);
    for (int j = 0; j < COLUMNS; j++) {
        double s = 0, q = 0;
        for (int i = 0; i < ROWS; i++) {
            s += (double)x[i * COLUMNS + j];
            q += (double)x[i * COLUMNS + j] * (double)x[i * COLUMNS + j];
        }
        assert_float_equal(sum[j], s, 2e-5);
        assert_float_equal(squares[j], q, 2e-5);
    }
    float moved = m0 * 0.9f + x[7];
    assert_float_equal(lw_store_get(store, "m")->data[7], moved, 1e-6);
    assert_float_equal(lw_store_get(store, "p")->data[7], p0 - 0.1f * moved, 1e-6);
    lw_program_destroy(program);
    lw_store_destroy(store);
}

/* What is computed once must not be drawn into what is computed in each run. */
static void constants_do_not_share_kernels_with_what_varies(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    set_normal(store, "w", LW_SHAPE(30, 30));
    lw_graph *g = lw_graph_create();
    lw_value w = lw_parameter(g, store, "w"), x = lw_input(g, "x", LW_SHAPE(30, 30));
    lw_output(g, "constant", lw_sum(g, w, LW_AXIS(0), false));
    lw_output(g, "varying", lw_sum(g, lw_mul(g, w, x), LW_AXIS(0), false));
    lw_program *program = compile(g);
    lw_graph_destroy(g);
    assert_int_equal(kernels(program), 1);
    lw_program_destroy(program);
    lw_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_output_needs_is_dropped),
        cmocka_unit_test(a_chain_with_broadcasts_slices_and_permutations_is_one_kernel),
        cmocka_unit_test(an_elementwise_producer_fuses_into_its_reduction),
        cmocka_unit_test(parts_of_constants_and_frozen_parameters_run_once),
        cmocka_unit_test(an_elementwise_update_is_written_in_place),
        cmocka_unit_test(dead_values_give_their_memory_to_later_ones),
        cmocka_unit_test(what_reads_the_same_values_shares_a_kernel),
        cmocka_unit_test(constants_do_not_share_kernels_with_what_varies),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
