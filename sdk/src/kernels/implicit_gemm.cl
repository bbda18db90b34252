/* implicit_gemm.cl — convolution, its transpose and its filter gradient on GPUs: a product of matrices, tile by
 * tile through local memory, whose left matrix (the windows of an NHWC image) is never stored. Before it the
 * kernels that turn filters, after it those that sum parts of a cut reduction and finish a result.
 *
 * An entry of the left matrix is the image's value at a place (where a window begins) plus a shift (filter row,
 * filter column, channel). Its rows are places and the steps of the reduction shifts; for the filter gradient
 * it is the other way round. The transpose is stride x stride products, one per phase of the output, each with
 * the taps that meet it, so no zero is multiplied.
 *
 * -D (for the product only): ITEMS_X x ITEMS_Y work-items in a group; ACROSS x DOWN results per item, DOWN a
 * multiple of 4; DEPTH steps in local memory at once. Neighbouring items load and store neighbouring channels.
 * No double buffer: several groups fit a compute unit, and one computes while another loads. */
#pragma OPENCL FP_CONTRACT OFF

/* --- what is done to a sum before it is stored (lwi_epilogue) ------------------------------------ */
#define EPILOGUE_BUFFERS global const float *scale, global const float *bias, global const float *residual
#define EPILOGUE_NUMBERS int per_image, int activation, float slope, float gain, float limit
#define EPILOGUE scale, bias, residual, per_image, activation, slope, gain, limit

/* y[at], of a channel of an image with `channels` of them. */
float finished(float v, int image, int channels, int channel, int at, EPILOGUE_BUFFERS, EPILOGUE_NUMBERS)
{
    if (scale)
        v *= scale[per_image ? image * channels + channel : channel];
    if (bias)
        v += bias[channel];
    if (residual)
        v += residual[at];
    if (activation == 1)
        v = v > 0.0f ? v : v * slope;
    else if (activation == 2)
        v = tanh(v);
    else if (activation == 3)
        v = 1.0f / (1.0f + exp(-v));
    v *= gain;
    if (limit > 0.0f) { /* comparisons, not clamp: what is not a number stays visible */
        v = v > limit ? limit : v;
        v = v < -limit ? -limit : v;
    }
    return v;
}

/* --- around the product, a work-item per element ------------------------------------------------- */
/* Filters w [k][c][taps] as the product's right matrix: [taps][c][k], or [taps][k][c] for the transpose. */
kernel void turn_filter(global float *to, global const float *w, int count, int k, int c, int taps,
                        int transposed)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const int inner = transposed ? c : k, outer = transposed ? k : c;
    const int column = i % inner, row = i / inner % outer, tap = i / inner / outer;
    to[i] = w[((transposed ? row : column) * c + (transposed ? column : row)) * taps + tap];
}

/* w [k][c][taps] = sum of parts [splits][taps][c][k], in order. */
kernel void sum_filter(global float *w, global const float *part, int count, int splits, int k, int c, int taps)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = 0.0f;
    for (int split = 0; split < splits; split++)
        sum += part[split * count + i];
    w[(i % k * c + i / k % c) * taps + i / k / c] = sum;
}

/* y = epilogue(sum of parts [splits][y], in order); rows of `channels`, images of `image` elements. */
kernel void finish(global float *y, EPILOGUE_BUFFERS, global const float *part, int count, int splits,
                   int channels, int image, EPILOGUE_NUMBERS)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = part[i];
    for (int split = 1; split < splits; split++)
        sum += part[split * count + i];
    y[i] = finished(sum, i / image, channels, i % channels, i, EPILOGUE);
}

#ifdef ITEMS_X
/* --- the product ---------------------------------------------------------------------------------- */
#define ITEMS (ITEMS_X * ITEMS_Y)
#define ROWS (ITEMS_Y * DOWN)
#define COLUMNS (ITEMS_X * ACROSS)
#define PITCH (ROWS + 4) /* of a step in local memory: apart from whole numbers of banks */

enum { FORWARD, TRANSPOSE, FILTER };

/* The image [images][ih][iw][ic] as windows of r x s taps. */
typedef struct windows {
    int ih, iw, ic, r, s;
    int step, top, left;         /* window (a, b) begins at row a * step + top, column b * step + left */
    int down, across;            /* windows per image */
    int turn;                    /* 1, or -1: later taps lie further up and left */
    int tap_step, tap_y, tap_x, line; /* tap (i, j) is the filter's (tap_y + i * tap_step) * line + … */
} windows;

/* A phase of the transpose along one axis: the outputs first, first + stride, … all meet the taps tap,
 * tap + stride, …, the first of them at `begin`. */
typedef struct phase {
    int first, count, tap, taps, begin;
} phase;

phase phase_of(int at, int size, int filter, int stride, int padding)
{
    phase p = {.tap = at};
    p.first = ((at - padding) % stride + stride) % stride;
    p.count = p.first < size ? (size - p.first + stride - 1) / stride : 0;
    p.taps = at < filter ? (filter - at + stride - 1) / stride : 0;
    p.begin = (p.first + padding - at) / stride;
    return p;
}

/* {first line of the image, y, x, row of the right matrix} where window `i` begins. */
int4 place_of(const windows *w, int i)
{
    const int line = i / w->across, image = line / w->down;
    return (int4)(image * w->ih, (line - image * w->down) * w->step + w->top,
                  (i - line * w->across) * w->step + w->left, i);
}

/* {channel, y, x, row of the right matrix} by which entry `i` of a window lies further. */
int4 shift_of(const windows *w, int i)
{
    const int tap = i / w->ic, channel = i - tap * w->ic, y = tap / w->s, x = tap - y * w->s;
    const int of_filter = (w->tap_y + y * w->tap_step) * w->line + w->tap_x + x * w->tap_step;
    return (int4)(channel, y * w->turn, x * w->turn, of_filter * w->ic + channel);
}

/* y = windows(x) b. FORWARD, and the other way TRANSPOSE: y [images][oh][ow][oc], windows [images][ih][iw][ic],
 * b [r][s][ic][oc]. FILTER: y [r][s][ic][oc], b [images][oh][ow][oc]. Groups: columns, rows, splits x phases;
 * splits > 1: the reduction is cut, and y are parts [splits][y] without epilogue. */
kernel __attribute__((reqd_work_group_size(ITEMS_X, ITEMS_Y, 1))) void
implicit_gemm(global float *y, EPILOGUE_BUFFERS, global const float *x, global const float *b, int kind,
              int images, int ih, int iw, int ic, int r, int s, int stride, int padding, int oh, int ow, int oc,
              int splits, int part, EPILOGUE_NUMBERS)
{
    local float4 left[DEPTH * PITCH / 4]; /* [step][row] */
    local float right[DEPTH * COLUMNS];   /* [step][column] */
    local int4 row_table[ROWS], step_table[DEPTH];
    local float *const left_scalars = (local float *)left;
    const int4 nowhere = (int4)(0, -(1 << 30), 0, -1);
    const int item_x = get_local_id(0), item_y = get_local_id(1), item = item_y * ITEMS_X + item_x;
    const int row0 = get_group_id(1) * ROWS, column0 = get_group_id(0) * COLUMNS;
    const int split = get_group_id(2) % splits, phases = get_group_id(2) / splits;

    windows w = {ih, iw, ic, r, s, stride, -padding, -padding, oh, ow, 1, 1, 0, 0, s};
    phase down = {.first = 0}, across = {.first = 0};
    if (kind == TRANSPOSE) {
        down = phase_of(phases / stride, oh, r, stride, padding);
        across = phase_of(phases % stride, ow, s, stride, padding);
        w.r = down.taps, w.s = across.taps, w.step = 1, w.top = down.begin, w.left = across.begin;
        w.down = down.count, w.across = across.count;
        w.turn = -1, w.tap_step = stride, w.tap_y = down.tap, w.tap_x = across.tap;
    }
    const int places = images * w.down * w.across, shifts = w.r * w.s * ic;
    const int rows = kind == FILTER ? shifts : places, steps = kind == FILTER ? places : shifts;
    const int begin = split * part, end = row0 < rows ? min(begin + part, steps) : begin;

#define ENTRY(i, count, rows_or_steps) \
    ((i) >= (count) ? nowhere : ((kind == FILTER) == rows_or_steps) ? shift_of(&w, i) : place_of(&w, i))
    for (int i = item; i < ROWS; i += ITEMS)
        row_table[i] = ENTRY(row0 + i, rows, true);
    for (int i = item; i < DEPTH; i += ITEMS)
        step_table[i] = ENTRY(begin + i, end, false);

    float4 sum[DOWN / 4][ACROSS];
#pragma unroll
    for (int i = 0; i < DOWN / 4; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
            sum[i][j] = (float4)(0.0f);
    for (int k = begin; k < end; k += DEPTH) {
        barrier(CLK_LOCAL_MEM_FENCE); /* tables are written, the last tile is used up */
        for (int i = item; i < ROWS * DEPTH; i += ITEMS) { /* neighbours along channels, in either case */
            const int row = kind == FILTER ? i % ROWS : i / DEPTH, step = kind == FILTER ? i / ROWS : i % DEPTH;
            const int4 place = kind == FILTER ? step_table[step] : row_table[row];
            const int4 shift = kind == FILTER ? row_table[row] : step_table[step];
            const int at_y = place.y + shift.y, at_x = place.z + shift.z;
            const bool inside = at_y >= 0 && at_y < ih && at_x >= 0 && at_x < iw;
            left_scalars[step * PITCH + row] = inside ? x[((place.x + at_y) * iw + at_x) * ic + shift.x] : 0.0f;
        }
        for (int i = item; i < COLUMNS * DEPTH; i += ITEMS) {
            const int column = column0 + i % COLUMNS, from = step_table[i / COLUMNS].w;
            right[i] = from >= 0 && column < oc ? b[from * oc + column] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = item; i < DEPTH; i += ITEMS)
            step_table[i] = ENTRY(k + DEPTH + i, end, false);
        for (int step = 0; step < DEPTH; step++) {
            float4 a[DOWN / 4];
#pragma unroll
            for (int i = 0; i < DOWN / 4; i++)
                a[i] = left[step * (PITCH / 4) + i * ITEMS_Y + item_y];
#pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                const float4 by = (float4)(right[step * COLUMNS + j * ITEMS_X + item_x]);
#pragma unroll
                for (int i = 0; i < DOWN / 4; i++)
                    sum[i][j] = fma(a[i], by, sum[i][j]);
            }
        }
    }

    float result[DOWN][ACROSS]; /* what a loop may index; the sums above stay in registers */
#pragma unroll
    for (int i = 0; i < DOWN / 4; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
            result[4 * i][j] = sum[i][j].s0, result[4 * i + 1][j] = sum[i][j].s1;
            result[4 * i + 2][j] = sum[i][j].s2, result[4 * i + 3][j] = sum[i][j].s3;
        }
    y += split * (kind == FILTER ? rows : images * oh * ow) * oc;
    for (int i = 0; i < DOWN; i++) {
        const int row = row0 + (i / 4 * ITEMS_Y + item_y) * 4 + i % 4;
        if (row >= rows)
            break;
        int pixel = row, image = 0;
        if (kind != FILTER) {
            const int line = row / w.across;
            image = line / w.down;
            if (kind == TRANSPOSE)
                pixel = (image * oh + down.first + (line - image * w.down) * stride) * ow + across.first +
                        (row - line * w.across) * stride;
        }
        for (int j = 0; j < ACROSS; j++) {
            const int column = column0 + j * ITEMS_X + item_x, at = pixel * oc + column;
            if (column < oc)
                y[at] = splits > 1 || kind == FILTER
                            ? result[i][j]
                            : finished(result[i][j], image, oc, column, at, EPILOGUE);
        }
    }
}
#endif
