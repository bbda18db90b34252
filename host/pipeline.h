/* pipeline.h — a pipeline: what is written in the file, what it means, and (after lwh_check) the loaded
 * plugins, arguments, models and types that a run needs.
 *
 * Reading goes in stages, each reporting all it finds: text -> tree (tree.h), includes, --set (set.c),
 * combinations (matrix.c), structure (pipeline.c), meaning (check.c). */
#ifndef LWH_PIPELINE_H
#define LWH_PIPELINE_H

#include "model/model.h"
#include "plugin/registry.h"
#include "tree.h"

#define LWH_MAX_INCLUDES 16

typedef struct lwh_part {
    const char *uses; /* "generator/dcgan"; NULL: the model has no such part */
    lwh_yaml *uses_node, *with;
    lwh_yaml *weights;  /* as written; NULL: created from the seed */
    const char *file;   /* `weights` as an absolute path */
    const char *prefix; /* NULL: the plugin finds it */
    lwh_yaml *prefix_node;
} lwh_part;

typedef struct lwh_model {
    const char *name;
    lwh_place place;
    lwh_yaml *node;
    lwh_part parts[LWI_PART_COUNT]; /* by lw_part */
    bool broken;                    /* has a mistake of its own: no follow-up messages about it */
    lw_model *model;                /* after lwh_check */
} lwh_model;

typedef struct lwh_input {
    const char *port;
    lwh_place place;
    struct {
        const char *step, *output; /* "walk", "images" */
        int index;                 /* of the step; -1 where it is unknown */
        lwh_place place;
    } * from;
    int count;
    bool list; /* written as a list */
} lwh_input;

typedef struct lwh_step {
    const char *id, *uses;
    lwh_place place;
    lwh_yaml *uses_node, *with;
    lwh_input *inputs;
    int input_count;
    bool broken;
    /* after lwh_check */
    const lw_plugin *plugin;
    lw_args *args;
    lw_model *model;        /* the one the step works on, or NULL */
    lwi_port_type *outputs; /* by output port */
} lwh_step;

typedef struct lwh_pipeline {
    lwh_arena *arena;
    lwh_diagnostics *diagnostics;
    lwi_registry *registry; /* borrowed */
    const char *file;
    lwh_yaml *root;
    uint64_t seed;
    lwh_place seed_place;               /* file NULL: the default */
    const char *select, *blas, *tuning; /* tuning: "measure", "estimate", or a file */
    lwh_model *models;
    int model_count;
    lwh_step *steps;
    int step_count;
    const char *notes; /* lines worth telling that are no mistakes; NULL for none */
} lwh_pipeline;

/* Reads, includes, applies `sets` ("PATH=VALUE", NULL-terminated, may be NULL) and understands the
 * structure. Never NULL but without memory; mistakes are in ->diagnostics. */
lwh_pipeline *lwh_pipeline_load(lwi_registry *registry, const char *file, const char *const *sets);
/* The same from text in memory; includes are read relative to `file`'s folder. */
lwh_pipeline *lwh_pipeline_parse(lwi_registry *registry, const char *file, const char *text, size_t size,
                                 const char *const *sets);
void lwh_pipeline_destroy(lwh_pipeline *pipeline);

/* Loads plugins, fills arguments, opens models, checks every connection. LW_INVALID with the mistakes in
 * ->diagnostics; everything a run needs is there after LW_OK. */
lw_status lwh_check(lwh_pipeline *pipeline);

lwh_model *lwh_find_model(const lwh_pipeline *pipeline, const char *name);
/* The names of all models (NULL-terminated, in the arena), for did-you-mean. */
const char *const *lwh_model_names(const lwh_pipeline *pipeline);

/* --- between the stages ---------------------------------------------------------------------- */
/* A node's folder for relative paths: its file's, or the current one for --set. */
char *lwh_resolve_path(lwh_arena *arena, lwh_place place, const char *path);
/* Applies "PATH=VALUE" to the tree. */
void lwh_set(lwh_pipeline *pipeline, const char *assignment);
/* Replaces the steps by those of every combination that `matrix:` asks for. */
void lwh_expand_matrix(lwh_pipeline *pipeline);
void lwh_parse_models(lwh_pipeline *pipeline, lwh_yaml *node);
/* Reports a key that is none of `known` (NULL-terminated). */
void lwh_unknown_keys(lwh_pipeline *pipeline, const lwh_yaml *map, const char *const *known,
                      const char *what);
/* "one of: a, b, c", or "did you mean 'b'?" where one is near; in the arena. */
const char *lwh_suggest(lwh_arena *arena, const char *text, const char *const *candidates);
/* Fills `args` from a `with:` mapping (NULL: none); false where something was reported. Where the plugin
 * was `swapped` by --set or a matrix, parameters of the step that it does not have are left out, with a note.
 */
bool lwh_fill_args(lwh_pipeline *pipeline, lw_args *args, const lwh_yaml *with, bool swapped);
/* Was this written on the command line? */
bool lwh_is_override(lwh_place place);
/* Was this put in place of what the file says there, by --set or a matrix? */
bool lwh_is_swapped(const lwh_yaml *node);
/* The plugin of a `uses:`, of one of `kinds` (a NULL-terminated list of names); NULL where reported. */
const lw_plugin *lwh_load_plugin(lwh_pipeline *pipeline, const char *id, lwh_place place,
                                 const char *const *kinds);
/* Reports parameters that must be given and are not; false where one has no value. */
bool lwh_complete(lwh_pipeline *pipeline, const lw_args *args, const lwh_yaml *with, lwh_place place);
void lwh_open_models(lwh_pipeline *pipeline);
/* The place where the parameter was given; `fallback` where it was not. */
lwh_place lwh_param_place(const lwh_yaml *with, const char *key, lwh_place fallback);

#endif
