/* losses.c — the weighted sum of the losses that a pipeline lists for a method. */
#include "model/model.h"
#include "plugin/args.h"
#include "runtime.h"

lw_value lw_step_losses(lw_step *step, lw_graph *g, const char *param, lw_model *model,
                        const lw_named_value *values, int count, const char *label)
{
    const lw_args *args = step->setup.args;
    lw_loss_inputs inputs = {.values = values,
                             .count = count,
                             .model = model,
                             .find = step->setup.hooks.model,
                             .user = step->setup.hooks.user};
    lw_value sum = lw_scalar(g, 0);
    for (int i = 0; i < lwi_args_loss_count(args, param); i++) {
        const lwi_loss_item *item = lwi_args_loss(args, param, i);
        lw_value loss = lwi_loss_build(g, item->plugin, item->args, &inputs);
        char *name = lw_format("%s/%s", label, item->id);
        if (!name)
            return lw_graph_fail(g, LW_MEMORY, "out of memory");
        lw_output(g, name, loss);
        lw_free(name);
        lw_value weighted = lw_affine(g, loss, item->weight, 0);
        sum = i == 0 ? weighted : lw_add(g, sum, weighted);
    }
    return sum;
}
