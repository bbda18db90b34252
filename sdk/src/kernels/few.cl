/* few.cl — products with a few columns only, such as colours from features: dot products along the rows, where
 * the tiles of gemm.cl would be mostly empty. */

#define AT_ONCE 4 /* rows, and columns at most */

/* y [rows][columns] = epilogue(x w^T), x [rows][depth], w [columns][depth], columns <= AT_ONCE; `image` rows per
 * image. Global: blocks of `block` rows, a multiple of AT_ONCE. */
FIXED few_columns(__global const float *x, __global const float *w, __global float *y, __global const float *scale,
            __global const float *bias, __global const float *residual, int rows, int depth, int columns,
            int image, int block, int per_image, int activation, float slope, float gain, float clamp)
{
    const int first = get_global_id(0) * block, last = min(first + block, rows);
    for (int row = first; row < last; row += AT_ONCE) {
        vec sum[AT_ONCE][AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++)
                sum[i][j] = (vec)(0);
        for (int k = 0; k < depth; k += VW) {
            vec a[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                a[i] = load_part(x + (long)min(row + i, last - 1) * depth + k, depth - k);
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++) {
                const vec b = load_part(w + (long)min(j, columns - 1) * depth + k, depth - k);
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++)
                    sum[i][j] = fma(a[i], b, sum[i][j]);
            }
        }
        float sums[AT_ONCE * AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE * AT_ONCE; i++)
            sums[i] = sum_of(sum[i / AT_ONCE][i % AT_ONCE]);
        for (int i = row; i < min(row + AT_ONCE, last); i++)
            for (int j = 0; j < columns; j++)
                y[(long)i * columns + j] = finish_one(
                    sums[(i - row) * AT_ONCE + j], scale, bias, residual, (per_image ? i / image * columns : 0) + j, j,
                    (long)i * columns + j, activation, slope, gain, clamp);
    }
}
