/* test_information.c — mutual information of distributions whose information is known, and the mask. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../information.h"

#include <math.h>
#include <string.h>

enum { COUNT = 14000, SIZE = 3 }; /* 24 bins, so that quarters and halves end with a bin */

static float z[COUNT * SIZE], amounts[COUNT];

static void draw(void)
{
    lw_normal((lw_stream){.seed = 1}, 0, COUNT * SIZE, z);
}

/* Amounts that are Gaussian with z0, of this correlation; nothing to do with z1 and z2. */
static void make_gaussian(double r)
{
    float noise[COUNT];
    draw();
    lw_normal((lw_stream){.seed = 2}, 0, COUNT, noise);
    for (int k = 0; k < COUNT; k++)
        amounts[k] = (float)(0.5 + 0.1 * (r * (double)z[k * SIZE] + sqrt(1 - r * r) * (double)noise[k]));
}

static void both_estimators_find_the_information_of_gaussians(void **state)
{
    (void)state;
    const double correlations[] = {0.9, 0.6, 0.3, 0.1};
    for (int i = 0; i < 4; i++) {
        double r[SIZE], binned[SIZE], exact = -0.5 * log(1 - correlations[i] * correlations[i]);
        make_gaussian(correlations[i]);
        assert_int_equal(information_correlation(z, amounts, COUNT, SIZE, r), LW_OK);
        assert_int_equal(information_binned(z, amounts, COUNT, SIZE, binned), LW_OK);
        assert_float_equal(r[0], correlations[i], 0.02);
        assert_float_equal(information_gaussian(r[0]), exact, 0.02 * exact + 1e-3);
        assert_float_equal(binned[0], exact, 0.05 * exact + 2e-3); /* bins lose a little */
        for (int k = 1; k < SIZE; k++) {
            assert_float_equal(information_gaussian(r[k]), 0, 5e-4);
            assert_float_equal(binned[k], 0, 3e-3);
        }
    }
}

/* Amounts in the lower half where |z0| is below its median, in the upper half elsewhere: they tell one bit of
 * z0, log 2 nats, and are not correlated with it. */
static void what_is_not_linear_is_found_by_bins_alone(void **state)
{
    (void)state;
    double r[SIZE], binned[SIZE];
    draw();
    lw_uniform((lw_stream){.seed = 3}, 0, COUNT, amounts);
    for (int k = 0; k < COUNT; k++)
        amounts[k] = amounts[k] / 2 + (fabsf(z[k * SIZE]) < 0.674490f ? 0 : 0.5f);
    assert_int_equal(information_correlation(z, amounts, COUNT, SIZE, r), LW_OK);
    assert_int_equal(information_binned(z, amounts, COUNT, SIZE, binned), LW_OK);
    assert_true(information_gaussian(r[0]) < 1e-3);
    assert_float_equal(binned[0], log(2), 0.06);
}

static void equal_amounts_are_no_pattern(void **state)
{
    (void)state;
    double binned[SIZE];
    draw();
    for (int k = 0; k < COUNT; k++) /* half of them 1, whatever z is */
        amounts[k] = k % 2 ? 1 : 0;
    assert_int_equal(information_binned(z, amounts, COUNT, SIZE, binned), LW_OK);
    for (int i = 0; i < SIZE; i++)
        assert_float_equal(binned[i], 0, 3e-3);
}

static void an_attribute_without_variance_is_refused(void **state)
{
    (void)state;
    double r[SIZE];
    draw();
    for (int k = 0; k < COUNT; k++)
        amounts[k] = 0.4f;
    assert_int_equal(information_correlation(z, amounts, COUNT, SIZE, r), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "does not vary"));
}

/* exp(mi) of 1, 1.25, 1.5, 2, brought to [0, 1]: 0, 0.25, 0.5, 1. */
static void a_larger_gamma_lets_more_components_move(void **state)
{
    (void)state;
    const double mi[] = {log(1.25), 0, log(2), log(1.5)}, gamma[] = {0, 0.45, 0.55, 0.8, 1};
    const float masks[5][4] = {{0, 0, 1, 0}, {0, 0, 1, 0}, {0, 0, 1, 1}, {1, 0, 1, 1}, {1, 1, 1, 1}};
    const int chosen[] = {1, 1, 2, 3, 4};
    for (int i = 0; i < 5; i++) {
        float mask[4];
        assert_int_equal(information_mask(mi, 4, gamma[i], mask), chosen[i]);
        assert_memory_equal(mask, masks[i], sizeof mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_estimators_find_the_information_of_gaussians),
        cmocka_unit_test(what_is_not_linear_is_found_by_bins_alone),
        cmocka_unit_test(equal_amounts_are_no_pattern),
        cmocka_unit_test(an_attribute_without_variance_is_refused),
        cmocka_unit_test(a_larger_gamma_lets_more_components_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
