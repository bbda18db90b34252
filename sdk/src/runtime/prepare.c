/* prepare.c — from the lowered program to OpenCL objects: buffers, kernels with their arguments set. */
#include "runtime/program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Asks for large pages under a buffer that lies in the host's memory: finding small ones costs time where
 * much is read once, such as packed filters. */
static lw_status use_large_pages(lw_device *device, cl_mem mem, size_t size)
{
    const size_t page = 2 << 20;
    cl_int code;
    if (!device->in_host_memory || size < 2 * page)
        return LW_OK;
    void *data = clEnqueueMapBuffer(device->queue, mem, CL_TRUE, CL_MAP_READ, 0, size, 0, NULL, NULL, &code);
    LW_TRY(lwi_cl(code, "map a buffer"));
    const uintptr_t first = ((uintptr_t)data + page - 1) / page * page,
                    end = ((uintptr_t)data + size) / page * page;
    (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
    return lwi_cl(clEnqueueUnmapMemObject(device->queue, mem, data, 0, NULL, NULL), "unmap a buffer");
}

static lw_status create_buffer(lw_device *device, size_t count, const float *data, cl_mem *mem)
{
    cl_int code;
    uint64_t size = (uint64_t)count * sizeof(float);
    if (size > device->largest)
        return lw_fail(LW_MEMORY,
                       "a buffer of %.2f GB is needed, but %s allows %.2f GB in one piece; smaller batches "
                       "need less",
                       (double)size / 1e9, device->info.name, (double)device->largest / 1e9);
    cl_mem_flags flags = CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : 0);
    *mem = clCreateBuffer(device->context, flags, (size_t)size, (void *)(uintptr_t)data, &code);
    LW_TRY(lwi_cl(code, "create a buffer"));
    return use_large_pages(device, *mem, (size_t)size);
}

static lw_status create_memory(lw_program *p, lwi_buffer b)
{
    lwi_lowering *l = p->lowered;
    lwi_buffer_info *info = &l->buffer[b];
    lwi_memory_of *memory = &p->memory[b];
    if (info->memory == LWI_MEMORY_PARAMETER) {
        LW_TRY(lwi_make_resident(p->device, info->store, info->name, &memory->entry));
        if (info->assigned)
            memory->entry->written_by_programs = true;
        memory->mem = memory->entry->device_buffer;
        return memory->mem ? lwi_cl(clRetainMemObject(memory->mem), "hold a parameter") : LW_OK;
    }
    if (p->device->none)
        return LW_OK;
    return info->memory == LWI_MEMORY_ARENA ? LW_OK
                                            : create_buffer(p->device, info->count, info->data, &memory->mem);
}

static lw_status create_all_memory(lw_program *p)
{
    lwi_lowering *l = p->lowered;
    p->memory = lw_alloc((size_t)l->buffer_count + 1, sizeof *p->memory);
    if (!p->memory)
        return LW_MEMORY;
    for (lwi_buffer b = 1; b < l->buffer_count; b++)
        LW_TRY(create_memory(p, b));
    for (int s = 0; s < l->step_count; s++)
        for (int a = 0; l->step[s].constant && a < l->step[s].launch.arg_count; a++)
            if (l->step[s].launch.arg[a].kind == LWI_ARG_READ)
                p->memory[l->step[s].launch.arg[a].buffer].folded = true;
    return LW_OK;
}

static int compare_sources(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All generated kernels in one source, equal ones once, in an order that does not depend on the graph's. */
static lw_status build_generated(lw_program *p)
{
    lwi_lowering *l = p->lowered;
    const char **source = lw_alloc((size_t)l->step_count + 1, sizeof *source);
    if (!source)
        return LW_MEMORY;
    size_t count = 0;
    for (int s = 0; s < l->step_count; s++)
        if (l->step[s].launch.generated)
            source[count++] = l->step[s].launch.source;
    qsort(source, count, sizeof *source, compare_sources);
    lwi_text text = {0};
    lwi_print(&text, "%s", lwi_source("generated"));
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(source[i], source[i - 1]) != 0)
            lwi_print(&text, "\n%s", source[i]);
    lw_status status = text.failed ? LW_MEMORY
                       : count     ? lwi_device_build(p->device, text.data, "", &p->generated)
                                   : LW_OK;
    lw_free(source);
    lw_free(text.data);
    return status;
}

static lw_status set_argument(lw_program *p, cl_kernel kernel, int index, const lwi_arg *arg)
{
    static const cl_uint nothing[8] = {0};
    cl_mem mem = p->memory[arg->buffer].mem;
    switch (arg->kind) {
    case LWI_ARG_READ:
    case LWI_ARG_WRITE:
        return lwi_cl(clSetKernelArg(kernel, (cl_uint)index, sizeof mem, arg->buffer ? &mem : NULL),
                      "set a buffer");
    case LWI_ARG_INT:
        return lwi_cl(clSetKernelArg(kernel, (cl_uint)index, sizeof arg->i, &arg->i), "set a number");
    case LWI_ARG_FLOAT:
        return lwi_cl(clSetKernelArg(kernel, (cl_uint)index, sizeof arg->f, &arg->f), "set a number");
    default: return lwi_cl(clSetKernelArg(kernel, (cl_uint)index, sizeof nothing, nothing), "set a stream");
    }
}

/* --- the arena ---------------------------------------------------------------------------------- */
static bool in_arena(const lw_program *p, lwi_buffer b)
{
    return p->lowered->buffer[b].memory == LWI_MEMORY_ARENA && p->lowered->buffer[b].first != -1; /* used */
}

void lwi_release_arena(lw_program *p)
{
    if (!p->arena)
        return;
    for (lwi_buffer b = 1; b < p->lowered->buffer_count; b++)
        if (in_arena(p, b) && p->memory[b].mem) {
            clReleaseMemObject(p->memory[b].mem);
            p->memory[b].mem = NULL;
        }
    clReleaseMemObject(p->arena);
    p->arena = NULL;
}

/* The device's arena grows to what the largest program needs; the smaller one is not kept beside it. */
static lw_status grow_arena(lw_device *device, size_t count)
{
    if (count <= device->arena_count)
        return LW_OK;
    LW_TRY(lwi_cl(clFinish(device->queue), "wait for the device"));
    for (lw_program *p = device->programs; p; p = p->next)
        lwi_release_arena(p);
    if (device->arena)
        clReleaseMemObject(device->arena);
    device->arena = NULL;
    device->arena_count = 0;
    LW_TRY(create_buffer(device, count, NULL, &device->arena));
    device->arena_count = count;
    return LW_OK;
}

static lw_status cut_arena(lw_program *p)
{
    LW_TRY(grow_arena(p->device, p->lowered->arena_count));
    if (!p->device->arena)
        return LW_OK;
    LW_TRY(lwi_cl(clRetainMemObject(p->device->arena), "hold the arena"));
    p->arena = p->device->arena;
    for (lwi_buffer b = 1; b < p->lowered->buffer_count; b++) {
        if (!in_arena(p, b))
            continue;
        const lwi_buffer_info *info = &p->lowered->buffer[b];
        cl_int code;
        cl_buffer_region region = {info->offset * sizeof(float), info->count * sizeof(float)};
        p->memory[b].mem =
            clCreateSubBuffer(p->arena, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        LW_TRY(lwi_cl(code, "create a part of the arena"));
    }
    return LW_OK;
}

lw_status lwi_bind_arena(lw_program *p)
{
    if (p->device->none || p->lowered->arena_count == 0 || (p->arena && p->arena == p->device->arena))
        return LW_OK;
    lwi_release_arena(p);
    LW_TRY(cut_arena(p));
    for (int s = 0; s < p->lowered->step_count; s++) {
        const lwi_step *step = &p->lowered->step[s];
        for (int a = 0; a < step->launch.arg_count; a++) {
            const lwi_arg *arg = &step->launch.arg[a];
            if ((arg->kind != LWI_ARG_READ && arg->kind != LWI_ARG_WRITE) || !in_arena(p, arg->buffer))
                continue;
            if (step->call)
                p->enqueue[s].mem[a] = p->memory[arg->buffer].mem;
            else
                LW_TRY(set_argument(p, p->enqueue[s].kernel, a, arg));
        }
    }
    return LW_OK;
}

/* --- kernels -------------------------------------------------------------------------------------- */
static lw_status prepare_call(lw_program *p, const lwi_step *step, lwi_enqueue *enqueue)
{
    size_t count = (size_t)step->launch.arg_count;
    enqueue->mem = lw_alloc(count + 1, sizeof *enqueue->mem);
    enqueue->offset = lw_alloc(count + 1, sizeof *enqueue->offset);
    if (!enqueue->mem || !enqueue->offset)
        return LW_MEMORY;
    for (size_t a = 0; a < count; a++)
        enqueue->mem[a] = p->memory[step->launch.arg[a].buffer].mem;
    return LW_OK;
}

static lw_status prepare_step(lw_program *p, int s)
{
    const lwi_step *step = &p->lowered->step[s];
    if (step->call)
        return prepare_call(p, step, &p->enqueue[s]);
    cl_program program = p->generated;
    if (!step->launch.generated)
        LW_TRY(lwi_device_program(p->device, step->launch.source, step->launch.options, &program));
    cl_int code;
    p->enqueue[s].kernel = clCreateKernel(program, step->launch.kernel, &code);
    if (lwi_cl(code, "create a kernel") != LW_OK)
        return lw_wrap("kernel '%s'", step->launch.kernel);
    for (int a = 0; a < step->launch.arg_count; a++)
        if (set_argument(p, p->enqueue[s].kernel, a, &step->launch.arg[a]) != LW_OK)
            return lw_wrap("argument %d of kernel '%s'", a, step->launch.kernel);
    return LW_OK;
}

static lw_status prepare_kernels(lw_program *p)
{
    LW_TRY(build_generated(p));
    for (int s = 0; s < p->lowered->step_count; s++)
        LW_TRY(prepare_step(p, s));
    return LW_OK;
}

/* On a thread of its own, while kernels are built: takes from their files what the first run will want. What
 * cannot be read is told then. */
static void *read_ahead(void *program)
{
    const lw_program *p = program;
    for (lwi_buffer b = 1; b < p->lowered->buffer_count; b++) {
        lwi_entry *entry = p->memory[b].entry;
        if (entry && entry->origin && lwi_entry_refresh(entry) != LW_OK)
            break;
    }
    return NULL;
}

lw_status lwi_prepare(lw_program *p)
{
    LW_TRY(create_all_memory(p));
    if (p->device->none)
        return LW_OK;
    p->enqueue = lw_alloc((size_t)p->lowered->step_count + 1, sizeof *p->enqueue);
    if (!p->enqueue)
        return LW_MEMORY;
    LW_TRY(cut_arena(p));
    pthread_t reader;
    const bool reads = pthread_create(&reader, NULL, read_ahead, p) == 0;
    const lw_status status = prepare_kernels(p);
    if (reads)
        pthread_join(reader, NULL);
    return status;
}
