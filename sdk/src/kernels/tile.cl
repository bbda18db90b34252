/* tile.cl — what the native kernels share: vectors, register tiles of products, and the epilogue. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define vec JOIN(float, VW)
#define loadv JOIN(vload, VW)
#define storev JOIN(vstore, VW)
#define PANEL (2 * VW)
#define FIXED __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void

#define ROWS_4(X) X(0) X(1) X(2) X(3)
#define ROWS_6(X) ROWS_4(X) X(4) X(5)
#define ROWS_8(X) ROWS_6(X) X(6) X(7)
#define ROWS_12(X) ROWS_8(X) X(8) X(9) X(10) X(11)

#define DECLARE(i) vec c##i = (vec)(0), d##i = (vec)(0);
#define LOAD(i) c##i = loadv(0, sum + (i)*PANEL), d##i = loadv(1, sum + (i)*PANEL);
#define STEP(i) c##i = fma((vec)(a[(i)*row_pitch]), b0, c##i), d##i = fma((vec)(a[(i)*row_pitch]), b1, d##i);
#define HALF_STEP(i) c##i = fma((vec)(a[(i)*row_pitch]), b0, c##i);
#define STORE(i) storev(c##i, 0, sum + (i)*PANEL), storev(d##i, 1, sum + (i)*PANEL);

/* Brings the cache line of p near, whether or not it exists; OpenCL's prefetch does nothing in PoCL. */
#define FETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)

/* tile_ROWS: sum [ROWS][PANEL] (+)= a b: a[i * row_pitch + k * step_pitch], b[k * b_pitch ..]. Where at most VW columns
 * count, only the first half of the panel. What lies `ahead` floats after b is fetched meanwhile, unless that is 0. */
#define TILE(rows)                                                                                 \
    static inline void tile_##rows(const float *a, const int row_pitch, const int step_pitch,      \
                                   __global const float *b, const long b_pitch, const int columns, \
                                   const int depth, const bool first, float *sum,                  \
                                   const long ahead)                                               \
    {                                                                                              \
        ROWS_##rows(DECLARE)                                                                       \
        if (!first) {                                                                              \
            ROWS_##rows(LOAD)                                                                      \
        }                                                                                          \
        if (columns > VW) {                                                                        \
            for (int k = 0; k < depth; k++, a += step_pitch, b += b_pitch) {                       \
                if (ahead)                                                                         \
                    FETCH(b + ahead), FETCH(b + ahead + VW);                                       \
                const vec b0 = loadv(0, b), b1 = loadv(1, b);                                      \
                ROWS_##rows(STEP)                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            for (int k = 0; k < depth; k++, a += step_pitch, b += b_pitch) {                       \
                const vec b0 = loadv(0, b);                                                        \
                ROWS_##rows(HALF_STEP)                                                             \
            }                                                                                      \
        }                                                                                          \
        ROWS_##rows(STORE)                                                                         \
    }
TILE(4)
TILE(6)
TILE(8)
TILE(12)

typedef struct epilogue {
    __global const float *scale, *bias, *residual;
    int per_image, activation;
    float slope, gain, clamp;
} epilogue;

static inline vec load_part(__global const float *from, int count)
{
    if (count >= VW)
        return loadv(0, from);
    float part[VW];
    for (int i = 0; i < VW; i++)
        part[i] = i < count ? from[i] : 0;
    return loadv(0, part);
}

static inline void store_part(vec value, __global float *to, int count)
{
    if (count >= VW) {
        storev(value, 0, to);
        return;
    }
    float part[VW];
    storev(value, 0, part);
    for (int i = 0; i < count; i++)
        to[i] = part[i];
}

/* Of all lanes. */
static inline float sum_of(vec v)
{
#if VW == 16
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
#elif VW == 8
    const float4 b = v.lo + v.hi;
#else
    const float4 b = v;
#endif
    return (b.x + b.z) + (b.y + b.w);
}

/* What an epilogue does at the end: activation, gain, clamp. */
static inline vec activate(const epilogue *e, vec v)
{
    if (e->activation == 1)
        v = select(v, v * e->slope, v <= (vec)(0));
    else if (e->activation == 2)
        v = tanh(v);
    else if (e->activation == 3)
        v = (vec)(1) / ((vec)(1) + exp(-v));
    v *= e->gain;
    if (e->clamp > 0) { /* comparisons, not fmin: what is not a number stays visible */
        v = select(v, (vec)(e->clamp), v > (vec)(e->clamp));
        v = select(v, (vec)(-e->clamp), v < (vec)(-e->clamp));
    }
    return v;
}

/* y[at..] = epilogue(sum) for `count` channels from `channel` of image `image`. */
static inline void finish(const epilogue *e, vec v, long image, int channels, int channel, int count, long at,
                          __global float *y)
{
    if (e->scale)
        v *= load_part(e->scale + (e->per_image ? image * channels : 0) + channel, count);
    if (e->bias)
        v += load_part(e->bias + channel, count);
    if (e->residual)
        v += load_part(e->residual + at, count);
    store_part(activate(e, v), y + at, count);
}

/* The same for one value; `scale_at` is where its scale lies. */
static inline float finish_one(float v, __global const float *scale, __global const float *bias,
                    __global const float *residual, long scale_at, long channel, long at, int activation,
                    float slope, float gain, float clamp_at)
{
    v = scale ? v * scale[scale_at] : v;
    v = bias ? v + bias[channel] : v;
    v = residual ? v + residual[at] : v;
    if (activation == 1)
        v = v > 0 ? v : v * slope;
    else if (activation == 2)
        v = tanh(v);
    else if (activation == 3)
        v = 1 / (1 + exp(-v));
    v *= gain;
    if (clamp_at > 0) {
        v = v > clamp_at ? clamp_at : v;
        v = v < -clamp_at ? -clamp_at : v;
    }
    return v;
}
