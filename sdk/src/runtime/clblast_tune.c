/* clblast_tune.c — CLBlast's parameters for this device, by measurement, and its kernels compiled ahead.
 *
 * CLBlast knows good parameters for the devices in its database and middling ones for all others. Its own
 * tuners are C++ only, print tables and take minutes; here its kernels' main parameters are tried through
 * CLBlastOverrideParameters on a product each: a dozen settings that span what the database holds (tiles of
 * 32 to 128, vectors of 1 to 4, with and without local memory). */
#include "runtime/cache.h"
#include "runtime/clblast.h"
#include "base/clock.h"
#include "base/folder.h"

#include "latentwalk/image.h"
#include "runtime/device.h"

#include <clblast_c.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A CLBlast kernel, and settings of its parameters to choose from. */
typedef struct family {
    const char *kernel;
    const char *name[16];
    int names;
    size_t setting[12][16];
    int settings;
    size_t side; /* of the product that is timed; 0: several */
} family;

enum { INDIRECT, DIRECT, ROUTE, FAMILIES = LWI_CLBLAST_FAMILIES };
static const family families[FAMILIES] = {
    {"Xgemm",
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB", "STRM",
      "STRN", "VWM", "VWN"},
     16,
     {{0, 1, 16, 2, 16, 16, 128, 16, 16, 128, 1, 1, 0, 0, 4, 4},
      {0, 1, 16, 2, 16, 16, 128, 16, 16, 64, 1, 1, 0, 0, 4, 2},
      {0, 1, 16, 2, 16, 16, 64, 16, 16, 128, 1, 1, 0, 0, 2, 4},
      {0, 1, 32, 2, 16, 16, 64, 16, 16, 64, 1, 1, 0, 0, 2, 2},
      {0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4},
      {0, 1, 32, 2, 8, 8, 64, 8, 8, 64, 0, 0, 0, 0, 4, 4},
      {0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 0, 1, 0, 0, 2, 2},
      {0, 1, 32, 2, 16, 16, 128, 8, 8, 64, 0, 1, 0, 0, 4, 4},
      {0, 1, 32, 2, 8, 8, 32, 8, 8, 32, 1, 1, 0, 0, 2, 2},
      {0, 1, 32, 2, 8, 8, 32, 8, 8, 32, 0, 0, 0, 0, 4, 1}},
     10,
     1024},
    {"XgemmDirect",
     {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD", "PADA", "PADB", "VWMD", "VWND", "WGD"},
     10,
     {{2, 8, 8, 8, 8, 1, 1, 1, 1, 8},
      {2, 8, 8, 8, 8, 1, 1, 1, 1, 16},
      {2, 8, 8, 8, 8, 1, 1, 2, 2, 32},
      {2, 16, 16, 16, 16, 1, 1, 1, 1, 32},
      {8, 16, 16, 16, 16, 1, 1, 2, 2, 64},
      {2, 8, 16, 8, 16, 1, 1, 2, 2, 64}},
     6,
     192},
    {"GemmRoutine", {"XGEMM_MIN_INDIRECT_SIZE"}, 1, {{96}, {192}, {384}, {768}, {1536}}, 5, 0},
};
enum { ALWAYS_INDIRECT = 1, ALWAYS_DIRECT = 1 << 20 };

const char *lwi_clblast_family(int which)
{
    return families[which].kernel;
}

static lw_status override(lw_device *device, const family *f, const size_t *values)
{
    CLBlastStatusCode code = CLBlastOverrideParameters(device->id, f->kernel, CLBlastPrecisionSingle,
                                                       (size_t)f->names, (const char **)f->name, values);
    if (code == CLBlastSuccess)
        return LW_OK;
    return lw_fail(LW_DEVICE, "CLBlast refuses parameters for %s: error %d", f->kernel, (int)code);
}

/* --- measurement ---------------------------------------------------------------------------------- */
/* Square matrices of ones up to `most` rows, and a result. */
typedef struct bench {
    lw_device *device;
    cl_mem ones, result;
} bench;

static lw_status open_bench(bench *b, lw_device *device, size_t most)
{
    cl_int code;
    const float one = 1;
    *b = (bench){.device = device};
    b->ones = clCreateBuffer(device->context, CL_MEM_READ_WRITE, most * most * sizeof one, NULL, &code);
    LW_TRY(lwi_cl(code, "create a matrix for tuning"));
    b->result = clCreateBuffer(device->context, CL_MEM_READ_WRITE, most * most * sizeof one, NULL, &code);
    LW_TRY(lwi_cl(code, "create a matrix for tuning"));
    return lwi_cl(clEnqueueFillBuffer(device->queue, b->ones, &one, sizeof one, 0, most * most * sizeof one,
                                      0, NULL, NULL),
                  "fill a matrix for tuning");
}

static void close_bench(bench *b)
{
    if (b->ones)
        clReleaseMemObject(b->ones);
    if (b->result)
        clReleaseMemObject(b->result);
}

static bool multiply(const bench *b, size_t side)
{
    cl_command_queue queue = b->device->queue;
    return CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, side, side, side, 1.0f,
                        b->ones, 0, side, b->ones, 0, side, 0.0f, b->result, 0, side, &queue,
                        NULL) == CLBlastSuccess &&
           clFinish(queue) == CL_SUCCESS;
}

/* Best of a few, after one that compiles and is checked; negative where the device cannot or computes
 * wrongly. */
static double seconds(const bench *b, size_t side)
{
    float corner[2] = {0, 0};
    const size_t last = (side * side - 1) * sizeof *corner;
    if (!multiply(b, side) ||
        clEnqueueReadBuffer(b->device->queue, b->result, CL_TRUE, 0, sizeof *corner, corner, 0, NULL, NULL) ||
        clEnqueueReadBuffer(b->device->queue, b->result, CL_TRUE, last, sizeof *corner, corner + 1, 0, NULL,
                            NULL) ||
        corner[0] != (float)side || corner[1] != (float)side)
        return -1;
    double best = -1;
    for (int i = 0; i < 5; i++) {
        const double start = lwi_clock();
        if (!multiply(b, side))
            return -1;
        const double took = lwi_clock() - start;
        best = best < 0 || took < best ? took : best;
    }
    return best;
}

/* Time of the family's product; of ROUTE, of small ones to large ones, each against the cube of its side. */
static double time_of(const bench *b, const family *f)
{
    if (f->side)
        return seconds(b, f->side);
    double sum = 0;
    for (size_t side = 128; side <= 1024; side *= 2) {
        const double took = seconds(b, side);
        if (took < 0)
            return -1;
        sum += took / (double)(side * side * side);
    }
    return sum;
}

static lw_status tune_family(const bench *b, int which, int *best)
{
    const family *f = &families[which];
    if (which != ROUTE)
        LW_TRY(override(b->device, &families[ROUTE],
                        &(size_t){which == DIRECT ? ALWAYS_DIRECT : ALWAYS_INDIRECT}));
    double least = which == ROUTE ? -1 : time_of(b, f); /* with CLBlast's own parameters */
    *best = -1;
    for (int i = 0; i < f->settings; i++) {
        LW_TRY(override(b->device, f, f->setting[i]));
        const double took = time_of(b, f);
        if (took >= 0 && (least < 0 || took < least))
            least = took, *best = i;
    }
    return *best < 0 ? LW_OK : override(b->device, f, f->setting[*best]); /* while the others are measured */
}

lw_status lwi_clblast_tune(lw_device *device, lwi_clblast_tuning *tuning)
{
    bench b;
    lw_status status = open_bench(&b, device, 1024);
    for (int f = 0; f < FAMILIES && status == LW_OK; f++)
        status = tune_family(&b, f, &tuning->setting[f]);
    close_bench(&b);
    return status == LW_OK ? lwi_clblast_apply(device, tuning) : status;
}

lw_status lwi_clblast_apply(lw_device *device, const lwi_clblast_tuning *tuning)
{
    for (int f = 0; f < FAMILIES; f++) {
        const int i = tuning->setting[f];
        if (i >= families[f].settings || i < -1)
            return lw_fail(LW_INVALID, "CLBlast's %s has no setting %d here", families[f].kernel, i);
        if (i >= 0)
            LW_TRY(override(device, &families[f], families[f].setting[i]));
        device->clblast.setting[f] = i >= 0 ? i : device->clblast.setting[f];
    }
    return LW_OK;
}

/* --- the record of a run ------------------------------------------------------------------------------ */
enum { FILE_VERSION = 1 }; /* rises when the settings above change their places */

json_t *lwi_clblast_record(const lw_device *device)
{
    const int *s = device->clblast.setting;
    return json_pack("{s:i, s:[i, i, i]}", "version", FILE_VERSION, "settings", s[0], s[1], s[2]);
}

lw_status lwi_clblast_restore(lw_device *device, const json_t *record, char **note)
{
    int version = 0, s[FAMILIES] = {0};
    if (json_unpack((json_t *)(uintptr_t)record, "{s:i, s:[i, i, i]}", "version", &version, "settings", &s[0],
                    &s[1], &s[2]) != 0 ||
        version != FILE_VERSION)
        return lw_fail(LW_INVALID, "it records CLBlast's settings in another way than this version");
    for (int f = 0; f < FAMILIES && !*note; f++)
        if (s[f] < 0 && device->clblast.setting[f] >= 0)
            *note = lw_format("CLBlast was tuned for %s since the run: its products may round otherwise",
                              device->info.name);
    return lwi_clblast_apply(device, &(lwi_clblast_tuning){{s[0], s[1], s[2]}});
}

/* --- the user's cache --------------------------------------------------------------------------------- */
/* The file of this device and driver; to be released. NULL: no home, no memory. */
static char *cache_path(const lw_device *device)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const char *parts[] = {device->info.platform, device->info.name, device->info.version,
                           device->info.driver};
    for (int i = 0; i < 4; i++)
        for (const char *c = parts[i]; *c; c++)
            hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    char name[32];
    snprintf(name, sizeof name, "clblast-%016llx", (unsigned long long)hash);
    return lwi_cache_path(name);
}

lw_status lwi_clblast_load(lw_device *device)
{
    char *path = cache_path(device);
    FILE *file = path ? fopen(path, "r") : NULL;
    lw_status status = LW_OK;
    int version = 0;
    lwi_clblast_tuning tuning;
    if (file) {
        int read = fscanf(file, "%d", &version);
        for (int f = 0; f < FAMILIES && read == 1; f++)
            read = fscanf(file, "%d", &tuning.setting[f]);
        fclose(file);
        if (version == FILE_VERSION)
            status = read == 1 ? lwi_clblast_apply(device, &tuning) : lw_fail(LW_INVALID, "it is cut short");
        if (status != LW_OK)
            lw_wrap("cannot use the tuning in %s; delete the file, or run `latentwalk devices --tune %s`",
                    path, device->info.selector);
    }
    lw_free(path);
    return status;
}

lw_status lwi_clblast_save(lw_device *device, const lwi_clblast_tuning *tuning)
{
    char *path = cache_path(device);
    char *text =
        lw_format("%d %d %d %d\n", FILE_VERSION, tuning->setting[0], tuning->setting[1], tuning->setting[2]);
    lw_status status =
        path && text ? lwi_make_folders_above(path)
                     : lw_fail(LW_IO, "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    if (status == LW_OK)
        status = lw_file_write(path, text, strlen(text));
    lw_free(path);
    lw_free(text);
    return status;
}

/* --- compiling ahead --------------------------------------------------------------------------------- */
static pthread_mutex_t compiling = PTHREAD_MUTEX_INITIALIZER;

void lwi_clblast_lock(void)
{
    pthread_mutex_lock(&compiling);
}

void lwi_clblast_unlock(void)
{
    pthread_mutex_unlock(&compiling);
}

/* One number times one number, by both routines that products here use. */
static void *compile(void *argument)
{
    lw_device *device = argument;
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    cl_mem number =
        code ? NULL : clCreateBuffer(device->context, CL_MEM_READ_WRITE, sizeof(float), NULL, &code);
    if (code == CL_SUCCESS) {
        lwi_clblast_lock();
        CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, 1, 1, 1, 0.0f, number, 0,
                     1, number, 0, 1, 0.0f, number, 0, 1, &queue, NULL);
        CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, 1, 1, 1,
                                   0.0f, number, 0, 1, 0, number, 0, 1, 0, 0.0f, number, 0, 1, 0, 1, &queue,
                                   NULL);
        lwi_clblast_unlock();
        clFinish(queue);
    }
    if (number)
        clReleaseMemObject(number);
    if (queue)
        clReleaseCommandQueue(queue);
    return NULL;
}

void lwi_clblast_compile_ahead(lw_device *device)
{
    device->compiles_ahead = pthread_create(&device->compiler, NULL, compile, device) == 0;
}

void lwi_clblast_wait(lw_device *device)
{
    if (device->compiles_ahead)
        pthread_join(device->compiler, NULL);
    device->compiles_ahead = false;
}
