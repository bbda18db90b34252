/* tuning.h — algorithms chosen by measurement: each on first use, kept in the user's cache folder, recorded
 * with the run. Internal; the host opens it.
 *
 * Without it the choice is the one that costs least by estimate, the same everywhere. */
#ifndef LWI_TUNING_H
#define LWI_TUNING_H

#include "latentwalk/program.h"
#include "runtime/native.h"

typedef struct lwi_tuning lwi_tuning;

/* From now on choices for this device are taken from the JSON file `given` (NULL: none), else from the user's
 * cache, else measured and put there. All that are used are written to the file `record` (NULL: nowhere),
 * which may be `given`; CLBlast's settings are written and taken with them. Right after the device was
 * opened. LW_INVALID where `given` is no such file; *note (released with lw_free) says where a cache cannot
 * be read and is measured anew, or that CLBlast has been tuned since. */
lw_status lwi_tuning_start(lw_device *device, const char *given, const char *record, char **note);
/* Where the choices for a device are kept: $XDG_CACHE_HOME/latentwalk or ~/.cache/latentwalk; NULL: nowhere.
 */
char *lwi_tuning_path(const lw_device_info *info);

/* --- for the runtime ---------------------------------------------------------------------------- */
lwi_algorithm lwi_tuned(lwi_tuning *tuning, const lwi_lowering *l, const lwi_conv *conv);
void lwi_tuning_close(lwi_tuning *tuning); /* saves what was measured */

#endif
