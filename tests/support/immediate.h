/* immediate.h — a lowering that runs every launch at once, for testing and timing kernels without the
 * compiler.
 *
 * It defines the compiler's own entry points (lwi_emit, lwi_scratch, lwi_lowering_target), and as the
 * program's definitions come before a shared library's, back ends called with it emit into it. Every buffer
 * lies between pages that cannot be touched and ends where its page ends, so a read or write beyond it stops
 * the program; the floats before it are checked by immediate_guards_hold(). New buffers are filled with NaN.
 * Works on CPU devices. */
#ifndef IMMEDIATE_H
#define IMMEDIATE_H

#include "compile/lowered.h"

/* NULL where there is no OpenCL CPU device. */
lwi_lowering *immediate_open(lwi_target target);
void immediate_close(lwi_lowering *l);

lwi_buffer immediate_buffer(lwi_lowering *l, const float *data, size_t count); /* data NULL: NaN */
float *immediate_data(lwi_lowering *l, lwi_buffer id); /* waits; valid until the close */
bool immediate_guards_hold(lwi_lowering *l);

/* Everything emitted since the last reset, again; without the launches of kernels that pack where not
 * `packs`. Seconds until done. */
double immediate_replay(lwi_lowering *l, bool packs);
/* Forgets launches and buffers. */
void immediate_reset(lwi_lowering *l);

#endif
