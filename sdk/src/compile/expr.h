/* expr.h — elementwise expressions as straight-line kernel code over a few loops.
 *
 * An expression is built over the dims of a root value. Its leaves are loads with one stride per dim, so
 * broadcasts, permutations and slices cost nothing. Loops are those dims in memory order, merged where
 * all loads and stores step alike; the innermost one is the vector loop. */
#ifndef LWI_EXPR_H
#define LWI_EXPR_H

#include "compile/compile.h"

/* Index d of a node = offset[d] + factor[d] * root index[dim[d]]; dim -1: just the offset. */
typedef struct lwi_map {
    int dim[LW_MAX_RANK];
    int64_t factor[LW_MAX_RANK], offset[LW_MAX_RANK];
} lwi_map;

typedef enum lwi_term_kind { LWI_TERM_LOAD, LWI_TERM_INDEX, LWI_TERM_LITERAL, LWI_TERM_OP } lwi_term_kind;
typedef struct lwi_term {
    lwi_term_kind kind;
    lwi_view view; /* LOAD, INDEX (a virtual buffer that holds 0, 1, 2, …): strides per root dim */
    int64_t loop[LW_MAX_RANK]; /* the same per loop, after lwi_expr_loops */
    float value;   /* LITERAL */
    lwi_op op;
    float f[2];
    int in[3];     /* OP: earlier terms */
    int node;      /* where it comes from, with the map it is seen through */
    lwi_map map;
} lwi_term;

typedef struct lwi_expr {
    lwi_lowering *l;
    lw_shape shape; /* of the root */
    lwi_term *term;
    int count, capacity;
    int loops;      /* outermost first */
    int64_t size[LW_MAX_RANK];
    bool reduced[LW_MAX_RANK]; /* the loop runs over reduced dims */
} lwi_expr;

void lwi_expr_init(lwi_expr *e, lwi_lowering *l, lw_shape shape);
void lwi_expr_free(lwi_expr *e);
/* The term that holds `node`, seen from a root of the expression's shape (broadcast to it). */
int lwi_expr_add(lwi_expr *e, int node);
/* Whether `node` would read something that the expression reads anyway, all dims of it, and both together load no
 * more than `most` values. `node` is ready (lwi_is_ready). */
bool lwi_expr_shares(const lwi_expr *e, int node, int most);
/* Memory order of most loads that have all dims: what a result should be stored in. */
lwi_order lwi_expr_order(const lwi_expr *e, lwi_order tie);
/* Chooses loops. `store` are further views that must step along (count of them). Axes in `reduced` do not
 * merge with others. `order` lists root dims, outermost first. */
void lwi_expr_loops(lwi_expr *e, const int *order, unsigned reduced, const lwi_view *const *store, int64_t (*loop)[LW_MAX_RANK],
                    int count);

/* The arguments of a generated kernel while its text grows: parameter list and values side by side. */
typedef struct lwi_signature {
    lwi_text parameters;
    lwi_launch launch;
    bool full;
} lwi_signature;
/* "name" as a further int parameter; once, however often it is asked for. */
void lwi_sign_int(lwi_signature *s, int64_t value, const char *format, ...) LW_PRINTF(3, 4);
/* The number of the buffer's parameter "b%d"; one for each buffer. */
int lwi_sign_buffer(lwi_signature *s, lwi_arg_kind kind, lwi_buffer buffer);

/* Declares pointers p%d of loads (and bases of indices) for loops before the innermost, whose indices are
 * "i0", "i1", …: emitted once per row. */
void lwi_expr_pointers(const lwi_expr *e, lwi_signature *s, lwi_text *text, const char *indent);
/* Statements that compute all terms at inner index `i`, `width` elements at once, as t0, t1, …. */
void lwi_expr_body(const lwi_expr *e, lwi_signature *s, lwi_text *text, int width, const char *indent);
/* Completes a kernel named after its own text and emits it. `body` follows the parameter list. */
void lwi_emit_generated(lwi_lowering *l, lwi_signature *s, lwi_text *body, const char *prefix);

#endif
