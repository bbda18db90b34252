/* iterative_curve_traversal.c — a step along one vector of the Local Basis, which is then found anew: the
 * walk curves with the manifold. */
#include "../local-basis/basis.h"

#include <math.h>
#include <string.h>

static const char *const needs[] = {"synthesize", "map", NULL};
static const lw_param params[] = {
    TRAVERSAL_PARAMS(needs),
    BASIS_PARAMS,
    {"scale", LW_PARAM_BOOL, NULL, "true",
     .doc =
         "Steps of z are divided by the singular value, so that those of w have about the length `distance` "
         "(official notebook: true)."},
};
static const lw_port inputs[] = {TRAVERSAL_INPUTS};
static const lw_port outputs[] = {TRAVERSAL_OUTPUTS("w", "w_dim")};

typedef struct curve {
    lw_local *local;
    float *right; /* [count, z_size]: the vectors last moved along in Z, where one is followed */
    bool follows, moved;
} curve;

static lw_status open(traversal *t, void *self)
{
    curve *c = self;
    c->follows = lw_is_set(lw_step_args(t->step), "basis");
    c->local = basis_open(t);
    c->right = lw_alloc((size_t)(t->count * t->z_size), sizeof *c->right);
    if (!c->local || !c->right)
        return lw_error_status();
    const lw_tensor *kept = lw_store_get(t->kept, "right");
    c->moved = kept != NULL;
    if (kept)
        memcpy(c->right, kept->data, (size_t)(t->count * t->z_size) * sizeof *c->right);
    return LW_OK;
}

/* Along the vector most similar to the aim, as far as the aim goes. */
static int64_t take_aim(const traversal *t, const curve *c, int64_t n, int64_t index, double *length)
{
    const float *aim = t->aim + n * t->size;
    int64_t which = basis_most_similar(c->local, index, aim);
    if (which < 0)
        return which;
    *length = sqrt(traversal_dot(aim, aim, t->size));
    if (traversal_dot(c->local->left + (index * c->local->k + which) * t->size, aim, t->size) < 0)
        *length = -*length;
    return which;
}

/* Along the vector that was followed so far: the one whose left vector is most similar to the last, with the
 * sign that keeps the right one's way (official code, compare_basis). */
static lw_status follow(traversal *t, curve *c, int64_t n, int64_t index, int64_t *which, double *length)
{
    double sign = 1;
    float *u = t->unit + n * t->size, *v = c->right + n * t->z_size;
    if (c->moved) {
        *which = basis_most_similar(c->local, index, u);
        if (*which < 0)
            return LW_OK;
        sign = traversal_dot(c->local->right + (index * c->local->k + *which) * t->z_size, v, t->z_size) < 0
                   ? -1
                   : 1;
    } else {
        LW_TRY(basis_named(t, c->local, index, which));
        if (*which < 0)
            return LW_OK;
        sign = basis_sign(c->local, index, *which);
    }
    for (int64_t i = 0; i < t->size; i++)
        u[i] = (float)sign * c->local->left[(index * c->local->k + *which) * t->size + i];
    for (int64_t i = 0; i < t->z_size; i++)
        v[i] = (float)sign * c->local->right[(index * c->local->k + *which) * t->z_size + i];
    *length = sign * lw_float(lw_step_args(t->step), "distance");
    for (int64_t i = 0; i < t->size; i++) /* the aim of a followed vector is the vector */
        t->aim[n * t->size + i] = (float)(lw_float(lw_step_args(t->step), "distance") * u[i]);
    return LW_OK;
}

static lw_status move(traversal *t, curve *c, int64_t n, int64_t index)
{
    int64_t which = -1;
    double length = 0;
    if (c->follows)
        LW_TRY(follow(t, c, n, index, &which, &length));
    else
        which = take_aim(t, c, n, index, &length);
    if (which < 0) /* no direction above the cutoff: the walk stands still */
        return LW_OK;
    if (lw_bool(lw_step_args(t->step), "scale"))
        length /= c->local->values[index * c->local->k + which];
    const float *v = c->local->right + (index * c->local->k + which) * t->z_size;
    for (int64_t i = 0; i < t->z_size; i++)
        t->z[n * t->z_size + i] += (float)(length * v[i]);
    return LW_OK;
}

static lw_status advance(traversal *t, void *self)
{
    curve *c = self;
    for (int64_t first = 0; first < t->count; first += c->local->batch) {
        int64_t count = t->count - first < c->local->batch ? t->count - first : c->local->batch;
        LW_TRY(lw_local_at(c->local, t->z + first * t->z_size, count));
        for (int64_t n = 0; n < count; n++)
            LW_TRY(move(t, c, first + n, n));
    }
    c->moved = true;
    return c->follows ? lw_store_set(t->kept, "right", LW_SHAPE(t->count, t->z_size), c->right) : LW_OK;
}

static lw_status run(lw_step *step)
{
    curve c = {0};
    lw_status status =
        traversal_run(step, &(traversal_method){.open = open, .advance = advance, .moves_z = true}, &c);
    lw_local_destroy(c.local);
    lw_free(c.right);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "iterative-curve-traversal", "1.0.0",
          "Walks along one direction of W that curves with the manifold",
          .source =
              "Choi et al., Do Not Escape From the Manifold (Iterative Curve-Traversal); isno0907/localbasis "
              "d53c477b",
          LW_PARAMS(params), LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
