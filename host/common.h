/* common.h — what several commands share. */
#ifndef LWH_COMMON_H
#define LWH_COMMON_H

#include <jansson.h>

#include "options.h"
#include "pipeline.h"

/* The plugins of --plugin-path, LATENTWALK_PLUGIN_PATH, and the folder installed beside this program.
 * NULL, told on stderr, without memory. */
lwi_registry *lwh_find_plugins(const lwh_options *options);

/* This thread's error with its causes on stderr, or as a JSON line on stdout. Returns `status`. */
int lwh_tell_error(const lwh_options *options, int status);

/* Loads and checks a pipeline; NULL, with everything told, where it is not fit to run. */
lwh_pipeline *lwh_load_checked(const lwh_options *options, lwi_registry *registry, const char *file,
                               const char *const *sets);

/* A plugin's arguments as JSON, typed; a new reference. */
json_t *lwh_args_json(const lw_args *args);

/* FNV-1a 64 of a file's bytes as 16 hex digits into `hash` (17 bytes). */
lw_status lwh_hash_file(const char *path, char *hash);

/* Writes JSON to a file, indented, atomically; numbers with `digits` (17 loses nothing). */
lw_status lwh_write_json(const char *path, const json_t *value, int digits);
json_t *lwh_read_json(const char *path); /* NULL with an error set */

#endif
