/* cache.c — see cache.h. */
#include "runtime/cache.h"
#include "latentwalk/base.h"

#include <stdlib.h>

char *lwi_cache_path(const char *name)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') /* a relative one is to be ignored (XDG Base Directory Specification) */
        return lw_format("%s/latentwalk/%s", cache, name);
    return home && *home ? lw_format("%s/.cache/latentwalk/%s", home, name) : NULL;
}
