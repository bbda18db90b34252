/* losses.c — the weighted sum of the losses that a pipeline lists for a method. */
#include "model/model.h"
#include "plugin/args.h"
#include "plugin/registry.h"
#include "runtime.h"

/* One loss, unweighted; it is also the output LABEL/ID. */
static lw_value build(lw_graph *g, const char *param, const lwi_loss_item *item, lw_loss_inputs *inputs,
                      const char *label)
{
    char *name = lw_format("%s/%s", label, item->id), *prefix = lw_format("%s/%s/", param, item->id);
    inputs->prefix = prefix;
    lw_value loss = lwi_loss_build(g, item->plugin, item->args, inputs);
    if (name && prefix)
        lw_output(g, name, loss);
    else
        loss = lw_graph_fail(g, LW_MEMORY, "out of memory");
    lw_free(name);
    lw_free(prefix);
    return loss;
}

static lw_value sum(lw_step *step, lw_graph *g, const char *param, lw_loss_inputs *inputs, const char *label,
                    bool fitting)
{
    lw_value sum = {0};
    inputs->find = step->setup.hooks.model;
    inputs->user = step->setup.hooks.user;
    inputs->state = lw_step_store(step, "losses");
    for (int i = 0; i < lwi_args_loss_count(step->setup.args, param); i++) {
        const lwi_loss_item *item = lwi_args_loss(step->setup.args, param, i);
        if (fitting && !lwi_loss_fits(item->plugin, inputs))
            continue;
        lw_value weighted = lw_affine(g, build(g, param, item, inputs, label), item->weight, 0);
        sum = lw_is_null(sum) ? weighted : lw_add(g, sum, weighted);
    }
    return lw_is_null(sum) ? lw_scalar(g, 0) : sum;
}

lw_value lw_step_losses(lw_step *step, lw_graph *g, const char *param, lw_model *model,
                        const lw_named_value *values, int count, const char *label)
{
    lw_loss_inputs inputs = {.values = values, .count = count, .model = model};
    return sum(step, g, param, &inputs, label, false);
}

lw_value lw_step_fitting_losses(lw_step *step, lw_graph *g, const char *param, lw_model *model,
                                const lw_named_value *values, int count, const char *label,
                                const lw_build_options *score)
{
    lw_loss_inputs inputs = {.values = values, .count = count, .model = model, .score = score};
    return sum(step, g, param, &inputs, label, true);
}

bool lw_step_loss_needs(const lw_step *step, const char *param, int index, const char *value)
{
    const lwi_loss_item *item = lwi_args_loss(step->setup.args, param, index);
    return item && lwi_list_has(item->plugin->needs, value);
}
