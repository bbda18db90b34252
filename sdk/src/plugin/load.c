/* load.c — opening a plugin's library: in a child process first, then here. */
#include "base/clock.h"
#include "plugin/prefix.h"
#include "plugin/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the child says that it got through; an exit() in a constructor is unlikely to pick the same. */
#define PROBE_PASSED 97
#define PROBE_SECONDS 20

/* What the library holds, with fields that an older plugin lacks set to zero. Never freed: plugins stay
 * loaded until the process ends. */
typedef struct loaded {
    struct loaded *next;
    lw_plugin plugin;
    char id[LWI_ID_BYTES];
} loaded;
static loaded *all_loaded;

const char *lwi_plugin_id(const lw_plugin *plugin)
{
    for (const loaded *l = all_loaded; l; l = l->next)
        if (&l->plugin == plugin)
            return l->id;
    /* A descriptor that was not loaded from a file, as in unit tests. */
    static _Thread_local char id[LWI_ID_BYTES];
    return lwi_prefix_id(&plugin->prefix, id);
}

/* --- the probe ------------------------------------------------------------------------------ */

/* Runs in the child: opens the library and reads the whole descriptor, so that a constructor that crashes and
 * a table with a wild pointer are both found here. */
static void probe_child(const char *path)
{
    int null = open("/dev/null", O_WRONLY);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    for (int s = 1; s < 32; s++) /* nobody else's handlers, a sanitizer's least of all */
        signal(s, SIG_DFL);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const lw_plugin *plugin = library ? dlsym(library, LW_PLUGIN_SYMBOL) : NULL;
    lw_plugin whole = {0};
    if (plugin) {
        uint32_t size = plugin->prefix.descriptor_size;
        memcpy(&whole, plugin, size < sizeof whole ? size : sizeof whole);
        lwi_descriptor_check(&whole);
    }
    _exit(PROBE_PASSED); /* a library that cannot be opened is reported by the parent's dlopen */
}

/* Waits until the child has closed its end of the pipe, or the time is up. */
static bool ended_in_time(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};
    const double until = lwi_clock() + PROBE_SECONDS;
    for (;;) {
        const double left = until - lwi_clock();
        int ready = left > 0 ? poll(&end, 1, (int)ceil(left * 1000)) : 0;
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

static lw_status probe_result(int how, bool in_time)
{
    if (!in_time)
        return lw_fail(LW_INVALID,
                       "its constructor did not return within %d seconds; plugins must not run anything "
                       "when loaded",
                       PROBE_SECONDS);
    if (WIFSIGNALED(how))
        return lw_fail(LW_INVALID,
                       "loading it ended the probing process with signal %d (%s): a constructor crashes, or "
                       "the descriptor points nowhere; plugins must not run anything when loaded",
                       WTERMSIG(how), strsignal(WTERMSIG(how)));
    if (WIFEXITED(how) && WEXITSTATUS(how) != PROBE_PASSED)
        return lw_fail(LW_INVALID,
                       "loading it ended the probing process with exit status %d: a constructor calls "
                       "exit; plugins must not run anything when loaded",
                       WEXITSTATUS(how));
    return LW_OK;
}

static lw_status probe(const char *path)
{
    int pipe_fd[2], how = 0;
    if (pipe(pipe_fd) != 0)
        return lw_fail(LW_IO, "cannot make a pipe to probe the plugin: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        close(pipe_fd[0]);
        probe_child(path);
    }
    close(pipe_fd[1]);
    if (child < 0) {
        close(pipe_fd[0]);
        return lw_fail(LW_IO, "cannot start a process to probe the plugin: %s", strerror(errno));
    }
    bool in_time = ended_in_time(pipe_fd[0]);
    if (!in_time)
        kill(child, SIGKILL);
    close(pipe_fd[0]);
    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR)
            return lw_fail(LW_IO, "cannot wait for the process that probes the plugin: %s", strerror(errno));
    return probe_result(how, in_time);
}

/* --- loading -------------------------------------------------------------------------------- */

static lw_status keep(const char *path, const lw_plugin_prefix *prefix, loaded *made)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return lw_fail(LW_UNSUPPORTED,
                       "the dynamic loader refuses it: %s; rebuild the plugin against this SDK, or "
                       "install what is missing",
                       dlerror());
    const lw_plugin *plugin = dlsym(library, LW_PLUGIN_SYMBOL);
    if (!plugin)
        return lw_fail(LW_NOT_FOUND, "symbol '%s' is missing: %s", LW_PLUGIN_SYMBOL, dlerror());
    if (memcmp(&plugin->prefix, prefix, sizeof *prefix) != 0)
        return lw_fail(LW_INVALID,
                       "the loaded descriptor differs from the one in the file: it changed meanwhile; try "
                       "again");
    memcpy(&made->plugin, plugin, prefix->descriptor_size);
    return lwi_descriptor_check(&made->plugin);
}

const lw_plugin *lwi_plugin_load(const char *path)
{
    lw_plugin_prefix prefix;
    /* Without a slash dlopen would search the system's library folders. */
    char *file = lw_format("%s%s", strchr(path, '/') ? "" : "./", path);
    bool ok = file && lwi_prefix_read(file, &prefix) == LW_OK && probe(file) == LW_OK;
    loaded *made = ok ? lw_alloc(1, sizeof *made) : NULL;
    ok = made && keep(file, &prefix, made) == LW_OK;
    lw_free(file);
    if (!ok) {
        lw_free(made);
        return NULL;
    }
    lwi_prefix_id(&prefix, made->id);
    made->next = all_loaded;
    all_loaded = made;
    return &made->plugin;
}
