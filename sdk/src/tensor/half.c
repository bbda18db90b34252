/* half.c — IEEE binary16 by integer arithmetic, and E4M3 beside it. */
#include "tensor/half.h"

#include <math.h>
#include <string.h>

float lwi_float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff, bits;
    float value;
    if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24, exact in binary32 */
        value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 31)
        bits = sign | 0x7f800000u | mantissa << 13;
    else
        bits = sign | (exponent + 127 - 15) << 23 | mantissa << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Drops the last `count` bits of `value`, to nearest, ties to even. */
static uint32_t round_off(uint32_t value, uint32_t count)
{
    uint32_t half = 1u << (count - 1), rest = value & ((1u << count) - 1);
    uint32_t kept = value >> count;
    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint16_t lwi_half_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t exponent = bits >> 23 & 0xff, mantissa = bits & 0x7fffff;
    if (exponent == 255)
        return (uint16_t)(sign | 0x7c00 | (mantissa ? 0x200 | mantissa >> 13 : 0));
    if (exponent < 102) /* below half of the smallest subnormal, 2^-25 */
        return sign;
    if (exponent < 113) { /* subnormal: units of 2^-24; a carry becomes the smallest normal by itself */
        uint32_t shift = 126 - exponent;
        return (uint16_t)(sign | round_off(mantissa | 0x800000, shift));
    }
    uint32_t rounded = round_off((exponent - 112) << 23 | mantissa, 13); /* a carry raises the exponent */
    return (uint16_t)(sign | (rounded < 0x7c00 ? rounded : 0x7c00));
}

float lwi_float_of_f8(uint8_t f8)
{
    int exponent = f8 >> 3 & 15, mantissa = f8 & 7;
    float value = (f8 & 0x7f) == 0x7f ? NAN
                  : exponent == 0     ? ldexpf((float)mantissa, -9)
                                      : ldexpf((float)(8 + mantissa), exponent - 10);
    return f8 & 0x80 ? -value : value;
}

uint8_t lwi_f8_of_float(float value)
{
    uint8_t sign = signbit(value) ? 0x80 : 0;
    float size = fabsf(value);
    if (!(size < 464)) /* halfway between 448 and what would come next */
        return sign | 0x7f;
    int exponent;
    frexpf(size, &exponent);
    exponent = size < 0x1p-6f ? -6 : exponent - 1; /* subnormal; and zero, whose exponent is said to be 0 */
    int units = (int)rintf(
        ldexpf(size, 3 - exponent)); /* 0 … 7 subnormal, 8 … 15; a carry to 16 raises the exponent */
    return sign | (uint8_t)((exponent + 6) * 8 + units);
}
