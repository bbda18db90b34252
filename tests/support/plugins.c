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
