/* opened.c — see opened.h. */
#include "opened.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "errors.h"

lw_store *opened_store(const bytes *b, const char *container)
{
    lwi_checkpoint *file = lwi_checkpoint_parse(b->data, b->size, "test");
    if (!file)
        fail_msg("%s", lw_error_text());
    assert_string_equal(lwi_checkpoint_container(file), container);
    lw_store *store = lwi_checkpoint_store(file, NULL);
    if (!store)
        fail_msg("%s", lw_error_text());
    lwi_checkpoint_close(file);
    return store;
}

void opened_not(const bytes *b, const char *message)
{
    uint8_t *copy = malloc(b->size ? b->size : 1);
    memcpy(copy, b->data, b->size);
    lwi_checkpoint *file = lwi_checkpoint_parse(copy, b->size, "test");
    if (file)
        fail_msg("this was opened, instead of '%s'", message);
    assert_error_contains(message);
    free(copy);
}
