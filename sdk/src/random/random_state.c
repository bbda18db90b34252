/* random_state.c — NumPy's legacy generator: Mersenne Twister MT19937, 53-bit uniforms, and normals by
 * the polar method that hands out the second number of each pair first. */
#include "latentwalk/random.h"

#include <math.h>

enum { SIZE = 624, SHIFT = 397 };

void lw_random_state_seed(lw_random_state *state, uint32_t seed)
{
    state->key[0] = seed;
    for (uint32_t i = 1; i < SIZE; i++) {
        uint32_t last = state->key[i - 1];
        state->key[i] = 1812433253u * (last ^ (last >> 30)) + i;
    }
    state->pos = SIZE;
    state->has_gauss = false;
    state->gauss = 0;
}

/* The next 624 words of state. */
static void twist(uint32_t *key)
{
    for (int i = 0; i < SIZE; i++) {
        uint32_t y = (key[i] & 0x80000000u) | (key[(i + 1) % SIZE] & 0x7fffffffu);
        key[i] = key[(i + SHIFT) % SIZE] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

static uint32_t next_word(lw_random_state *state)
{
    if (state->pos >= SIZE) {
        twist(state->key);
        state->pos = 0;
    }
    uint32_t y = state->key[state->pos++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

static double next_uniform(lw_random_state *state)
{
    uint32_t high = next_word(state) >> 5, low = next_word(state) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

static double next_gauss(lw_random_state *state)
{
    if (state->has_gauss) {
        state->has_gauss = false;
        return state->gauss;
    }
    double x, y, square;
    do {
        x = 2.0 * next_uniform(state) - 1.0;
        y = 2.0 * next_uniform(state) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    double scale = sqrt(-2.0 * log(square) / square);
    state->gauss = scale * x;
    state->has_gauss = true;
    return scale * y;
}

void lw_random_state_uniform(lw_random_state *state, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = next_uniform(state);
}

void lw_random_state_randn(lw_random_state *state, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = next_gauss(state);
}
