/* test_frechet.c — Fréchet distances between Gaussians, against pytorch-fid's numbers and by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"

#include <math.h>
#include <stdio.h>

/* Rows are added in uneven portions: how they come must not matter. */
static lw_gaussian *fit(const lw_tensor *rows)
{
    int64_t size = rows->shape.dim[1];
    lw_gaussian *g = lw_gaussian_create(size);
    assert_non_null(g);
    for (int64_t first = 0, n = 1; first < rows->shape.dim[0]; first += n, n = n * 3 % 101 + 1) {
        int64_t left = rows->shape.dim[0] - first;
        assert_int_equal(lw_gaussian_add(g, rows->data + first * size, n < left ? n : left), LW_OK);
    }
    assert_int_equal(lw_gaussian_count(g), rows->shape.dim[0]);
    return g;
}

static double distance_between(const lw_tensor *x, const lw_tensor *y)
{
    lw_gaussian *a = fit(x), *b = fit(y);
    lw_frechet d;
    if (lw_frechet_distance(a, b, &d) != LW_OK)
        fail_msg("%s", lw_error_text());
    lw_gaussian_destroy(a);
    lw_gaussian_destroy(b);
    return d.means + d.covariances;
}

static void the_numbers_are_pytorch_fids(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "fid", "native");
    for (int i = 0; i < 3; i++) {
        char x[32], y[32], fid[32];
        snprintf(x, sizeof x, "case%d.x", i);
        snprintf(y, sizeof y, "case%d.y", i);
        snprintf(fid, sizeof fid, "case%d.fid", i);
        lw_tensor *rows = lw_tensor_copy(fixture_expected(&f, x));
        double found = distance_between(rows, fixture_expected(&f, y));
        double expected = (double)fixture_expected(&f, fid)->data[0];
        if (!(fabs(found - expected) <= 1e-6 * expected))
            fail_msg("case %d: %.12g, expected %.12g", i, found, expected);
        assert_true(fabs(distance_between(rows, rows)) < 1e-5);
        lw_tensor_destroy(rows);
    }
    fixture_close(&f);
}

static void the_distance_of_known_gaussians_is_known(void **state)
{
    (void)state;
    /* Deviations 1 and 3 along one axis, 2 and 2 along the other; means 3 and 4 apart: 25 + (3 - 1)². */
    const double deviation[2][2] = {{1, 2}, {3, 2}};
    lw_gaussian *g[2];
    for (int k = 0; k < 2; k++) {
        g[k] = lw_gaussian_create(2);
        assert_non_null(g[k]);
        for (int i = 0; i < 4; i++) { /* the corners of a square have no correlation and variance 4 / 3 */
            double scale = sqrt(0.75);
            float row[2] = {(float)(1e4 + 3 * k + (i & 1 ? scale : -scale) * deviation[k][0]),
                            (float)(4 * k + (i & 2 ? scale : -scale) * deviation[k][1])};
            assert_int_equal(lw_gaussian_add(g[k], row, 1), LW_OK);
        }
    }
    lw_frechet d;
    assert_int_equal(lw_frechet_distance(g[0], g[1], &d), LW_OK);
    assert_true(fabs(d.means - 25) < 1e-3); /* 1e4 in float32 is good to 1e-3 */
    assert_true(fabs(d.covariances - 4) < 1e-2);
    lw_gaussian_destroy(g[0]);
    lw_gaussian_destroy(g[1]);
}

static void what_is_no_number_is_named_and_one_sample_is_too_few(void **state)
{
    (void)state;
    lw_gaussian *g = lw_gaussian_create(2), *other = lw_gaussian_create(3);
    lw_frechet d;
    float rows[] = {1, 2, 3, NAN};
    assert_int_equal(lw_gaussian_add(g, rows, 1), LW_OK);
    assert_int_equal(lw_frechet_distance(g, g, &d), LW_INVALID);
    assert_string_equal(lw_error_text(), "a covariance needs at least 2 samples, not 1");
    assert_int_equal(lw_gaussian_add(g, rows + 2, 1), LW_NUMERIC);
    assert_string_equal(lw_error_text(), "feature 1 of sample 1 is not a number");
    assert_int_equal(lw_frechet_distance(g, other, &d), LW_SHAPE);
    assert_null(lw_gaussian_create(0));
    lw_gaussian_destroy(g);
    lw_gaussian_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_pytorch_fids),
        cmocka_unit_test(the_distance_of_known_gaussians_is_known),
        cmocka_unit_test(what_is_no_number_is_named_and_one_sample_is_too_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
