/* machine.h — the state of reading one pickle, shared by its opcodes (pickle.c) and what they call.
 */
#ifndef LWI_MACHINE_H
#define LWI_MACHINE_H

#include "checkpoint/pickle.h"

typedef struct lwi_machine {
    lwi_pickle *pickle;
    const uint8_t *data;
    size_t size, at, origin;
    const char *op; /* the current opcode's name, and where it stands */
    size_t op_at;
    lwi_pvalue **stack;
    size_t count, room;
    size_t *marks;
    size_t mark_count, mark_room;
    lwi_pvalue **memo;
    size_t memo_room, memoized; /* by MEMOIZE */
} lwi_machine;

/* Sets the error "'FILE': OPCODE at byte N …"; returns NULL. */
lwi_pvalue *lwi_machine_refuse(const lwi_machine *m, const char *format, ...) LW_PRINTF(2, 3);

lwi_pvalue *lwi_machine_value(lwi_machine *m, lwi_pkind kind);
lw_status lwi_machine_append(lwi_machine *m, lwi_pvalue *list, lwi_pvalue *item);

/* Bytes of the pickle, and what they make on the stack (scalars.c). `op`: 'F', 'I' or 'L', as protocol 0
 * writes. */
const uint8_t *lwi_machine_take(lwi_machine *m, uint64_t count);
bool lwi_machine_take_number(lwi_machine *m, size_t size, uint64_t *number);
const char *lwi_machine_take_line(lwi_machine *m, size_t *length);
lw_status lwi_machine_push(lwi_machine *m, lwi_pvalue *value);
lw_status lwi_machine_push_int(lwi_machine *m, int64_t number);
lw_status lwi_machine_push_bool(lwi_machine *m, bool truth);
lw_status lwi_machine_push_bytes(lwi_machine *m, lwi_pkind kind, uint64_t length);
lw_status lwi_machine_push_sized(lwi_machine *m, lwi_pkind kind, size_t size);
lw_status lwi_machine_push_long(lwi_machine *m, size_t size);
lw_status lwi_machine_push_binfloat(lwi_machine *m);
lw_status lwi_machine_push_number_line(lwi_machine *m, uint8_t op);
lw_status lwi_machine_push_escaped(lwi_machine *m, bool quoted);

/* PUT and GET, whose place is a number of so many bytes, 0: a line; and MEMOIZE (memo.c). `value` may be
 * NULL, with its error set. */
lw_status lwi_machine_put(lwi_machine *m, size_t size, lwi_pvalue *value);
lw_status lwi_machine_get(lwi_machine *m, size_t size);
lw_status lwi_machine_memoize(lwi_machine *m, lwi_pvalue *value);

/* GLOBAL: the value for module.name, both straight from the file. */
lwi_pvalue *lwi_machine_global(lwi_machine *m, const char *module, size_t module_length, const char *name,
                               size_t name_length);
/* REDUCE, NEWOBJ, BUILD, BINPERSID: what they make. */
lwi_pvalue *lwi_machine_reduce(lwi_machine *m, const lwi_pvalue *callable, const lwi_pvalue *args);
lwi_pvalue *lwi_machine_object(lwi_machine *m, const lwi_pvalue *class, lwi_pvalue *args);
lw_status lwi_machine_build(lwi_machine *m, lwi_pvalue *target, lwi_pvalue *state);
lwi_pvalue *lwi_machine_persistent(lwi_machine *m, const lwi_pvalue *id);

/* Tensors, from the arguments of the functions that rebuild them (tensors.c). */
lwi_pvalue *lwi_machine_tensor(lwi_machine *m, const lwi_pvalue *args, const lwi_pvalue *dtype);
lwi_pvalue *lwi_machine_storage_bytes(lwi_machine *m, const lwi_pvalue *args);
lwi_pvalue *lwi_machine_scalar(lwi_machine *m, const lwi_pvalue *args);
lwi_pvalue *lwi_machine_frombuffer(lwi_machine *m, const lwi_pvalue *args);
lwi_pvalue *lwi_machine_empty_array(lwi_machine *m);
lw_status lwi_machine_fill_array(lwi_machine *m, lwi_pvalue *array, const lwi_pvalue *state);
lwi_pvalue *lwi_machine_dtype(lwi_machine *m, const lwi_pvalue *args);
lw_status lwi_machine_dtype_order(lwi_machine *m, lwi_pvalue *dtype, const lwi_pvalue *state);

/* Item `index` of a TUPLE or LIST, NULL past its end. */
lwi_pvalue *lwi_item(const lwi_pvalue *list, size_t index);
bool lwi_int(const lwi_pvalue *value, int64_t *out);
/* The element type a torch class or dtype stands for: LWI_ELEMENTS for untyped; false for anything else. */
bool lwi_global_element(const lwi_pvalue *value, lwi_element *element);

#endif
