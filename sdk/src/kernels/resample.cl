/* resample.cl — zero insertion, padding, separable FIR, decimation (upfirdn2d), NHWC: a row of
 * pixels for each work-item on CPUs, vectorised over channels; an element on GPUs.
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

/* Channels from `first` to `end` of one pixel. */
void resample(global float *y, global const float *x, global const float *taps, int n, int oy, int ox, int h, int w,
              int oh, int ow, int c, int up, int down, int before, int tap_count, int first, int end)
{
    global float *to = y + ((n * oh + oy) * ow + ox) * c;
    int a0 = first_tap(oy * down, up, before), b0 = first_tap(ox * down, up, before);
    for (int i = first; i < end;) {
        bool wide = i + 16 <= end;
        float16 sum = 0.0f;
        float one = 0.0f;
        for (int a = a0; a < tap_count; a += up) {
            int iy = (oy * down + a - before) / up;
            if (oy * down + a < before || iy >= h)
                continue;
            for (int b = b0; b < tap_count; b += up) {
                int ix = (ox * down + b - before) / up;
                if (ox * down + b < before || ix >= w)
                    continue;
                float weight = taps[a] * taps[b];
                global const float *from = x + ((n * h + iy) * w + ix) * c + i;
                if (wide)
                    sum = fma((float16)(weight), vload16(0, from), sum);
                else
                    one = fma(weight, from[0], one);
            }
        }
        if (wide)
            vstore16(sum, 0, to + i);
        else
            to[i] = one;
        i += wide ? 16 : 1;
    }
}

kernel void resample_row(global float *y, global const float *x, global const float *taps, int rows, int h, int w,
                         int oh, int ow, int c, int up, int down, int before, int tap_count)
{
    int row = get_global_id(0);
    for (int ox = 0; row < rows && ox < ow; ox++)
        resample(y, x, taps, row / oh, row % oh, ox, h, w, oh, ow, c, up, down, before, tap_count, 0, c);
}

kernel void resample_element(global float *y, global const float *x, global const float *taps, int items, int h, int w,
                             int oh, int ow, int c, int up, int down, int before, int tap_count)
{
    int item = get_global_id(0), channel = item % c, at = item / c;
    if (item < items)
        resample(y, x, taps, at / ow / oh, at / ow % oh, at % ow, h, w, oh, ow, c, up, down, before, tap_count,
                 channel, channel + 1);
}
