/* test_swap.c — in one pipeline, one traversal is put in another's place and nothing else is edited; all of
 * them run side by side. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `generator` has a mapping or not, `matrix` is empty or names several methods. */
static void write_pipeline(const char *file, const char *generator, const char *matrix, const char *uses)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", program_folder(), file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(
        out,
        "latentwalk: 1\nseed: 3\nmodels:\n  m:\n    generator: %s\n%ssteps:\n"
        "  - {id: start, uses: source/latents, with: {model: m, count: 3}}\n"
        "  - {id: end, uses: source/latents, with: {model: m, count: 3}}\n"
        "  - id: walk\n    uses: %s\n    with: {model: m, iterations: 4, distance: 0.5, keep: [0, 2, 4]}\n"
        "    inputs: {z: start.z, target: end.z}\n"
        "  - {id: measures, uses: metric/path, with: {model: m}, inputs: {walk: walk.walk}}\n"
        "  - {id: grid, uses: sink/image-grid, inputs: {images: walk.images}}\n",
        generator, matrix, uses);
    assert_int_equal(fclose(out), 0);
}

#define MAPPED \
    "{uses: stylegan2, with: {widths: [4, 4], z_dim: 8, w_dim: 8, mapping_width: 8, mapping_layers: 2}}"
#define PLAIN "{uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}"

static void any_traversal_takes_the_place_of_another(void **state)
{
    static const char *const methods[] = {"bounded-local-space", "iterative-curve-traversal", "local-basis",
                                          "random-traversal"};
    (void)state;
    write_pipeline("walk.yaml", MAPPED, "", "method/linear-traversal");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments,
                 "run walk.yaml --quiet --out %s --set steps.walk.uses=method/%s", methods[i], methods[i]);
        program_expect(arguments, 0, "");
    }
    program_expect("run walk.yaml --dry-run --set steps.walk.uses=method/bounded-local-space", 0,
                   "local geometry");
}

static void all_of_them_run_side_by_side(void **state)
{
    (void)state;
    write_pipeline("matrix.yaml", MAPPED,
                   "matrix: {method: [method/linear-traversal, method/bounded-local-space]}\n",
                   "\"${method}\"");
    program_expect("run matrix.yaml --quiet --out matrix", 0, "");
}

static void without_a_mapping_walks_go_through_z(void **state)
{
    (void)state;
    write_pipeline("z.yaml", PLAIN, "", "method/linear-traversal");
    program_expect("run z.yaml --quiet --out z", 0, "");
    program_expect("run z.yaml --quiet --out z2 --set steps.walk.uses=method/random-traversal", 0, "");
    program_expect("check z.yaml --set steps.walk.uses=method/bounded-local-space", 2,
                   "needs a model with `map`");
}

static int clear(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_traversal_takes_the_place_of_another),
        cmocka_unit_test(all_of_them_run_side_by_side),
        cmocka_unit_test(without_a_mapping_walks_go_through_z),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
