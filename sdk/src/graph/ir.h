/* ir.h — the graph as data: what the builders record, the derivatives extend and the compiler reads.
 * Internal; plugins see values only. */
#ifndef LW_IR_H
#define LW_IR_H

#include "latentwalk/graph.h"

/* name, class. E elementwise (operands broadcast against each other), V view or data movement,
 * R reduction, D dense algebra, L leaf. Operands and attributes: see lwi_node. */
#define LWI_OP_MAP(X)                                                                              \
    X(INPUT, L) X(CONSTANT, L) X(PARAMETER, L) X(IOTA, L) X(UNIFORM, L) X(NORMAL, L)               \
    X(AFFINE, E)     /* x * f[0] + f[1] */                                                         \
    X(ABS, E) X(SIGN, E) X(FLOOR, E) X(SQRT, E) X(RSQRT, E) X(EXP, E) X(LOG, E) X(SIN, E) X(COS, E) \
    X(ASIN, E) X(ERF, E) X(TANH, E) X(SIGMOID, E) X(SOFTPLUS, E)                                   \
    X(LEAKY_RELU, E) /* x > 0 ? x : x * f[0]; relu is f[0] = 0 */                                  \
    X(STOP, E)       /* x, without gradient */                                                     \
    X(ADD, E) X(SUB, E) X(MUL, E) X(DIV, E) X(POW, E) X(MAXIMUM, E) X(MINIMUM, E) X(LESS, E) X(EQUAL, E) \
                     /* MAXIMUM, MINIMUM: i[0]: where both are equal, the gradient is the first one's alone */ \
    X(WHERE, E)      /* in[0] != 0 ? in[1] : in[2] */                                              \
    X(BROADCAST, E)  /* x stretched to shape */                                                    \
    X(SUM, R) X(MAX, R) /* over the axes in i[0], which stay with size 1 */                        \
    X(RESHAPE, V)    /* same elements, row-major order */                                          \
    X(PERMUTE, V)    /* shape.dim[k] = in.dim[i[k]] */                                             \
    X(SLICE, V)      /* axis i[0], start i[1], step i[2]; count from shape */                      \
    X(PAD, V)        /* axis i[0], before i[1], after i[2]; both >= 0 */                           \
    X(CONCAT, V)     /* axis i[0]; any number of operands */                                       \
    X(GATHER, V)     /* x, index; axis i[0] */                                                     \
    X(SCATTER_ADD, V) /* x, index; axis i[0]; size from shape */                                   \
    X(MATMUL, D)     /* a [B.., M, K], b [B.., K, N]; i[0], i[1]: a, b stored transposed; batch dims broadcast */ \
    X(CONV2D, D)     /* x [N,C,H,W], w [K,C,R,S]; stride i[0], padding i[1] */                     \
    X(CONV2D_TRANSPOSE, D) /* y [N,K,H,W], w [K,C,R,S] -> x [N,C,H',W'] of shape; same attributes */ \
    X(CONV2D_WEIGHT, D) /* x [N,C,H,W], y [N,K,H',W'] -> w [K,C,R,S] of shape; same attributes */  \
    X(RESAMPLE2D, D) /* up i[0], down i[1], before i[2], after i[3], i[4] taps in `data`; per axis, size from shape: */ \
                     /* out[o] = sum over t of taps[t] * z[o * down + t - before], where z[j] = x[j / up] if up     */ \
                     /* divides j and 0 <= j < size * up, else 0. before may be negative; after is not needed       */

typedef enum lwi_op {
#define X(name, cls) LWI_##name,
    LWI_OP_MAP(X)
#undef X
        LWI_OP_COUNT
} lwi_op;

typedef struct lwi_node {
    lwi_op op;
    lw_shape shape;
    int in_count;
    lw_value *in;       /* owned by the graph */
    int64_t i[8];       /* attributes, see the map above; PARAMETER: i[0] trainable, i[1] 1 + index in `assign` or 0 */
    float f[2];
    float *data;        /* CONSTANT: elements (one element may stand for all: f[0] with data NULL); RESAMPLE2D: taps */
    lw_store *store;    /* PARAMETER */
    const char *name;   /* INPUT, PARAMETER, UNIFORM/NORMAL (purpose); owned by the graph */
    const char *layer;  /* for messages: the nearest weight's name, or NULL */
    const char *plugin; /* for messages: scope's plugin, or NULL */
} lwi_node;

typedef struct lwi_named {
    char *name;
    lw_value value;
} lwi_named;

typedef struct lwi_assign {
    lw_value parameter, value;
} lwi_assign;

/* Nodes are in topological order by construction: operands have smaller ids. node[0] is unused. */
struct lw_graph {
    lwi_node *node;
    int count, capacity;
    lwi_named *output;
    int output_count;
    lwi_assign *assign;
    int assign_count;
    struct lwi_build *build; /* scopes, taps, trainable list, first error: graph.c's own */
};

const char *lwi_op_name(lwi_op op); /* "conv2d" */
char lwi_op_class(lwi_op op);       /* 'E', 'V', 'R', 'D', 'L' */
#endif
