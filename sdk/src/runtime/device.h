/* device.h — an open OpenCL device, with the kernels built for it. Internal to the runtime. */
#ifndef LWI_DEVICE_H
#define LWI_DEVICE_H

#include "compile/lowered.h"
#include "runtime/clblast.h"

#include <CL/cl.h>
#include <pthread.h>

typedef struct lwi_built {
    const char *source; /* as lwi_source gave it */
    char *options;
    cl_program program;
} lwi_built;

/* Counted: programs and the tensors of stores that live on the device hold it open. */
struct lw_device {
    int references;
    bool none; /* computes nothing */
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    lwi_target target;
    const lwi_backend *backend;
    bool in_host_memory; /* buffers may lie on the host\'s own memory */
    size_t alignment;    /* of sub-buffers, in floats */
    uint64_t largest;    /* bytes one buffer may have */
    lw_device_info info;
    lwi_built *built; /* programs made of embedded files */
    int built_count;
    cl_mem arena;               /* working memory of all programs, which run one after the other */
    size_t arena_count;         /* floats */
    lwi_clblast_tuning clblast; /* in force */
    struct lw_program *programs;
    struct lwi_profile *profile; /* NULL: launches are not timed */
    pthread_t compiler;          /* of CLBlast's kernels, where compiles_ahead */
    bool compiles_ahead;
};

void lwi_device_retain(lw_device *device);
void lwi_device_release(lw_device *device);
/* The program for an embedded source, built at most once. */
lw_status lwi_device_program(lw_device *device, const char *source, const char *options, cl_program *program);
/* A program from generated source; the caller releases it. */
lw_status lwi_device_build(lw_device *device, const char *source, const char *options, cl_program *program);
/* LW_OK, or an error "cannot WHAT: CL_NAME". */
lw_status lwi_cl(cl_int code, const char *what);

#endif
