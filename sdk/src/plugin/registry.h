/* registry.h — the plugins found in folders: listed from their prefixes alone, loaded on demand. Internal,
 * for the host. Not thread-safe. */
#ifndef LWI_REGISTRY_H
#define LWI_REGISTRY_H

#include "latentwalk/plugin.h"

typedef struct lwi_registry lwi_registry;

/* A plugin file. Where `refused` is set it says why the file cannot be used; id and the texts are then NULL
 * unless the prefix could be read (a duplicate, or one found broken when loaded). */
typedef struct lwi_entry {
    const char *id; /* "generator/dcgan" */
    const char *version, *licence, *summary;
    const char *path;
    const char *refused;
    lw_kind kind;
    uint16_t abi_major, abi_minor;
} lwi_entry;

lwi_registry *lwi_registry_create(void);
/* Loaded plugins stay loaded until the process ends: values made by them may outlive the registry. */
void lwi_registry_destroy(lwi_registry *registry);

/* Adds every *.so of a folder, in alphabetical order; runs none of it. A folder that does not exist is no
 * error. Of two plugins with one id the first found is kept. */
lw_status lwi_registry_scan(lwi_registry *registry, const char *folder);
/* Scans each folder of a colon separated list (LATENTWALK_PLUGIN_PATH). NULL and "" are empty lists. */
lw_status lwi_registry_scan_list(lwi_registry *registry, const char *folders);

/* All files, usable and refused, in the order found. Borrowed until the next scan. */
size_t lwi_registry_count(const lwi_registry *registry);
const lwi_entry *lwi_registry_at(const lwi_registry *registry, size_t index);
/* The usable plugin with this id; NULL with an error (did you mean, folders searched, or why refused). */
const lwi_entry *lwi_registry_find(lwi_registry *registry, const char *id);

/* Loads the plugin (once) and checks its descriptor. The library is first opened in a child process, so a
 * constructor that crashes, exits or hangs is a refusal and not the host's end. Lives until the process
 * ends. NULL with an error. */
const lw_plugin *lwi_registry_load(lwi_registry *registry, const char *id);

/* Loads one file by its path, outside any registry (latentwalk verify). */
const lw_plugin *lwi_plugin_load(const char *path);

/* Tables, parameters with their defaults, ports and functions: LW_OK, or what is wrong. */
lw_status lwi_descriptor_check(const lw_plugin *plugin);
/* "generator/dcgan" of a loaded plugin (borrowed, as long as the plugin). */
const char *lwi_plugin_id(const lw_plugin *plugin);

/* Elements of the tables, which carry their stride. */
const lw_param *lwi_param_at(const lw_plugin *plugin, uint32_t index);
const lw_param *lwi_param_find(const lw_plugin *plugin, const char *key); /* NULL when absent, no error */
const lw_port *lwi_input_at(const lw_plugin *plugin, uint32_t index);
const lw_port *lwi_output_at(const lw_plugin *plugin, uint32_t index);
const lw_port *lwi_input_find(const lw_plugin *plugin, const char *name);
const lw_port *lwi_output_find(const lw_plugin *plugin, const char *name);
const char *lwi_param_type_name(lw_param_type type); /* "integer"; NULL for an unknown type */
/* Whether a NULL-terminated list (or NULL) holds the text. */
bool lwi_list_has(const char *const *list, const char *text);
#endif
