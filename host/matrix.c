/* matrix.c — `matrix:` runs a pipeline's steps for every combination of values, side by side.
 *
 *   matrix:
 *     traversal:                        # an axis: values by label, or a plain list
 *       linear: {uses: method/linear-traversal}
 *       bounded: {uses: method/bounded-local-space, with: {alpha: 0.5}}
 *     model: [faces, cars]
 *   steps:
 *     - {id: start, uses: source/latents, with: {model: "${model}", count: 8}}
 *     - {id: walk, matrix: traversal, with: {model: "${model}"}, inputs: {z: start.z}}
 *     - {id: report, uses: sink/report, inputs: {walks: [walk.images]}}
 *
 * becomes start-faces, start-cars, walk-linear-faces, walk-linear-cars, walk-bounded-faces, …, and one
 * report of all walks. A step is repeated along the axes that it names and along those of the outputs it
 * takes; an output in a list is taken with all its variants instead. `matrix:` in a step names an axis whose
 * values are mappings: the step takes over their entries, its own going first. In an id, "${traversal}" is
 * the value's label. Tree in, tree out: the later stages see plain steps. */
#include <ctype.h>
#include <string.h>

#include "pipeline.h"

#define MAX_AXES 8
#define MAX_STEPS 1000

typedef struct axis {
    const lwh_yaml *key;
    int count;
    const char **label; /* in step ids */
    lwh_yaml **value;
    bool used;
} axis;

/* A step as written, with the set of axes (bits) that it is repeated along. */
typedef struct template
{
    const char *id; /* NULL: has none that can be varied */
    lwh_yaml *node;
    unsigned axes;
}
template;

typedef struct matrix {
    lwh_pipeline *p;
    axis axis[MAX_AXES];
    int axis_count;
    template *step;
    int step_count;
    int pick[MAX_AXES]; /* the combination being made: a value of each axis */
    lwh_yaml *made;     /* the list of steps that comes out */
} matrix;

/* --- reading the axes --------------------------------------------------------------------------- */
/* "linear-traversal" of "method/linear-traversal", "0_5" of 0.5: what can stand in a step's id. */
static const char *label_of(matrix *m, const char *text)
{
    const char *slash = strrchr(text, '/');
    char *label = lwh_arena_strdup(m->p->arena, slash ? slash + 1 : text, strlen(slash ? slash + 1 : text));
    for (char *c = label; c && *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '_';
    return label;
}

static bool labels_differ(matrix *m, const axis *a)
{
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(a->label[i], a->label[k]) == 0) {
                lwh_report(m->p->diagnostics, a->value[i]->place,
                           "name the values, as in: {plain: 1, strong: 2}",
                           "two values of the axis '%s' have the label '%s'", a->key->text, a->label[i]);
                return false;
            }
    return true;
}

static bool read_axis(matrix *m, const lwh_yaml *key, lwh_yaml *node)
{
    axis *a = &m->axis[m->axis_count++];
    *a = (axis){.key = key, .count = node->kind == LWH_SCALAR ? 0 : node->count};
    if (a->count == 0) {
        lwh_report(m->p->diagnostics, node->place, "a list, or a mapping from labels to values",
                   "the axis '%s' has no values", key->text);
        return false;
    }
    a->label = lwh_arena_alloc(m->p->arena, (size_t)a->count * sizeof(*a->label));
    a->value = node->value;
    for (int i = 0; a->label && i < a->count; i++) {
        const lwh_yaml *name = node->kind == LWH_MAP ? node->key[i] : node->value[i];
        if (name->kind != LWH_SCALAR) {
            lwh_report(m->p->diagnostics, name->place, "as in: {gentle: {...}, bold: {...}}",
                       "values of an axis that are no plain words need labels");
            return false;
        }
        a->label[i] = label_of(m, name->text);
        if (!a->label[i])
            return false;
    }
    return a->label && labels_differ(m, a);
}

static bool read_axes(matrix *m, const lwh_yaml *node)
{
    if (node->kind != LWH_MAP || node->count == 0 || node->count > MAX_AXES) {
        lwh_report(m->p->diagnostics, node->place, "as in: matrix: {points: [5, 10], model: [faces, cars]}",
                   "`matrix` maps at most %d names to lists of values", MAX_AXES);
        return false;
    }
    bool good = true;
    for (int i = 0; i < node->count; i++)
        good = read_axis(m, node->key[i], node->value[i]) && good;
    return good;
}

/* --- references to axes --------------------------------------------------------------------------- */
static int find_axis(matrix *m, const lwh_yaml *node, const char *name, size_t length)
{
    const char *names[MAX_AXES + 1] = {NULL};
    for (int i = 0; i < m->axis_count; i++) {
        names[i] = m->axis[i].key->text;
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            return i;
    }
    char *missing = lwh_arena_strdup(m->p->arena, name, length);
    lwh_report(m->p->diagnostics, node->place, missing ? lwh_suggest(m->p->arena, missing, names) : NULL,
               "the matrix has no axis '%s'", missing ? missing : "");
    return -1;
}

/* The next "${name}" in `text`: where it begins, and its axis (-1 where reported). NULL: none follows. */
static const char *next_reference(matrix *m, const lwh_yaml *node, const char *text, int *which,
                                  size_t *length)
{
    const char *begin = strstr(text, "${"), *end = begin ? strchr(begin, '}') : NULL;
    if (!end)
        return NULL;
    *length = (size_t)(end - begin) + 1;
    *which = find_axis(m, node, begin + 2, *length - 3);
    return begin;
}

static unsigned named_axes(matrix *m, const lwh_yaml *node)
{
    unsigned axes = 0;
    if (node->kind != LWH_SCALAR) {
        for (int i = 0; i < node->count; i++)
            axes |= named_axes(m, node->value[i]);
        return axes;
    }
    int which;
    size_t length;
    for (const char *at = node->text; (at = next_reference(m, node, at, &which, &length)); at += length)
        if (which >= 0) {
            axes |= 1u << which;
            m->axis[which].used = true;
        }
    return axes;
}

static void mark_varied(lwh_yaml *node)
{
    node->varied = true;
    for (int i = 0; i < node->count; i++)
        mark_varied(node->value[i]);
}

/* The text with the values picked put in, or their labels; NULL without memory. */
static const char *substitute_text(matrix *m, const lwh_yaml *node, bool labels)
{
    int which;
    size_t length;
    const char *text = "", *rest = node->text;
    for (const char *at; text && (at = next_reference(m, node, rest, &which, &length)); rest = at + length) {
        const lwh_yaml *value = which < 0 ? node : m->axis[which].value[m->pick[which]];
        const char *label = which < 0 ? "" : m->axis[which].label[m->pick[which]];
        if (!labels && value->kind != LWH_SCALAR) {
            lwh_report(m->p->diagnostics, node->place, "write it alone, as in: \"${NAME}\"",
                       "%s cannot stand inside a text", lwh_yaml_kind_name(value));
            return node->text;
        }
        text = lwh_arena_format(m->p->arena, "%s%.*s%s", text, (int)(at - rest), rest,
                                labels || which < 0 ? label : value->text);
    }
    return text && *text ? lwh_arena_format(m->p->arena, "%s%s", text, rest) : text ? rest : NULL;
}

/* The node with the values picked put in. A text that is nothing but one reference becomes the value
 * itself. */
static lwh_yaml *substitute(matrix *m, lwh_yaml *node)
{
    for (int i = 0; node->kind != LWH_SCALAR && i < node->count; i++)
        if (!(node->value[i] = substitute(m, node->value[i])))
            return NULL;
    if (node->kind != LWH_SCALAR)
        return node;
    int which;
    size_t length;
    const char *at = next_reference(m, node, node->text, &which, &length);
    if (at == node->text && which >= 0 && !at[length]) {
        lwh_yaml *copy = lwh_yaml_copy(m->p->arena, m->axis[which].value[m->pick[which]]);
        if (copy)
            mark_varied(copy);
        return copy;
    }
    node->text = substitute_text(m, node, false);
    return node->text ? node : NULL;
}

/* --- outputs of steps that are repeated ------------------------------------------------------------- */
static const template *find_template(const matrix *m, const lwh_yaml *reference)
{
    const char *dot = reference->kind == LWH_SCALAR ? strchr(reference->text, '.') : NULL;
    for (int i = 0; dot && i < m->step_count; i++) {
        const char *id = m->step[i].id;
        if (id && strlen(id) == (size_t)(dot - reference->text) &&
            strncmp(id, reference->text, strlen(id)) == 0)
            return &m->step[i];
    }
    return NULL;
}

/* The axes of the outputs that a step takes one at a time. */
static unsigned taken_axes(const matrix *m, const lwh_yaml *step)
{
    const lwh_yaml *inputs = lwh_yaml_get(step, "inputs");
    unsigned axes = 0;
    for (int i = 0; inputs && inputs->kind == LWH_MAP && i < inputs->count; i++) {
        const template *from = find_template(m, inputs->value[i]);
        axes |= from ? from->axes : 0;
    }
    return axes;
}

/* "walk-linear-faces" for the values picked. */
static const char *variant_id(const matrix *m, const template *step)
{
    const char *id = step->id;
    for (int i = 0; id && i < m->axis_count; i++)
        if (step->axes >> i & 1)
            id = lwh_arena_format(m->p->arena, "%s-%s", id, m->axis[i].label[m->pick[i]]);
    return id;
}

static lwh_yaml *variant_reference(const matrix *m, const template *from, const lwh_yaml *reference)
{
    const char *id = variant_id(m, from);
    char *text = id ? lwh_arena_format(m->p->arena, "%s%s", id, strchr(reference->text, '.')) : NULL;
    return text ? lwh_yaml_scalar(m->p->arena, reference->place, text, false) : NULL;
}

/* Steps pick[] on to the next combination of these axes, the last one fastest; false after the last. */
static bool next_combination(matrix *m, unsigned axes)
{
    for (int i = m->axis_count - 1; i >= 0; i--) {
        if (!(axes >> i & 1))
            continue;
        if (++m->pick[i] < m->axis[i].count)
            return true;
        m->pick[i] = 0;
    }
    return false;
}

/* Every variant of one output in a list, along the axes that are not fixed by the step. */
static lw_status append_variants(matrix *m, lwh_yaml *list, lwh_yaml *reference, unsigned fixed)
{
    const template *from = find_template(m, reference);
    if (!from || !from->axes)
        return lwh_yaml_append(m->p->arena, list, reference);
    do {
        lwh_yaml *variant = variant_reference(m, from, reference);
        LW_TRY(variant ? lwh_yaml_append(m->p->arena, list, variant) : LW_MEMORY);
    } while (next_combination(m, from->axes & ~fixed));
    return LW_OK;
}

static lw_status vary_inputs(matrix *m, const lwh_yaml *step, unsigned fixed)
{
    lwh_yaml *inputs = lwh_yaml_get(step, "inputs");
    for (int i = 0; inputs && inputs->kind == LWH_MAP && i < inputs->count; i++) {
        lwh_yaml *value = inputs->value[i];
        const template *from = find_template(m, value);
        if (value->kind == LWH_LIST) {
            inputs->value[i] = lwh_yaml_new(m->p->arena, LWH_LIST, value->place);
            if (!inputs->value[i])
                return LW_MEMORY;
            for (int k = 0; k < value->count; k++)
                LW_TRY(append_variants(m, inputs->value[i], value->value[k], fixed));
        } else if (from && !(inputs->value[i] = variant_reference(m, from, value))) {
            return LW_MEMORY;
        }
    }
    return LW_OK;
}

/* --- making the steps -------------------------------------------------------------------------------- */
/* Adds what `from` has and `to` has not; where both have mappings, entry by entry. */
static lw_status merge(matrix *m, lwh_yaml *to, const lwh_yaml *from)
{
    for (int i = 0; i < from->count; i++) {
        lwh_yaml *mine = lwh_yaml_get(to, from->key[i]->text), *theirs = from->value[i];
        if (!mine)
            LW_TRY(lwh_yaml_put(m->p->arena, to, from->key[i]->text, theirs));
        else if (mine->kind == LWH_MAP && theirs->kind == LWH_MAP)
            LW_TRY(merge(m, mine, theirs));
    }
    return LW_OK;
}

/* The axis that the step's own `matrix:` names; -1 where it has none, or a mistake was reported. */
static int axis_of(matrix *m, const lwh_yaml *step)
{
    const lwh_yaml *name = lwh_yaml_get(step, "matrix");
    if (!name)
        return -1;
    if (name->kind != LWH_SCALAR) {
        lwh_report(m->p->diagnostics, name->place, "the name of an axis", "`matrix` of a step is %s",
                   lwh_yaml_kind_name(name));
        return -1;
    }
    return find_axis(m, name, name->text, strlen(name->text));
}

static lw_status take_entries(matrix *m, lwh_yaml *step)
{
    int which = axis_of(m, step);
    lwh_yaml_remove(step, "matrix");
    if (which < 0)
        return LW_OK;
    lwh_yaml *entries = lwh_yaml_copy(m->p->arena, m->axis[which].value[m->pick[which]]);
    if (!entries)
        return LW_MEMORY;
    mark_varied(entries);
    if (entries->kind == LWH_MAP)
        return merge(m, step, entries);
    lwh_report(m->p->diagnostics, entries->place, "as in: {uses: method/trajectory-net, with: {points: 5}}",
               "a step takes over the entries of a mapping, this is %s", lwh_yaml_kind_name(entries));
    return LW_OK;
}

static lw_status make_variant(matrix *m, const template *step)
{
    lwh_yaml *made = lwh_yaml_copy(m->p->arena, step->node);
    lwh_yaml *named = made ? lwh_yaml_get(made, "id") : NULL;
    if (named && named->kind == LWH_SCALAR && !(named->text = substitute_text(m, named, true)))
        return LW_MEMORY;
    made = made ? substitute(m, made) : NULL;
    if (!made)
        return LW_MEMORY;
    if (made->kind == LWH_MAP) {
        const lwh_yaml *id = lwh_yaml_get(made, "id");
        const char *text = variant_id(m, step);
        LW_TRY(take_entries(m, made));
        LW_TRY(vary_inputs(m, made, step->axes));
        if (step->axes && text)
            LW_TRY(lwh_yaml_put(m->p->arena, made, "id",
                                lwh_yaml_scalar(m->p->arena, id->place, text, id->quoted)));
    }
    return lwh_yaml_append(m->p->arena, m->made, made);
}

static void read_template(matrix *m, lwh_yaml *node)
{
    template *step = &m->step[m->step_count];
    const lwh_yaml *id = lwh_yaml_get(node, "id");
    int own = axis_of(m, node);
    *step = (template){.id = id && id->kind == LWH_SCALAR && !named_axes(m, id) ? id->text : NULL,
                       .node = node,
                       .axes = named_axes(m, node) | taken_axes(m, node) | (own < 0 ? 0 : 1u << own)};
    if (own >= 0)
        m->axis[own].used = true;
    m->step_count++;
}

static lw_status make_steps(matrix *m, lwh_yaml *steps)
{
    m->step = lwh_arena_alloc(m->p->arena, (size_t)steps->count * sizeof(*m->step) + 1);
    m->made = lwh_yaml_new(m->p->arena, LWH_LIST, steps->place);
    if (!m->step || !m->made)
        return LW_MEMORY;
    for (int i = 0; i < steps->count; i++)
        read_template(m, steps->value[i]);
    for (int i = 0; i < steps->count; i++) {
        do {
            if (m->made->count == MAX_STEPS) {
                lwh_report(m->p->diagnostics, steps->value[i]->place, NULL,
                           "the matrix makes more than %d steps", MAX_STEPS);
                return LW_OK;
            }
            LW_TRY(make_variant(m, &m->step[i]));
        } while (next_combination(m, m->step[i].axes));
    }
    return lwh_yaml_put(m->p->arena, m->p->root, "steps", m->made);
}

void lwh_expand_matrix(lwh_pipeline *p)
{
    const lwh_yaml *node = lwh_yaml_get(p->root, "matrix");
    lwh_yaml *steps = lwh_yaml_get(p->root, "steps");
    matrix m = {.p = p};
    if (lwh_yaml_is_null(node) || !read_axes(&m, node) || !steps || steps->kind != LWH_LIST)
        return;
    if (make_steps(&m, steps) != LW_OK)
        lwh_report(p->diagnostics, node->place, NULL, "out of memory");
    for (int i = 0; i < m.axis_count; i++)
        if (!m.axis[i].used)
            lwh_report(
                p->diagnostics, m.axis[i].key->place,
                lwh_arena_format(p->arena, "write \"${%s}\" where its values belong", m.axis[i].key->text),
                "no step names the axis '%s'", m.axis[i].key->text);
}
