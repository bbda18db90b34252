/* philox_internal.h — the number of one word, as the device kernels compute it too. */
#ifndef LWI_PHILOX_INTERNAL_H
#define LWI_PHILOX_INTERNAL_H

#include "latentwalk/random.h"

/* Coefficients of the normal quantile: row = octave of the tail probability, constant term first.
 * random/normal_table.h holds the same rows as text for inclusion. */
extern const float lwi_normal_table[32][8];

float lwi_uniform_of_word(uint32_t word);
float lwi_normal_of_word(uint32_t word);

#endif
