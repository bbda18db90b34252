/* rows.cl — products with few rows (mapping networks, Jacobians, styles): what they cost is reading the right
 * operand, so it is read once, as it lies, by as many columns at once as the registers hold. */

/* --- right operand by columns: b [k][n], or in panels [n / PANEL][k][PANEL] ------------------------- */
/* sum [R][V] += the products of all steps. */
#define SUM_COLUMNS(R, V, load)                                                                    \
    for (int step = 0; step < k; step++) {                                                         \
        vec right[V];                                                                              \
        _Pragma("unroll") for (int j = 0; j < V; j++) right[j] = load;                             \
        _Pragma("unroll") for (int i = 0; i < R; i++)                                              \
        {                                                                                          \
            const vec left = (vec)(a[row[i] + step]);                                              \
            _Pragma("unroll") for (int j = 0; j < V; j++) sum[i][j] = fma(left, right[j], sum[i][j]); \
        }                                                                                          \
    }

/* y = epilogue(a b), a [m][k]. Global: blocks of V vectors of columns, batch. */
#define ROWS_BY_COLUMNS(R, V)                                                                      \
    FIXED rows_by_columns_##R(__global const float *a, __global const float *b, __global float *y, \
                              __global const float *scale, __global const float *bias,             \
                              __global const float *residual, int m, int n, int k, int packed, int stride_a, \
                              int stride_b, int stride_y, int activation, float slope, float gain, float clamp) \
    {                                                                                              \
        const int first = get_global_id(0) * V * VW, batch = get_global_id(1), pitch = packed ? PANEL : n; \
        const epilogue e = {scale, bias, residual ? residual + (long)batch * stride_y : residual, 0, \
                            activation, slope, gain, clamp};                                       \
        __global const float *at[V];                                                               \
        a += (long)batch * stride_a, b += (long)batch * stride_b, y += (long)batch * stride_y;     \
        for (int j = 0; j < V; j++) {                                                              \
            const int column = first + j * VW;                                                     \
            at[j] = packed ? b + (long)(column / PANEL) * k * PANEL + column % PANEL : b + column; \
        }                                                                                          \
        for (int row0 = 0; row0 < m; row0 += R) {                                                  \
            vec sum[R][V];                                                                         \
            int row[R];                                                                            \
            _Pragma("unroll") for (int i = 0; i < R; i++)                                          \
            {                                                                                      \
                row[i] = min(row0 + i, m - 1) * k;                                                 \
                _Pragma("unroll") for (int j = 0; j < V; j++) sum[i][j] = (vec)(0);                \
            }                                                                                      \
            if (first + V * VW <= n || (packed && first / PANEL + V / 2 <= (n + PANEL - 1) / PANEL)) { \
                SUM_COLUMNS(R, V, loadv(0, at[j] + (long)step * pitch))                            \
            } else if (packed) {                                                                   \
                SUM_COLUMNS(R, V, first + j * VW < n ? loadv(0, at[j] + (long)step * PANEL) : (vec)(0)) \
            } else {                                                                               \
                SUM_COLUMNS(R, V, load_part(at[j] + (long)step * n, n - first - j * VW))           \
            }                                                                                      \
            _Pragma("unroll") for (int i = 0; i < R; i++) _Pragma("unroll") for (int j = 0; j < V; j++) \
            {                                                                                      \
                const int column = first + j * VW;                                                 \
                if (row0 + i < m && column < n)                                                    \
                    finish(&e, sum[i][j], 0, n, column, n - column, (long)(row0 + i) * n + column, y);   \
            }                                                                                      \
        }                                                                                          \
    }

ROWS_BY_COLUMNS(1, 8)
ROWS_BY_COLUMNS(2, 8)
ROWS_BY_COLUMNS(4, 4)
ROWS_BY_COLUMNS(8, 2)

/* --- right operand by rows: b [n][k], as torch.nn.Linear has it -------------------------------------- */
/* out[i][first + j] = a[row i] . b[column j] for R x C of them, vectors along k. */
#define DOTS(R, C)                                                                                 \
    static inline void dots_##R(__global const float *a, __global const float *b, const int *row, const long *column, \
                                int k, float (*out)[VW], int first)                                \
    {                                                                                              \
        vec sum[R][C];                                                                             \
        _Pragma("unroll") for (int i = 0; i < R; i++) _Pragma("unroll") for (int j = 0; j < C; j++) sum[i][j] = \
            (vec)(0);                                                                              \
        int step = 0;                                                                              \
        for (; step + VW <= k; step += VW) {                                                       \
            vec left[R];                                                                           \
            _Pragma("unroll") for (int i = 0; i < R; i++) left[i] = loadv(0, a + row[i] + step);   \
            _Pragma("unroll") for (int j = 0; j < C; j++)                                          \
            {                                                                                      \
                const vec right = loadv(0, b + column[j] + step);                                  \
                _Pragma("unroll") for (int i = 0; i < R; i++) sum[i][j] = fma(left[i], right, sum[i][j]); \
            }                                                                                      \
        }                                                                                          \
        for (int i = 0; i < R; i++)                                                                \
            for (int j = 0; j < C; j++) {                                                          \
                float rest = 0;                                                                    \
                for (int s = step; s < k; s++)                                                     \
                    rest = fma(a[row[i] + s], b[column[j] + s], rest);                             \
                out[i][first + j] = sum_of(sum[i][j]) + rest;                                   \
            }                                                                                      \
    }

/* y = epilogue(a b^T), a [m][k]. Global: blocks of VW columns, batch. */
#define ROWS_BY_DOTS(R, C)                                                                         \
    DOTS(R, C)                                                                                     \
    FIXED rows_by_dots_##R(__global const float *a, __global const float *b, __global float *y,    \
                           __global const float *scale, __global const float *bias,                \
                           __global const float *residual, int m, int n, int k, int stride_a, int stride_b, \
                           int stride_y, int activation, float slope, float gain, float clamp)     \
    {                                                                                              \
        const int first = get_global_id(0) * VW, batch = get_global_id(1), count = min(VW, n - first); \
        const epilogue e = {scale, bias, residual ? residual + (long)batch * stride_y : residual, 0, \
                            activation, slope, gain, clamp};                                       \
        a += (long)batch * stride_a, b += (long)batch * stride_b, y += (long)batch * stride_y;     \
        for (int row0 = 0; row0 < m; row0 += R) {                                                  \
            float out[R][VW];                                                                      \
            int row[R];                                                                            \
            for (int i = 0; i < R; i++)                                                            \
                row[i] = min(row0 + i, m - 1) * k;                                                 \
            for (int j = 0; j < count; j += C) {                                                   \
                long column[C];                                                                    \
                for (int c = 0; c < C; c++)                                                        \
                    column[c] = (long)min(first + j + c, n - 1) * k;                               \
                dots_##R(a, b, row, column, k, out, j);                                            \
            }                                                                                      \
            for (int i = 0; i < R && row0 + i < m; i++)                                            \
                finish(&e, loadv(0, out[i]), 0, n, first, count, (long)(row0 + i) * n + first, y);       \
        }                                                                                          \
    }

ROWS_BY_DOTS(1, 4)
ROWS_BY_DOTS(4, 4)
