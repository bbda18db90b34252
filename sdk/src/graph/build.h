/* build.h — what the files of the graph layer share: the building state of a graph, how a node is made, how
 * an error is said.
 *
 * What derivatives make is simplified while it is made, since they make many trivial nodes. What an author
 * made is not: an author may ask for the derivative with respect to any value he holds, so a value may not be
 * bypassed or merged with another that merely computes the same. `private_from` tells the two apart. */
#ifndef LWI_BUILD_H
#define LWI_BUILD_H

#include "graph/ir.h"

typedef struct lwi_block lwi_block;

typedef struct lwi_misfit {
    const char *model, *text;
} lwi_misfit;

struct lwi_build {
    lwi_block *blocks; /* arena: texts, operands, data */
    lw_status status;  /* the first error */
    char *message;     /* of it; NULL where there was no memory even for that */
    lw_scope *scope;   /* a stack; its strings live in the arena */
    int scope_count, scope_capacity;
    lwi_named *tap;
    int tap_count, tap_capacity;
    lw_value *trainable;
    int trainable_count, trainable_capacity;
    lwi_misfit *misfit; /* weights that were missing or had another shape */
    int misfit_count, misfit_capacity;
    int output_capacity, assign_capacity;
    int32_t *table; /* open addressing, node ids; of nodes that may be found again */
    int table_size, table_used;
    int private_from; /* nodes from here on were made by the derivative under way; INT32_MAX outside */
};

/* Zeroed memory that lives as long as the graph; NULL with the graph's error set. */
void *lwi_graph_alloc(lw_graph *g, size_t count, size_t size);
const char *lwi_graph_strdup(lw_graph *g, const char *text);
/* Makes room for one more element of a growing array. */
bool lwi_grow(lw_graph *g, void **array, int count, int *capacity, size_t size);

/* Records an error of `op` near the layer of in[0 … count-1]; returns null. */
lw_value lwi_error(lw_graph *g, lw_status status, const char *op, const lw_value *in, int count,
                   const char *format, ...) LW_PRINTF(6, 7);
/* Whether the graph has no error yet and these are values of it; records an error otherwise. */
bool lwi_usable(lw_graph *g, const char *op, const lw_value *in, int count);
/* Records a node (operands and attributes as in ir.h) or finds the same one. */
lw_value lwi_make(lw_graph *g, const lwi_node *node);

/* Borrowed until the next node is made. */
static inline const lwi_node *lwi_node_of(const lw_graph *g, lw_value v)
{
    return &g->node[v.id];
}
static inline bool lwi_private(const lw_graph *g, lw_value v)
{
    return v.id >= g->build->private_from;
}
/* Whether v is a constant with one value everywhere that a derivative has made. */
bool lwi_private_fill(const lw_graph *g, lw_value v, float *value);

/* Axis counted from the front, or -1 with an error. */
int lwi_axis(lw_graph *g, const char *op, lw_value x, int axis);
/* The shape both stretch to; false where they do not. */
bool lwi_broadcast_shape(lw_shape a, lw_shape b, lw_shape *out);
/* Copies the options a plugin, perhaps built with a shorter struct, has given. */
void lwi_options(void *options, size_t size, const void *given);

/* v summed over what was stretched from `shape`: the transpose of lw_broadcast. */
lw_value lwi_unbroadcast(lw_graph *g, lw_value v, lw_shape shape);
lw_value lwi_matmul(lw_graph *g, lw_value a, lw_value b, bool ta, bool tb);
lw_value lwi_conv2d(lw_graph *g, lw_value x, lw_value w, int64_t stride, int64_t padding);
lw_value lwi_conv2d_transpose(lw_graph *g, lw_value y, lw_value w, lw_shape x, int64_t stride,
                              int64_t padding);
lw_value lwi_conv2d_weight(lw_graph *g, lw_value x, lw_value y, lw_shape w, int64_t stride, int64_t padding);
/* The transpose of a resample2d node, applied to v; `in` is the shape the node takes. */
lw_value lwi_resample2d_transpose(lw_graph *g, const lwi_node *node, lw_shape in, lw_value v);
/* The value a parameter will hold after the run: what is assigned so far, else itself. */
lw_value lwi_assigned(lw_graph *g, lw_value parameter);
/* lw_assign that replaces an earlier assignment. */
void lwi_reassign(lw_graph *g, lw_value parameter, lw_value value);

/* Whether a derivative flows from operand `k` to the node's value. */
bool lwi_flows(const lwi_node *node, int k);
/* dy/dx of an elementwise node of one operand, and of any by operand k: a value that stretches to y's shape.
 */
lw_value lwi_slope(lw_graph *g, lw_value y);
lw_value lwi_local(lw_graph *g, lw_value y, int k);

#endif
