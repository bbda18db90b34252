/* half.h — 16-bit and 8-bit floats: conversions by bits, the same on every machine. */
#ifndef LWI_HALF_H
#define LWI_HALF_H

#include <stdint.h>

/* IEEE binary16 <-> binary32; to 16 bits rounds to nearest even; too large is infinity, NaN stays NaN. */
uint16_t lwi_half_of_float(float value);
float lwi_float_of_half(uint16_t half);

/* The 8-bit float E4M3 of .safetensors (1 sign, 4 exponent, 3 mantissa bits; no infinity, NaN is 0x7f; Micikevicius et
 * al. 2022): to 8 bits rounds to nearest even; what is larger than 448, and NaN, become NaN. */
uint8_t lwi_f8_of_float(float value);
float lwi_float_of_f8(uint8_t f8);

#endif
