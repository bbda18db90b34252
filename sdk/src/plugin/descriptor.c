/* descriptor.c — reading a loaded plugin's tables by their stride, and checking that they make sense. */
#include "plugin/args.h"
#include "plugin/ports.h"
#include "plugin/prefix.h"
#include "plugin/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_ENTRIES 1024
#define MAX_STRIDE 4096

const lw_param *lwi_param_at(const lw_plugin *plugin, uint32_t index)
{
    return (const lw_param *)((const char *)plugin->params + (size_t)index * plugin->param_stride);
}

const lw_port *lwi_input_at(const lw_plugin *plugin, uint32_t index)
{
    return (const lw_port *)((const char *)plugin->inputs + (size_t)index * plugin->port_stride);
}

const lw_port *lwi_output_at(const lw_plugin *plugin, uint32_t index)
{
    return (const lw_port *)((const char *)plugin->outputs + (size_t)index * plugin->port_stride);
}

const lw_param *lwi_param_find(const lw_plugin *plugin, const char *key)
{
    for (uint32_t i = 0; i < plugin->param_count; i++)
        if (strcmp(lwi_param_at(plugin, i)->key, key) == 0)
            return lwi_param_at(plugin, i);
    return NULL;
}

const lw_port *lwi_input_find(const lw_plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->input_count; i++)
        if (strcmp(lwi_input_at(plugin, i)->name, name) == 0)
            return lwi_input_at(plugin, i);
    return NULL;
}

const lw_port *lwi_output_find(const lw_plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->output_count; i++)
        if (strcmp(lwi_output_at(plugin, i)->name, name) == 0)
            return lwi_output_at(plugin, i);
    return NULL;
}

bool lwi_list_has(const char *const *list, const char *text)
{
    for (; list && *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

/* --- checks --------------------------------------------------------------------------------- */

static bool legal_key(const char *key)
{
    return key && *key && strlen(key) < LWI_NAME_BYTES &&
           !key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

static lw_status check_table(const char *field, const void *table, uint32_t count, uint32_t stride,
                             size_t least)
{
    if (count > MAX_ENTRIES)
        return lw_fail(LW_FORMAT, "%s: %u entries, at most %d are possible", field, count, MAX_ENTRIES);
    if (count && !table)
        return lw_fail(LW_FORMAT, "%s: the table is NULL but has %u entries", field, count);
    if (count && (stride < least || stride > MAX_STRIDE || stride % sizeof(void *)))
        return lw_fail(LW_FORMAT,
                       "%s: the stride is %u, expected a multiple of %zu from %zu to %d; rebuild the plugin "
                       "against this SDK",
                       field, stride, sizeof(void *), least, MAX_STRIDE);
    return LW_OK;
}

static lw_status check_param(const lw_plugin *plugin, uint32_t index)
{
    const lw_param *p = lwi_param_at(plugin, index);
    if (!legal_key(p->key))
        return lw_fail(LW_FORMAT, "params[%u].key is '%s'; keys are made of letters, digits, '_' and '-'",
                       index, p->key ? p->key : "NULL");
    if (lwi_param_find(plugin, p->key) != p)
        return lw_fail(LW_FORMAT, "params[%u].key '%s' occurs twice", index, p->key);
    if (!lwi_param_type_name(p->type))
        return lw_fail(LW_FORMAT, "params[%u] ('%s').type is %d, which is no type", index, p->key,
                       (int)p->type);
    if (!p->doc || !*p->doc)
        return lw_fail(LW_FORMAT, "params[%u] ('%s').doc is empty; one sentence is needed", index, p->key);
    if (!(p->minimum <= p->maximum)) /* also for not a number */
        return lw_fail(LW_FORMAT, "params[%u] ('%s') has the range %g to %g", index, p->key, p->minimum,
                       p->maximum);
    if (p->type == LW_PARAM_CHOICE && (!p->choices || !*p->choices))
        return lw_fail(LW_FORMAT, "params[%u] ('%s').choices is empty", index, p->key);
    /* A default list of losses is YAML that the host reads. */
    if (p->type != LW_PARAM_LOSSES && p->fallback && *p->fallback && lwi_param_check(p, p->fallback) != LW_OK)
        return lw_wrap("params[%u] ('%s').fallback (the default) is bad", index, p->key);
    return LW_OK;
}

static lw_status check_port(const char *field, uint32_t index, const lw_port *port, const lw_port *first)
{
    lwi_port_type type;
    if (!legal_key(port->name))
        return lw_fail(LW_FORMAT, "%s[%u].name is '%s'; names are made of letters, digits, '_' and '-'",
                       field, index, port->name ? port->name : "NULL");
    if (first != port)
        return lw_fail(LW_FORMAT, "%s[%u].name '%s' occurs twice", field, index, port->name);
    if (!port->doc || !*port->doc)
        return lw_fail(LW_FORMAT, "%s[%u] ('%s').doc is empty; one sentence is needed", field, index,
                       port->name);
    if (!port->type)
        return lw_fail(LW_FORMAT, "%s[%u] ('%s').type is NULL", field, index, port->name);
    if (lwi_port_parse(port->type, &type) != LW_OK)
        return lw_wrap("%s[%u] ('%s').type is bad", field, index, port->name);
    return LW_OK;
}

static lw_status missing_function(const char *what)
{
    return lw_fail(LW_FORMAT, "functions: '%s' is NULL; it is needed", what);
}

static lw_status check_generator(const lw_plugin *plugin)
{
    const lw_generator *f = plugin->functions;
    if (!f->dims || !f->synthesize)
        return missing_function(f->dims ? "synthesize" : "dims");
    if (!lwi_list_has(plugin->provides, "synthesize"))
        return lw_fail(LW_FORMAT, "provides: 'synthesize' is missing; generators have it");
    if (lwi_list_has(plugin->provides, "map") != (f->map != NULL))
        return lw_fail(LW_FORMAT, "provides: 'map' must be listed exactly where functions.map is given");
    return LW_OK;
}

static lw_status check_functions(const lw_plugin *plugin)
{
    static const size_t least[] = {
        /* what ABI 1.0 had; what came later may be missing */
        [LW_KIND_GENERATOR] = offsetof(lw_generator, truncate),
        [LW_KIND_DISCRIMINATOR] = sizeof(lw_network),
        [LW_KIND_NETWORK] = sizeof(lw_network),
        [LW_KIND_LOSS] = sizeof(lw_loss),
        [LW_KIND_METHOD] = offsetof(lw_runner, check),
        [LW_KIND_METRIC] = offsetof(lw_runner, check),
        [LW_KIND_SOURCE] = offsetof(lw_runner, check),
        [LW_KIND_SINK] = offsetof(lw_runner, check),
    };
    uint32_t kind = plugin->prefix.kind, size;
    if (!plugin->functions)
        return lw_fail(LW_FORMAT, "functions is NULL; a %s needs its functions", lwi_kind_name(kind));
    memcpy(&size, plugin->functions, sizeof size); /* every function table starts with its size */
    if (size < least[kind] || size > MAX_STRIDE)
        return lw_fail(LW_FORMAT,
                       "functions: size is %u, expected at least %zu; set .size = sizeof the table, and "
                       "rebuild the plugin against this SDK",
                       size, least[kind]);
    switch (kind) {
    case LW_KIND_GENERATOR: return check_generator(plugin);
    case LW_KIND_DISCRIMINATOR:
    case LW_KIND_NETWORK: {
        const lw_network *f = plugin->functions;
        return !f->dims ? missing_function("dims") : !f->apply ? missing_function("apply") : LW_OK;
    }
    case LW_KIND_LOSS: return ((const lw_loss *)plugin->functions)->build ? LW_OK : missing_function("build");
    default: return ((const lw_runner *)plugin->functions)->run ? LW_OK : missing_function("run");
    }
}

lw_status lwi_descriptor_check(const lw_plugin *plugin)
{
    LW_TRY(
        check_table("params", plugin->params, plugin->param_count, plugin->param_stride, sizeof(lw_param)));
    LW_TRY(check_table("inputs", plugin->inputs, plugin->input_count, plugin->port_stride, sizeof(lw_port)));
    LW_TRY(
        check_table("outputs", plugin->outputs, plugin->output_count, plugin->port_stride, sizeof(lw_port)));
    for (uint32_t i = 0; i < plugin->param_count; i++)
        LW_TRY(check_param(plugin, i));
    for (uint32_t i = 0; i < plugin->input_count; i++) {
        const lw_port *port = lwi_input_at(plugin, i);
        LW_TRY(check_port("inputs", i, port, port->name ? lwi_input_find(plugin, port->name) : port));
    }
    for (uint32_t i = 0; i < plugin->output_count; i++) {
        const lw_port *port = lwi_output_at(plugin, i);
        LW_TRY(check_port("outputs", i, port, port->name ? lwi_output_find(plugin, port->name) : port));
        if (strncmp(port->type, "any[", 4) == 0)
            return lw_fail(LW_FORMAT, "outputs[%u] ('%s').type is '%s', but only inputs may be of any space",
                           i, port->name, port->type);
    }
    return check_functions(plugin);
}
