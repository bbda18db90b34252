/* information.h — how much a component of z tells of an attribute, and which components count (SeNT-Gen,
 * equations 7 and 8). Sums are double, in a fixed order. */
#ifndef INFORMATION_H
#define INFORMATION_H

#include <latentwalk/latentwalk.h>

/* z [count, size], amounts [count]: Pearson's correlation of every component with the amounts -> r [size].
 * LW_INVALID where the amounts do not vary. */
lw_status information_correlation(const float *z, const float *amounts, int64_t count, int64_t size,
                                  double *r);

/* Mutual information in nats under a joint Gaussian with correlation r: -log(1 - r^2) / 2. */
double information_gaussian(double r);

/* Mutual information in nats, assuming nothing: both are sorted into cube root of `count` bins that hold
 * equally many each; of what the table of frequencies says, its expectation without any dependence,
 * (bins - 1)^2 / (2 count) (Miller 1955), is taken off, so small values may come out negative. -> mi [size]
 */
lw_status information_binned(const float *z, const float *amounts, int64_t count, int64_t size, double *mi);

/* The softmax over components, brought to [0, 1]; a component counts (mask 1) from 1 - gamma on, others have
 * mask 0. Returns how many count. */
int64_t information_mask(const double *mi, int64_t size, double gamma, float *mask);

#endif
