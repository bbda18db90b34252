/* factorize.h — SeFa's closed form: the directions that the first affine layers stretch most. */
#ifndef FACTORIZE_H
#define FACTORIZE_H

#include <latentwalk/direction.h>
#include <latentwalk/linalg.h>

/* Adds to moments [size, size] the outer products of the rows of weight [rows, size], each made unit length
 * first where `normalise` (rows of zeros are left out). */
void sefa_add(const float *weight, int64_t rows, int64_t size, bool normalise, double *moments);
/* The `count` eigenvectors of the moments with the largest eigenvalues, which are their scores. */
lw_directions *sefa_factorize(const char *space, int64_t count, int64_t size, const double *moments);

#endif
