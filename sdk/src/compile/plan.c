/* plan.c — where buffers lie: one arena whose parts are reused as soon as their values are dead.
 *
 * Time is the list of steps: first the constant ones (they run once, before everything, and may use the
 * arena as well), then the others. A constant that the others read keeps memory of its own. */
#include "compile/compile.h"

#include <string.h>

/* Constant steps first; the order within both kinds stays. */
static lw_status sort_steps(lwi_lowering *l)
{
    lwi_step *sorted = lw_alloc((size_t)l->step_count + 1, sizeof *sorted);
    if (!sorted)
        return LW_MEMORY;
    int at = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int s = 0; s < l->step_count; s++)
            if (l->step[s].constant == (pass == 0))
                sorted[at++] = l->step[s];
    lw_free(l->step);
    l->step = sorted;
    l->step_capacity = l->step_count + 1;
    return LW_OK;
}

static void find_lifetimes(lwi_lowering *l)
{
    for (int b = 1; b < l->buffer_count; b++)
        l->buffer[b].first = -1;
    for (int s = 0; s < l->step_count; s++)
        for (int a = 0; a < l->step[s].launch.arg_count; a++) {
            const lwi_arg *arg = &l->step[s].launch.arg[a];
            if ((arg->kind != LWI_ARG_READ && arg->kind != LWI_ARG_WRITE) || !arg->buffer)
                continue;
            lwi_buffer_info *info = &l->buffer[arg->buffer];
            if (info->first < 0)
                info->first = s;
            info->last = s;
            if (info->memory == LWI_MEMORY_ARENA && info->constant && !l->step[s].constant)
                info->memory = LWI_MEMORY_OWN;
        }
    for (int b = 1; b < l->buffer_count; b++)
        if (l->buffer[b].output && l->buffer[b].memory == LWI_MEMORY_ARENA)
            l->buffer[b].memory = LWI_MEMORY_OWN;
}

typedef struct hole {
    size_t start, size;
} hole;

/* Free parts of the arena, by start; the last one is endless. */
typedef struct holes {
    hole *hole;
    int count;
} holes;

static size_t take(holes *free, size_t size, size_t *arena)
{
    int best = free->count - 1;
    for (int i = 0; i < free->count; i++)
        if (free->hole[i].size >= size && free->hole[i].size < free->hole[best].size)
            best = i;
    size_t start = free->hole[best].start;
    free->hole[best].start += size;
    free->hole[best].size -= size;
    if (free->hole[best].size == 0) {
        memmove(&free->hole[best], &free->hole[best + 1], sizeof(hole) * (size_t)(free->count - best - 1));
        free->count--;
    }
    if (start + size > *arena)
        *arena = start + size;
    return start;
}

static void give_back(holes *free, size_t start, size_t size)
{
    int at = 0;
    while (at < free->count && free->hole[at].start < start)
        at++;
    memmove(&free->hole[at + 1], &free->hole[at], sizeof(hole) * (size_t)(free->count - at));
    free->hole[at] = (hole){start, size};
    free->count++;
    for (int i = at > 0 ? at - 1 : 0; i <= at && i + 1 < free->count;) {
        if (free->hole[i].start + free->hole[i].size == free->hole[i + 1].start) {
            free->hole[i].size += free->hole[i + 1].size;
            memmove(&free->hole[i + 1], &free->hole[i + 2], sizeof(hole) * (size_t)(free->count - i - 2));
            free->count--;
            at--;
        } else {
            i++;
        }
    }
}

/* The dying operand whose memory an elementwise step may overwrite with a result, or 0. */
static lwi_buffer dying_operand(const lwi_lowering *l, int s, const lwi_buffer_info *result,
                                const bool *inherited)
{
    const lwi_step *step = &l->step[s];
    for (int a = 0; a < step->launch.arg_count; a++) {
        const lwi_arg *arg = &step->launch.arg[a];
        if (arg->kind != LWI_ARG_READ || !(a < 64 && (step->in_place >> a & 1)))
            continue;
        const lwi_buffer_info *info = &l->buffer[arg->buffer];
        if (info->memory == LWI_MEMORY_ARENA && info->last == s && info->first < s &&
            info->count == result->count && !inherited[arg->buffer])
            return arg->buffer;
    }
    return 0;
}

static void place(lwi_lowering *l, holes *free, bool *inherited)
{
    for (int s = 0; s < l->step_count; s++) {
        const lwi_launch *launch = &l->step[s].launch;
        for (int a = 0; a < launch->arg_count; a++) {
            lwi_buffer b = launch->arg[a].buffer;
            bool is_buffer = launch->arg[a].kind == LWI_ARG_READ || launch->arg[a].kind == LWI_ARG_WRITE;
            if (!is_buffer || !b || l->buffer[b].memory != LWI_MEMORY_ARENA || l->buffer[b].first != s)
                continue;
            size_t size = (l->buffer[b].count + l->alignment - 1) / l->alignment * l->alignment;
            lwi_buffer dying = dying_operand(l, s, &l->buffer[b], inherited);
            if (dying && launch->arg[a].kind == LWI_ARG_WRITE) {
                l->buffer[b].offset = l->buffer[dying].offset;
                inherited[dying] = true;
            } else {
                l->buffer[b].offset = take(free, size, &l->arena_count);
            }
            l->buffer[b].first = -2 - s; /* placed; a second argument of this step must not place it again */
        }
        for (int a = 0; a < launch->arg_count; a++) {
            lwi_buffer b = launch->arg[a].buffer;
            bool is_buffer = launch->arg[a].kind == LWI_ARG_READ || launch->arg[a].kind == LWI_ARG_WRITE;
            if (!is_buffer || !b || l->buffer[b].memory != LWI_MEMORY_ARENA || l->buffer[b].last != s ||
                inherited[b])
                continue;
            inherited[b] = true; /* given back once */
            size_t size = (l->buffer[b].count + l->alignment - 1) / l->alignment * l->alignment;
            give_back(free, l->buffer[b].offset, size);
        }
    }
}

lw_status lwi_plan_memory(lwi_lowering *l)
{
    LW_TRY(sort_steps(l));
    find_lifetimes(l);
    holes free = {.hole = lw_alloc((size_t)l->buffer_count + 2, sizeof(hole)), .count = 1};
    bool *inherited = lw_alloc((size_t)l->buffer_count + 1, sizeof *inherited);
    lw_status status = LW_MEMORY;
    if (free.hole && inherited) {
        free.hole[0] = (hole){0, SIZE_MAX / 2};
        place(l, &free, inherited);
        status = LW_OK;
    }
    lw_free(free.hole);
    lw_free(inherited);
    return status;
}
