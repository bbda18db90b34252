/* compiled.h — programs on the one CPU device of a test program. What goes wrong fails the test. */
#ifndef TEST_COMPILED_H
#define TEST_COMPILED_H

#include "latentwalk/program.h"
#include "reference.h"

/* For cmocka_run_group_tests, which opens and closes it. */
extern lw_device *device;
int open_device(void **state);
int close_device(void **state);

lw_program *compile(lw_graph *g);
void run(lw_program *p);
uint32_t kernels(lw_program *p); /* of one run */
float first_output(lw_program *p); /* runs it; the first float of the output "y" */
/* The output is the reference's, within `tolerance` of the deviation and of each number. */
void check_output(lw_program *p, reference *r, const char *name, double tolerance);

/* Normal numbers of the stream of this purpose, and a tensor of those of its name. */
void fill_normal(float *data, size_t count, const char *purpose);
void set_normal(lw_store *store, const char *name, lw_shape shape);

#endif
