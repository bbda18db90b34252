/* gemm.cl — every dense product as one blocked matrix product: one work-item per block of the result.
 *
 * Seen as matrices, a convolution's left operand is the NHWC image with one row per output pixel and one
 * column per (filter row, filter column, channel). That matrix is never stored: a work-item copies the few
 * rows and columns it needs into private memory (`gather`, which also puts in the zeros of the border), so
 * that the inner loop reads a small dense array. A plain matrix is the same with 1 x 1 images. The right
 * operand comes in panels of 2 * VW columns. ROWS x 2 vectors of the result stay in registers.
 *
 * Included for register tiles of each height, ROWS. TILES tiles of rows and PANELS panels per work-item at most; DEPTH
 * reduction steps that are gathered at once. */
#ifndef MAX_ROWS /* what does not depend on ROWS */
#define MAX_ROWS (TILES * ROWS)
#define ROW_PITCH (DEPTH + 16) /* `rows`: gathered [row][step]; the 16 take what gather writes too much */
#define STEP_PITCH MAX_ROWS    /* `steps`: gathered [step][row], half as many steps at once */

/* An image as a matrix of patches, and where the patches lie. */
typedef struct patches {
    __global const float *x; /* [images][ih][iw][ic] */
    long count;              /* floats of x */
    int ih, iw, ic, r, s;    /* input, filter */
    int step, top, left;     /* patch (a, b) begins at row a * step + top, column b * step + left */
    int ph, pw;              /* patches per image, down and across */
} patches;

/* One patch: image, row and column in its grid. */
typedef struct place {
    int image, a, b;
} place;

static inline place place_of(const patches *p, int row)
{
    const int image = row / (p->ph * p->pw), inside = row - image * (p->ph * p->pw), a = inside / p->pw;
    return (place){image, a, inside - a * p->pw};
}

static inline void advance(const patches *p, place *at)
{
    if (++at->b < p->pw)
        return;
    at->b = 0;
    if (++at->a == p->ph)
        at->a = 0, at->image++;
}

/* to[0..count) = the patch's values from filter row r, `rest` values into it. Writes up to 15 floats more. */
static inline void gather(const patches *p, place at, int r, int rest, int count, float *to)
{
    const int y = at.a * p->step + p->top, x = at.b * p->step + p->left, line = p->s * p->ic;
    const bool whole = x >= 0 && x + p->s <= p->iw;
    const long pitch = (long)p->iw * p->ic;
    long from = (((long)at.image * p->ih + y + r) * p->iw + x) * p->ic;
    for (; count > 0; r++, rest = 0, from += pitch) {
        const bool row_inside = y + r >= 0 && y + r < p->ih;
        while (rest < line && count > 0) {
            bool inside = row_inside;
            int length = line - rest; /* of the piece that is contiguous in x */
            if (row_inside && !whole) {
                const int s = rest / p->ic;
                inside = x + s >= 0 && x + s < p->iw;
                length = (s + 1) * p->ic - rest;
            }
            length = min(length, count);
            if (!inside) {
                for (int i = 0; i < length; i += 16)
                    vstore16((float16)(0), 0, to + i);
            } else if (from + rest + length + 15 <= p->count) {
                for (int i = 0; i < length; i += 16)
                    vstore16(vload16(0, p->x + from + rest + i), 0, to + i);
            } else {
                for (int i = 0; i < length; i++)
                    to[i] = p->x[from + rest + i];
            }
            to += length, count -= length, rest += length;
        }
    }
}

/* One phase of a strided transpose along one axis: the outputs first, first + stride, … each sum the same
 * taps. */
static inline int phase_taps(int phase, int filter, int stride)
{
    return phase < filter ? (filter - phase + stride - 1) / stride : 0;
}

static inline int phase_first(int phase, int stride, int padding)
{
    const int m = (phase - padding) % stride;
    return m < 0 ? m + stride : m;
}

static inline int phase_count(int first, int size, int stride)
{
    return first < size ? (size - first + stride - 1) / stride : 0;
}

#endif

/* y = patches(x) b, forward convolution; transposed: gradient with respect to its input, phase by phase.
 * x [images][ih][iw][ic], y [images][oh][ow][oc]; b in panels [phase][panel][step][PANEL], or, where !packed,
 * as a matrix [step][oc] with oc a multiple of PANEL. Global: blocks of rows, blocks of panels, batch x
 * splits x phases. splits > 1: the reduction is cut, and each part stored on its own, [batch][split][y], to
 * be summed later. */
FIXED JOIN(dense_rows_, ROWS)(__global const float *x, __global const float *b, __global float *y, __global const float *scale,
           __global const float *bias, __global const float *residual, int images, int ih, int iw, int ic,
           int r, int s, int stride, int padding, int oh, int ow, int oc, int transposed, int splits,
           int stride_x, int stride_b, int stride_y, int packed, int block_rows, int block_panels,
           int per_image, int activation, float slope, float gain, float clamp)
{
    float rows[MAX_ROWS * ROW_PITCH], sum[PANELS * MAX_ROWS * PANEL];
    const int panels = (oc + PANEL - 1) / PANEL;
    const int phases = transposed ? stride * stride : 1;
    const int z = get_global_id(2), phase = z % phases;
    const int split = z / phases % splits, batch = z / phases / splits;
    patches p = {.x = x + (long)batch * stride_x, .count = (long)images * ih * iw * ic};
    p.ih = ih, p.iw = iw, p.ic = ic, p.r = r, p.s = s;
    p.step = stride, p.top = -padding, p.left = -padding, p.ph = oh, p.pw = ow;
    int first_y = 0, first_x = 0;
    b += (long)batch * stride_b;
    if (transposed) {
        for (int i = 0; i < phase; i++)
            b += (long)panels * phase_taps(i / stride, r, stride) * phase_taps(i % stride, s, stride) * ic *
                 PANEL;
        p.r = phase_taps(phase / stride, r, stride), p.s = phase_taps(phase % stride, s, stride);
        first_y = phase_first(phase / stride, stride, padding);
        first_x = phase_first(phase % stride, stride, padding);
        p.step = 1;
        p.top = (first_y + padding) / stride - (p.r - 1), p.left = (first_x + padding) / stride - (p.s - 1);
        p.ph = phase_count(first_y, oh, stride), p.pw = phase_count(first_x, ow, stride);
    }
    const int steps = p.r * p.s * ic, m = images * p.ph * p.pw;
    const int row0 = get_global_id(0) * block_rows, row_count = min(block_rows, m - row0);
    const int panel0 = get_global_id(1) * block_panels, panel_count = min(block_panels, panels - panel0);
    if (row_count <= 0)
        return;
    const int part = (steps + splits - 1) / splits;
    const int begin = min(split * part, steps), end = min(begin + part, steps);
    const int tiles = (row_count + ROWS - 1) / ROWS;
    const long b_pitch = packed ? PANEL : oc;
    const place start = place_of(&p, row0);
    for (int i = 0; begin == end && i < panel_count * MAX_ROWS * PANEL; i++)
        sum[i] = 0;
    for (int k = begin; k < end; k += DEPTH) {
        const int depth = min(DEPTH, end - k);
        const int line = p.s * ic, filter_row = k / line;
        place at = start;
        for (int i = 0; i < row_count; i++, advance(&p, &at))
            gather(&p, at, filter_row, k - filter_row * line, depth, rows + i * ROW_PITCH);
        for (int j = 0; j < panel_count; j++) {
            __global const float *bj = packed ? b + ((long)(panel0 + j) * steps + k) * PANEL
                                              : b + (long)k * oc + (panel0 + j) * PANEL;
            for (int t = 0; t < tiles; t++)
                JOIN(tile_, ROWS)(rows + t * ROWS * ROW_PITCH, ROW_PITCH, 1, bj, b_pitch, oc - (panel0 + j) * PANEL, depth,
                     k == begin, sum + (j * MAX_ROWS + t * ROWS) * PANEL, 0);
        }
    }
    residual = residual ? residual + (long)batch * stride_y : residual;
    const epilogue e = {scale, bias, residual, per_image, activation, slope, gain, clamp};
    y += (long)batch * stride_y * splits + (long)split * images * oh * ow * oc;
    const int ostride = transposed ? stride : 1;
    place to = start;
    for (int i = 0; i < row_count; i++, advance(&p, &to)) {
        const long at =
            (((long)to.image * oh + to.a * ostride + first_y) * ow + to.b * ostride + first_x) * oc;
        for (int j = 0; j < 2 * panel_count; j++) {
            const int channel = panel0 * PANEL + j * VW;
            if (channel < oc)
                finish(&e, loadv(0, sum + (j / 2 * MAX_ROWS + i) * PANEL + j % 2 * VW), to.image, oc, channel,
                       oc - channel, at + channel, y);
        }
    }
}

/* w = patches(x)^T y, the gradient of a convolution with respect to its filter: w [r][s][ic][oc] sums over
 * pixels. As a matrix product: the left operand stored transposed. b is y, [pixel][oc] or in panels. Rows of
 * the result are (r, s, ic); the rest is as in dense_rows. */
FIXED JOIN(dense_outer_, ROWS)(__global const float *x, __global const float *b, __global float *y, __global const float *scale,
            __global const float *bias, __global const float *residual, int images, int ih, int iw, int ic,
            int r, int s, int stride, int padding, int oh, int ow, int oc, int transposed, int splits,
            int stride_x, int stride_b, int stride_y, int packed, int block_rows, int block_panels,
            int per_image, int activation, float slope, float gain, float clamp)
{
    float steps[DEPTH / 2 * STEP_PITCH + 16], sum[PANELS * MAX_ROWS * PANEL];
    const int panels = (oc + PANEL - 1) / PANEL;
    const int split = get_global_id(2) % splits, batch = get_global_id(2) / splits;
    patches p = {.x = x + (long)batch * stride_x, .count = (long)images * ih * iw * ic};
    p.ih = ih, p.iw = iw, p.ic = ic, p.r = r, p.s = s;
    p.step = stride, p.top = -padding, p.left = -padding, p.ph = oh, p.pw = ow;
    const int pixels = images * oh * ow, m = r * s * ic;
    const int row0 = get_global_id(0) * block_rows, row_count = min(block_rows, m - row0);
    const int panel0 = get_global_id(1) * block_panels, panel_count = min(block_panels, panels - panel0);
    const int part = (pixels + splits - 1) / splits;
    const int begin = min(split * part, pixels), end = min(begin + part, pixels);
    const int tiles = (row_count + ROWS - 1) / ROWS;
    const long b_pitch = packed ? PANEL : oc;
    const int filter_row = row0 / (s * ic);
    place at = place_of(&p, begin);
    b += (long)batch * stride_b;
    for (int i = 0; begin == end && i < panel_count * MAX_ROWS * PANEL; i++)
        sum[i] = 0;
    for (int k = begin; k < end; k += DEPTH / 2) {
        const int depth = min(DEPTH / 2, end - k);
        for (int i = 0; i < depth; i++, advance(&p, &at))
            gather(&p, at, filter_row, row0 - filter_row * (s * ic), row_count, steps + i * STEP_PITCH);
        for (int j = 0; j < panel_count; j++) {
            __global const float *bj = packed ? b + ((long)(panel0 + j) * pixels + k) * PANEL
                                              : b + (long)k * oc + (panel0 + j) * PANEL;
            for (int t = 0; t < tiles; t++)
                JOIN(tile_, ROWS)(steps + t * ROWS, 1, STEP_PITCH, bj, b_pitch, oc - (panel0 + j) * PANEL, depth,
                     k == begin, sum + (j * MAX_ROWS + t * ROWS) * PANEL, 0);
        }
    }
    residual = residual ? residual + (long)batch * stride_y : residual;
    const epilogue e = {scale, bias, residual, per_image, activation, slope, gain, clamp};
    y += (long)batch * stride_y * splits + (long)split * m * oc;
    for (int i = 0; i < row_count; i++) {
        for (int j = 0; j < 2 * panel_count; j++) {
            const int channel = panel0 * PANEL + j * VW;
            if (channel < oc)
                finish(&e, loadv(0, sum + (j / 2 * MAX_ROWS + i) * PANEL + j % 2 * VW), row0 + i, oc, channel,
                       oc - channel, (long)(row0 + i) * oc + channel, y);
        }
    }
}
