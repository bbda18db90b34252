/* results.c — what a run leaves behind: outputs, and assignments to parameters. */
#include "graph/build.h"

#include <string.h>

void lw_output(lw_graph *g, const char *name, lw_value value)
{
    if (!lwi_usable(g, "output", &value, 1))
        return;
    if (!name || !*name) {
        lwi_error(g, LW_INVALID, "output", &value, 1, "an output needs a name");
        return;
    }
    for (int i = 0; i < g->output_count; i++)
        if (strcmp(g->output[i].name, name) == 0) {
            lwi_error(g, LW_INVALID, "output", &value, 1, "there is already an output '%s'", name);
            return;
        }
    char *copy = (char *)lwi_graph_strdup(g, name);
    if (!copy ||
        !lwi_grow(g, (void **)&g->output, g->output_count, &g->build->output_capacity, sizeof *g->output))
        return;
    g->output[g->output_count++] = (lwi_named){copy, value};
}

/* A parameter's i[1] is 1 + the index of its assignment. */
static void assign(lw_graph *g, lw_value parameter, lw_value value, bool replace)
{
    const lw_value both[2] = {value, parameter};
    if (!lwi_usable(g, "assign", both, 2))
        return;
    lwi_node *p = &g->node[parameter.id];
    if (p->op != LWI_PARAMETER) {
        lwi_error(g, LW_INVALID, "assign", both, 2, "only parameters can be assigned, and this is a %s",
                  lwi_op_name(p->op));
        return;
    }
    lw_shape shape = lwi_node_of(g, value)->shape;
    if (!lw_shape_equal(p->shape, shape)) {
        char a[LW_SHAPE_TEXT], b[LW_SHAPE_TEXT];
        lwi_error(g, LW_SHAPE, "assign", both, 2, "the parameter '%s' is %s, but the value is %s", p->name,
                  lw_shape_text(p->shape, a), lw_shape_text(shape, b));
        return;
    }
    if (p->i[1] && replace) {
        g->assign[p->i[1] - 1].value = value;
        return;
    }
    if (p->i[1]) {
        lwi_error(g, LW_INVALID, "assign", both, 2, "the parameter '%s' is assigned twice in one graph",
                  p->name);
        return;
    }
    if (!lwi_grow(g, (void **)&g->assign, g->assign_count, &g->build->assign_capacity, sizeof *g->assign))
        return;
    g->assign[g->assign_count++] = (lwi_assign){parameter, value};
    p->i[1] = g->assign_count;
}

void lw_assign(lw_graph *g, lw_value parameter, lw_value value)
{
    assign(g, parameter, value, false);
}

void lwi_reassign(lw_graph *g, lw_value parameter, lw_value value)
{
    assign(g, parameter, value, true);
}

lw_value lwi_assigned(lw_graph *g, lw_value parameter)
{
    const lwi_node *p = lwi_node_of(g, parameter);
    return p->op == LWI_PARAMETER && p->i[1] ? g->assign[p->i[1] - 1].value : parameter;
}
