/* differences.h — a graph's value at given operands, and its derivatives against central differences of the reference
 * interpreter. */
#ifndef TEST_DIFFERENCES_H
#define TEST_DIFFERENCES_H

#include "reference.h"

enum { MAX_ELEMENTS = 512 }; /* of an operand or result */

typedef lw_value (*build_fn)(lw_graph *g, const lw_value *x);
typedef struct op_case {
    const char *name;
    build_fn build;
    int count; /* of operands */
    lw_shape shape[3];
    double low, high; /* their elements lie between */
} op_case;

/* A shape of an op_case. */
#define S(...) {(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}}

/* The graph of a case, with its operands filled in; `seed` is an input of y's shape, set to `weight`. */
typedef struct setup {
    lw_graph *g;
    reference *r;
    lw_value x[3], y, seed;
    double at[3][MAX_ELEMENTS], weight[MAX_ELEMENTS];
} setup;
void start(setup *s, const op_case *c);
void finish(setup *s);

/* Deterministic numbers that do not come close to each other: so that no max has a tie nearby. */
void fill_apart(double *out, int64_t count, double low, double high, unsigned seed);
/* The value's elements, of which there must be some. */
const double *value_of(reference *r, lw_value v);
/* Checks every element of the gradient of the sum of weight * y by x against differences. */
void check_gradient(const char *name, lw_graph *g, reference *r, lw_value y, const double *weight, lw_value x, double *at,
                    lw_value gradient);

#endif
