/* interrupt.c — sends the program a signal at a place of the test's choice, the same on every machine.
 * Preloaded, it stands in front of rename(), by which the program puts its files into place.
 *
 * LW_INTERRUPT="NUMBER SUFFIX SIGNAL": before the NUMBER-th file, from 1, whose path ends in SUFFIX. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_due(const char *path)
{
    static int seen;
    char suffix[256];
    int number, length = (int)strlen(path);
    const char *order = getenv("LW_INTERRUPT");
    if (!order || sscanf(order, "%d %255s", &number, suffix) != 2 || length < (int)strlen(suffix))
        return false;
    return strcmp(path + length - (int)strlen(suffix), suffix) == 0 && ++seen == number;
}

/* Until the program has taken the signal: it waits for some in a thread of its own. */
static void send_signal(int number)
{
    sigset_t waiting;
    kill(getpid(), number);
    while (sigpending(&waiting) == 0 && sigismember(&waiting, number))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "rename");
    if (is_due(to))
        send_signal(atoi(strrchr(getenv("LW_INTERRUPT"), ' ')));
    return next(from, to);
}
