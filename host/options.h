/* options.h — the command line, from one table of options and one of commands. */
#ifndef LWH_OPTIONS_H
#define LWH_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#define LWH_MAX_SETS 256

/* Exit statuses. */
enum { LWH_FINE = 0, LWH_RUN_FAILED = 1, LWH_USAGE = 2, LWH_CANCELLED = 130 };

typedef struct lwh_options {
    const char *command;
    const char *argument;         /* FILE, RUN or ID; NULL where there is none */
    char *sets[LWH_MAX_SETS + 1]; /* PATH=VALUE, NULL-terminated; owned by lwh_main */
    int set_count;
    const char *out, *plugin_path;
    const char *network, *arch, *store, *seeds, *latents, *space, *trunc, *outdir, *save_tensors, *interpolate,
        *frames;                    /* generate */
    const char *fixture, *weights;  /* verify */
    const char *tune;               /* devices */
    double checkpoint_every; /* seconds */
    bool dry_run, profile, tuning, json, quiet, force, help;
} lwh_options;

typedef struct lwh_command {
    const char *name, *argument, *summary;  /* argument: "FILE"; "[ID]" may be left out; NULL: takes none */
    int (*run)(const lwh_options *options); /* -> exit status */
    const char *examples;
} lwh_command;

extern const lwh_command lwh_commands[]; /* ends with a NULL name */

/* Fills options; false (told on stderr) where the command line cannot be understood. */
bool lwh_options_parse(lwh_options *options, int count, char **arguments);
void lwh_print_help(FILE *stream, const char *command); /* NULL: the overview */

int lwh_cmd_run(const lwh_options *options);
int lwh_cmd_check(const lwh_options *options);
int lwh_cmd_resume(const lwh_options *options);
int lwh_cmd_plugins(const lwh_options *options);
int lwh_cmd_describe(const lwh_options *options);
int lwh_cmd_schema(const lwh_options *options);
int lwh_cmd_devices(const lwh_options *options);
int lwh_cmd_inspect(const lwh_options *options);
int lwh_cmd_import(const lwh_options *options);
int lwh_cmd_generate(const lwh_options *options);
int lwh_cmd_verify(const lwh_options *options);
int lwh_cmd_version(const lwh_options *options);

/* The whole program but its name. */
int lwh_main(int count, char **arguments);

#endif
