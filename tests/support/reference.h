/* reference.h — a plain, slow interpreter of graphs in double precision: what the compiled programs, and the
 * derivatives, are compared with.
 *
 *     reference *r = reference_create(graph);
 *     reference_write(r, "x", data);                  // floats, as many as the input has
 *     const double *y = reference_value(r, y_value);  // of any value of the graph; NULL with an error
 *     reference_assign(r);                            // does the graph's assignments to its stores
 *     reference_destroy(r);
 *
 * Values are computed when asked for and kept until something is written. The graph may grow meanwhile. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "latentwalk/graph.h"

typedef struct reference reference;

reference *reference_create(lw_graph *graph);
void reference_destroy(reference *r);
/* The elements of the input `name`, copied. LW_NOT_FOUND where the graph has no such input. */
lw_status reference_write(reference *r, const char *name, const float *data);
/* Puts these elements (copied) in place of whatever `value` would be: how derivatives are measured. NULL
 * takes them away again. */
void reference_replace(reference *r, lw_value value, const double *data);
void reference_seed(reference *r, uint64_t seed, uint64_t step);
/* Elements of a value, in row-major order, borrowed until the next write, replace, seed or assign. NULL with
 * this thread's error where an input was not written or a store lacks a tensor. */
const double *reference_value(reference *r, lw_value value);
/* The output of that name, likewise; *count gets its number of elements (NULL allowed). */
const double *reference_output(reference *r, const char *name, size_t *count);
/* Does all the graph's assignments, from the old values; kept values are forgotten. */
lw_status reference_assign(reference *r);

#endif
