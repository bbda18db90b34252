/* lase.c — see lase.h. */
#include "lase.h"

#include "layers.h"

#define TINY 1e-16 /* the released code's, under its square roots */

void lase_orthogonalise(float *rows, int64_t count, int64_t size)
{
    for (int64_t k = 0; k < count; k++) {
        const float *done = rows + k * size;
        for (int64_t n = k + 1; n < count; n++) {
            double along = 0, squares = TINY;
            for (int64_t i = 0; i < size; i++) {
                along += (double)done[i] * rows[n * size + i];
                squares += (double)done[i] * done[i];
            }
            for (int64_t i = 0; i < size; i++)
                rows[n * size + i] -= (float)(along / squares * done[i]);
        }
    }
}

/* sqrt(sum of squares) over axis 1, which is kept. */
static lw_value length(lw_graph *g, lw_value x)
{
    return lw_sqrt(g, lw_affine(g, lw_sum(g, lw_square(g, x), LW_AXIS(1), true), 1, TINY));
}

lw_value lase_directions(lw_graph *g, const lase *l)
{
    lw_value d = lw_weight(g, LW_SHAPE(l->count, l->size), lw_init_normal(0, 1), "directions");
    return lw_div(g, d, length(g, d));
}

bool lase_learns_density(const lase *l)
{
    return l->preserve == LASE_LEARNED || l->preserve == LASE_RESTORED;
}

/* C(z0, eps, gamma), strides told in units of the range: six fully connected layers (section 4.1) of the
 * three side by side. */
static lw_value correct(lw_graph *g, const lase *l, lw_value latent, lw_value stride, lw_value direction)
{
    lw_value input =
        lw_concat(g, (lw_value[]){latent, lw_affine(g, stride, 1 / l->range, 0), direction}, 3, 1);
    return layers(g, input, "C", 6, l->correction, l->size, lw_relu, false);
}

/* z0 is itself as dense as z0 and a stride away, so what is nearest to the end of the walk is no farther. */
static lw_value restore(lw_graph *g, const lase *l, lw_value latent, lw_value moved)
{
    lw_value level = density_log(g, density_slope(g, &l->f, latent, true));
    return density_restore(g, &l->f, moved, level, length(g, lw_sub(g, moved, latent)));
}

lw_value lase_walk(lw_graph *g, const lase *l, lw_value latent, lw_value stride, lw_value direction)
{
    lw_value moved = lw_add(g, latent, lw_mul(g, stride, direction));
    if (l->preserve == LASE_GAUSSIAN)
        return lw_mul(g, lw_div(g, moved, length(g, moved)), length(g, latent));
    if (l->preserve == LASE_LEARNED)
        return lw_add(g, moved, correct(g, l, latent, stride, direction));
    if (l->preserve == LASE_RESTORED)
        return restore(g, l, latent, moved);
    return moved;
}

lw_value lase_features(lw_graph *g, const lase *l, lw_value latent)
{
    if (l->in_w)
        lw_synthesize(g, l->model, latent);
    else
        lw_generate(g, l->model, latent);
    lw_value f = lw_require_tap(g, l->model, LW_PART_GENERATOR, l->tap);
    if (lw_is_null(f))
        return f;
    const bool pixels = lw_shape_of(g, f).rank == 4;
    if (pixels)
        f = lw_permute(g, f, (const int[]){0, 2, 3, 1});
    return lw_reshape(g, f, LW_SHAPE(lw_dim(g, f, 0), -1, pixels ? lw_dim(g, f, 3) : 1));
}

/* --- losses ---------------------------------------------------------------------------------------- */
/* The j-th of the m directions tried: [B, m, P, C] -> [B, P, C] */
static lw_value nth(lw_graph *g, lw_value change, int64_t j)
{
    return lw_merge(g, lw_slice(g, change, 1, j, 1, 1), 0, 1);
}

static lw_value sum(lw_graph *g, lw_value x)
{
    return lw_sum(g, x, LW_ALL_AXES, false);
}

lw_value lase_variation(lw_graph *g, lw_value change, int64_t count, double lambda)
{
    const double k = (double)count, batch = (double)lw_dim(g, change, 0);
    const int64_t m = lw_dim(g, change, 1);
    lw_value loss = lw_affine(g, sum(g, lw_square(g, change)), -k / ((double)m * batch), 0);
    if (m < 2)
        return loss;
    lw_value alike = lw_scalar(g, 0);
    for (int64_t j = 0; j < m; j++)
        for (int64_t h = j + 1; h < m; h++) {
            lw_value product = lw_matmul(g, lw_transpose(g, nth(g, change, j), 1, 2), nth(g, change, h));
            alike = lw_add(g, alike, sum(g, lw_square(g, product)));
        }
    const double pairs = k * (k - 1) / (double)(m * (m - 1)); /* for each pair looked at, of j != h */
    return lw_add(g, loss, lw_affine(g, alike, 2 * lambda * pairs / batch, 0));
}

lase_released lase_variation_released(lw_graph *g, lw_value change, lw_value weight, lw_value drawn)
{
    const int64_t batch = lw_dim(g, change, 0), pixels = lw_dim(g, change, 2),
                  channels = lw_dim(g, change, 3);
    lw_value a = nth(g, change, 0), b = nth(g, change, 1);
    lw_value squares = lw_add(g, lw_square(g, a), lw_square(g, b));
    lw_value weighted = lw_mul(g, squares, lw_reshape(g, weight, LW_SHAPE(batch, 1, 1)));
    lw_value cosine =
        lw_sum(g, lw_mul(g, lw_div(g, a, length(g, a)), lw_div(g, b, length(g, b))), LW_AXIS(1), false);
    lw_value same = lw_equal(g, lw_slice(g, drawn, 1, 0, 1, 1), lw_slice(g, drawn, 1, 1, 1, 1)); /* [B, 1] */
    lw_value differ = lw_affine(g, same, -1, 1);
    /* where all are the same (the released code divides by zero there), the mean of none is 0 */
    lw_value number = lw_maximum(g, sum(g, differ), lw_scalar(g, 1));
    lw_value alike = lw_div(g, sum(g, lw_mul(g, lw_square(g, cosine), differ)), number);
    return (lase_released){.positive =
                               lw_affine(g, sum(g, weighted), 1 / (double)(batch * channels * pixels), 0),
                           .negative = lw_affine(g, alike, 1 / (double)channels, 0)};
}

/* (D D^T - I)^2, summed (eq. 10), or averaged as released. */
static lw_value orthogonality(lw_graph *g, const lase *l, lw_value directions)
{
    lw_value index = lw_iota(g, l->count);
    lw_value identity =
        lw_equal(g, lw_reshape(g, index, LW_SHAPE(l->count, 1)), lw_reshape(g, index, LW_SHAPE(1, l->count)));
    lw_value gram = lw_matmul(g, directions, lw_transpose(g, directions, 0, 1));
    lw_value off = lw_square(g, lw_sub(g, gram, identity));
    return l->released ? lw_mean(g, off, LW_ALL_AXES, false) : sum(g, off);
}

/* Equations 4, 5 and 7 of latents [B, d] and where their walks end [B m, d]. F learns from the likelihood and
 * from being monotone alone; see README.md. */
static void add_density(lw_graph *g, const lase *l, lw_value latent, lw_value ends, lase_losses *losses)
{
    const int64_t batch = l->batch, m = l->drawn;
    lw_value slope = density_slope(g, &l->f, latent, false);
    losses->monotone = lw_affine(g, sum(g, density_flatness(g, slope, l->nu)), 1 / (double)batch, 0);
    losses->likelihood = lw_affine(g, sum(g, density_log(g, slope)), -1 / (double)batch, 0);
    lw_value start = lw_reshape(g, lw_stop_gradient(g, density_log(g, slope)), LW_SHAPE(batch, 1));
    lw_value end = lw_reshape(g, density_log(g, density_slope(g, &l->f, ends, true)), LW_SHAPE(batch, m));
    lw_value apart = sum(g, lw_square(g, lw_sub(g, start, end)));
    losses->density = lw_affine(g, apart, (double)l->count / (double)(m * batch), 0);
}

static void add_variation(lw_graph *g, const lase *l, lw_value latent, lw_value ends, lw_value drawn,
                          lw_value ladder, lase_losses *losses)
{
    const int64_t batch = l->batch;
    /* one by one, so that nothing flows back through the features of the latents, which nothing moves */
    lw_value before = lase_features(g, l, latent), after = lase_features(g, l, ends);
    if (lw_is_null(before) || lw_is_null(after))
        return;
    before = lw_split(g, before, 0, batch); /* [B, 1, P, C] */
    after = lw_split(g, after, 0, batch);   /* [B, m, P, C] */
    lw_value change = lw_sub(g, after, before);
    if (!l->released) {
        losses->variation = lase_variation(g, change, l->count, l->lambda);
        return;
    }
    lw_value weight = lw_gather(g, ladder, lw_merge(g, lw_slice(g, drawn, 1, 0, 1, 1), 0, 1), 0);
    losses->released = lase_variation_released(g, change, weight, drawn);
    losses->variation =
        lw_sub(g, lw_affine(g, losses->released.negative, l->lambda, 0), losses->released.positive);
}

lase_losses lase_build(lw_graph *g, const lase *l, lw_value latent, lw_value stride, lw_value drawn,
                       lw_value ladder)
{
    const int64_t rows = l->batch * l->drawn, d = l->size;
    const lw_shape each = LW_SHAPE(l->batch, l->drawn, d);
    lase_losses losses = {0};
    lw_value directions = lase_directions(g, l);
    lw_value along = lw_reshape(g, lw_gather(g, directions, drawn, 0), LW_SHAPE(rows, d));
    lw_value from = lw_reshape(g, lw_broadcast(g, lw_reshape(g, latent, LW_SHAPE(l->batch, 1, d)), each),
                               LW_SHAPE(rows, d));
    lw_value by = lw_reshape(g, lw_broadcast(g, stride, LW_SHAPE(l->batch, l->drawn)), LW_SHAPE(rows, 1));
    lw_value ends = lase_walk(g, l, from, by, along);
    add_variation(g, l, latent, ends, drawn, ladder, &losses);
    losses.orthogonality = orthogonality(g, l, directions);
    losses.total = lw_add(g, losses.variation, lw_affine(g, losses.orthogonality, l->zeta, 0));
    if (lase_learns_density(l)) {
        add_density(g, l, latent, ends, &losses);
        losses.total =
            lw_add(g, losses.total, lw_add(g, losses.monotone, lw_add(g, losses.likelihood, losses.density)));
    }
    return losses;
}
