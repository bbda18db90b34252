/* random.h — the two random streams.
 *
 * Philox 4x32-10 (Salmon et al., SC 2011) is counter based: a number depends on (seed, purpose,
 * step, index) alone, so it is the same on every device, in every order, after every resume.
 * RandomState is NumPy's legacy generator (MT19937, polar Box–Muller `randn`), so that published
 * seeds give the published latents.
 *
 * Nothing here can fail. Any thread; a RandomState belongs to one at a time. Buffers are the caller's. */
#ifndef LATENTWALK_RANDOM_H
#define LATENTWALK_RANDOM_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The raw bijection: 10 rounds over `counter` with `key`; bit-exact with the published vectors. */
LW_API void lw_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream: counter = {index / 4 (low 32), purpose, step (low 32), step (high 32) xor index/4
 * (high 32)}, key = {seed low, seed high}; word = index % 4. The graph ops lw_random_uniform and
 * lw_random_normal draw the same numbers bit for bit. */
typedef struct lw_stream {
    uint64_t seed;
    uint64_t step;
    uint32_t purpose; /* lw_purpose("noise") */
} lw_stream;

LW_API uint32_t lw_purpose(const char *name); /* FNV-1a 32: a number for each use, so that streams differ */
/* out[i], 0 <= i < count, = number (first + i) of the stream. Uniform in [0, 1): top 24 bits / 2^24. Normal: mean 0,
 * deviation 1, by inverse CDF of a 32-bit uniform computed with fma alone, the same bits on host and device. */
LW_API void lw_uniform(lw_stream stream, uint64_t first, size_t count, float *out);
LW_API void lw_normal(lw_stream stream, uint64_t first, size_t count, float *out);
/* A permutation of 0…count-1 (Fisher–Yates drawn from the stream); count at most 2^32. */
LW_API void lw_shuffle(lw_stream stream, size_t count, uint32_t *out);

/* np.random.RandomState(seed): seed 0 … 2^32-1. randn(count) and random_sample(count) in float64, as NumPy; each call
 * goes on where the last one ended. */
typedef struct lw_random_state {
    uint32_t key[624];
    int pos;
    bool has_gauss;
    double gauss;
} lw_random_state;
LW_API void lw_random_state_seed(lw_random_state *state, uint32_t seed);
LW_API void lw_random_state_randn(lw_random_state *state, size_t count, double *out);
LW_API void lw_random_state_uniform(lw_random_state *state, size_t count, double *out); /* [0, 1) 53 bits */

#ifdef __cplusplus
}
#endif
#endif
