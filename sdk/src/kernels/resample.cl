/* resample.cl — zero insertion, padding, separable FIR, decimation (upfirdn2d), NHWC: a row of pixels for each
 * work-item on CPUs, vectorised over channels; an element on GPUs.
 * y[oy][ox] = sum over a, b of taps[a] taps[b] z[oy down + a - before][ox down + b - before], where z has x at
 * the multiples of up and zeros between. */
#pragma OPENCL FP_CONTRACT OFF

/* The first tap that meets a pixel of x, for an output at `at`; then every up-th does. */
int first_tap(int at, int up, int before)
{
    int rest = (at - before) % up;
    rest = rest < 0 ? rest + up : rest;
    return rest ? up - rest : 0;
}

/* --- on CPUs: separably, rows first ---------------------------------------------------------------
 * The few rows of x that an output row is made of are summed into one (`line`), then its columns are. Both run
 * along neighbouring channels, some input pixels at a time so that `line` stays in the cache. */
enum { LINE = 8192, MOST_CHANNELS = 128, MOST_TAPS = 32 };

typedef struct tap_set {
    int count;
    long at[MOST_TAPS]; /* offsets in floats */
    float weight[MOST_TAPS];
} tap_set;

/* The taps that meet one of `size` pixels for an output at `at`; the pixels lie `pitch` floats apart from `first`. */
void find_taps(tap_set *set, global const float *taps, int tap_count, int at, int up, int before, int size, int first,
               long pitch)
{
    set->count = 0;
    for (int a = first_tap(at, up, before); a < tap_count; a += up) {
        int i = (at + a - before) / up;
        if (at + a < before || i >= size)
            continue;
        set->at[set->count] = (i - first) * pitch;
        set->weight[set->count++] = taps[a];
    }
}

#define WEIGH(type, load, store)                                                                   \
    do {                                                                                           \
        type sum = 0.0f;                                                                           \
        for (int t = 0; t < set->count; t++)                                                       \
            sum = fma((type)(set->weight[t]), load, sum);                                          \
        store;                                                                                     \
    } while (0)

/* to[0..length) = the weighted sum of what lies at the taps. */
void weigh_rows(const tap_set *set, global const float *from, float *to, int length)
{
    int i = 0;
    for (; i + 16 <= length; i += 16)
        WEIGH(float16, vload16(0, from + set->at[t] + i), vstore16(sum, 0, to + i));
    for (; i < length; i++)
        WEIGH(float, from[set->at[t] + i], to[i] = sum);
}

void weigh_columns(const tap_set *set, const float *from, global float *to, int length)
{
    int i = 0;
    for (; i + 16 <= length; i += 16)
        WEIGH(float16, vload16(0, from + set->at[t] + i), vstore16(sum, 0, to + i));
    for (; i < length; i++)
        WEIGH(float, from[set->at[t] + i], to[i] = sum);
}

/* A work-item makes one row of y. */
kernel void resample_row(global float *y, global const float *x, global const float *taps, int rows, int h, int w,
                         int oh, int ow, int c, int up, int down, int before, int tap_count)
{
    const int row = get_global_id(0), n = row / oh, oy = row % oh;
    const int channels = c <= MOST_CHANNELS ? c : MOST_CHANNELS, pixels = LINE / channels;
    const int columns = ((pixels - 2) * up - tap_count) / down + 1; /* that so many pixels suffice for */
    float line[LINE];
    tap_set down_taps, across;
    if (row >= rows)
        return;
    find_taps(&down_taps, taps, tap_count, oy * down, up, before, h, 0, (long)w * c);
    for (int ox0 = 0; ox0 < ow; ox0 += columns) {
        const int ox1 = min(ow, ox0 + columns);
        /* rounded down, so perhaps one pixel more than needed */
        const int x0 = max(0, (ox0 * down - before) / up), x1 = min(w, ((ox1 - 1) * down + tap_count - before) / up + 1);
        for (int c0 = 0; c0 < c; c0 += channels) {
            const int count = min(channels, c - c0);
            global const float *from = x + ((long)n * h * w + x0) * c + c0;
            if (count == c)
                weigh_rows(&down_taps, from, line, max(0, x1 - x0) * c);
            else
                for (int i = 0; i < x1 - x0; i++)
                    weigh_rows(&down_taps, from + (long)i * c, line + i * count, count);
            for (int ox = ox0; ox < ox1; ox++) {
                find_taps(&across, taps, tap_count, ox * down, up, before, w, x0, count);
                weigh_columns(&across, line, y + ((long)row * ow + ox) * c + c0, count);
            }
        }
    }
}

/* --- on GPUs: an element of y per work-item ------------------------------------------------------- */
kernel void resample_element(global float *y, global const float *x, global const float *taps, int items, int h, int w,
                             int oh, int ow, int c, int up, int down, int before, int tap_count)
{
    const int item = get_global_id(0), channel = item % c, at = item / c;
    if (item >= items)
        return;
    const int top = at / ow % oh * down, left = at % ow * down;
    x += (long)(at / ow / oh) * h * w * c + channel;
    float sum = 0.0f;
    for (int a = first_tap(top, up, before); a < tap_count; a += up) {
        const int iy = (top + a - before) / up;
        if (top + a < before || iy >= h)
            continue;
        for (int b = first_tap(left, up, before); b < tap_count; b += up) {
            const int ix = (left + b - before) / up;
            if (left + b >= before && ix < w)
                sum = fma(taps[a] * taps[b], x[(iy * w + ix) * c], sum);
        }
    }
    y[item] = sum;
}
