/* run.h — executing a checked pipeline inside a run folder. */
#ifndef LWH_RUN_H
#define LWH_RUN_H

#include "common.h"
#include "latentwalk/dataset.h"
#include "latentwalk/program.h"
#include "progress.h"

/* Whatever a finished step left for those after it. */
typedef struct lwh_result {
    lw_tensor **outputs;   /* by output port */
    lw_dataset **datasets; /* the same; NULL where the port carries a tensor, or no step needs it any more */
    lw_shape *shapes;      /* of either */
    lwi_port_type *types;  /* with the real shapes' spaces and models */
} lwh_result;

typedef struct lwh_run {
    const lwh_options *options;
    lwh_pipeline *pipeline;
    lw_device *device;
    lw_device_info info;
    const char *folder;
    FILE *log;
    json_t *state;       /* run.json */
    json_t *steps;       /* the history of finished steps */
    lwh_result *results; /* by step */
    lwh_progress progress;
    double began, logged; /* seconds: the run, the last line of progress in the log */
    bool resume, dry;
} lwh_run;

/* Opens the device, runs what is not done yet, keeps run.json and metrics.json. `state` is taken over;
 * "seconds" of finished steps in it are kept. Returns LW_OK, LW_CANCELLED or the first error. */
lw_status lwh_execute(lwh_run *run);
void lwh_run_clear(lwh_run *run); /* closes and releases all but options, pipeline and folder */

/* Ctrl-C and SIGTERM: the first sets the flag, the second ends the program. Before any other thread is
 * started (a device starts some). */
lw_status lwh_catch_signals(void);
bool lwh_is_cancelled(void *unused);

/* --- between the files of the runner ---------------------------------------------------------------- */
char *lwh_step_folder(const lwh_run *run, const lwh_step *step);
/* The outputs, changed models and description of a finished step, to and from its folder. results.c */
lw_status lwh_save_outputs(lwh_run *run, int index);
lw_status lwh_load_outputs(lwh_run *run, int index);
/* Whether a step makes a dataset: those are not saved, and made again after a resume. */
bool lwh_makes_dataset(const lwh_step *step);
/* Lets the datasets go that no step after `index` needs. */
void lwh_drop_datasets(lwh_run *run, int index);
lw_status lwh_save_model(lwh_run *run, const lwh_step *step, const lwh_model *model);
lw_status lwh_load_models(lwh_run *run, const lwh_step *step);
lw_status lwh_save_metrics(lwh_run *run);
/* The run as lw_step_history tells it; a new reference. */
json_t *lwh_history(void *run);

#endif
