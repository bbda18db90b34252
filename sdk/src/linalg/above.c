/* above.c — lw_svd_above: a batch of matrices spread over the cores.
 *
 * One matrix is given all of OpenBLAS's threads; of several, each is decomposed by one thread, since little
 * of a decomposition of this size gains from a second (measured: 1.2 times faster with two, against 2). */
#include "linalg/gram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cblas.h>

typedef struct batch {
    int64_t count, m, n;
    const float *a;
    float cutoff;
    int64_t *rank;
    float *left, *values, *right;
    atomic_int_fast64_t next; /* the first matrix nobody has taken */
    atomic_bool failed;
} batch;

typedef struct worker {
    batch *batch;
    lwi_gram gram;
    pthread_t thread;
    lw_status status;
    char message[256];
} worker;

static lw_status decompose(const batch *b, lwi_gram *gram, int64_t i)
{
    const int64_t k = gram->small;
    LW_TRY(lwi_finite("singular values", b->a + i * b->m * b->n, b->m, b->n));
    return lwi_gram_svd(gram, b->a + i * b->m * b->n, b->cutoff, b->rank + i, b->left + i * k * b->m,
                        b->values + i * k, b->right + i * k * b->n);
}

static void *work(void *argument)
{
    worker *w = argument;
    batch *b = w->batch;
    for (int64_t i; !atomic_load(&b->failed) && (i = atomic_fetch_add(&b->next, 1)) < b->count;) {
        w->status = decompose(b, &w->gram, i);
        if (w->status == LW_OK)
            continue;
        snprintf(w->message, sizeof w->message, "matrix %lld of the batch: %s", (long long)i,
                 lw_error_text());
        atomic_store(&b->failed, true);
        break;
    }
    return NULL;
}

/* The calling thread is worker 0; where no further thread can be had, it does the rest alone. */
static lw_status spread(worker *workers, int count)
{
    int started = 1;
    while (started < count && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (int i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < started; i++)
        if (workers[i].status != LW_OK)
            return lw_fail(workers[i].status, "%s", workers[i].message);
    return LW_OK;
}

static lw_status run(batch *b, int threads)
{
    worker *workers = lw_alloc((size_t)threads, sizeof *workers);
    lw_status status = workers ? LW_OK : lw_error_status();
    int ready = 0;
    while (status == LW_OK && ready < threads) {
        workers[ready].batch = b;
        status = lwi_gram_create(&workers[ready].gram, b->m, b->n);
        ready += status == LW_OK;
    }
    if (status == LW_OK)
        status = spread(workers, threads);
    for (int i = 0; i < ready; i++)
        lwi_gram_destroy(&workers[i].gram);
    lw_free(workers);
    return status;
}

lw_status lw_svd_above(int64_t count, int64_t m, int64_t n, const float *a, float cutoff, int64_t *rank,
                       float *left, float *values, float *right)
{
    static pthread_mutex_t turn =
        PTHREAD_MUTEX_INITIALIZER; /* OpenBLAS's number of threads is the process's */
    LW_TRY(lwi_matrix_size("singular values", m, n));
    if (count < 0 || !(cutoff >= 0))
        return lw_fail(LW_INVALID,
                       "singular values: %lld matrices with a cut-off of %g (it cannot be negative)",
                       (long long)count, (double)cutoff);
    batch b = {count, m, n, a, cutoff, rank, left, values, right, 0, false};
    pthread_mutex_lock(&turn);
    const int cores = openblas_get_num_threads(), threads = count < cores ? (int)count : cores;
    if (threads > 1)
        openblas_set_num_threads(1);
    lw_status status = count ? run(&b, threads) : LW_OK;
    if (threads > 1)
        openblas_set_num_threads(cores);
    pthread_mutex_unlock(&turn);
    return status;
}
