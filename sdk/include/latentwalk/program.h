/* program.h — devices, and graphs compiled to run on them.
 *
 * A device and everything made from it belong to one thread at a time. What the device itself refuses is LW_DEVICE.
 * Floats are in host memory, row-major. */
#ifndef LATENTWALK_PROGRAM_H
#define LATENTWALK_PROGRAM_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lw_device lw_device;
typedef struct lw_program lw_program;

/* Opens an OpenCL 1.2+ device. `selector`: NULL or "" takes the first GPU, else the first CPU; "cpu",
 * "gpu"; "P:D" by platform and device number; otherwise part of the device's name. "none" opens a
 * device that computes nothing: programs compile and count, for `--dry-run`; reads give zeros.
 * `blas`: "native", "clblast", or NULL/"auto" (native on CPUs, clblast on GPUs). NULL with LW_NOT_FOUND, naming the devices
 * there are, LW_INVALID for another `blas`, or LW_DEVICE. */
LW_API lw_device *lw_device_open(const char *selector, const char *blas);
LW_API void lw_device_close(lw_device *device);

typedef struct lw_device_info {
    char selector[16]; /* "0:0" */
    char name[128], platform[128], version[128], driver[64];
    char type[16];     /* "cpu", "gpu", "accelerator", "none" */
    char blas[16];     /* back end in use */
    uint64_t memory;   /* bytes */
    uint32_t units;    /* compute units: cores of a CPU */
} lw_device_info;
LW_API lw_status lw_device_describe(lw_device *device, lw_device_info *info);
/* Lists without opening: writes at most `capacity` entries, returns how many there are. */
LW_API int lw_device_list(lw_device_info *infos, int capacity);

/* Compiles what the graph's outputs and assignments need; everything else is dropped. The graph may be
 * destroyed afterwards; the stores it uses must outlive the program. NULL with the graph's first error,
 * or a device error. Parts that depend only on constants and on parameters that no program of this
 * store changes are computed once and kept. */
LW_API lw_program *lw_compile(lw_graph *graph, lw_device *device);
LW_API void lw_program_destroy(lw_program *program);

/* Copies `count` floats (must equal the input's size: LW_SHAPE) to the device; kept until written again. LW_NOT_FOUND for an
 * input that the results do not need. */
LW_API lw_status lw_program_write(lw_program *program, const char *input, const float *data, size_t count);
/* What lw_random_uniform and lw_random_normal draw from in the runs that follow; 0 and 0 at first. */
LW_API lw_status lw_program_seed(lw_program *program, uint64_t seed, uint64_t step);
/* Enqueues the whole program. Does not wait; lw_program_read does. LW_INVALID where an input was never written. */
LW_API lw_status lw_program_run(lw_program *program);
/* Waits, and copies the output of the last run to `data` of `count` floats (must equal its size: LW_SHAPE). */
LW_API lw_status lw_program_read(lw_program *program, const char *output, float *data, size_t count);
/* The same as a new tensor, the caller's; NULL with an error. */
LW_API lw_tensor *lw_program_read_tensor(lw_program *program, const char *output);
/* Waits until everything enqueued has run. */
LW_API lw_status lw_device_finish(lw_device *device);

typedef struct lw_program_stats {
    uint64_t arena_bytes;     /* planned working memory, reused between values */
    uint64_t parameter_bytes; /* of the stores, on the device */
    uint64_t constant_bytes;  /* folded and packed once */
    uint64_t io_bytes;        /* inputs and outputs */
    double flops;             /* multiply and add count as two; dense algebra only */
    uint32_t kernels;         /* enqueues a run */
    uint64_t runs;
} lw_program_stats;
LW_API lw_status lw_program_describe(lw_program *program, lw_program_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
