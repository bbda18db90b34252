/* native_rows.c — the native back end's products with few rows, by the kernels of rows.cl. */
#include "runtime/native.h"

/* Above these many rows the blocked product wins, packing included: dot products took 0.21 ms for 32 rows of
 * a 512 x 512 layer, packing and the product 0.28. By columns, 8 is a guess. */
enum { MOST_BY_COLUMNS = 8, MOST_BY_DOTS = 32 };

static void emit(lwi_lowering *l, const lwi_gemm *g, const char *kernel, int64_t columns, bool dots,
                 bool packed, lwi_buffer a, lwi_buffer b, lwi_buffer c, const lwi_epilogue *e)
{
    lwi_launch launch = lwi_native_launch(l, kernel);
    launch.global[0] = (size_t)lwi_ceil_div(g->n, columns), launch.global[1] = (size_t)g->batch;
    launch.flops = 2.0 * (double)g->batch * (double)g->m * (double)g->n * (double)g->k;
    lwi_push(&launch, lwi_read(a));
    lwi_push(&launch, lwi_read(b));
    lwi_push_buffers(&launch, c, e);
    lwi_push_ints(&launch, (int64_t[]){g->m, g->n, g->k}, 3);
    if (!dots)
        lwi_push(&launch, (lwi_arg)LWI_INT(packed));
    lwi_push_ints(&launch, (int64_t[]){g->stride_a, g->stride_b, g->stride_c}, 3);
    lwi_push_activation(&launch, e);
    lwi_emit(l, &launch);
}

bool lwi_few_rows(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                  const lwi_epilogue *e)
{
    const lwi_target *target = lwi_lowering_target(l);
    const int64_t width = lwi_panel(l) / 2;
    if (!target->is_cpu || g->ta)
        return false;
    if (g->tb && g->b_varies) {
        if (g->m > MOST_BY_DOTS || lwi_ceil_div(g->n, width) * g->batch < target->units)
            return false;
        emit(l, g, g->m == 1 ? "rows_by_dots_1" : "rows_by_dots_4", width, true, false, a, b, c, e);
        return true;
    }
    const int vectors = g->m <= 2 ? 8 : g->m <= 4 ? 4 : 2;
    if (g->m > MOST_BY_COLUMNS || lwi_ceil_div(g->n, vectors * width) * g->batch < target->units)
        return false;
    static const char *const kernels[] = {"rows_by_columns_1", "rows_by_columns_2", "rows_by_columns_4",
                                          "rows_by_columns_8"};
    lwi_gemm product = *g;
    if (g->tb) {
        b = lwi_pack_transposed(l, b, g->stride_b ? g->batch : 1, g->k, g->n, 1, g->stride_b);
        product.stride_b = g->stride_b ? lwi_ceil_div(g->n, lwi_panel(l)) * lwi_panel(l) * g->k : 0;
    }
    emit(l, &product,
         kernels[g->m == 1   ? 0
                 : g->m == 2 ? 1
                 : g->m <= 4 ? 2
                             : 3],
         vectors * width, false, g->tb, a, b, c, e);
    return true;
}
