/* direction.h — what the files of the directions share. */
#ifndef LWI_DIRECTION_H
#define LWI_DIRECTION_H

#include "latentwalk/direction.h"

/* Unit vectors, or an error that names the direction which cannot be one, or whose numbers make no sense. */
lw_status lwi_directions_normalise(lw_directions *directions);

#endif
