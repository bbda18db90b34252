/* program.h — a compiled graph: its buffers and prepared enqueues. Internal to the runtime. */
#ifndef LWI_PROGRAM_H
#define LWI_PROGRAM_H

#include "compile/compile.h"
#include "runtime/resident.h"

typedef struct lwi_enqueue {
    cl_kernel kernel; /* or a library call: */
    void **mem;
    size_t *offset;
    int row; /* of the profile, once one is taken */
} lwi_enqueue;

typedef struct lwi_memory_of {
    cl_mem mem;
    lwi_entry *entry; /* PARAMETER */
    uint64_t version; /* PARAMETER read by constant steps: as they last saw it */
    bool folded;      /* some constant step reads it */
    bool written;     /* INPUT: the host has given it */
} lwi_memory_of;

struct lw_program {
    lw_device *device;
    lwi_lowering *lowered;
    lwi_memory_of *memory; /* for each buffer */
    cl_mem arena;          /* the device's, as this program's buffers were cut from it; NULL: they are not */
    struct lw_program *next; /* of the same device */
    lwi_enqueue *enqueue;    /* for each step */
    cl_program generated;
    uint64_t seed, step, runs;
    bool folded; /* constant steps have run */
};

/* A program of the device with nothing in it yet; NULL without memory. */
lw_program *lwi_program_create(lw_device *device);
/* Makes buffers, kernels and arguments of a lowered program (prepare.c). */
lw_status lwi_prepare(lw_program *program);
/* Cuts the program's working buffers from the device's arena, if that is another one than before. */
lw_status lwi_bind_arena(lw_program *program);
/* Lets them go. */
void lwi_release_arena(lw_program *program);

#endif
