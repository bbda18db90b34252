/* pickle.c — the opcodes of Python's pickle protocols 0 to 5, interpreted as data.
 *
 * Source: CPython's Lib/pickletools.py. Left out: EXT1, EXT2, EXT4 (a registry of code), NEXT_BUFFER and
 * READONLY_BUFFER (data outside the file). */
#include "checkpoint/machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint of thousands of tensors takes some 100 000 operations. */
enum { MOST_OPERATIONS = 1 << 23 };

#define LWI_OPCODE_MAP(X)                                                                                    \
    X(MARK, '(')                                                                                             \
    X(STOP, '.')                                                                                             \
    X(POP, '0')                                                                                              \
    X(POP_MARK, '1')                                                                                         \
    X(DUP, '2')                                                                                              \
    X(FLOAT, 'F') X(INT, 'I') X(BININT, 'J') X(BININT1, 'K') X(LONG, 'L') X(BININT2, 'M') X(NONE, 'N')       \
        X(PERSID, 'P') X(BINPERSID, 'Q') X(REDUCE, 'R') X(STRING, 'S') X(BINSTRING, 'T')                     \
            X(SHORT_BINSTRING, 'U') X(UNICODE, 'V') X(BINUNICODE, 'X') X(APPEND, 'a') X(BUILD, 'b')          \
                X(GLOBAL, 'c') X(DICT, 'd') X(EMPTY_DICT, '}') X(APPENDS, 'e') X(GET, 'g') X(BINGET, 'h')    \
                    X(INST, 'i') X(LONG_BINGET, 'j') X(LIST, 'l') X(EMPTY_LIST, ']') X(OBJ, 'o') X(PUT, 'p') \
                        X(BINPUT, 'q') X(LONG_BINPUT, 'r') X(SETITEM, 's') X(TUPLE, 't') X(EMPTY_TUPLE, ')') \
                            X(SETITEMS, 'u') X(BINFLOAT, 'G') X(PROTO, 0x80) X(NEWOBJ, 0x81) X(EXT1, 0x82)   \
                                X(EXT2, 0x83) X(EXT4, 0x84) X(TUPLE1, 0x85) X(TUPLE2, 0x86) X(TUPLE3, 0x87)  \
                                    X(NEWTRUE, 0x88) X(NEWFALSE, 0x89) X(LONG1, 0x8a) X(LONG4, 0x8b)         \
                                        X(BINBYTES, 'B') X(SHORT_BINBYTES, 'C') X(SHORT_BINUNICODE, 0x8c)    \
                                            X(BINUNICODE8, 0x8d) X(BINBYTES8, 0x8e) X(EMPTY_SET, 0x8f)       \
                                                X(ADDITEMS, 0x90) X(FROZENSET, 0x91) X(NEWOBJ_EX, 0x92)      \
                                                    X(STACK_GLOBAL, 0x93) X(MEMOIZE, 0x94) X(FRAME, 0x95)    \
                                                        X(BYTEARRAY8, 0x96) X(NEXT_BUFFER, 0x97)             \
                                                            X(READONLY_BUFFER, 0x98)

enum {
#define X(name, code) OP_##name = code,
    LWI_OPCODE_MAP(X)
#undef X
};

static const char *const names[256] = {
#define X(name, code) [code] = #name,
    LWI_OPCODE_MAP(X)
#undef X
};

lwi_pvalue *lwi_machine_refuse(const lwi_machine *m, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lw_fail(LW_FORMAT, "'%s': %s at byte %zu %s", m->pickle->name, m->op, m->origin + m->op_at, text);
    return NULL;
}

static lw_status refuse(const lwi_machine *m, const char *what)
{
    lwi_machine_refuse(m, "%s", what);
    return LW_FORMAT;
}

/* --- the stack ------------------------------------------------------------------------------------ */

static lw_status grow(void **items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return LW_OK;
    size_t more = *room ? *room * 2 : 64;
    void *grown = lw_resize(*items, more, size);
    if (!grown)
        return LW_MEMORY;
    *items = grown;
    *room = more;
    return LW_OK;
}

lw_status lwi_machine_push(lwi_machine *m, lwi_pvalue *value)
{
    if (!value)
        return lw_error_status();
    LW_TRY(grow((void **)&m->stack, m->count, &m->room, sizeof *m->stack));
    m->stack[m->count++] = value;
    return LW_OK;
}

/* Values above the last mark, or all. */
static size_t above_mark(const lwi_machine *m)
{
    return m->count - (m->mark_count ? m->marks[m->mark_count - 1] : 0);
}

static lwi_pvalue *pop(lwi_machine *m)
{
    if (above_mark(m) == 0)
        return lwi_machine_refuse(m, "finds nothing on the stack");
    return m->stack[--m->count];
}

static lwi_pvalue *top(lwi_machine *m)
{
    if (above_mark(m) == 0)
        return lwi_machine_refuse(m, "finds nothing on the stack");
    return m->stack[m->count - 1];
}

static lw_status push_mark(lwi_machine *m)
{
    LW_TRY(grow((void **)&m->marks, m->mark_count, &m->mark_room, sizeof *m->marks));
    m->marks[m->mark_count++] = m->count;
    return LW_OK;
}

/* Removes the last mark; the values above it start at *first and stay until the caller lowers m->count. */
static lw_status pop_mark(lwi_machine *m, size_t *first)
{
    if (m->mark_count == 0)
        return refuse(m, "finds no mark on the stack");
    *first = m->marks[--m->mark_count];
    return LW_OK;
}

/* --- values ----------------------------------------------------------------------------------------- */

lwi_pvalue *lwi_machine_value(lwi_machine *m, lwi_pkind kind)
{
    lwi_pvalue *value = lwi_pickle_alloc(m->pickle, sizeof *value);
    if (value)
        value->kind = kind;
    return value;
}

lw_status lwi_machine_append(lwi_machine *m, lwi_pvalue *list, lwi_pvalue *item)
{
    if (list->list.count == list->list.room) {
        size_t room = list->list.room ? list->list.room * 2 : 4;
        lwi_pvalue **items = lwi_pickle_alloc(m->pickle, room * sizeof *items);
        if (!items)
            return LW_MEMORY;
        if (list->list.count)
            memcpy(items, list->list.item, list->list.count * sizeof *items);
        list->list.item = items;
        list->list.room = room;
    }
    list->list.item[list->list.count++] = item;
    return LW_OK;
}

/* --- containers ----------------------------------------------------------------------------------------- */

static lw_status push_from(lwi_machine *m, lwi_pkind kind, size_t first)
{
    lwi_pvalue *list = lwi_machine_value(m, kind);
    if (!list)
        return LW_MEMORY;
    if (kind == LWI_P_DICT && (m->count - first) % 2)
        return refuse(m, "has a key without a value");
    for (size_t i = first; i < m->count; i++)
        LW_TRY(lwi_machine_append(m, list, m->stack[i]));
    m->count = first;
    return lwi_machine_push(m, list);
}

static lw_status push_marked(lwi_machine *m, lwi_pkind kind)
{
    size_t first = 0;
    LW_TRY(pop_mark(m, &first));
    return push_from(m, kind, first);
}

static lw_status push_tuple(lwi_machine *m, size_t count)
{
    if (above_mark(m) < count)
        return refuse(m, "finds too little on the stack");
    return push_from(m, LWI_P_TUPLE, m->count - count);
}

/* What APPEND(S), SETITEM(S) and ADDITEMS add to, if `target` is that. */
static lwi_pvalue *container(lwi_machine *m, lwi_pvalue *target, lwi_pkind kind)
{
    if (kind == LWI_P_DICT && target->kind == LWI_P_OBJECT) { /* a subclass of dict */
        if (!target->object.items)
            target->object.items = lwi_machine_value(m, LWI_P_DICT);
        return target->object.items;
    }
    if (target->kind != kind)
        return lwi_machine_refuse(m, "adds to something that is not a %s",
                                  kind == LWI_P_LIST  ? "list"
                                  : kind == LWI_P_SET ? "set"
                                                      : "dictionary");
    return target;
}

/* Adds the values from `first` on to the container below them. */
static lw_status add_items(lwi_machine *m, lwi_pkind kind, size_t first)
{
    size_t bottom = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    if (first <= bottom)
        return refuse(m, "finds nothing on the stack to add to");
    if (kind == LWI_P_DICT && (m->count - first) % 2)
        return refuse(m, "has a key without a value");
    lwi_pvalue *target = container(m, m->stack[first - 1], kind);
    if (!target)
        return lw_error_status();
    for (size_t i = first; i < m->count; i++)
        LW_TRY(lwi_machine_append(m, target, m->stack[i]));
    m->count = first;
    return LW_OK;
}

static lw_status add_marked(lwi_machine *m, lwi_pkind kind)
{
    size_t first = 0;
    LW_TRY(pop_mark(m, &first));
    return add_items(m, kind, first);
}

static lw_status add_last(lwi_machine *m, lwi_pkind kind, size_t count)
{
    if (above_mark(m) < count + 1)
        return refuse(m, "finds too little on the stack");
    return add_items(m, kind, m->count - count);
}

/* --- globals and objects -------------------------------------------------------------------------------- */

static lwi_pvalue *global_lines(lwi_machine *m)
{
    size_t module_length = 0, name_length = 0;
    const char *module = lwi_machine_take_line(m, &module_length),
               *name = module ? lwi_machine_take_line(m, &name_length) : NULL;
    return name ? lwi_machine_global(m, module, module_length, name, name_length) : NULL;
}

static lw_status stack_global(lwi_machine *m)
{
    lwi_pvalue *name = pop(m), *module = name ? pop(m) : NULL;
    if (!module)
        return LW_FORMAT;
    if (name->kind != LWI_P_TEXT || module->kind != LWI_P_TEXT)
        return refuse(m, "takes two texts, a module and a name");
    return lwi_machine_push(
        m, lwi_machine_global(m, module->text.at, module->text.length, name->text.at, name->text.length));
}

static lw_status reduce(lwi_machine *m)
{
    lwi_pvalue *args = pop(m), *callable = args ? pop(m) : NULL;
    return callable ? lwi_machine_push(m, lwi_machine_reduce(m, callable, args)) : LW_FORMAT;
}

/* NEWOBJ: class, arguments. NEWOBJ_EX: class, arguments, keyword arguments. */
static lw_status new_object(lwi_machine *m, bool keywords)
{
    lwi_pvalue *named = keywords ? pop(m) : NULL;
    if (keywords && !named)
        return LW_FORMAT;
    lwi_pvalue *args = pop(m), *class = args ? pop(m) : NULL;
    if (!class)
        return LW_FORMAT;
    if (named && (named->kind != LWI_P_DICT || named->list.count))
        return refuse(m, "makes an object with keyword arguments, which no checkpoint needs");
    return lwi_machine_push(m, lwi_machine_object(m, class, args));
}

/* INST: the class as two lines. OBJ: the class above the mark. Then the arguments. */
static lw_status old_object(lwi_machine *m, bool lines)
{
    lwi_pvalue *class = lines ? global_lines(m) : NULL;
    size_t first = 0;
    if (lines && !class)
        return lw_error_status();
    LW_TRY(pop_mark(m, &first));
    if (!lines) {
        if (first == m->count)
            return refuse(m, "finds no class above the mark");
        class = m->stack[first];
        memmove(m->stack + first, m->stack + first + 1, (m->count - first - 1) * sizeof *m->stack);
        m->count--;
    }
    LW_TRY(push_from(m, LWI_P_TUPLE, first));
    lwi_pvalue *args = m->stack[--m->count];
    return lwi_machine_push(m, lwi_machine_object(m, class, args));
}

static lw_status build(lwi_machine *m)
{
    lwi_pvalue *state = pop(m), *target = state ? top(m) : NULL;
    return target ? lwi_machine_build(m, target, state) : LW_FORMAT;
}

static lw_status persistent(lwi_machine *m)
{
    lwi_pvalue *id = pop(m);
    return id ? lwi_machine_push(m, lwi_machine_persistent(m, id)) : LW_FORMAT;
}

static lw_status protocol(lwi_machine *m)
{
    uint64_t number;
    if (!lwi_machine_take_number(m, 1, &number))
        return LW_FORMAT;
    if (number <= 5)
        return LW_OK;
    lwi_machine_refuse(m, "names the protocol %" PRIu64 "; known are 0 to 5", number);
    return LW_FORMAT;
}

static lw_status frame(lwi_machine *m)
{
    uint64_t length;
    if (!lwi_machine_take_number(m, 8, &length))
        return LW_FORMAT;
    if (length <= m->size - m->at)
        return LW_OK;
    lwi_machine_refuse(m, "announces %" PRIu64 " bytes, but only %zu are left: cut short?", length,
                       m->size - m->at);
    return LW_FORMAT;
}

static lw_status discard(lwi_machine *m)
{
    if (m->mark_count && m->marks[m->mark_count - 1] == m->count) {
        m->mark_count--;
        return LW_OK;
    }
    return pop(m) ? LW_OK : LW_FORMAT;
}

static lw_status discard_marked(lwi_machine *m)
{
    size_t first = 0;
    LW_TRY(pop_mark(m, &first));
    m->count = first;
    return LW_OK;
}

static lw_status push_fixed(lwi_machine *m, size_t size)
{
    uint64_t number;
    if (!lwi_machine_take_number(m, size, &number))
        return LW_FORMAT;
    return lwi_machine_push_int(m, size == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

static lw_status step(lwi_machine *m, uint8_t op)
{
    switch (op) {
    case OP_PROTO: return protocol(m);
    case OP_FRAME: return frame(m);
    case OP_MARK: return push_mark(m);
    case OP_POP: return discard(m);
    case OP_POP_MARK: return discard_marked(m);
    case OP_DUP: return lwi_machine_push(m, top(m));
    case OP_NONE: return lwi_machine_push(m, lwi_machine_value(m, LWI_P_NONE));
    case OP_NEWTRUE: return lwi_machine_push_bool(m, true);
    case OP_NEWFALSE: return lwi_machine_push_bool(m, false);
    case OP_INT:
    case OP_LONG:
    case OP_FLOAT: return lwi_machine_push_number_line(m, op);
    case OP_BININT: return push_fixed(m, 4);
    case OP_BININT1: return push_fixed(m, 1);
    case OP_BININT2: return push_fixed(m, 2);
    case OP_LONG1: return lwi_machine_push_long(m, 1);
    case OP_LONG4: return lwi_machine_push_long(m, 4);
    case OP_BINFLOAT: return lwi_machine_push_binfloat(m);
    case OP_STRING: return lwi_machine_push_escaped(m, true);
    case OP_UNICODE: return lwi_machine_push_escaped(m, false);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINUNICODE: return lwi_machine_push_sized(m, LWI_P_TEXT, 1);
    case OP_BINSTRING:
    case OP_BINUNICODE: return lwi_machine_push_sized(m, LWI_P_TEXT, 4);
    case OP_BINUNICODE8: return lwi_machine_push_sized(m, LWI_P_TEXT, 8);
    case OP_SHORT_BINBYTES: return lwi_machine_push_sized(m, LWI_P_BYTES, 1);
    case OP_BINBYTES: return lwi_machine_push_sized(m, LWI_P_BYTES, 4);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8: return lwi_machine_push_sized(m, LWI_P_BYTES, 8);
    case OP_EMPTY_LIST: return lwi_machine_push(m, lwi_machine_value(m, LWI_P_LIST));
    case OP_EMPTY_TUPLE: return lwi_machine_push(m, lwi_machine_value(m, LWI_P_TUPLE));
    case OP_EMPTY_DICT: return lwi_machine_push(m, lwi_machine_value(m, LWI_P_DICT));
    case OP_EMPTY_SET: return lwi_machine_push(m, lwi_machine_value(m, LWI_P_SET));
    case OP_LIST: return push_marked(m, LWI_P_LIST);
    case OP_TUPLE: return push_marked(m, LWI_P_TUPLE);
    case OP_DICT: return push_marked(m, LWI_P_DICT);
    case OP_FROZENSET: return push_marked(m, LWI_P_SET);
    case OP_TUPLE1: return push_tuple(m, 1);
    case OP_TUPLE2: return push_tuple(m, 2);
    case OP_TUPLE3: return push_tuple(m, 3);
    case OP_APPEND: return add_last(m, LWI_P_LIST, 1);
    case OP_APPENDS: return add_marked(m, LWI_P_LIST);
    case OP_SETITEM: return add_last(m, LWI_P_DICT, 2);
    case OP_SETITEMS: return add_marked(m, LWI_P_DICT);
    case OP_ADDITEMS: return add_marked(m, LWI_P_SET);
    case OP_PUT: return lwi_machine_put(m, 0, top(m));
    case OP_BINPUT: return lwi_machine_put(m, 1, top(m));
    case OP_LONG_BINPUT: return lwi_machine_put(m, 4, top(m));
    case OP_MEMOIZE: return lwi_machine_memoize(m, top(m));
    case OP_GET: return lwi_machine_get(m, 0);
    case OP_BINGET: return lwi_machine_get(m, 1);
    case OP_LONG_BINGET: return lwi_machine_get(m, 4);
    case OP_GLOBAL: return lwi_machine_push(m, global_lines(m));
    case OP_STACK_GLOBAL: return stack_global(m);
    case OP_INST: return old_object(m, true);
    case OP_OBJ: return old_object(m, false);
    case OP_NEWOBJ: return new_object(m, false);
    case OP_NEWOBJ_EX: return new_object(m, true);
    case OP_REDUCE: return reduce(m);
    case OP_BUILD: return build(m);
    case OP_BINPERSID: return persistent(m);
    case OP_PERSID:
        return refuse(m, "names a persistent object by a line of text, which PyTorch never wrote");
    case OP_EXT1:
    case OP_EXT2:
    case OP_EXT4: return refuse(m, "names a global by a number of Python's extension registry");
    case OP_NEXT_BUFFER:
    case OP_READONLY_BUFFER: return refuse(m, "takes data from outside the file");
    default: return refuse(m, "is not an opcode of pickle");
    }
}

static lwi_pvalue *run(lwi_machine *m)
{
    char unknown[16];
    while (m->at < m->size) {
        m->op_at = m->at;
        uint8_t op = m->data[m->at++];
        if (!names[op])
            snprintf(unknown, sizeof unknown, "opcode 0x%02x", op);
        m->op = names[op] ? names[op] : unknown;
        if (++m->pickle->operations > MOST_OPERATIONS)
            return lwi_machine_refuse(m, "is operation %d of this file: more than any checkpoint has",
                                      MOST_OPERATIONS + 1);
        if (op == OP_STOP) {
            if (m->count != 1 || m->mark_count)
                return lwi_machine_refuse(m, "finds %zu values on the stack instead of one", m->count);
            return m->stack[0];
        }
        if (step(m, op) != LW_OK)
            return NULL;
    }
    lw_fail(LW_FORMAT, "'%s' is cut short: its pickle has no STOP before byte %zu", m->pickle->name,
            m->origin + m->size);
    return NULL;
}

lwi_pvalue *lwi_pickle_read(lwi_pickle *pickle, const uint8_t *data, size_t size, size_t *at, size_t origin)
{
    lwi_machine m = {
        .pickle = pickle, .data = data, .size = size, .at = *at, .origin = origin, .op = "pickle"};
    lwi_pvalue *value = run(&m);
    *at = m.at;
    lw_free(m.stack);
    lw_free(m.marks);
    lw_free(m.memo);
    return value;
}
