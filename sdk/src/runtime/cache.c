/* cache.c — see cache.h. */
#include "runtime/cache.h"
#include "latentwalk/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *lwi_cache_path(const char *name)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') /* a relative one is to be ignored (XDG Base Directory Specification) */
        return lw_format("%s/latentwalk/%s", cache, name);
    return home && *home ? lw_format("%s/.cache/latentwalk/%s", home, name) : NULL;
}

void lwi_cache_make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}
