/* errors.c — see errors.h. */
#include "errors.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "latentwalk/base.h"

void assert_error_contains(const char *text)
{
    if (!strstr(lw_error_text(), text))
        fail_msg("the error is '%s', without '%s'", lw_error_text(), text);
}
