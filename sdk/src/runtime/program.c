/* program.c — compiling, feeding, running and reading programs. */
#include "runtime/program.h"
#include "latentwalk/program.h"
#include "runtime/profile.h"

#include <string.h>

lw_program *lwi_program_create(lw_device *device)
{
    lw_program *p = lw_alloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->device = device;
    p->next = device->programs;
    device->programs = p;
    lwi_device_retain(device);
    return p;
}

lw_program *lw_compile(lw_graph *graph, lw_device *device)
{
    if (!graph || !device) {
        lw_fail(LW_INVALID, "lw_compile needs a graph and a device");
        return NULL;
    }
    if (lw_graph_status(graph) != LW_OK)
        return NULL;
    lw_program *p = lwi_program_create(device);
    if (!p)
        return NULL;
    p->lowered = lwi_lower(graph, &device->target, device->backend, device->alignment);
    if (!p->lowered || lwi_prepare(p) != LW_OK) {
        lw_wrap("cannot compile the graph");
        lw_program_destroy(p);
        return NULL;
    }
    return p;
}

void lw_program_destroy(lw_program *p)
{
    if (!p)
        return;
    if (!p->device->none)
        clFinish(p->device->queue);
    int steps = p->lowered && p->enqueue ? p->lowered->step_count : 0;
    for (int s = 0; s < steps; s++) {
        if (p->enqueue[s].kernel)
            clReleaseKernel(p->enqueue[s].kernel);
        lw_free(p->enqueue[s].mem);
        lw_free(p->enqueue[s].offset);
    }
    lwi_release_arena(p);
    int buffers = p->lowered && p->memory ? p->lowered->buffer_count : 0;
    for (int b = 0; b < buffers; b++)
        if (p->memory[b].mem)
            clReleaseMemObject(p->memory[b].mem);
    lw_program **link = &p->device->programs;
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    if (p->generated)
        clReleaseProgram(p->generated);
    lw_free(p->enqueue);
    lw_free(p->memory);
    lwi_lowering_destroy(p->lowered);
    lwi_device_release(p->device);
    lw_free(p);
}

/* The names of all inputs or outputs, for messages. */
static char *names(const lw_program *p, bool inputs)
{
    lwi_text text = {0};
    const lwi_lowering *l = p->lowered;
    for (int b = 1; inputs && b < l->buffer_count; b++)
        if (l->buffer[b].memory == LWI_MEMORY_INPUT)
            lwi_print(&text, "%s'%s'", text.length ? ", " : "", l->buffer[b].name);
    for (int i = 0; !inputs && i < l->output_count; i++)
        lwi_print(&text, "%s'%s'", text.length ? ", " : "", l->output[i].name);
    return text.data ? text.data : lw_strdup("none");
}

static lw_status unknown(const lw_program *p, const char *what, const char *name, bool inputs)
{
    char *list = names(p, inputs);
    lw_fail(LW_NOT_FOUND, "this program has no %s '%s' that its results need; it has: %s", what, name,
            list ? list : "");
    lw_free(list);
    return LW_NOT_FOUND;
}

lw_status lw_program_write(lw_program *p, const char *input, const float *data, size_t count)
{
    lwi_lowering *l = p->lowered;
    for (lwi_buffer b = 1; b < l->buffer_count; b++) {
        if (l->buffer[b].memory != LWI_MEMORY_INPUT || strcmp(l->buffer[b].name, input) != 0)
            continue;
        if (count != l->buffer[b].count)
            return lw_fail(LW_SHAPE, "input '%s' holds %zu floats, not %zu", input, l->buffer[b].count,
                           count);
        p->memory[b].written = true;
        if (p->device->none)
            return LW_OK;
        return lwi_cl(clEnqueueWriteBuffer(p->device->queue, p->memory[b].mem, CL_TRUE, 0,
                                           count * sizeof(float), data, 0, NULL, NULL),
                      "write an input");
    }
    return unknown(p, "input", input, true);
}

lw_status lw_program_seed(lw_program *p, uint64_t seed, uint64_t step)
{
    p->seed = seed;
    p->step = step;
    return LW_OK;
}

/* Seed, step and purpose of each random kernel; an enqueue keeps the arguments it was made with. */
static lw_status set_streams(lw_program *p, int s)
{
    const lwi_launch *launch = &p->lowered->step[s].launch;
    for (int a = 0; a < launch->arg_count; a++) {
        if (launch->arg[a].kind != LWI_ARG_STREAM)
            continue;
        const cl_uint stream[8] = {(cl_uint)p->seed, (cl_uint)(p->seed >> 32), (cl_uint)p->step,
                                   (cl_uint)(p->step >> 32), (cl_uint)launch->arg[a].i};
        LW_TRY(
            lwi_cl(clSetKernelArg(p->enqueue[s].kernel, (cl_uint)a, sizeof stream, stream), "set a stream"));
    }
    return LW_OK;
}

/* `event` may be NULL; a library call gives none. */
static lw_status enqueue(lw_program *p, int s, cl_event *event)
{
    const lwi_step *step = &p->lowered->step[s];
    if (step->call)
        return step->call(step->context, p->device->queue, p->enqueue[s].mem, p->enqueue[s].offset);
    LW_TRY(set_streams(p, s));
    cl_int code = clEnqueueNDRangeKernel(p->device->queue, p->enqueue[s].kernel, 3, NULL, step->launch.global,
                                         step->launch.local, 0, NULL, event);
    if (lwi_cl(code, "enqueue") == LW_OK)
        return LW_OK;
    return lw_wrap("kernel '%s'", step->launch.kernel);
}

/* The same, with the events that tell its time; a library call lies between two markers. */
static lw_status enqueue_timed(lw_program *p, int s)
{
    cl_command_queue queue = p->device->queue;
    bool call = p->lowered->step[s].call != NULL;
    cl_event before = NULL, event = NULL;
    LW_TRY(lwi_profile_row_of(p->device, p->lowered, s, &p->enqueue[s].row));
    lw_status status = LW_OK;
    if (call)
        status = lwi_cl(clEnqueueMarkerWithWaitList(queue, 0, NULL, &before), "mark a time");
    if (status == LW_OK)
        status = enqueue(p, s, call ? NULL : &event);
    if (status == LW_OK && call)
        status = lwi_cl(clEnqueueMarkerWithWaitList(queue, 0, NULL, &event), "mark a time");
    if (status == LW_OK)
        return lwi_profile_add(p->device, p->enqueue[s].row, before, event);
    if (before)
        clReleaseEvent(before);
    return status;
}

/* Brings parameters to the device, and has constant steps run again where one of theirs changed. */
static lw_status refresh(lw_program *p)
{
    lwi_lowering *l = p->lowered;
    for (lwi_buffer b = 1; b < l->buffer_count; b++) {
        lwi_memory_of *memory = &p->memory[b];
        if (l->buffer[b].memory == LWI_MEMORY_INPUT && !memory->written)
            return lw_fail(
                LW_INVALID,
                "input '%s' was never written; write it with lw_program_write before the first run",
                l->buffer[b].name);
        if (!memory->entry)
            continue;
        if (memory->entry->device != p->device || memory->entry->device_buffer != memory->mem)
            return lw_fail(LW_INVALID,
                           "parameter '%s' has moved to another device since this program was compiled",
                           l->buffer[b].name);
        LW_TRY(lwi_upload(memory->entry));
        if (memory->folded && memory->version != memory->entry->version)
            p->folded = false;
        memory->version = memory->entry->version;
    }
    return LW_OK;
}

lw_status lw_program_run(lw_program *p)
{
    lwi_lowering *l = p->lowered;
    LW_TRY(refresh(p));
    LW_TRY(lwi_bind_arena(p));
    for (int s = 0; s < l->step_count && !p->device->none; s++)
        if (!l->step[s].constant || !p->folded)
            LW_TRY(p->device->profile ? enqueue_timed(p, s) : enqueue(p, s, NULL));
    p->folded = true;
    for (lwi_buffer b = 1; b < l->buffer_count; b++)
        if (l->buffer[b].assigned) {
            p->memory[b].entry->version++;
            p->memory[b].entry->host_stale = !p->device->none;
        }
    p->runs++;
    return p->device->none ? LW_OK : lwi_cl(clFlush(p->device->queue), "start the enqueued work");
}

static const lwi_output *find_output(const lw_program *p, const char *name)
{
    for (int i = 0; i < p->lowered->output_count; i++)
        if (strcmp(p->lowered->output[i].name, name) == 0)
            return &p->lowered->output[i];
    return NULL;
}

lw_status lw_program_read(lw_program *p, const char *name, float *data, size_t count)
{
    const lwi_output *output = find_output(p, name);
    if (!output)
        return unknown(p, "output", name, false);
    size_t has = (size_t)lw_shape_count(output->shape);
    if (count != has)
        return lw_fail(LW_SHAPE, "output '%s' holds %zu floats, not %zu", name, has, count);
    if (p->runs == 0)
        return lw_fail(LW_INVALID, "output '%s' was read before the program ran", name);
    if (p->device->none) {
        memset(data, 0, count * sizeof *data);
        return LW_OK;
    }
    return lwi_cl(clEnqueueReadBuffer(p->device->queue, p->memory[output->buffer].mem, CL_TRUE, 0,
                                      count * sizeof(float), data, 0, NULL, NULL),
                  "read an output");
}

lw_tensor *lw_program_read_tensor(lw_program *p, const char *name)
{
    const lwi_output *output = find_output(p, name);
    if (!output) {
        unknown(p, "output", name, false);
        return NULL;
    }
    lw_tensor *tensor = lwi_tensor_create_unset(output->shape);
    if (tensor && lw_program_read(p, name, tensor->data, (size_t)lw_shape_count(output->shape)) != LW_OK) {
        lw_tensor_destroy(tensor);
        return NULL;
    }
    return tensor;
}

lw_status lw_program_describe(lw_program *p, lw_program_stats *stats)
{
    const lwi_lowering *l = p->lowered;
    *stats = (lw_program_stats){.arena_bytes = l->arena_count * sizeof(float), .runs = p->runs};
    for (lwi_buffer b = 1; b < l->buffer_count; b++) {
        uint64_t bytes = l->buffer[b].count * sizeof(float);
        lwi_memory memory = l->buffer[b].memory;
        if (memory == LWI_MEMORY_PARAMETER)
            stats->parameter_bytes += bytes;
        else if (memory == LWI_MEMORY_INPUT || l->buffer[b].output)
            stats->io_bytes += bytes;
        else if (memory == LWI_MEMORY_OWN)
            stats->constant_bytes += bytes;
    }
    for (int s = 0; s < l->step_count; s++)
        if (!l->step[s].constant) {
            stats->flops += l->step[s].launch.flops;
            stats->kernels++;
        }
    return LW_OK;
}
