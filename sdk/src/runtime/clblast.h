/* clblast.h — CLBlast's parameters and compiled kernels on a device. Internal to the runtime. */
#ifndef LWI_CLBLAST_H
#define LWI_CLBLAST_H

#include "latentwalk/program.h"

#include <jansson.h>

/* Which of our settings each of CLBlast's kernels for products does best with here; -1: CLBlast's own. */
enum { LWI_CLBLAST_FAMILIES = 3 };
typedef struct lwi_clblast_tuning {
    int setting[LWI_CLBLAST_FAMILIES]; /* large products, small ones, from which size on a product is large */
} lwi_clblast_tuning;

const char *lwi_clblast_family(int which); /* CLBlast's name of it */

/* Measures: compiles and times about twenty settings, a minute or so on a GPU. The settings stay in force. */
lw_status lwi_clblast_tune(lw_device *device, lwi_clblast_tuning *tuning);
/* Sets what was measured before. */
lw_status lwi_clblast_apply(lw_device *device, const lwi_clblast_tuning *tuning);
/* What is in force, for the record of a run: {"version": …, "settings": […]}. The caller's. */
json_t *lwi_clblast_record(const lw_device *device);
/* Puts that in force again. CLBlast forgets no setting: where one of its own is recorded and another is in
 * force, *note (NULL before; released with lw_free) says that products may round otherwise. LW_INVALID: no
 * such record. */
lw_status lwi_clblast_restore(lw_device *device, const json_t *record, char **note);
/* The same from and to a file of the user's cache folder, one for each device and driver; a missing one is
 * LW_OK. */
lw_status lwi_clblast_load(lw_device *device);
lw_status lwi_clblast_save(lw_device *device, const lwi_clblast_tuning *tuning);

/* Compiles the kernels of products on a thread of its own, which lwi_clblast_wait joins. CLBlastFillCache
 * would compile every routine of BLAS in five precisions; two are used here. */
void lwi_clblast_compile_ahead(lw_device *device);
void lwi_clblast_wait(lw_device *device);
/* Held while CLBlast may be compiling, so that nothing is compiled twice. */
void lwi_clblast_lock(void);
void lwi_clblast_unlock(void);

#endif
