/* model.h — making, loading and shipping models, and building losses. Internal, for the host and steps. */
#ifndef LWI_MODEL_H
#define LWI_MODEL_H

#include "latentwalk/model.h"
#include "latentwalk/step.h"
#include "plugin/ports.h"

#define LWI_PART_COUNT 3 /* of lw_part */

lw_model *lwi_model_create(const char *name);
/* Also destroys the programs lw_model_images compiled: before the device is closed. */
void lwi_model_destroy(lw_model *model);

/* Gives the model a part. Takes ownership of `args` (also on failure).
 *
 * With `weights`: finds the tensors under `prefix`, or where that is NULL under the first prefix the plugin's
 * detect accepts, lets it fill in sizes, copies the part's tensors without the prefix, and checks them
 * against what the plugin builds: missing, wrong-shaped and extra tensors are reported together.
 * Without: creates them from `seed`. */
lw_status lwi_model_set_part(lw_model *model, lw_part part, const lw_plugin *plugin, lw_args *args,
                             lw_store *weights, const char *prefix, uint64_t seed);

const lw_plugin *lwi_model_plugin(const lw_model *model, lw_part part); /* NULL without that part */
const lw_args *lwi_model_args(const lw_model *model, lw_part part);
/* Under which the part's tensors were found in its weights; NULL where it was created. */
const char *lwi_model_prefix(const lw_model *model, lw_part part);
/* All named sizes (the generator's first), for ports. */
const lw_dims *lwi_model_dims(const lw_model *model);
const char *lwi_part_name(lw_part part);
lw_kind lwi_part_kind(lw_part part);

/* All parts in one store: "G.", "D." and "N." before the names, and in the metadata under
 * "latentwalk.generator" (…) a JSON object {"uses": id, "with": {…}}, from which lwi_model_set_part finds
 * sizes again. The caller may add metadata (licence, data) before lw_store_save. */
lw_store *lwi_model_pack(lw_model *model);
/* "generator/dcgan" as a shipped file's metadata name it; false when they do not. `id`: LWI_ID_BYTES. */
bool lwi_store_uses(const lw_store *store, lw_part part, char *id);
/* Whether this key of a file's metadata is about another of its parts than the one under "NETWORK.". */
bool lwi_manifest_of_another(const char *key, const char *network);

/* Calls `tell` with each program of lw_model_images that has run since it was last told of, and how often. */
void lwi_model_tell_programs(lw_model *model,
                             void (*tell)(void *user, const char *name, lw_program *program, double runs),
                             void *user);

/* Drops the programs compiled for lw_model_images (before their device closes). */
void lwi_model_drop_programs(lw_model *model);

/* What a loss sees. `find` looks up the model a MODEL parameter names. */
struct lw_loss_inputs {
    const lw_named_value *values;
    int count;
    lw_model *model;
    const lw_args *args; /* set by lwi_loss_build */
    lw_model *(*find)(void *user, const char *name);
    void *user;
    const lw_build_options *score; /* of lw_loss_score; NULL: as the model is */
    lw_store *state;               /* of lw_loss_state, under names that start with `prefix`; NULL: none */
    const char *prefix;
};
/* Is every value there that the loss needs? */
bool lwi_loss_fits(const lw_plugin *plugin, const lw_loss_inputs *inputs);
/* The loss as a scalar, unweighted; the graph's error is set where it needs what is not offered. */
lw_value lwi_loss_build(lw_graph *g, const lw_plugin *plugin, const lw_args *args,
                        const lw_loss_inputs *inputs);
#endif
