/* scope.c — who is building and where weights come from: scopes, weights, buffers, taps. */
#include "graph/build.h"

#include "latentwalk/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 512 };

static const lw_scope *current(const lw_graph *g)
{
    return g->build->scope_count ? &g->build->scope[g->build->scope_count - 1] : NULL;
}

void lw_scope_push(lw_graph *g, const lw_scope *scope)
{
    if (!g || !scope)
        return;
    struct lwi_build *build = g->build;
    if (!lwi_grow(g, (void **)&build->scope, build->scope_count, &build->scope_capacity,
                  sizeof *build->scope))
        return;
    if (scope->size == 0)
        lw_graph_fail(g, LW_INVALID, "a scope needs its size: .size = sizeof(lw_scope)");
    lw_scope copy = {0};
    memcpy(&copy, scope, scope->size < sizeof copy ? scope->size : sizeof copy);
    copy.plugin = lwi_graph_strdup(g, scope->plugin);
    copy.model = lwi_graph_strdup(g, scope->model);
    copy.prefix = lwi_graph_strdup(g, scope->prefix);
    build->scope[build->scope_count++] = copy;
}

void lw_scope_pop(lw_graph *g)
{
    if (!g)
        return;
    if (g->build->scope_count)
        g->build->scope_count--;
    else
        lw_graph_fail(g, LW_INVALID, "there is no scope to pop");
}

bool lw_is_training(lw_graph *g)
{
    return g && current(g) && current(g)->training;
}

lw_value lw_labels(lw_graph *g)
{
    return g && current(g) ? current(g)->labels : (lw_value){0};
}

int64_t lw_resolution(lw_graph *g)
{
    return g && current(g) ? current(g)->resolution : 0;
}

lw_value lw_fade(lw_graph *g)
{
    return g && current(g) ? current(g)->fade : (lw_value){0};
}

lw_init lw_init_constant(double value)
{
    return (lw_init){0, (float)value, 0};
}

lw_init lw_init_normal(double mean, double deviation)
{
    return (lw_init){1, (float)mean, (float)deviation};
}

lw_init lw_init_uniform(double low, double high)
{
    return (lw_init){2, (float)low, (float)high};
}

/* The formatted name, behind a prefix of `start` bytes. */
static bool put_name(lw_graph *g, char name[NAME_SIZE], int start, const char *format, va_list args)
{
    int length =
        start < NAME_SIZE ? vsnprintf(name + start, (size_t)(NAME_SIZE - start), format, args) : NAME_SIZE;
    if (start + length < NAME_SIZE && length > 0)
        return true;
    lw_graph_fail(g, LW_INVALID, "a name must have 1 to %d characters: '%.60s…'", NAME_SIZE - 1, name);
    return false;
}

/* The scope's prefix, then the formatted name. */
static bool full_name(lw_graph *g, char name[NAME_SIZE], const char *format, va_list args)
{
    const char *prefix = current(g) && current(g)->prefix ? current(g)->prefix : "";
    return put_name(g, name, snprintf(name, NAME_SIZE, "%s", prefix), format, args);
}

static lw_value parameter_node(lw_graph *g, lw_store *store, const char *name, lw_shape shape)
{
    return lwi_make(g, &(lwi_node){.op = LWI_PARAMETER, .shape = shape, .store = store, .name = name});
}

lw_value lw_parameter(lw_graph *g, lw_store *store, const char *name)
{
    lw_shape shape;
    if (!lwi_usable(g, "parameter", NULL, 0))
        return (lw_value){0};
    if (!store || !name)
        return lwi_error(g, LW_INVALID, "parameter", NULL, 0, "it needs a store and a name");
    if (lw_store_shape(store, name, &shape) != LW_OK)
        return lwi_error(g, LW_NOT_FOUND, "parameter", NULL, 0, "the store has no tensor '%s'", name);
    return parameter_node(g, store, name, shape);
}

/* Fills a new tensor from the stream of its name. */
static void create_tensor(lw_graph *g, const lw_scope *scope, const char *name, lw_shape shape, lw_init init)
{
    size_t count = (size_t)lw_shape_count(shape);
    float *data = lw_alloc(count, sizeof *data);
    lw_status status = data ? LW_OK : LW_MEMORY;
    lw_stream stream = {.seed = scope->seed, .step = 0, .purpose = lw_purpose(name)};
    if (data) {
        if (init.kind == 1)
            lw_normal(stream, 0, count, data);
        else if (init.kind == 2)
            lw_uniform(stream, 0, count, data);
        for (size_t i = 0; i < count; i++)
            data[i] = init.kind == 0   ? init.a
                      : init.kind == 1 ? init.a + init.b * data[i]
                                       : init.a + (init.b - init.a) * data[i];
        status = lw_store_set(scope->store, name, shape, data);
    }
    lw_free(data);
    if (status != LW_OK)
        lw_graph_fail(g, status, "cannot create the weight '%s': %s", name, lw_error_text());
}

static void note_misfit(lw_graph *g, const lw_scope *scope, const char *name, const lw_shape *found,
                        lw_shape expected)
{
    struct lwi_build *build = g->build;
    char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT], text[NAME_SIZE + 2 * LW_SHAPE_TEXT + 32];
    if (found)
        snprintf(text, sizeof text, "'%s' is %s, expected %s", name, lw_shape_text(*found, a),
                 lw_shape_text(expected, b));
    else
        snprintf(text, sizeof text, "missing '%s' %s", name, lw_shape_text(expected, b));
    const char *model = scope->model ? scope->model : scope->plugin ? scope->plugin : "";
    for (int i = 0; i < build->misfit_count; i++)
        if (strcmp(build->misfit[i].text, text) == 0 && strcmp(build->misfit[i].model, model) == 0)
            return; /* the same part built twice */
    const char *copy = lwi_graph_strdup(g, text), *model_copy = lwi_graph_strdup(g, model);
    if (copy && model_copy &&
        lwi_grow(g, (void **)&build->misfit, build->misfit_count, &build->misfit_capacity,
                 sizeof *build->misfit))
        build->misfit[build->misfit_count++] = (lwi_misfit){model_copy, copy};
}

static void remember_trainable(lw_graph *g, lw_value v)
{
    struct lwi_build *build = g->build;
    if (g->node[v.id].i[0] || !lwi_grow(g, (void **)&build->trainable, build->trainable_count,
                                        &build->trainable_capacity, sizeof v))
        return;
    g->node[v.id].i[0] = 1;
    build->trainable[build->trainable_count++] = v;
}

static lw_value model_tensor(lw_graph *g, lw_shape shape, lw_init init, bool trainable, const char *format,
                             va_list args)
{
    char name[NAME_SIZE];
    if (!lwi_usable(g, "weight", NULL, 0) || !full_name(g, name, format, args))
        return (lw_value){0};
    const lw_scope *scope = current(g);
    if (!scope || !scope->store)
        return lw_graph_fail(g, LW_INVALID, "the weight '%s' is asked for where there is no model", name);
    int64_t count = lw_shape_count(shape);
    if (count < 1 || count > INT32_MAX) {
        char text[LW_SHAPE_TEXT];
        return lw_graph_fail(g, LW_SHAPE, "the weight '%s' cannot be %s", name, lw_shape_text(shape, text));
    }
    if (scope->create && !lw_store_has(scope->store, name))
        create_tensor(g, scope, name, shape, init);
    if (g->build->status != LW_OK)
        return (lw_value){0};
    lw_shape found;
    bool present = lw_store_has(scope->store, name) && lw_store_shape(scope->store, name, &found) == LW_OK;
    if (!present || !lw_shape_equal(found, shape))
        note_misfit(g, scope, name, present ? &found : NULL, shape);
    /* Even one that does not fit goes on with the shape expected, so that all are found. */
    lw_value v = parameter_node(g, scope->store, name, shape);
    if (!lw_is_null(v) && trainable && !scope->frozen)
        remember_trainable(g, v);
    return v;
}

lw_value lw_weight(lw_graph *g, lw_shape shape, lw_init init, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    lw_value v = model_tensor(g, shape, init, true, name, args);
    va_end(args);
    return v;
}

lw_value lw_buffer(lw_graph *g, lw_shape shape, lw_init init, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    lw_value v = model_tensor(g, shape, init, false, name, args);
    va_end(args);
    return v;
}

bool lw_has_weight(lw_graph *g, const char *name, ...)
{
    char full[NAME_SIZE];
    if (!lwi_usable(g, "weight", NULL, 0) || !current(g) || !current(g)->store || current(g)->create)
        return false;
    va_list args;
    va_start(args, name);
    bool ok = full_name(g, full, name, args);
    va_end(args);
    return ok && lw_store_has(current(g)->store, full);
}

int lw_parameters(lw_graph *g, lw_store *store, lw_value *values, int capacity)
{
    int count = 0;
    if (!g)
        return 0;
    for (int i = 0; i < g->build->trainable_count; i++) {
        lw_value v = g->build->trainable[i];
        if (lwi_node_of(g, v)->store != store)
            continue;
        if (count < capacity)
            values[count] = v;
        count++;
    }
    return count;
}

/* --- taps ----------------------------------------------------------------------------------- */

static lwi_named *find_tap(const lw_graph *g, const char *name)
{
    for (int i = 0; i < g->build->tap_count; i++)
        if (strcmp(g->build->tap[i].name, name) == 0)
            return &g->build->tap[i];
    return NULL;
}

lw_value lw_tap(lw_graph *g, lw_value value, const char *format, ...)
{
    if (!lwi_usable(g, "tap", &value, 1))
        return (lw_value){0};
    struct lwi_build *build = g->build;
    const lw_scope scope = current(g) ? *current(g) : (lw_scope){0};
    char full[NAME_SIZE];
    const int start = scope.model ? snprintf(full, sizeof full, "%s/", scope.model) : 0;
    va_list args;
    va_start(args, format);
    const bool named = put_name(g, full, start, format, args);
    va_end(args);
    if (!named)
        return (lw_value){0};
    if (scope.on_tap) {
        value = scope.on_tap(g, full + start, value, scope.user);
        if (!lwi_usable(g, "tap", &value, 1))
            return (lw_value){0};
    }
    lwi_named *tap = find_tap(g, full);
    if (tap) {
        tap->value = value;
        return value;
    }
    char *copy = (char *)lwi_graph_strdup(g, full);
    if (!copy ||
        !lwi_grow(g, (void **)&build->tap, build->tap_count, &build->tap_capacity, sizeof *build->tap))
        return (lw_value){0};
    build->tap[build->tap_count++] = (lwi_named){copy, value};
    return value;
}

lw_value lw_tap_value(lw_graph *g, const char *name)
{
    const lwi_named *tap = g && name ? find_tap(g, name) : NULL;
    return tap ? tap->value : (lw_value){0};
}

int lw_tap_count(lw_graph *g)
{
    return g ? g->build->tap_count : 0;
}

const char *lw_tap_name(lw_graph *g, int index)
{
    return g && index >= 0 && index < g->build->tap_count ? g->build->tap[index].name : NULL;
}
