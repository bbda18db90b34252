/* set.c — `--set steps.walk.with.points=20`: changing the tree before it is understood. List items are
 * found by their id, by their plugin's name, or by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

#define MAX_SEGMENTS 16

typedef struct path {
    char *segment[MAX_SEGMENTS + 1]; /* NULL-terminated */
    int count;
    lwh_place place; /* of the whole --set */
} path;

static const char *const settable[] = {"seed", "device", "models", "matrix", "steps", NULL};

static void unknown(lwh_pipeline *p, const path *at, int depth, const char *const *candidates)
{
    const char *before = "the pipeline";
    for (int i = 0; i < depth && before; i++)
        before = i ? lwh_arena_format(p->arena, "%s.%s", before, at->segment[i]) : at->segment[i];
    lwh_report(p->diagnostics, at->place, lwh_suggest(p->arena, at->segment[depth], candidates),
               "%s has no '%s'", before, at->segment[depth]);
}

/* What a list item answers to: its id, else its plugin's id. */
static const char *item_name(const lwh_yaml *item)
{
    const lwh_yaml *name = lwh_yaml_get(item, "id");
    if (lwh_yaml_is_null(name))
        name = lwh_yaml_get(item, "uses");
    return name && name->kind == LWH_SCALAR ? name->text : "";
}

static int find_item(const lwh_yaml *list, const char *segment)
{
    for (int i = 0; i < list->count; i++) {
        const char *name = item_name(list->value[i]), *slash = strrchr(name, '/');
        if (strcmp(name, segment) == 0 || (slash && strcmp(slash + 1, segment) == 0))
            return i;
    }
    char *end = NULL;
    long index = strtol(segment, &end, 10);
    return end != segment && !*end && index >= 0 && index < list->count ? (int)index : -1;
}

static const char *const *names_in(lwh_pipeline *p, const lwh_yaml *node)
{
    static const char *const none[] = {NULL};
    const char **names = lwh_arena_alloc(p->arena, ((size_t)node->count + 1) * sizeof(*names));
    for (int i = 0; names && i < node->count; i++)
        names[i] = node->kind == LWH_MAP ? node->key[i]->text : item_name(node->value[i]);
    return names ? names : none;
}

/* The mapping or list below `node`, made where it may be left out; NULL where something was reported. */
static lwh_yaml *descend(lwh_pipeline *p, lwh_yaml *node, const path *at, int depth)
{
    static const char *const optional[] = {"with", "inputs", "device", NULL};
    const char *segment = at->segment[depth];
    lwh_yaml *child = NULL;
    if (node->kind == LWH_LIST) {
        int index = find_item(node, segment);
        child = index < 0 ? NULL : node->value[index];
    } else if (node->kind == LWH_MAP) {
        child = lwh_yaml_get(node, segment);
        if (lwh_yaml_is_null(child) && lwi_list_has(optional, segment)) {
            child = lwh_yaml_new(p->arena, LWH_MAP, at->place);
            if (!child || lwh_yaml_put(p->arena, node, segment, child) != LW_OK)
                return NULL;
        }
        const char *next = at->segment[depth + 1];
        bool short_form =
            child && child->kind == LWH_SCALAR && (strcmp(next, "with") == 0 || strcmp(next, "uses") == 0);
        if (short_form) { /* generator: dcgan -> generator: {uses: dcgan} */
            lwh_yaml *longer = lwh_yaml_new(p->arena, LWH_MAP, child->place);
            if (!longer || lwh_yaml_put(p->arena, longer, "uses", child) != LW_OK ||
                lwh_yaml_put(p->arena, node, segment, longer) != LW_OK)
                return NULL;
            child = longer;
        }
    }
    if (!child)
        unknown(p, at, depth, names_in(p, node));
    return child;
}

static void assign(lwh_pipeline *p, lwh_yaml *node, const path *at, lwh_yaml *value)
{
    const char *last = at->segment[at->count - 1];
    bool is_models = at->count == 2 && strcmp(at->segment[0], "models") == 0;
    if (node->kind == LWH_LIST) {
        int index = find_item(node, last);
        if (index >= 0)
            node->value[index] = value;
        else
            unknown(p, at, at->count - 1, names_in(p, node));
    } else if (node->kind == LWH_SCALAR || (is_models && !lwh_yaml_get(node, last))) {
        unknown(p, at, at->count - 1, names_in(p, node));
    } else if (lwh_yaml_put(p->arena, node, last, value) != LW_OK) {
        lwh_report(p->diagnostics, at->place, NULL, "out of memory");
    }
}

static bool split(lwh_pipeline *p, char *text, path *at)
{
    for (char *rest = text; rest; at->count++) {
        char *dot = strchr(rest, '.');
        if (dot)
            *dot++ = 0;
        if (!*rest || at->count == MAX_SEGMENTS) {
            lwh_report(p->diagnostics, at->place, "as in: --set steps.walk.with.points=20", "not a path");
            return false;
        }
        at->segment[at->count] = rest;
        rest = dot;
    }
    return true;
}

void lwh_set(lwh_pipeline *p, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : strlen(assignment);
    const char *text = equals ? equals + 1 : "";
    char *name = lwh_arena_format(p->arena, "--set %.*s", (int)length, assignment);
    const char *source = name ? lwh_diagnostics_source(p->diagnostics, name, text, strlen(text)) : NULL;
    char *copy = source ? lwh_arena_strdup(p->arena, assignment, length) : NULL;
    if (!copy)
        return;
    path at = {.place = {.file = source}};
    if (!equals) {
        lwh_report(p->diagnostics, at.place, "as in: --set steps.walk.with.points=20", "there is no '='");
        return;
    }
    if (!split(p, copy, &at))
        return;
    if (!lwi_list_has(settable, at.segment[0])) {
        unknown(p, &at, 0, settable);
        return;
    }
    lwh_yaml *value = *text ? lwh_yaml_parse(p->arena, p->diagnostics, source, text, strlen(text))
                            : lwh_yaml_scalar(p->arena, (lwh_place){source, 1, 1}, "", false);
    lwh_yaml *node = p->root;
    for (int i = 0; node && i + 1 < at.count; i++)
        node = descend(p, node, &at, i);
    if (node && value)
        assign(p, node, &at, value);
}
