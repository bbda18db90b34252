/* device.c — finding, opening and describing OpenCL devices, and building programs for them. */
#include "runtime/device.h"
#include "latentwalk/program.h"
#include "runtime/tuning.h"
#include "runtime/profile.h"
#include "runtime/clblast.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_DEVICES = 64, MOST_PLATFORMS = 16 };

typedef struct found {
    cl_platform_id platform;
    cl_device_id id;
    lw_device_info info;
} found;

static void text_of(cl_device_id id, cl_device_info what, char *text, size_t size)
{
    char buffer[1024] = "";
    clGetDeviceInfo(id, what, sizeof buffer - 1, buffer, NULL);
    snprintf(text, size, "%.*s", (int)size - 1, buffer);
}

static void describe(found *f, int platform, int device)
{
    char name[1024] = "";
    cl_device_type type = 0;
    cl_ulong memory = 0;
    cl_uint units = 0;
    clGetPlatformInfo(f->platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    lw_device_info *info = &f->info;
    snprintf(info->selector, sizeof info->selector, "%d:%d", platform, device);
    snprintf(info->platform, sizeof info->platform, "%.*s", (int)sizeof info->platform - 1, name);
    text_of(f->id, CL_DEVICE_NAME, info->name, sizeof info->name);
    text_of(f->id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    text_of(f->id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    const char *kind = type & CL_DEVICE_TYPE_CPU ? "cpu" : type & CL_DEVICE_TYPE_GPU ? "gpu" : "accelerator";
    snprintf(info->type, sizeof info->type, "%s", kind);
    snprintf(info->blas, sizeof info->blas, "%s", type & CL_DEVICE_TYPE_CPU ? "native" : "clblast");
    info->memory = memory;
    info->units = units;
}

/* All devices of all platforms, in OpenCL's order. */
static int find_devices(found *devices, int capacity)
{
    cl_platform_id platform[MOST_PLATFORMS];
    cl_uint platforms = 0;
    int count = 0;
    if (clGetPlatformIDs(MOST_PLATFORMS, platform, &platforms) != CL_SUCCESS)
        return 0;
    for (cl_uint p = 0; p < platforms && p < MOST_PLATFORMS; p++) {
        cl_device_id id[MOST_DEVICES];
        cl_uint ids = 0;
        if (clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, MOST_DEVICES, id, &ids) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < ids && d < MOST_DEVICES && count < capacity; d++) {
            found *f = &devices[count++];
            memset(f, 0, sizeof *f);
            f->platform = platform[p];
            f->id = id[d];
            describe(f, (int)p, (int)d);
        }
    }
    return count;
}

int lw_device_list(lw_device_info *infos, int capacity)
{
    found *devices = lw_alloc(MOST_DEVICES, sizeof *devices);
    if (!devices)
        return 0;
    int count = find_devices(devices, MOST_DEVICES);
    for (int i = 0; i < count && i < capacity; i++)
        infos[i] = devices[i].info;
    lw_free(devices);
    return count;
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

/* The first device that the selector means; -1 with an error that lists what there is. */
static int choose(const found *devices, int count, const char *selector)
{
    static const char *const preferred[] = {"gpu", "cpu", "accelerator"};
    bool any = !selector || !*selector;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < count; i++)
            if (strcmp(devices[i].info.type, preferred[k]) == 0 &&
                (any || strcasecmp(selector, preferred[k]) == 0))
                return i;
    for (int i = 0; !any && i < count; i++)
        if (strcmp(devices[i].info.selector, selector) == 0)
            return i;
    for (int i = 0; !any && i < count; i++)
        if (contains(devices[i].info.name, selector))
            return i;
    char list[512] = "";
    for (int i = 0; i < count; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s %s (%s)", i ? ", " : "", devices[i].info.selector,
                 devices[i].info.name, devices[i].info.type);
    }
    lw_fail(LW_NOT_FOUND, "no OpenCL device %s%s%s; there %s", any ? "at all" : "matches '",
            any ? "" : selector, any ? "" : "'",
            count ? list : "is none: the Debian package pocl-opencl-icd provides one for CPUs");
    return -1;
}

static const lwi_backend *choose_backend(const char *blas, bool cpu)
{
    if (!blas || strcmp(blas, "auto") == 0)
        return cpu ? &lwi_native : &lwi_clblast;
    if (strcmp(blas, "native") == 0)
        return &lwi_native;
    if (strcmp(blas, "clblast") == 0)
        return &lwi_clblast;
    lw_fail(LW_INVALID, "no blas back end is called '%s'; there are native, clblast and auto", blas);
    return NULL;
}

static lw_status open_found(lw_device *device, const found *f)
{
    cl_int code;
    cl_uint width = 1, bits = 1024;
    cl_ulong largest = 0, local = 0;
    size_t items = 1;
    device->id = f->id;
    device->info = f->info;
    device->context = clCreateContext(NULL, 1, &f->id, NULL, NULL, &code);
    LW_TRY(lwi_cl(code, "open an OpenCL context"));
    device->queue = clCreateCommandQueue(device->context, f->id, 0, &code);
    LW_TRY(lwi_cl(code, "open an OpenCL queue"));
    clGetDeviceInfo(f->id, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, sizeof width, &width, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof largest, &largest, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof items, &items, NULL);
    clGetDeviceInfo(f->id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    bool cpu = strcmp(f->info.type, "cpu") == 0;
    /* Others might keep copies of what a buffer lies on. */
    device->in_host_memory = cpu && strcmp(f->info.platform, "Portable Computing Language") == 0;
    device->target = (lwi_target){.is_cpu = cpu,
                                  .units = (int)f->info.units,
                                  .vector_width = cpu ? (int)width : 1,
                                  .group_items = items < 256 ? (int)items : 256,
                                  .local_bytes = local < 32768 ? (int)local : 32768};
    device->alignment = bits / 32 > 16 ? bits / 32 : 16;
    device->largest = largest;
    return LW_OK;
}

static lw_status open_device(lw_device *device, const char *selector, const char *blas)
{
    device->references = 1;
    device->clblast = (lwi_clblast_tuning){{-1, -1, -1}};
    if (selector && strcmp(selector, "none") == 0) {
        device->none = true;
        device->target = (lwi_target){true, 2, 16, 256, 32768};
        device->alignment = 32;
        device->info = (lw_device_info){.selector = "none", .name = "none: computes nothing", .type = "none"};
        device->backend = choose_backend(blas, true);
    } else {
        found *devices = lw_alloc(MOST_DEVICES, sizeof *devices);
        if (!devices)
            return LW_MEMORY;
        int count = find_devices(devices, MOST_DEVICES), chosen = choose(devices, count, selector);
        lw_status status = chosen < 0 ? lw_error_status() : open_found(device, &devices[chosen]);
        lw_free(devices);
        LW_TRY(status);
        device->backend = choose_backend(blas, device->target.is_cpu);
    }
    if (!device->backend)
        return LW_INVALID;
    snprintf(device->info.blas, sizeof device->info.blas, "%s", device->backend->name);
    if (device->none || device->backend != &lwi_clblast)
        return LW_OK;
    LW_TRY(lwi_clblast_load(device));
    if (!device->target.is_cpu)
        lwi_clblast_compile_ahead(device);
    return LW_OK;
}

lw_device *lw_device_open(const char *selector, const char *blas)
{
    lw_device *device = lw_alloc(1, sizeof *device);
    if (device && open_device(device, selector, blas) != LW_OK) {
        lwi_device_release(device);
        return NULL;
    }
    return device;
}

void lwi_device_retain(lw_device *device)
{
    device->references++;
}

void lwi_device_release(lw_device *device)
{
    if (!device || --device->references > 0)
        return;
    lwi_clblast_wait(device);
    lwi_tuning_close(device->target.tuning);
    for (int i = 0; i < device->built_count; i++) {
        clReleaseProgram(device->built[i].program);
        lw_free(device->built[i].options);
    }
    lw_free(device->built);
    lwi_profile_destroy(device->profile);
    if (device->queue) {
        clFinish(device->queue);
        clReleaseCommandQueue(device->queue);
    }
    if (device->arena)
        clReleaseMemObject(device->arena);
    if (device->context)
        clReleaseContext(device->context);
    lw_free(device);
}

void lw_device_close(lw_device *device)
{
    lwi_device_release(device);
}

lw_status lw_device_describe(lw_device *device, lw_device_info *info)
{
    if (!device || !info)
        return lw_fail(LW_INVALID, "lw_device_describe needs a device and a place for what it says");
    *info = device->info;
    return LW_OK;
}

lw_status lw_device_finish(lw_device *device)
{
    return device->none ? LW_OK : lwi_cl(clFinish(device->queue), "wait for the device");
}

static lw_status build_error(lw_device *device, cl_program program, cl_int code)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = lw_alloc(size + 1, 1);
    if (log)
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    lw_fail(LW_DEVICE, "the build log says: %.2000s", log && *log ? log : "nothing");
    lw_free(log);
    return lw_wrap("cannot build kernels for %s (%s)", device->info.name,
                   code == CL_BUILD_PROGRAM_FAILURE ? "CL_BUILD_PROGRAM_FAILURE"
                                                    : "OpenCL refused the program");
}

lw_status lwi_device_build(lw_device *device, const char *source, const char *options, cl_program *program)
{
    cl_int code;
    *program = clCreateProgramWithSource(device->context, 1, &source, NULL, &code);
    LW_TRY(lwi_cl(code, "create a program"));
    code = clBuildProgram(*program, 1, &device->id, options, NULL, NULL);
    if (code == CL_SUCCESS)
        return LW_OK;
    build_error(device, *program, code);
    clReleaseProgram(*program);
    *program = NULL;
    return LW_DEVICE;
}

lw_status lwi_device_program(lw_device *device, const char *source, const char *options, cl_program *program)
{
    for (int i = 0; i < device->built_count; i++)
        if (device->built[i].source == source && strcmp(device->built[i].options, options) == 0) {
            *program = device->built[i].program;
            return LW_OK;
        }
    lwi_built *built = lw_resize(device->built, (size_t)device->built_count + 1, sizeof *built);
    if (!built)
        return LW_MEMORY;
    device->built = built;
    char *copy = lw_strdup(options);
    lw_status status = copy ? lwi_device_build(device, source, options, program) : LW_MEMORY;
    if (status != LW_OK) {
        lw_free(copy);
        return status;
    }
    device->built[device->built_count++] = (lwi_built){source, copy, *program};
    return LW_OK;
}
