/* model.h — an entry of `models:`: a generator with, perhaps, its discriminator, or a network; each a
 * graph plugin with arguments and weights. Methods build with these and never see an architecture.
 *
 * Models belong to the run and are borrowed; on the pipeline's thread. What builds into a graph returns null with the
 * graph's error: LW_UNSUPPORTED where the model has no such part, LW_SHAPE where a value does not fit its sizes. */
#ifndef LATENTWALK_MODEL_H
#define LATENTWALK_MODEL_H

#include "plugin.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_model lw_model;

#define LW_PART_MAP(X)                                                                             \
    X(GENERATOR, 0, "generator")                                                                   \
    X(DISCRIMINATOR, 1, "discriminator")                                                           \
    X(NETWORK, 2, "network")
typedef enum lw_part {
#define X(name, value, text) LW_PART_##name = value,
    LW_PART_MAP(X)
#undef X
} lw_part;

LW_API const char *lw_model_name(const lw_model *model);
/* 16 hex digits over all parts' weights, cached until lw_model_changed: what a latent or a direction
 * belongs to. NULL with an error where weights cannot be read. */
LW_API const char *lw_model_identity(lw_model *model);
LW_API void lw_model_changed(lw_model *model); /* after training in place */
/* "map", "synthesize", "discriminator", "network", …: see `provides` in lw_plugin. */
LW_API bool lw_model_has(const lw_model *model, const char *capability);
/* A named size (z_dim, w_dim, num_ws, channels, height, width, …); 0 when the model has none. */
LW_API int64_t lw_model_dim(const lw_model *model, const char *name);
/* The weights of a part (borrowed; NULL where the model has no such part). */
LW_API lw_store *lw_model_store(lw_model *model, lw_part part);

/* All parts in one .safetensors: tensors under "G.", "D.", "N.", metadata with each part's plugin id and
 * arguments; such a file given as `weights:` makes the same model again. Atomic. `storage` as in lw_store_save. */
LW_API lw_status lw_model_save(lw_model *model, const char *path, lw_storage storage);
/* The same with other weights for its generator (a moving average). */
LW_API lw_status lw_model_save_averaged(lw_model *model, lw_store *generator, const char *path, lw_storage storage);

/* What the outputs of a network mean: the entries of its parameter `labels` (see lw_network), in order of the
 * outputs. All outputs lie in [0, 1]: of a class ("Smiling") it is the probability, of an amount
 * ("age=0..100") the way from `low` to `high`, in the label's own unit. */
typedef struct lw_label {
    char name[64];
    bool amount;
    double low, high; /* 0 and 1 for a class */
} lw_label;
LW_API int lw_model_label_count(const lw_model *model); /* 0 where the outputs have no names */
/* LW_NOT_FOUND for an index that is none. */
LW_API lw_status lw_model_label(const lw_model *model, int index, lw_label *label);
/* The output with this label; -1, with an error that names the nearest, where there is none. */
LW_API int lw_model_find_label(const lw_model *model, const char *name);
/* The same by number or label ("2", "Smiling"), of a network that returns `outputs` of them; -1 with an error. */
LW_API int64_t lw_model_find_output(const lw_model *model, const char *text, int64_t outputs);

/* How a part is built into a graph. Zero is right for using a model as it is. */
typedef struct lw_build_options {
    uint32_t size;
    bool training;   /* batch statistics, running averages updated, as in lw_scope */
    bool trainable;  /* its weights count for lw_parameters; otherwise they are frozen */
    lw_store *store; /* other weights of the same part (a moving average), NULL for the model's */
    lw_value (*on_tap)(lw_graph *g, const char *tap, lw_value value, void *user); /* as in lw_scope: edits a tap */
    void *user;      /* for on_tap */
    lw_value labels; /* [N, classes] for a conditional part; null: the class of its parameter */
    int64_t resolution; /* side of the images of a part that provides "grow" and still grows; 0: the whole */
    lw_value fade;      /* as in lw_scope */
} lw_build_options;

/* z [N, z_dim] -> image: map and truncate (where there is a mapping), then synthesize. */
LW_API lw_value lw_generate_with(lw_graph *g, lw_model *model, lw_value z, const lw_build_options *options);
/* z -> w [N, w_dim], not truncated; z itself for a generator without mapping. */
LW_API lw_value lw_map_with(lw_graph *g, lw_model *model, lw_value z, const lw_build_options *options);
/* w [N, w_dim] -> w, or w+ [N, num_ws, w_dim], drawn to its mean as the generator's arguments say: what stands between
 * mapping and synthesis in lw_generate. w itself where nothing is truncated. */
LW_API lw_value lw_truncate(lw_graph *g, lw_model *model, lw_value w);
/* The w [1, w_dim] that truncation draws to, whatever the generator's arguments say. LW_UNSUPPORTED where it has none. */
LW_API lw_value lw_mean_latent(lw_graph *g, lw_model *model);
/* w [N, w_dim] or w+ [N, num_ws, w_dim], or z [N, z_dim] where there is no mapping -> image [N, channels, height, width]. */
LW_API lw_value lw_synthesize_with(lw_graph *g, lw_model *model, lw_value latent, const lw_build_options *options);
/* image [N, channels, height, width] -> raw score [N, 1]. */
LW_API lw_value lw_discriminate_with(lw_graph *g, lw_model *model, lw_value image, const lw_build_options *options);
/* x, an image or features [N, F] as the network's sizes say -> what it returns. */
LW_API lw_value lw_apply_with(lw_graph *g, lw_model *model, lw_value x, const lw_build_options *options);
/* In C, options are written as trailing fields: lw_generate(g, model, z, .training = true). */
#define lw_generate(g, model, z, ...) lw_generate_with(g, model, z, LW_OPTIONS(lw_build_options, __VA_ARGS__))
#define lw_map(g, model, z, ...) lw_map_with(g, model, z, LW_OPTIONS(lw_build_options, __VA_ARGS__))
#define lw_synthesize(g, model, w, ...) lw_synthesize_with(g, model, w, LW_OPTIONS(lw_build_options, __VA_ARGS__))
#define lw_discriminate(g, model, image, ...)                                                      \
    lw_discriminate_with(g, model, image, LW_OPTIONS(lw_build_options, __VA_ARGS__))
#define lw_apply(g, model, x, ...) lw_apply_with(g, model, x, LW_OPTIONS(lw_build_options, __VA_ARGS__))
/* Features [N, F] of images by the model's network: the value it taps as `tap` ([N, F], or [N, C, H, W] averaged over
 * pixels), or what it returns for "output". */
LW_API lw_value lw_features(lw_graph *g, lw_model *model, const char *tap, lw_value images);

/* The value under this tap in the part's last build in this graph; null where it names none. */
LW_API lw_value lw_part_tap(lw_graph *g, const lw_model *model, lw_part part, const char *tap);
/* The same where there must be one: LW_NOT_FOUND with the list of the part's taps otherwise. */
LW_API lw_value lw_require_tap(lw_graph *g, const lw_model *model, lw_part part, const char *tap);

/* Images and scores of many latents, at most `batch` at a time: latents [M, d] in `space` ("z", "w" or "w+":
 * [M, num_ws, w_dim]) -> *images [M, C, H, W], *scores [M], of which one may be NULL; both are the caller's. z is mapped
 * and truncated, w and w+ are taken as they are. Programs are cached in the model by batch size. */
LW_API lw_status lw_model_images(lw_model *model, lw_device *device, const char *space, const lw_tensor *latents,
                                 int64_t batch, lw_tensor **images, lw_tensor **scores);

#ifdef __cplusplus
}
#endif
#endif
