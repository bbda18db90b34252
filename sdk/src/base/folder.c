/* folder.c — see folder.h. */
#include "base/folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

lw_status lwi_make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return LW_OK;
    return lw_fail(LW_IO, "cannot make the folder '%s': %s", path, strerror(errno));
}

lw_status lwi_make_folders_above(const char *path)
{
    char *copy = lw_strdup(path);
    if (!copy)
        return LW_MEMORY;
    lw_status status = LW_OK;
    for (char *slash = *copy ? strchr(copy + 1, '/') : NULL; slash && status == LW_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        status = lwi_make_folder(copy);
        *slash = '/';
    }
    lw_free(copy);
    return status;
}
