/* resident.h — tensors of stores on the device. Internal to the runtime. */
#ifndef LWI_RESIDENT_H
#define LWI_RESIDENT_H

#include "runtime/device.h"
#include "tensor/store_internal.h"

/* Gives the tensor a buffer on the device (it moves if it was on another one). */
lw_status lwi_make_resident(lw_device *device, lw_store *store, const char *name, lwi_entry **entry);
/* Copies the host's values to the device where they are newer. */
lw_status lwi_upload(lwi_entry *entry);

#endif
