/* memo.c — the values that a pickle refers to again, by the places it gave them. */
#include "checkpoint/machine.h"

#include <string.h>

static lw_status refuse(const lwi_machine *m, const char *what)
{
    lwi_machine_refuse(m, "%s", what);
    return LW_FORMAT;
}

static lw_status read_line(lwi_machine *m, uint64_t *place)
{
    size_t length = 0;
    const char *line = lwi_machine_take_line(m, &length);
    if (!line)
        return LW_FORMAT;
    *place = 0;
    for (size_t i = 0; i < length; i++) {
        if (line[i] < '0' || line[i] > '9' || length > 15)
            return refuse(m, "has something else than a place in the memo");
        *place = *place * 10 + (uint64_t)(line[i] - '0');
    }
    return LW_OK;
}

static lw_status read_place(lwi_machine *m, size_t size, uint64_t *place)
{
    if (size == 0)
        return read_line(m, place);
    return lwi_machine_take_number(m, size, place) ? LW_OK : LW_FORMAT;
}

/* Writers number from 0, once per operation: a place beyond the operations done is no writer's. */
static lw_status put(lwi_machine *m, uint64_t place, lwi_pvalue *value)
{
    if (!value)
        return LW_FORMAT;
    if (place > m->pickle->operations)
        return refuse(m, "names a place in the memo that no writer would have reached");
    if (place >= m->memo_room) {
        size_t room = place < 128 ? 256 : (size_t)place * 2;
        lwi_pvalue **memo = lw_resize(m->memo, room, sizeof *memo);
        if (!memo)
            return LW_MEMORY;
        memset(memo + m->memo_room, 0, (room - m->memo_room) * sizeof *memo);
        m->memo = memo;
        m->memo_room = room;
    }
    m->memo[place] = value;
    return LW_OK;
}

lw_status lwi_machine_put(lwi_machine *m, size_t size, lwi_pvalue *value)
{
    uint64_t place;
    LW_TRY(read_place(m, size, &place));
    return put(m, place, value);
}

lw_status lwi_machine_memoize(lwi_machine *m, lwi_pvalue *value)
{
    return put(m, m->memoized++, value);
}

lw_status lwi_machine_get(lwi_machine *m, size_t size)
{
    uint64_t place;
    LW_TRY(read_place(m, size, &place));
    if (place >= m->memo_room || !m->memo[place])
        return refuse(m, "asks for a place in the memo that was never filled");
    return lwi_machine_push(m, m->memo[place]);
}
