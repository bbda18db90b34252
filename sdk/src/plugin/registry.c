/* registry.c — which plugins there are, and which of them is meant by an id. */
#include "plugin/registry.h"
#include "plugin/prefix.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct plugin_file {
    lwi_entry entry;
    lw_plugin_prefix prefix; /* what entry's texts point into */
    char id[LWI_ID_BYTES];
    char *path, *refused;
    dev_t device;
    ino_t inode;
    const lw_plugin *plugin; /* once loaded */
} plugin_file;

struct lwi_registry {
    plugin_file **file; /* each allocated alone: entries must not move */
    size_t count, capacity;
    char *folders; /* searched so far, for messages */
};

lwi_registry *lwi_registry_create(void)
{
    return lw_alloc(1, sizeof(lwi_registry));
}

static void destroy_file(plugin_file *file)
{
    if (!file)
        return;
    lw_free(file->path);
    lw_free(file->refused);
    lw_free(file);
}

void lwi_registry_destroy(lwi_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        destroy_file(registry->file[i]);
    lw_free(registry->file);
    lw_free(registry->folders);
    lw_free(registry);
}

size_t lwi_registry_count(const lwi_registry *registry)
{
    return registry->count;
}

const lwi_entry *lwi_registry_at(const lwi_registry *registry, size_t index)
{
    return index < registry->count ? &registry->file[index]->entry : NULL;
}

/* --- scanning ------------------------------------------------------------------------------- */

static plugin_file *find_file(const lwi_registry *registry, const char *id, bool usable)
{
    for (size_t i = 0; i < registry->count; i++) {
        const lwi_entry *entry = &registry->file[i]->entry;
        if (entry->id && strcmp(entry->id, id) == 0 && (!usable || !entry->refused))
            return registry->file[i];
    }
    return NULL;
}

static lw_status refuse(plugin_file *file, char *reason)
{
    if (!reason)
        return LW_MEMORY;
    lw_free(file->refused);
    file->entry.refused = file->refused = reason;
    return LW_OK;
}

/* Fills in what the prefix tells, or why the file is refused. */
static lw_status describe(const lwi_registry *registry, plugin_file *file)
{
    lwi_entry *entry = &file->entry;
    entry->path = file->path;
    lw_status status = lwi_prefix_read(file->path, &file->prefix);
    if (status == LW_MEMORY)
        return status;
    if (status != LW_OK) {
        memset(&file->prefix, 0, sizeof file->prefix);
        return refuse(file, lw_strdup(lw_error_text()));
    }
    entry->kind = (lw_kind)file->prefix.kind;
    entry->abi_major = file->prefix.abi_major;
    entry->abi_minor = file->prefix.abi_minor;
    entry->version = file->prefix.version;
    entry->licence = file->prefix.licence;
    entry->summary = file->prefix.summary;
    const plugin_file *first = find_file(registry, lwi_prefix_id(&file->prefix, file->id), false);
    entry->id = file->id;
    if (first)
        return refuse(
            file,
            lw_format("name: another plugin is called %s too: '%s' was found first and is used, '%s' is "
                      "not; rename one of them or remove it",
                      file->id, first->path, file->path));
    return LW_OK;
}

/* The same file, reached twice, is one plugin and no duplicate. */
static bool known(const lwi_registry *registry, const struct stat *info)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->file[i]->device == info->st_dev && registry->file[i]->inode == info->st_ino)
            return true;
    return false;
}

static lw_status add_file(lwi_registry *registry, const char *folder, const char *name)
{
    struct stat info;
    if (registry->count == registry->capacity) {
        size_t capacity = registry->capacity ? 2 * registry->capacity : 64;
        plugin_file **files = lw_resize(registry->file, capacity, sizeof *files);
        if (!files)
            return LW_MEMORY;
        registry->file = files;
        registry->capacity = capacity;
    }
    plugin_file *file = lw_alloc(1, sizeof *file);
    if (!file)
        return LW_MEMORY;
    file->path = lw_format("%s/%s", folder, name);
    lw_status status = file->path ? LW_OK : LW_MEMORY;
    if (status == LW_OK && stat(file->path, &info) == 0) {
        if (known(registry, &info)) {
            destroy_file(file);
            return LW_OK;
        }
        file->device = info.st_dev;
        file->inode = info.st_ino;
    }
    if (status == LW_OK)
        status = describe(registry, file);
    if (status != LW_OK) {
        destroy_file(file);
        return status;
    }
    registry->file[registry->count++] = file;
    return LW_OK;
}

static int is_library(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0;
}

static lw_status remember_folder(lwi_registry *registry, const char *folder)
{
    char *folders = lw_format("%s%s'%s'", registry->folders ? registry->folders : "",
                              registry->folders ? ", " : "", folder);
    if (!folders)
        return LW_MEMORY;
    lw_free(registry->folders);
    registry->folders = folders;
    return LW_OK;
}

lw_status lwi_registry_scan(lwi_registry *registry, const char *folder)
{
    struct dirent **names;
    LW_TRY(remember_folder(registry, folder));
    int count = scandir(folder, &names, is_library, alphasort);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR))
        return LW_OK;
    if (count < 0)
        return lw_fail(LW_IO, "cannot list the plugin folder '%s': %s", folder, strerror(errno));
    lw_status status = LW_OK;
    for (int i = 0; i < count; i++) {
        if (status == LW_OK)
            status = add_file(registry, folder, names[i]->d_name);
        free(names[i]); /* scandir's */
    }
    free(names);
    return status;
}

lw_status lwi_registry_scan_list(lwi_registry *registry, const char *folders)
{
    lw_status status = LW_OK;
    for (const char *at = folders; at && *at && status == LW_OK;) {
        size_t length = strcspn(at, ":");
        char *folder = lw_format("%.*s", (int)length, at);
        if (!folder)
            return LW_MEMORY;
        if (length)
            status = lwi_registry_scan(registry, folder);
        lw_free(folder);
        at += length + (at[length] == ':');
    }
    return status;
}

/* --- finding and loading -------------------------------------------------------------------- */

/* No usable plugin has this id: is it misspelt, of no kind, or simply not there? */
static lw_status not_found(const lwi_registry *registry, const char *id)
{
    const char **ids = lw_alloc(registry->count + 1, sizeof *ids);
    if (!ids)
        return LW_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < registry->count; i++)
        if (registry->file[i]->entry.id && !registry->file[i]->entry.refused)
            ids[count++] = registry->file[i]->entry.id;
    const char *close = lw_closest(id, ids);
    for (size_t i = 0; i < count && !close; i++) /* "sefa" is "method/sefa" without its kind */
        close = strcmp(strchr(ids[i], '/') + 1, id) == 0 ? ids[i] : NULL;
    const char *folders = registry->folders ? registry->folders : "no folder";
    lw_status status =
        close ? lw_fail(LW_NOT_FOUND, "there is no plugin '%s'; did you mean '%s'? (searched: %s)", id, close,
                        folders)
              : lw_fail(LW_NOT_FOUND,
                        "there is no plugin '%s' among the %zu found (searched: %s; 'latentwalk plugins' "
                        "lists them)",
                        id, count, folders);
    lw_free(ids);
    return status;
}

static plugin_file *find_usable(lwi_registry *registry, const char *id)
{
    plugin_file *file = find_file(registry, id, true);
    if (file)
        return file;
    file = find_file(registry, id, false);
    if (file)
        lw_fail(LW_INVALID, "plugin %s ('%s') is refused: %s", id, file->path, file->refused);
    else
        not_found(registry, id);
    return NULL;
}

const lwi_entry *lwi_registry_find(lwi_registry *registry, const char *id)
{
    const plugin_file *file = find_usable(registry, id);
    return file ? &file->entry : NULL;
}

const lw_plugin *lwi_registry_load(lwi_registry *registry, const char *id)
{
    plugin_file *file = find_usable(registry, id);
    if (!file || file->plugin)
        return file ? file->plugin : NULL;
    file->plugin = lwi_plugin_load(file->path);
    if (file->plugin)
        return file->plugin;
    if (lw_error_status() != LW_MEMORY)
        refuse(file, lw_strdup(lw_error_text())); /* so that it is neither probed again nor listed as good */
    lw_wrap("plugin %s ('%s') is refused", id, file->path);
    return NULL;
}
