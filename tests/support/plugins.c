/* plugins.c — see plugins.h. */
#include "plugins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "plugin/args.h"
#include "plugin/registry.h"

void test_must(lw_status status)
{
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
}

const lw_plugin *test_plugin(const char *id)
{
    static lwi_registry *registry; /* plugins stay loaded until the process ends */
    if (!registry) {
        registry = lwi_registry_create();
        test_must(lwi_registry_scan(registry, LW_PLUGIN_DIR));
    }
    const lw_plugin *plugin = lwi_registry_load(registry, id);
    if (!plugin)
        fail_msg("%s", lw_error_text());
    return plugin;
}

lw_args *test_args(const char *id, const char *const *with)
{
    lw_args *args = lwi_args_create(test_plugin(id));
    if (!args)
        fail_msg("%s", lw_error_text());
    for (; with && *with; with++) {
        char key[64];
        const char *value = strchr(*with, '=');
        snprintf(key, sizeof key, "%.*s", (int)(value - *with), *with);
        test_must(lwi_args_set_text(args, key, value + 1, true));
    }
    return args;
}

void test_model_part(lw_model *model, lw_part part, const char *id, const char *const *with)
{
    test_must(lwi_model_set_part(model, part, test_plugin(id), test_args(id, with), NULL, NULL, 1));
}

lw_model *test_model(const char *name, lw_part part, const char *id, const char *const *with)
{
    lw_model *model = lwi_model_create(name);
    if (!model)
        fail_msg("%s", lw_error_text());
    test_model_part(model, part, id, with);
    return model;
}

/* Building a part makes its weights. */
static void make_weights(lw_model *model, lw_part part)
{
    lw_graph *g = lw_graph_create();
    if (part == LW_PART_GENERATOR)
        lw_generate(g, model, lw_fill(g, LW_SHAPE(1, lw_model_dim(model, "z_dim")), 0));
    else
        lw_apply(g, model,
                 lw_fill(g,
                         LW_SHAPE(1, lw_model_dim(model, "channels"), lw_model_dim(model, "height"),
                                  lw_model_dim(model, "width")),
                         0));
    test_must(lw_graph_status(g));
    lw_graph_destroy(g);
}

void test_strengthen(lw_model *model, lw_part part, float factor)
{
    make_weights(model, part);
    lw_store *store = lw_model_store(model, part);
    for (size_t i = 0; i < lw_store_count(store); i++) {
        lw_tensor *weight = lw_tensor_copy(lw_store_get(store, lw_store_name(store, i)));
        for (int64_t k = 0; weight->shape.rank > 1 && k < lw_shape_count(weight->shape); k++)
            weight->data[k] *= factor;
        test_must(lw_store_set(store, lw_store_name(store, i), weight->shape, weight->data));
        lw_tensor_destroy(weight);
    }
    lw_model_changed(model);
}

int test_open_device(void **state)
{
    return (*state = lw_device_open("cpu", "native")) ? 0 : -1;
}

int test_close_device(void **state)
{
    lw_device_close(*state);
    return 0;
}
