/* cl_error.c — OpenCL's error numbers by name. */
#include "runtime/device.h"

#define NAMES(X)                                                                                             \
    X(CL_DEVICE_NOT_FOUND)                                                                                   \
    X(CL_DEVICE_NOT_AVAILABLE)                                                                               \
    X(CL_COMPILER_NOT_AVAILABLE) X(CL_MEM_OBJECT_ALLOCATION_FAILURE) X(CL_OUT_OF_RESOURCES)                  \
        X(CL_OUT_OF_HOST_MEMORY) X(CL_PROFILING_INFO_NOT_AVAILABLE) X(CL_MEM_COPY_OVERLAP)                   \
            X(CL_BUILD_PROGRAM_FAILURE) X(CL_MAP_FAILURE) X(CL_MISALIGNED_SUB_BUFFER_OFFSET)                 \
                X(CL_LINK_PROGRAM_FAILURE) X(CL_INVALID_VALUE) X(CL_INVALID_DEVICE_TYPE)                     \
                    X(CL_INVALID_PLATFORM) X(CL_INVALID_DEVICE) X(CL_INVALID_CONTEXT)                        \
                        X(CL_INVALID_QUEUE_PROPERTIES) X(CL_INVALID_COMMAND_QUEUE) X(CL_INVALID_HOST_PTR)    \
                            X(CL_INVALID_MEM_OBJECT) X(CL_INVALID_BINARY) X(CL_INVALID_BUILD_OPTIONS)        \
                                X(CL_INVALID_PROGRAM) X(CL_INVALID_PROGRAM_EXECUTABLE)                       \
                                    X(CL_INVALID_KERNEL_NAME) X(CL_INVALID_KERNEL_DEFINITION)                \
                                        X(CL_INVALID_KERNEL) X(CL_INVALID_ARG_INDEX) X(CL_INVALID_ARG_VALUE) \
                                            X(CL_INVALID_ARG_SIZE) X(CL_INVALID_KERNEL_ARGS)                 \
                                                X(CL_INVALID_WORK_DIMENSION) X(CL_INVALID_WORK_GROUP_SIZE)   \
                                                    X(CL_INVALID_WORK_ITEM_SIZE) X(CL_INVALID_GLOBAL_OFFSET) \
                                                        X(CL_INVALID_EVENT_WAIT_LIST) X(CL_INVALID_EVENT)    \
                                                            X(CL_INVALID_OPERATION)                          \
                                                                X(CL_INVALID_BUFFER_SIZE)                    \
                                                                    X(CL_INVALID_GLOBAL_WORK_SIZE)

lw_status lwi_cl(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return LW_OK;
    bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY;
    lw_status status = memory ? LW_MEMORY : LW_DEVICE;
    if (code == -1001) /* cl_khr_icd */
        return lw_fail(status,
                       "cannot %s: no OpenCL platform is installed (CL_PLATFORM_NOT_FOUND_KHR); the Debian "
                       "package pocl-opencl-icd provides one for CPUs",
                       what);
    switch (code) {
#define X(name) \
    case name: return lw_fail(status, "cannot %s: " #name, what);
        NAMES(X)
#undef X
    default: return lw_fail(status, "cannot %s: OpenCL error %d", what, (int)code);
    }
}
