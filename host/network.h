/* network.h — a file of weights as a model, whoever wrote it. */
#ifndef LWH_NETWORK_H
#define LWH_NETWORK_H

#include "model/model.h"
#include "options.h"
#include "plugin/registry.h"

/* Gives the model the part that `weights` hold. The plugin: `id` ("generator/dcgan", or "dcgan"); where that
 * is NULL, what a shipped file names itself, or the first plugin of the kind whose detect accepts the tensors
 * and whose tensors they all are. `prefix` as in lwi_model_set_part; `with`: "key=value" texts,
 * NULL-terminated. */
lw_status lwh_network_part(lw_model *model, lwi_registry *registry, lw_part part, lw_store *weights,
                           const char *id, const char *prefix, const char *const *with);

/* The plugin that a shipped file names; NULL with an error, which says so, where it cannot be used here. */
const lw_plugin *lwh_network_named(lwi_registry *registry, const char *id);

/* Gives the model the part by the next of the plugins from *at on that recognises the weights: its entry, and
 * in *status whether the tensors are what it builds. NULL: there is none. */
const lwi_entry *lwh_network_next(lw_model *model, lwi_registry *registry, lw_part part, lw_store *weights,
                                  const char *prefix, size_t *at, lw_status *status);

/* The last value given for PATH as --set, --device, --blas or --with (under "with.") keep it; NULL without.
 */
const char *lwh_set_value(const lwh_options *options, const char *path);
/* The device that --device and --blas ask for. */
lw_device *lwh_open_device(const lwh_options *options);
#endif
