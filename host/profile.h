/* profile.h — `--profile`: what each kernel cost, as a table and as a trace. */
#ifndef LWH_PROFILE_H
#define LWH_PROFILE_H

#include "common.h"
#include "latentwalk/program.h"

/* Writes FOLDER/profile.txt (every kernel of every step) and FOLDER/profile.json (each launch, in the trace
 * format that Chrome's about:tracing and Perfetto open), and prints the dearest kernels on stderr unless
 * quiet. The device is one that lwi_profile_start was called on. */
lw_status lwh_profile_write(lw_device *device, const lwh_options *options, const char *folder);

#endif
