/* test_program.c — programs: what is refused, and what runs give. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiled.h"
#include "latentwalk/random.h"
#include "runtime/device.h"

/* --- what is refused ------------------------------------------------------------------------------ */
static void a_write_of_the_wrong_size_is_refused(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_neg(g, lw_input(g, "x", LW_SHAPE(4))));
    lw_program *p = compile(g);
    float x[5] = {0};
    assert_int_equal(lw_program_write(p, "x", x, 5), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "holds 4 floats, not 5"));
    assert_int_equal(lw_program_write(p, "z", x, 4), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "'x'"));
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void reading_before_a_run_or_an_unknown_output_is_refused(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_neg(g, lw_input(g, "x", LW_SHAPE(4))));
    lw_program *p = compile(g);
    float y[4];
    assert_int_equal(lw_program_read(p, "y", y, 4), LW_INVALID);
    assert_int_equal(lw_program_run(p), LW_INVALID); /* x was never written */
    assert_non_null(strstr(lw_error_text(), "'x' was never written"));
    assert_int_equal(lw_program_write(p, "x", (float[]){1, 2, 3, 4}, 4), LW_OK);
    run(p);
    assert_int_equal(lw_program_read(p, "y", y, 3), LW_SHAPE);
    assert_int_equal(lw_program_read(p, "w", y, 4), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "'y'"));
    assert_null(lw_program_read_tensor(p, "w"));
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void a_graph_with_an_error_does_not_compile(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_add(g, lw_fill(g, LW_SHAPE(3), 1), lw_fill(g, LW_SHAPE(4), 1)));
    assert_null(lw_compile(g, device));
    assert_int_equal(lw_error_status(), LW_SHAPE);
    lw_graph_destroy(g);
}

/* --- parameters ----------------------------------------------------------------------------------- */
static void a_folded_parameter_that_the_host_sets_is_seen(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    lw_store_set(store, "w", LW_SHAPE(1), (float[]){3});
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_square(g, lw_parameter(g, store, "w")));
    lw_program *p = compile(g);
    assert_true(first_output(p) == 9);
    assert_true(first_output(p) == 9);
    lw_store_set(store, "w", LW_SHAPE(1), (float[]){4});
    assert_true(first_output(p) == 16);
    lw_program_destroy(p);
    lw_graph_destroy(g);
    lw_store_destroy(store);
}

static void a_folded_parameter_that_another_program_trains_is_seen(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    lw_store_set(store, "w", LW_SHAPE(1), (float[]){3});
    lw_graph *g = lw_graph_create(), *h = lw_graph_create();
    lw_output(g, "y", lw_square(g, lw_parameter(g, store, "w")));
    lw_value w = lw_parameter(h, store, "w");
    lw_assign(h, w, lw_affine(h, w, 1, 1));
    lw_program *sample = compile(g), *train = compile(h);
    assert_true(first_output(sample) == 9);
    run(train);
    run(train);
    assert_true(first_output(sample) == 25);
    assert_true(lw_store_get(store, "w")->data[0] == 5);
    lw_program_destroy(sample);
    lw_program_destroy(train);
    lw_graph_destroy(g);
    lw_graph_destroy(h);
    lw_store_destroy(store);
}

static void all_assignments_read_the_old_values(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    lw_store_set(store, "a", LW_SHAPE(2), (float[]){1, 2});
    lw_store_set(store, "b", LW_SHAPE(2), (float[]){10, 20});
    lw_store_set(store, "c", LW_SHAPE(2), (float[]){100, 200});
    lw_graph *g = lw_graph_create();
    lw_value a = lw_parameter(g, store, "a"), b = lw_parameter(g, store, "b"),
             c = lw_parameter(g, store, "c");
    lw_assign(g, a, b);
    lw_assign(g, b, lw_slice(g, a, 0, 1, 2, -1));
    lw_assign(g, c, lw_add(g, lw_add(g, a, b), c));
    lw_output(g, "old a", a);
    lw_program *p = compile(g);
    float old[2];
    run(p);
    assert_int_equal(lw_program_read(p, "old a", old, 2), LW_OK);
    assert_true(old[0] == 1 && old[1] == 2);
    assert_true(lw_store_get(store, "a")->data[0] == 10 && lw_store_get(store, "a")->data[1] == 20);
    assert_true(lw_store_get(store, "b")->data[0] == 2 && lw_store_get(store, "b")->data[1] == 1);
    assert_true(lw_store_get(store, "c")->data[0] == 111 && lw_store_get(store, "c")->data[1] == 222);
    lw_program_destroy(p);
    lw_graph_destroy(g);
    lw_store_destroy(store);
}

/* --- working memory -------------------------------------------------------------------------------- */
/* y = (x w)^2 + exp(x w), with x [n, n]: some working memory */
static lw_program *squares(lw_store *store, int n)
{
    lw_graph *g = lw_graph_create();
    lw_value h =
        lw_matmul(g, lw_input(g, "x", LW_SHAPE(n, n)), lw_parameter(g, store, n > 50 ? "large" : "small"));
    lw_output(g, "y", lw_sum(g, lw_add(g, lw_square(g, h), lw_exp(g, lw_neg(g, h))), LW_ALL_AXES, false));
    lw_program *p = compile(g);
    lw_graph_destroy(g);
    float *x = malloc(sizeof *x * (size_t)n * (size_t)n);
    fill_normal(x, (size_t)n * (size_t)n, "x");
    assert_int_equal(lw_program_write(p, "x", x, (size_t)n * (size_t)n), LW_OK);
    free(x);
    return p;
}

static void programs_of_a_device_share_working_memory(void **state)
{
    (void)state;
    lw_device *usual = device;
    device = lw_device_open("cpu", NULL); /* one that has run nothing yet */
    lw_store *store = lw_store_create();
    set_normal(store, "small", LW_SHAPE(20, 20));
    set_normal(store, "large", LW_SHAPE(200, 200));
    lw_program *small = squares(store, 20);
    float alone = first_output(small);
    size_t before = device->arena_count;
    lw_program *large = squares(store, 200);
    assert_true(device->arena_count > before);
    float first = first_output(large);
    assert_true(first_output(small) == alone); /* its buffers were cut anew */
    assert_true(first_output(large) == first);
    lw_program_destroy(large);
    assert_true(first_output(small) == alone);
    lw_program_destroy(small);
    lw_store_destroy(store);
    lw_device_close(device);
    device = usual;
}

/* --- numbers ---------------------------------------------------------------------------------------- */
static void a_long_chain_with_many_outputs_agrees(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_value x = lw_input(g, "x", LW_SHAPE(5, 7, 19)), y = lw_input(g, "y", LW_SHAPE(7, 1)), h = x;
    for (int i = 0; i < 200; i++) {
        h = i % 3 == 0   ? lw_sin(g, lw_add(g, h, y))
            : i % 3 == 1 ? lw_affine(g, lw_mul(g, h, x), 0.3, 0.1)
                         : lw_tanh(g, h);
        if (i % 40 == 39)
            lw_output(g, i == 39 ? "a" : i == 79 ? "b" : i == 119 ? "c" : i == 159 ? "d" : "e", h);
    }
    lw_program *p = compile(g);
    reference *r = reference_create(g);
    float data[5 * 7 * 19], column[7];
    fill_normal(data, 5 * 7 * 19, "x");
    fill_normal(column, 7, "y");
    lw_program_write(p, "x", data, 5 * 7 * 19);
    lw_program_write(p, "y", column, 7);
    reference_write(r, "x", data);
    reference_write(r, "y", column);
    run(p);
    for (const char *name = "abcde"; *name; name++)
        check_output(p, r, (char[]){*name, 0}, 1e-4);
    reference_destroy(r);
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

/* Random graphs of all kinds of cheap ops: whatever is fused, cut or copied, results are the reference's. */
static lw_value random_step(lw_graph *g, const lw_value *pool, int count, uint32_t *dice)
{
    lw_value a = pool[dice[0] % (uint32_t)count], b = pool[dice[1] % (uint32_t)count];
    lw_shape shape = lw_shape_of(g, a);
    int axis = (int)(dice[2] % 3);
    switch (dice[3] % 12) {
    case 0: return lw_tanh(g, lw_add(g, a, b));
    case 1: return lw_sub(g, a, lw_mean(g, b, LW_AXIS(axis), true));
    case 2: return lw_mul(g, lw_sigmoid(g, a), b);
    case 3: return lw_permute(g, lw_permute(g, a, (int[]){2, 0, 1}), (int[]){1, 2, 0});
    case 4: return lw_slice(g, a, axis, shape.dim[axis] - 1, shape.dim[axis], -1);
    case 5: return lw_slice(g, lw_pad(g, a, axis, 2, 1), axis, 1, shape.dim[axis], 1);
    case 6: return lw_reshape(g, lw_leaky_relu(g, lw_reshape(g, a, LW_SHAPE(-1)), 0.1), shape);
    case 7: return lw_slice(g, lw_concat(g, (lw_value[]){a, b}, 2, axis), axis, 3, shape.dim[axis], 1);
    case 8: return lw_maximum(g, a, lw_max(g, b, LW_AXIS(axis) | LW_AXIS((axis + 1) % 3), true));
    case 9: return lw_where(g, lw_less(g, a, b), lw_affine(g, b, 2, 0), a);
    case 10: return lw_add(g, a, lw_broadcast(g, lw_slice(g, b, axis, 1, 1, 1), shape));
    default:
        return lw_affine(
            g,
            lw_matmul(
                g, lw_softmax(g, a, 2),
                lw_transpose(g, lw_matmul(g, b, lw_slice(g, lw_pad(g, a, 1, 0, 20), 1, 0, shape.dim[2], 1)),
                             1, 2)),
            0.3, 0);
    }
}

static void random_graphs_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        lw_graph *g = lw_graph_create();
        lw_shape shape = LW_SHAPE(4, 6, seed % 2 ? 6 : 17);
        lw_value pool[24] = {lw_input(g, "x", shape), lw_input(g, "y", shape)};
        int count = 2;
        for (uint32_t i = 0; count < 24 && i < 200; i++) {
            uint32_t dice[4];
            lw_philox((uint32_t[4]){i, 0, 0, 0}, (uint32_t[2]){(uint32_t)seed, 1}, dice);
            if (dice[3] % 12 == 11 && shape.dim[2] != 6)
                continue;
            lw_value next = random_step(g, pool, count, dice);
            if (lw_shape_equal(lw_shape_of(g, next), shape))
                pool[count++] = next;
        }
        char name[16] = "o";
        for (int i = 2; i < count; i += 5) {
            name[1] = (char)('a' + i);
            lw_output(g, name, pool[i]);
        }
        lw_program *p = compile(g);
        reference *r = reference_create(g);
        float data[2][4 * 6 * 17];
        fill_normal(data[0], 4 * 6 * 17, "x");
        fill_normal(data[1], 4 * 6 * 17, "y");
        size_t size = (size_t)lw_shape_count(shape);
        if (lw_program_write(p, "x", data[0], size) == LW_NOT_FOUND ||
            lw_program_write(p, "y", data[1], size))
            lw_error_clear();
        lw_program_write(p, "y", data[1], size);
        reference_write(r, "x", data[0]);
        reference_write(r, "y", data[1]);
        run(p);
        for (int i = 2; i < count; i += 5) {
            name[1] = (char)('a' + i);
            check_output(p, r, name, 1e-4);
        }
        reference_destroy(r);
        lw_program_destroy(p);
        lw_graph_destroy(g);
    }
}

static void random_numbers_depend_on_seed_and_step_alone(void **state)
{
    (void)state;
    lw_graph *g = lw_graph_create();
    lw_output(g, "y", lw_random_normal(g, LW_SHAPE(37), "noise"));
    lw_program *p = compile(g);
    float got[37], want[37];
    for (uint64_t step = 0; step < 3; step++) {
        lw_program_seed(p, 0x123456789ULL, step);
        run(p);
        lw_program_read(p, "y", got, 37);
        lw_normal((lw_stream){0x123456789ULL, step, lw_purpose("noise")}, 0, 37, want);
        assert_memory_equal(got, want, sizeof want);
    }
    lw_program_destroy(p);
    lw_graph_destroy(g);
}

static void a_sum_of_a_million_elements_is_accurate(void **state)
{
    (void)state;
    enum { COUNT = 1 << 20 };
    float *x = malloc(COUNT * sizeof *x);
    lw_uniform((lw_stream){1, 2, 3}, 0, COUNT, x);
    double want = 0;
    for (int i = 0; i < COUNT; i++)
        want += x[i];
    const lw_shape shapes[] = {LW_SHAPE(COUNT), LW_SHAPE(COUNT / 16, 16), LW_SHAPE(COUNT / 4, 4)};
    for (int k = 0; k < 3; k++) {
        lw_graph *g = lw_graph_create();
        lw_value sum = lw_sum(g, lw_input(g, "x", shapes[k]), LW_AXIS(0), false);
        lw_output(g, "y", lw_sum(g, sum, LW_ALL_AXES, false));
        lw_program *p = compile(g);
        lw_program_write(p, "x", x, COUNT);
        assert_true(fabs(first_output(p) / want - 1) < 5e-7);
        lw_program_destroy(p);
        lw_graph_destroy(g);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_of_the_wrong_size_is_refused),
        cmocka_unit_test(reading_before_a_run_or_an_unknown_output_is_refused),
        cmocka_unit_test(a_graph_with_an_error_does_not_compile),
        cmocka_unit_test(a_folded_parameter_that_the_host_sets_is_seen),
        cmocka_unit_test(a_folded_parameter_that_another_program_trains_is_seen),
        cmocka_unit_test(all_assignments_read_the_old_values),
        cmocka_unit_test(programs_of_a_device_share_working_memory),
        cmocka_unit_test(a_long_chain_with_many_outputs_agrees),
        cmocka_unit_test(random_graphs_agree),
        cmocka_unit_test(random_numbers_depend_on_seed_and_step_alone),
        cmocka_unit_test(a_sum_of_a_million_elements_is_accurate),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
