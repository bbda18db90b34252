/* fixture.h — numbers made by the official implementations, and models made of their weights. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <latentwalk/latentwalk.h>

typedef struct fixture {
    const char *name;
    lw_store *weights, *expected;
    lw_device *device;
    lw_model *model;
} fixture;

/* Opens ../shared/fixtures/NAME; skips the running test, with a word, where it is missing. `blas`
 * "native" or "clblast"; "gpu": as on a GPU (gpu.h), which the environment's LW_TEST_GPU=1 asks of every
 * test. */
void fixture_open(fixture *f, const char *name, const char *blas);
/* Gives the model a part: plugin "generator/dcgan" with arguments as "key=value" (NULL-terminated) from the
 * weights under `prefix` (NULL: the plugin's own search). */
void fixture_part(fixture *f, lw_part part, const char *plugin, const char *prefix, const char *const *with);
void fixture_close(fixture *f);

const lw_tensor *fixture_expected(fixture *f, const char *name);
/* The expected tensor as a constant of the graph. */
lw_value fixture_constant(fixture *f, lw_graph *g, const char *name);

/* Fails unless every element of `value`, after a run, is within `tolerance` standard deviations of the
 * expected tensor of that name (both flattened). The program is compiled from all asked outputs. */
typedef struct fixture_check {
    const char *expected;
    lw_value value;
    double tolerance;
} fixture_check;
void fixture_run(fixture *f, lw_graph *g, const fixture_check *checks, int count);

#define FIXTURE_IMAGE 1e-4
#define FIXTURE_GRADIENT 1e-3
#endif
