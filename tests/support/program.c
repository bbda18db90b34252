/* program.c — see program.h. */
#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static char folder[] = "/tmp/lw-program-XXXXXX";
static bool made;

const char *program_folder(void)
{
    if (!made && !mkdtemp(folder))
        fail_msg("cannot make a temporary folder");
    made = true;
    return folder;
}

void program_clear(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (made && system(command) != 0)
        print_message("%s is left behind\n", folder);
}

char *program_run(const char *arguments, int *status)
{
    enum { ROOM = 1 << 16 };
    char command[2048], *text = malloc(ROOM);
    assert_non_null(text);
    snprintf(command, sizeof command, "cd %s && %s/bin/latentwalk %s 2>&1", program_folder(), LW_BUILD_DIR,
             arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, ROOM - 1, pipe)] = 0;
    int result = pclose(pipe);
    assert_true(WIFEXITED(result));
    *status = WEXITSTATUS(result);
    return text;
}

void program_expect(const char *arguments, int status, const char *text)
{
    int found;
    char *told = program_run(arguments, &found);
    if (found != status || !strstr(told, text))
        fail_msg("latentwalk %s: status %d, expected %d and '%s' in:\n%s", arguments, found, status, text,
                 told);
    free(told);
}

void program_interrupt(int number, const char *suffix, int signal)
{
    char order[256];
    snprintf(order, sizeof order, "%d %s %d", number, suffix, signal);
    setenv("LW_INTERRUPT", order, 1);
    setenv("LD_PRELOAD", LW_BUILD_DIR "/tests/interrupt.so", 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0); /* which wants to be loaded before it */
}

void program_go_on(void)
{
    unsetenv("LD_PRELOAD");
    unsetenv("LW_INTERRUPT");
}
