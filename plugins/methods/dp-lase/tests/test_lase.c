/* test_lase.c — the walk and losses of DP-LaSE: the released code's numbers, equation 8 by hand, every loss's
 * gradient against differences, walks that end as dense as they began. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lase.h"
#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void open_scope(lw_graph *g, lw_store *store)
{
    lw_scope_push(
        g,
        &(lw_scope){.size = sizeof(lw_scope), .plugin = "test", .store = store, .seed = 8, .create = true});
}

static void near(const float *ours, const float *theirs, int64_t count, double tolerance)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)ours[i] - theirs[i]) <= tolerance))
            fail_msg("element %lld is %.9g, not %.9g", (long long)i, ours[i], theirs[i]);
}

/* --- the released code ----------------------------------------------------------------------------- */
static void the_start_is_that_of_the_released_code(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "method_dplase", "native");
    const lw_tensor *drawn = fixture_expected(&f, "D0_gaussian");
    const int64_t k = drawn->shape.dim[0], d = drawn->shape.dim[1];
    lw_tensor *rows = lw_tensor_copy(drawn);
    lase_orthogonalise(rows->data, k, d);
    near(rows->data, fixture_expected(&f, "D0_orthogonalized")->data, k * d, 1e-5);
    lw_tensor_destroy(rows);
    fixture_close(&f);
}

static void walks_keep_the_norm_as_in_the_released_code(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "method_dplase", "native");
    const lase l = {.preserve = LASE_GAUSSIAN};
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "dp.z");
    lw_value d = lw_broadcast(g, fixture_constant(&f, g, "dp.d"), lw_shape_of(g, z));
    const lw_shape column = LW_SHAPE(lw_dim(g, z, 0), 1);
    fixture_run(&f, g,
                (fixture_check[]){{"dp.out_alpha2", lase_walk(g, &l, z, lw_fill(g, column, 2), d), 1e-6},
                                  {"dp.out_alpha-5", lase_walk(g, &l, z, lw_fill(g, column, -5), d), 1e-6}},
                2);
    lw_graph_destroy(g);
    fixture_close(&f);
}

enum { K = 5, D = 32, B = 6, STEPS = 4 };

/* One graph for all steps: what each draws is an input. */
static lw_program *compile_released(fixture *f, fixture *net, lw_store *store, lw_store *adam)
{
    const lase l = {.model = net->model,
                    .tap = "layer3",
                    .released = true,
                    .preserve = LASE_GAUSSIAN,
                    .count = K,
                    .size = D,
                    .batch = B,
                    .drawn = 2,
                    .range = 3,
                    .lambda = 0.001,
                    .zeta = 1};
    lw_graph *g = lw_graph_create();
    open_scope(g, store);
    lase_losses s =
        lase_build(g, &l, lw_input(g, "z", LW_SHAPE(B, D)), lw_input(g, "t", LW_SHAPE(B, 1)),
                   lw_input(g, "drawn", LW_SHAPE(B, 2)), fixture_constant(f, g, "weights_sorted"));
    lw_value d = lase_directions(g, &l);
    lw_scope_pop(g);
    lw_output(g, "0", s.total);
    lw_output(g, "1", s.released.positive);
    lw_output(g, "2", s.released.negative);
    lw_output(g, "3", s.orthogonality);
    lw_output(g, "directions", d);
    lw_adam(g, s.total, store, adam, .learning_rate = 0.01f, .beta1 = 0.9f);
    lw_program *program = lw_compile(g, f->device);
    if (!program)
        fail_msg("%s", lw_error_text());
    lw_graph_destroy(g);
    return program;
}

/* Losses are printed with 6 digits after the point. The cosines of one step are of changes over a stride of
 * 0.018, which float32 tells to four digits. The directions are those of the last step, before its update. */
static void training_goes_as_in_the_released_code(void **state)
{
    (void)state;
    fixture f, net;
    fixture_open(&f, "method_dplase", "native");
    fixture_open(&net, "pggan_genforce", "native");
    fixture_part(&net, LW_PART_GENERATOR, "generator/pggan", NULL, NULL);
    lw_store *store = lw_store_create(), *adam = lw_store_create();
    test_must(
        lw_store_set(store, "directions", LW_SHAPE(K, D), fixture_expected(&f, "D0_orthogonalized")->data));
    lw_program *program = compile_released(&f, &net, store, adam);
    const float *z = fixture_expected(&f, "z")->data, *t01 = fixture_expected(&f, "t01")->data,
                *first = fixture_expected(&f, "labels")->data,
                *second = fixture_expected(&f, "labels2")->data,
                *printed = fixture_expected(&f, "losses_printed")->data;
    float directions[K * D];
    for (int i = 0; i < STEPS; i++) {
        float t[B], drawn[B * 2];
        for (int b = 0; b < B; b++) {
            t[b] = (2 * t01[i * B + b] - 1) * 3;
            drawn[2 * b] = first[i * B + b];
            drawn[2 * b + 1] = second[i * B + b];
        }
        test_must(lw_program_write(program, "z", z + i * B * D, B * D));
        test_must(lw_program_write(program, "t", t, B));
        test_must(lw_program_write(program, "drawn", drawn, B * 2));
        test_must(lw_program_run(program));
        for (int c = 0; c < 4; c++) {
            char name[2] = {(char)('0' + c), 0};
            float value;
            test_must(lw_program_read(program, name, &value, 1));
            near(&value, printed + 4 * i + c, 1, c == 2 ? 2e-5 : 1.5e-6);
        }
        test_must(lw_program_read(program, "directions", directions, K * D));
    }
    near(directions, fixture_expected(&f, "D_at_last_iter")->data, K * D, 2e-5);
    lw_program_destroy(program);
    lw_store_destroy(store);
    lw_store_destroy(adam);
    fixture_close(&net);
    fixture_close(&f);
}

/* --- equation 8 --------------------------------------------------------------------------------------- */
enum { M = 4, C = 3, P = 2 }; /* directions, channels, pixels */

/* As it is written, for one latent: change [M, P, C]. */
static double equation_8(const float *change, double lambda)
{
    double loss = 0;
    for (int j = 0; j < M; j++)
        for (int i = 0; i < P * C; i++)
            loss -= pow(change[j * P * C + i], 2);
    for (int j = 0; j < M; j++)
        for (int h = 0; h < M; h++)
            for (int a = 0; j != h && a < C; a++)
                for (int b = 0; b < C; b++) {
                    double product = 0;
                    for (int p = 0; p < P; p++)
                        product += (double)change[(j * P + p) * C + a] * change[(h * P + p) * C + b];
                    loss += lambda * product * product;
                }
    return loss;
}

/* The loss of some of the directions, as one latent's. */
static double ours(const float *change, const int *which, int m, double lambda)
{
    float some[M * P * C];
    for (int j = 0; j < m; j++)
        memcpy(some + j * P * C, change + which[j] * P * C, sizeof(float) * P * C);
    lw_graph *g = lw_graph_create();
    lw_value loss = lase_variation(g, lw_constant(g, LW_SHAPE(1, m, P, C), some), M, lambda);
    reference *r = reference_create(g);
    const double value = *reference_value(r, loss);
    reference_destroy(r);
    lw_graph_destroy(g);
    return value;
}

static void drawing_all_directions_is_equation_8_and_drawing_two_is_its_expectation(void **state)
{
    (void)state;
    float change[M * P * C];
    lw_normal((lw_stream){.seed = 4}, 0, M * P * C, change);
    const double expected = equation_8(change, 0.3);
    assert_true(fabs(ours(change, (int[]){0, 1, 2, 3}, M, 0.3) - expected) < 1e-6 * fabs(expected));
    double mean = 0;
    for (int j = 0; j < M; j++)
        for (int h = 0; h < M; h++)
            if (j != h)
                mean += ours(change, (int[]){j, h}, 2, 0.3) / (M * (M - 1));
    assert_true(fabs(mean - expected) < 1e-6 * fabs(expected));
}

/* --- gradients ---------------------------------------------------------------------------------------- */
/* d part / d the weight, in all its elements, against central differences of the interpreter in double
 * precision. */
static void check_gradient(lw_graph *g, reference *r, const char *label, lw_value part, lw_store *store,
                           const char *name)
{
    lw_value all[32], weight = {0}, gradient = {0};
    lw_shape shape;
    test_must(lw_store_shape(store, name, &shape));
    const int trainable = lw_parameters(g, store, all, 32);
    int index = 0; /* lw_parameters gives them in the order of their names' first use, and `store` holds them
                      in that order */
    while (index < trainable && strcmp(lw_store_name(store, (size_t)index), name) != 0)
        index++;
    assert_true(index < trainable && lw_shape_equal(lw_shape_of(g, all[index]), shape));
    weight = all[index];
    test_must(lw_gradient(g, part, (lw_value){0}, &weight, 1, &gradient));
    const int64_t count = lw_shape_count(shape);
    double *at = malloc(sizeof(double) * (size_t)count), *found = malloc(sizeof(double) * (size_t)count);
    assert_true(at && found);
    memcpy(found, reference_value(r, gradient), sizeof(double) * (size_t)count);
    const float *values = lw_store_get(store, name)->data;
    double scale = 0;
    for (int64_t i = 0; i < count; i++) {
        at[i] = values[i];
        scale = fmax(scale, fabs(found[i]));
    }
    if (!(scale > 0))
        fail_msg("%s does not depend on %s", label, name);
    for (int64_t i = 0; i < count; i++) {
        double ends[2];
        for (int side = 0; side < 2; side++) {
            at[i] = values[i] + (side ? -1e-5 : 1e-5);
            reference_replace(r, weight, at);
            ends[side] = *reference_value(r, part);
        }
        at[i] = values[i];
        const double difference = (ends[0] - ends[1]) / 2e-5;
        if (!(fabs(difference - found[i]) < 1e-4 * scale))
            fail_msg("%s by %s[%lld]: %.9g, by differences %.9g", label, name, (long long)i, found[i],
                     difference);
    }
    reference_replace(r, weight, NULL);
    free(at);
    free(found);
}

static const float strides[] = {1.5f, -0.7f, 2}, drawn[] = {0, 2, 1, 0, 2, 1};

typedef void (*check)(lw_graph *g, reference *r, const lase_losses *losses, lw_store *store);

static void with_losses(bool released, lase_density preserve, check then)
{
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    const lase l = {.model = model,
                    .tap = "block0",
                    .released = released,
                    .preserve = preserve,
                    .count = 3,
                    .size = 4,
                    .batch = 3,
                    .drawn = 2,
                    .correction = 5,
                    .f = {.width = 6, .increment = 0.01},
                    .range = 3,
                    .nu = 0.3,
                    .lambda = 0.01,
                    .zeta = 10};
    lw_store *store = lw_store_create();
    lw_graph *g = lw_graph_create();
    float z[12];
    lw_normal((lw_stream){.seed = 2}, 0, 12, z);
    open_scope(g, store);
    lase_losses losses = lase_build(
        g, &l, lw_constant(g, LW_SHAPE(3, 4), z), lw_constant(g, LW_SHAPE(3, 1), strides),
        lw_constant(g, LW_SHAPE(3, 2), drawn), lw_constant(g, LW_SHAPE(3), (float[]){0.2f, 0.5f, 1.1f}));
    lw_scope_pop(g);
    test_must(lw_graph_status(g));
    reference *r = reference_create(g);
    then(g, r, &losses, store);
    reference_destroy(r);
    lw_graph_destroy(g);
    lw_store_destroy(store);
    lwi_model_destroy(model);
}

static void check_paper(lw_graph *g, reference *r, const lase_losses *losses, lw_store *store)
{
    check_gradient(g, r, "variation", losses->variation, store, "directions");
    check_gradient(g, r, "variation", losses->variation, store, "C.5.weight");
    check_gradient(g, r, "variation", losses->variation, store, "C.0.weight");
    check_gradient(g, r, "density", losses->density, store, "directions");
    check_gradient(g, r, "density", losses->density, store, "C.2.bias");
    check_gradient(g, r, "orthogonality", losses->orthogonality, store, "directions");
    check_gradient(g, r, "monotone", losses->monotone, store, "F.0.weight");
    check_gradient(g, r, "likelihood", losses->likelihood, store, "F.1.weight");
    check_gradient(g, r, "likelihood", losses->likelihood, store, "F.2.weight");
}

static void check_plain(lw_graph *g, reference *r, const lase_losses *losses, lw_store *store)
{
    check_gradient(g, r, "total", losses->total, store, "directions");
}

static void check_restored(lw_graph *g, reference *r, const lase_losses *losses, lw_store *store)
{
    check_gradient(g, r, "variation", losses->variation, store, "directions");
    check_gradient(g, r, "likelihood", losses->likelihood, store, "F.0.weight");
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    with_losses(false, LASE_LEARNED, check_paper);
    with_losses(false, LASE_RESTORED, check_restored);
    with_losses(true, LASE_GAUSSIAN, check_plain);
    with_losses(false, LASE_NONE, check_plain);
}

/* What F has learned is not to be bent so that walks look as if they kept it. */
static void check_separate(lw_graph *g, reference *r, const lase_losses *losses, lw_store *store)
{
    lw_value all[32], gradients[32];
    const int count = lw_parameters(g, store, all, 32);
    test_must(lw_gradient(g, losses->density, (lw_value){0}, all, count, gradients));
    for (int i = 0; i < count; i++) {
        double largest = 0;
        const int64_t size = lw_shape_count(lw_shape_of(g, all[i]));
        for (int64_t e = 0; e < size; e++)
            largest = fmax(largest, fabs(reference_value(r, gradients[i])[e]));
        assert_true((largest == 0) == (lw_store_name(store, (size_t)i)[0] == 'F'));
    }
}

static void keeping_the_density_teaches_the_correction_alone(void **state)
{
    (void)state;
    with_losses(false, LASE_LEARNED, check_separate);
}

/* With F a logistic distribution: two layers of tanh hardly bent, and the sigmoid. */
static void restored_walks_end_as_dense_as_they_began(void **state)
{
    (void)state;
    enum { N = 3, SIZE = 4 };
    const lase l = {.preserve = LASE_RESTORED, .f = {.width = 1, .increment = 0.01}};
    lw_store *store = lw_store_create();
    const float weights[] = {0.1f, 1, 17}, zero = 0;
    for (int i = 0; i < 3; i++) {
        test_must(lw_store_set(store, (const char *[]){"F.0.weight", "F.1.weight", "F.2.weight"}[i],
                               LW_SHAPE(1, 1), weights + i));
        test_must(
            lw_store_set(store, (const char *[]){"F.0.bias", "F.1.bias", "F.2.bias"}[i], LW_SHAPE(1), &zero));
    }
    float z[N * SIZE], along[N * SIZE];
    const float by[N] = {4, -1.5f, 0};
    lw_normal((lw_stream){.seed = 2}, 0, N * SIZE, z);
    for (int i = 0; i < N * SIZE; i++)
        along[i] = i % SIZE == i / SIZE; /* each in an axis of its own */
    lw_graph *g = lw_graph_create();
    open_scope(g, store);
    lw_value from = lw_constant(g, LW_SHAPE(N, SIZE), z), d = lw_constant(g, LW_SHAPE(N, SIZE), along);
    lw_value end = lase_walk(g, &l, from, lw_constant(g, LW_SHAPE(N, 1), by), d);
    lw_value before = density_log(g, density_slope(g, &l.f, from, true)),
             after = density_log(g, density_slope(g, &l.f, end, true));
    lw_scope_pop(g);
    test_must(lw_graph_status(g));
    reference *r = reference_create(g);
    const double *ends = reference_value(r, end);
    for (int n = 0; n < N; n++) {
        double correction = 0;
        for (int i = 0; i < SIZE; i++)
            correction += pow(ends[n * SIZE + i] - z[n * SIZE + i] - by[n] * along[n * SIZE + i], 2);
        assert_true(fabs(reference_value(r, after)[n] - reference_value(r, before)[n]) < 1e-6);
        assert_true(by[n] == 0 ? correction < 1e-20 : sqrt(correction) < 0.8 * fabs(by[n])); /* not undone */
    }
    reference_destroy(r);
    lw_graph_destroy(g);
    lw_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_is_that_of_the_released_code),
        cmocka_unit_test(walks_keep_the_norm_as_in_the_released_code),
        cmocka_unit_test(training_goes_as_in_the_released_code),
        cmocka_unit_test(drawing_all_directions_is_equation_8_and_drawing_two_is_its_expectation),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(keeping_the_density_teaches_the_correction_alone),
        cmocka_unit_test(restored_walks_end_as_dense_as_they_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
