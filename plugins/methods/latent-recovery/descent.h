/* descent.h — the loop of "Diamond in the rough"'s three optimisations: a loss of many latents is made small,
 * a batch of them at a time, by Adam (0.9, 0.999) with a rate that falls tenfold every `decay_every` steps,
 * until the loss of the batch stands still.
 *
 * Batches lie side by side but the last one, which ends where the rows do: all are of one size, which matters
 * to critics that look at a whole batch. Everything a resumed run needs is kept. Where a loss is no longer a
 * finite number the run stops, and the latents of the step before are kept in the step's folder. */
#ifndef DESCENT_H
#define DESCENT_H

#include <latentwalk/latentwalk.h>

typedef struct descent {
    lw_step *step;
    int64_t count, batch; /* rows, and how many are in descent at a time */
    int64_t first;        /* the first of those */
    lw_store *variables;  /* what Adam changes */
    lw_store *path;       /* what the graph assigns otherwise */
    lw_program *program;
    void *self; /* the method's own */
    /* below: the loop's */
    lw_store *adam, *kept;
    float *latents, *good; /* [batch, z_dim] of this step and of the last one whose loss was finite */
    int64_t size;          /* batch * z_dim */
} descent;

typedef struct descent_task {
    const char *program; /* its name in reports */
    int64_t width;       /* elements of a result's row */
    /* The loss, a scalar, and the latents [batch, z_dim] that it is the loss of. */
    lw_value (*build)(descent *d, lw_graph *g, lw_value *latents);
    /* Writes the program's inputs for the rows from `first` on (after a resume, too). */
    lw_status (*write)(descent *d);
    /* Sets variables and path to where the rows from `first` on start; all zeros so far. */
    lw_status (*start)(descent *d);
    /* After each step; NULL: nothing to do. */
    lw_status (*stepped)(descent *d);
    /* The rows found, [batch, width]; `latents` are those of the last step's loss. */
    lw_status (*take)(descent *d, const float *latents, float *rows);
} descent_task;

/* Of a step with the parameters below. result [count, task->width]; d: step, count and self are set. */
lw_status descent_run(descent *d, const descent_task *task, lw_tensor *result);

/* For `build`: a tensor of the store that starts with zeros, in descent or on the path. */
lw_value descent_variable(descent *d, lw_graph *g, const char *name, lw_shape shape);
lw_value descent_state(descent *d, lw_graph *g, const char *name, lw_shape shape);

/* `rate_source` and `stop_source` say where these two defaults come from. */
#define DESCENT_PARAMS(batch, iterations, rate, rate_source, decay_every, tolerance, stop_source)            \
    {"batch", LW_PARAM_INT, "latents", batch,                                                                \
     1,       4096,         NULL,      "Latents in descent at a time, which share one loss."},               \
        {"iterations",                                                                                       \
         LW_PARAM_INT,                                                                                       \
         "steps",                                                                                            \
         iterations,                                                                                         \
         1,                                                                                                  \
         1000000,                                                                                            \
         NULL,                                                                                               \
         "Most steps of a batch (official code: " iterations ")."},                                          \
        {"learning_rate", LW_PARAM_FLOAT, NULL, rate, 0, 1e30, NULL, "Adam's rate (" rate_source ")."},      \
        {"decay_every",                                                                                      \
         LW_PARAM_INT,                                                                                       \
         "steps",                                                                                            \
         decay_every,                                                                                        \
         1,                                                                                                  \
         1000000,                                                                                            \
         NULL,                                                                                               \
         "The rate falls tenfold after so many steps (official code: " decay_every ")."},                    \
    {                                                                                                        \
        "tolerance", LW_PARAM_FLOAT, NULL, tolerance, 0, 1e30, NULL,                                         \
            "A batch is done when its loss changes by less in a step (" stop_source "); 0: after all steps." \
    }

#endif
