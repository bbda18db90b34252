/* test_program.c — programs: what is folded, fused, planned and refused; whole training steps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/program.h"
#include "latentwalk/random.h"
#include "reference.h"
#include "runtime/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static lw_device *device;

static int open_device(void **state)
{
    (void)state;
    device = lw_device_open("cpu", NULL);
    return device ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    lw_device_close(device);
    return 0;
}

static lw_program *compile(lw_graph *g)
{
    lw_program *p = lw_compile(g, device);
    if (!p)
        fail_msg("does not compile: %s", lw_error_text());
    return p;
}

static void run(lw_program *p)
{
    if (lw_program_run(p) != LW_OK)
        fail_msg("does not run: %s", lw_error_text());
}

static uint32_t kernels(lw_program *p)
{
    lw_program_stats stats;
    assert_int_equal(lw_program_describe(p, &stats), LW_OK);
    return stats.kernels;
}

static void fill(float *data, size_t count, const char *purpose)
{
    lw_normal((lw_stream){3, 0, lw_purpose(purpose)}, 0, count, data);
}

static lw_status set(lw_store *store, const char *name, lw_shape shape)
{
    float *data = malloc((size_t)lw_shape_count(shape) * sizeof *data);
    fill(data, (size_t)lw_shape_count(shape), name);
    lw_status status = lw_store_set(store, name, shape, data);
    free(data);
    return status;
}

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

/* --- what is not computed --------------------------------------------------------------------------- */
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
    set(store, "w", LW_SHAPE(32, 16, 3, 3));
    set(store, "b", LW_SHAPE(32));
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

/* --- folded parameters stay current ----------------------------------------------------------------- */
static float first_output(lw_program *p)
{
    float y = NAN;
    run(p);
    if (lw_program_read(p, "y", &y, 1) != LW_OK)
        fail_msg("%s", lw_error_text());
    return y;
}

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

/* --- assignments --------------------------------------------------------------------------------------- */
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

static void an_elementwise_update_is_written_in_place(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    set(store, "w", LW_SHAPE(1000));
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

/* --- memory ----------------------------------------------------------------------------------- */
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

/* --- larger graphs against the reference ------------------------------------------------------ */
static void check_output(lw_program *p, reference *r, const char *name, double tolerance)
{
    size_t count;
    const double *want = reference_output(r, name, &count);
    lw_tensor *got = lw_program_read_tensor(p, name);
    if (!want || !got)
        fail_msg("no output %s: %s", name, lw_error_text());
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += want[i] * want[i];
    double scale = sqrt(square / (double)count) + 1e-9;
    for (size_t i = 0; i < count; i++)
        if (!(fabs(got->data[i] - want[i]) <= tolerance * (scale + fabs(want[i]))))
            fail_msg("%s[%zu] is %.9g, should be %.9g", name, i, (double)got->data[i], want[i]);
    lw_tensor_destroy(got);
}

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
    fill(data, 5 * 7 * 19, "x");
    fill(column, 7, "y");
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

/* Random graphs of all kinds of cheap ops: whatever is fused, cut or copied, results must be the reference's.
 */
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
        fill(data[0], 4 * 6 * 17, "x");
        fill(data[1], 4 * 6 * 17, "y");
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

/* --- training --------------------------------------------------------------------------------- */
typedef struct training {
    lw_graph *graph;
    lw_store *weights, *state;
    lw_program *program;
} training;

/* A small convolutional classifier with batch norm, trained by Adam on fixed noise. */
static training make_training(void)
{
    training t = {lw_graph_create(), lw_store_create(), lw_store_create(), NULL};
    lw_graph *g = t.graph;
    lw_scope scope = {.size = sizeof(lw_scope),
                      .plugin = "test",
                      .model = "net",
                      .prefix = "",
                      .store = t.weights,
                      .seed = 1,
                      .create = true,
                      .training = true};
    lw_scope_push(g, &scope);
    lw_value x = lw_input(g, "x", LW_SHAPE(8, 3, 8, 8)), want = lw_input(g, "want", LW_SHAPE(8, 1));
    lw_value w = lw_weight(g, LW_SHAPE(20, 3, 4, 4), lw_init_normal(0, 0.2), "conv.weight");
    lw_value h = lw_conv2d(g, x, w, .stride = 2, .padding = 1);
    h = lw_leaky_relu(g, lw_batch_norm(g, h, "norm"), 0.2);
    lw_value f = lw_weight(g, LW_SHAPE(1, 20 * 16), lw_init_normal(0, 0.1), "out.weight");
    lw_value b = lw_weight(g, LW_SHAPE(1), lw_init_constant(0), "out.bias");
    lw_value y = lw_linear(g, lw_flatten(g, h, 1), f, b);
    lw_value loss = lw_mean(g, lw_square(g, lw_sub(g, y, want)), LW_ALL_AXES, false);
    lw_scope_pop(g);
    lw_adam(g, loss, t.weights, t.state, .learning_rate = 0.01f, .beta1 = 0.5f);
    lw_output(g, "loss", loss);
    if (lw_graph_status(g) != LW_OK)
        fail_msg("%s", lw_error_text());
    return t;
}

static void give_training_data(training *t, reference *r)
{
    float x[8 * 3 * 64], want[8];
    fill(x, 8 * 3 * 64, "data");
    fill(want, 8, "want");
    if (t->program) {
        lw_program_write(t->program, "x", x, 8 * 3 * 64);
        lw_program_write(t->program, "want", want, 8);
    }
    if (r) {
        reference_write(r, "x", x);
        reference_write(r, "want", want);
    }
}

static void drop(training *t)
{
    lw_program_destroy(t->program);
    lw_graph_destroy(t->graph);
    lw_store_destroy(t->weights);
    lw_store_destroy(t->state);
}

/* What reads the same values is computed in one kernel: both sums, and the two assigned values. */
static void what_reads_the_same_values_shares_a_kernel(void **state)
{
    (void)state;
    enum { ROWS = 40, COLUMNS = 21 };
    static float x[ROWS * COLUMNS];
    lw_store *store = lw_store_create();
    set(store, "p", LW_SHAPE(ROWS, COLUMNS));
    set(store, "m", LW_SHAPE(ROWS, COLUMNS));
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
    fill(x, ROWS * COLUMNS, "x");
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
    set(store, "w", LW_SHAPE(30, 30));
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
    fill(x, (size_t)n * (size_t)n, "x");
    assert_int_equal(lw_program_write(p, "x", x, (size_t)n * (size_t)n), LW_OK);
    free(x);
    return p;
}

static float result_of(lw_program *p)
{
    float y;
    run(p);
    assert_int_equal(lw_program_read(p, "y", &y, 1), LW_OK);
    return y;
}

static void programs_of_a_device_share_working_memory(void **state)
{
    (void)state;
    lw_device *usual = device;
    device = lw_device_open("cpu", NULL); /* one that has run nothing yet */
    lw_store *store = lw_store_create();
    set(store, "small", LW_SHAPE(20, 20));
    set(store, "large", LW_SHAPE(200, 200));
    lw_program *small = squares(store, 20);
    float alone = result_of(small);
    size_t before = device->arena_count;
    lw_program *large = squares(store, 200);
    assert_true(device->arena_count > before);
    float first = result_of(large);
    assert_true(result_of(small) == alone); /* its buffers were cut anew */
    assert_true(result_of(large) == first);
    lw_program_destroy(large);
    assert_true(result_of(small) == alone);
    lw_program_destroy(small);
    lw_store_destroy(store);
    lw_device_close(device);
    device = usual;
}

static void adam_steps_are_those_of_the_reference_and_lower_the_loss(void **state)
{
    (void)state;
    training t = make_training(), u = make_training();
    t.program = compile(t.graph);
    give_training_data(&t, NULL);
    reference *r = reference_create(u.graph);
    give_training_data(&u, r);
    float first = 0, loss = 0;
    for (int step = 0; step < 3; step++) {
        run(t.program);
        check_output(t.program, r, "loss", 1e-4);
        lw_program_read(t.program, "loss", step ? &loss : &first, 1);
        assert_int_equal(reference_assign(r), LW_OK);
        give_training_data(&u, r);
    }
    for (size_t i = 0; i < lw_store_count(t.weights); i++) {
        const char *name = lw_store_name(t.weights, i);
        const lw_tensor *got = lw_store_get(t.weights, name), *want = lw_store_get(u.weights, name);
        for (int64_t k = 0; k < lw_shape_count(got->shape); k++)
            if (!(fabsf(got->data[k] - want->data[k]) < 2e-4f))
                fail_msg("%s[%d] is %g, should be %g", name, (int)k, (double)got->data[k],
                         (double)want->data[k]);
    }
    for (int step = 0; step < 100; step++)
        run(t.program);
    lw_program_read(t.program, "loss", &loss, 1);
    assert_true(loss < 0.1f * first);
    reference_destroy(r);
    drop(&t);
    drop(&u);
}

static void the_same_training_gives_the_same_bytes(void **state)
{
    (void)state;
    char hash[3][17];
    for (int i = 0; i < 3; i++) {
        training t = make_training();
        t.program = compile(t.graph);
        give_training_data(&t, NULL);
        for (int step = 0; step < 5; step++)
            run(t.program);
        assert_int_equal(lw_store_hash(t.weights, hash[i]), LW_OK);
        drop(&t);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_equal(hash[0], hash[2]);
}

static cl_uint references_to(cl_context context)
{
    cl_uint count = 0;
    assert_int_equal(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL),
                     CL_SUCCESS);
    return count;
}

/* Every OpenCL object holds its context: once all is closed, only this test does. PoCL's workers let go of a
 * command a moment after clFinish has counted it as done, hence the wait. (To leak checkers, objects that
 * were forgotten are PoCL's own memory.) */
static void a_closed_device_leaves_no_opencl_object(void **state)
{
    (void)state;
    lw_device *own = lw_device_open("cpu", "native");
    assert_non_null(own);
    cl_context context = own->context;
    clRetainContext(context);
    training t = make_training();
    t.program = lw_compile(t.graph, own);
    assert_non_null(t.program);
    give_training_data(&t, NULL);
    run(t.program);
    assert_true(references_to(context) > 2);
    drop(&t);
    lw_device_close(own);
    for (int ms = 0; ms < 10000 && references_to(context) > 1; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(references_to(context), 1);
    clReleaseContext(context);
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
        cmocka_unit_test(what_no_output_needs_is_dropped),
        cmocka_unit_test(a_chain_with_broadcasts_slices_and_permutations_is_one_kernel),
        cmocka_unit_test(an_elementwise_producer_fuses_into_its_reduction),
        cmocka_unit_test(parts_of_constants_and_frozen_parameters_run_once),
        cmocka_unit_test(a_folded_parameter_that_the_host_sets_is_seen),
        cmocka_unit_test(a_folded_parameter_that_another_program_trains_is_seen),
        cmocka_unit_test(all_assignments_read_the_old_values),
        cmocka_unit_test(an_elementwise_update_is_written_in_place),
        cmocka_unit_test(dead_values_give_their_memory_to_later_ones),
        cmocka_unit_test(a_long_chain_with_many_outputs_agrees),
        cmocka_unit_test(random_graphs_agree),
        cmocka_unit_test(what_reads_the_same_values_shares_a_kernel),
        cmocka_unit_test(constants_do_not_share_kernels_with_what_varies),
        cmocka_unit_test(programs_of_a_device_share_working_memory),
        cmocka_unit_test(adam_steps_are_those_of_the_reference_and_lower_the_loss),
        cmocka_unit_test(the_same_training_gives_the_same_bytes),
        cmocka_unit_test(a_closed_device_leaves_no_opencl_object),
        cmocka_unit_test(random_numbers_depend_on_seed_and_step_alone),
        cmocka_unit_test(a_sum_of_a_million_elements_is_accurate),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
