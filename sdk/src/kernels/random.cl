/* random.cl — the numbers of random.h's streams, bit for bit those of random/philox.c: only integer arithmetic,
 * conversions and fma. stream = {seed low, high, step low, high, purpose, 0, 0, 0}.
 * -D LANES: the blocks of four that a work-item makes at once: 16, as vectors, on CPUs, 1 on GPUs. */
#pragma OPENCL FP_CONTRACT OFF

#if LANES == 16
typedef uint16 lanes;
#define COUNTING ((uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#else
typedef uint lanes;
#define COUNTING 0u
#endif

/* The words of blocks from `block`: word[k] of lane j is number 4 (block + j) + k. */
void philox(uint8 stream, uint block, lanes word[4])
{
    lanes c0 = block + COUNTING, c1 = stream.s4, c2 = stream.s2, c3 = stream.s3;
    uint k0 = stream.s0, k1 = stream.s1;
    for (int round = 0; round < 10; round++) {
        lanes high_a = mul_hi((lanes)0xD2511F53u, c0), low_a = 0xD2511F53u * c0;
        lanes high_b = mul_hi((lanes)0xCD9E8D57u, c2), low_b = 0xCD9E8D57u * c2;
        c0 = high_b ^ c1 ^ k0;
        c1 = low_b;
        c2 = high_a ^ c3 ^ k1;
        c3 = low_a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

/* The words of the blocks in order. */
void words(uint8 stream, uint block, uint out[4 * LANES])
{
    lanes word[4];
    philox(stream, block, word);
#if LANES == 16
    uint lane[4][16];
    for (int k = 0; k < 4; k++)
        vstore16(word[k], 0, lane[k]);
    for (int j = 0; j < 16; j++)
        vstore4((uint4)(lane[0][j], lane[1][j], lane[2][j], lane[3][j]), j, out);
#else
    for (int k = 0; k < 4; k++)
        out[k] = word[k];
#endif
}

float normal_of_word(uint word, global const float *table)
{
    bool lower = word < 0x80000000u;
    uint t = 2 * (lower ? word : ~word) + 1;
    int zeros = clz(t);
    global const float *c = table + 8 * (31 - zeros);
    int offset = (int)((t << zeros) - 0xC0000000u);
    float v = (float)offset * 0x1p-30f;
    float x = c[7];
    x = fma(x, v, c[6]);
    x = fma(x, v, c[5]);
    x = fma(x, v, c[4]);
    x = fma(x, v, c[3]);
    x = fma(x, v, c[2]);
    x = fma(x, v, c[1]);
    x = fma(x, v, c[0]);
    return lower ? -x : x;
}

/* A work-item makes the numbers of `run` blocks of 4, a multiple of LANES. */
kernel void uniform_numbers(global float *y, uint8 stream, int count, int run)
{
    uint word[4 * LANES];
    int first = (int)get_global_id(0) * run;
    for (int block = first; block < first + run && 4 * block < count; block += LANES) {
        words(stream, block, word);
        int many = min(4 * LANES, count - 4 * block);
        for (int i = 0; i < many; i++)
            y[4 * block + i] = (float)(word[i] >> 8) * 0x1p-24f;
    }
}

kernel void normal_numbers(global float *y, uint8 stream, int count, int run, global const float *table)
{
    uint word[4 * LANES];
    int first = (int)get_global_id(0) * run;
    for (int block = first; block < first + run && 4 * block < count; block += LANES) {
        words(stream, block, word);
        int many = min(4 * LANES, count - 4 * block);
        for (int i = 0; i < many; i++)
            y[4 * block + i] = normal_of_word(word[i], table);
    }
}
