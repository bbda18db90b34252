/* density.h — the density estimation module F (section 3.2, equations 3 to 5): the distribution of a latent's
 * elements, which are taken to be independent and identically distributed.
 *
 * F is a cumulative distribution function, three fully connected layers (section 4.1) from one number to one.
 * The paper leaves open how wide they are and how they end: here tanh between them, and a sigmoid at the end,
 * because the likelihood alone would raise a slope without bound. Its slope is the density. */
#ifndef DP_LASE_DENSITY_H
#define DP_LASE_DENSITY_H

#include <latentwalk/latentwalk.h>

#define DENSITY_WIDTH_DOC "Hidden units of the density module's three layers (the paper does not say)."
#define DENSITY_INCREMENT_DOC \
    "Increment of the difference quotient that stands for F's slope (eq. 3, \"very small\")."
#define DENSITY_NU_DOC "The slope that F keeps at least (eq. 4; paper: 0.01)."

typedef struct density {
    int64_t width;    /* hidden units */
    double increment; /* of the difference quotient */
} density;

/* F(x) in (0, 1) of each element; x of any shape. Weights F.0 … F.2 of the current scope, which are constants
 * where `fixed`. */
lw_value density_cdf(lw_graph *g, const density *f, lw_value x, bool fixed);
/* F'(x), the difference quotient of equation 3. */
lw_value density_slope(lw_graph *g, const density *f, lw_value x, bool fixed);
/* Sums over the elements of each latent, slopes [N, d] -> [N]: max(0, nu - F') (eq. 4), and log F' (eq. 5 and
 * 7), a slope below 1e-6 counting as that. */
lw_value density_flatness(lw_graph *g, lw_value slope, double nu);
lw_value density_log(lw_graph *g, lw_value slope);
/* Points [M, d] brought to where log F' adds up to `level` [M], along its gradient: Newton's steps, none of
 * them longer than `reach` [M, 1]. With a Gaussian's F that scales a point to the norm of the level (eq. 2).
 * No gradient reaches F's weights. */
lw_value density_restore(lw_graph *g, const density *f, lw_value x, lw_value level, lw_value reach);

#endif
