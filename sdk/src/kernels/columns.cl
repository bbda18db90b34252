/* columns.cl — what CLBlast needs around it: images unfolded to columns and back, weights turned, epilogues. */
#pragma OPENCL FP_CONTRACT OFF

/* columns [n][oh][ow][r][s][c] from x [n][h][w][c], zeros outside. */
kernel void unfold(global float *columns, global const float *x, int items, int first, int h, int w, int c, int r,
                   int s, int oh, int ow, int stride, int padding)
{
    int item = get_global_id(0);
    if (item >= items)
        return;
    int at = item, channel = at % c;
    at /= c;
    int kx = at % s;
    at /= s;
    int ky = at % r;
    at /= r;
    int ox = at % ow;
    at /= ow;
    int oy = at % oh, n = first + at / oh;
    int iy = oy * stride - padding + ky, ix = ox * stride - padding + kx;
    bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
    columns[item] = inside ? x[((n * h + iy) * w + ix) * c + channel] : 0.0f;
}

/* x sums the columns that its pixel was in: the transpose of unfold, as a gather, so always in the same order. */
kernel void fold(global float *x, global const float *columns, int items, int first, int h, int w, int c, int r, int s,
                 int oh, int ow, int stride, int padding)
{
    int item = get_global_id(0);
    if (item >= items)
        return;
    int at = item, channel = at % c;
    at /= c;
    int ix = at % w;
    at /= w;
    int iy = at % h, n = at / h;
    float sum = 0.0f;
    for (int ky = 0; ky < r; ky++)
        for (int kx = 0; kx < s; kx++) {
            int y = iy + padding - ky, x_at = ix + padding - kx;
            if (y < 0 || x_at < 0 || y % stride || x_at % stride || y / stride >= oh || x_at / stride >= ow)
                continue;
            sum += columns[((((n * oh + y / stride) * ow + x_at / stride) * r + ky) * s + kx) * c + channel];
        }
    x[first * h * w * c + item] = sum;
}

/* Weights [k][c][taps] to [k][taps][c]. */
kernel void turn(global float *to, global const float *from, int items, int c, int taps)
{
    int item = get_global_id(0);
    if (item < items)
        to[item] = from[(item / (taps * c) * c + item % c) * taps + item / c % taps];
}

kernel void turn_back(global float *to, global const float *from, int items, int c, int taps)
{
    int item = get_global_id(0);
    if (item < items)
        to[item] = from[(item / (taps * c) * taps + item % taps) * c + item / taps % c];
}

/* y = clamp(activation(acc * scale + bias + residual) * gain); rows of `channels`, images of `image` elements. */
kernel void finish(global float *y, global const float *acc, global const float *scale, global const float *bias,
                   global const float *residual, int items, int channels, int image, int scale_per_image,
                   int activation, float slope, float gain, float limit)
{
    int item = get_global_id(0);
    if (item >= items)
        return;
    int channel = item % channels;
    float v = acc[item];
    if (scale)
        v *= scale[scale_per_image ? item / image * channels + channel : channel];
    if (bias)
        v += bias[channel];
    if (residual)
        v += residual[item];
    if (activation == 1)
        v = v > 0.0f ? v : v * slope;
    else if (activation == 2)
        v = tanh(v);
    else if (activation == 3)
        v = 1.0f / (1.0f + exp(-v));
    v *= gain;
    y[item] = limit > 0.0f ? clamp(v, -limit, limit) : v;
}
