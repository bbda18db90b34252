/* plugin.h — the plugin contract.
 *
 * A plugin is a shared object that exports one const data symbol, `lw_plugin_descriptor`, of type
 * lw_plugin. Its first 512 bytes (lw_plugin_prefix) are plain data without pointers and never change
 * their layout: the host reads them from the ELF file before dlopen, so a library that does not fit is
 * refused before any of its code has run. Structs carry their size and grow only at the end; arrays
 * carry their stride. The same ABI major means compatible; a plugin may be older than the host
 * (smaller minor), never newer.
 *
 * Unless said otherwise callbacks are called on the thread that runs the pipeline, one at a time. */
#ifndef LATENTWALK_PLUGIN_H
#define LATENTWALK_PLUGIN_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LW_PLUGIN_MAGIC "LATENTW\n"
#define LW_PLUGIN_SYMBOL "lw_plugin_descriptor"
#define LW_ABI_MAJOR 1
#define LW_ABI_MINOR 0

#define LW_KIND_MAP(X)                                                                             \
    X(GENERATOR, 1, "generator")                                                                   \
    X(DISCRIMINATOR, 2, "discriminator")                                                           \
    X(NETWORK, 3, "network")                                                                       \
    X(LOSS, 4, "loss")                                                                             \
    X(METHOD, 5, "method")                                                                         \
    X(METRIC, 6, "metric")                                                                         \
    X(SOURCE, 7, "source")                                                                         \
    X(SINK, 8, "sink")

typedef enum lw_kind {
#define X(name, value, text) LW_KIND_##name = value,
    LW_KIND_MAP(X)
#undef X
} lw_kind;

/* Frozen: 512 bytes, no pointers, unused bytes zero, texts end with a zero byte. */
typedef struct lw_plugin_prefix {
    char magic[8];
    uint32_t prefix_size;     /* sizeof(lw_plugin_prefix) = 512 */
    uint32_t descriptor_size; /* sizeof(lw_plugin) the plugin was built with */
    uint16_t abi_major, abi_minor;
    uint8_t pointer_bytes;    /* sizeof(void *) */
    uint8_t reserved0[3];
    uint32_t byte_order;      /* 0x01020304 as the plugin's machine stores it */
    uint32_t kind;            /* lw_kind */
    char name[48];            /* "dcgan": [a-z0-9-]+; the id is "generator/dcgan" */
    char version[24];         /* "1.0.0" */
    char licence[32];         /* SPDX: "Apache-2.0" */
    char summary[160];        /* one line */
    uint8_t reserved[216];
} lw_plugin_prefix;

/* --- parameters ----------------------------------------------------------------------------- *
 * One static table per plugin; validation, `describe`, the JSON Schema and reference docs all come from
 * it. Defaults are text in YAML's notation; NULL means the parameter must be given, "" that it may be
 * absent. */
#define LW_PARAM_MAP(X)                                                                            \
    X(INT, 1, "integer")                                                                           \
    X(FLOAT, 2, "number")                                                                          \
    X(BOOL, 3, "boolean")                                                                          \
    X(STRING, 4, "text")                                                                           \
    X(CHOICE, 5, "choice")     /* one of `choices` */                                              \
    X(PATH, 6, "path")         /* relative ones are resolved against the pipeline file's folder */ \
    X(MODEL, 7, "model")       /* the name of an entry of `models:`; `choices` lists the capabilities needed */ \
    X(LOSSES, 8, "losses")     /* list of {uses, weight, with}; `choices` lists the values offered to losses */ \
    X(INTS, 9, "integers")     /* list of integers, each in the range; so are FLOATS */            \
    X(FLOATS, 10, "numbers")                                                                       \
    X(STRINGS, 11, "texts")

typedef enum lw_param_type {
#define X(name, value, text) LW_PARAM_##name = value,
    LW_PARAM_MAP(X)
#undef X
} lw_param_type;

typedef struct lw_param {
    const char *key;             /* [A-Za-z0-9_-]+ */
    lw_param_type type;
    const char *unit;            /* "px", "iterations"; NULL for none */
    const char *fallback;        /* the default, as text */
    double minimum, maximum;     /* inclusive; both 0 means no range */
    const char *const *choices;  /* NULL-terminated; see the types above */
    const char *doc;             /* one sentence, with the source of the default */
} lw_param;

/* --- ports ---------------------------------------------------------------------------------- *
 * type: SPACE "[" dim, … "]". Spaces: z, w, w+, image, features, direction, scores, labels, dataset
 * (dataset.h), or for inputs `latent` (any of z, w, w+) and `any` (any but dataset: "any[…]"). A dim is a
 * number, the key of an integer parameter of the same plugin, a dim of its model parameter (z_dim,
 * w_dim, num_ws, channels, height, width), or a symbol that must mean the same number on all ports
 * of the step. "z[N, points, z_dim]". A `…` dim stands for any number of dims:
 * "image[…, channels, height, width]". On an output `latent` is the space of the step's latent inputs, else
 * what its choice parameter `space` says, else w, or z where the step's model has no mapping. */
typedef struct lw_port {
    const char *name;
    const char *type;
    uint32_t optional; /* inputs only */
    uint32_t many;     /* inputs only: takes a list of outputs */
    const char *doc;   /* one sentence */
} lw_port;

/* --- arguments ------------------------------------------------------------------------------ *
 * The values of a plugin's parameters, complete and in range; lists in the order given. Asking for a key or a type that
 * the plugin's table does not have, for an item past the end, or for a number or boolean that is absent (ask lw_is_set
 * first) is a mistake of the plugin: returns 0/NULL and sets an error. Texts are borrowed from the arguments, which
 * outlive the call they were given to. */
typedef struct lw_args lw_args;
LW_API int64_t lw_int(const lw_args *args, const char *key);
LW_API double lw_float(const lw_args *args, const char *key);
LW_API bool lw_bool(const lw_args *args, const char *key);
LW_API const char *lw_text(const lw_args *args, const char *key); /* string, choice, path, model; NULL if absent */
LW_API int lw_list_count(const lw_args *args, const char *key); /* 0 if absent; also of LOSSES */
LW_API int64_t lw_list_int(const lw_args *args, const char *key, int index);
LW_API double lw_list_float(const lw_args *args, const char *key, int index);
LW_API const char *lw_list_text(const lw_args *args, const char *key, int index); /* of LOSSES: the losses' ids */
/* Numbers that name points, listed under an INTS parameter: that of point `index`, which is `index` itself where the list is
 * absent; and LW_INVALID where there is a list, but not of one number for each of `points`. */
LW_API int64_t lw_point_name(const lw_args *args, const char *key, int64_t index);
LW_API lw_status lw_check_point_names(const lw_args *args, const char *key, int64_t points);
LW_API bool lw_is_set(const lw_args *args, const char *key);   /* has a value */
LW_API bool lw_is_given(const lw_args *args, const char *key); /* by the user, not by default */
/* For `detect`: fills in what the weights tell, in range. What the user gave otherwise is LW_INVALID, naming both. */
LW_API lw_status lw_args_set_int(lw_args *args, const char *key, int64_t value);
LW_API lw_status lw_args_set_float(lw_args *args, const char *key, double value);
LW_API lw_status lw_args_set_bool(lw_args *args, const char *key, bool value);
LW_API lw_status lw_args_set_text(lw_args *args, const char *key, const char *value);
LW_API lw_status lw_args_set_ints(lw_args *args, const char *key, const int64_t *values, int count);

/* --- graph plugins -------------------------------------------------------------------------- */
/* Weights as `detect` sees them: a store seen through one of the plugin's `prefixes`. */
typedef struct lw_weights lw_weights;
/* The shape of the tensor of this name (as printf writes it, below 512 bytes), to `shape` unless that is NULL; false where
 * there is none. */
LW_API bool lw_weights_shape(const lw_weights *weights, lw_shape *shape, const char *name, ...) LW_PRINTF(3, 4);
/* Metadata of the file; NULL where the key is absent. Borrowed. */
LW_API const char *lw_weights_metadata(const lw_weights *weights, const char *key);
/* The value of a tensor of one element; false where there is none. */
LW_API bool lw_weights_number(const lw_weights *weights, double *value, const char *name, ...) LW_PRINTF(3, 4);
/* The constructor arguments in the metadata "config" (a JSON object, written by `latentwalk import`) under
 * `key`; "a.b" looks into the object "a", "a.2" into the array "a". Booleans are numbers 0 and 1. False where
 * there is no such number, or no such text that fits into `size` bytes. */
LW_API bool lw_weights_config_number(const lw_weights *weights, const char *key, double *value);
LW_API bool lw_weights_config_text(const lw_weights *weights, const char *key, char *text, size_t size);

/* Named sizes of a model: fill with lw_dims_set(dims, "z_dim", 100). At most 24, each at least 1, with names of at most 31
 * bytes; a model with others cannot be opened. */
typedef struct lw_dims lw_dims;
LW_API void lw_dims_set(lw_dims *dims, const char *name, int64_t value);

/* The functions of graph plugins build into the graph and return null with the graph's error where they cannot
 * (lw_graph_fail); N is any. The host checks the shapes that come back.
 *
 * A generator that provides "affine" taps what its latent enters by: "affine0", "affine1", …, one for each layer of w+
 * (one alone where there is no mapping, of all that it enters by), each an affine function of the latent, or of the tap
 * "latent" where the generator changes z first (normalises it, say). Methods take the weights from there (lw_jacobian). */
typedef struct lw_generator {
    uint32_t size;
    /* Are these weights of this architecture? Sets the sizes in args and returns LW_OK, or
     * LW_UNSUPPORTED if not, or another error if yes but broken. Called once per prefix, in order, until one fits.
     * NULL: any weights, of the sizes that the arguments say. */
    lw_status (*detect)(const lw_weights *weights, lw_args *args);
    /* z_dim, channels, height, width; w_dim and num_ws where there is a mapping; classes where conditional. */
    void (*dims)(const lw_args *args, lw_dims *dims);
    /* z [N, z_dim] -> w [N, w_dim]. NULL where the architecture has no mapping network. */
    lw_value (*map)(lw_graph *g, const lw_args *args, lw_value z);
    /* z [N, z_dim], or w [N, w_dim], or w+ [N, num_ws, w_dim] where there is a mapping -> image
     * [N, channels, height, width], nominally in [-1, 1]. */
    lw_value (*synthesize)(lw_graph *g, const lw_args *args, lw_value latent);
    /* w [N, w_dim] -> w, or w+ [N, num_ws, w_dim], drawn towards the mean as the arguments truncation_psi (mean + psi
     * (w - mean)) and, where there is one, truncation_cutoff (how many layers) say. Between map and synthesize where an
     * image is made from z. NULL where there is no truncation. */
    lw_value (*truncate)(lw_graph *g, const lw_args *args, lw_value w);
} lw_generator;

/* Discriminators: image -> raw score [N, 1] (before any sigmoid; higher is more real).
 * Networks: x -> y, as their README says. One whose outputs [N, K] have names and lie in [0, 1] lists the names in
 * a parameter `labels` (texts, K of them: NAME for the probability of a class, NAME=LOW..HIGH for an amount),
 * names what goes into the last sigmoid by the tap `logits` [N, K], and may name `features` [N, F], the layer
 * before: then methods, losses and metrics find its outputs by name (lw_model_label). dims names the size of x:
 * channels, height, width of an image [N, channels, height, width], or features of [N, features]. */
typedef struct lw_network {
    uint32_t size;
    lw_status (*detect)(const lw_weights *weights, lw_args *args); /* as lw_generator's */
    void (*dims)(const lw_args *args, lw_dims *dims);
    lw_value (*apply)(lw_graph *g, const lw_args *args, lw_value x);
} lw_network;

/* What a loss may look at: values by name, as offered by the method (its LOSSES parameter lists them):
 * "latents" [N, d] or [N, T, d], "images" [M, C, H, W] (M = N * T), "latents0" and "images0" (where they started), "targets"
 * [M, C, H, W] (what each image is to look like), "w+" [N, num_ws, w_dim] that the images were synthesized from,
 * "real_images" [N, C, H, W], and "real" and "fake", the discriminator's scores [N, 1] of real_images and images.
 * The null value when absent. */
typedef struct lw_loss_inputs lw_loss_inputs;
LW_API lw_value lw_loss_value(const lw_loss_inputs *inputs, const char *name);
/* Scores [N, 1] of further images [N, C, H, W] by the discriminator as the method built it for "real" and "fake" (it may
 * be in training, or still growing). LW_UNSUPPORTED where the model has none. */
LW_API lw_value lw_loss_score(lw_graph *g, const lw_loss_inputs *inputs, lw_value images);
/* What the loss remembers from run to run (a running mean): a parameter of this shape, at first `start`
 * everywhere, that the loss changes with lw_assign. It is checkpointed with the method; LW_UNSUPPORTED where the method
 * keeps nothing for losses. */
LW_API lw_value lw_loss_state(lw_graph *g, const lw_loss_inputs *inputs, const char *name, lw_shape shape,
                              double start);
struct lw_model;
/* The model the method works on (`key` NULL), or the one named by the loss's MODEL parameter `key`; NULL where that is
 * absent. Borrowed. */
LW_API struct lw_model *lw_loss_model(const lw_loss_inputs *inputs, const char *key);

typedef struct lw_loss {
    uint32_t size;
    /* -> a scalar, to be minimised, before its weight. */
    lw_value (*build)(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs);
} lw_loss;

/* --- step plugins: methods, metrics, sources, sinks ------------------------------------------ */
struct lw_step;
typedef struct lw_runner {
    uint32_t size;
    /* Reads inputs, computes, sets every output (step.h). Returns promptly once lw_next says false. */
    lw_status (*run)(struct lw_step *step);
    /* What the tables cannot say: parameters that do not go together, what only some settings need, a graph that cannot
     * be built. Called by `latentwalk check`, before anything runs: connected inputs have no data yet (they count, and are
     * NULL), and nothing may be compiled or told. NULL where there is nothing more to check. */
    lw_status (*check)(struct lw_step *step);
} lw_runner;

/* --- the descriptor ------------------------------------------------------------------------- */
typedef struct lw_plugin {
    lw_plugin_prefix prefix;
    const char *source;           /* paper and equations, or official implementation */
    const lw_param *params;
    uint32_t param_count, param_stride;
    const lw_port *inputs;
    uint32_t input_count, port_stride;
    const lw_port *outputs;
    uint32_t output_count, reserved0;
    /* Capabilities, NULL-terminated; methods ask for them by name. Generators: "synthesize" always, "map" exactly where
     * that function is given, "affine" (see lw_generator), "grow" (see lw_resolution), "truncated-z" (z is meant to come
     * from a cut normal distribution; `latentwalk generate --trunc` then draws it so). Discriminators: "discriminator",
     * "grow". Networks: "network", and "labels" where outputs have names. */
    const char *const *provides;
    const char *const *needs;     /* losses: values they need ("images", "latents") and model capabilities */
    const char *const *prefixes;  /* graph plugins: prefixes tried in a weights file, NULL-terminated */
    const void *functions;        /* lw_generator, lw_network, lw_loss or lw_runner, by kind */
    const void *(*extension)(const char *name); /* "lw.something/1", or NULL */
} lw_plugin;

#define LW_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define LW_PARAMS(table) .params = (table), .param_count = LW_COUNT(table)
#define LW_INPUTS(table) .inputs = (table), .input_count = LW_COUNT(table)
#define LW_OUTPUTS(table) .outputs = (table), .output_count = LW_COUNT(table)

/* LW_PLUGIN(GENERATOR, "dcgan", "1.0.0", "one line", .source = …, LW_PARAMS(params), .functions = &f); */
#ifdef __cplusplus
#define LW_EXTERN_ extern "C"
#else
#define LW_EXTERN_
#endif
#define LW_PLUGIN_LICENSED(KIND, NAME, VERSION, LICENCE, SUMMARY, ...)                             \
    LW_EXTERN_ LW_API extern const lw_plugin lw_plugin_descriptor;                                 \
    const lw_plugin lw_plugin_descriptor = {                                                       \
        .prefix = {.magic = {'L', 'A', 'T', 'E', 'N', 'T', 'W', '\n'},                             \
                   .prefix_size = sizeof(lw_plugin_prefix),                                        \
                   .descriptor_size = sizeof(lw_plugin),                                           \
                   .abi_major = LW_ABI_MAJOR,                                                      \
                   .abi_minor = LW_ABI_MINOR,                                                      \
                   .pointer_bytes = sizeof(void *),                                                \
                   .byte_order = 0x01020304,                                                       \
                   .kind = LW_KIND_##KIND,                                                         \
                   .name = NAME,                                                                   \
                   .version = VERSION,                                                             \
                   .licence = LICENCE,                                                             \
                   .summary = SUMMARY},                                                            \
        .param_stride = sizeof(lw_param),                                                          \
        .port_stride = sizeof(lw_port),                                                            \
        __VA_ARGS__}
#define LW_PLUGIN(KIND, NAME, VERSION, SUMMARY, ...)                                               \
    LW_PLUGIN_LICENSED(KIND, NAME, VERSION, "Apache-2.0", SUMMARY, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
