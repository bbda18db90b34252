/* optimizer.c — Adam, SGD and moving averages as updates in the graph: gradients, then assignments. */
#include "graph/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The number that was meant where a decimal such as 0.999 went through a float: 1 - beta must not inherit the
 * float's rounding. */
static double meant(float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", (double)value);
    double decimal = strtod(text, NULL);
    return (float)decimal == value ? decimal : (double)value;
}

/* A tensor of the optimiser's own: zeros where the state does not have it yet. */
static lw_value state_tensor(lw_graph *g, lw_store *state, const char *prefix, const char *name,
                             lw_shape shape)
{
    char *full = lw_format("%s%s", prefix, name);
    lw_value v = {0};
    lw_status status = full ? LW_OK : LW_MEMORY;
    if (full && !lw_store_has(state, full)) {
        lw_tensor *zeros = lw_tensor_create(shape);
        status = zeros ? lw_store_set(state, full, shape, zeros->data) : LW_MEMORY;
        lw_tensor_destroy(zeros);
    }
    if (status != LW_OK)
        lw_graph_fail(g, status, "cannot create the optimiser's state: %s", lw_error_text());
    else
        v = lw_parameter(g, state, full);
    if (!lw_is_null(v) && !lw_shape_equal(lw_shape_of(g, v), shape)) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        lw_graph_fail(g, LW_SHAPE, "the optimiser's state '%s' is %s, but its parameter is %s", full,
                      lw_shape_text(lw_shape_of(g, v), a), lw_shape_text(shape, b));
        v = (lw_value){0};
    }
    lw_free(full);
    return v;
}

typedef struct lessons {
    lw_value *parameter, *gradient;
    int count;
} lessons;

static void release(lessons *t)
{
    lw_free(t->parameter);
    lw_free(t->gradient);
}

/* The trainable parameters of the store and the loss' gradients by them; on error the graph has it. */
static lw_status differentiate(lw_graph *g, lw_value loss, lw_store *store, lw_store *state, const char *op,
                               lessons *t)
{
    *t = (lessons){0};
    if (!lwi_usable(g, op, &loss, 1))
        return lw_graph_status(g);
    if (lw_shape_count(lwi_node_of(g, loss)->shape) != 1) {
        char text[LW_SHAPE_TEXT];
        lwi_error(g, LW_SHAPE, op, &loss, 1, "the loss must be one number, and it is %s",
                  lw_shape_text(lwi_node_of(g, loss)->shape, text));
        return lw_graph_status(g);
    }
    t->count = lw_parameters(g, store, NULL, 0);
    if (!store || !state || t->count == 0)
        lwi_error(g, LW_INVALID, op, &loss, 1,
                  store && state ? "the graph has taken no trainable parameter from this store"
                                 : "it needs a store of parameters and one for its state");
    t->parameter = lw_alloc((size_t)t->count + 1, sizeof *t->parameter);
    t->gradient = lw_alloc((size_t)t->count + 1, sizeof *t->gradient);
    if (!t->parameter || !t->gradient)
        lw_graph_fail(g, LW_MEMORY, "out of memory for %s", op);
    LW_TRY(lw_graph_status(g));
    lw_parameters(g, store, t->parameter, t->count);
    return lw_gradient(g, loss, (lw_value){0}, t->parameter, t->count, t->gradient);
}

/* The learning rate as a scalar: the given value, or else a constant. */
static lw_value rate_of(lw_graph *g, const char *op, lw_value given, double constant)
{
    if (lw_is_null(given))
        return lw_scalar(g, constant);
    if (lwi_usable(g, op, &given, 1) && lw_shape_count(lwi_node_of(g, given)->shape) != 1)
        return lwi_error(g, LW_SHAPE, op, &given, 1, "the learning rate must be one number");
    return lw_reshape(g, given, LW_SCALAR);
}

/* --- accumulation --------------------------------------------------------------------------- */

lw_status lw_accumulate(lw_graph *g, lw_value loss, lw_store *store, lw_store *sums)
{
    lessons seen;
    if (differentiate(g, loss, store, sums, "accumulate", &seen) == LW_OK)
        for (int i = 0; i < seen.count && lwi_usable(g, "accumulate", &seen.gradient[i], 1); i++) {
            const lwi_node *p = lwi_node_of(g, seen.parameter[i]);
            lw_value sum = state_tensor(g, sums, "sum.", p->name, p->shape);
            lw_assign(g, sum, lw_add(g, sum, seen.gradient[i]));
        }
    release(&seen);
    return lw_graph_status(g);
}

/* gradient + what was accumulated, which starts again from zero. */
static lw_value with_sum(lw_graph *g, lw_store *sums, lw_value p, lw_value gradient)
{
    if (!sums)
        return gradient;
    lw_shape shape = lwi_node_of(g, p)->shape;
    lw_value sum = state_tensor(g, sums, "sum.", lwi_node_of(g, p)->name, shape);
    lw_assign(g, sum, lw_fill(g, shape, 0));
    return lw_add(g, sum, gradient);
}

/* --- Adam ----------------------------------------------------------------------------------- */

typedef struct adam {
    double beta1, beta2, epsilon, weight_decay;
    lw_value rate, step, root; /* rate; rate / (1 - beta1^t); 1 / sqrt(1 - beta2^t) */
} adam;

/* 1 - beta^t. With T = tanh(u / 2), 1 - exp(-u) = 2T / (1 + T): nothing cancels while t is small. */
static lw_value bias_correction(lw_graph *g, lw_value t, double beta)
{
    if (beta <= 0)
        return lw_scalar(g, 1);
    lw_value half = lw_tanh(g, lw_affine(g, t, -0.5 * log(beta), 0));
    return lw_div(g, lw_affine(g, half, 2, 0), lw_affine(g, half, 1, 1));
}

static void adam_update(lw_graph *g, lw_store *state, const adam *a, lw_value p, lw_value gradient)
{
    const char *name = lwi_node_of(g, p)->name;
    lw_shape shape = lwi_node_of(g, p)->shape;
    lw_value m = state_tensor(g, state, "adam.m.", name, shape);
    lw_value v = state_tensor(g, state, "adam.v.", name, shape);
    lw_value new_m = lw_add(g, lw_affine(g, m, a->beta1, 0), lw_affine(g, gradient, 1 - a->beta1, 0));
    lw_value new_v =
        lw_add(g, lw_affine(g, v, a->beta2, 0), lw_affine(g, lw_square(g, gradient), 1 - a->beta2, 0));
    lw_value denominator = lw_affine(g, lw_mul(g, lw_sqrt(g, new_v), a->root), 1, a->epsilon);
    lw_value kept = p;
    if (a->weight_decay != 0 && shape.rank >= 2)
        kept = lw_mul(g, p, lw_affine(g, a->rate, -a->weight_decay, 1));
    lw_assign(g, p, lw_sub(g, kept, lw_mul(g, a->step, lw_div(g, new_m, denominator))));
    lw_assign(g, m, new_m);
    lw_assign(g, v, new_v);
}

lw_status lw_adam_with(lw_graph *g, lw_value loss, lw_store *store, lw_store *state,
                       const lw_adam_options *given)
{
    lw_adam_options o;
    lessons trained;
    lwi_options(&o, sizeof o, given);
    adam a = {.rate = rate_of(g, "adam", o.rate, o.learning_rate != 0 ? meant(o.learning_rate) : 1e-3),
              .weight_decay = meant(o.weight_decay),
              .beta1 = meant(o.beta1),
              .beta2 = o.beta2 != 0 ? meant(o.beta2) : 0.999,
              .epsilon = o.epsilon != 0 ? (double)o.epsilon : 1e-8};
    if (!(a.beta1 >= 0 && a.beta1 < 1 && a.beta2 >= 0 && a.beta2 < 1))
        lw_graph_fail(g, LW_INVALID, "adam: beta1 %g and beta2 %g must lie in [0, 1)", a.beta1, a.beta2);
    if (differentiate(g, loss, store, state, "adam", &trained) == LW_OK) {
        lw_value t = state_tensor(g, state, "adam.t", "", LW_SCALAR);
        lw_value next = lw_affine(g, t, 1, 1);
        a.step = lw_div(g, a.rate, bias_correction(g, next, a.beta1));
        a.root = lw_rsqrt(g, bias_correction(g, next, a.beta2));
        lw_assign(g, t, next);
        for (int i = 0; i < trained.count && lwi_usable(g, "adam", &trained.gradient[i], 1); i++)
            adam_update(g, state, &a, trained.parameter[i],
                        with_sum(g, o.sums, trained.parameter[i], trained.gradient[i]));
    }
    release(&trained);
    return lw_graph_status(g);
}

/* --- SGD ------------------------------------------------------------------------------------ */

static void sgd_update(lw_graph *g, lw_store *state, const lw_sgd_options *o, lw_value rate, lw_value p,
                       lw_value gradient)
{
    const char *name = lwi_node_of(g, p)->name;
    if (o->weight_decay != 0)
        gradient = lw_add(g, gradient, lw_affine(g, p, (double)o->weight_decay, 0));
    if (o->momentum != 0) {
        lw_value v = state_tensor(g, state, "sgd.v.", name, lwi_node_of(g, p)->shape);
        gradient = lw_add(g, lw_affine(g, v, (double)o->momentum, 0), gradient);
        lw_assign(g, v, gradient);
    }
    lw_assign(g, p, lw_sub(g, p, lw_mul(g, gradient, rate)));
}

lw_status lw_sgd_with(lw_graph *g, lw_value loss, lw_store *store, lw_store *state,
                      const lw_sgd_options *given)
{
    lw_sgd_options o;
    lessons trained;
    lwi_options(&o, sizeof o, given);
    lw_value rate = rate_of(g, "sgd", o.rate, (double)o.learning_rate);
    if (differentiate(g, loss, store, state, "sgd", &trained) == LW_OK)
        for (int i = 0; i < trained.count && lwi_usable(g, "sgd", &trained.gradient[i], 1); i++)
            sgd_update(g, state, &o, rate, trained.parameter[i], trained.gradient[i]);
    release(&trained);
    return lw_graph_status(g);
}

/* --- moving average ------------------------------------------------------------------------- */

lw_status lw_moving_average_by(lw_graph *g, lw_store *store, lw_store *average, lw_value decay)
{
    if (!lwi_usable(g, "moving_average", &decay, 1))
        return lw_graph_status(g);
    if (!store || !average)
        lw_graph_fail(g, LW_INVALID, "moving_average: it needs a store and another for the average");
    for (size_t i = 0; lwi_usable(g, "moving_average", NULL, 0) && i < lw_store_count(store); i++) {
        const char *name = lw_store_name(store, i);
        lw_value now = lw_parameter(g, store, name), kept = lw_parameter(g, average, name);
        if (!lwi_usable(g, "moving_average", (lw_value[]){now, kept}, 2))
            break;
        bool trainable = lwi_node_of(g, now)->i[0];
        now = lwi_assigned(g, now); /* the average follows the new values */
        if (trainable)
            now = lw_add(g, lw_mul(g, decay, kept), lw_mul(g, lw_affine(g, decay, -1, 1), now));
        lw_assign(g, kept, now);
    }
    return lw_graph_status(g);
}

lw_status lw_moving_average(lw_graph *g, lw_store *store, lw_store *average, double decay)
{
    return lw_moving_average_by(g, store, average, lw_scalar(g, decay));
}
