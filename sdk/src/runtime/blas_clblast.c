/* blas_clblast.c — the back end for GPUs: matrix products by CLBlast, convolutions by kernels of our own
 * (gpu_conv.c). On a CPU it is a check on the native one. */
#include "runtime/clblast.h"
#include "runtime/device.h"
#include "runtime/gpu.h"

#include <clblast_c.h>

static lw_status run_product(void *context, void *queue, void *const *mem, const size_t *offset)
{
    const lwi_gemm *g = context;
    cl_command_queue q = queue;
    CLBlastTranspose ta = g->ta ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastTranspose tb = g->tb ? CLBlastTransposeYes : CLBlastTransposeNo;
    size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k, lda = g->ta ? m : k, ldb = g->tb ? k : n;
    CLBlastStatusCode code;
    lwi_clblast_lock();
    if (g->batch == 1)
        code = CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, m, n, k, 1.0f, mem[0], offset[0], lda, mem[1],
                            offset[1], ldb, 0.0f, mem[2], offset[2], n, &q, NULL);
    else
        code =
            CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, m, n, k, 1.0f, mem[0], offset[0], lda,
                                       (size_t)g->stride_a, mem[1], offset[1], ldb, (size_t)g->stride_b, 0.0f,
                                       mem[2], offset[2], n, (size_t)g->stride_c, (size_t)g->batch, &q, NULL);
    lwi_clblast_unlock();
    if (code == CLBlastSuccess)
        return LW_OK;
    return lw_fail(LW_DEVICE, "CLBlast could not multiply %zu x %zu by %zu x %zu: error %d", m, k, k, n,
                   (int)code);
}

static lw_status emit_product(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c)
{
    lwi_gemm *context = lw_alloc(1, sizeof *context);
    if (!context)
        return LW_MEMORY;
    *context = *g;
    const lwi_arg arg[3] = {LWI_READ(a), LWI_READ(b), LWI_WRITE(c)};
    lwi_emit_call(l, run_product, context, arg, 3,
                  2.0 * (double)g->batch * (double)g->m * (double)g->n * (double)g->k);
    return LW_OK;
}

static lw_status gemm(lwi_lowering *l, const lwi_gemm *g, lwi_buffer a, lwi_buffer b, lwi_buffer c,
                      const lwi_epilogue *epilogue)
{
    if (lwi_gpu_is_plain(epilogue))
        return emit_product(l, g, a, b, c);
    lwi_buffer product = lwi_scratch(l, (size_t)(g->batch * g->m * g->n));
    LW_TRY(emit_product(l, g, a, b, product));
    lwi_gpu_finish(l, epilogue, product, 1, c, g->batch * g->m, g->n, g->m);
    return LW_OK;
}

const lwi_backend lwi_clblast = {"clblast", gemm, lwi_gpu_conv};
