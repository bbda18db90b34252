/* tree.h — YAML text as a tree in which every node knows where it was written.
 *
 * Read from libyaml's parser events. Anchors and aliases are resolved by copying, so a node may be
 * changed without changing its likeness elsewhere; size, depth and the number of nodes are bounded.
 * Nodes and their strings live in an arena and go with it. */
#ifndef LWH_TREE_H
#define LWH_TREE_H

#include "diagnostics.h"

#define LWH_YAML_MAX_BYTES (4u << 20)
#define LWH_YAML_MAX_NODES 100000
#define LWH_YAML_MAX_DEPTH 64

/* --- the arena ------------------------------------------------------------------------------- */
typedef struct lwh_arena lwh_arena;
lwh_arena *lwh_arena_create(void);
void lwh_arena_destroy(lwh_arena *arena);
void *lwh_arena_alloc(lwh_arena *arena, size_t size); /* zeroed; NULL with an error set */
char *lwh_arena_strdup(lwh_arena *arena, const char *text, size_t length);
char *lwh_arena_format(lwh_arena *arena, const char *format, ...) LW_PRINTF(2, 3);

/* --- the tree -------------------------------------------------------------------------------- */
typedef enum lwh_yaml_kind { LWH_SCALAR, LWH_LIST, LWH_MAP } lwh_yaml_kind;

typedef struct lwh_yaml {
    lwh_yaml_kind kind;
    lwh_place place;
    const char *text;        /* scalars: never NULL */
    bool quoted;             /* scalars: 'x', "x", | or >, so that "true" stays text */
    bool varied;             /* put here by a matrix (matrix.c) */
    int count, capacity;     /* items of a list, entries of a map */
    struct lwh_yaml **key;   /* maps: scalars, in order of appearance */
    struct lwh_yaml **value; /* maps and lists */
} lwh_yaml;

/* Reads one document. `file` names it in messages and must live as long as the tree. NULL, with the
 * mistakes reported, when there is no tree to go on with (syntax errors, limits, an empty text). */
lwh_yaml *lwh_yaml_parse(lwh_arena *arena, lwh_diagnostics *diagnostics, const char *file, const char *text,
                         size_t size);

lwh_yaml *lwh_yaml_get(const lwh_yaml *map, const char *key); /* NULL when absent, or not a map */
lwh_yaml *lwh_yaml_key(const lwh_yaml *map, const char *key); /* the key's own node */
bool lwh_yaml_is_null(const lwh_yaml *node);                  /* absent, ~, null or nothing at all */
const char *lwh_yaml_kind_name(const lwh_yaml *node);         /* "a list" */

/* Building and changing trees. */
lwh_yaml *lwh_yaml_scalar(lwh_arena *arena, lwh_place place, const char *text, bool quoted);
lwh_yaml *lwh_yaml_new(lwh_arena *arena, lwh_yaml_kind kind, lwh_place place);
lwh_yaml *lwh_yaml_copy(lwh_arena *arena, const lwh_yaml *node);
lw_status lwh_yaml_append(lwh_arena *arena, lwh_yaml *list, lwh_yaml *value);
lw_status lwh_yaml_insert(lwh_arena *arena, lwh_yaml *list, int index, lwh_yaml *value);
/* Adds the entry, or replaces its value. */
lw_status lwh_yaml_put(lwh_arena *arena, lwh_yaml *map, const char *key, lwh_yaml *value);
void lwh_yaml_remove(lwh_yaml *map, const char *key);

#endif
