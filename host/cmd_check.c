/* cmd_check.c — latentwalk check. */
#include <stdio.h>

#include "common.h"

int lwh_cmd_check(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    lwh_pipeline *pipeline =
        registry ? lwh_load_checked(options, registry, options->argument, (const char *const *)options->sets)
                 : NULL;
    int code = pipeline ? LWH_FINE : LWH_USAGE;
    if (pipeline && options->json)
        printf("{\"event\":\"fine\",\"models\":%d,\"steps\":%d}\n", pipeline->model_count,
               pipeline->step_count);
    else if (pipeline)
        printf("%s: fine (%d model%s, %d step%s)\n", options->argument, pipeline->model_count,
               pipeline->model_count == 1 ? "" : "s", pipeline->step_count,
               pipeline->step_count == 1 ? "" : "s");
    lwh_pipeline_destroy(pipeline);
    lwi_registry_destroy(registry);
    return code;
}
