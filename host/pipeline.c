/* pipeline.c — reading a pipeline: files and includes into one tree, the tree into models and steps. */
#include "pipeline.h"
#include "tuning.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latentwalk/image.h"
#include "model/model.h"
#include "plugin/args.h"

static const char *const top_keys[] = {"latentwalk", "seed",   "device", "include",
                                       "models",     "matrix", "steps",  NULL};
static const char *const device_keys[] = {"select", "blas", "tuning", NULL};
static const char *const step_keys[] = {"id", "uses", "with", "inputs", NULL};

/* --- small things ----------------------------------------------------------------------------- */
const char *lwh_suggest(lwh_arena *arena, const char *text, const char *const *candidates)
{
    const char *near = lw_closest(text, candidates);
    if (near)
        return lwh_arena_format(arena, "did you mean '%s'?", near);
    if (!candidates[0])
        return NULL;
    const char *list = candidates[0];
    for (int i = 1; candidates[i] && list && i < 24; i++)
        list = lwh_arena_format(arena, "%s, %s", list, candidates[i]);
    return list ? lwh_arena_format(arena, "%s%s", candidates[1] ? "one of: " : "", list) : NULL;
}

void lwh_unknown_keys(lwh_pipeline *p, const lwh_yaml *map, const char *const *known, const char *what)
{
    for (int i = 0; map->kind == LWH_MAP && i < map->count; i++)
        if (!lwi_list_has(known, map->key[i]->text))
            lwh_report(p->diagnostics, map->key[i]->place, lwh_suggest(p->arena, map->key[i]->text, known),
                       "%s has no key '%s'", what, map->key[i]->text);
}

char *lwh_resolve_path(lwh_arena *arena, lwh_place place, const char *path)
{
    const char *file = place.file ? place.file : "";
    const char *slash = strncmp(file, "--", 2) == 0 ? NULL : strrchr(file, '/');
    int folder = slash ? (int)(slash - file) + 1 : 0;
    char *joined = *path == '/' ? lwh_arena_strdup(arena, path, strlen(path))
                                : lwh_arena_format(arena, "%.*s%s", folder, file, path);
    char *real = joined ? realpath(joined, NULL) : NULL;
    if (real) {
        joined = lwh_arena_strdup(arena, real, strlen(real));
        free(real);
    }
    return joined;
}

lwh_model *lwh_find_model(const lwh_pipeline *p, const char *name)
{
    for (int i = 0; i < p->model_count; i++)
        if (strcmp(p->models[i].name, name) == 0)
            return &p->models[i];
    return NULL;
}

const char *const *lwh_model_names(const lwh_pipeline *p)
{
    static const char *const none[] = {NULL};
    const char **names = lwh_arena_alloc(p->arena, ((size_t)p->model_count + 1) * sizeof(*names));
    for (int i = 0; names && i < p->model_count; i++)
        names[i] = p->models[i].name;
    return names ? names : none;
}

/* A name that can stand in paths, references and file names. */
static bool is_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return length > 0 && length < LWI_NAME_BYTES && !text[length] && text[0] != '-';
}

static void expect(lwh_pipeline *p, const lwh_yaml *node, const char *hint, const char *what)
{
    lwh_report(p->diagnostics, node->place, hint, "%s, this is %s", what, lwh_yaml_kind_name(node));
}

/* --- steps ------------------------------------------------------------------------------------ */
/* "walk.images" of an earlier step. */
static bool parse_reference(lwh_pipeline *p, const lwh_yaml *node, lwh_input *input, int slot, int step_index)
{
    const char *dot = node->kind == LWH_SCALAR ? strchr(node->text, '.') : NULL;
    if (!dot || dot == node->text || !dot[1]) {
        lwh_report(p->diagnostics, node->place, "an output of an earlier step, as in: start.z",
                   "an input takes STEP.OUTPUT, this is %s%s%s", node->kind == LWH_SCALAR ? "'" : "",
                   node->kind == LWH_SCALAR ? node->text : lwh_yaml_kind_name(node),
                   node->kind == LWH_SCALAR ? "'" : "");
        return false;
    }
    input->from[slot].step = lwh_arena_strdup(p->arena, node->text, (size_t)(dot - node->text));
    input->from[slot].output = dot + 1;
    input->from[slot].index = -1;
    input->from[slot].place = node->place;
    const char **ids = lwh_arena_alloc(p->arena, ((size_t)step_index + 1) * sizeof(*ids));
    if (!input->from[slot].step || !ids)
        return false;
    for (int i = 0; i < p->step_count; i++) {
        if (i < step_index)
            ids[i] = p->steps[i].id ? p->steps[i].id : "";
        if (p->steps[i].id && strcmp(p->steps[i].id, input->from[slot].step) == 0)
            input->from[slot].index = i;
    }
    int found = input->from[slot].index;
    if (found >= 0 && found < step_index)
        return true;
    input->from[slot].index = -1;
    if (found < 0)
        lwh_report(p->diagnostics, node->place, lwh_suggest(p->arena, input->from[slot].step, ids),
                   "there is no step '%s'", input->from[slot].step);
    else
        lwh_report(p->diagnostics, node->place, "steps run in the order they are written; move it up",
                   found == step_index ? "step '%s' takes its own output" : "step '%s' comes later",
                   input->from[slot].step);
    return false;
}

static void parse_inputs(lwh_pipeline *p, lwh_step *step, lwh_yaml *node, int step_index)
{
    if (lwh_yaml_is_null(node))
        return;
    if (node->kind != LWH_MAP) {
        expect(p, node, "as in: inputs: {images: walk.images}", "`inputs` maps ports to outputs");
        step->broken = true;
        return;
    }
    step->inputs = lwh_arena_alloc(p->arena, (size_t)node->count * sizeof(*step->inputs) + 1);
    for (int i = 0; step->inputs && i < node->count; i++) {
        lwh_yaml *value = node->value[i];
        lwh_input *input = &step->inputs[step->input_count];
        input->port = node->key[i]->text;
        input->place = node->key[i]->place;
        input->list = value->kind == LWH_LIST;
        int count = input->list ? value->count : 1;
        input->from = lwh_arena_alloc(p->arena, (size_t)count * sizeof(*input->from) + 1);
        if (!input->from)
            return;
        for (int k = 0; k < count; k++)
            if (!parse_reference(p, input->list ? value->value[k] : value, input, k, step_index))
                step->broken = true;
        input->count = count;
        step->input_count++;
    }
}

static const char *parse_step_id(lwh_pipeline *p, const lwh_yaml *node, int index)
{
    const lwh_yaml *id = lwh_yaml_get(node, "id");
    if (lwh_yaml_is_null(id)) {
        lwh_report(p->diagnostics, node->place, "as in: id: walk", "the step has no `id`");
        return NULL;
    }
    if (id->kind != LWH_SCALAR || !is_name(id->text)) {
        lwh_report(p->diagnostics, id->place, "letters, digits, '_' and '-', at most 63 of them",
                   "not an id for a step");
        return NULL;
    }
    for (int i = 0; i < index; i++)
        if (p->steps[i].id && strcmp(p->steps[i].id, id->text) == 0)
            lwh_report(p->diagnostics, id->place, NULL, "two steps have the id '%s', the first in line %d",
                       id->text, p->steps[i].place.line);
    return id->text;
}

static void parse_step(lwh_pipeline *p, lwh_yaml *node, int index)
{
    lwh_step *step = &p->steps[index];
    step->place = node->place;
    if (node->kind != LWH_MAP) {
        expect(p, node, "as in: {id: walk, uses: method/trajectory-net, with: {...}, inputs: {...}}",
               "a step is a mapping");
        step->broken = true;
        return;
    }
    lwh_unknown_keys(p, node, step_keys, "a step");
    step->id = parse_step_id(p, node, index);
    step->uses_node = lwh_yaml_get(node, "uses");
    step->with = lwh_yaml_get(node, "with");
    if (lwh_yaml_is_null(step->uses_node) || step->uses_node->kind != LWH_SCALAR)
        lwh_report(p->diagnostics, step->uses_node ? step->uses_node->place : node->place,
                   "as in: uses: method/trajectory-net", "the step does not say which plugin it uses");
    else
        step->uses = step->uses_node->text;
    step->broken = step->broken || !step->id || !step->uses;
    parse_inputs(p, step, lwh_yaml_get(node, "inputs"), index);
}

static void parse_steps(lwh_pipeline *p, lwh_yaml *node)
{
    if (lwh_yaml_is_null(node) || node->kind != LWH_LIST || !node->count) {
        lwh_report(p->diagnostics, node ? node->place : p->root->place,
                   "steps: [{id: start, uses: source/latents, with: {...}}, ...]",
                   "the pipeline has no list of steps");
        return;
    }
    p->steps = lwh_arena_alloc(p->arena, (size_t)node->count * sizeof(*p->steps));
    if (!p->steps)
        return;
    p->step_count = node->count;
    for (int i = 0; i < node->count; i++) /* ids first: a reference may be to a step that comes later */
        if (node->value[i]->kind == LWH_MAP && lwh_yaml_get(node->value[i], "id"))
            p->steps[i].id = lwh_yaml_get(node->value[i], "id")->text;
    for (int i = 0; i < node->count; i++)
        parse_step(p, node->value[i], i);
}

/* --- the rest of the document ------------------------------------------------------------------ */
static void parse_version(lwh_pipeline *p)
{
    const lwh_yaml *node = lwh_yaml_get(p->root, "latentwalk");
    if (!node)
        lwh_report(p->diagnostics, p->root->place, "begin the file with: latentwalk: 1",
                   "the file does not say which version of the pipeline format it is written in");
    else if (node->kind != LWH_SCALAR || strcmp(node->text, "1") != 0)
        lwh_report(p->diagnostics, node->place, "this program reads version 1",
                   "unknown version of the pipeline format");
}

static void parse_seed(lwh_pipeline *p)
{
    const lwh_yaml *node = lwh_yaml_get(p->root, "seed");
    if (lwh_yaml_is_null(node))
        return;
    char *end = NULL;
    errno = 0;
    unsigned long long value = node->kind == LWH_SCALAR ? strtoull(node->text, &end, 10) : 0;
    if (!end || end == node->text || *end || errno || *node->text == '-' || value > INT64_MAX)
        lwh_report(p->diagnostics, node->place, "a whole number from 0 to 9223372036854775807", "not a seed");
    p->seed = value;
    p->seed_place = node->place;
}

static void parse_tuning(lwh_pipeline *p, const lwh_yaml *value)
{
    const bool word = strcmp(value->text, "measure") == 0 || strcmp(value->text, "estimate") == 0;
    p->tuning = word ? value->text : lwh_resolve_path(p->arena, value->place, value->text);
    if (!word && p->tuning && access(p->tuning, R_OK) != 0)
        lwh_report(p->diagnostics, value->place, "measure, estimate, or the tuning.json of a run",
                   "there is no file '%s'", p->tuning);
}

static void parse_device(lwh_pipeline *p, const lwh_yaml *node)
{
    static const char *const backends[] = {"auto", "native", "clblast", NULL};
    p->tuning = lwh_default_tuning();
    if (lwh_yaml_is_null(node))
        return;
    if (node->kind != LWH_MAP) {
        expect(p, node, "as in: device: {select: cpu, blas: native}", "`device` is a mapping");
        return;
    }
    lwh_unknown_keys(p, node, device_keys, "`device`");
    for (int i = 0; i < node->count; i++) {
        const lwh_yaml *value = node->value[i];
        bool blas = strcmp(node->key[i]->text, "blas") == 0;
        if (value->kind != LWH_SCALAR)
            expect(p, value, NULL, "one value is expected here");
        else if (blas && !lwi_list_has(backends, value->text))
            lwh_report(p->diagnostics, value->place, lwh_suggest(p->arena, value->text, backends),
                       "there is no back end '%s'", value->text);
        else if (blas)
            p->blas = value->text;
        else if (strcmp(node->key[i]->text, "tuning") == 0)
            parse_tuning(p, value);
        else if (strcmp(node->key[i]->text, "select") == 0)
            p->select = value->text;
    }
}

static void parse_root(lwh_pipeline *p)
{
    lwh_unknown_keys(p, p->root, top_keys, "a pipeline");
    parse_version(p);
    parse_seed(p);
    parse_device(p, lwh_yaml_get(p->root, "device"));
    lwh_parse_models(p, lwh_yaml_get(p->root, "models"));
    parse_steps(p, lwh_yaml_get(p->root, "steps"));
}

/* --- files and includes ------------------------------------------------------------------------ */
/* Puts what an included file holds before what the tree has: its steps first, its models where no model of
 * that name is there, its other keys where they are absent. */
static lw_status merge_included(lwh_pipeline *p, lwh_yaml *root, lwh_yaml *other, int *step_slot)
{
    for (int i = 0; i < other->count; i++) {
        const char *key = other->key[i]->text;
        lwh_yaml *mine = lwh_yaml_get(root, key), *theirs = other->value[i];
        if (strcmp(key, "steps") == 0 && mine && mine->kind == LWH_LIST && theirs->kind == LWH_LIST) {
            for (int k = 0; k < theirs->count; k++)
                LW_TRY(lwh_yaml_insert(p->arena, mine, (*step_slot)++, theirs->value[k]));
        } else if (strcmp(key, "models") == 0 && mine && mine->kind == LWH_MAP && theirs->kind == LWH_MAP) {
            for (int k = 0; k < theirs->count; k++)
                if (!lwh_yaml_get(mine, theirs->key[k]->text))
                    LW_TRY(lwh_yaml_put(p->arena, mine, theirs->key[k]->text, theirs->value[k]));
        } else if (!mine && strcmp(key, "include") != 0) {
            LW_TRY(lwh_yaml_put(p->arena, root, key, theirs));
            if (strcmp(key, "steps") == 0 && theirs->kind == LWH_LIST)
                *step_slot = theirs->count;
        }
    }
    return LW_OK;
}

static lwh_yaml *read_tree(lwh_pipeline *p, const char *file, const char *text, size_t size, int *budget);

static lwh_yaml *read_file(lwh_pipeline *p, const char *file, const char *shown, lwh_place from, int *budget)
{
    uint8_t *data = NULL;
    size_t size = 0;
    if (lw_file_read(file, LWH_YAML_MAX_BYTES, &data, &size) != LW_OK) {
        lwh_report(p->diagnostics, from, NULL, "%s", lw_error_text());
        return NULL;
    }
    lwh_yaml *tree = read_tree(p, shown, (const char *)data, size, budget);
    lw_free(data);
    return tree;
}

static void include(lwh_pipeline *p, lwh_yaml *root, const lwh_yaml *node, int *step_slot, int *budget)
{
    if (node->kind != LWH_SCALAR) {
        expect(p, node, "a file name, or a list of them", "`include` names files");
        return;
    }
    if (--*budget < 0) {
        lwh_report(p->diagnostics, node->place, "at most 16 files altogether; does a file include itself?",
                   "too many includes");
        return;
    }
    char *file = lwh_resolve_path(p->arena, node->place, node->text);
    lwh_yaml *other = file ? read_file(p, file, file, node->place, budget) : NULL;
    if (other && merge_included(p, root, other, step_slot) != LW_OK)
        lwh_report(p->diagnostics, node->place, NULL, "out of memory");
}

/* Text to tree, with what it includes merged in. */
static lwh_yaml *read_tree(lwh_pipeline *p, const char *file, const char *text, size_t size, int *budget)
{
    const char *name = lwh_diagnostics_source(p->diagnostics, file, text, size);
    lwh_yaml *root = name ? lwh_yaml_parse(p->arena, p->diagnostics, name, text, size) : NULL;
    if (!root)
        return NULL;
    if (root->kind != LWH_MAP) {
        expect(p, root, "begin the file with: latentwalk: 1", "a pipeline is a mapping");
        return NULL;
    }
    lwh_yaml *included = lwh_yaml_get(root, "include");
    int step_slot = 0;
    if (included && included->kind == LWH_LIST)
        for (int i = 0; i < included->count; i++)
            include(p, root, included->value[i], &step_slot, budget);
    else if (!lwh_yaml_is_null(included))
        include(p, root, included, &step_slot, budget);
    return root;
}

static lwh_pipeline *create(lwi_registry *registry, const char *file)
{
    lwh_pipeline *p = lw_alloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->registry = registry;
    p->arena = lwh_arena_create();
    p->diagnostics = lwh_diagnostics_create();
    p->file = p->arena ? lwh_arena_strdup(p->arena, file, strlen(file)) : NULL;
    if (!p->file || !p->diagnostics) {
        lwh_pipeline_destroy(p);
        return NULL;
    }
    return p;
}

static lwh_pipeline *understand(lwh_pipeline *p, const char *const *sets)
{
    for (int i = 0; p->root && sets && sets[i]; i++)
        lwh_set(p, sets[i]);
    if (p->root) {
        lwh_expand_matrix(p);
        parse_root(p);
    }
    return p;
}

lwh_pipeline *lwh_pipeline_load(lwi_registry *registry, const char *file, const char *const *sets)
{
    lwh_pipeline *p = create(registry, file);
    int budget = LWH_MAX_INCLUDES;
    if (!p)
        return NULL;
    p->root = read_file(p, file, file, (lwh_place){.file = p->file}, &budget);
    return understand(p, sets);
}

lwh_pipeline *lwh_pipeline_parse(lwi_registry *registry, const char *file, const char *text, size_t size,
                                 const char *const *sets)
{
    lwh_pipeline *p = create(registry, file);
    int budget = LWH_MAX_INCLUDES;
    if (!p)
        return NULL;
    p->root = read_tree(p, file, text, size, &budget);
    return understand(p, sets);
}

void lwh_pipeline_destroy(lwh_pipeline *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->step_count; i++) {
        lwi_args_destroy(p->steps[i].args);
        lw_free(p->steps[i].outputs);
    }
    for (int i = 0; i < p->model_count; i++)
        if (p->models[i].model)
            lwi_model_destroy(p->models[i].model);
    lwh_diagnostics_destroy(p->diagnostics);
    lwh_arena_destroy(p->arena);
    lw_free(p);
}
