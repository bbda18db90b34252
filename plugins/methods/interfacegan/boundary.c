/* boundary.c — see boundary.h. */
#include "boundary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <svm.h>

/* --- examples ------------------------------------------------------------------------------------- */
typedef struct scored {
    float score;
    int64_t row;
} scored;

/* Falling scores; of equal ones the earlier row first. */
static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static lw_status gather(const float *scores, int64_t rows, int64_t stride, const double *invalid, scored *all,
                        int64_t *valid)
{
    *valid = 0;
    for (int64_t n = 0; n < rows; n++) {
        float score = scores[n * stride];
        if (invalid && (double)score == *invalid)
            continue;
        if (!isfinite(score))
            return lw_fail(LW_NUMERIC, "the score of latent %lld is not a finite number", (long long)n);
        all[(*valid)++] = (scored){score, n};
    }
    return LW_OK;
}

lw_status boundary_choose(const float *scores, int64_t rows, int64_t stride, double chosen,
                          const double *invalid, boundary_examples *e)
{
    *e = (boundary_examples){0};
    scored *all = lw_alloc((size_t)rows, sizeof *all);
    e->order = lw_alloc((size_t)rows, sizeof *e->order);
    lw_status status =
        all && e->order ? gather(scores, rows, stride, invalid, all, &e->valid) : lw_error_status();
    if (status == LW_OK) {
        qsort(all, (size_t)e->valid, sizeof *all, by_score);
        for (int64_t n = 0; n < e->valid; n++)
            e->order[n] = all[n].row;
        e->count = chosen <= 1 ? (int64_t)((double)e->valid * chosen) : (int64_t)chosen;
        e->count = e->count < e->valid / 2 ? e->count : e->valid / 2;
        e->highest = e->valid ? (double)all[0].score : 0;
        e->lowest = e->valid ? (double)all[e->valid - 1].score : 0;
        if (e->count < 1)
            status = lw_fail(LW_INVALID,
                             "of %lld scored latents none are chosen as examples; more latents or a larger "
                             "`chosen` (%g) are needed",
                             (long long)e->valid, chosen);
        else if (e->highest == e->lowest)
            status =
                lw_fail(LW_INVALID, "all %lld scores are %g: without differing scores there is no boundary",
                        (long long)e->valid, e->highest);
        else if (all[e->count - 1].score == all[e->valid - e->count].score)
            status =
                lw_fail(LW_INVALID,
                        "the %lld highest and the %lld lowest of %lld scores meet in %g: one class alone "
                        "has no boundary; choose fewer, or more differing scores",
                        (long long)e->count, (long long)e->count, (long long)e->valid,
                        (double)all[e->count - 1].score);
    }
    lw_free(all);
    if (status != LW_OK)
        boundary_forget(e);
    return status;
}

void boundary_forget(boundary_examples *e)
{
    lw_free(e->order);
    *e = (boundary_examples){0};
}

/* --- the boundary --------------------------------------------------------------------------------- */
static void silent(const char *text)
{
    (void)text;
}

/* LIBSVM's list of a row: indices from 1, zeros left out, closed by -1. */
static void fill_row(struct svm_node *nodes, const float *row, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        if (row[i] != 0)
            *nodes++ = (struct svm_node){(int)i + 1, (double)row[i]};
    nodes->index = -1;
}

/* normal = sum of the support vectors by their coefficients; the first class LIBSVM met is the positive one
 * for it. */
static lw_status read_model(const struct svm_model *model, int64_t size, float *normal, double *offset)
{
    double *sum = lw_alloc((size_t)size, sizeof *sum), squares = 0, sign = model->label[0] == 1 ? 1 : -1;
    if (!sum)
        return lw_error_status();
    for (int s = 0; s < model->l; s++)
        for (const struct svm_node *node = model->SV[s]; node->index != -1; node++)
            sum[node->index - 1] += sign * model->sv_coef[0][s] * node->value;
    for (int64_t i = 0; i < size; i++)
        squares += sum[i] * sum[i];
    for (int64_t i = 0; i < size; i++)
        normal[i] = (float)(sum[i] / sqrt(squares));
    *offset = sign * model->rho[0] / sqrt(squares);
    lw_free(sum);
    return squares > 0 && isfinite(squares)
               ? LW_OK
               : lw_fail(LW_NUMERIC,
                         "no boundary tells the positive from the negative examples; take latents "
                         "that differ more, or choose fewer");
}

lw_status boundary_train(const float *latents, int64_t size, const int64_t *positive, const int64_t *negative,
                         int64_t count, double c, float *normal, double *offset)
{
    struct svm_problem problem = {.l = (int)(2 * count)};
    struct svm_parameter parameter = {
        .svm_type = C_SVC, .kernel_type = LINEAR, .cache_size = 200, .eps = 1e-3, .C = c, .shrinking = 1};
    struct svm_node *nodes = lw_alloc((size_t)(2 * count * (size + 1)), sizeof *nodes);
    problem.y = lw_alloc((size_t)(2 * count), sizeof *problem.y);
    problem.x = lw_alloc((size_t)(2 * count), sizeof *problem.x);
    lw_status status = nodes && problem.y && problem.x ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        for (int64_t n = 0; n < 2 * count; n++) {
            int64_t row = n < count ? positive[n] : negative[n - count];
            problem.y[n] = n < count ? 1 : 0;
            problem.x[n] = nodes + n * (size + 1);
            fill_row(problem.x[n], latents + row * size, size);
        }
        svm_set_print_string_function(silent);
        struct svm_model *model = svm_train(&problem, &parameter);
        status =
            model ? read_model(model, size, normal, offset) : lw_fail(LW_MEMORY, "out of memory for LIBSVM");
        svm_free_and_destroy_model(&model);
    }
    lw_free(problem.x);
    lw_free(problem.y);
    lw_free(nodes);
    return status;
}

/* --- conditions ------------------------------------------------------------------------------------- */
lw_status boundary_project(float *normal, const float *conditions, int64_t count, int64_t size)
{
    double *columns = lw_alloc((size_t)(size * count), sizeof *columns);
    double *target = lw_alloc((size_t)size, sizeof *target), *parts = lw_alloc((size_t)count, sizeof *parts);
    lw_status status = columns && target && parts ? LW_OK : lw_error_status();
    if (status == LW_OK) { /* what of the normal the conditions can make, in the least squares' sense, goes */
        for (int64_t i = 0; i < size; i++) {
            target[i] = (double)normal[i];
            for (int64_t k = 0; k < count; k++)
                columns[i * count + k] = (double)conditions[k * size + i];
        }
        status = lw_least_squares(size, count, 1, columns, target, 1e-6, parts, NULL);
    }
    double before = 0, squares = 0;
    for (int64_t i = 0; status == LW_OK && i < size; i++) {
        before += target[i] * target[i];
        for (int64_t k = 0; k < count; k++)
            target[i] -= parts[k] * columns[i * count + k];
        squares += target[i] * target[i];
    }
    if (status == LW_OK && !(squares > 1e-12 * before))
        status = lw_fail(LW_INVALID,
                         "the direction lies within its conditions: nothing is left of it without them");
    for (int64_t i = 0; status == LW_OK && i < size; i++)
        normal[i] = (float)(target[i] / sqrt(squares));
    lw_free(columns);
    lw_free(target);
    lw_free(parts);
    return status;
}
