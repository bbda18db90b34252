/* yaml.c — from libyaml's events to a tree. Depth is bounded before recursion can be, duplicate keys
 * and what we do not support (merge keys, tags, several documents) are mistakes with a place. */
#include "tree.h"

#include <string.h>
#include <yaml.h>

#define MAX_ENTRIES 4096 /* of one mapping: looking for duplicate keys is quadratic */

typedef struct anchor {
    const char *name;
    lwh_yaml *node;
} anchor;

typedef struct reader {
    yaml_parser_t parser;
    lwh_arena *arena;
    lwh_diagnostics *diagnostics;
    const char *file;
    anchor *anchors; /* of nodes that are complete */
    int anchor_count, node_count;
    bool failed; /* no way to go on */
} reader;

static lwh_place place_of(const reader *r, yaml_mark_t mark)
{
    return (lwh_place){r->file, (int)mark.line + 1, (int)mark.column + 1};
}

static lwh_yaml *give_up(reader *r, yaml_mark_t mark, const char *hint, const char *message)
{
    lwh_report(r->diagnostics, place_of(r, mark), hint, "%s", message);
    r->failed = true;
    return NULL;
}

static bool next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return true;
    memset(event, 0, sizeof(*event));
    bool at_start = r->parser.error == YAML_READER_ERROR || r->parser.error == YAML_MEMORY_ERROR;
    yaml_mark_t mark = at_start ? (yaml_mark_t){0, 0, 0} : r->parser.problem_mark;
    const char *problem = r->parser.problem ? r->parser.problem : "out of memory";
    lwh_report(r->diagnostics, place_of(r, mark), NULL, "not valid YAML: %s%s%s", problem,
               r->parser.context ? ", " : "", r->parser.context ? r->parser.context : "");
    r->failed = true;
    return false;
}

/* --- nodes ----------------------------------------------------------------------------------- */
lwh_yaml *lwh_yaml_new(lwh_arena *arena, lwh_yaml_kind kind, lwh_place place)
{
    lwh_yaml *node = lwh_arena_alloc(arena, sizeof(*node));
    if (node)
        *node = (lwh_yaml){.kind = kind, .place = place, .text = ""};
    return node;
}

lwh_yaml *lwh_yaml_scalar(lwh_arena *arena, lwh_place place, const char *text, bool quoted)
{
    lwh_yaml *node = lwh_yaml_new(arena, LWH_SCALAR, place);
    char *copy = node ? lwh_arena_strdup(arena, text, strlen(text)) : NULL;
    if (!copy)
        return NULL;
    node->text = copy;
    node->quoted = quoted;
    return node;
}

/* Room for one more entry. The old arrays stay in the arena: sizes double, so the waste is bounded. */
static lw_status grow(lwh_arena *arena, lwh_yaml *node)
{
    if (node->count < node->capacity)
        return LW_OK;
    int capacity = node->capacity ? node->capacity * 2 : 4;
    lwh_yaml **value = lwh_arena_alloc(arena, (size_t)capacity * sizeof(*value));
    lwh_yaml **key = lwh_arena_alloc(arena, (size_t)capacity * sizeof(*key));
    if (!value || !key)
        return LW_MEMORY;
    if (node->count) {
        memcpy(value, node->value, (size_t)node->count * sizeof(*value));
        memcpy(key, node->key, (size_t)node->count * sizeof(*key));
    }
    node->value = value;
    node->key = key;
    node->capacity = capacity;
    return LW_OK;
}

static lw_status add(lwh_arena *arena, lwh_yaml *node, lwh_yaml *key, lwh_yaml *value)
{
    LW_TRY(grow(arena, node));
    node->key[node->count] = key;
    node->value[node->count++] = value;
    return LW_OK;
}

lw_status lwh_yaml_append(lwh_arena *arena, lwh_yaml *list, lwh_yaml *value)
{
    return add(arena, list, NULL, value);
}

lw_status lwh_yaml_insert(lwh_arena *arena, lwh_yaml *list, int index, lwh_yaml *value)
{
    LW_TRY(add(arena, list, NULL, value));
    for (int i = list->count - 1; i > index; i--)
        list->value[i] = list->value[i - 1];
    list->value[index] = value;
    return LW_OK;
}

static int find(const lwh_yaml *map, const char *key)
{
    for (int i = 0; map && map->kind == LWH_MAP && i < map->count; i++)
        if (strcmp(map->key[i]->text, key) == 0)
            return i;
    return -1;
}

lw_status lwh_yaml_put(lwh_arena *arena, lwh_yaml *map, const char *key, lwh_yaml *value)
{
    int index = find(map, key);
    if (index >= 0) {
        map->value[index] = value;
        return LW_OK;
    }
    lwh_yaml *name = lwh_yaml_scalar(arena, value->place, key, false);
    return name ? add(arena, map, name, value) : LW_MEMORY;
}

void lwh_yaml_remove(lwh_yaml *map, const char *key)
{
    int index = find(map, key);
    if (index < 0)
        return;
    for (int i = index; i + 1 < map->count; i++) {
        map->key[i] = map->key[i + 1];
        map->value[i] = map->value[i + 1];
    }
    map->count--;
}

lwh_yaml *lwh_yaml_get(const lwh_yaml *map, const char *key)
{
    int index = find(map, key);
    return index < 0 ? NULL : map->value[index];
}

lwh_yaml *lwh_yaml_key(const lwh_yaml *map, const char *key)
{
    int index = find(map, key);
    return index < 0 ? NULL : map->key[index];
}

bool lwh_yaml_is_null(const lwh_yaml *node)
{
    if (!node)
        return true;
    if (node->kind != LWH_SCALAR || node->quoted)
        return false;
    return !*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

const char *lwh_yaml_kind_name(const lwh_yaml *node)
{
    if (lwh_yaml_is_null(node))
        return "nothing";
    return node->kind == LWH_SCALAR ? "a single value" : node->kind == LWH_LIST ? "a list" : "a mapping";
}

/* How many nodes a tree has; stops counting above the limit. */
static int count_nodes(const lwh_yaml *node, int limit)
{
    int count = 1;
    for (int i = 0; i < node->count && count <= limit; i++)
        count += (node->key[i] ? 1 : 0) + count_nodes(node->value[i], limit - count);
    return count;
}

lwh_yaml *lwh_yaml_copy(lwh_arena *arena, const lwh_yaml *node)
{
    lwh_yaml *copy = lwh_yaml_new(arena, node->kind, node->place);
    if (!copy)
        return NULL;
    copy->text = node->text;
    copy->quoted = node->quoted;
    for (int i = 0; i < node->count; i++) {
        lwh_yaml *value = lwh_yaml_copy(arena, node->value[i]);
        if (!value || add(arena, copy, node->key[i], value) != LW_OK)
            return NULL;
    }
    return copy;
}

/* --- reading --------------------------------------------------------------------------------- */
static lwh_yaml *read_node(reader *r, const yaml_event_t *event, int depth);

static int depth_of(const lwh_yaml *node)
{
    int deepest = 0;
    for (int i = 0; i < node->count; i++) {
        int below = depth_of(node->value[i]);
        deepest = below > deepest ? below : deepest;
    }
    return deepest + 1;
}

static lwh_yaml *read_alias(reader *r, const yaml_event_t *event, int depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    lwh_yaml *node = NULL;
    for (int i = r->anchor_count - 1; i >= 0 && !node; i--)
        if (strcmp(r->anchors[i].name, name) == 0)
            node = r->anchors[i].node;
    if (!node)
        return give_up(r, event->start_mark,
                       "an anchor (&name) must be written, and end, before its alias (*name)",
                       "alias of an unknown anchor");
    int room = LWH_YAML_MAX_NODES - r->node_count;
    int size = count_nodes(node, room);
    if (size > room)
        return give_up(r, event->start_mark, "at most 100000 nodes, counting each use of an anchor",
                       "the document grows too large");
    if (depth + depth_of(node) > LWH_YAML_MAX_DEPTH)
        return give_up(r, event->start_mark, "at most 64 levels", "nested too deeply");
    r->node_count += size;
    return lwh_yaml_copy(r->arena, node);
}

static lw_status remember_anchor(reader *r, const yaml_char_t *name, lwh_yaml *node)
{
    if (!name || !node)
        return LW_OK;
    anchor *grown = lw_resize(r->anchors, (size_t)r->anchor_count + 1, sizeof(anchor));
    if (!grown)
        return LW_MEMORY;
    r->anchors = grown;
    grown[r->anchor_count].name = lwh_arena_strdup(r->arena, (const char *)name, strlen((const char *)name));
    grown[r->anchor_count].node = node;
    if (!grown[r->anchor_count].name)
        return LW_MEMORY;
    r->anchor_count++;
    return LW_OK;
}

static lwh_yaml *read_scalar(reader *r, const yaml_event_t *event)
{
    size_t length = event->data.scalar.length;
    if (memchr(event->data.scalar.value, 0, length))
        return give_up(r, event->start_mark, NULL, "a zero byte within a text");
    lwh_yaml *node = lwh_yaml_new(r->arena, LWH_SCALAR, place_of(r, event->start_mark));
    if (!node)
        return NULL;
    node->text = lwh_arena_strdup(r->arena, (const char *)event->data.scalar.value, length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node->text ? node : NULL;
}

static bool check_key(reader *r, const lwh_yaml *map, const lwh_yaml *key)
{
    if (key->kind != LWH_SCALAR) {
        lwh_report(r->diagnostics, key->place, NULL, "a key must be a single value, this is %s",
                   lwh_yaml_kind_name(key));
        return false;
    }
    if (strcmp(key->text, "<<") == 0 && !key->quoted) {
        lwh_report(r->diagnostics, key->place,
                   "write the entries out, or share a whole mapping with an alias (*name)",
                   "merge keys (<<) are not supported");
        return false;
    }
    if (map->count >= MAX_ENTRIES) {
        lwh_report(r->diagnostics, key->place, NULL, "a mapping may have at most %d entries", MAX_ENTRIES);
        r->failed = true;
        return false;
    }
    const lwh_yaml *first = lwh_yaml_key(map, key->text);
    if (first) {
        lwh_report(r->diagnostics, key->place, NULL, "key '%s' is given twice, first in line %d", key->text,
                   first->place.line);
        return false;
    }
    return true;
}

/* Reads entries up to the end event of a list or map. */
static lwh_yaml *read_children(reader *r, lwh_yaml *node, yaml_event_type_t end, int depth)
{
    while (!r->failed) {
        yaml_event_t event;
        if (!next_event(r, &event))
            break;
        if (event.type == end) {
            yaml_event_delete(&event);
            return node;
        }
        lwh_yaml *child = read_node(r, &event, depth), *key = NULL;
        yaml_event_delete(&event);
        if (node->kind == LWH_MAP && child) {
            key = child;
            if (!next_event(r, &event))
                break;
            child = read_node(r, &event, depth);
            yaml_event_delete(&event);
        }
        if (!child)
            r->failed = true;
        else if ((!key || check_key(r, node, key)) && add(r->arena, node, key, child) != LW_OK)
            r->failed = true;
    }
    return NULL;
}

static lwh_yaml *read_node(reader *r, const yaml_event_t *event, int depth)
{
    if (depth >= LWH_YAML_MAX_DEPTH)
        return give_up(r, event->start_mark, "at most 64 levels", "nested too deeply");
    if (++r->node_count > LWH_YAML_MAX_NODES)
        return give_up(r, event->start_mark, "at most 100000 nodes, counting each use of an anchor",
                       "the document grows too large");
    const yaml_char_t *name = NULL;
    lwh_yaml *node = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT: return read_alias(r, event, depth);
    case YAML_SCALAR_EVENT:
        name = event->data.scalar.anchor;
        node = read_scalar(r, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        name = event->data.sequence_start.anchor;
        node = lwh_yaml_new(r->arena, LWH_LIST, place_of(r, event->start_mark));
        node = node ? read_children(r, node, YAML_SEQUENCE_END_EVENT, depth + 1) : NULL;
        break;
    case YAML_MAPPING_START_EVENT:
        name = event->data.mapping_start.anchor;
        node = lwh_yaml_new(r->arena, LWH_MAP, place_of(r, event->start_mark));
        node = node ? read_children(r, node, YAML_MAPPING_END_EVENT, depth + 1) : NULL;
        break;
    default: return give_up(r, event->start_mark, NULL, "not valid YAML here");
    }
    return remember_anchor(r, name, node) == LW_OK ? node : NULL;
}

/* The one document of the stream. */
static lwh_yaml *read_stream(reader *r)
{
    lwh_yaml *root = NULL;
    for (bool done = false; !done && !r->failed;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            break;
        if (event.type == YAML_STREAM_END_EVENT) {
            done = true;
        } else if (event.type == YAML_DOCUMENT_START_EVENT && root) {
            give_up(r, event.start_mark, "one file holds one pipeline", "a second document begins");
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                   event.type != YAML_DOCUMENT_END_EVENT) {
            root = read_node(r, &event, 0);
            r->failed = r->failed || !root;
        }
        yaml_event_delete(&event);
    }
    return r->failed ? NULL : root;
}

lwh_yaml *lwh_yaml_parse(lwh_arena *arena, lwh_diagnostics *diagnostics, const char *file, const char *text,
                         size_t size)
{
    reader r = {.arena = arena, .diagnostics = diagnostics, .file = file};
    lwh_place start = {file, 1, 1};
    if (size > LWH_YAML_MAX_BYTES) {
        lwh_report(diagnostics, start, "at most 4 MiB", "the file is too large (%zu bytes)", size);
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        lwh_report(diagnostics, start, NULL, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    size_t before = lwh_diagnostics_count(diagnostics);
    lwh_yaml *root = read_stream(&r);
    if (!root && lwh_diagnostics_count(diagnostics) == before)
        lwh_report(diagnostics, start, NULL, r.failed ? "out of memory" : "the file is empty");
    yaml_parser_delete(&r.parser);
    lw_free(r.anchors);
    return root;
}
