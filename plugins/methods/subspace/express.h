/* express.h — channels told by other channels (section 3.3, equations 12 and 13). */
#ifndef EXPRESS_H
#define EXPRESS_H

#include <latentwalk/base.h>

/* R [n, n] with a zero diagonal that makes
 *
 *     E |M - M R|^2 + eta |R|_1
 *
 * least, where M [pixels, n] holds a sample's channels as columns, of which `gram` [n, n] = E M^T M is all
 * that matters. Exact, by coordinate descent (Friedman, Hastie, Tibshirani 2010, section 2.2), a column of R
 * at a time, until no coefficient moves by more than 1e-6. A channel that is zero throughout tells nothing
 * and is told by none. LW_NUMERIC where `gram` is not finite. */
lw_status express(int64_t n, const double *gram, double eta, double *r);

#endif
