/* fuzz_pipeline.c — any bytes as a pipeline file: reading, structure, and checking without plugins. The
 * text after a line "%%" is taken as --set options, one a line. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    const char *sets[9] = {NULL};
    char *rest = strstr(text, "\n%%\n");
    size_t length = rest ? (size_t)(rest + 1 - text) : size;
    if (rest)
        rest += 4;
    for (int i = 0; rest && *rest && i < 8; i++) {
        sets[i] = rest;
        rest = strchr(rest, '\n');
        if (rest)
            *rest++ = 0;
    }
    lwi_registry *registry = lwi_registry_create();
    lwh_pipeline *pipeline = registry ? lwh_pipeline_parse(registry, "input.yaml", text, length, sets) : NULL;
    if (pipeline && lwh_check(pipeline) == LW_OK && pipeline->step_count)
        abort(); /* without plugins no step can be right */
    lwh_pipeline_destroy(pipeline);
    lwi_registry_destroy(registry);
    free(text);
    return 0;
}

void fuzz_seed(int index, bytes *out)
{
    static const char *const seeds[] = {
        ("latentwalk: 1\nseed: 42\nmodels:\n"
         "  faces: {generator: dcgan, discriminator: {uses: discriminator/dcgan, with: {depth: 3}}, prefix: "
         "G.}\n"
         "steps:\n"
         "  - id: start\n    uses: source/latents\n    with: {model: faces}\n"
         "  - {id: walk, uses: method/x, with: {model: faces, losses: [{uses: loss/y, weight: 0.1}]},"
         " inputs: {z: start.z}}\n"),
        ("latentwalk: 1\na: &a [1, 2]\nb: *a\n"
         "steps:\n  - &s {id: a, uses: sink/b, inputs: {x: [a.b, c.d]}}\n  - *s\n"),
        ("latentwalk: 1\ndevice: {select: cpu, blas: native}\nsteps: [{id: a, uses: source/b}]\n"
         "%%\nsteps.a.with.n=3\nseed=7\nsteps.a.uses=source/c\nmodels.m.generator.with.x=1\n"),
    };
    if (index < (int)(sizeof seeds / sizeof seeds[0]))
        bytes_text(out, seeds[index]);
}
