/* peak.cl — how fast the device can be: fused multiply-adds in registers, and a copy of memory. -D: VW. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#if VW == 1
#define vec float
#define loadv(i, p) (p)[i]
#define storev(v, i, p) (p)[i] = (v)
#else
#define vec JOIN(float, VW)
#define loadv JOIN(vload, VW)
#define storev JOIN(vstore, VW)
#endif

/* 16 chains, so that no multiply-add waits for the one before: 32 * VW * rounds operations an item. */
kernel void peak_fma(global float *y, float a, float b, int rounds)
{
    vec x[16];
#pragma unroll
    for (int j = 0; j < 16; j++)
        x[j] = (vec)(a * (float)j);
    for (int i = 0; i < rounds; i++) {
#pragma unroll
        for (int j = 0; j < 16; j++)
            x[j] = fma(x[j], (vec)(a), (vec)(b));
    }
    vec sum = x[0];
#pragma unroll
    for (int j = 1; j < 16; j++)
        sum += x[j];
    storev(sum, get_global_id(0), y);
}

/* An item copies `run` vectors, one `step` after the other. */
kernel void peak_copy(global float *y, global const float *x, int run, int item, int step)
{
    int at = (int)get_global_id(0) * item;
    for (int i = 0; i < run; i++, at += step)
        storev(loadv(at, x), at, y);
}
