/* half.h — 16-bit floats: conversions by bits, the same on every machine. */
#ifndef LWI_HALF_H
#define LWI_HALF_H

#include <stdint.h>

/* IEEE binary16 <-> binary32; to 16 bits rounds to nearest even; too large is infinity, NaN stays NaN. */
uint16_t lwi_half_of_float(float value);
float lwi_float_of_half(uint16_t half);

#endif
