/* ports.h — typed ports: parsing "z[N, points, z_dim]", and fitting what flows to what is expected.
 * Internal.
 *
 * While a pipeline is checked, a step gets one lwi_bindings; every connected
 * output's type is unified with the input's; then the step's own output types are resolved. Dims that
 * nothing fixes stay symbolic ("load.N") and fit everything; at run time the same functions are
 * used with the tensors' real shapes, where nothing is left open. */
#ifndef LWI_PORTS_H
#define LWI_PORTS_H

#include "latentwalk/plugin.h"

#define LWI_NAME_BYTES 64

typedef enum lwi_dim_kind { LWI_DIM_NUMBER, LWI_DIM_NAME, LWI_DIM_REST } lwi_dim_kind;
typedef struct lwi_dim {
    lwi_dim_kind kind;
    int64_t number;
    char name[LWI_NAME_BYTES];
} lwi_dim;

typedef struct lwi_port_type {
    char space[16];
    char model[LWI_NAME_BYTES]; /* what latents, directions and features belong to; "" where unknown */
    int rank;                   /* entries of dim; at most one of them is the rest ("…") */
    lwi_dim dim[LW_MAX_RANK];
} lwi_port_type;

lw_status lwi_port_parse(const char *text, lwi_port_type *type);
/* "z[8, N]" into a caller's buffer; returns the buffer. */
#define LWI_PORT_TEXT 512
const char *lwi_port_text(const lwi_port_type *type, char *buffer);
/* The type of a tensor. */
lwi_port_type lwi_port_of_shape(const char *space, const char *model, lw_shape shape);

/* Named sizes of a model. */
#define LWI_MAX_DIMS 24
struct lw_dims {
    int count;
    bool failed; /* too many, or an illegal name or size */
    struct {
        char name[32];
        int64_t value;
    } entry[LWI_MAX_DIMS];
};
int64_t lwi_dims_get(const lw_dims *dims, const char *name); /* 0 when absent; dims may be NULL */

#define LWI_MAX_SYMBOLS 32
typedef struct lwi_bindings {
    const char *step; /* for messages and symbolic dims */
    const lw_args *args;
    const lw_dims *dims;
    char model[LWI_NAME_BYTES]; /* the step's model, else that of its inputs */
    char latent[16];            /* the space `latent` stands for; "" while open */
    int symbol_count;
    struct {
        char name[LWI_NAME_BYTES];
        lwi_dim value;
    } symbol[LWI_MAX_SYMBOLS];
    int rest_count;            /* -1 while open */
    lwi_dim rest[LW_MAX_RANK]; /* what "…" of the first input that has one stands for */
} lwi_bindings;

/* `dims` of the step's model or NULL; `model`: its name or identity (what types are compared by) or NULL.
 * All pointers are borrowed. */
void lwi_bindings_init(lwi_bindings *bindings, const char *step, const lw_args *args, const lw_dims *dims,
                       const char *model);
/* Fits the output named `source` ("start.w") of type `actual` to an input port. Entries of a `many` port
 * must each fit, but their symbols need not agree with each other's. The error reads "step 'walk', input
 * 'z': expected z[N, 100], got w[8, 512] from 'start.w'". */
lw_status lwi_unify(lwi_bindings *bindings, const lw_port *port, const lwi_port_type *actual,
                    const char *source);
/* The type of an output port, once all inputs are unified. */
lw_status lwi_resolve(lwi_bindings *bindings, const lw_port *port, lwi_port_type *type);
/* Whether a tensor that the step made has the shape its output port promises; binds the port's open symbols,
 * so that later outputs must agree. */
lw_status lwi_check_output(lwi_bindings *bindings, const lw_port *port, lw_shape shape);
#endif
