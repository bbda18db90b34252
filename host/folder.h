/* folder.h — the run folder: its names, its state, its log. Everything in it is written to a temporary
 * name and renamed, except the log, which only grows. */
#ifndef LWH_FOLDER_H
#define LWH_FOLDER_H

#include <jansson.h>
#include <stdio.h>

#include "pipeline.h"

/* runs/NAME-YYYYmmdd-HHMMSS for a pipeline file, or `out`, made; a non-empty one is refused. Released with
 * lw_free; NULL with an error set. */
char *lwh_folder_create(const char *pipeline_file, const char *out);
/* "quickstart" of "pipelines/quickstart.yaml"; released with lw_free. */
char *lwh_pipeline_name(const char *file);

lw_status lwh_remove_tree(const char *path);

/* "2025-01-31T12:00:00Z" */
#define LWH_TIME_TEXT 32
const char *lwh_now(char *buffer);

/* Plugins and weights in use: {"plugins": {id: {"version", "path", "hash"}}, "weights": {"faces.generator":
 * {"path", "hash"}}}. A new reference; NULL with an error set. */
json_t *lwh_ingredients(const lwh_pipeline *pipeline);
/* LW_INVALID with all differences between what a run was started with and what is there now. */
lw_status lwh_compare_ingredients(const json_t *before, const json_t *now);

/* The effective pipeline as YAML: all values, where each came from. `blas` is the back end in use. */
lw_status lwh_write_effective(const lwh_pipeline *pipeline, const char *blas, const char *path);

#endif
