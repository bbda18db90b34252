/* immediate.c — see immediate.h. Failures end the program: this is for tests. */
#include "immediate.h"

#include <CL/cl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* These take the place of the library's own. */
#define EXPORTED __attribute__((visibility("default")))

enum { MAX_BUFFERS = 256, MAX_LAUNCHES = 64, MAX_PROGRAMS = 32, PAGE = 4096 };

typedef struct buffer {
    char *pages;
    size_t size; /* of the pages, the two untouchable ones included */
    float *data;
    size_t count;
    cl_mem mem;
} buffer;

typedef struct launch {
    cl_kernel kernel;
    size_t global[3], local[3];
    bool packs;
} launch;

typedef struct program {
    const char *source;
    char options[256];
    cl_program program;
} program;

struct lwi_lowering {
    lwi_target target;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    buffer buffer[MAX_BUFFERS]; /* 0 is none */
    launch launch[MAX_LAUNCHES];
    program program[MAX_PROGRAMS];
    int buffers, launches, programs;
};

static void must(bool ok, const char *what, cl_int code)
{
    if (!ok) {
        fprintf(stderr, "immediate: %s failed (%d)\n", what, code);
        abort();
    }
}

static bool find_cpu(cl_device_id *device)
{
    cl_platform_id platform[16];
    cl_uint platforms = 0, found = 0;
    if (clGetPlatformIDs(16, platform, &platforms) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; i < platforms && i < 16; i++)
        if (clGetDeviceIDs(platform[i], CL_DEVICE_TYPE_CPU, 1, device, &found) == CL_SUCCESS && found > 0)
            return true;
    return false;
}

lwi_lowering *immediate_open(lwi_target target)
{
    cl_device_id device;
    if (!find_cpu(&device))
        return NULL;
    lwi_lowering *l = calloc(1, sizeof *l);
    must(l, "allocation", 0);
    l->target = target, l->device = device, l->buffers = 1;
    cl_int code;
    l->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    must(code == CL_SUCCESS, "context", code);
    l->queue = clCreateCommandQueue(l->context, device, 0, &code);
    must(code == CL_SUCCESS, "queue", code);
    return l;
}

void immediate_reset(lwi_lowering *l)
{
    clFinish(l->queue);
    for (int i = 0; i < l->launches; i++)
        clReleaseKernel(l->launch[i].kernel);
    for (int i = 1; i < l->buffers; i++) {
        clReleaseMemObject(l->buffer[i].mem);
        munmap(l->buffer[i].pages, l->buffer[i].size);
    }
    l->launches = 0, l->buffers = 1;
}

void immediate_close(lwi_lowering *l)
{
    if (!l)
        return;
    immediate_reset(l);
    for (int i = 0; i < l->programs; i++)
        clReleaseProgram(l->program[i].program);
    clReleaseCommandQueue(l->queue);
    clReleaseContext(l->context);
    free(l);
}

lwi_buffer immediate_buffer(lwi_lowering *l, const float *data, size_t count)
{
    must(l->buffers < MAX_BUFFERS && count > 0, "buffer", 0);
    buffer *b = &l->buffer[l->buffers];
    const size_t inner = (count * sizeof(float) + PAGE - 1) / PAGE * PAGE;
    b->count = count, b->size = inner + 2 * PAGE;
    b->pages = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(b->pages != MAP_FAILED, "mmap", 0);
    float *first = (float *)(b->pages + PAGE);
    for (size_t i = 0; i < inner / sizeof(float); i++)
        first[i] = NAN;
    b->data = (float *)(b->pages + PAGE + inner) - count;
    if (data)
        memcpy(b->data, data, count * sizeof *data);
    mprotect(b->pages, PAGE, PROT_NONE);
    mprotect(b->pages + PAGE + inner, PAGE, PROT_NONE);
    cl_int code;
    b->mem = clCreateBuffer(l->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, count * sizeof(float),
                            b->data, &code);
    must(code == CL_SUCCESS, "buffer", code);
    return l->buffers++;
}

float *immediate_data(lwi_lowering *l, lwi_buffer id)
{
    cl_int code;
    clFinish(l->queue);
    void *data = clEnqueueMapBuffer(l->queue, l->buffer[id].mem, CL_TRUE, CL_MAP_READ, 0,
                                    l->buffer[id].count * sizeof(float), 0, NULL, NULL, &code);
    must(code == CL_SUCCESS && data == l->buffer[id].data, "map", code);
    clEnqueueUnmapMemObject(l->queue, l->buffer[id].mem, data, 0, NULL, NULL);
    clFinish(l->queue);
    return l->buffer[id].data;
}

bool immediate_guards_hold(lwi_lowering *l)
{
    clFinish(l->queue);
    for (int i = 1; i < l->buffers; i++)
        for (float *f = (float *)(l->buffer[i].pages + PAGE); f < l->buffer[i].data; f++)
            if (!isnan(*f))
                return false;
    return true;
}

static cl_program build(lwi_lowering *l, const char *source, const char *options)
{
    for (int i = 0; i < l->programs; i++)
        if (l->program[i].source == source && strcmp(l->program[i].options, options) == 0)
            return l->program[i].program;
    must(l->programs < MAX_PROGRAMS && strlen(options) < sizeof l->program->options, "program", 0);
    program *p = &l->program[l->programs++];
    cl_int code;
    p->source = source;
    memcpy(p->options, options, strlen(options) + 1);
    p->program = clCreateProgramWithSource(l->context, 1, &source, NULL, &code);
    must(code == CL_SUCCESS, "program", code);
    code = clBuildProgram(p->program, 1, &l->device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        static char text[20000];
        clGetProgramBuildInfo(p->program, l->device, CL_PROGRAM_BUILD_LOG, sizeof text, text, NULL);
        fprintf(stderr, "%s\n", text);
    }
    must(code == CL_SUCCESS, "build", code);
    return p->program;
}

EXPORTED lwi_buffer lwi_scratch(lwi_lowering *l, size_t count)
{
    return immediate_buffer(l, NULL, count);
}

EXPORTED const lwi_target *lwi_lowering_target(const lwi_lowering *l)
{
    return &l->target;
}

static void enqueue(lwi_lowering *l, const launch *r)
{
    const cl_int code =
        clEnqueueNDRangeKernel(l->queue, r->kernel, 3, NULL, r->global, r->local, 0, NULL, NULL);
    must(code == CL_SUCCESS, "enqueue", code);
}

EXPORTED void lwi_emit(lwi_lowering *l, const lwi_launch *launched)
{
    must(l->launches < MAX_LAUNCHES, "launch", 0);
    launch *r = &l->launch[l->launches++];
    cl_int code;
    r->kernel = clCreateKernel(build(l, launched->source, launched->options), launched->kernel, &code);
    must(code == CL_SUCCESS, launched->kernel, code);
    r->packs = strncmp(launched->kernel, "pack", 4) == 0;
    for (int i = 0; i < launched->arg_count; i++) {
        const lwi_arg *a = &launched->arg[i];
        if (a->kind == LWI_ARG_INT)
            code = clSetKernelArg(r->kernel, (cl_uint)i, sizeof a->i, &a->i);
        else if (a->kind == LWI_ARG_FLOAT)
            code = clSetKernelArg(r->kernel, (cl_uint)i, sizeof a->f, &a->f);
        else
            code = clSetKernelArg(r->kernel, (cl_uint)i, sizeof(cl_mem),
                                  a->buffer ? &l->buffer[a->buffer].mem : NULL);
        must(code == CL_SUCCESS, launched->kernel, code);
    }
    memcpy(r->global, launched->global, sizeof r->global);
    memcpy(r->local, launched->local, sizeof r->local);
    enqueue(l, r);
}

double immediate_replay(lwi_lowering *l, bool packs)
{
    struct timespec from, to;
    clFinish(l->queue);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < l->launches; i++)
        if (packs || !l->launch[i].packs)
            enqueue(l, &l->launch[i]);
    clFinish(l->queue);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}
