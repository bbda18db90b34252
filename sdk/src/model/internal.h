/* internal.h — what the files of the model layer share. */
#ifndef LWI_MODEL_INTERNAL_H
#define LWI_MODEL_INTERNAL_H

#include "model/model.h"
#include "plugin/args.h"
#include "plugin/prefix.h"
#include "plugin/registry.h"

typedef struct lwi_part {
    const lw_plugin *plugin; /* NULL: the model has no such part */
    lw_args *args;           /* owned */
    lw_store *store;         /* owned; names without prefix */
    lw_dims dims;
    char *scope;  /* "faces.generator" */
    char *prefix; /* of its tensors in the weights; NULL where it was created */
} lwi_part;

/* A program of lw_model_images. */
typedef struct lwi_image_program {
    struct lwi_image_program *next;
    lw_program *program;
    lw_device *device;
    lw_shape latents; /* of one run */
    bool mapped, images, scores;
    uint64_t told; /* runs that a dry run has told of */
} lwi_image_program;

struct lw_model {
    char *name;
    lwi_part part[LWI_PART_COUNT];
    lw_dims dims; /* of all parts; the generator's first */
    char identity[17];
    bool identity_known;
    lwi_image_program *programs;
};

/* A store seen through a prefix. */
struct lw_weights {
    lw_store *store;
    const char *prefix;
};

/* "G.", "D.", "N.": where a shipped file keeps the part. */
const char *lwi_part_prefix(lw_part part);

/* Builds the part once as it would be used, with inputs of one example, for its weights alone. */
void lwi_part_build(lw_graph *g, const lwi_part *part, lw_part which, bool create, uint64_t seed);

/* Gives the part the sizes and a copy of the tensors found in `weights`; part->args are filled in. */
lw_status lwi_part_load(lwi_part *part, lw_part which, lw_store *weights, const char *prefix);

/* Metadata of a file saved here: the part's plugin id and arguments as JSON (released with lw_free), and setting
 * arguments from it as if the user had given them, who may have given others. */
char *lwi_part_manifest(const lwi_part *part);
lw_status lwi_part_apply_manifest(lw_args *args, const lw_store *weights, lw_part which);

/* Every entry of the network's `labels` is well-formed, and no name is there twice. */
lw_status lwi_labels_check(const lw_model *model);

lw_status lwi_part_dims(lwi_part *part);
#endif
