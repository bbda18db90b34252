/* folder.h — making folders. Internal. */
#ifndef LWI_FOLDER_H
#define LWI_FOLDER_H

#include "latentwalk/base.h"

/* One that is there already is fine. */
lw_status lwi_make_folder(const char *path);
/* All that a file or folder of this name lies in. */
lw_status lwi_make_folders_above(const char *path);

#endif
