/* step_harness.h — runs one built step plugin without a pipeline: arguments, inputs, a folder to write to.
 * Every function asserts what must go right; harness_run returns what the plugin returned. */
#ifndef STEP_HARNESS_H
#define STEP_HARNESS_H

#include "model/model.h"
#include "step/runtime.h"

#define HARNESS_INPUTS 8

typedef struct harness {
    char folder[64]; /* RUN, temporary; the step's own is RUN/steps/test */
    const lw_plugin *plugin;
    lw_args *args;
    lwi_step_input inputs[HARNESS_INPUTS];
    int input_count;
    lwi_bindings bindings;
    lw_model *model;   /* what every MODEL parameter names; borrowed, may be NULL */
    lw_device *device; /* borrowed, may be NULL */
    json_t *history;   /* what the run tells; owned once set */
    lw_step *step;     /* after harness_run */
} harness;

/* Loads lib/latentwalk/sink-image-grid.so for "sink/image-grid". */
void harness_open(harness *h, const char *id);
void harness_close(harness *h); /* and removes the folder */
void harness_set(harness *h, const char *key, const char *text);
/* The tensor is borrowed. */
void harness_input(harness *h, const char *port, const char *name, const char *space,
                   const lw_tensor *tensor);
void harness_input_dataset(harness *h, const char *port, const char *name,
                           lw_dataset *dataset); /* borrowed */
lw_status harness_run(harness *h);
/* "RUN/steps/test/grid.png": released with lw_free. */
char *harness_path(const harness *h, const char *file);
const lw_tensor *harness_output(const harness *h, const char *port);
const lw_dataset *harness_dataset(const harness *h, const char *port);
/* A cell of the step's table, NaN where there is none. */
double harness_metric(const harness *h, const char *row, const char *column);
/* A curve told; the test fails where there is none of this name. */
const lwi_series *harness_series(const harness *h, const char *name);
/* Loads another built plugin (a model's part). */
const lw_plugin *harness_plugin(const char *id);

#endif
