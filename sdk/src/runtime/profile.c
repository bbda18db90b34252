/* profile.c — collecting the times of launches, and measuring the device's peaks; see profile.h. */
#include "runtime/profile.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PENDING = 4096, PEAK_TRIES = 20, FMA_ROUNDS = 1 << 14, COPY_VECTORS = 1 << 20 };

static bool grow(void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int larger = *capacity ? 2 * *capacity : 64;
    void *grown = lw_resize(*array, (size_t)larger, size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = larger;
    return true;
}

lw_status lwi_profile_start(lw_device *device)
{
    if (device->none)
        return lw_fail(LW_INVALID, "the device 'none' runs nothing that could be profiled");
    lwi_profile *p = lw_alloc(1, sizeof *p);
    if (!p)
        return LW_MEMORY;
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) {
        lw_free(p);
        return lwi_cl(code, "open a queue that keeps times");
    }
    clReleaseCommandQueue(device->queue);
    device->queue = queue;
    device->profile = p;
    return LW_OK;
}

void lwi_profile_destroy(lwi_profile *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->section_count; i++)
        lw_free(p->section[i].name);
    for (int i = 0; i < p->row_count; i++) {
        lw_free(p->row[i].kernel);
        lw_free(p->row[i].label);
    }
    for (int i = 0; i < p->pending_count; i++) {
        if (p->pending[i].before)
            clReleaseEvent(p->pending[i].before);
        clReleaseEvent(p->pending[i].event);
    }
    lw_free(p->section);
    lw_free(p->row);
    lw_free(p->launch);
    lw_free(p->pending);
    lw_free(p);
}

/* --- sums ---------------------------------------------------------------------------------------- */
static void add_launch(lwi_profile *p, const lwi_profile_launch *launch)
{
    lwi_profile_row *row = &p->row[launch->row];
    double seconds = 1e-9 * (double)(launch->end - launch->start);
    row->fastest = row->calls ? fmin(row->fastest, seconds) : seconds;
    row->seconds += seconds;
    row->calls++;
    if (p->launch_count < LWI_TRACE_MOST &&
        grow((void **)&p->launch, p->launch_count, &p->launch_capacity, sizeof *p->launch))
        p->launch[p->launch_count++] = *launch;
    else
        p->left_out++;
}

/* Waits for what is pending and adds it up. */
static lw_status collect(lw_device *device)
{
    lwi_profile *p = device->profile;
    LW_TRY(lwi_cl(clFinish(device->queue), "wait for the device"));
    cl_int code = CL_SUCCESS;
    for (int i = 0; i < p->pending_count; i++) {
        lwi_profile_pending *one = &p->pending[i];
        cl_ulong start = 0, end = 0;
        cl_event from = one->before ? one->before : one->event;
        cl_profiling_info begun = one->before ? CL_PROFILING_COMMAND_END : CL_PROFILING_COMMAND_START;
        cl_profiling_info ended = one->before ? CL_PROFILING_COMMAND_START : CL_PROFILING_COMMAND_END;
        cl_int first = clGetEventProfilingInfo(from, begun, sizeof start, &start, NULL);
        cl_int second = clGetEventProfilingInfo(one->event, ended, sizeof end, &end, NULL);
        code = code != CL_SUCCESS ? code : first != CL_SUCCESS ? first : second;
        if (first == CL_SUCCESS && second == CL_SUCCESS && end >= start)
            add_launch(p, &(lwi_profile_launch){one->row, start, end});
        if (one->before)
            clReleaseEvent(one->before);
        clReleaseEvent(one->event);
    }
    p->pending_count = 0;
    return lwi_cl(code, "read the times of kernels");
}

lw_status lwi_profile_begin(lw_device *device, const char *name)
{
    lwi_profile *p = device->profile;
    LW_TRY(collect(device));
    double time = lwi_clock();
    if (p->section_count)
        p->section[p->section_count - 1].seconds = time - p->section[p->section_count - 1].began;
    char *copy = lw_strdup(name);
    if (!copy || !grow((void **)&p->section, p->section_count, &p->section_capacity, sizeof *p->section)) {
        lw_free(copy);
        return LW_MEMORY;
    }
    p->section[p->section_count++] = (lwi_profile_section){.name = copy, .began = time};
    return LW_OK;
}

/* --- rows ---------------------------------------------------------------------------------------- */
/* Each buffer counted once, as if it were read or written as a whole. */
static double bytes_of(const lwi_lowering *l, const lwi_launch *launch)
{
    double bytes = 0;
    for (int a = 0; a < launch->arg_count; a++) {
        const lwi_arg *arg = &launch->arg[a];
        bool seen = (arg->kind != LWI_ARG_READ && arg->kind != LWI_ARG_WRITE) || !arg->buffer;
        for (int b = 0; b < a && !seen; b++)
            seen = launch->arg[b].kind == arg->kind && launch->arg[b].buffer == arg->buffer;
        if (!seen)
            bytes += (double)l->buffer[arg->buffer].count * sizeof(float);
    }
    return bytes;
}

lw_status lwi_profile_row_of(lw_device *device, const lwi_lowering *l, int step, int *row)
{
    lwi_profile *p = device->profile;
    if (!p->section_count)
        LW_TRY(lwi_profile_begin(device, ""));
    const lwi_step *s = &l->step[step];
    const char *kernel = s->call ? l->backend->name : s->launch.kernel, *label = s->label ? s->label : "";
    int section = p->section_count - 1;
    if (*row < p->row_count && p->row[*row].section == section && strcmp(p->row[*row].kernel, kernel) == 0 &&
        strcmp(p->row[*row].label, label) == 0)
        return LW_OK;
    for (*row = 0; *row < p->row_count; ++*row)
        if (p->row[*row].section == section && strcmp(p->row[*row].kernel, kernel) == 0 &&
            strcmp(p->row[*row].label, label) == 0)
            return LW_OK;
    lwi_profile_row new = {.section = section,
                           .kernel = lw_strdup(kernel),
                           .label = lw_strdup(label),
                           .flops = s->launch.flops,
                           .bytes = bytes_of(l, &s->launch)};
    if (!new.kernel || !new.label ||
        !grow((void **)&p->row, p->row_count, &p->row_capacity, sizeof *p->row)) {
        lw_free(new.kernel);
        lw_free(new.label);
        return LW_MEMORY;
    }
    p->row[p->row_count++] = new;
    return LW_OK;
}

lw_status lwi_profile_add(lw_device *device, int row, cl_event before, cl_event event)
{
    lwi_profile *p = device->profile;
    if (!grow((void **)&p->pending, p->pending_count, &p->pending_capacity, sizeof *p->pending)) {
        if (before)
            clReleaseEvent(before);
        clReleaseEvent(event);
        return LW_MEMORY;
    }
    p->pending[p->pending_count++] = (lwi_profile_pending){row, before, event};
    return p->pending_count < MOST_PENDING ? LW_OK : collect(device);
}

/* --- peaks --------------------------------------------------------------------------------------- */
/* Seconds of the fastest of a few launches of a kernel whose arguments are set. */
static lw_status fastest(lw_device *device, cl_kernel kernel, size_t items, size_t group, double *seconds)
{
    *seconds = INFINITY;
    for (int i = 0; i < PEAK_TRIES; i++) {
        cl_event event;
        cl_ulong start = 0, end = 0;
        LW_TRY(lwi_cl(clEnqueueNDRangeKernel(device->queue, kernel, 1, NULL, &items, &group, 0, NULL, &event),
                      "measure the device"));
        cl_int code = clWaitForEvents(1, &event);
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        clReleaseEvent(event);
        LW_TRY(lwi_cl(code, "measure the device"));
        if (end > start)
            *seconds = fmin(*seconds, 1e-9 * (double)(end - start));
    }
    return LW_OK;
}

/* On a CPU one item a core's share, in one run; elsewhere many items, neighbours side by side. */
static lw_status measure_fma(lw_device *device, cl_kernel kernel, cl_mem y, int width, double *peak)
{
    bool cpu = device->target.is_cpu;
    size_t group = cpu ? 1 : 64, items = (size_t)device->target.units * (cpu ? 8 : 64 * 32);
    cl_float a = 0.999f, b = 0.001f;
    cl_int rounds = cpu ? FMA_ROUNDS : FMA_ROUNDS / 16;
    double seconds;
    clSetKernelArg(kernel, 0, sizeof y, &y);
    clSetKernelArg(kernel, 1, sizeof a, &a);
    clSetKernelArg(kernel, 2, sizeof b, &b);
    LW_TRY(lwi_cl(clSetKernelArg(kernel, 3, sizeof rounds, &rounds), "measure the device"));
    LW_TRY(fastest(device, kernel, items, group, &seconds));
    *peak = 32.0 * width * rounds * (double)items / seconds;
    return LW_OK;
}

static lw_status measure_copy(lw_device *device, cl_kernel kernel, cl_mem y, cl_mem x, int width,
                              double *peak)
{
    bool cpu = device->target.is_cpu;
    size_t group = cpu ? 1 : 64, items = cpu ? 64 : COPY_VECTORS / 16;
    cl_int run = (cl_int)(COPY_VECTORS / items), item = cpu ? run : 1, step = cpu ? 1 : (cl_int)items;
    double seconds;
    clSetKernelArg(kernel, 0, sizeof y, &y);
    clSetKernelArg(kernel, 1, sizeof x, &x);
    clSetKernelArg(kernel, 2, sizeof run, &run);
    clSetKernelArg(kernel, 3, sizeof item, &item);
    LW_TRY(lwi_cl(clSetKernelArg(kernel, 4, sizeof step, &step), "measure the device"));
    LW_TRY(fastest(device, kernel, items, group, &seconds));
    *peak = 2.0 * COPY_VECTORS * width * sizeof(float) / seconds;
    return LW_OK;
}

static lw_status measure_peaks(lw_device *device)
{
    lwi_profile *p = device->profile;
    int wide = device->target.vector_width;
    int width = wide >= 16 ? 16 : wide >= 8 ? 8 : 4; /* vectors of 4 also load best on GPUs */
    char options[32];
    snprintf(options, sizeof options, "-DVW=%d", width);
    cl_program program;
    cl_int code;
    LW_TRY(lwi_device_program(device, lwi_source("peak"), options, &program));
    size_t size = (size_t)COPY_VECTORS * (size_t)width * sizeof(float);
    cl_kernel fma = clCreateKernel(program, "peak_fma", &code), copy = NULL;
    cl_mem x = NULL, y = NULL;
    if (code == CL_SUCCESS)
        copy = clCreateKernel(program, "peak_copy", &code);
    if (code == CL_SUCCESS)
        x = clCreateBuffer(device->context, CL_MEM_READ_WRITE, size, NULL, &code);
    if (code == CL_SUCCESS)
        y = clCreateBuffer(device->context, CL_MEM_READ_WRITE, size, NULL, &code);
    lw_status status = lwi_cl(code, "measure the device");
    if (status == LW_OK)
        status = measure_fma(device, fma, y, width, &p->peak_flops);
    if (status == LW_OK)
        status = measure_copy(device, copy, y, x, width, &p->peak_bytes);
    if (x)
        clReleaseMemObject(x);
    if (y)
        clReleaseMemObject(y);
    if (copy)
        clReleaseKernel(copy);
    if (fma)
        clReleaseKernel(fma);
    return status;
}

lw_status lwi_profile_finish(lw_device *device, const lwi_profile **profile)
{
    lwi_profile *p = device->profile;
    LW_TRY(collect(device));
    if (p->section_count) {
        lwi_profile_section *last = &p->section[p->section_count - 1];
        last->seconds = lwi_clock() - last->began;
    }
    LW_TRY(measure_peaks(device));
    *profile = p;
    return LW_OK;
}
