/* plugins.h — the built plugins, for tests: loaded from the build folder by id, fails the test if it cannot. */
#ifndef TEST_PLUGINS_H
#define TEST_PLUGINS_H

#include <latentwalk/latentwalk.h>

const lw_plugin *test_plugin(const char *id);
/* Arguments with defaults and "key=value" settings (NULL-terminated, or NULL). */
lw_args *test_args(const char *id, const char *const *with);
/* A model with freshly initialised weights, and further parts for it. Destroy with lwi_model_destroy. */
lw_model *test_model(const char *name, lw_part part, const char *id, const char *const *with);
void test_model_part(lw_model *model, lw_part part, const char *id, const char *const *with);
/* Makes the weights of a fresh part, and multiplies its matrices and filters: fresh ones make pictures and
 * outputs that hardly differ. */
void test_strengthen(lw_model *model, lw_part part, float factor);
void test_must(lw_status status);
/* Set-up and tear-down of a group whose *state is the CPU device, computing with the native back end. */
int test_open_device(void **state);
int test_close_device(void **state);

#endif
