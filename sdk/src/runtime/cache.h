/* cache.h — files of the user's cache folder: $XDG_CACHE_HOME/latentwalk, or ~/.cache/latentwalk. Internal.
 */
#ifndef LWI_CACHE_H
#define LWI_CACHE_H

/* The file of this name, to be released with lw_free. NULL: there is no such folder, or no memory. */
char *lwi_cache_path(const char *name);

#endif
