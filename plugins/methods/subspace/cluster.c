/* cluster.c — see cluster.h. */
#include "cluster.h"

#include <latentwalk/linalg.h>
#include <latentwalk/random.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STARTS = 10, ROUNDS = 300 }; /* scikit-learn's KMeans */

/* --- k-means: points [n, k] into k clusters ------------------------------------------------------------- */
typedef struct means {
    int64_t n, k;
    const double *point; /* [n, k] */
    double *centre;      /* [k, k] */
    double *near;        /* [n]: squared distance to the nearest centre */
    int64_t *label;      /* [n] */
    int64_t *size;       /* [k] */
} means;

static double apart(const double *a, const double *b, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static float uniform(uint64_t seed, uint64_t start, uint64_t number)
{
    float u;
    lw_uniform((lw_stream){.seed = seed, .step = start, .purpose = lw_purpose("k-means")}, number, 1, &u);
    return u;
}

/* The point at which the running sum of squared distances passes the drawn share of it. */
static int64_t draw(const means *m, double share)
{
    double all = 0, sum = 0;
    for (int64_t i = 0; i < m->n; i++)
        all += m->near[i];
    for (int64_t i = 0; i < m->n; i++)
        if ((sum += m->near[i]) > share * all)
            return i;
    return m->n - 1;
}

/* k-means++ (Arthur & Vassilvitskii 2007): each centre a point far from those before it. */
static void spread(means *m, uint64_t seed, uint64_t start)
{
    for (int64_t i = 0; i < m->n; i++)
        m->near[i] = 1;
    for (int64_t c = 0; c < m->k; c++) {
        const double *chosen = m->point + draw(m, uniform(seed, start, (uint64_t)c)) * m->k;
        memcpy(m->centre + c * m->k, chosen, (size_t)m->k * sizeof *chosen);
        for (int64_t i = 0; i < m->n; i++) {
            const double d = apart(m->point + i * m->k, chosen, m->k);
            m->near[i] = c == 0 ? d : fmin(m->near[i], d);
        }
    }
}

/* Labels by the nearest centre; whether one has changed. */
static bool assign(means *m)
{
    bool changed = false;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t best = 0;
        for (int64_t c = 0; c < m->k; c++) {
            const double d = apart(m->point + i * m->k, m->centre + c * m->k, m->k);
            if (c == 0 || d < m->near[i]) {
                m->near[i] = d;
                best = c;
            }
        }
        changed = changed || m->label[i] != best;
        m->label[i] = best;
    }
    return changed;
}

/* Centres to the means of their points; one without any goes to the point worst served. */
static void move(means *m)
{
    memset(m->centre, 0, (size_t)(m->k * m->k) * sizeof *m->centre);
    memset(m->size, 0, (size_t)m->k * sizeof *m->size);
    for (int64_t i = 0; i < m->n; i++) {
        m->size[m->label[i]]++;
        for (int64_t d = 0; d < m->k; d++)
            m->centre[m->label[i] * m->k + d] += m->point[i * m->k + d];
    }
    for (int64_t c = 0; c < m->k; c++) {
        int64_t worst = 0;
        for (int64_t i = 1; i < m->n; i++)
            worst = m->near[i] > m->near[worst] ? i : worst;
        if (m->size[c] == 0) {
            memcpy(m->centre + c * m->k, m->point + worst * m->k, (size_t)m->k * sizeof *m->centre);
            m->near[worst] = 0;
        }
        for (int64_t d = 0; d < m->k && m->size[c] > 0; d++)
            m->centre[c * m->k + d] /= (double)m->size[c];
    }
}

/* The best of several starts, in label. */
static void find_means(means *m, uint64_t seed, int64_t *best)
{
    double least = INFINITY;
    for (uint64_t start = 0; start < STARTS; start++) {
        spread(m, seed, start);
        for (int64_t i = 0; i < m->n; i++)
            m->label[i] = -1;
        for (int round = 0; round < ROUNDS && assign(m); round++)
            move(m);
        double sum = 0;
        for (int64_t i = 0; i < m->n; i++)
            sum += m->near[i];
        if (sum < least) {
            least = sum;
            memcpy(best, m->label, (size_t)m->n * sizeof *best);
        }
    }
}

/* --- spectral clustering ---------------------------------------------------------------------- */
/* D^-1/2 A D^-1/2 of A without its diagonal (steps 1 and 2). */
static void normalise(int64_t n, const double *s, double *root, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double degree = 0;
        for (int64_t j = 0; j < n; j++)
            degree += i == j ? 0 : s[i * n + j];
        root[i] = degree > 0 ? 1 / sqrt(degree) : 0;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] = i == j ? 0 : root[i] * s[i * n + j] * root[j];
}

/* The k largest eigenvectors as columns, rows of unit length (steps 3 and 4): point [n, k]. */
static void embed(int64_t n, int64_t k, const double *vectors, double *point)
{
    for (int64_t i = 0; i < n; i++) {
        double squares = 0;
        for (int64_t c = 0; c < k; c++) {
            point[i * k + c] = vectors[c * n + i];
            squares += point[i * k + c] * point[i * k + c];
        }
        for (int64_t c = 0; c < k && squares > 0; c++)
            point[i * k + c] /= sqrt(squares);
    }
}

typedef struct group {
    int64_t size, label;
} group;

static int larger(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size)
                              : (x->label > y->label) - (x->label < y->label);
}

/* Numbers the clusters by falling size. */
static lw_status sort(int64_t n, int64_t clusters, int64_t *label)
{
    group *groups = lw_alloc((size_t)clusters, sizeof *groups);
    int64_t *place = lw_alloc((size_t)clusters, sizeof *place);
    for (int64_t c = 0; groups && c < clusters; c++)
        groups[c].label = c;
    for (int64_t i = 0; groups && place && i < n; i++)
        groups[label[i]].size++;
    if (groups && place)
        qsort(groups, (size_t)clusters, sizeof *groups, larger);
    for (int64_t c = 0; groups && place && c < clusters; c++)
        place[groups[c].label] = c;
    for (int64_t i = 0; groups && place && i < n; i++)
        label[i] = place[label[i]];
    lw_status status = groups && place ? LW_OK : LW_MEMORY;
    lw_free(groups);
    lw_free(place);
    return status;
}

lw_status cluster(int64_t n, const double *s, int64_t clusters, uint64_t seed, int64_t *label)
{
    if (clusters < 1 || clusters > n)
        return lw_fail(LW_INVALID, "%lld channels cannot be sorted into %lld subspaces", (long long)n,
                       (long long)clusters);
    double *room = lw_alloc((size_t)(2 * n * n + n), sizeof *room);
    double *place = lw_alloc((size_t)(n * clusters + clusters * clusters + n), sizeof *place);
    int64_t *numbers = lw_alloc((size_t)(n + clusters), sizeof *numbers);
    lw_status status = room && place && numbers ? LW_OK : LW_MEMORY;
    if (status == LW_OK) {
        normalise(n, s, room + 2 * n * n, room);
        status = lw_symmetric_eigen(n, room, room + 2 * n * n, room + n * n);
    }
    if (status == LW_OK) {
        embed(n, clusters, room + n * n, place);
        means m = {.n = n,
                   .k = clusters,
                   .point = place,
                   .centre = place + n * clusters,
                   .near = place + n * clusters + clusters * clusters,
                   .label = numbers,
                   .size = numbers + n};
        find_means(&m, seed, label);
        status = sort(n, clusters, label);
    }
    lw_free(room);
    lw_free(place);
    lw_free(numbers);
    return status;
}
