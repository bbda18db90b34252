/* winograd.cl — convolutions with few multiplications: Winograd's F(4 x 4, R x R) (Lavin and Gray 2016, "Fast
 * Algorithms for Convolutional Neural Networks"), NHWC, one work-item per block of the result.
 *
 * A tile is 4 x 4 outputs, which see W x W inputs, W = R + 3. Both the inputs and the filter are brought into
 * W * W points (polynomials evaluated), where the convolution is one product per point and channel: over all
 * tiles, W * W matrix products [tiles][channels] x [channels][outputs]. A work-item transforms the inputs of
 * its tiles into private memory, multiplies there, and brings the sums back, through the epilogue: nothing
 * but x, filter and y touches global memory.
 *
 * Strides: a convolution of stride s sums s x s dense ones, each over every s-th pixel ("planes", laid behind
 * one another as more channels); the transpose writes s x s interleaved dense ones ("phases"). Filters of
 * 4 x 4 with stride 2 are thus four of 2 x 2.
 *
 * The points are 0, +-1/sqrt 2, +-sqrt 2 and infinity for R = 3 (half the error of 0, +-1, +-2), and 0, +-1,
 * 1/2 and infinity for R = 2.
 *
 * Included for each R; ROWS rows of a register tile; BLOCK_TILES, BLOCK_DEPTH tiles and channels of a block at most,
 * whose points and sums lie in private memory. */
#ifndef M /* what does not depend on R */
#define M 4
#define W (M + R - 1)
#define POINTS (W * W)
#define A 0.70710678118654752f /* a^2 = 1/2, b^2 = 2, ab = 1 */
#define B 1.41421356237309505f
#define INPUTS (POINTS * (BLOCK_TILES * (BLOCK_DEPTH + 16) + 16))
#define SUMS (4 * POINTS * (BLOCK_TILES * PANEL + 16))
#define to_points JOIN(to_points_, R)
#define from_points JOIN(from_points_, R)
#define taps_to_points JOIN(taps_to_points_, R)
#define gradient_to_points JOIN(gradient_to_points_, R)
#define points_to_taps JOIN(points_to_taps_, R)
#define tap_of JOIN(tap_of_, R)
#define origin_of JOIN(origin_of_, R)
#define lacks_tap JOIN(lacks_tap_, R)
#define transform_window JOIN(transform_window_, R)
#define end_inside JOIN(end_inside_, R)
#define transform_sums JOIN(transform_sums_, R)
#define pack_winograd JOIN(pack_winograd_, R)
#define winograd JOIN(winograd_, R)
#define winograd_gradient JOIN(winograd_gradient_, R)
#define winograd_filter JOIN(winograd_filter_, R)

/* Where a tile lies: its image, and its first output in the grid of the phase. */
typedef struct corner {
    int image, y, x;
} corner;

static inline corner corner_of(int tile, int down, int across)
{
    const int image = tile / (down * across), inside = tile - image * (down * across), row = inside / across;
    return (corner){image, row * M, (inside - row * across) * M};
}

/* The first of pixels `step` apart from `from` that does not lie before the image. */
static inline int first_inside(int from, int step)
{
    return from < 0 ? (-from + step - 1) / step : 0;
}

#endif

/* One axis: W values -> W points. */
static inline void to_points(const vec *d, vec *t)
{
#if R == 3
    const vec p = fma((vec)(-2), d[2], d[4]), q = fma((vec)(-2), d[1], d[3]);
    const vec r = fma((vec)(-0.5f), d[2], d[4]), s = fma((vec)(-0.5f), d[1], d[3]);
    t[0] = fma((vec)(-2.5f), d[2], d[0] + d[4]);
    t[1] = fma((vec)(A), q, p);
    t[2] = fma((vec)(-A), q, p);
    t[3] = fma((vec)(B), s, r);
    t[4] = fma((vec)(-B), s, r);
    t[5] = fma((vec)(-2.5f), d[3], d[1] + d[5]);
#else
    const vec e = fma((vec)(-0.5f), d[2], d[3]), f = fma((vec)(-0.5f), d[1], d[2]);
    t[0] = e - fma((vec)(-0.5f), d[0], d[1]);
    t[1] = e + f;
    t[2] = e - f;
    t[3] = d[3] - d[1];
    t[4] = fma((vec)(-0.5f), d[3], d[4]) - f;
#endif
}

/* One axis: W points of sums -> M outputs. */
static inline void from_points(const vec *m, vec *y)
{
#if R == 3
    const vec s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    y[0] = m[0] + s + t;
    y[1] = fma((vec)(A), d, e * B);
    y[2] = fma((vec)(2), t, s * 0.5f);
    y[3] = fma((vec)(A / 2), d, fma((vec)(2 * B), e, m[5]));
#else
    const vec s = m[1] + m[2], d = m[1] - m[2];
    y[0] = m[0] + s + m[3];
    y[1] = fma((vec)(0.5f), m[3], d);
    y[2] = fma((vec)(0.25f), m[3], s);
    y[3] = fma((vec)(0.125f), m[3], d) + m[4];
#endif
}

/* One axis: R taps -> W points. */
static inline void taps_to_points(const vec *g, vec *u)
{
#if R == 3
    const vec p = fma((vec)(0.5f), g[2], g[0]), q = fma((vec)(2), g[2], g[0]);
    u[0] = g[0];
    u[1] = fma((vec)(A), g[1], p) * (-2.0f / 3);
    u[2] = fma((vec)(-A), g[1], p) * (-2.0f / 3);
    u[3] = fma((vec)(B), g[1], q) * (1.0f / 6);
    u[4] = fma((vec)(-B), g[1], q) * (1.0f / 6);
    u[5] = g[2];
#else
    u[0] = g[0] * 2;
    u[1] = g[0] + g[1];
    u[2] = (g[0] - g[1]) * (-1.0f / 3);
    u[3] = fma((vec)(0.5f), g[1], g[0]) * (-8.0f / 3);
    u[4] = g[1];
#endif
}

/* Along one axis, phase or plane number `at`: the filter's tap at position j of the dense one, perhaps beyond
 * the filter; and where the window of the first output begins. */
static inline int tap_of(int transposed, int at, int j, int stride, int padding)
{
    return transposed ? (at + padding) % stride + stride * (R - 1 - j) : at + stride * j;
}

static inline int origin_of(int transposed, int at, int stride, int padding)
{
    return transposed ? (at + padding) / stride - (R - 1) : at - padding;
}

/* Whether the dense filter lacks a tap there: its first in a transpose, its last otherwise. A polynomial
 * without that term is zero at the first point (0), or at the last (infinity). */
static inline bool lacks_tap(int transposed, int at, int stride, int padding, int r)
{
    return tap_of(transposed, at, transposed ? 0 : R - 1, stride, padding) >= r;
}

/* u [phase][point][panel][step][PANEL] from w [k][c][r][r]: a step is a channel of a plane, the channels
 * filled up to whole vectors; the columns are k, or c for the transpose. Global: panels, vectors of channels. */
FIXED pack_winograd(__global const float *w, __global float *u, int k, int c, int r, int stride, int padding,
              int transposed)
{
    const int panel = get_global_id(0), panels = get_global_size(0), first = get_global_id(1) * VW;
    const int channels = get_global_size(1) * VW, planes = transposed ? 1 : stride * stride;
    const int columns = min(PANEL, (transposed ? c : k) - panel * PANEL), depth = transposed ? k : c;
    const long pitch_column = transposed ? r * r : (long)c * r * r;
    const long pitch_step = transposed ? (long)c * r * r : r * r;
    float taps[R * R * PANEL];
    for (int i = 0; i < R * R * PANEL; i++)
        taps[i] = 0;
    for (int at = 0; at < stride * stride; at++)
        for (int channel = first; channel < first + VW; channel++) {
            __global const float *from = w + panel * PANEL * pitch_column + channel * pitch_step;
            for (int i = 0; i < R * R; i++) {
                const int y = tap_of(transposed, at / stride, i / R, stride, padding);
                const int x = tap_of(transposed, at % stride, i % R, stride, padding);
                const bool some = y < r && x < r && channel < depth;
                for (int j = 0; j < columns; j++)
                    taps[i * PANEL + j] = some ? from[j * pitch_column + y * r + x] : 0;
            }
            const int phase = transposed ? at : 0, step = transposed ? channel : at * channels + channel;
            const long pitch = (long)panels * planes * channels * PANEL;
            __global float *to = u + phase * POINTS * pitch + ((long)panel * planes * channels + step) * PANEL;
            for (int side = 0; side < 2; side++) {
                vec g[R], t[W], half_way[R * W];
#pragma unroll
                for (int i = 0; i < R; i++) {
                    for (int j = 0; j < R; j++)
                        g[j] = loadv(2 * (i * R + j) + side, taps);
                    taps_to_points(g, t);
                    for (int j = 0; j < W; j++)
                        half_way[j * R + i] = t[j];
                }
#pragma unroll
                for (int j = 0; j < W; j++) {
                    taps_to_points(half_way + j * R, t);
                    for (int i = 0; i < W; i++)
                        storev(t[i], side, to + (i * W + j) * pitch);
                }
            }
        }
}

/* Points of VW channels of one window: v[point * pitch]. `x` is the window's first pixel; only pixels
 * (top .. bottom, left .. right) of it and `count` channels exist. */
static inline void transform_window(__global const float *x, long row, long column, const bool whole, int top,
                                    int bottom, int left, int right, int count, float *v, int pitch)
{
    vec half_way[W * W], d[W], t[W];
#pragma unroll
    for (int j = 0; j < W; j++) {
#pragma unroll
        for (int i = 0; i < W; i++)
            if (whole)
                d[i] = loadv(0, x + i * row + j * column);
            else
                d[i] = i >= top && i < bottom && j >= left && j < right
                           ? load_part(x + i * row + j * column, count)
                           : (vec)(0);
        to_points(d, t);
#pragma unroll
        for (int i = 0; i < W; i++)
            half_way[i * W + j] = t[i];
    }
#pragma unroll
    for (int i = 0; i < W; i++) {
        to_points(half_way + i * W, t);
#pragma unroll
        for (int j = 0; j < W; j++)
            storev(t[j], 0, v + (i * W + j) * pitch);
    }
}

/* One past the last of W such pixels that lies inside `size`. */
static inline int end_inside(int from, int step, int size)
{
    return from < size ? min(W, (size - from + step - 1) / step) : 0;
}

/* Sums of one tile and VW outputs, at m[point * pitch], back to M x M pixels. */
static inline void transform_sums(const float *m, int pitch, vec *y)
{
    vec half_way[M * W], d[W], t[M];
#pragma unroll
    for (int j = 0; j < W; j++) {
#pragma unroll
        for (int i = 0; i < W; i++)
            d[i] = loadv(0, m + (i * W + j) * pitch);
        from_points(d, t);
#pragma unroll
        for (int i = 0; i < M; i++)
            half_way[i * W + j] = t[i];
    }
#pragma unroll
    for (int i = 0; i < M; i++)
        from_points(half_way + i * W, y + i * M);
}

/* y = conv(x): x [images][ih][iw][ic], y [images][oh][ow][oc], u as pack_winograd makes it. Blocks of
 * `block_tiles` tiles and `block_panels` panels; `depth` channels are transformed at once, a multiple of VW.
 * Global: blocks of tiles, blocks of panels, phases. */
FIXED winograd(__global const float *x, __global const float *u, __global float *y, __global const float *scale,
         __global const float *bias, __global const float *residual, int images, int ih, int iw, int ic,
         int r, int stride, int padding, int oh, int ow, int oc, int transposed, int block_tiles, int block_panels,
         int depth, int per_image, int activation, float slope, float gain, float clamp)
{
    float v[INPUTS], sums[SUMS];
    const int phase = get_global_id(2), step_in = transposed ? 1 : stride, step_out = transposed ? stride : 1;
    const int first_y = phase / step_out, first_x = phase % step_out;
    const int ph = (oh - first_y + step_out - 1) / step_out, pw = (ow - first_x + step_out - 1) / step_out;
    const int down = (ph + M - 1) / M, across = (pw + M - 1) / M, panels = (oc + PANEL - 1) / PANEL;
    const int tile0 = get_global_id(0) * block_tiles, tiles = min(block_tiles, images * down * across - tile0);
    const int panel0 = get_global_id(1) * block_panels, panel_count = min(block_panels, panels - panel0);
    if (tiles <= 0)
        return;
    const int channels = (ic + VW - 1) / VW * VW, steps = step_in * step_in * channels;
    const int pitch = depth + 16, points_pitch = block_tiles * pitch + 16; /* not all in the same cache set */
    const int sums_pitch = block_tiles * PANEL + 16;
    u += (long)phase * POINTS * panels * steps * PANEL;
    for (int k = 0; k < steps; k += depth) {
        const int count = min(depth, steps - k);
        for (int t = 0; t < tiles; t++) {
            const corner at = corner_of(tile0 + t, down, across);
            for (int i = 0; i < count; i += VW) {
                const int plane = (k + i) / channels, channel = k + i - plane * channels;
                const int of_y = transposed ? first_y : plane / step_in, of_x = transposed ? first_x : plane % step_in;
                const int top = at.y * step_in + origin_of(transposed, of_y, stride, padding);
                const int left = at.x * step_in + origin_of(transposed, of_x, stride, padding);
                const int span = (W - 1) * step_in;
                __global const float *from = x + (((long)at.image * ih + top) * iw + left) * ic + channel;
                const long row = (long)iw * ic * step_in, column = (long)ic * step_in;
                float *to = v + t * pitch + i;
                if (top >= 0 && left >= 0 && top + span < ih && left + span < iw && channel + VW <= ic)
                    transform_window(from, row, column, true, 0, W, 0, W, VW, to, points_pitch);
                else
                    transform_window(from, row, column, false, first_inside(top, step_in), end_inside(top, step_in, ih),
                                     first_inside(left, step_in), end_inside(left, step_in, iw), ic - channel, to,
                                     points_pitch);
            }
        }
        const int plane = k / channels, zero = transposed ? 0 : W - 1;
        const bool alone = plane == (k + count - 1) / channels;
        const int of_y = transposed ? first_y : plane / step_in, of_x = transposed ? first_x : plane % step_in;
        const bool lacks_y = alone && lacks_tap(transposed, of_y, stride, padding, r);
        const bool lacks_x = alone && lacks_tap(transposed, of_x, stride, padding, r);
        for (int p = 0; p < POINTS; p++)
            for (int j = 0; j < panel_count; j++) {
                if ((lacks_y && p / W == zero) || (lacks_x && p % W == zero)) {
                    for (int i = 0; k == 0 && i < tiles * PANEL; i += VW)
                        storev((vec)(0), 0, sums + (j * POINTS + p) * sums_pitch + i);
                    continue;
                }
                __global const float *b = u + (((long)p * panels + panel0 + j) * steps + k) * PANEL;
                const int next = j + 1 < panel_count ? 1 : panels - panel_count + 1; /* that of the next point */
                for (int t = 0; t < tiles; t += ROWS)
                    JOIN(tile_, ROWS)(v + p * points_pitch + t * pitch, pitch, 1, b, PANEL, oc - (panel0 + j) * PANEL, count, k == 0,
                         sums + (j * POINTS + p) * sums_pitch + t * PANEL, (long)next * steps * PANEL);
            }
    }
    const epilogue e = {scale, bias, residual, per_image, activation, slope, gain, clamp};
    for (int t = 0; t < tiles; t++) {
        const corner at = corner_of(tile0 + t, down, across);
        const int rows = min(M, ph - at.y), columns = min(M, pw - at.x);
        for (int j = 0; j < 2 * panel_count; j++) {
            const int channel = panel0 * PANEL + j * VW;
            if (channel >= oc)
                break;
            vec out[M * M];
            transform_sums(sums + (j / 2 * POINTS) * sums_pitch + t * PANEL + j % 2 * VW, sums_pitch, out);
            for (int i = 0; i < rows; i++)
                for (int l = 0; l < columns; l++) {
                    const long oy = (at.y + i) * step_out + first_y, ox = (at.x + l) * step_out + first_x;
                    finish(&e, out[i * M + l], at.image, oc, channel, oc - channel,
                           ((at.image * oh + oy) * ow + ox) * oc + channel, y);
                }
        }
    }
}

/* --- the filter's gradient: the transposes of all that, in the other order ----------------------------------- */

/* One axis: M gradients of outputs -> W points. */
static inline void gradient_to_points(const vec *y, vec *m)
{
#if R == 3
    const vec p = fma((vec)(0.5f), y[2], y[0]), q = fma((vec)(0.5f), y[3], y[1]);
    const vec r = fma((vec)(2), y[2], y[0]), s = fma((vec)(2), y[3], y[1]);
    m[0] = y[0];
    m[1] = fma((vec)(A), q, p);
    m[2] = fma((vec)(-A), q, p);
    m[3] = fma((vec)(B), s, r);
    m[4] = fma((vec)(-B), s, r);
    m[5] = y[3];
#else
    const vec p = y[0] + y[2], q = y[1] + y[3];
    m[0] = y[0];
    m[1] = p + q;
    m[2] = p - q;
    m[3] = fma((vec)(0.125f), y[3], fma((vec)(0.25f), y[2], fma((vec)(0.5f), y[1], y[0])));
    m[4] = y[3];
#endif
}

/* One axis: W points of sums -> R gradients of taps. */
static inline void points_to_taps(const vec *u, vec *g)
{
#if R == 3
    const vec s = (u[1] + u[2]) * (-2.0f / 3), d = (u[1] - u[2]) * (-2.0f / 3);
    const vec t = (u[3] + u[4]) * (1.0f / 6), e = (u[3] - u[4]) * (1.0f / 6);
    g[0] = u[0] + s + t;
    g[1] = fma((vec)(A), d, e * B);
    g[2] = fma((vec)(2), t, fma((vec)(0.5f), s, u[5]));
#else
    const vec third = u[2] * (1.0f / 3);
    g[0] = fma((vec)(2), u[0], fma((vec)(-8.0f / 3), u[3], u[1] - third));
    g[1] = fma((vec)(-4.0f / 3), u[3], u[1] + third + u[4]);
#endif
}

/* d [point][panel][tile][PANEL] from the gradients y [images][oh][ow][oc]. Global: blocks of `block` tiles,
 * panels. */
FIXED winograd_gradient(__global const float *y, __global float *d, int images, int oh, int ow, int oc, int block)
{
    const int down = (oh + M - 1) / M, across = (ow + M - 1) / M, tiles = images * down * across;
    const int panel = get_global_id(1), panels = get_global_size(1);
    const int first = get_global_id(0) * block, last = min(first + block, tiles);
    for (int tile = first; tile < last; tile++) {
        const corner at = corner_of(tile, down, across);
        for (int side = 0; side < 2; side++) {
            const int channel = panel * PANEL + side * VW;
            vec half_way[W * M], g[M], t[W];
#pragma unroll
            for (int j = 0; j < M; j++) {
#pragma unroll
                for (int i = 0; i < M; i++)
                    g[i] = at.y + i < oh && at.x + j < ow
                               ? load_part(y + (((long)at.image * oh + at.y + i) * ow + at.x + j) * oc + channel,
                                           oc - channel)
                               : (vec)(0);
                gradient_to_points(g, t);
#pragma unroll
                for (int i = 0; i < W; i++)
                    half_way[i * M + j] = t[i];
            }
#pragma unroll
            for (int i = 0; i < W; i++) {
                gradient_to_points(half_way + i * M, t);
#pragma unroll
                for (int j = 0; j < W; j++)
                    storev(t[j], side, d + ((((long)i * W + j) * panels + panel) * tiles + tile) * PANEL);
            }
        }
    }
}

/* part [split][r][r][ic][oc], the filter's gradient from the tiles of each split; d as winograd_gradient makes it.
 * Blocks of `block_channels` channels of one plane and `block_panels` panels; `depth` tiles are transformed at
 * once. Global: planes x blocks of channels, blocks of panels, splits. */
FIXED winograd_filter(__global const float *x, __global const float *d, __global float *part, int images, int ih, int iw,
                int ic, int r, int stride, int padding, int oh, int ow, int oc, int block_channels,
                int block_panels, int depth)
{
    float v[INPUTS], sums[SUMS];
    const int down = (oh + M - 1) / M, across = (ow + M - 1) / M, tiles = images * down * across;
    const int panels = (oc + PANEL - 1) / PANEL, blocks = (ic + block_channels - 1) / block_channels;
    const int plane = get_global_id(0) / blocks, channel0 = get_global_id(0) % blocks * block_channels;
    const int panel0 = get_global_id(1) * block_panels, panel_count = min(block_panels, panels - panel0);
    const int split = get_global_id(2), share = (tiles + (int)get_global_size(2) - 1) / (int)get_global_size(2);
    const int begin = min(split * share, tiles), end = min(begin + share, tiles);
    const int pitch = block_channels + 16, points_pitch = depth * pitch + 16, span = (W - 1) * stride;
    const long row = (long)iw * ic * stride, column = (long)ic * stride;
    for (int i = 0; begin == end && i < POINTS * block_panels * block_channels * PANEL; i++)
        sums[i] = 0;
    for (int k = begin; k < end; k += depth) {
        const int count = min(depth, end - k);
        for (int t = 0; t < count; t++) {
            const corner at = corner_of(k + t, down, across);
            const int top = at.y * stride + plane / stride - padding, left = at.x * stride + plane % stride - padding;
            __global const float *from = x + (((long)at.image * ih + top) * iw + left) * ic + channel0;
            for (int i = 0; i < block_channels; i += VW) {
                float *to = v + t * pitch + i;
                const int there = ic - channel0 - i;
                if (top >= 0 && left >= 0 && top + span < ih && left + span < iw && there >= VW)
                    transform_window(from + i, row, column, true, 0, W, 0, W, VW, to, points_pitch);
                else
                    transform_window(from + i, row, column, false, first_inside(top, stride),
                                     end_inside(top, stride, ih), first_inside(left, stride),
                                     end_inside(left, stride, iw), there, to, points_pitch);
            }
        }
        for (int p = 0; p < POINTS; p++)
            for (int j = 0; j < panel_count; j++)
                for (int i = 0; i < block_channels; i += ROWS)
                    JOIN(tile_, ROWS)(v + p * points_pitch + i, 1, pitch,
                         d + (((long)p * panels + panel0 + j) * tiles + k) * PANEL, PANEL,
                         oc - (panel0 + j) * PANEL, count, k == begin,
                         sums + ((p * block_panels + j) * block_channels + i) * PANEL, 0);
    }
    part += (long)split * r * r * ic * oc;
    for (int i = 0; i < min(block_channels, ic - channel0); i++)
        for (int j = 0; j < 2 * panel_count; j++) {
            const int channel = panel0 * PANEL + j * VW;
            if (channel >= oc)
                break;
            vec u[W], g[R], half_way[R * W];
#pragma unroll
            for (int b = 0; b < W; b++) {
#pragma unroll
                for (int a = 0; a < W; a++)
                    u[a] = loadv(0, sums + (((a * W + b) * block_panels + j / 2) * block_channels + i) * PANEL +
                                        j % 2 * VW);
                points_to_taps(u, g);
#pragma unroll
                for (int a = 0; a < R; a++)
                    half_way[a * W + b] = g[a];
            }
#pragma unroll
            for (int a = 0; a < R; a++) {
                points_to_taps(half_way + a * W, g);
#pragma unroll
                for (int b = 0; b < R; b++) {
                    const int ry = tap_of(0, plane / stride, a, stride, padding);
                    const int rx = tap_of(0, plane % stride, b, stride, padding);
                    if (ry < r && rx < r)
                        store_part(g[b], part + (((long)ry * r + rx) * ic + channel0 + i) * oc + channel, oc - channel);
                }
            }
        }
}
