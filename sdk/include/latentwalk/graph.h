/* graph.h — build differentiable computations: values, ops, layers, gradients.
 *
 * A graph is built once, compiled once (program.h) and run many times. Building computes nothing; it
 * checks shapes and records nodes. Every function takes values of the same graph and returns a new
 * value. The first error is kept with plugin, layer, op and shapes; from then on builders return the
 * null value and do nothing, so authors write no checks: lw_graph_status() tells at the end, and
 * lw_compile refuses a graph with an error.
 *
 * All elements are float32; indices and masks are float32 holding whole numbers. Shapes are static: at most LW_MAX_RANK
 * sizes of at least 1, 2^31 - 1 elements in all. Images are [N, C, H, W]; weights have PyTorch's layouts. Elementwise ops
 * broadcast as NumPy does (shapes aligned at the last dimension, 1 stretches). A negative axis counts from the end.
 * Where nothing else is said, ops have the gradients one expects, and shapes that do not fit are LW_SHAPE.
 *
 * A graph belongs to one thread at a time, with the stores it was given, which must outlive it. Values are small
 * handles of their graph, copied freely. Names and data are copied. */
#ifndef LATENTWALK_GRAPH_H
#define LATENTWALK_GRAPH_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_graph lw_graph;
typedef struct lw_value {
    int32_t id; /* 0 is the null value */
} lw_value;

LW_API lw_graph *lw_graph_create(void); /* NULL with LW_MEMORY */
LW_API void lw_graph_destroy(lw_graph *graph);
/* LW_OK, or the first error made while building (also set as this thread's error). */
LW_API lw_status lw_graph_status(lw_graph *graph);
/* Records an error found by a plugin while building ("a walk needs at least 2 points"), unless there is one already;
 * returns null. */
LW_API lw_value lw_graph_fail(lw_graph *graph, lw_status status, const char *format, ...) LW_PRINTF(3, 4);

/* After an error these are a scalar's shape and 1, so that plugins may go on counting; of the null value they are one. */
LW_API lw_shape lw_shape_of(lw_graph *graph, lw_value value);
LW_API int64_t lw_dim(lw_graph *graph, lw_value value, int axis);
LW_API bool lw_is_null(lw_value value);

/* --- leaves --------------------------------------------------------------------------------- */
/* Given before each run with lw_program_write(program, name, …). */
LW_API lw_value lw_input(lw_graph *g, const char *name, lw_shape shape);
LW_API lw_value lw_constant(lw_graph *g, lw_shape shape, const float *data); /* as many as the shape has; copied */
LW_API lw_value lw_scalar(lw_graph *g, double value);                        /* of rank 0 */
LW_API lw_value lw_fill(lw_graph *g, lw_shape shape, double value);          /* the same everywhere */
/* 0, 1, …, count-1 as [count]. */
LW_API lw_value lw_iota(lw_graph *g, int64_t count);
/* Fresh numbers in every run, uniform in [0, 1) or normal with deviation 1 (random.h): seed and step come from
 * lw_program_seed, the stream's purpose from the name. Two with one name have the same numbers. */
LW_API lw_value lw_random_uniform(lw_graph *g, lw_shape shape, const char *purpose);
LW_API lw_value lw_random_normal(lw_graph *g, lw_shape shape, const char *purpose);
/* A tensor of a store, LW_NOT_FOUND where it has none of this name. Optimisers do not train it: they take those that
 * lw_weight made (lw_parameters). */
LW_API lw_value lw_parameter(lw_graph *g, lw_store *store, const char *name);

/* How a tensor is made when a model is created rather than loaded. */
typedef struct lw_init {
    int kind; /* 0 constant (a), 1 normal (mean a, deviation b), 2 uniform (a … b) */
    float a, b;
} lw_init;
LW_API lw_init lw_init_constant(double value);
LW_API lw_init lw_init_normal(double mean, double deviation);
LW_API lw_init lw_init_uniform(double low, double high);

/* A tensor of the model being built (see lw_scope). Where the scope creates, a missing tensor is made
 * from `init`; where it loads, a missing or differently shaped one is noted, and all of them are
 * reported together. lw_weight is trainable; lw_buffer (running statistics) is not. */
LW_API lw_value lw_weight(lw_graph *g, lw_shape shape, lw_init init, const char *name, ...) LW_PRINTF(4, 5);
LW_API lw_value lw_buffer(lw_graph *g, lw_shape shape, lw_init init, const char *name, ...) LW_PRINTF(4, 5);
/* Whether the current scope's store has this tensor (when creating: always false). */
LW_API bool lw_has_weight(lw_graph *g, const char *name, ...) LW_PRINTF(2, 3);

/* Where the weights of what is being built come from, and who builds. Scopes nest; model.h pushes and
 * pops them around every plugin call, so plugins never do. Strings are copied. */
typedef struct lw_scope {
    uint32_t size;      /* sizeof(lw_scope) */
    const char *plugin; /* for messages: "generator/dcgan" */
    const char *model;  /* for taps: "faces.generator" */
    const char *prefix; /* put before every weight's name: "netG." */
    lw_store *store;
    uint64_t seed;      /* of created tensors */
    bool create;        /* make missing tensors */
    bool training;      /* batch statistics, and running averages are updated */
    bool frozen;        /* weights are not collected by lw_parameters */
    /* Called by lw_tap with the value about to be named; what it returns takes its place. */
    lw_value (*on_tap)(lw_graph *g, const char *tap, lw_value value, void *user);
    void *user;
    lw_value labels; /* [N, classes] of a conditional model, or null */
    int64_t resolution; /* side of the images that a network still growing makes or takes; 0: the whole one */
    lw_value fade;      /* scalar in [0, 1]: how far its last doubling counts already; null: wholly */
} lw_scope;
LW_API void lw_scope_push(lw_graph *g, const lw_scope *scope);
LW_API void lw_scope_pop(lw_graph *g);
LW_API bool lw_is_training(lw_graph *g); /* of the scope that is being built */
/* Class labels [N, classes] (one-hot, or mixed) for what is being built; null where none were given. */
LW_API lw_value lw_labels(lw_graph *g);
/* Progressive growing (Karras et al. 2018), for plugins that provide "grow": build only what images of this side
 * need (0: everything), and take fade * new + (1 - fade) * old of what the last doubling adds and what was there
 * before it, where there is a fade. */
LW_API int64_t lw_resolution(lw_graph *g);
LW_API lw_value lw_fade(lw_graph *g);

/* Names an intermediate value as a place where methods may look or cut, and returns the value to go
 * on with (another one, where a method edits here). lw_tap_value: the value under "MODEL/TAP" ("faces.generator/block0")
 * of the last build of that model, null if there is none; lw_tap_count/lw_tap_name list them all. MODEL/TAP
 * has at most 511 bytes. Methods use lw_part_tap and lw_require_tap (model.h). */
LW_API lw_value lw_tap(lw_graph *g, lw_value value, const char *name, ...) LW_PRINTF(3, 4);
LW_API lw_value lw_tap_value(lw_graph *g, const char *name);
LW_API int lw_tap_count(lw_graph *g);
LW_API const char *lw_tap_name(lw_graph *g, int index);

/* --- results -------------------------------------------------------------------------------- */
/* Readable after a run with lw_program_read(program, name, …). Each name once. */
LW_API void lw_output(lw_graph *g, const char *name, lw_value value);
/* After the run, the parameter (a value made by lw_parameter, lw_weight or lw_buffer) holds `value`.
 * All assignments of a run read the old values. Shapes must be equal; one assignment a parameter. */
LW_API void lw_assign(lw_graph *g, lw_value parameter, lw_value value);

/* --- elementwise, broadcasting -------------------------------------------------------------- */
LW_API lw_value lw_add(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_sub(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_mul(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_div(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_pow(lw_graph *g, lw_value a, lw_value b); /* a > 0 where b is not whole */
LW_API lw_value lw_maximum(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_minimum(lw_graph *g, lw_value a, lw_value b);
LW_API lw_value lw_less(lw_graph *g, lw_value a, lw_value b);  /* 1 where a < b, else 0; no gradient */
LW_API lw_value lw_equal(lw_graph *g, lw_value a, lw_value b); /* 1 where equal, else 0; no gradient */
LW_API lw_value lw_where(lw_graph *g, lw_value condition, lw_value yes, lw_value no); /* condition != 0 */

LW_API lw_value lw_affine(lw_graph *g, lw_value x, double scale, double shift); /* x * scale + shift */
LW_API lw_value lw_neg(lw_graph *g, lw_value x);
LW_API lw_value lw_abs(lw_graph *g, lw_value x);   /* gradient sign(x) */
LW_API lw_value lw_sign(lw_graph *g, lw_value x);  /* -1, 0, 1; no gradient */
LW_API lw_value lw_floor(lw_graph *g, lw_value x); /* no gradient */
LW_API lw_value lw_square(lw_graph *g, lw_value x);
LW_API lw_value lw_sqrt(lw_graph *g, lw_value x);  /* x >= 0; its gradient at 0 is infinite */
LW_API lw_value lw_rsqrt(lw_graph *g, lw_value x); /* 1 / sqrt(x), x > 0 */
LW_API lw_value lw_exp(lw_graph *g, lw_value x);
LW_API lw_value lw_log(lw_graph *g, lw_value x); /* natural, x > 0 */
LW_API lw_value lw_sin(lw_graph *g, lw_value x); /* of radians, as cos */
LW_API lw_value lw_cos(lw_graph *g, lw_value x);
LW_API lw_value lw_asin(lw_graph *g, lw_value x); /* -1 <= x <= 1 */
LW_API lw_value lw_erf(lw_graph *g, lw_value x);
LW_API lw_value lw_tanh(lw_graph *g, lw_value x);
LW_API lw_value lw_sigmoid(lw_graph *g, lw_value x);
LW_API lw_value lw_softplus(lw_graph *g, lw_value x); /* log(1 + exp(x)) without overflow */
LW_API lw_value lw_relu(lw_graph *g, lw_value x);     /* gradient 0 at 0 */
LW_API lw_value lw_leaky_relu(lw_graph *g, lw_value x, double slope); /* slope * x where x < 0 */
LW_API lw_value lw_clamp(lw_graph *g, lw_value x, double low, double high); /* gradient 1 at the bounds */
/* x, but no gradient flows through it. */
LW_API lw_value lw_stop_gradient(lw_graph *g, lw_value x);

/* --- reductions: axes is a set of LW_AXIS(i), or LW_ALL_AXES --------------------------------- */
#define LW_AXIS(i) (1u << (i))
#define LW_ALL_AXES (~0u)
/* Reduced axes disappear, or stay with size 1 where `keep`. */
LW_API lw_value lw_sum(lw_graph *g, lw_value x, unsigned axes, bool keep);
LW_API lw_value lw_mean(lw_graph *g, lw_value x, unsigned axes, bool keep);
LW_API lw_value lw_max(lw_graph *g, lw_value x, unsigned axes, bool keep); /* ties share the gradient */
/* The mean squared distance from the mean; `unbiased` divides by one less than the count, which must be over 1. */
LW_API lw_value lw_variance(lw_graph *g, lw_value x, unsigned axes, bool keep, bool unbiased);
LW_API lw_value lw_softmax(lw_graph *g, lw_value x, int axis); /* of any size of x, without overflow */

/* --- shapes --------------------------------------------------------------------------------- */
LW_API lw_value lw_reshape(lw_graph *g, lw_value x, lw_shape shape); /* one dim may be -1 */
LW_API lw_value lw_flatten(lw_graph *g, lw_value x, int axis);       /* merges axis … last into one */
LW_API lw_value lw_merge(lw_graph *g, lw_value x, int first, int last); /* axes first … last into one */
LW_API lw_value lw_split(lw_graph *g, lw_value x, int axis, int64_t outer); /* d -> outer, d / outer */
LW_API lw_value lw_unflatten(lw_graph *g, lw_value x, int64_t height, int64_t width); /* [N,C*h*w] -> [N,C,h,w] */
LW_API lw_value lw_permute(lw_graph *g, lw_value x, const int *axes); /* out.dim[i] = x.dim[axes[i]], each axis once */
LW_API lw_value lw_transpose(lw_graph *g, lw_value x, int a, int b);   /* two axes change places */
LW_API lw_value lw_broadcast(lw_graph *g, lw_value x, lw_shape shape); /* stretched as elementwise ops do */
/* Elements start, start + step, … (count of them) along the axis, all within it; step may be negative. */
LW_API lw_value lw_slice(lw_graph *g, lw_value x, int axis, int64_t start, int64_t count, int64_t step);
/* So many zeros before and after, along the axis; negative amounts crop. */
LW_API lw_value lw_pad(lw_graph *g, lw_value x, int axis, int64_t before, int64_t after);
/* Values [count], at least 1 of them, that differ in size along the axis only. */
LW_API lw_value lw_concat(lw_graph *g, const lw_value *values, int count, int axis);
/* Values [count] of one shape, along a new axis of the result, where `axis` counts. */
LW_API lw_value lw_stack(lw_graph *g, const lw_value *values, int count, int axis);
/* out[.., i.., ..] = x[.., index[i..], ..]: the axis is replaced by index's shape. Indices out of range
 * are clamped to it. lw_scatter_add is its transpose: zeros of size `size` along the axis, plus x. */
LW_API lw_value lw_gather(lw_graph *g, lw_value x, lw_value index, int axis);
LW_API lw_value lw_scatter_add(lw_graph *g, lw_value x, lw_value index, int axis, int64_t size);

/* --- dense algebra -------------------------------------------------------------------------- */
/* [.., M, K] x [.., K, N] -> [.., M, N]; leading dims broadcast. */
LW_API lw_value lw_matmul(lw_graph *g, lw_value a, lw_value b);
/* x [N, in] -> x W^T + b, weight [out, in], bias [out] or null. */
LW_API lw_value lw_linear(lw_graph *g, lw_value x, lw_value weight, lw_value bias);

typedef struct lw_conv_options {
    uint32_t size;                 /* set by the macros below */
    int stride;                    /* 0 means 1 */
    int padding;                   /* zeros on each side */
    int64_t out_height, out_width; /* transposed: 0 means (H-1)*stride - 2*padding + kernel */
    lw_value bias;                 /* [C_out], or null */
} lw_conv_options;
/* torch.conv2d: x [N,C,H,W], weight [K,C,R,S] -> [N,K,H',W']. */
LW_API lw_value lw_conv2d_with(lw_graph *g, lw_value x, lw_value weight, const lw_conv_options *options);
/* torch.conv_transpose2d: x [N,C,H,W], weight [C,K,R,S]; out[y*s - p + r] += x[y] * w[r]. */
LW_API lw_value lw_conv_transpose2d_with(lw_graph *g, lw_value x, lw_value weight, const lw_conv_options *options);
/* In C, options are written as trailing fields: lw_conv2d(g, x, w, .stride = 2, .padding = 1). */
#define LW_OPTIONS(type, ...) (&(type){.size = (uint32_t)sizeof(type), __VA_ARGS__})
#define lw_conv2d(g, x, weight, ...) lw_conv2d_with(g, x, weight, LW_OPTIONS(lw_conv_options, __VA_ARGS__))
#define lw_conv_transpose2d(g, x, weight, ...)                                                     \
    lw_conv_transpose2d_with(g, x, weight, LW_OPTIONS(lw_conv_options, __VA_ARGS__))

/* Up-sampling by zero insertion, zero padding (negative crops), FIR, down-sampling, per channel, in one
 * op: StyleGAN's upfirdn2d (stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py). The separable
 * filter is correlated (taps[0] meets the first pixel); up zeros follow every pixel. */
#define LW_MAX_TAPS 32
typedef struct lw_resample_options {
    uint32_t size;
    int up, down;        /* 0 means 1 */
    int before, after;   /* padding on each axis after zero insertion */
    int tap_count;       /* 1 … LW_MAX_TAPS */
    float taps[LW_MAX_TAPS];
} lw_resample_options;
LW_API lw_value lw_resample2d_with(lw_graph *g, lw_value x, const lw_resample_options *options);
#define lw_resample2d(g, x, ...) lw_resample2d_with(g, x, LW_OPTIONS(lw_resample_options, __VA_ARGS__))
/* x [N, C, H, W] -> [N, C, H * factor, W * factor], every pixel repeated; factors of 1 … LW_MAX_TAPS, here and below. */
LW_API lw_value lw_upsample_nearest2d(lw_graph *g, lw_value x, int factor);
/* x [N, C, H, W] -> [N, C, H / factor, W / factor], rounded down: means of factor * factor pixels. */
LW_API lw_value lw_avg_pool2d(lw_graph *g, lw_value x, int factor);

/* --- layers --------------------------------------------------------------------------------- */
/* torch.nn.BatchNorm2d/1d (eps 1e-5, momentum 0.1): weights name.weight, name.bias [C], buffers
 * name.running_mean, name.running_var. Running statistics, or in training the batch's (biased
 * variance; the running average takes the unbiased one). Created as torch does, scale 1 and shift 0; who
 * wants another start asks lw_weight for name.weight first. Met twice in one training graph, the second
 * update goes on from the first. */
LW_API lw_value lw_batch_norm(lw_graph *g, lw_value x, const char *name, ...) LW_PRINTF(3, 4);
/* A running statistic: after the run the buffer holds decay * buffer + (1 - decay) * seen (of as many
 * elements; no gradient flows). Met twice in one graph, the second goes on from the first. For training. */
LW_API void lw_track(lw_graph *g, lw_value buffer, lw_value seen, double decay);
/* The largest singular value (a scalar) of weight [out, ..] as a matrix W [out, rest], by one power step from
 * u [1, out]: v = unit(u W), u' = unit(v W^T), sigma = u' W v (Miyato et al. 2018, algorithm 1). Gradients take
 * u' and v as constants. In training u moves on to u'; met twice in one graph, twice. */
LW_API lw_value lw_spectral_norm(lw_graph *g, lw_value weight, lw_value u);

/* --- derivatives ---------------------------------------------------------------------------- */
/* Reverse mode: gradients[i] = d sum(y * seed) / d wrt[i], i < count, shaped like wrt[i], as nodes of the same graph (so
 * they can be differentiated again). `seed`, shaped like y; null means ones. wrt that y does not depend on gets zeros.
 * Returns lw_graph_status. */
LW_API lw_status lw_gradient(lw_graph *g, lw_value y, lw_value seed, const lw_value *wrt, int count,
                             lw_value *gradients);
/* Forward mode: (dy/dx) tangent, shaped like y. Many tangents at once lie along a first dimension of their own,
 * [T, x..] -> [T, y..]: y is computed once, and each of its layers is one product more over all of them. */
LW_API lw_value lw_jvp(lw_graph *g, lw_value y, lw_value x, lw_value tangent);
/* Jacobians of many inputs: x [N, ..], y [N, ..], of which row i depends on row i of x alone -> [N, m, n], for
 * rows of m and n elements: [i, a, b] = d y[i, a] / d x[i, b]. Forward mode with n tangents at once. */
LW_API lw_value lw_jacobian(lw_graph *g, lw_value y, lw_value x);

/* --- optimisers ----------------------------------------------------------------------------- */
/* The parameters that this graph has taken from `store` by lw_weight in scopes not frozen so far, in order of first use;
 * writes at most `capacity` values and returns how many there are. The optimisers below train these, and return
 * lw_graph_status. */
LW_API int lw_parameters(lw_graph *g, lw_store *store, lw_value *values, int capacity);

/* One Adam step (Kingma & Ba 2015, algorithm 1, with torch.optim.Adam's order of operations) on all of
 * lw_parameters(store): gradients of the scalar `loss` and assignments. Moments and the step count live
 * in `state` under "adam.m.NAME", "adam.v.NAME", "adam.t". With weight_decay, parameters of two or more
 * dimensions first shrink by rate * weight_decay (AdamW, Loshchilov & Hutter 2019, algorithm 2, with
 * torch.optim.AdamW's scaling); gains and biases do not. */
typedef struct lw_adam_options {
    uint32_t size;
    float learning_rate;       /* 0 means 1e-3 */
    float beta1, beta2;        /* beta2 0 means 0.999; beta1 is taken as it is */
    float epsilon;             /* 0 means 1e-8 */
    float weight_decay;        /* decoupled; 0 is none */
    lw_value rate;             /* a scalar in place of learning_rate (a schedule's input), or null */
    lw_store *sums;            /* of lw_accumulate: added to the gradients, then zero again; or NULL */
} lw_adam_options;
LW_API lw_status lw_adam_with(lw_graph *g, lw_value loss, lw_store *store, lw_store *state,
                              const lw_adam_options *options);
#define lw_adam(g, loss, store, state, ...)                                                        \
    lw_adam_with(g, loss, store, state, LW_OPTIONS(lw_adam_options, __VA_ARGS__))
/* Gradient accumulation: adds d loss / d p for all of lw_parameters(store) to "sum.NAME" in `sums` (zeros where
 * it is not there yet) and leaves the parameters alone. The loss of a batch in k parts is the mean of the
 * parts' losses: give each a k-th of its own. */
LW_API lw_status lw_accumulate(lw_graph *g, lw_value loss, lw_store *store, lw_store *sums);
/* p <- p - learning_rate * (gradient + weight_decay * p), with momentum as torch.optim.SGD (kept in `state` under
 * "sgd.v.NAME"). */
typedef struct lw_sgd_options {
    uint32_t size;
    float learning_rate, momentum, weight_decay; /* 0 is 0: give a rate */
    lw_value rate; /* a scalar in place of learning_rate, or null */
} lw_sgd_options;
LW_API lw_status lw_sgd_with(lw_graph *g, lw_value loss, lw_store *store, lw_store *state,
                             const lw_sgd_options *options);
#define lw_sgd(g, loss, store, state, ...)                                                         \
    lw_sgd_with(g, loss, store, state, LW_OPTIONS(lw_sgd_options, __VA_ARGS__))
/* average.NAME <- decay * average.NAME + (1 - decay) * NAME for lw_parameters(store); all else of the store
 * is copied. Where the graph assigns NAME so far (an optimiser, say), the average takes the new value.
 * `average` must hold the same names (lw_store_merge(average, store, "")). */
LW_API lw_status lw_moving_average(lw_graph *g, lw_store *store, lw_store *average, double decay);
/* The same with a scalar value for the decay (a schedule's input). */
LW_API lw_status lw_moving_average_by(lw_graph *g, lw_store *store, lw_store *average, lw_value decay);

#ifdef __cplusplus
}
#endif
#endif
