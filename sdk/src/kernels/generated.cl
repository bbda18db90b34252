/* generated.cl — what every generated kernel may use; put before the generated ones. */
#pragma OPENCL FP_CONTRACT OFF

#define LANES ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
/* 16 elements, s apart. */
#define GATHER(p, s)                                                                               \
    ((float16)((p)[0], (p)[s], (p)[2 * (s)], (p)[3 * (s)], (p)[4 * (s)], (p)[5 * (s)], (p)[6 * (s)], \
               (p)[7 * (s)], (p)[8 * (s)], (p)[9 * (s)], (p)[10 * (s)], (p)[11 * (s)], (p)[12 * (s)], \
               (p)[13 * (s)], (p)[14 * (s)], (p)[15 * (s)]))
#define STORE(v, p) (*(p) = (v))
#define SCATTER(v, p, s)                                                                           \
    do {                                                                                           \
        (p)[0] = v.s0, (p)[s] = v.s1, (p)[2 * (s)] = v.s2, (p)[3 * (s)] = v.s3;                    \
        (p)[4 * (s)] = v.s4, (p)[5 * (s)] = v.s5, (p)[6 * (s)] = v.s6, (p)[7 * (s)] = v.s7;        \
        (p)[8 * (s)] = v.s8, (p)[9 * (s)] = v.s9, (p)[10 * (s)] = v.sa, (p)[11 * (s)] = v.sb;      \
        (p)[12 * (s)] = v.sc, (p)[13 * (s)] = v.sd, (p)[14 * (s)] = v.se, (p)[15 * (s)] = v.sf;    \
    } while (0)
/* Compensated sum (Kahan): sum += v, where rest carries what rounding lost. */
#define ADD_TO(type, sum, rest, v)                                                                 \
    do {                                                                                           \
        const type kahan_v = (v) - rest, kahan_sum = sum + kahan_v;                                \
        rest = (kahan_sum - sum) - kahan_v;                                                        \
        sum = kahan_sum;                                                                           \
    } while (0)
#define ADD(sum, rest, v) ADD_TO(float, sum, rest, v)
#define ADD16(sum, rest, v) ADD_TO(float16, sum, rest, v)

float SUM_LANES(float16 v)
{
    float8 a = v.lo + v.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;
    return c.x + c.y;
}

float MAX_LANES(float16 v)
{
    float8 a = fmax(v.lo, v.hi);
    float4 b = fmax(a.lo, a.hi);
    float2 c = fmax(b.lo, b.hi);
    return fmax(c.x, c.y);
}
