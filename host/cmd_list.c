/* cmd_list.c — latentwalk plugins, devices and version. */
#include <string.h>

#include "common.h"
#include "latentwalk/program.h"
#include "plugin/prefix.h"
#include "runtime/clblast.h"
#include "tuning.h"

/* --- plugins ---------------------------------------------------------------------------------------- */
static json_t *entry_json(const lwi_entry *entry)
{
    return json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s*}", "id", entry->id, "kind",
                     lwi_kind_name(entry->kind), "version", entry->version, "licence", entry->licence,
                     "summary", entry->summary, "path", entry->path, "refused", entry->refused);
}

static void print_entries(const lwi_registry *registry)
{
    size_t refused = 0;
    for (size_t i = 0; i < lwi_registry_count(registry); i++) {
        const lwi_entry *entry = lwi_registry_at(registry, i);
        refused += entry->refused != NULL;
        if (!entry->refused)
            printf("%-28s %-8s %s\n", entry->id, entry->version, entry->summary);
    }
    if (refused)
        printf("\nrefused:\n");
    for (size_t i = 0; i < lwi_registry_count(registry); i++) {
        const lwi_entry *entry = lwi_registry_at(registry, i);
        if (entry->refused)
            printf("  %s\n    %s\n", entry->path, entry->refused);
    }
    if (!lwi_registry_count(registry))
        printf("no plugins found; try --plugin-path FOLDER\n");
}

int lwh_cmd_plugins(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    if (!registry)
        return LWH_RUN_FAILED;
    if (options->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < lwi_registry_count(registry); i++)
            json_array_append_new(list, entry_json(lwi_registry_at(registry, i)));
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(list);
    } else {
        print_entries(registry);
    }
    lwi_registry_destroy(registry);
    return LWH_FINE;
}

/* --- devices ---------------------------------------------------------------------------------------- */
static int tune(const char *selector)
{
    lwi_clblast_tuning tuning;
    lw_device *device = lw_device_open(selector, "clblast");
    lw_device_info info;
    lw_status status = device ? lw_device_describe(device, &info) : lw_error_status();
    if (status == LW_OK) {
        printf("measuring CLBlast's matrix products on %s\n", info.name);
        status = lwi_clblast_tune(device, &tuning);
    }
    if (status == LW_OK)
        status = lwi_clblast_save(device, &tuning);
    if (status == LW_OK)
        for (int i = 0; i < LWI_CLBLAST_FAMILIES; i++)
            printf("  %-12s %s %d\n", lwi_clblast_family(i),
                   tuning.setting[i] < 0 ? "CLBlast's own" : "setting", tuning.setting[i]);
    else
        fprintf(stderr, "latentwalk: %s\n", lw_error_text());
    lw_device_close(device);
    return status == LW_OK ? LWH_FINE : LWH_RUN_FAILED;
}

int lwh_cmd_devices(const lwh_options *options)
{
    if (options->tune)
        return tune(options->tune);
    lw_device_info infos[64];
    int count = lw_device_list(infos, 64);
    json_t *list = json_array();
    for (int i = 0; i < count && i < 64; i++) {
        const lw_device_info *d = &infos[i];
        if (options->json) {
            json_t *device = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:i}", "selector", d->selector, "type",
                                       d->type, "name", d->name, "platform", d->platform, "version",
                                       d->version, "memory", (json_int_t)d->memory, "units", (int)d->units);
            if (options->tuning)
                json_object_set_new(device, "tuning", lwh_tuning_json(d));
            json_array_append_new(list, device);
            continue;
        }
        printf("%-6s %-11s %s\n%18s %s, %s, %u units, %.1f GiB\n", d->selector, d->type, d->name, "",
               d->platform, d->version, d->units, (double)d->memory / (1u << 30));
        if (options->tuning)
            lwh_print_tuning(d);
    }
    if (options->json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(list);
    if (count > 0)
        return LWH_FINE;
    fprintf(stderr,
            "latentwalk: no OpenCL device found; on Debian, `apt install pocl-opencl-icd` gives the CPU\n");
    return LWH_RUN_FAILED;
}

int lwh_cmd_version(const lwh_options *options)
{
    (void)options;
    printf("latentwalk %s (plugin ABI %d.%d)\n", LW_VERSION, LW_ABI_MAJOR, LW_ABI_MINOR);
    return LWH_FINE;
}
