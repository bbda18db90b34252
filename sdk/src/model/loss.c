/* loss.c — building a loss plugin with what a method offers. */
#include "model/internal.h"

#include <stdio.h>
#include <string.h>

lw_value lw_loss_value(const lw_loss_inputs *inputs, const char *name)
{
    for (int i = 0; i < inputs->count; i++)
        if (strcmp(inputs->values[i].name, name) == 0)
            return inputs->values[i].value;
    return (lw_value){0};
}

lw_model *lw_loss_model(const lw_loss_inputs *inputs, const char *key)
{
    const char *name = key && inputs->args ? lw_text(inputs->args, key) : NULL;
    if (key && !inputs->args)
        lw_fail(LW_INVALID, "a loss asks for the model of its parameter '%s' but has no arguments", key);
    if (!key)
        return inputs->model;
    if (!name || !inputs->find)
        return NULL;
    return inputs->find(inputs->user, name);
}

lw_value lw_loss_score(lw_graph *g, const lw_loss_inputs *inputs, lw_value images)
{
    return lw_discriminate_with(g, inputs->model, images, inputs->score);
}

lw_value lw_loss_state(lw_graph *g, const lw_loss_inputs *inputs, const char *name, lw_shape shape,
                       double start)
{
    if (!inputs->state)
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "the loss remembers '%s', and this method keeps nothing for losses", name);
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .prefix = inputs->prefix,
                                 .store = inputs->state,
                                 .create = true,
                                 .frozen = true});
    lw_value state = lw_buffer(g, shape, lw_init_constant(start), "%s", name);
    lw_scope_pop(g);
    return state;
}

/* Names of values that losses may need; any other word in `needs` is a capability of the model. */
static bool is_value_name(const char *need)
{
    static const char *const names[] = {"latents", "latents0",    "images", "images0", "targets",
                                        "w+",      "real_images", "real",   "fake",    NULL};
    return lwi_list_has(names, need);
}

bool lwi_loss_fits(const lw_plugin *plugin, const lw_loss_inputs *inputs)
{
    for (const char *const *need = plugin->needs; need && *need; need++)
        if (is_value_name(*need) && lw_is_null(lw_loss_value(inputs, *need)))
            return false;
    return true;
}

static bool check_needs(lw_graph *g, const lw_plugin *plugin, const lw_loss_inputs *inputs)
{
    for (const char *const *need = plugin->needs; need && *need; need++) {
        bool value = is_value_name(*need);
        if (value && !lw_is_null(lw_loss_value(inputs, *need)))
            continue;
        if (!value && inputs->model && lw_model_has(inputs->model, *need))
            continue;
        if (lw_graph_status(g) != LW_OK)
            return false; /* the value is null because of an earlier error, which stands */
        if (value)
            lw_graph_fail(g, LW_UNSUPPORTED, "%s needs '%s', which this method does not offer to losses",
                          lwi_plugin_id(plugin), *need);
        else
            lw_graph_fail(g, LW_UNSUPPORTED, "%s needs a model with '%s'%s%s%s", lwi_plugin_id(plugin), *need,
                          inputs->model ? "; '" : "", inputs->model ? lw_model_name(inputs->model) : "",
                          inputs->model ? "' has none" : "");
        return false;
    }
    return true;
}

lw_value lwi_loss_build(lw_graph *g, const lw_plugin *plugin, const lw_args *args,
                        const lw_loss_inputs *inputs)
{
    lw_loss_inputs own = *inputs;
    own.args = args;
    if (!check_needs(g, plugin, &own))
        return (lw_value){0};
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope), .plugin = lwi_plugin_id(plugin)});
    lw_value loss = ((const lw_loss *)plugin->functions)->build(g, args, &own);
    lw_scope_pop(g);
    if (lw_is_null(loss))
        return lw_graph_fail(g, LW_INVALID, "%s returned the null value", lwi_plugin_id(plugin));
    lw_shape shape = lw_shape_of(g, loss);
    if (shape.rank == 0)
        return loss;
    char text[LW_SHAPE_TEXT];
    return lw_graph_fail(g, LW_SHAPE, "%s must return a scalar, not %s", lwi_plugin_id(plugin),
                         lw_shape_text(shape, text));
}
