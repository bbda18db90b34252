/* test_linalg.c — LAPACK's identities: factors are orthonormal, ordered, and give the matrix back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/linalg.h"
#include "latentwalk/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *normal(int64_t count, const char *purpose)
{
    float *x = malloc((size_t)count * sizeof *x);
    lw_normal((lw_stream){.seed = 7, .purpose = lw_purpose(purpose)}, 0, (size_t)count, x);
    return x;
}

/* Largest |R R^T - I| for rows R [k, n]. */
static double orthonormal_error(int64_t k, int64_t n, const float *r)
{
    double worst = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j <= i; j++) {
            double dot = i == j ? -1 : 0;
            for (int64_t c = 0; c < n; c++)
                dot += (double)r[i * n + c] * r[j * n + c];
            worst = fmax(worst, fabs(dot));
        }
    return worst;
}

/* Largest |A - sum of values left right^T| over the largest value. */
static double rebuild_error(int64_t m, int64_t n, int64_t k, const float *a, const float *left,
                            const float *values, const float *right)
{
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t t = 0; t < k; t++)
                sum += (double)values[t] * left[t * m + i] * right[t * n + j];
            worst = fmax(worst, fabs(sum - a[i * n + j]));
        }
    return worst / values[0];
}

static void check_svd(int64_t m, int64_t n)
{
    int64_t k = m < n ? m : n;
    float *a = normal(m * n, "svd"), *left = malloc((size_t)(k * m) * sizeof *left);
    float *values = malloc((size_t)k * sizeof *values), *right = malloc((size_t)(k * n) * sizeof *right);
    assert_int_equal(lw_svd(m, n, a, left, values, right), LW_OK);
    assert_true(orthonormal_error(k, m, left) < 1e-5);
    assert_true(orthonormal_error(k, n, right) < 1e-5);
    assert_true(rebuild_error(m, n, k, a, left, values, right) < 1e-5);
    for (int64_t i = 0; i < k; i++)
        assert_true(values[i] >= (i + 1 < k ? values[i + 1] : 0));
    free(a), free(left), free(values), free(right);
}

static void a_matrix_of_any_shape_is_rebuilt_from_its_singular_vectors(void **state)
{
    (void)state;
    check_svd(1, 1);
    check_svd(60, 60);
    check_svd(40, 70);
    check_svd(70, 40);
    check_svd(5, 1);
}

static void a_known_matrix_has_its_known_singular_values(void **state)
{
    (void)state;
    const float a[6] = {3, 2, 2, 2, 3, -2}; /* [2, 3]; singular values 5 and 3 */
    float left[4], values[2], right[6];
    assert_int_equal(lw_svd(2, 3, a, left, values, right), LW_OK);
    assert_float_equal(values[0], 5, 1e-5);
    assert_float_equal(values[1], 3, 1e-5);
    assert_float_equal(fabsf(left[0]), sqrtf(0.5f), 1e-6); /* rows: (1, 1) / sqrt 2 and (1, 1, 0) / sqrt 2 */
    assert_float_equal(left[0], left[1], 1e-6);
    assert_float_equal(fabsf(right[0]), sqrtf(0.5f), 1e-6);
    assert_float_equal(right[0], right[1], 1e-6);
    assert_float_equal(right[2], 0, 1e-6);
}

static void eigenvectors_are_rows_and_the_largest_value_comes_first(void **state)
{
    (void)state;
    enum { N = 50 };
    float *b = normal(N * N, "eigen");
    double a[N * N], values[N], alone[N], vectors[N * N];
    for (int i = 0; i < N; i++) /* symmetric; what lies above the diagonal does not count */
        for (int j = 0; j < N; j++)
            a[i * N + j] = j <= i ? (double)b[i * N + j] : NAN;
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++)
            a[i * N + j] = 1e6;
    assert_int_equal(lw_symmetric_eigen(N, a, values, vectors), LW_OK);
    for (int i = 0; i < N; i++)
        for (int r = 0; r < N; r++) { /* A v = value v */
            double sum = 0;
            for (int c = 0; c < N; c++)
                sum += (double)(c <= r ? b[r * N + c] : b[c * N + r]) * vectors[i * N + c];
            assert_true(fabs(sum - values[i] * vectors[i * N + r]) < 1e-12 * values[0] * N);
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double dot = i == j ? -1 : 0;
            for (int c = 0; c < N; c++)
                dot += vectors[i * N + c] * vectors[j * N + c];
            assert_true(fabs(dot) < 1e-13 * N);
        }
    for (int i = 0; i + 1 < N; i++)
        assert_true(values[i] >= values[i + 1]);
    assert_true(values[0] > 0 && values[N - 1] < 0);
    assert_int_equal(lw_symmetric_eigen(N, a, alone, NULL), LW_OK);
    for (int i = 0; i < N; i++)
        assert_true(fabs(alone[i] - values[i]) < 1e-12 * values[0]);
    free(b);
}

static void least_squares_finds_the_line_through_noisy_points(void **state)
{
    (void)state;
    const double a[8] = {1, 0, 1, 1, 1, 2, 1, 3};   /* y = x0 + x1 t */
    const double b[8] = {1, 0, 3, 0, 5, 0, 7.4, 1}; /* two right-hand sides */
    double x[4];
    int64_t rank = 0;
    assert_int_equal(lw_least_squares(4, 2, 2, a, b, -1, x, &rank), LW_OK);
    assert_int_equal(rank, 2);
    const double expected[4] = {0.92, -0.2, 2.12, 0.3}; /* by the normal equations */
    for (int i = 0; i < 4; i++)
        assert_true(fabs(x[i] - expected[i]) < 1e-12);
}

static void where_many_solutions_are_least_the_shortest_is_given(void **state)
{
    (void)state;
    const double wide[2] = {3, 4}, b[1] = {50}; /* 3 x + 4 y = 50 */
    double x[2];
    int64_t rank = 0;
    assert_int_equal(lw_least_squares(1, 2, 1, wide, b, -1, x, &rank), LW_OK);
    assert_true(fabs(x[0] - 6) < 1e-12 && fabs(x[1] - 8) < 1e-12);
    const double same[4] = {1, 1, 1, 1}, two[2] = {2, 2};
    assert_int_equal(lw_least_squares(2, 2, 1, same, two, 1e-6, x, &rank), LW_OK);
    assert_int_equal(rank, 1);
    assert_true(fabs(x[0] - 1) < 1e-12 && fabs(x[1] - 1) < 1e-12);
}

/* [m, n] with singular values that fall from `largest` by `fall` each, between random orthonormal vectors. */
static float *falling(int64_t m, int64_t n, double largest, double fall, const char *purpose)
{
    int64_t k = m < n ? m : n;
    float *seed = normal(m * n, purpose), *left = malloc((size_t)(k * m) * sizeof *left);
    float *values = malloc((size_t)k * sizeof *values), *right = malloc((size_t)(k * n) * sizeof *right);
    assert_int_equal(lw_svd(m, n, seed, left, values, right), LW_OK);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, value = largest;
            for (int64_t t = 0; t < k; t++, value *= fall)
                sum += value * left[t * m + i] * right[t * n + j];
            seed[i * n + j] = (float)sum;
        }
    free(left), free(values), free(right);
    return seed;
}

/* The values above `cutoff` are lw_svd's, and A v = value u with orthonormal vectors; the rest is zero. */
static void check_above(int64_t m, int64_t n, const float *a, double cutoff, int64_t rank, const float *left,
                        const float *values, const float *right)
{
    int64_t k = m < n ? m : n, wanted = 0;
    float *full = malloc((size_t)k * sizeof *full), *u = malloc((size_t)(k * m) * sizeof *u);
    float *v = malloc((size_t)(k * n) * sizeof *v);
    assert_int_equal(lw_svd(m, n, a, u, full, v), LW_OK);
    while (wanted < k && full[wanted] > cutoff)
        wanted++;
    assert_int_equal(rank, wanted);
    for (int64_t i = 0; i < k; i++) {
        assert_true(fabs((double)values[i] - (i < rank ? full[i] : 0)) <= 1e-5 * full[0]);
        assert_true(i + 1 == k || values[i] >= values[i + 1]);
    }
    double ratio = rank && cutoff > 0 ? full[0] / cutoff : 0;
    assert_true(orthonormal_error(rank, m, left) < 1e-6 * fmax(ratio, 5));
    assert_true(orthonormal_error(rank, n, right) < 1e-6 * fmax(ratio, 5));
    for (int64_t i = rank * m; i < k * m; i++)
        assert_true(left[i] == 0);
    for (int64_t i = rank * n; i < k * n; i++)
        assert_true(right[i] == 0);
    for (int64_t t = 0; t < rank; t++)
        for (int64_t i = 0; i < m; i++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++)
                sum += (double)a[i * n + j] * right[t * n + j];
            assert_true(fabs(sum - (double)values[t] * left[t * m + i]) < 1e-5 * full[0]);
        }
    free(full), free(u), free(v);
}

static void check_above_batch(int64_t m, int64_t n, double largest, double fall, double cutoff)
{
    enum { COUNT = 3 }; /* more than the cores of a small machine */
    int64_t k = m < n ? m : n, rank[COUNT];
    float *a = malloc((size_t)(COUNT * m * n) * sizeof *a),
          *left = malloc((size_t)(COUNT * k * m) * sizeof *left);
    float *values = malloc((size_t)(COUNT * k) * sizeof *values);
    float *right = malloc((size_t)(COUNT * k * n) * sizeof *right);
    for (int i = 0; i < COUNT; i++) {
        float *one = falling(m, n, largest / (1 + i), fall, (const char *[]){"first", "second", "third"}[i]);
        memcpy(a + i * m * n, one, (size_t)(m * n) * sizeof *a);
        free(one);
    }
    assert_int_equal(lw_svd_above(COUNT, m, n, a, (float)cutoff, rank, left, values, right), LW_OK);
    for (int i = 0; i < COUNT; i++)
        check_above(m, n, a + i * m * n, cutoff, rank[i], left + i * k * m, values + i * k,
                    right + i * k * n);
    free(a), free(left), free(values), free(right);
}

static void values_above_a_cutoff_are_those_of_the_whole_decomposition(void **state)
{
    (void)state;
    check_above_batch(150, 150, 8, 0.93,
                      0.05); /* as a mapping network's Jacobian: the lower half falls away */
    check_above_batch(150, 150, 8, 0.93, 0.011); /* close to what float32 Gram matrices bear */
    check_above_batch(90, 40, 5, 0.9, 0.1);
    check_above_batch(40, 90, 5, 0.9, 0.1);
    check_above_batch(1, 1, 5, 1, 0.1);
    check_above_batch(60, 60, 1, 1, 0.1); /* all alike: any vectors will do, but orthonormal ones */
}

static void values_too_far_apart_for_a_gram_matrix_are_decomposed_in_full(void **state)
{
    (void)state;
    check_above_batch(60, 60, 1e3, 0.7, 1e-3);  /* a ratio of 1e6 */
    check_above_batch(20, 20, 1, 0.8, 0);       /* all of them */
    check_above_batch(20, 20, 1e30, 0.5, 1e27); /* whose squares overflow */
}

static void nothing_above_the_cutoff_is_a_rank_of_zero(void **state)
{
    (void)state;
    const float zero[12] = {0};
    float left[9], values[3], right[12];
    int64_t rank = -1;
    assert_int_equal(lw_svd_above(1, 3, 4, zero, 0.05f, &rank, left, values, right), LW_OK);
    check_above(3, 4, zero, 0.05, rank, left, values, right);
    assert_int_equal(rank, 0);
    assert_int_equal(lw_svd_above(0, 3, 4, NULL, 0.05f, NULL, NULL, NULL, NULL), LW_OK);
}

static void a_bad_matrix_of_a_batch_is_named(void **state)
{
    (void)state;
    float a[3 * 4] = {1, 0, 0, 1, 1, NAN, 0, 1, 2, 0, 0, 2}, left[12], values[6], right[12];
    int64_t rank[3];
    assert_int_equal(lw_svd_above(3, 2, 2, a, 0.1f, rank, left, values, right), LW_NUMERIC);
    assert_non_null(
        strstr(lw_error_text(), "matrix 1 of the batch: singular values: the element in row 0, column 1"));
    a[5] = 0;
    assert_int_equal(lw_svd_above(3, 2, 2, a, 0.1f, rank, left, values, right), LW_OK);
    assert_int_equal(lw_svd_above(3, 2, 2, a, -1, rank, left, values, right), LW_INVALID);
    assert_int_equal(lw_svd_above(3, 2, 2, a, NAN, rank, left, values, right), LW_INVALID);
    assert_int_equal(lw_svd_above(1, 0, 2, a, 1, rank, left, values, right), LW_SHAPE);
    for (int n = 0; n < 3; n++) {
        lw_alloc_fail_after(n);
        assert_int_equal(lw_svd_above(1, 2, 2, a, 0.1f, rank, left, values, right), LW_MEMORY);
    }
    lw_alloc_fail_after(-1);
}

static void what_is_not_finite_is_refused_with_its_place(void **state)
{
    (void)state;
    const float a[4] = {1, 2, NAN, 4};
    const double d[4] = {1, 2, 3, INFINITY}, fine[4] = {1, 2, 3, 4};
    float left[4], values[2], right[4];
    double x[4];
    assert_int_equal(lw_svd(2, 2, a, left, values, right), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "row 1, column 0"));
    assert_int_equal(lw_symmetric_eigen(2, d, x, NULL), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "row 1, column 1"));
    assert_int_equal(lw_least_squares(2, 2, 2, fine, d, -1, x, NULL), LW_NUMERIC);
}

static void sizes_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    float one = 1, left, value, right;
    double a = 1, x;
    assert_int_equal(lw_svd(0, 1, &one, &left, &value, &right), LW_SHAPE);
    assert_int_equal(lw_svd(1, -1, &one, &left, &value, &right), LW_SHAPE);
    assert_int_equal(lw_symmetric_eigen(LW_LINALG_MAX + 1, &a, &x, &x), LW_SHAPE);
    assert_int_equal(lw_least_squares(1, INT64_MAX, 1, &a, &a, -1, &x, NULL), LW_SHAPE);
    assert_int_equal(lw_least_squares(1, 1, 0, &a, &a, -1, &x, NULL), LW_SHAPE);
}

static void out_of_memory_is_an_error_like_any_other(void **state)
{
    (void)state;
    const float a[4] = {1, 2, 3, 4};
    const double d[4] = {2, 1, 1, 2};
    float left[4], values[2], right[4];
    double x[4];
    for (int n = 0; n < 2; n++) {
        lw_alloc_fail_after(n);
        assert_int_equal(lw_svd(2, 2, a, left, values, right), LW_MEMORY);
    }
    lw_alloc_fail_after(0);
    assert_int_equal(lw_symmetric_eigen(2, d, x, NULL), LW_MEMORY);
    for (int n = 0; n < 3; n++) {
        lw_alloc_fail_after(n);
        assert_int_equal(lw_least_squares(2, 2, 2, d, d, -1, x, NULL), LW_MEMORY);
    }
    lw_alloc_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matrix_of_any_shape_is_rebuilt_from_its_singular_vectors),
        cmocka_unit_test(a_known_matrix_has_its_known_singular_values),
        cmocka_unit_test(eigenvectors_are_rows_and_the_largest_value_comes_first),
        cmocka_unit_test(least_squares_finds_the_line_through_noisy_points),
        cmocka_unit_test(where_many_solutions_are_least_the_shortest_is_given),
        cmocka_unit_test(values_above_a_cutoff_are_those_of_the_whole_decomposition),
        cmocka_unit_test(values_too_far_apart_for_a_gram_matrix_are_decomposed_in_full),
        cmocka_unit_test(nothing_above_the_cutoff_is_a_rank_of_zero),
        cmocka_unit_test(a_bad_matrix_of_a_batch_is_named),
        cmocka_unit_test(what_is_not_finite_is_refused_with_its_place),
        cmocka_unit_test(sizes_that_make_no_sense_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
