/* gram.c — singular values above a cut-off from the Gram matrix: what lw_svd_above does with one matrix.
 *
 * G = A^T A (or A A^T, where that is smaller) is reduced to tridiagonal form, whose eigenvectors divide and
 * conquer finds; only those wanted are carried back, by block reflectors (Schreiber and Van Loan's compact WY
 * form), and the other side's vectors are A times them. In float32 G holds small values to eps s1^2 / s^2
 * only; `correct` repairs that with products of A's own vectors.
 *
 * At 512 x 512 with 170 values above the cut-off (StyleGAN2's mapping, one thread of an AVX-512 core) this
 * takes 11 ms: the product 1.4, ssytrd 4.4, sstedc 1.6, the vectors 3.3. Measured and not taken: sgesdd 32
 * ms, dgesdd 76; ssyevd of all 15, ssyevr of the range 21, dsyevr 46; subspace iteration by 208 vectors, also
 * when started from those of a latent nearby: 14 for the same accuracy, 8 for vectors good to 1e-3 only.
 *
 * LAPACK counts in columns: a row-major matrix [r, c] is its [c, r], and vectors are columns there. */
#include "linalg/gram.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <cblas.h>
#include <lapacke.h>

enum { BLOCK = 48 }; /* reflectors applied at a time: measured, 32 to 64 are alike at 512 */

lw_status lwi_gram_create(lwi_gram *gram, int64_t m, int64_t n)
{
    const int64_t small = m < n ? m : n, large = m < n ? n : m, square = small * small;
    const int64_t panels = BLOCK * (large + 2 * small + BLOCK), divide = 1 + 4 * small + square;
    *gram = (lwi_gram){.m = m, .n = n, .small = small, .large = large};
    gram->work_count = large * small;
    gram->work_count = gram->work_count < panels ? panels : gram->work_count;
    gram->work_count = gram->work_count < divide ? divide : gram->work_count;
    gram->memory = lw_alloc((size_t)(2 * square + 3 * small + gram->work_count), sizeof *gram->memory);
    gram->integers = lw_alloc((size_t)(3 + 5 * small), sizeof *gram->integers);
    if (!gram->memory || !gram->integers) {
        lwi_gram_destroy(gram);
        return lw_error_status();
    }
    gram->gram = gram->memory;
    gram->eigen = gram->gram + square;
    gram->diagonal = gram->eigen + square;
    gram->off = gram->diagonal + small;
    gram->tau = gram->off + small;
    gram->work = gram->tau + small;
    return LW_OK;
}

void lwi_gram_destroy(lwi_gram *gram)
{
    lw_free(gram->memory);
    lw_free(gram->integers);
    *gram = (lwi_gram){0};
}

/* columns [rows, count] <- Q columns, for the Q that made G tridiagonal: blocks I - V T V^T, the last one
 * first. */
static void apply_reflectors(lwi_gram *gram, int64_t count, float *columns)
{
    const int n = (int)gram->small, reflectors = n - 1;
    float *v = gram->work, *t = v + (int64_t)n * BLOCK, *w = t + BLOCK * BLOCK, *tw = w + (int64_t)n * BLOCK;
    for (int first = (reflectors - 1) / BLOCK * BLOCK; first >= 0 && reflectors > 0; first -= BLOCK) {
        int block = reflectors - first < BLOCK ? reflectors - first : BLOCK, rows = reflectors - first;
        float *part = columns + 1 + first; /* reflectors from `first` on leave the rows up to it alone */
        for (int j = 0; j < block; j++) {
            memset(v + (int64_t)j * rows, 0, (size_t)j * sizeof *v);
            v[(int64_t)j * rows + j] = 1;
            memcpy(v + (int64_t)j * rows + j + 1, gram->gram + (int64_t)(first + j) * n + first + j + 2,
                   (size_t)(rows - j - 1) * sizeof *v);
        }
        memset(t, 0, sizeof *t * BLOCK * BLOCK);
        LAPACKE_slarft_work(LAPACK_COL_MAJOR, 'F', 'C', rows, block, v, rows, gram->tau + first, t, block);
        cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, block, (int)count, rows, 1, v, rows, part, n, 0,
                    w, block);
        cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, block, (int)count, block, 1, t, block, w,
                    block, 0, tw, block);
        cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, rows, (int)count, block, -1, v, rows, tw,
                    block, 1, part, n);
    }
}

/* a -> gram [small, small], its lower triangle */
static void multiply(lwi_gram *gram, const float *a)
{
    const int m = (int)gram->m, n = (int)gram->n;
    cblas_ssyrk(CblasColMajor, CblasLower, m < n ? CblasTrans : CblasNoTrans, (int)gram->small,
                (int)gram->large, 1, a, n, 0, gram->gram, (int)gram->small);
}

/* the larger side's vectors, as long as the values: across [large, rank] = A along [small, rank] */
static void cross(const lwi_gram *gram, const float *a, int64_t rank, const float *along, float *across)
{
    const int m = (int)gram->m, n = (int)gram->n;
    cblas_sgemm(CblasColMajor, m < n ? CblasNoTrans : CblasTrans, CblasNoTrans, (int)gram->large, (int)rank,
                (int)gram->small, 1, a, n, along, (int)gram->small, 0, across, (int)gram->large);
}

/* Eigenvalues of gram, ascending, in `diagonal`; the eigenvectors of those that may belong to values above
 * the cut-off (`finish` looks closer), largest first, in along [small, *rank]. */
static lw_status eigenvectors(lwi_gram *gram, float cutoff, int64_t *rank, float *along)
{
    const int n = (int)gram->small;
    LW_TRY(
        lwi_lapack("ssytrd", LAPACKE_ssytrd_work(LAPACK_COL_MAJOR, 'L', n, gram->gram, n, gram->diagonal,
                                                 gram->off, gram->tau, gram->work, (int)gram->work_count)));
    LW_TRY(lwi_lapack("sstedc",
                      LAPACKE_sstedc_work(LAPACK_COL_MAJOR, 'I', n, gram->diagonal, gram->off, gram->eigen, n,
                                          gram->work, (int)gram->work_count, gram->integers, 3 + 5 * n)));
    const float least = 0.9f * cutoff * cutoff - 8 * FLT_EPSILON * gram->diagonal[n - 1];
    for (*rank = 0; *rank < n && gram->diagonal[n - 1 - *rank] > least; ++*rank)
        memcpy(along + *rank * n, gram->eigen + (n - 1 - *rank) * n, (size_t)n * sizeof *along);
    if (*rank)
        apply_reflectors(gram, *rank, along);
    return LW_OK;
}

static void lengths(int64_t rank, int64_t size, const float *vectors, float *values)
{
    for (int64_t i = 0; i < rank; i++)
        values[i] = cblas_snrm2((int)size, vectors + i * size, 1);
}

/* Turns the low ones until A's vectors are at right angles to those of the `high` ones well above them: by
 * the angle that makes it so to first order. */
static void turn_from_high(lwi_gram *gram, int high, int low, const float *values, float *along,
                           float *across)
{
    const int s = (int)gram->small, l = (int)gram->large;
    float *angle = gram->eigen, *low_along = along + (int64_t)high * s,
          *low_across = across + (int64_t)high * l;
    cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, high, low, l, 1, across, l, low_across, l, 0, angle,
                high);
    for (int j = 0; j < low; j++)
        for (int i = 0; i < high; i++) {
            float si = values[i], sj = values[high + j];
            angle[(int64_t)j * high + i] *= sj < si / 2 ? -1 / (si * si - sj * sj) : 0;
        }
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, s, low, high, 1, along, s, angle, high, 1,
                low_along, s);
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, l, low, high, 1, across, l, angle, high, 1,
                low_across, l);
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasTrans, s, high, low, -1, low_along, s, angle, high, 1,
                along, s);
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasTrans, l, high, low, -1, low_across, l, angle, high, 1,
                across, l);
}

/* Among the low ones alone the Gram matrix is held to their own size: its eigenvectors put them right (a
 * Rayleigh- Ritz step). */
static lw_status turn_among_low(lwi_gram *gram, int low, float *along, float *across)
{
    const int s = (int)gram->small, l = (int)gram->large;
    float *inner = gram->eigen, *turned = gram->work;
    cblas_ssyrk(CblasColMajor, CblasLower, CblasTrans, low, l, -1, across, l, 0, inner,
                low); /* so the largest is first */
    LW_TRY(lwi_lapack("ssyevd", LAPACKE_ssyevd(LAPACK_COL_MAJOR, 'V', 'L', low, inner, low, gram->diagonal)));
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, s, low, low, 1, along, s, inner, low, 0, turned,
                s);
    memcpy(along, turned, (size_t)s * (size_t)low * sizeof *along);
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, l, low, low, 1, across, l, inner, low, 0, turned,
                l);
    memcpy(across, turned, (size_t)l * (size_t)low * sizeof *across);
    return LW_OK;
}

/* Low are those below the geometric mean of the largest value and the cut-off. */
static lw_status correct(lwi_gram *gram, float cutoff, int64_t rank, const float *values, float *along,
                         float *across)
{
    int high = 0;
    while (high < rank && values[high] > sqrtf(values[0] * cutoff))
        high++;
    int low = (int)rank - high;
    if (low < 1)
        return LW_OK;
    if (high)
        turn_from_high(gram, high, low, values, along, across);
    return turn_among_low(gram, low, along + high * gram->small, across + high * gram->large);
}

static void swap_rows(float *a, float *b, int64_t size)
{
    cblas_sswap((int)size, a, 1, b, 1);
}

/* Unit vectors in descending order of their values, those above the cut-off alone, zeros after them. */
static void finish(const lwi_gram *gram, float cutoff, int64_t *rank, float *values, float *along,
                   float *across)
{
    const int64_t s = gram->small, l = gram->large;
    lengths(*rank, l, across, values);
    for (int64_t i = 1; i < *rank; i++) /* in order but for rounding */
        for (int64_t j = i; j > 0 && values[j] > values[j - 1]; j--) {
            swap_rows(values + j, values + j - 1, 1);
            swap_rows(along + j * s, along + (j - 1) * s, s);
            swap_rows(across + j * l, across + (j - 1) * l, l);
        }
    while (*rank && !(values[*rank - 1] > cutoff))
        --*rank;
    for (int64_t i = 0; i < *rank; i++)
        cblas_sscal((int)l, 1 / values[i], across + i * l, 1);
    memset(values + *rank, 0, (size_t)(s - *rank) * sizeof *values);
    memset(along + *rank * s, 0, (size_t)((s - *rank) * s) * sizeof *along);
    memset(across + *rank * l, 0, (size_t)((s - *rank) * l) * sizeof *across);
}

/* By lw_svd, what is not above the cut-off cleared. */
static lw_status in_full(const lwi_gram *gram, const float *a, float cutoff, int64_t *rank, float *left,
                         float *values, float *right)
{
    LW_TRY(lw_svd(gram->m, gram->n, a, left, values, right));
    for (*rank = 0; *rank < gram->small && values[*rank] > cutoff; ++*rank)
        ;
    const size_t cleared = (size_t)(gram->small - *rank) * sizeof *values;
    memset(values + *rank, 0, cleared);
    memset(left + *rank * gram->m, 0, cleared * (size_t)gram->m);
    memset(right + *rank * gram->n, 0, cleared * (size_t)gram->n);
    return LW_OK;
}

lw_status lwi_gram_svd(lwi_gram *gram, const float *a, float cutoff, int64_t *rank, float *left,
                       float *values, float *right)
{
    const float limit = LW_SVD_ABOVE_RATIO * cutoff;
    float *along = gram->m < gram->n ? left : right, *across = gram->m < gram->n ? right : left, trace = 0;
    if (cutoff == 0)
        return in_full(gram, a, cutoff, rank, left, values, right);
    multiply(gram, a);
    for (int64_t i = 0; i < gram->small; i++)
        trace += gram->gram[i * gram->small + i];
    if (!isfinite(trace))
        return in_full(gram, a, cutoff, rank, left, values, right);
    LW_TRY(eigenvectors(gram, cutoff, rank, along));
    if (!(gram->diagonal[gram->small - 1] <= limit * limit))
        return in_full(gram, a, cutoff, rank, left, values, right);
    cross(gram, a, *rank, along, across);
    lengths(*rank, gram->large, across, values);
    LW_TRY(correct(gram, cutoff, *rank, values, along, across));
    finish(gram, cutoff, rank, values, along, across);
    return LW_OK;
}
