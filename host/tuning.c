/* tuning.c — see tuning.h. */
#include "tuning.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tuning.h"

const char *lwh_default_tuning(void)
{
    const char *how = getenv("LATENTWALK_TUNING");
    return how && *how ? how : "measure";
}

lw_status lwh_tune(lw_device *device, const char *how, const char *record)
{
    char *note = NULL;
    if (strcmp(how, "estimate") == 0)
        return LW_OK;
    lw_status status = lwi_tuning_start(device, strcmp(how, "measure") == 0 ? NULL : how, record, &note);
    if (note)
        fprintf(stderr, "latentwalk: %s\n", note);
    lw_free(note);
    return status;
}

json_t *lwh_tuning_json(const lw_device_info *info)
{
    char *path = lwi_tuning_path(info);
    json_t *root = path && access(path, R_OK) == 0 ? json_load_file(path, 0, NULL) : NULL;
    lw_free(path);
    return root ? root : json_null();
}

void lwh_print_tuning(const lw_device_info *info)
{
    const char *key, *name;
    json_t *choice, *ms;
    char *path = lwi_tuning_path(info);
    json_t *root = lwh_tuning_json(info), *choices = json_object_get(root, "choices");
    if (json_object_size(choices))
        printf("\n  %s\n", path);
    else
        printf("\n  nothing is measured yet; it is as programs run, and kept in %s\n",
               path ? path : "no file: neither XDG_CACHE_HOME nor HOME is set");
    json_object_foreach (choices, key, choice) {
        printf("  %-86s %s (", key, json_string_value(json_object_get(choice, "algorithm")));
        const char *between = "";
        json_object_foreach (json_object_get(choice, "ms"), name, ms) {
            printf("%s%s %.2f", between, name, json_number_value(ms));
            between = ", ";
        }
        printf(" ms)\n");
    }
    json_decref(root);
    lw_free(path);
}
