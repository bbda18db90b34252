/* philox.c — the counter-based stream: Philox 4x32-10 words, and uniform and normal numbers of them.
 *
 * The device kernels compute the same functions. Everything here is therefore made of operations
 * that every device rounds alike: integer arithmetic, conversion of integers to float, fma. This
 * file is compiled with -ffp-contract=off, so that nothing else becomes an fma. */
#include "random/philox_internal.h"

#include <math.h>

const float lwi_normal_table[32][8] = {
#include "random/normal_table.h"
};

void lw_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0;
        uint64_t b = (uint64_t)0xCD9E8D57u * c2;
        uint32_t high_a = (uint32_t)(a >> 32), high_b = (uint32_t)(b >> 32);
        c0 = high_b ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = high_a ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t lw_purpose(const char *name)
{
    uint32_t hash = 0x811c9dc5u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x01000193u;
    return hash;
}

/* The four words of numbers 4 * block … 4 * block + 3 of a stream. */
static void stream_block(lw_stream stream, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, stream.purpose, (uint32_t)stream.step,
                                 (uint32_t)(stream.step >> 32) ^ (uint32_t)(block >> 32)};
    const uint32_t key[2] = {(uint32_t)stream.seed, (uint32_t)(stream.seed >> 32)};
    lw_philox(counter, key, out);
}

float lwi_uniform_of_word(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

/* The normal quantile of u = (word + 1/2) / 2^32, within 5e-7 of the true one for every word. By symmetry
 * only the tail probability p = min(u, 1 - u) = t / 2^33 matters; t is an odd integer below 2^32. Within one
 * octave of t the quantile is smooth enough for a polynomial of degree 7, without logarithm or root. */
float lwi_normal_of_word(uint32_t word)
{
    bool lower = word < 0x80000000u;
    uint32_t t = 2 * (lower ? word : ~word) + 1;
    /* OpenCL C: int zeros = clz(t); t is never 0. */
    int zeros = __builtin_clz(t);
    const float *c = lwi_normal_table[31 - zeros];
    /* The leading one moves to bit 31: t << zeros is in [2^31, 2^32), its middle is 3 * 2^30. */
    int32_t offset = (int32_t)((t << zeros) - 0xC0000000u); /* [-2^30, 2^30) */
    float v = (float)offset * 0x1p-30f;                     /* [-1, 1], rounded to nearest even */
    float x = c[7];
    x = fmaf(x, v, c[6]);
    x = fmaf(x, v, c[5]);
    x = fmaf(x, v, c[4]);
    x = fmaf(x, v, c[3]);
    x = fmaf(x, v, c[2]);
    x = fmaf(x, v, c[1]);
    x = fmaf(x, v, c[0]);
    return lower ? -x : x;
}

/* out[i] = convert(word number first + i), one Philox call for up to four of them. */
static void fill(lw_stream stream, uint64_t first, size_t count, float *out, float (*convert)(uint32_t))
{
    uint32_t words[4];
    for (size_t i = 0; i < count;) {
        uint64_t index = first + i;
        stream_block(stream, index / 4, words);
        for (unsigned lane = index % 4; lane < 4 && i < count; lane++)
            out[i++] = convert(words[lane]);
    }
}

void lw_uniform(lw_stream stream, uint64_t first, size_t count, float *out)
{
    fill(stream, first, count, out, lwi_uniform_of_word);
}

void lw_normal(lw_stream stream, uint64_t first, size_t count, float *out)
{
    fill(stream, first, count, out, lwi_normal_of_word);
}

/* Fisher–Yates from the back. Numbers 2 i and 2 i + 1 of the stream are the 64 bits of step i, scaled to
 * 0 … i by multiplication: the bias is below i / 2^64. */
void lw_shuffle(lw_stream stream, size_t count, uint32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i;
    for (size_t i = count; i-- > 1;) {
        uint32_t words[4];
        stream_block(stream, i / 2, words);
        const uint32_t *pair = words + 2 * (i % 2);
        uint64_t range = (uint64_t)i + 1;
        uint64_t low = (pair[0] * range) >> 32;
        size_t j = (size_t)((pair[1] * range + low) >> 32);
        uint32_t swap = out[i];
        out[i] = out[j];
        out[j] = swap;
    }
}
