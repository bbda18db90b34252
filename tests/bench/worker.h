/* worker.h — a case of script/bench as Latentwalk runs it: programs that one repetition runs in turn. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <latentwalk/latentwalk.h>

#include "plugin/registry.h"

enum { BENCH_PROGRAMS = 2, BENCH_NAMES = 8 };

typedef struct bench_io {
    int program; /* -1: none, see bench_host_output */
    char name[32];
    lw_tensor *tensor;
} bench_io;

typedef struct bench {
    lw_device *device;
    lwi_registry *registry;
    lw_model *model;    /* NULL: the case needs none */
    lw_store *weights;  /* of what is no model */
    lw_store *state[2]; /* of optimisers */
    lw_program *program[BENCH_PROGRAMS];
    int programs;
    bench_io input[BENCH_NAMES], output[BENCH_NAMES];
    int inputs, outputs;
    bool reads; /* a repetition reads its outputs, as whoever wants an image does; else one wait at the end */
    int checks; /* repetitions whose outputs are compared; 0 means 1 */
    void (*after)(struct bench *b); /* what a repetition does on the host with the outputs read, or NULL */
} bench;

/* Ends the program with the SDK's error unless `status` is LW_OK. */
void bench_must(lw_status status);

/* b->model from "stylegan2-256": random weights, those that start constant moved, so that biases, noise and
 * batch statistics count in the comparison. False where there is no such model. */
bool bench_open_model(bench *b, const char *name);

/* An input of the program being built: normal numbers of its name's stream, times `scale`, written once. */
lw_value bench_input(bench *b, lw_graph *g, const char *name, lw_shape shape, double scale);
/* An output that is compared. */
void bench_output(bench *b, lw_graph *g, const char *name, lw_value value);
/* The same for what b->after writes. */
void bench_host_output(bench *b, const char *name, lw_shape shape);
/* Adds the graph to the repetition's programs and destroys it. */
void bench_compile(bench *b, lw_graph *g);

/* Builds the case; false where this file knows none of that name. */
bool bench_build_product(bench *b, const char *name);  /* products.c: matrix products and convolutions */
bool bench_build_image(bench *b, const char *name);    /* images.c: forward, gradients, Jacobian */
bool bench_build_training(bench *b, const char *name); /* training.c */

#endif
