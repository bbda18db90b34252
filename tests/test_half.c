/* test_half.c — floats of 16 and 8 bits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tensor/half.h"

static void half_precision_rounds_to_nearest_even(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t half;
    } rows[] = {
        {0.0f, 0x0000},
        {-0.0f, 0x8000},
        {1.0f, 0x3c00},
        {0.1f, 0x2e66},
        {65504.0f, 0x7bff},
        {65519.0f, 0x7bff},
        {65520.0f, 0x7c00},
        {-1e30f, 0xfc00},
        {0x1p-24f, 0x0001},
        {0x1p-25f, 0x0000},
        {0x1.8p-25f, 0x0001},
        {0x1.8p-24f, 0x0002},
        {0x1p-14f, 0x0400},
        {0x1.ff8p-15f, 0x03ff},
        {0x1.ffcp-15f, 0x0400},
        {1.0f + 0x1p-11f, 0x3c00},
        {1.0f + 0x1.8p-10f, 0x3c02},
        {INFINITY, 0x7c00},
        {0x1p-149f, 0x0000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(lwi_half_of_float(rows[i].value), rows[i].half);
    assert_true(isnan(lwi_float_of_half(lwi_half_of_float(NAN))));
}

static void every_half_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        float value = lwi_float_of_half((uint16_t)half);
        if (!isnan(value))
            assert_int_equal(lwi_half_of_float(value), half);
    }
}

static void every_8_bit_float_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (uint32_t f8 = 0; f8 < 256; f8++)
        assert_int_equal(lwi_f8_of_float(lwi_float_of_f8((uint8_t)f8)) & ((f8 & 0x7f) == 0x7f ? 0x7f : 0xff),
                         (f8 & 0x7f) == 0x7f ? 0x7f : f8);
    assert_float_equal(lwi_float_of_f8(0x7e), 448, 0); /* the largest */
    assert_float_equal(lwi_float_of_f8(0x08), 0x1p-6f, 0);
    assert_float_equal(lwi_float_of_f8(0x81), -0x1p-9f, 0); /* the smallest */
    assert_int_equal(lwi_f8_of_float(1.0625f), 0x38);       /* a tie goes to the even 1 */
    assert_int_equal(lwi_f8_of_float(1.1875f), 0x3a);       /* and this one to the even 1.25 */
    assert_int_equal(lwi_f8_of_float(1.99f), 0x40);         /* a carry raises the exponent */
    assert_int_equal(lwi_f8_of_float(465), 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_precision_rounds_to_nearest_even),
        cmocka_unit_test(every_half_survives_the_way_to_float_and_back),
        cmocka_unit_test(every_8_bit_float_survives_the_way_to_float_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
