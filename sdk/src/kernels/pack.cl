/* pack.cl — operands brought into the order gemm.cl reads, and its results brought back.
 *
 * A panel is PANEL columns of the right operand, stored step by step: [step][PANEL], zero beyond the last
 * column. Most of this is transposition, done in blocks of VW x VW in registers. */

/* One round of a perfect shuffle of rows: after log2(VW) rounds, rows and columns have changed places. */
#if VW == 16
#define ROUNDS 4
#define FIRST_HALVES(a, b) \
    (vec)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define SECOND_HALVES(a, b) \
    (vec)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#elif VW == 8
#define ROUNDS 3
#define FIRST_HALVES(a, b) (vec)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define SECOND_HALVES(a, b) (vec)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#else
#define ROUNDS 2
#define FIRST_HALVES(a, b) (vec)(a.s0, b.s0, a.s1, b.s1)
#define SECOND_HALVES(a, b) (vec)(a.s2, b.s2, a.s3, b.s3)
#endif

static inline void transpose(vec *row)
{
    vec next[VW];
#pragma unroll
    for (int round = 0; round < ROUNDS; round++) {
#pragma unroll
        for (int i = 0; i < VW / 2; i++) {
            next[2 * i] = FIRST_HALVES(row[i], row[i + VW / 2]);
            next[2 * i + 1] = SECOND_HALVES(row[i], row[i + VW / 2]);
        }
#pragma unroll
        for (int i = 0; i < VW; i++)
            row[i] = next[i];
    }
}

/* Loads `rows` x `columns` (at most VW each) of a matrix, zeros beyond them, and transposes. */
static inline void load_transposed(vec *block, __global const float *from, long pitch, int rows, int columns)
{
#pragma unroll
    for (int i = 0; i < VW; i++)
        block[i] = i < rows ? load_part(from + i * pitch, columns) : (vec)(0);
    transpose(block);
}

/* to [batch][panel][k][PANEL] from b [k][n]. Global: panels, blocks of `block` k, batch. */
FIXED pack_matrix(__global const float *from, __global float *to, int k, int n, int stride, int block)
{
    const int panel = get_global_id(0), batch = get_global_id(2), panels = get_global_size(0);
    const int first = get_global_id(1) * block, last = min(first + block, k), columns = n - panel * PANEL;
    from += (long)batch * stride + panel * PANEL;
    to += ((long)batch * panels + panel) * k * PANEL;
    for (int i = first; i < last; i++) {
        storev(load_part(from + (long)i * n, columns), 2 * (long)i, to);
        storev(load_part(from + (long)i * n + VW, columns - VW), 2 * (long)i + 1, to);
    }
}

/* to [batch][panel of n][taps][k][PANEL] from [n][k][taps]: a filter, or, with one tap, a matrix stored
 * transposed. Global: panels, blocks of VW steps (k, tap), batch. */
FIXED pack_transposed(__global const float *from, __global float *to, int k, int n, int taps, int stride)
{
    const int panel = get_global_id(0), batch = get_global_id(2), panels = get_global_size(0);
    const int steps = k * taps;
    const int first = get_global_id(1) * VW, count = min(VW, steps - first);
    from += (long)batch * stride + (long)panel * PANEL * steps + first;
    to += ((long)batch * panels + panel) * steps * PANEL;
    for (int side = 0; side < 2; side++, from += (long)VW * steps) {
        vec block[VW];
        load_transposed(block, from, steps, n - panel * PANEL - side * VW, count);
        float rows[VW * VW];
#pragma unroll
        for (int i = 0; i < VW; i++)
            storev(block[i], i, rows);
        int step = first / taps, tap = first % taps;
        for (int i = 0; i < count; i++) {
            storev(loadv(i, rows), side, to + ((long)tap * k + step) * PANEL);
            if (++tap == taps)
                tap = 0, step++;
        }
    }
}

/* For the transpose: panels [phase][panel of c][taps down][taps across][k][PANEL] of w [k][c][r][s]. Phase
 * (y, x) of a stride holds the taps y, y + stride, … and x, x + stride, …, last first. Global: panels, k. */
FIXED pack_phases(__global const float *w, __global float *to, int k, int c, int r, int s, int stride)
{
    const int panel = get_global_id(0), panels = get_global_size(0), i = get_global_id(1), taps = r * s;
    for (int first = 0; first < taps; first += VW) {
        const int count = min(VW, taps - first);
        float rows[2 * VW * VW];
        for (int side = 0; side < 2; side++) {
            vec block[VW];
            const int column = panel * PANEL + side * VW;
            load_transposed(block, w + ((long)i * c + column) * taps + first, taps, c - column, count);
#pragma unroll
            for (int j = 0; j < VW; j++)
                storev(block[j], 2 * j + side, rows);
        }
        for (int j = 0; j < count; j++) {
            const int y = (first + j) / s, x = (first + j) % s, phase_y = y % stride, phase_x = x % stride;
            const int across = (s - phase_x + stride - 1) / stride,
                      down = (r - phase_y + stride - 1) / stride;
            /* Taps of the phases before: whole filter rows of the phase rows above, then the phases to the
             * left. */
            int before = 0;
            for (int p = 0; p < phase_y; p++)
                before += p < r ? (r - p + stride - 1) / stride * s : 0;
            for (int p = 0; p < phase_x; p++)
                before += (s - p + stride - 1) / stride * down;
            const int tap = (down - 1 - y / stride) * across + across - 1 - x / stride;
            __global float *at =
                to + (((long)before * panels + (long)panel * down * across + tap) * k + i) * PANEL;
            storev(loadv(2 * j, rows), 0, at);
            storev(loadv(2 * j + 1, rows), 1, at);
        }
    }
}

/* y[batch][i] = epilogue(sum of splits of part[batch][split][i]), i < count. y: rows of `channels`; `image`
 * floats per image. Global: blocks of `block` floats, batch. */
FIXED sum_splits(__global const float *part, __global float *y, __global const float *scale,
                 __global const float *bias, __global const float *residual, int count, int splits,
                 int channels, int image, int stride_y, int block, int per_image, int activation, float slope,
                 float gain, float clamp_at)
{
    const int first = get_global_id(0) * block, last = min(first + block, count);
    part += (long)get_global_id(1) * splits * count;
    y += (long)get_global_id(1) * stride_y;
    residual = residual ? residual + (long)get_global_id(1) * stride_y : residual;
    for (int i = first; i < last; i++) {
        float v = 0;
        for (int j = 0; j < splits; j++)
            v += part[(long)j * count + i];
        const int channel = i % channels;
        y[i] = finish_one(v, scale, bias, residual, (per_image ? (long)(i / image) * channels : 0) + channel,
                      channel, i, activation, slope, gain, clamp_at);
    }
}

/* w [k][c][r][s] = epilogue(sum of splits of part [split][r][s][c][k]). Global: blocks of VW k, of VW (c, r,
 * s). */
FIXED sum_filter(__global const float *part, __global float *w, __global const float *scale,
                 __global const float *bias, __global const float *residual, int k, int c, int r, int s,
                 int splits, int activation, float slope, float gain, float clamp_at)
{
    const int row = get_global_id(0) * VW, taps = r * s, steps = c * taps, first = get_global_id(1) * VW;
    const int rows = min(VW, k - row), count = min(VW, steps - first);
    const bool plain = !scale && !bias && !residual && !activation && gain == 1 && clamp_at == 0;
    vec block[VW];
#pragma unroll
    for (int i = 0; i < VW; i++) {
        block[i] = (vec)(0);
        const int channel = (first + i) / taps, tap = (first + i) % taps;
        for (int split = 0; split < splits && i < count; split++)
            block[i] += load_part(part + (((long)split * taps + tap) * c + channel) * k + row, rows);
    }
    transpose(block);
    float sums[VW * VW];
#pragma unroll
    for (int i = 0; i < VW; i++)
        storev(block[i], i, sums);
    for (int i = 0; i < rows; i++) {
        const long at = (long)(row + i) * steps + first;
        for (int j = 0; j < count && !plain; j++)
            sums[i * VW + j] = finish_one(sums[i * VW + j], scale, bias, residual, (first + j) % s,
                                      (first + j) % s, at + j, activation, slope, gain, clamp_at);
        store_part(loadv(i, sums), w + at, count);
    }
}

/* to [k][taps][c] from w [k][c][taps]. Global: k. */
FIXED pack_taps(__global const float *w, __global float *to, int c, int taps)
{
    w += get_global_id(0) * c * taps, to += get_global_id(0) * c * taps;
    for (int i = 0; i < taps; i++)
        for (int j = 0; j < c; j++)
            to[i * c + j] = w[j * taps + i];
}

/* x [n][h][w][c] = epilogue(sum of the taps that reach it) from taps [n][oh][ow][r][s][c]: the transpose of a
 * convolution after the product of its pixels with the filters. In a row, `stride` pixels that see the same
 * pixels of y are summed at once, as stride * c <= MOST_FLOATS floats. The floats of taps are followed by VW
 * more. Global: h, n. */
#define MOST_FLOATS 512
FIXED sum_taps(__global const float *taps, __global float *x, __global const float *scale,
               __global const float *bias, __global const float *residual, int w, int c, int r, int s, int oh,
               int ow, int stride, int padding, int per_image, int activation, float slope, float gain,
               float clamp_at)
{
    const int row = get_global_id(0), image = get_global_id(1), h = get_global_size(0);
    const int i0 = (row + padding) % stride, y0 = (row + padding) / stride, together = stride * c;
    const epilogue e = {0, 0, 0, 0, activation, slope, gain, clamp_at};
    const long line = ((long)image * h + row) * w * c;
    float scales[MOST_FLOATS + VW], biases[MOST_FLOATS + VW];
    for (int i = 0; i < together + VW; i++) {
        scales[i] = scale ? scale[(per_image ? image * c : 0) + i % c] : 1;
        biases[i] = bias ? bias[i % c] : 0;
    }
    for (int m = padding / stride; m * stride - padding < w; m++)
        for (int first = 0; first < together; first += VW) {
            vec sum = (vec)(0);
            for (int i = i0, y = y0; i < r && y >= 0; i += stride, y--)
                for (int j = 0, left = m; j < s && left >= 0 && y < oh; j += stride, left--) {
                    const int count = min(stride, s - j) * c - first;
                    if (left >= ow || count <= 0)
                        continue;
                    __global const float *from =
                        taps + (((((long)image * oh + y) * ow + left) * r + i) * s + j) * c + first;
                    sum += count + first < together ? load_part(from, count) : loadv(0, from);
                }
            sum = sum * loadv(0, scales + first) + loadv(0, biases + first);
            const int at = (m * stride - padding) * c + first, end = min(w * c, at - first + together);
            if (at >= 0 && at + VW <= end) {
                if (residual)
                    sum += loadv(0, residual + line + at);
                storev(activate(&e, sum), 0, x + line + at);
                continue;
            }
            float part[VW];
            for (int i = 0; i < VW; i++)
                part[i] = residual && at + i >= 0 && at + i < end ? residual[line + at + i] : 0;
            storev(activate(&e, sum + loadv(0, part)), 0, part);
            for (int i = max(0, -at); i < min(VW, end - at); i++)
                x[line + at + i] = part[i];
        }
}
