/* tuning.h — `device.tuning` of a pipeline, and what `latentwalk devices --tuning` shows. */
#ifndef LWH_TUNING_H
#define LWH_TUNING_H

#include "common.h"
#include "latentwalk/program.h"

/* Chooses the device's algorithms by `how`: "measure", "estimate", or a record of an earlier run. What is
 * chosen is written to `record` (NULL: nowhere). */
lw_status lwh_tune(lw_device *device, const char *how, const char *record);
/* What there is without a word: LATENTWALK_TUNING, else "measure". */
const char *lwh_default_tuning(void);
/* The choices in the user's cache for a device, as a table. */
void lwh_print_tuning(const lw_device_info *info);
json_t *lwh_tuning_json(const lw_device_info *info); /* as the cache has it; null where there is none */

#endif
