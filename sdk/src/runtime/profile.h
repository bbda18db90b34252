/* profile.h — what each kernel costs: times from OpenCL's events, taken only where a device was asked to.
 * Internal; the host writes the table and the trace. */
#ifndef LWI_PROFILE_H
#define LWI_PROFILE_H

#include "compile/compile.h"
#include "runtime/device.h"

enum { LWI_TRACE_MOST = 100000 }; /* launches kept one by one; sums count all of them */

/* All launches of one kernel for one node of a graph, within one section. */
typedef struct lwi_profile_row {
    int section;
    char *kernel, *label; /* "dense_rows", "conv2d main.conv1 [64,256,16,16]" */
    uint64_t calls;
    double seconds, fastest; /* of all calls, of the fastest: what the machine can when nothing disturbs it */
    double flops, bytes; /* of one call; flops of dense algebra only, bytes as if each buffer moved once */
} lwi_profile_row;

/* A part of the run with a name: a pipeline's step. */
typedef struct lwi_profile_section {
    char *name;
    double seconds, began; /* on the wall, compiling included; by lwi_profile's clock */
} lwi_profile_section;

typedef struct lwi_profile_launch {
    int row;
    uint64_t start, end; /* ns on the device's clock */
} lwi_profile_launch;

typedef struct lwi_profile_pending {
    int row;
    cl_event before, event; /* of a library call: markers around it; else `before` is NULL */
} lwi_profile_pending;

typedef struct lwi_profile {
    lwi_profile_section *section;
    int section_count, section_capacity;
    lwi_profile_row *row;
    int row_count, row_capacity;
    lwi_profile_launch *launch;
    int launch_count, launch_capacity;
    uint64_t left_out; /* launches beyond LWI_TRACE_MOST */
    lwi_profile_pending *pending;
    int pending_count, pending_capacity;
    double peak_flops, peak_bytes; /* per second; by lwi_profile_finish */
} lwi_profile;

/* From now on launches are timed. Right after the device was opened, before anything is compiled for it. */
lw_status lwi_profile_start(lw_device *device);
/* What follows belongs to the section `name`. */
lw_status lwi_profile_begin(lw_device *device, const char *name);
/* Waits, adds up what is pending, measures the device's peaks. The profile is the device's. */
lw_status lwi_profile_finish(lw_device *device, const lwi_profile **profile);

/* --- for the runtime ---------------------------------------------------------------------------- */
/* The row of a launch in the current section; `*row` is kept with the enqueue and found again. */
lw_status lwi_profile_row_of(lw_device *device, const lwi_lowering *lowered, int step, int *row);
/* Hands over the events of a launch of `row`. */
lw_status lwi_profile_add(lw_device *device, int row, cl_event before, cl_event event);
void lwi_profile_destroy(lwi_profile *profile);

#endif
