/* worker.c — Latentwalk's side of script/bench: one case in one process, driven line by line, so that peers
 * can be timed in between and every case has a peak of memory of its own.
 *
 * bench_worker PLUGIN_DIR CASE FOLDER writes FOLDER/model.safetensors (weights), then reads from standard
 * input: check      runs once (a training case: a few steps); inputs and outputs go to
 * FOLDER/latentwalk.safetensors time N     seconds a repetition, of N;      work   multiply-adds of one,
 * counted twice, on tensors' products memory     peak resident bytes since check */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profile.h"
#include "runtime/profile.h"

void bench_must(lw_status status)
{
    if (status == LW_OK)
        return;
    fprintf(stderr, "bench_worker: %s\n", lw_error_text());
    exit(1);
}

static void *must_have(void *pointer)
{
    bench_must(pointer ? LW_OK : lw_error_status());
    return pointer;
}

/* --- building ------------------------------------------------------------------------------- */

lw_value bench_input(bench *b, lw_graph *g, const char *name, lw_shape shape, double scale)
{
    bench_io *io = &b->input[b->inputs++];
    *io = (bench_io){.program = b->programs, .tensor = must_have(lw_tensor_create(shape))};
    snprintf(io->name, sizeof io->name, "%s", name);
    size_t count = (size_t)lw_shape_count(shape);
    lw_normal((lw_stream){.seed = 1, .purpose = lw_purpose(name)}, 0, count, io->tensor->data);
    for (size_t i = 0; i < count; i++)
        io->tensor->data[i] *= (float)scale;
    return lw_input(g, name, shape);
}

void bench_output(bench *b, lw_graph *g, const char *name, lw_value value)
{
    bench_io *io = &b->output[b->outputs++];
    *io = (bench_io){.program = b->programs};
    snprintf(io->name, sizeof io->name, "%s", name);
    lw_output(g, name, value);
    bench_must(lw_graph_status(g));
    io->tensor = must_have(lw_tensor_create(lw_shape_of(g, value)));
}

void bench_host_output(bench *b, const char *name, lw_shape shape)
{
    bench_io *io = &b->output[b->outputs++];
    *io = (bench_io){.program = -1, .tensor = must_have(lw_tensor_create(shape))};
    snprintf(io->name, sizeof io->name, "%s", name);
}

void bench_compile(bench *b, lw_graph *g)
{
    lw_program *program = must_have(lw_compile(g, b->device));
    lw_graph_destroy(g);
    for (int i = 0; i < b->inputs; i++)
        if (b->input[i].program == b->programs)
            bench_must(lw_program_write(program, b->input[i].name, b->input[i].tensor->data,
                                        (size_t)lw_shape_count(b->input[i].tensor->shape)));
    b->program[b->programs++] = program;
}

/* --- running -------------------------------------------------------------------------------- */

static void read_outputs(bench *b)
{
    for (int i = 0; i < b->outputs; i++)
        if (b->output[i].program >= 0)
            bench_must(lw_program_read(b->program[b->output[i].program], b->output[i].name,
                                       b->output[i].tensor->data,
                                       (size_t)lw_shape_count(b->output[i].tensor->shape)));
}

static void repeat(bench *b, int times)
{
    for (int i = 0; i < times; i++) {
        for (int p = 0; p < b->programs; p++)
            bench_must(lw_program_run(b->program[p]));
        if (b->reads)
            read_outputs(b);
        if (b->after)
            b->after(b);
    }
    bench_must(lw_device_finish(b->device));
}

static double timed(bench *b, int times)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    repeat(b, times);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec)) / times;
}

/* "in.NAME" [..], and "out.NAME.K" [..] of the K-th repetition. */
static void check(bench *b, const char *folder)
{
    char name[64], path[1024];
    lw_store *exchange = must_have(lw_store_create());
    for (int i = 0; i < b->inputs; i++) {
        snprintf(name, sizeof name, "in.%s", b->input[i].name);
        bench_must(lw_store_set(exchange, name, b->input[i].tensor->shape, b->input[i].tensor->data));
    }
    for (int k = 0; k == 0 || k < b->checks; k++) {
        repeat(b, 1);
        read_outputs(b);
        for (int i = 0; i < b->outputs; i++) {
            snprintf(name, sizeof name, "out.%s.%d", b->output[i].name, k);
            bench_must(lw_store_set(exchange, name, b->output[i].tensor->shape, b->output[i].tensor->data));
        }
    }
    snprintf(path, sizeof path, "%s/latentwalk.safetensors", folder);
    bench_must(lw_store_save(exchange, path, LW_STORE_F32));
    lw_store_destroy(exchange);
}

static double work(bench *b)
{
    double flops = 0;
    for (int p = 0; p < b->programs; p++) {
        lw_program_stats stats;
        bench_must(lw_program_describe(b->program[p], &stats));
        flops += stats.flops;
    }
    return flops;
}

/* --- memory --------------------------------------------------------------------------------- */

static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file); /* resets the high-water mark of resident memory: proc(5) */
        fclose(file);
    }
}

static double peak(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return 1024 * kib;
}

/* --- main ----------------------------------------------------------------------------------- */

static void save_weights(bench *b, const char *folder)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (b->model)
        bench_must(lw_model_save(b->model, path, LW_STORE_F32));
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    bench_must(lw_store_save(b->weights, path, LW_STORE_F32));
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        return fprintf(stderr, "usage: bench_worker PLUGIN_DIR CASE FOLDER [PROFILE]\n"), 2;
    bench b = {.device = must_have(lw_device_open("cpu", "native")),
               .registry = must_have(lwi_registry_create()),
               .weights = must_have(lw_store_create()),
               .state = {must_have(lw_store_create()), must_have(lw_store_create())}};
    bench_must(lwi_registry_scan(b.registry, argv[1]));
    if (argc == 5) {
        bench_must(lwi_profile_start(b.device));
        bench_must(lwi_profile_begin(b.device, "preparation"));
    }
    if (!bench_build_product(&b, argv[2]) && !bench_build_image(&b, argv[2]) &&
        !bench_build_training(&b, argv[2]))
        return fprintf(stderr, "bench_worker: no case '%s'\n", argv[2]), 2;
    save_weights(&b, argv[3]);
    printf("ready\n");
    char line[64];
    for (int times; fflush(stdout), fgets(line, sizeof line, stdin);) {
        if (strcmp(line, "check\n") == 0) {
            check(&b, argv[3]);
            forget_peak();
            if (argc == 5)
                bench_must(lwi_profile_begin(b.device, argv[2]));
            printf("checked\n");
        } else if (strcmp(line, "memory\n") == 0) {
            printf("%.0f\n", peak());
        } else if (strcmp(line, "work\n") == 0) {
            printf("%.0f\n", work(&b));
        } else if (sscanf(line, "time %d", &times) == 1 && times > 0) {
            printf("%.9f\n", timed(&b, times));
        } else {
            return fprintf(stderr, "bench_worker: what is '%s'?\n", line), 2;
        }
    }
    if (argc == 5)
        bench_must(lwh_profile_write(b.device, &(lwh_options){0}, argv[4]));
    return 0;
}
