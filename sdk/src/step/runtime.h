/* runtime.h — a step while it runs: what the host fills in, and what it may read afterwards.
 * Internal; plugins see step.h only. */
#ifndef LW_STEP_RUNTIME_H
#define LW_STEP_RUNTIME_H

#include <jansson.h>
#include <time.h>

#include "base/clock.h"
#include "latentwalk/step.h"
#include "plugin/ports.h"

/* What the runtime asks of the host. Every function may be NULL except `cancelled` and `model`. */
typedef struct lwi_step_hooks {
    void *user;
    bool (*cancelled)(void *user);
    void (*progress)(void *user, lw_step *step, int64_t iteration, int64_t total);
    void (*noted)(void *user, lw_step *step, const char *text);
    /* An entry of `models:`; NULL where there is none. */
    lw_model *(*model)(void *user, const char *name);
    /* A new reference: the run so far, with the finished steps in "steps". */
    json_t *(*history)(void *user);
} lwi_step_hooks;

typedef struct lwi_step_input {
    const char *port, *name, *space; /* "images", "walk.images", "image" */
    const lw_tensor *tensor;
    lw_dataset *dataset; /* instead of a tensor, on a port of space dataset */
} lwi_step_input;

typedef struct lwi_step_output {
    const lw_port *port;
    lw_tensor *tensor;   /* owned; NULL until set */
    lw_dataset *dataset; /* owned; instead of a tensor */
} lwi_step_output;

typedef struct lwi_step_program {
    char *name;
    lw_program *program;
    uint64_t runs_before; /* when the running loop began */
    double estimated;     /* dry run: runs that were left out, and so not counted by the program */
} lwi_step_program;

typedef struct lwi_step_store {
    char *name;
    lw_store *store;
    bool owned;
} lwi_step_store;

typedef struct lwi_series {
    char *name;
    int64_t *iteration;
    float *value; /* what was logged, rounded to float32 as everything computed is */
    size_t count, capacity;
} lwi_series;

/* What the host describes; all borrowed for the life of the step. */
typedef struct lwi_step_setup {
    const char *id, *uses;
    const lw_plugin *plugin;
    const lw_args *args;
    uint64_t seed; /* of the run; mixed with the id by lwi_step_create */
    lw_device *device;
    const lwi_step_input *inputs;
    int input_count;
    lwi_bindings *bindings;  /* with the inputs unified; outputs are checked against it */
    const char *folder;      /* RUN/steps/ID */
    const char *run_folder;  /* RUN */
    double checkpoint_every; /* seconds */
    bool dry;                /* programs compute nothing, and nothing is checkpointed */
    lwi_step_hooks hooks;
} lwi_step_setup;

struct lw_step {
    lwi_step_setup setup;
    uint64_t seed;
    lwi_step_output *outputs;
    int output_count;
    lwi_step_program *programs;
    int program_count;
    lwi_step_store *stores;
    int store_count;
    /* the loop: how many are finished, and where the running one is */
    int64_t loop, iteration, total;
    bool in_loop, cancelled;
    clock_t loop_began; /* processor time */
    bool estimated; /* dry run: a loop was too long to be gone through whole */
    double last_checkpoint;
    lw_store *resumed; /* the checkpoint to go on from, until its loop begins */
    int64_t resumed_loop, resumed_iteration;
    /* what was told */
    lwi_series *series;
    int series_count;
    json_t *table, *notes, *files;
    char *history;
    /* the first error of the loop */
    lw_status status;
    char *error;
};

/* NULL with an error set. A checkpoint found in the step's folder is taken up where `resume` is set. */
lw_step *lwi_step_create(const lwi_step_setup *setup, bool resume);
void lwi_step_destroy(lw_step *step);
/* Runs the plugin, then checks that every output is there. */
lw_status lwi_step_run(lw_step *step);
/* What the plugin itself has to say before anything runs; the inputs need no tensors. */
lw_status lwi_step_check(lw_step *step);
/* {"id", "uses", "series", "table", "notes", "files"}: a new reference, or NULL without memory. */
json_t *lwi_step_describe(const lw_step *step);
/* A seed of its own for everything that has a name: steps and models do not share their numbers. */
uint64_t lwi_mix_seed(uint64_t seed, const char *name);

/* Between the runtime's own files. */
lw_status lwi_step_fail(lw_step *step); /* keeps this thread's error as the loop's, if it is the first */
lw_status lwi_checkpoint_save(lw_step *step);
lw_status lwi_checkpoint_load(lw_step *step);
lwi_series *lwi_step_series(lw_step *step, const char *name);
lw_status lwi_series_add(lwi_series *series, int64_t iteration, float value);

#endif
