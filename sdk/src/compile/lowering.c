/* lowering.c — the lowered program as it grows: buffers, launches, and what of them is constant. */
#include "compile/compile.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void lwi_print(lwi_text *text, const char *format, ...)
{
    if (text->failed)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = text->capacity - text->length;
    int length =
        vsnprintf(text->data ? text->data + text->length : NULL, text->data ? room : 0, format, args);
    if (length >= 0 && (size_t)length >= room) {
        size_t capacity = 2 * (text->capacity + (size_t)length + 1);
        char *data = lw_resize(text->data, capacity, 1);
        if (data) {
            text->data = data;
            text->capacity = capacity;
            vsnprintf(data + text->length, capacity - text->length, format, again);
        } else {
            text->failed = true;
        }
    }
    if (length < 0)
        text->failed = true;
    if (!text->failed)
        text->length += (size_t)length;
    va_end(again);
    va_end(args);
}

/* Room for one more element of a growing array; false with the lowering's status set. */
static bool grow(lwi_lowering *l, void **array, int count, int *capacity, size_t size)
{
    if (l->status != LW_OK)
        return false;
    if (count < *capacity)
        return true;
    int larger = *capacity ? 2 * *capacity : 64;
    void *grown = lw_resize(*array, (size_t)larger, size);
    if (!grown) {
        l->status = LW_MEMORY;
        return false;
    }
    *array = grown;
    *capacity = larger;
    return true;
}

lwi_buffer lwi_buffer_add(lwi_lowering *l, const lwi_buffer_info *info)
{
    if (info->count > INT32_MAX) {
        if (l->status == LW_OK)
            l->status =
                lw_fail(LW_UNSUPPORTED, "a value of %zu elements is too large: kernels index at most 2^31",
                        info->count);
        return 0;
    }
    if (!grow(l, (void **)&l->buffer, l->buffer_count, &l->buffer_capacity, sizeof *l->buffer))
        return 0;
    l->buffer[l->buffer_count] = *info;
    return l->buffer_count++;
}

lwi_buffer lwi_scratch(lwi_lowering *l, size_t count)
{
    return lwi_buffer_add(l, &(lwi_buffer_info){.memory = LWI_MEMORY_ARENA, .count = count ? count : 1});
}

lwi_buffer lwi_constant_buffer(lwi_lowering *l, const float *data, size_t count)
{
    if (l->status != LW_OK)
        return 0;
    float *copy = lw_alloc(count ? count : 1, sizeof *copy);
    if (!copy) {
        l->status = LW_MEMORY;
        return 0;
    }
    memcpy(copy, data, count * sizeof *copy);
    lwi_buffer buffer = lwi_buffer_add(
        l, &(lwi_buffer_info){
               .memory = LWI_MEMORY_OWN, .count = count ? count : 1, .data = copy, .constant = true});
    if (!buffer)
        lw_free(copy);
    return buffer;
}

const lwi_target *lwi_lowering_target(const lwi_lowering *l)
{
    return &l->target;
}

/* The node that is being lowered, as people know it. */
static char *label(const lwi_lowering *l)
{
    if (!l->ir || !l->node)
        return lw_strdup("copy");
    const lwi_inst *inst = &l->ir->inst[l->node];
    char shape[LW_SHAPE_TEXT];
    return lw_format("%s%s%s %s", lwi_op_name(inst->op), inst->layer ? " " : "",
                     inst->layer ? inst->layer : "", lw_shape_text(inst->shape, shape));
}

static lwi_step *add_step(lwi_lowering *l)
{
    if (!grow(l, (void **)&l->step, l->step_count, &l->step_capacity, sizeof *l->step))
        return NULL;
    memset(&l->step[l->step_count], 0, sizeof *l->step);
    l->step[l->step_count].label = label(l);
    if (!l->step[l->step_count].label)
        l->status = LW_MEMORY;
    return &l->step[l->step_count++];
}

void lwi_emit(lwi_lowering *l, const lwi_launch *launch)
{
    if (l->status == LW_OK && (!launch->source || !launch->kernel))
        l->status = lw_fail(LW_INTERNAL, "a launch without a kernel");
    lwi_step *step = add_step(l);
    if (!step)
        return;
    step->launch = *launch;
    step->launch.source = launch->generated ? lw_strdup(launch->source) : launch->source;
    step->launch.kernel = lw_strdup(launch->kernel);
    step->launch.options = lw_strdup(launch->options ? launch->options : "");
    for (int d = 0; d < 3; d++) {
        step->launch.global[d] = launch->global[d] ? launch->global[d] : 1;
        step->launch.local[d] = launch->local[d] ? launch->local[d] : 1;
    }
    if (!step->launch.source || !step->launch.kernel || !step->launch.options)
        l->status = LW_MEMORY;
}

void lwi_emit_call(lwi_lowering *l, lwi_call call, void *context, const lwi_arg *buffers, int count,
                   double flops)
{
    lwi_step *step = add_step(l);
    if (!step) {
        lw_free(context);
        return;
    }
    step->call = call;
    step->context = context;
    step->launch.flops = flops;
    step->launch.arg_count = count;
    memcpy(step->launch.arg, buffers, sizeof *buffers * (size_t)count);
}

void lwi_mark_in_place(lwi_lowering *l, uint64_t arguments)
{
    if (l->status == LW_OK && l->step_count > 0)
        l->step[l->step_count - 1].in_place = arguments;
}

void lwi_lowering_destroy(lwi_lowering *l)
{
    if (!l)
        return;
    lwi_ir_destroy(l->ir);
    for (int i = 0; i < l->buffer_count; i++) {
        lw_free(l->buffer[i].data);
        lw_free(l->buffer[i].name);
    }
    for (int i = 0; i < l->step_count; i++) {
        lwi_launch *launch = &l->step[i].launch;
        if (launch->generated)
            lw_free((char *)(uintptr_t)launch->source);
        lw_free((char *)(uintptr_t)launch->kernel);
        lw_free((char *)(uintptr_t)launch->options);
        lw_free(l->step[i].context);
        lw_free(l->step[i].label);
    }
    for (int i = 0; i < l->output_count; i++)
        lw_free(l->output[i].name);
    lw_free(l->output);
    lw_free(l->buffer);
    lw_free(l->step);
    lw_free(l);
}

/* --- assignments ------------------------------------------------------------------------------ */
static bool reads(const lwi_step *step, lwi_buffer buffer, bool except_in_place)
{
    for (int a = 0; a < step->launch.arg_count; a++)
        if (step->launch.arg[a].kind == LWI_ARG_READ && step->launch.arg[a].buffer == buffer &&
            !(except_in_place && (a < 64 && (step->in_place >> a & 1))))
            return true;
    return false;
}

static int only_writer(const lwi_lowering *l, lwi_buffer buffer)
{
    int writer = -1;
    for (int s = 0; s < l->step_count; s++)
        for (int a = 0; a < l->step[s].launch.arg_count; a++)
            if (l->step[s].launch.arg[a].kind == LWI_ARG_WRITE && l->step[s].launch.arg[a].buffer == buffer) {
                if (writer >= 0 && writer != s)
                    return -1;
                writer = s;
            }
    return writer;
}

/* Whether the step that computes `from` may write straight over the parameter `to`. */
static bool may_overwrite(const lwi_lowering *l, lwi_buffer to, lwi_buffer from)
{
    if (l->buffer[from].memory != LWI_MEMORY_ARENA || l->buffer[from].output ||
        l->buffer[from].count != l->buffer[to].count)
        return false;
    int writer = only_writer(l, from);
    if (writer < 0 || l->step[writer].call || reads(&l->step[writer], to, true))
        return false;
    for (int s = writer + 1; s < l->step_count; s++)
        if (reads(&l->step[s], to, false))
            return false;
    return true;
}

void lwi_place_assignments(lwi_lowering *l, const lwi_buffer *to, const lwi_buffer *from, int count)
{
    bool *placed = lw_alloc((size_t)count + 1, sizeof *placed);
    lwi_buffer *source = lw_alloc((size_t)count + 1, sizeof *source);
    if (!placed || !source) {
        l->status = LW_MEMORY;
    } else {
        for (int i = 0; i < count; i++)
            source[i] = from[i];
        for (int i = 0; i < count && l->status == LW_OK; i++) {
            placed[i] = may_overwrite(l, to[i], source[i]);
            if (!placed[i])
                continue;
            lwi_buffer old = source[i];
            for (int s = 0; s < l->step_count; s++)
                for (int a = 0; a < l->step[s].launch.arg_count; a++)
                    if (l->step[s].launch.arg[a].buffer == old)
                        l->step[s].launch.arg[a].buffer = to[i];
            for (int k = 0; k < count; k++)
                if (source[k] == old)
                    source[k] = to[i];
        }
        for (int i = 0; i < count; i++)
            if (!placed[i])
                lwi_emit_copy(l, source[i], to[i], l->buffer[to[i]].count);
    }
    lw_free(placed);
    lw_free(source);
}

/* --- constants ---------------------------------------------------------------------------------- */
/* A step is constant when all it reads is, and every buffer it writes is written by constant steps only.
 * Starts from "everything is" and takes back until nothing changes. */
static bool step_is_constant(const lwi_lowering *l, const lwi_step *step)
{
    for (int a = 0; a < step->launch.arg_count; a++) {
        const lwi_arg *arg = &step->launch.arg[a];
        if (arg->kind == LWI_ARG_STREAM)
            return false;
        if ((arg->kind == LWI_ARG_READ || arg->kind == LWI_ARG_WRITE) && arg->buffer &&
            !l->buffer[arg->buffer].constant)
            return false;
    }
    return true;
}

void lwi_fold_constants(lwi_lowering *l)
{
    for (int b = 1; b < l->buffer_count; b++) {
        const lwi_buffer_info *info = &l->buffer[b];
        l->buffer[b].constant = !(info->memory == LWI_MEMORY_INPUT || info->assigned);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int s = 0; s < l->step_count; s++) {
            l->step[s].constant = step_is_constant(l, &l->step[s]);
            for (int a = 0; !l->step[s].constant && a < l->step[s].launch.arg_count; a++) {
                const lwi_arg *arg = &l->step[s].launch.arg[a];
                if (arg->kind == LWI_ARG_WRITE && arg->buffer && l->buffer[arg->buffer].constant) {
                    l->buffer[arg->buffer].constant = false;
                    changed = true;
                }
            }
        }
    }
}
