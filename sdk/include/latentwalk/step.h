/* step.h — what a step plugin (method, metric, source, sink) sees while it runs.
 *
 * All functions are called on the pipeline's thread, from within `run` (or `check`, where plugin.h says what is there).
 * What they return is borrowed and lives as long as the step, unless said otherwise. Asking for a port or parameter
 * that the plugin's tables do not have is a mistake of the plugin: LW_INTERNAL, or NULL. */
#ifndef LATENTWALK_STEP_H
#define LATENTWALK_STEP_H

#include "dataset.h"
#include "model.h"
#include "random.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_step lw_step;

LW_API const char *lw_step_id(const lw_step *step);
LW_API const lw_args *lw_step_args(const lw_step *step);
LW_API uint64_t lw_step_seed(const lw_step *step); /* the run's seed mixed with the step's id */
/* The run's seed mixed with a name: for what steps must draw alike, such as the variants of a matrix. */
LW_API uint64_t lw_step_shared_seed(const lw_step *step, const char *name);
LW_API lw_device *lw_step_device(lw_step *step);
/* Whether nothing is computed (`--dry-run`): all values are zeros, and what depends on them must not be judged. */
LW_API bool lw_step_is_dry(const lw_step *step);
LW_API lw_model *lw_step_model(lw_step *step, const char *param); /* of a MODEL parameter; NULL if absent */

/* --- inputs and outputs --------------------------------------------------------------------- */
/* The data on a port: shape as declared. NULL for an optional input that is not connected. `index`
 * counts through a `many` port; lw_step_input_count says how many there are. */
LW_API int lw_step_input_count(const lw_step *step, const char *port);
LW_API const lw_tensor *lw_step_input(const lw_step *step, const char *port, int index);
LW_API const char *lw_step_input_name(const lw_step *step, const char *port, int index);  /* "walk.images" */
LW_API const char *lw_step_input_space(const lw_step *step, const char *port, int index); /* "z" */
/* Sets an output, once: the step takes ownership of `tensor` (also on failure). LW_SHAPE where it is not as the port
 * declares; NULL passes on the error that stands. */
LW_API lw_status lw_step_output(lw_step *step, const char *port, lw_tensor *tensor);

/* Datasets (dataset.h) travel on ports of space "dataset[N, channels, height, width]". The run takes
 * ownership (also on failure) and keeps it until no step needs it. It is never saved in the run
 * folder: a resumed run makes it again by running the source step again. */
LW_API lw_status lw_step_output_dataset(lw_step *step, const char *port, lw_dataset *dataset);
LW_API lw_dataset *lw_step_input_dataset(const lw_step *step, const char *port, int index);

/* --- building ------------------------------------------------------------------------------- */
/* lw_compile on the step's device; takes ownership of the graph (also on failure). The program belongs to the step, its
 * cost is reported under `name`. NULL with the graph's error. */
LW_API lw_program *lw_step_compile(lw_step *step, lw_graph *graph, const char *name);
/* What a network sees in many pictures, `batch` at a time: features (lw_features) [M, F] of rows in `space`, which are
 * pictures ("image") or latents of `model` ("z", "w", "w+") to be made into pictures first. rows [.., row]: all leading dims
 * together are M. The tensor is the caller's. Runs a loop of lw_next_again: a resumed run sees again what came before its
 * checkpoint. NULL with an error, or where the run was cancelled. */
LW_API lw_tensor *lw_step_features(lw_step *step, lw_model *network, const char *tap, lw_model *model,
                                   const char *space, const lw_tensor *rows, int64_t batch);
/* The weighted sum of the losses listed under the LOSSES parameter `param`, on values given by name. Each loss,
 * unweighted, also becomes an output of the graph, "LABEL/ID" (ID as lw_list_text(args, param, i) tells). */
typedef struct lw_named_value {
    const char *name;
    lw_value value;
} lw_named_value;
LW_API lw_value lw_step_losses(lw_step *step, lw_graph *g, const char *param, lw_model *model,
                               const lw_named_value *values, int count, const char *label);
/* The same for a method whose graphs offer different values (a trainer's two sides): losses that need one which
 * is not given here are left out, and the sum of none is 0. `score` says how lw_loss_score builds. */
LW_API lw_value lw_step_fitting_losses(lw_step *step, lw_graph *g, const char *param, lw_model *model,
                                       const lw_named_value *values, int count, const char *label,
                                       const lw_build_options *score);
/* Whether the index-th loss listed under `param` needs the value, or the capability, of this name. */
LW_API bool lw_step_loss_needs(const lw_step *step, const char *param, int index, const char *value);

/* --- loops, checkpoints, progress ------------------------------------------------------------ */
/* Tensors that a resumed run must find again (weights in training, optimiser state). Empty at first,
 * restored on resume. Belongs to the step; the same name gives the same store. Register all before the first lw_next. */
LW_API lw_store *lw_step_store(lw_step *step, const char *name);
/* The same for a store that lives elsewhere (a model being trained): restored into it on resume. Borrowed; it must outlive
 * the step, and `name` be its own (LW_INVALID otherwise). */
LW_API lw_status lw_step_keep(lw_step *step, const char *name, lw_store *store);
/* for (int64_t i; lw_next(step, total, &i); ) body — counts i from where the last checkpoint left to
 * total - 1; draws progress, takes checkpoints between iterations, and returns false when done or
 * cancelled (lw_step_cancelled tells; `run` then returns LW_CANCELLED through lw_step_finish). */
LW_API bool lw_next(lw_step *step, int64_t total, int64_t *iteration);
/* The same for a loop whose results no store keeps (features seen, pictures made): a resumed run goes through it again from
 * 0, also where its checkpoint is of a later loop. Tell curves after it. */
LW_API bool lw_next_again(lw_step *step, int64_t total, int64_t *iteration);
LW_API lw_status lw_step_finish(lw_step *step); /* how the loops ended: LW_OK, LW_CANCELLED, or their error */
LW_API bool lw_step_cancelled(const lw_step *step);

/* --- telling -------------------------------------------------------------------------------- */
/* A point of a curve at the current iteration; not a number stops the run with the step and iteration. Reports draw
 * "GROUP/LINE" into one chart per GROUP, together with those of other steps; "NAME ±" is the deviation of "NAME", drawn as
 * a band around it. */
LW_API lw_status lw_step_log(lw_step *step, const char *series, double value);
/* The same where the curve does not run along iterations: `at` counts in whatever its axis counts (percent,
 * layers), not negative. Tell such curves after the step's loops, once. */
LW_API lw_status lw_step_log_at(lw_step *step, const char *series, int64_t at, double value);
/* Numbers as they come, their mean, and their deviation (of the numbers themselves: squares are divided by their count).
 * Starts with zeros; of no numbers both are NaN. */
typedef struct lw_spread {
    double count, sum, squares;
} lw_spread;
LW_API void lw_spread_add(lw_spread *spread, double value);
LW_API double lw_spread_mean(const lw_spread *spread);
LW_API double lw_spread_deviation(const lw_spread *spread);
/* Points of "SERIES" and "SERIES ±"; nothing where there are no numbers. */
LW_API lw_status lw_step_log_spread(lw_step *step, const char *series, int64_t at, const lw_spread *spread);
/* A cell of the step's table: metrics.json and the report show it. LW_NUMERIC for what is not finite. */
LW_API lw_status lw_step_metric(lw_step *step, const char *row, const char *column, double value);
/* A plain line for the log and the report ("no attribute loss: the walk may stand still"), once each. */
LW_API void lw_step_note(lw_step *step, const char *format, ...) LW_PRINTF(2, 3);
/* Path for a file this step makes inside the run folder ("grid.png" -> RUN/steps/ID/grid.png), its
 * folders made. Write to a temporary name and rename (lw_file_write does). Released with lw_free; NULL with LW_INVALID
 * for a name that leaves the folder. */
LW_API char *lw_step_path(lw_step *step, const char *file);
/* The same for RUN/name: for what users look for first (report.html). */
LW_API char *lw_step_run_path(lw_step *step, const char *file);
/* Everything the run knows so far, as JSON text (borrowed until the next call): {"latentwalk", "pipeline",
 * "seed", "device": {…}, "models": {name: {…}}, "steps": [{"id", "uses", "with", "seconds", "series":
 * {name: [[i, v], …]}, "table": {row: {column: value}}, "notes": […], "files": […]}]}. */
LW_API const char *lw_step_history(lw_step *step);

#ifdef __cplusplus
}
#endif
#endif
